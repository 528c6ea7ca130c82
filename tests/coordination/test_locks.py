"""Locks: one holder at a time over every key-value, tokens that grow, holders that die, pause or lose their lock."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.processes import PROCESSES

from memwell import Conflict, InvalidInput, Unavailable, _bridge, lock, lock_sync
from memwell.backends.memory.keyvalue import MemoryKeyValue
from memwell.ports import KeyValue
from memwell.registry import open_keyvalue
from memwell.testing import run
from memwell.testing.flaky import Faults, Flaky
from memwell.testing.services import MemcachedServer, RedisServer
from memwell.wrappers import Threaded


class Clock:
    """Time that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(params=["sqlite", "postgres", "redis", "memcached"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A key-value that processes can share."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/kv.db"
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def keyvalue(url: str) -> Iterator[KeyValue]:
    part = open_keyvalue(url)
    yield part
    close(part)


@contextmanager
def ending_in(kind: type[Exception]) -> Iterator[None]:
    """As `pytest.raises`, around what may have several steps."""
    try:
        yield
    except kind:
        return
    raise AssertionError(f"no {kind.__name__}")


def close(part: KeyValue) -> None:
    """From the loop that `lock_sync` used."""
    _bridge.complete(part.close(), blocking=part.blocking)


# ------------------------------------------------------------------------------------------------ one process


def test_the_block_has_the_lock_and_leaves_nothing_but_the_counter(keyvalue: KeyValue) -> None:
    async def main() -> None:
        held = lock(keyvalue, "job", ttl=10)
        assert held.lost
        async with held as same:
            assert same is held
            assert not held.lost
            assert 9 < held.remaining <= 10
            held.check()
            with pytest.raises(Unavailable) as caught:
                async with lock(keyvalue, "job", ttl=10, wait=0):
                    pass
            assert caught.value.retry_after == 10
            async with lock(keyvalue, "other job", wait=0):
                pass
        assert held.lost
        assert await keyvalue.get_many(["lock:job", "fence:job"]) == {"fence:job": b"1"}

    if keyvalue.blocking:
        asyncio.run(main())
    else:
        run(keyvalue, main())
        run(keyvalue, keyvalue.close())


def test_tokens_grow_from_holder_to_holder(keyvalue: KeyValue) -> None:
    tokens = []
    for _ in range(5):
        with lock_sync(keyvalue, "job") as held:
            tokens.append(held.token)
    assert tokens == [1, 2, 3, 4, 5]
    with lock_sync(keyvalue, "other") as held:
        assert held.token == 1


def test_one_lock_object_serves_again_and_again_but_not_twice_at_once() -> None:
    keyvalue = MemoryKeyValue()
    held = lock_sync(keyvalue, "job")
    for expected in (1, 2):
        with held:
            assert held.token == expected
            with pytest.raises(InvalidInput, match="held or being entered"), held:
                pass
            assert not held.lost


def test_tasks_that_share_one_lock_object_are_refused_rather_than_mixed_up() -> None:
    keyvalue = Threaded(MemoryKeyValue())

    async def main() -> None:
        async with lock(keyvalue, "job") as held:
            shared = lock(keyvalue, "job")
            waiting = asyncio.create_task(shared.__aenter__())
            await asyncio.sleep(0)
            with pytest.raises(InvalidInput, match="one for each holder"):
                await shared.__aenter__()
            held.check()
        async with asyncio.timeout(10):
            await waiting
        shared.check()
        await shared.__aexit__(None, None, None)
        async with lock(keyvalue, "job", wait=0):
            pass
        await keyvalue.close()

    asyncio.run(main())


def test_a_renewal_that_ends_after_the_block_does_not_bring_the_lock_back() -> None:
    class Slow(MemoryKeyValue):
        reached, go = threading.Event(), threading.Event()
        slow = False

        async def _replace(self, *arguments: Any) -> bool:
            done = await super()._replace(*arguments)
            if self.slow:
                self.reached.set()
                self.go.wait(10)
            return done

    keyvalue = Slow()
    with ThreadPoolExecutor(1) as threads:
        with lock_sync(keyvalue, "job") as held:
            keyvalue.slow = True
            renewal = threads.submit(held.renew)
            assert keyvalue.reached.wait(10)
            keyvalue.slow = False
        keyvalue.go.set()
        with pytest.raises(Conflict):
            renewal.result()
    assert (held.lost, held.remaining) == (True, 0.0)
    with held:
        held.check()


def test_who_waits_gets_it_when_it_is_released(keyvalue: KeyValue) -> None:
    order: list[str] = []

    def second() -> None:
        with lock_sync(keyvalue, "job", wait=30):
            order.append("second")

    with lock_sync(keyvalue, "job"):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.2)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_threads_take_turns(keyvalue: KeyValue) -> None:
    inside: list[int] = []

    def work(owner: int) -> int:
        with lock_sync(keyvalue, "job", wait=60) as held:
            inside.append(owner)
            assert inside == [owner]
            inside.remove(owner)
            assert held.token
            return held.token

    with ThreadPoolExecutor(6) as threads:
        tokens = list(threads.map(work, range(30)))
    assert sorted(tokens) == sorted(set(tokens))


def test_tasks_take_turns(redis_url: str) -> None:
    inside: list[int] = []

    async def work(keyvalue: KeyValue, owner: int) -> None:
        async with lock(keyvalue, "job", wait=60):
            inside.append(owner)
            await asyncio.sleep(0)
            assert inside == [owner]
            inside.remove(owner)

    async def main() -> None:
        keyvalue = open_keyvalue(redis_url)
        await asyncio.gather(*(work(keyvalue, owner) for owner in range(30)))
        await keyvalue.close()

    asyncio.run(main())


def test_the_error_of_the_block_goes_on_and_the_lock_is_free() -> None:
    keyvalue = MemoryKeyValue()
    with pytest.raises(ZeroDivisionError), lock_sync(keyvalue, "job"):
        _ = 1 / 0
    with lock_sync(keyvalue, "job", wait=0):
        pass


@pytest.mark.parametrize("ttl", [0, -1, 0.001, float("nan"), float("inf"), True, "10", None])
def test_a_ttl_is_finite_and_long_enough(ttl: Any) -> None:
    with pytest.raises(InvalidInput):
        lock(MemoryKeyValue(), "job", ttl=ttl)


@pytest.mark.parametrize("wait", [-1, float("nan"), True, "1"])
def test_a_wait_is_a_number_of_seconds(wait: Any) -> None:
    with pytest.raises(InvalidInput):
        lock(MemoryKeyValue(), "job", wait=wait)


@pytest.mark.parametrize("name", ["", 5, None, "nul\0", "k" * 1025])
def test_a_name_is_a_key(name: Any) -> None:
    with pytest.raises(InvalidInput):
        lock(MemoryKeyValue(), name)


# ------------------------------------------------------------------------------------------ lost and renewed


def test_a_lock_that_outlived_its_ttl_is_lost_before_another_can_have_it() -> None:
    clock = Clock()
    keyvalue = MemoryKeyValue(clock=clock)
    held = lock_sync(keyvalue, "job", ttl=10, clock=clock)
    with ending_in(Conflict), held:
        clock.now += 9.8
        held.check()
        clock.now += 0.1  # the drift of clocks: 1 % and 2 ms
        assert held.lost
        with pytest.raises(Unavailable), lock_sync(keyvalue, "job", wait=0, clock=clock):
            pass
        clock.now += 0.2
        with lock_sync(keyvalue, "job", wait=0, clock=clock) as other:
            assert held.token is not None
            assert other.token == held.token + 1
        with pytest.raises(Conflict):
            held.check()


def test_leaving_late_is_fine_when_nobody_took_it_meanwhile() -> None:
    clock = Clock()
    keyvalue = MemoryKeyValue(clock=clock)
    with lock_sync(keyvalue, "job", ttl=10, clock=clock) as held:
        clock.now += 9.95
        assert held.lost
    assert run(keyvalue, keyvalue.get("lock:job")) is None


def test_a_holder_that_is_late_does_not_release_the_lock_of_the_next() -> None:
    clock = Clock()
    keyvalue = MemoryKeyValue(clock=clock)
    late = lock_sync(keyvalue, "job", ttl=10, clock=clock)
    late.__enter__()
    clock.now += 11
    with lock_sync(keyvalue, "job", ttl=10, clock=clock) as held:
        with pytest.raises(Conflict):
            late.__exit__(None, None, None)
        held.check()
        with pytest.raises(Unavailable), lock_sync(keyvalue, "job", wait=0, clock=clock):
            pass


def test_the_error_of_the_block_is_not_replaced_by_the_loss() -> None:
    clock = Clock()
    with ending_in(ZeroDivisionError), lock_sync(MemoryKeyValue(clock=clock), "job", clock=clock):
        clock.now += 60
        _ = 1 / 0


def test_renewing_by_hand_restarts_the_ttl() -> None:
    clock = Clock()
    keyvalue = MemoryKeyValue(clock=clock)
    with lock_sync(keyvalue, "job", ttl=10, clock=clock) as held:
        for _ in range(5):
            clock.now += 8
            held.renew()
            assert held.remaining > 9
    with pytest.raises(Conflict):
        held.renew()


def test_a_lock_that_was_taken_away_cannot_be_renewed() -> None:
    keyvalue = MemoryKeyValue()
    held = lock_sync(keyvalue, "job")
    with ending_in(Conflict), held:
        run(keyvalue, keyvalue.delete("lock:job"))
        assert not held.lost  # it cannot know yet
        with pytest.raises(Conflict, match="another holder"):
            held.renew()
        assert held.lost
        with pytest.raises(Conflict):
            held.check()


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_renewal_keeps_the_lock_beyond_its_ttl(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = request.getfixturevalue("redis_url") if kind == "redis" else f"sqlite:///{tmp_path}/kv.db"
    keyvalue = open_keyvalue(url)
    with lock_sync(keyvalue, "job", ttl=1, renew=True) as held:
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            held.check()
            time.sleep(0.01)
        with pytest.raises(Unavailable), lock_sync(keyvalue, "job", wait=0.1):
            pass
    with lock_sync(keyvalue, "job", ttl=0.3, wait=0):
        pass
    close(keyvalue)


def test_renewal_on_an_event_loop_ends_with_the_block(redis_url: str) -> None:
    async def main() -> None:
        keyvalue = open_keyvalue(redis_url)
        async with lock(keyvalue, "job", ttl=1, renew=True) as held:
            await asyncio.sleep(1.5)
            held.check()
        await asyncio.sleep(0.2)
        assert len(asyncio.all_tasks()) == 1
        assert await keyvalue.get("lock:job") is None
        await keyvalue.close()

    asyncio.run(main())


def test_a_renewal_that_fails_is_tried_again_and_one_that_finds_it_gone_tells() -> None:
    faults = Faults()
    keyvalue = Flaky(MemoryKeyValue(), faults)
    with lock_sync(keyvalue, "job", ttl=1.5, renew=True) as held:
        faults.fail(Unavailable("busy"), on="replace")
        time.sleep(2)
        held.check()
    lost = lock_sync(keyvalue, "job", ttl=0.3, renew=True)
    with ending_in(Conflict), lost:
        run(keyvalue, keyvalue.delete("lock:job"))
        end = time.monotonic() + 30
        while not lost.lost:
            assert time.monotonic() < end
            time.sleep(0.01)


# ------------------------------------------------------------------------------------------- failing parts


@pytest.mark.parametrize("on", ["add", "increment", "replace"])
@pytest.mark.parametrize("reconcile", [False, True])
def test_entering_that_fails_leaves_no_lock_behind(on: str, reconcile: bool) -> None:
    faults = Faults()
    keyvalue = Flaky(MemoryKeyValue(), faults)
    faults.fail(Unavailable("cut off"), on=on, lost=reconcile)
    with pytest.raises(Unavailable, match="cut off"), lock_sync(keyvalue, "job"):
        pass
    with lock_sync(keyvalue, "job", wait=0) as held:
        assert held.token


def test_leaving_that_cannot_be_reported_is_logged_and_the_lock_expires(
    caplog: pytest.LogCaptureFixture,
) -> None:
    faults, clock = Faults(), Clock()
    keyvalue = Flaky(MemoryKeyValue(clock=clock), faults)
    with lock_sync(keyvalue, "job", ttl=10, clock=clock):
        faults.fail(Unavailable("busy"), on="delete")
    assert "expires within 10 seconds" in caplog.text
    clock.now += 10
    with lock_sync(keyvalue, "job", wait=0, clock=clock):
        pass


def test_leaving_that_cannot_be_reported_after_the_ttl_is_a_loss() -> None:
    faults, clock = Faults(), Clock()
    keyvalue = Flaky(MemoryKeyValue(clock=clock), faults)
    with ending_in(Conflict), lock_sync(keyvalue, "job", ttl=10, clock=clock):
        faults.fail(Unavailable("busy"), on="delete")
        clock.now += 10


def test_a_cancelled_wait_and_a_cancelled_entry_leave_no_lock_behind(redis_url: str) -> None:
    async def enter(keyvalue: KeyValue) -> None:
        async with lock(keyvalue, "job", ttl=60):
            await asyncio.sleep(60)

    async def main() -> None:
        keyvalue = open_keyvalue(redis_url)
        for steps in range(12):  # cancelled wherever it may be
            task = asyncio.ensure_future(enter(keyvalue))
            for _ in range(steps):
                await asyncio.sleep(0.0005)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            async with lock(keyvalue, "job", ttl=60, wait=5):
                waiting = asyncio.ensure_future(enter(keyvalue))
                await asyncio.sleep(0.01)
                waiting.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await waiting
        await keyvalue.close()

    asyncio.run(main())


def test_a_keyvalue_that_dies_keeps_the_holder_until_its_ttl_and_lets_nobody_in() -> None:
    with RedisServer() as server:
        keyvalue = open_keyvalue(f"{server.url}?connect_timeout=1")
        held = lock_sync(keyvalue, "job", ttl=1.5, renew=True)
        with ending_in(Conflict), held:
            server.kill()
            held.check()
            with pytest.raises(Unavailable), lock_sync(keyvalue, "job", wait=0):
                pass
            end = time.monotonic() + 10
            while not held.lost:
                assert time.monotonic() < end
                time.sleep(0.01)
        server.start()
        with lock_sync(keyvalue, "job", ttl=5, wait=10) as next_one:
            assert next_one.token == 2
        close(keyvalue)


def test_a_keyvalue_that_comes_back_empty_is_noticed_at_the_next_renewal() -> None:
    with MemcachedServer() as server:
        keyvalue = open_keyvalue(server.url)
        held = lock_sync(keyvalue, "job", ttl=30)
        with ending_in(Conflict), held:
            server.kill()
            with pytest.raises(Unavailable):
                held.renew()
            held.check()
            server.start()
            with pytest.raises(Conflict):
                held.renew()
            assert held.lost
        close(keyvalue)


# ----------------------------------------------------------------------------------------- several processes


def _work(url: str, path: str, start: Any, turns: int) -> None:
    keyvalue = open_keyvalue(url)
    start.wait()
    for _ in range(turns):
        with lock_sync(keyvalue, "job", ttl=30, wait=60) as held:
            count = Path(path, "count")
            before = int(count.read_text())
            with Path(path, "tokens").open("a") as file:
                file.write(f"{held.token}\n")
            count.write_text(str(before + 1))
    close(keyvalue)


def test_processes_take_turns_and_their_tokens_grow(url: str, tmp_path: Path) -> None:
    (tmp_path / "count").write_text("0")
    start = PROCESSES.Barrier(4)
    workers = [PROCESSES.Process(target=_work, args=(url, str(tmp_path), start, 15)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert (tmp_path / "count").read_text() == "60"
    tokens = [int(line) for line in (tmp_path / "tokens").read_text().split()]
    assert len(tokens) == 60
    assert tokens == sorted(set(tokens))


def _hold(url: str, line: Any, ttl: float, renew: bool) -> None:
    keyvalue = open_keyvalue(url)
    held = lock_sync(keyvalue, "job", ttl=ttl, renew=renew)
    held.__enter__()
    line.send(held.token)
    line.recv()
    try:
        held.check()
        line.send("held")
    except Conflict:
        line.send("lost")
    try:
        held.__exit__(None, None, None)
        line.send("released")
    except Conflict:
        line.send("conflict")


@pytest.fixture
def holder(url: str) -> Iterator[Callable[[float, bool], tuple[Any, Any, int]]]:
    started: list[Any] = []

    def start(ttl: float, renew: bool) -> tuple[Any, Any, int]:
        ours, theirs = PROCESSES.Pipe()
        process = PROCESSES.Process(target=_hold, args=(url, theirs, ttl, renew))
        process.start()
        started.append(process)
        return process, ours, ours.recv()

    yield start
    for process in started:
        if process.is_alive():
            process.kill()
        process.join()


def test_a_killed_holder_keeps_others_out_for_its_ttl_only(holder: Any, keyvalue: KeyValue) -> None:
    process, _, token = holder(1.0, True)
    with pytest.raises(Unavailable), lock_sync(keyvalue, "job", wait=1.5):  # it is renewed
        pass
    process.kill()
    process.join()
    with lock_sync(keyvalue, "job", ttl=5, wait=10) as held:
        assert held.token == token + 1


def test_a_holder_paused_beyond_its_ttl_learns_that_it_lost_and_its_token_is_old(
    holder: Any, keyvalue: KeyValue
) -> None:
    process, line, token = holder(0.5, True)
    os.kill(process.pid, signal.SIGSTOP)
    with lock_sync(keyvalue, "job", ttl=30, wait=10) as held:
        assert held.token == token + 1  # a resource that has seen it refuses the older one
        os.kill(process.pid, signal.SIGCONT)
        line.send("go on")
        assert line.recv() == "lost"
        assert line.recv() == "conflict"
        held.renew()
    process.join()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_neither_holds_nor_releases_its_parents_lock(tmp_path: Path) -> None:
    keyvalue = open_keyvalue(f"sqlite:///{tmp_path}/kv.db")
    with lock_sync(keyvalue, "job", ttl=30) as held:
        child = os.fork()
        if child == 0:
            lost = held.lost
            held.__exit__(None, None, None)
            os._exit(0 if lost else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        held.renew()
    close(keyvalue)
