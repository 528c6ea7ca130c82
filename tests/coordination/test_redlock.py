"""Redlock over five real servers: a minority may die, a majority may not, and there is one holder at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.processes import PROCESSES

from memwell import Conflict, InvalidInput, Unavailable, _bridge, redlock, redlock_sync
from memwell.backends.memory.keyvalue import MemoryKeyValue
from memwell.errors import ConfigError
from memwell.ports import KeyValue
from memwell.registry import open_keyvalue
from memwell.testing import run
from memwell.testing.flaky import Faults, Flaky
from memwell.testing.services import RedisServer


class Clock:
    """Time that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


# ----------------------------------------------------------------------------- the algorithm, without servers


def holders(parts: Sequence[KeyValue], name: str = "job") -> int:
    """How many have the key."""
    return sum(run(part, part.get(f"lock:{name}")) is not None for part in parts)


def test_all_are_asked_and_all_give_it_back() -> None:
    parts = [MemoryKeyValue() for _ in range(5)]
    with redlock_sync(parts, "job") as held:
        assert holders(parts) == 5
        assert held.token is None
        held.check()
    assert holders(parts) == 0


@pytest.mark.parametrize(
    ("count", "taken", "free"), [(1, 0, True), (3, 1, True), (3, 2, False), (4, 2, False), (5, 2, True)]
)
def test_a_majority_is_needed(count: int, taken: int, free: bool) -> None:
    parts = [MemoryKeyValue() for _ in range(count)]
    for part in parts[:taken]:
        run(part, part.set("lock:job", b"somebody else"))
    mine = redlock_sync(parts, "job", wait=0)
    if free:
        with mine:
            assert holders(parts) == count
    else:
        with pytest.raises(Unavailable) as caught, mine:
            pass
        assert caught.value.retry_after == 30
    assert [run(part, part.get("lock:job")) for part in parts[:taken]] == [b"somebody else"] * taken
    assert holders(parts) == taken


def test_it_is_valid_for_the_ttl_less_the_time_it_took_less_the_drift() -> None:
    clock = Clock()

    class Slow(MemoryKeyValue):
        async def _add(self, key: str, value: bytes, ttl: float | None) -> bool:
            clock.now += 0.5
            return await super()._add(key, value, ttl)

    parts = [Slow(clock=clock) for _ in range(3)]
    with redlock_sync(parts, "job", ttl=10, clock=clock) as held:
        assert held.remaining == pytest.approx(10 - 1.5 - (10 * 0.01 + 0.002))


def test_what_took_longer_than_the_ttl_is_not_held() -> None:
    clock = Clock()

    class Slow(MemoryKeyValue):
        async def _add(self, key: str, value: bytes, ttl: float | None) -> bool:
            clock.now += 4
            return await super()._add(key, value, ttl)

    parts = [Slow(clock=clock) for _ in range(3)]
    with pytest.raises(Unavailable), redlock_sync(parts, "job", ttl=10, wait=0, clock=clock):
        pass
    assert holders(parts) == 0


def test_failures_of_a_minority_are_outlived_and_of_a_majority_reported() -> None:
    faults = [Faults() for _ in range(5)]
    parts = [Flaky(MemoryKeyValue(), fault) for fault in faults]
    for fault in faults[:2]:
        fault.down = Unavailable("down")
    with redlock_sync(parts, "job", wait=0) as held:
        held.renew()
    faults[2].down = Unavailable("down")
    with pytest.raises(Unavailable, match="needs 3 of 5"), redlock_sync(parts, "job"):
        pass
    assert holders(parts[3:]) == 0
    for fault in faults[:3]:
        fault.down = ConfigError("wrong password")
    with pytest.raises(ConfigError, match="wrong password"), redlock_sync(parts, "job"):
        pass


def test_an_answer_that_was_lost_leaves_no_key() -> None:
    faults = [Faults() for _ in range(3)]
    parts = [Flaky(MemoryKeyValue(), fault) for fault in faults]
    for fault in faults:
        fault.fail(Unavailable("cut off"), on="add", lost=True)
    with pytest.raises(Unavailable), redlock_sync(parts, "job"):
        pass
    assert holders(parts) == 0


def test_a_renewal_needs_a_majority_that_still_has_it() -> None:
    faults = [Faults() for _ in range(3)]
    parts = [Flaky(MemoryKeyValue(), fault) for fault in faults]
    with redlock_sync(parts, "job") as held:
        run(parts[0], parts[0].delete("lock:job"))
        held.renew()
        faults[1].down = Unavailable("down")
        with pytest.raises(Unavailable):
            held.renew()
        held.check()  # for as long as before
        faults[1].down = None
        held.renew()


