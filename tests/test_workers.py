"""What calls compute runs in worker threads; what suspends is awaited on the event loop."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest

from memwell import AsyncMemory, _turns, _workers
from memwell._turns import has_turn
from memwell._workers import THREADS, Workers, in_worker, inline, on_loop
from memwell.embedders.hashing import Hashing
from memwell.engine import import_, recall, remember
from memwell.ports import Store, Vectors
from memwell.registry import open_store
from memwell.retrieval.ranking import candidates
from memwell.wrappers.threaded import threaded


def on_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


TENANT: contextvars.ContextVar[str] = contextvars.ContextVar("tenant")


@pytest.fixture
def workers() -> Iterator[Workers]:
    workers = Workers("test")
    yield workers
    workers.dismiss()


async def whereabouts() -> tuple[int, bool]:
    return threading.get_ident(), in_worker()


@on_a_loop
async def test_a_coroutine_computes_in_threads_and_suspends_on_the_loop(workers: Workers) -> None:
    async def nap() -> tuple[int, bool]:
        await asyncio.sleep(0.001)
        return await whereabouts()

    async def work() -> list[Any]:
        TENANT.set(TENANT.get() + " inside")
        first = await whereabouts()
        return [first, await on_loop(nap), await whereabouts(), await inline(whereabouts), TENANT.get()]

    TENANT.set("acme")
    first, slept, after, part, tenant = await workers.run(work())
    here = threading.get_ident()
    assert slept == (here, False)
    assert first[0] != here != after[0]
    assert first[1]
    assert after[1]
    assert part == (after[0], False)
    assert tenant == "acme inside"
    assert TENANT.get() == "acme"
    assert await on_loop(nap) == (here, False)


@on_a_loop
async def test_failures_of_both_sides_reach_the_caller(workers: Workers) -> None:
    async def refused() -> None:
        raise ConnectionRefusedError("no")

    async def work(*, handled: bool) -> str:
        try:
            await on_loop(refused)
        except ConnectionRefusedError as error:
            if handled:
                raise LookupError("instead") from error
            raise
        raise AssertionError

    with pytest.raises(ConnectionRefusedError, match="no"):
        await workers.run(work(handled=False))
    with pytest.raises(LookupError, match="instead"):
        await workers.run(work(handled=True))

    async def suspends() -> None:
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="blocking = False"):
        await workers.run(suspends())


@pytest.mark.parametrize("where", ["in its thread", "on the loop", "in the queue"])
@on_a_loop
async def test_a_cancelled_call_starts_no_other_operation(workers: Workers, where: str) -> None:
    begun, release, ended = threading.Event(), threading.Event(), threading.Event()
    steps: list[str] = []

    async def part(name: str, call: Callable[[], Awaitable[None]]) -> None:
        steps.append(name)
        await call()

    async def computes() -> None:
        begun.set()
        release.wait(5)

    async def sleeps() -> None:
        begun.set()
        await asyncio.sleep(30)

    async def work() -> None:
        try:
            if where == "on the loop":
                await on_loop(lambda: part("first", sleeps))
            else:
                await inline(lambda: part("first", computes))
            await inline(lambda: part("second", computes))
        finally:
            ended.set()

    async def busy() -> None:
        release.wait(5)

    others = [
        asyncio.create_task(workers.run(busy())) for _ in range(THREADS if where == "in the queue" else 0)
    ]
    await asyncio.sleep(0)
    task = asyncio.create_task(workers.run(work()))
    if where == "in the queue":
        await asyncio.sleep(0)
    else:
        await asyncio.to_thread(begun.wait, 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    release.set()
    await asyncio.gather(*others)
    if where != "in the queue":
        assert await asyncio.to_thread(ended.wait, 5)
    assert steps == ([] if where == "in the queue" else ["first"])


@pytest.mark.parametrize("first", ["computes", "waits for a service", "never ends"])
@on_a_loop
async def test_brief_calls_take_turns(workers: Workers, first: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One computes at a time; but no call waits for a long operation, nor for ever."""
    patience = 0.02 if first == "never ends" else 10.0
    monkeypatch.setattr(_turns, "_PATIENCE", patience)
    begun, other = threading.Event(), threading.Event()
    turns: list[bool] = []

    async def waits() -> None:
        begun.set()
        turns.append(other.wait(0.05 if first == "computes" else 10))

    async def one() -> None:
        turns.append(has_turn())
        await (waits() if first != "waits for a service" else inline(waits, long=True))
        turns.append(has_turn())

    async def another() -> bool:
        other.set()
        return has_turn()

    running = asyncio.create_task(workers.run(one(), brief=True))
    await asyncio.to_thread(begun.wait, 10)
    later = await workers.run(another(), brief=True)
    await running
    assert turns == [True, first != "computes", True]
    assert later == (first != "never ends")


