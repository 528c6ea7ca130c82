"""The rows about many at once: concurrent recalls, the event loop, group commit."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from threading import local

from benchmarks.speed.floor import Floor
from benchmarks.speed.measure import Row
from benchmarks.speed.sides import Both, open_async, open_ours
from benchmarks.speed.texts import Lookup, Texts
from memwell import AsyncMemory

__all__ = ["group_commit", "recalls"]

WORKERS = 8


@asynccontextmanager
async def watched(stalls: list[float]) -> AsyncIterator[None]:
    """Notes the longest time that the event loop did not come round."""

    async def watch() -> None:
        worst = 0.0
        try:
            while True:
                before = time.perf_counter()
                await asyncio.sleep(0)
                worst = max(worst, time.perf_counter() - before)
                await asyncio.sleep(0.0005)
        finally:
            stalls.append(worst)

    task = asyncio.create_task(watch())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def ours_at_once(memory: AsyncMemory, asked: Sequence[str]) -> float:
    """Recalls a second with eight under way at any moment."""
    waiting = iter(asked)

    async def worker() -> None:
        for query in waiting:
            await memory.recall(query, user_id="u", limit=10)

    start = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(WORKERS)))
    return len(asked) / (time.perf_counter() - start)


def floor_in_turn(floor: Floor, asked: Sequence[str]) -> float:
    """Recalls a second, one after another."""
    start = time.perf_counter()
    for query in asked:
        floor.recall(query, "u", 10)
    return len(asked) / (time.perf_counter() - start)


def floor_in_threads(path: Path, lookup: Lookup) -> Callable[[Sequence[str]], float]:
    """Recalls a second by eight threads with a connection each."""
    mine = local()

    def recall(query: str) -> None:
        if not hasattr(mine, "floor"):
            mine.floor = Floor(path, lookup)
        mine.floor.recall(query, "u", 10)

    pool = ThreadPoolExecutor(WORKERS)

    def run(asked: Sequence[str]) -> float:
        start = time.perf_counter()
        list(pool.map(recall, asked))
        return len(asked) / (time.perf_counter() - start)

    return run


def recalls(folder: Path, quick: bool) -> Iterator[Row]:
    """Eight recalls at once on ten thousand memories."""
    count, each, rounds = (2_000, 80, 3) if quick else (10_000, 400, 7)
    both = Both(folder, "together")
    both.fill("u", count)
    asked = both.questions("u", each * (rounds + 1), count)
    threads = floor_in_threads(both.floor_path, both.lookup)
    mine: list[float] = []
    theirs: list[float] = []
    stalls: list[float] = []

    async def run() -> None:
        async with open_async(both.path, both.lookup) as memory:
            for number in range(rounds + 1):
                part = asked[number * each : (number + 1) * each]
                async with watched(stalls):
                    mine.append(await ours_at_once(memory, part))
                theirs.append(max(floor_in_turn(both.floor, part), threads(part)))

    asyncio.run(run())
    both.close()
    a, b = statistics.median(mine[1:]), statistics.median(theirs[1:])
    yield Row(
        name=f"{WORKERS} recalls at once, {count:,}",
        value=a / b,
        ours=f"{a:,.0f}/s",
        floor=f"{b:,.0f}/s",
        must=1.0,
        aim=4.0,
        higher=True,
        note="the floor's better of one thread and eight",
    )
    yield Row(
        name=f"longest stall of the event loop, {WORKERS} recalls at once",
        value=max(stalls[1:]) * 1000,
        unit="ms",
        ours=f"{max(stalls[1:]) * 1000:.1f} ms",
        must=20,
        note=f"median of rounds {statistics.median(stalls[1:]) * 1000:.1f} ms",
    )


def group_commit(folder: Path, quick: bool) -> Iterator[Row]:
    """Writers that wait for the disk at once share a commit."""
    each, rounds = (20, 3) if quick else (100, 7)
    lookup, texts = Lookup(), Texts()
    rates: dict[int, list[float]] = {1: [], WORKERS: []}
    memory = open_ours(folder / "group.db", lookup, "?durability=full")
    start = 0
    for _ in range(rounds):
        for writers, found in rates.items():
            new = texts.memories(each * writers, start)
            start += len(new)
            lookup.prepare(new)
            with ThreadPoolExecutor(writers) as pool:
                before = time.perf_counter()
                list(pool.map(partial(memory.remember, user_id="u"), new))
                found.append(len(new) / (time.perf_counter() - before))
    memory.close()
    one, many = (statistics.median(found) for found in rates.values())
    yield Row(
        name=f"full durability, {WORKERS} writers beside one",
        value=many / one,
        ours=f"{many:,.0f}/s",
        floor=f"{one:,.0f}/s",
        must=3.0,
        higher=True,
        note="ours beside ours; one fsync a commit",
    )