def test_a_lock_gone_from_a_majority_is_lost() -> None:
    parts = [MemoryKeyValue() for _ in range(3)]
    held = redlock_sync(parts, "job")
    held.__enter__()
    for part in parts[:2]:
        run(part, part.delete("lock:job"))
    with pytest.raises(Conflict):
        held.renew()
    assert held.lost
    with pytest.raises(Conflict):
        held.__exit__(None, None, None)
    assert holders(parts) == 0


def test_of_two_who_split_the_votes_neither_keeps_any() -> None:
    parts = [MemoryKeyValue() for _ in range(4)]
    for part in parts[:2]:
        run(part, part.set("lock:job", b"the other"))
    with pytest.raises(Unavailable), redlock_sync(parts, "job", wait=0.05):
        pass
    assert holders(parts) == 2


@pytest.mark.parametrize("count", [0, 2])
def test_parts_are_several_and_different(count: int) -> None:
    with pytest.raises(InvalidInput):
        redlock([MemoryKeyValue()] * count, "job")


# -------------------------------------------------------------------------------------------- five servers


@pytest.fixture
def servers() -> Iterator[list[RedisServer]]:
    with ExitStack() as stack:
        yield [stack.enter_context(RedisServer(durable=False)) for _ in range(5)]


def opened(urls: Sequence[str]) -> list[KeyValue]:
    return [open_keyvalue(url) for url in urls]


def close(parts: Sequence[KeyValue]) -> None:
    for part in parts:
        _bridge.complete(part.close(), blocking=part.blocking)


def test_two_of_five_servers_may_die_and_three_may_not(servers: list[RedisServer]) -> None:
    parts = opened([server.url for server in servers])
    with redlock_sync(parts, "job", ttl=20, wait=0) as held:
        for server in servers[:2]:
            server.kill()
        held.check()
        held.renew()
        with pytest.raises(Unavailable), redlock_sync(parts, "job", ttl=20, wait=0):
            pass
    with redlock_sync(parts, "job", ttl=20, wait=0) as held:
        held.check()
    servers[2].kill()
    with pytest.raises(Unavailable, match="needs 3 of 5"), redlock_sync(parts, "job", ttl=20, wait=60):
        pass
    for server in servers[:3]:
        server.start()
    with redlock_sync(parts, "job", ttl=20, wait=20):
        pass
    close(parts)


def test_a_server_that_hangs_costs_its_time_limit_and_no_more(servers: list[RedisServer]) -> None:
    import redis as native

    with native.Redis.from_url(servers[0].url) as raw:
        raw.execute_command("CLIENT", "PAUSE", 120_000, "ALL")

    async def main() -> None:
        parts = opened([server.url for server in servers])
        began = time.monotonic()
        async with redlock(parts, "job", ttl=20, wait=0, timeout=0.2) as held:
            assert held.remaining > 18
        assert time.monotonic() - began < 60  # long before it answers
        for part in parts:
            await part.close()

    asyncio.run(main())


def _work(urls: list[str], path: str, start: Any, turns: int) -> None:
    parts = opened(urls)
    start.wait()
    for _ in range(turns):
        with redlock_sync(parts, "job", ttl=30, wait=120) as held:
            inside = Path(path, "inside")
            inside.touch(exist_ok=False)  # fails if anybody else is inside
            count = Path(path, "count")
            count.write_text(str(int(count.read_text()) + 1))
            inside.unlink()
            held.check()
    close(parts)


def test_there_is_one_holder_at_a_time_among_processes_while_servers_die(
    servers: list[RedisServer], tmp_path: Path
) -> None:
    (tmp_path / "count").write_text("0")
    start = PROCESSES.Barrier(5)
    urls = [server.url for server in servers]
    workers = [PROCESSES.Process(target=_work, args=(urls, str(tmp_path), start, 10)) for _ in range(4)]
    for worker in workers:
        worker.start()
    start.wait()
    for server, reached in zip(servers[:2], (5, 15), strict=True):
        while int((tmp_path / "count").read_text() or 0) < reached and any(w.is_alive() for w in workers):
            time.sleep(0.01)
        server.kill()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert (tmp_path / "count").read_text() == "40"
