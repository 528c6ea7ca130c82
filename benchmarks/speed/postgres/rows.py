"""The rows about PostgreSQL: memwell's store beside hand-written SQL, on the same server, with the same vectors.

Both sides are asynchronous psycopg in one event loop. Vectors are those of `texts.vectors`: unit vectors around 64
centres, which is harder for HNSW than vectors of texts.

Notes are the texts of the other rows: a question's words are rare, and an OR over them matches one in thirty. Talk is
nearer to what agents remember: turns of two people in sessions, asked after by name. There an OR over the question
matches every other turn, as it does in real conversations (between a fifth and a half of LoCoMo's turns).
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from benchmarks.speed.measure import Row, spell, steady
from benchmarks.speed.postgres.floor import PostgresFloor
from benchmarks.speed.postgres.sides import CONNECTIONS, Call, Sides, timed
from benchmarks.speed.texts import vectors
from benchmarks.speed.together import watched
from memwell.filters import parse
from memwell.ports.store.search import Search
from memwell.testing.services import postgres as start_postgres
from memwell.types import Scope

__all__ = ["postgres"]

WARM = 10
AT_ONCE = 64
SETTINGS = {"shared_buffers": "1GB", "maintenance_work_mem": "1GB", "max_wal_size": "8GB"}


async def _paired(*sides: Sequence[Call]) -> list[float]:
    """The median of each side in seconds. The sides take turns, and take turns at being first."""
    found: list[list[float]] = [[] for _ in sides]
    with steady():
        for number, calls in enumerate(zip(*sides, strict=True)):
            for place in range(len(calls)):
                at = (place + number) % len(calls)
                found[at].append(await timed(calls[at]))
    return [statistics.median(times[min(WARM, len(times) // 4) :]) for times in found]


def _recalls(sides: Sides, asked: Sequence[str], user: str) -> tuple[list[Call], ...]:
    ours: list[Call] = [lambda q=q: sides.ours.recall(q, user_id=user, limit=10) for q in asked]  # type: ignore[misc]
    cold: list[Call] = [lambda q=q: sides.cold.recall(q, user_id=user, limit=10) for q in asked]  # type: ignore[misc]
    floor: list[Call] = [lambda q=q: sides.floor.recall(q, user) for q in asked]  # type: ignore[misc]
    exact: list[Call] = [lambda q=q: sides.exact.recall(q, user) for q in asked]  # type: ignore[misc]
    return ours, cold, floor, exact


async def _recall(sides: Sides, name: str, user: str, asked: Sequence[str]) -> AsyncIterator[Row]:
    """Beside the floor that compares all vectors, and beside the one that takes the nearest from HNSW."""
    await sides.warm(user, asked)
    mine, cold, hnsw, exact = await _paired(*_recalls(sides, asked, user))
    yield Row(
        name=f"PostgreSQL: recall, {name}",
        value=mine / exact,
        ours=spell(mine),
        floor=spell(exact),
        must=1.0,
        aim=0.6,
        note=f"as the first questions are answered, in the database: {spell(cold)}",
    )
    yield Row(
        name=f"PostgreSQL: recall, {name}, beside a floor with HNSW",
        value=mine / hnsw,
        ours=spell(mine),
        floor=spell(hnsw),
        must=1.0,
        aim=0.6,
        note="the floor is approximate, ours compares all",
    )


async def _remember(sides: Sides, name: str, user: str, times: int) -> Row:
    new = sides.texts.memories(2 * times, 5_000_000 + sides.count)
    sides.lookup.prepare(new)
    ours: list[Call] = [lambda t=t: sides.ours.remember(t, user_id=user) for t in new[:times]]  # type: ignore[misc]
    floor: list[Call] = [lambda t=t: sides.floor.remember(t, user) for t in new[times:]]  # type: ignore[misc]
    mine, theirs = await _paired(ours, floor)
    return Row(
        name=f"PostgreSQL: remember, durable, {name}",
        value=mine / theirs,
        ours=spell(mine),
        floor=spell(theirs),
        must=1.15,
    )


async def _at_once(sides: Sides, asked: Sequence[str], user: str, name: str) -> AsyncIterator[Row]:
    """64 recalls under way at any moment; the floor has as many connections as our pool."""
    await sides.warm(user, asked[:100])
    exact, hnsw = await _Floors.open(sides, exact=True), await _Floors.open(sides, exact=False)

    async def rate(one: Callable[[str], Awaitable[object]], part: Sequence[str]) -> float:
        waiting = iter(part)

        async def worker() -> None:
            for query in waiting:
                await one(query)

        start = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
        return len(part) / (time.perf_counter() - start)

    mine: list[float] = []
    theirs: list[float] = []
    approximate: list[float] = []
    stalls: list[float] = []
    rounds = 6
    each = len(asked) // rounds
    for number in range(rounds):
        part = asked[number * each : (number + 1) * each]
        async with watched(stalls):
            mine.append(await rate(lambda query: sides.ours.recall(query, user_id=user, limit=10), part))
        theirs.append(await rate(lambda query: exact.recall(query, user), part))
        approximate.append(await rate(lambda query: hnsw.recall(query, user), part))
    await exact.close()
    await hnsw.close()
    a, b, c = (statistics.median(rates[1:]) for rates in (mine, theirs, approximate))
    yield Row(
        name=f"PostgreSQL: {AT_ONCE} recalls at once, {name}",
        value=a / b,
        ours=f"{a:,.0f}/s",
        floor=f"{b:,.0f}/s",
        must=0.8,
        higher=True,
        note=f"{CONNECTIONS} connections on both sides",
    )
    yield Row(
        name=f"PostgreSQL: {AT_ONCE} recalls at once, {name}, beside a floor with HNSW",
        value=a / c,
        ours=f"{a:,.0f}/s",
        floor=f"{c:,.0f}/s",
        must=0.8,
        higher=True,
    )
    yield Row(
        name=f"PostgreSQL: longest stall of the event loop, {AT_ONCE} recalls at once, {name}",
        value=max(stalls[1:]) * 1000,
        unit="ms",
        ours=f"{max(stalls[1:]) * 1000:.1f} ms",
        must=20,
        note=f"median of rounds {statistics.median(stalls[1:]) * 1000:.1f} ms",
    )


class _Floors:
    """As many floors as our pool has connections."""

    def __init__(self, floors: Sequence[PostgresFloor]) -> None:
        self._floors = floors
        self._free: asyncio.Queue[PostgresFloor] = asyncio.Queue()
        for floor in floors:
            self._free.put_nowait(floor)

    @classmethod
    async def open(cls, sides: Sides, *, exact: bool) -> _Floors:
        schema = f"{sides.name}_floor"
        opening = [
            PostgresFloor.open(sides.url, sides.lookup, schema=schema, exact=exact)
            for _ in range(CONNECTIONS)
        ]
        return cls([await each for each in opening])

    async def recall(self, query: str, user: str) -> None:
        floor = await self._free.get()
        try:
            await floor.recall(query, user)
        finally:
            self._free.put_nowait(floor)

    async def close(self) -> None:
        for floor in self._floors:
            await floor.close()


async def _found(sides: Sides, user: str, count: int, times: int) -> AsyncIterator[Row]:
    """How many of the exact ten nearest a search by vectors nominates."""
    whole = vectors(sides.memories(count, 0))
    asked = sides.questions(times, count, 777)
    questions = sides.lookup(asked)
    for name, where, chosen in (
        ("", None, np.arange(count)),
        (" under a filter of 1 %", {"part": 7}, np.arange(count)[np.arange(count) % 100 == 7]),
    ):
        shares = []
        for question in questions:
            exact = set(np.sort(whole[chosen] @ question)[-10:].round(4).tolist())
            search = Search(
                scope=Scope(user_id=user),
                now=datetime.now(UTC),
                vectors=question[None],
                model="benchmark",
                where=None if where is None else parse(where),
            )
            found = await sides.store.search(search)
            cosines = sorted(c.cosine for c in found.candidates if c.cosine is not None)[-10:]
            near = [min(abs(cosine - each) for each in exact) < 2e-4 for cosine in cosines]
            shares.append(sum(near) / 10)
        yield Row(
            name=f"PostgreSQL: of the ten nearest of {count:,} found{name}",
            value=statistics.mean(shares),
            unit="",
            ours=f"{statistics.mean(shares):.3f}",
            must=0.98,
            higher=True,
        )


async def _rows(url: str, quick: bool) -> AsyncIterator[Row]:
    small, large, times = (2_000, 10_000, 60) if quick else (10_000, 100_000, 200)
    async with Sides(url, "small").open() as sides:
        await sides.fill("u", small)
        await sides.settle()
        asked = sides.questions(WARM + times, small)
        async for row in _recall(sides, f"{small:,} notes of one user", "u", asked):
            yield row
        yield await _remember(sides, f"onto {small:,}", "u", times)
        async for row in _at_once(sides, sides.questions(3 * times, small), "u", f"{small:,} notes"):
            yield row
    async with Sides(url, "talk", talk=True).open() as sides:
        await sides.fill("u", small)
        await sides.settle()
        asked = sides.questions(WARM + times, small)
        async for row in _recall(sides, f"{small:,} turns of talk of one user", "u", asked):
            yield row
        async for row in _at_once(sides, sides.questions(3 * times, small), "u", f"{small:,} turns of talk"):
            yield row
    async with Sides(url, "many").open() as sides:
        users = 20 if quick else 100
        for number in range(users):
            await sides.fill(f"u{number}", small // 10)
        await sides.settle()
        asked = sides.questions(WARM + times, small // 10)
        async for row in _recall(sides, f"one of {users} users, {sides.count:,} in all", "u0", asked):
            yield row
    async with Sides(url, "large").open() as sides:
        mine, theirs = await sides.fill("u", large)
        yield Row(
            name=f"PostgreSQL: batch of {large:,}, with vectors and text",
            value=theirs / mine,
            ours=f"{large / mine:,.0f}/s",
            floor=f"{large / theirs:,.0f}/s",
            must=0.7,
            higher=True,
            note="the floor by binary COPY; the vector index comes afterwards on both sides",
        )
        await sides.settle()
        asked = sides.questions(WARM + times // 2, large)
        async for row in _recall(sides, f"{large:,} notes of one user", "u", asked):
            yield row
        yield await _remember(sides, f"onto {large:,}", "u", times)
        async for row in _found(sides, "u", large, times // 2):
            yield row


def postgres(folder: Path, quick: bool) -> Iterator[Row]:
    """PostgreSQL with pgvector, on a server of its own in a folder of its own."""
    del folder
    with start_postgres(settings=SETTINGS) as server, asyncio.Runner() as runner:
        rows = _rows(server.url, quick)
        try:
            while True:
                yield runner.run(anext(rows))
        except StopAsyncIteration:
            return