@on_a_loop
async def test_each_step_that_waits_finds_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when all before it do something long, and no other step comes."""
    monkeypatch.setattr(_workers, "THREADS", 5)
    monkeypatch.setattr(_turns, "_PATIENCE", 10.0)
    workers, other = Workers("test"), Workers("other")
    all_wait, last = threading.Event(), threading.Event()

    async def waits_for_the_last() -> bool:
        return last.wait(10)

    async def one(number: int) -> bool:
        all_wait.wait(10)
        if number == 4:
            last.set()
        return await inline(waits_for_the_last, long=True)

    calls = []
    for number in range(5):
        calls.append(asyncio.create_task((other if number % 2 else workers).run(one(number), brief=True)))
        while number == 1 and not other._steps.awaited:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        await asyncio.sleep(0)
    all_wait.set()
    assert await asyncio.gather(*calls) == [True] * 5
    await asyncio.gather(*(other.run(whereabouts(), brief=True) for _ in range(300)))
    workers.dismiss()
    other.dismiss()


@on_a_loop
async def test_a_step_may_wait_for_another_memory_while_others_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """An embedder of one memory may ask another one: its threads carry out none of the steps that wait for it."""
    monkeypatch.setattr(_turns, "_PATIENCE", 0.001)
    workers, other = Workers("test"), Workers("other")
    loop = asyncio.get_running_loop()

    async def asks() -> bool:
        asked = asyncio.run_coroutine_threadsafe(other.run(whereabouts(), brief=True), loop)
        return asked.result(5)[1]

    calls = [workers.run(asks(), brief=True) for _ in range(4 * THREADS)]
    assert all(await asyncio.gather(*calls))
    workers.dismiss()
    other.dismiss()


@on_a_loop
async def test_two_memories_with_many_steps_go_on_alternately(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_turns, "_PATIENCE", 10.0)
    both = (Workers("test"), Workers("other"))
    all_wait, done = threading.Event(), []

    async def one(which: int) -> None:
        all_wait.wait(10)
        done.append(which)

    calls = [asyncio.create_task(both[0].run(one(0), brief=True)) for _ in range(20)]
    await asyncio.sleep(0)
    calls.append(asyncio.create_task(both[1].run(one(1), brief=True)))
    while not both[1]._steps.awaited:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    all_wait.set()
    await asyncio.gather(*calls)
    assert done.index(1) <= 2
    for workers in both:
        workers.dismiss()


@on_a_loop
async def test_with_many_steps_waiting_the_loop_goes_on_after_each(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It needs the interpreter, too, and would wait for it."""
    monkeypatch.setattr(_turns, "_FETCHING", 10.0)
    monkeypatch.setattr(_turns, "_PATIENCE", 10.0)
    all_wait, second = threading.Event(), threading.Event()
    begun: list[int] = []

    async def one(number: int) -> None:
        begun.append(number)
        all_wait.wait(10)
        if number:
            second.set()

    calls = [asyncio.create_task(workers.run(one(number), brief=True)) for number in range(12)]
    await asyncio.sleep(0)
    all_wait.set()
    second.wait(0.05)
    assert begun == [0]
    await asyncio.gather(*calls)
    assert begun == [*range(12)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@on_a_loop
async def test_a_forked_child_does_not_wait_for_the_turn_of_its_parent(workers: Workers) -> None:
    async def in_child() -> bool:
        if (child := os.fork()) == 0:
            os._exit(asyncio.run(Workers("child").run(free(), brief=True)))
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1  # noqa: ASYNC222  in a worker thread

    async def free() -> bool:
        return has_turn()

    assert await workers.run(in_child(), brief=True)


@on_a_loop
async def test_others_have_their_turn_while_a_part_does_what_took_long(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Model(Hashing):
        turns: ClassVar[list[bool]] = []

        async def _embed(self, texts: Sequence[str], kind: Literal["document", "query"]) -> Vectors:
            self.turns.append(has_turn())
            return await super()._embed(texts, kind)

    async def asks() -> bool:
        await embedder.embed(["Where are the bees?"], kind="query")
        return has_turn()

    embedder = threaded(Model())
    for limit in (0, 0, 0, 10):
        monkeypatch.setattr(_workers, "LONG", limit)
        assert await workers.run(asks(), brief=True)
    await embedder.close()
    assert Model.turns == [True, True, False, True]


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[int]]:
    """The threads in which some functions were called."""
    found: dict[str, set[int]] = {}

    def watch(module: Any, name: str) -> None:
        function = getattr(module, name)

        def watched(*args: Any, **kwargs: Any) -> Any:
            found.setdefault(name, set()).add(threading.get_ident())
            return function(*args, **kwargs)

        monkeypatch.setattr(module, name, watched)

    for module, names in WATCHED.items():
        for name in names:
            watch(module, name)
    return found


WATCHED: dict[Any, tuple[str, ...]] = {
    recall: ("read_query", "rank", "_hit"),
    candidates: ("assemble",),
    remember: ("_drafts", "_insert", "_with_vectors"),
    import_: ("line_of",),
}


@pytest.mark.parametrize("store", ["blocks", "suspends"])
@on_a_loop
async def test_recalls_lists_and_imports_compute_nothing_on_the_loop(
    store: str, seen: dict[str, set[int]], tmp_path: Path
) -> None:
    """That is why other tasks go on while many recalls rank their candidates, or a long list is stored."""
    part: Store = open_store("memory://")
    part = threaded(part) if store == "suspends" else part
    async with AsyncMemory(part, embedder="hashing") as memory:
        await memory.remember(["Ana keeps bees in Porto", "Ana swims"], user_id="ana")
        hits = await asyncio.gather(*(memory.recall("Where are the bees?", user_id="ana") for _ in range(8)))
        await memory.export(tmp_path / "all.jsonl")
        await memory.import_(tmp_path / "all.jsonl")
    await part.close()
    assert all(found[0].content == "Ana keeps bees in Porto" for found in hits)
    assert {*seen} == {name for names in WATCHED.values() for name in names}
    assert threading.get_ident() not in set().union(*seen.values())
