"""The rows about many at once: concurrent recalls, the event loop, group commit."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from threading import local
from typing import Any

from benchmarks.speed.disk import fsync_time
from benchmarks.speed.floor import Floor
from benchmarks.speed.lines import Bench
from benchmarks.speed.measure import Row, spell
from benchmarks.speed.operations import USER
from benchmarks.speed.sides import Sides, on_sqlite
from memwell import AsyncMemory

__all__ = [
    "WORKERS",
    "Together",
    "at_once",
    "group_commit",
    "ours_at_once",
    "rate",
    "recalls",
    "rows_of",
    "watched",
]

WORKERS = (8, 64)
TICK = 0.001


@asynccontextmanager
async def watched(holds: list[float]) -> AsyncIterator[None]:
    """Adds how many seconds the event loop was late for each tick of a millisecond."""

    async def watch() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(TICK)
            holds.append(time.perf_counter() - before - TICK)

    task = asyncio.create_task(watch())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def rate(recall: Callable[[str], Awaitable[object]], asked: Sequence[str], workers: int) -> float:
    """Recalls a second with `workers` of them under way at any moment."""
    waiting = iter(asked)

    async def work() -> None:
        for query in waiting:
            await recall(query)

    start = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(workers)))
    return len(asked) / (time.perf_counter() - start)


async def ours_at_once(memory: AsyncMemory, asked: Sequence[str], workers: int) -> float:
    """Our recalls a second."""
    return await rate(lambda query: memory.recall(query, user_id=USER, limit=10), asked, workers)


FloorRate = Callable[[Sequence[str], int], Awaitable[float]]
"""Questions and workers → recalls a second of the floor."""


@dataclass(frozen=True)
class Together:
    """Recalls a second, and for each round how many seconds the event loop was late for each tick."""

    ours: float
    floor: float
    late: Sequence[Sequence[float]]


async def at_once(bench: Bench, sides: Sides[Any], floor: FloorRate, workers: int) -> Together:
    """Our throughput beside the floor's, in turns."""
    rounds, each = bench.scale.rounds, bench.scale.times // 3
    asked = sides.questions(USER, each * (rounds + 1), bench.scale.count)
    mine, theirs = [], []
    late: list[list[float]] = []
    memory = sides.again()
    for number in range(rounds + 1):
        part = asked[number * each : (number + 1) * each]
        late.append([])
        async with watched(late[-1]):
            mine.append(await ours_at_once(memory, part, workers))
        theirs.append(await floor(part, workers))
    await memory.close()
    return Together(statistics.median(mine[1:]), statistics.median(theirs[1:]), late[1:])


def rows_of(bench: Bench, found: Together, workers: int) -> Iterator[Row]:
    """Throughput, and the longest hold of the loop."""
    suffix = "" if workers == WORKERS[0] else f"-{workers}"
    yield bench.rate(f"at-once{suffix}", found.ours, found.floor)
    late = sorted(second for each in found.late for second in each)
    longest, most = late[-1], late[int(len(late) * 0.99)]
    middle = statistics.median(max(each) for each in found.late)
    note = f"99 % of ticks {spell(most)}, median of rounds {spell(middle)}"
    yield bench.row(f"hold{suffix}", longest * 1000, ours=spell(longest), note=note)


def recalls(bench: Bench) -> Iterator[Row]:
    """Recalls at once of one user's memories. The floor has the better of one thread and one for each processor."""
    with on_sqlite(bench.folder, bench.corpus, "together") as sides:
        sides.fill(USER, bench.scale.count)
        threads = _in_threads(sides.floor)

        async def floor(asked: Sequence[str], workers: int) -> float:
            del workers
            return max(_in_turn(sides.floor.recall, asked), threads(asked))

        for workers in WORKERS:
            yield from rows_of(bench, asyncio.run(at_once(bench, sides, floor, workers)), workers)


def _in_turn(recall: Callable[[str, str], object], asked: Sequence[str]) -> float:
    start = time.perf_counter()
    for query in asked:
        recall(query, USER)
    return len(asked) / (time.perf_counter() - start)


def _in_threads(floor: Floor) -> Callable[[Sequence[str]], float]:
    """By a thread for each processor, with a connection each and the same matrix."""
    mine = local()

    def recall(query: str) -> None:
        if not hasattr(mine, "floor"):
            mine.floor = floor.beside()
        mine.floor.recall(query, USER)

    pool = ThreadPoolExecutor(os.cpu_count())

    def run(asked: Sequence[str]) -> float:
        start = time.perf_counter()
        list(pool.map(recall, asked))
        return len(asked) / (time.perf_counter() - start)

    return run


def group_commit(bench: Bench) -> Iterator[Row]:
    """Writers that wait for the disk at once share a commit."""
    workers, each = WORKERS[0], bench.scale.times // 4
    rates: dict[int, list[float]] = {1: [], workers: []}
    with on_sqlite(bench.folder, bench.corpus, "group", "?durability=full") as sides:
        for _ in range(bench.scale.rounds):
            for writers, found in rates.items():
                texts = sides.unused(each * writers)
                with ThreadPoolExecutor(writers) as pool:
                    before = time.perf_counter()
                    list(pool.map(partial(sides.ours.remember, user_id=USER), texts))
                    found.append(len(texts) / (time.perf_counter() - before))
    one, many = (statistics.median(found) for found in rates.values())
    took = fsync_time(bench.folder)
    yield bench.row("fsync", took * 1000, ours=spell(took))
    yield bench.rate("durable", many, one, commit=took)
