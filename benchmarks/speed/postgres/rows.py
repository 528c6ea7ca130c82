"""The rows about PostgreSQL: memwell's store beside hand-written SQL, on the same server, with the same vectors.

Call by call both sides are synchronous; at once, both are asynchronous with ten connections. Writes are measured with
`synchronous_commit` on and off. On a disk whose commits are quick, `commit_delay` makes them 2 ms longer: the server
then waits as it would for a slower disk.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np

from benchmarks.speed.corpora import MARKED, Chat, Notes
from benchmarks.speed.disk import fsync_time
from benchmarks.speed.lines import Bench
from benchmarks.speed.measure import Row, paired, spell
from benchmarks.speed.operations import OPERATIONS, USER
from benchmarks.speed.postgres.floor import FloorPool, PostgresFloor
from benchmarks.speed.postgres.sides import commit_time, configure, on_postgres, settle, warm
from benchmarks.speed.rows import WARM, compared
from benchmarks.speed.sides import LookupEmbedder, Sides
from benchmarks.speed.together import WORKERS, Together, at_once, rate, rows_of
from memwell import Memory
from memwell.filters import parse
from memwell.ports.store.search import Search
from memwell.registry import open_store
from memwell.testing import run
from memwell.testing.services import postgres as start_postgres
from memwell.types import Scope

__all__ = ["CONNECTIONS", "postgres", "serving"]

CONNECTIONS = 10
"""Of each side, at once."""
SERVER = {"shared_buffers": "1GB", "maintenance_work_mem": "1GB", "max_wal_size": "8GB"}
WRITES: Mapping[str, tuple[Mapping[str, str], Sequence[str]]] = {
    "-off": ({"synchronous_commit": "off"}, ("remember", "update")),
    "-slow": ({"commit_delay": "2000", "commit_siblings": "0"}, ("remember",)),
}
"""End of the rows' keys → settings of the server, and what is measured under them."""


@contextmanager
def serving() -> Iterator[str]:
    """The URL of a server of its own, durable, in a folder of its own."""
    with start_postgres(settings=SERVER) as server:
        yield server.url


def postgres(bench: Bench) -> Iterator[Row]:
    """All rows of a corpus."""
    bench = replace(bench, prefix="pg-")
    with start_postgres(settings=SERVER) as server:
        yield from _disk(bench, server.url, fsync_time(server.folder))
        with on_postgres(server.url, bench.corpus, "one") as sides:
            sides.fill(USER, bench.scale.count)
            settle(sides)
            yield from _call_by_call(bench, sides, server.url)
            yield from _together(bench, sides)
            yield from _hnsw(bench, sides)
        yield from _batches(bench, server.url)
        if bench.large:
            yield from _large(bench, server.url)
            if bench.corpus.name == Chat.name:
                yield from _many_users(bench, server.url)


def _disk(bench: Bench, url: str, fsync: float) -> Iterator[Row]:
    yield bench.row("fsync", fsync * 1000, ours=spell(fsync))
    for suffix, settings in (("", {}), *((suffix, settings) for suffix, (settings, _) in WRITES.items())):
        configure(url, **settings)
        yield bench.row(f"commit{suffix}", (took := commit_time(url)) * 1000, ours=spell(took))
    configure(url)


def _call_by_call(bench: Bench, sides: Sides[PostgresFloor], url: str) -> Iterator[Row]:
    """Every operation on the memories of one user; then the writes under other settings of the server."""
    times, commit = WARM + bench.scale.times, commit_time(url)
    cold = Memory(f"{sides.url}&warm=0", embedder=LookupEmbedder(sides.lookup))
    asked = sides.questions(USER, times // 3, bench.scale.count)
    ours = [partial(cold.recall, query, user_id=USER, limit=10) for query in asked]
    yield bench.ratio("recall-cold", compared((ours, sides.recalls(asked, [USER])[1])))
    cold.close()
    warm(sides, sides.questions(USER, 40, bench.scale.count))
    for name in ("recall", "get", "remember", "update"):
        found = compared(OPERATIONS[name](sides, times))
        yield bench.ratio(name, found, commit=commit)
        if name == "remember":
            mine, theirs = spell(found.ours_cpu), spell(found.floor_cpu)
            yield bench.row("remember-cpu", found.ours_cpu * 1000, ours=mine, floor=theirs)
    for suffix, (settings, names) in WRITES.items():
        configure(url, **settings)
        commit = commit_time(url)
        for name in names:
            yield bench.ratio(name + suffix, compared(OPERATIONS[name](sides, times)), commit=commit)
    configure(url)


def _together(bench: Bench, sides: Sides[PostgresFloor]) -> Iterator[Row]:
    for workers in WORKERS:
        yield from rows_of(bench, asyncio.run(_at_once(bench, sides, workers)), workers)


async def _at_once(bench: Bench, sides: Sides[PostgresFloor], workers: int) -> Together:
    pool = FloorPool(sides.floor)
    await pool.open(CONNECTIONS)

    async def floor(asked: Sequence[str], workers: int) -> float:
        return await rate(lambda query: pool.recall(query, USER), asked, workers)

    found = await at_once(bench, sides, floor, workers)
    await pool.close()
    return found


def _hnsw(bench: Bench, sides: Sides[PostgresFloor]) -> Iterator[Row]:
    """Last, since every write of the floor would have to keep the index."""
    sides.floor.index()
    found = compared(OPERATIONS["recall"](sides, WARM + bench.scale.times // 3))
    yield bench.ratio("recall-hnsw", found, note="the floor is approximate, ours compares all")
    together = asyncio.run(_at_once(bench, sides, WORKERS[-1]))
    yield bench.rate(f"at-once-{WORKERS[-1]}-hnsw", together.ours, together.floor)


def _batches(bench: Bench, url: str) -> Iterator[Row]:
    """Memories in one call; each time for another user."""
    count = bench.scale.count
    for suffix, settings in (("", {}), ("-off", WRITES["-off"][0])):
        configure(url, **settings)
        with on_postgres(url, bench.corpus, f"batch{suffix.replace('-', '_')}") as sides:
            times = [sides.fill(f"u{number}", count) for number in range(bench.scale.rounds // 2 + 1)]
        ours, floor = (count / statistics.median(each) for each in zip(*times, strict=True))
        yield bench.rate(f"batch{suffix}", ours, floor, note="the floor by binary COPY")
    configure(url)


def _many_users(bench: Bench, url: str) -> Iterator[Row]:
    with on_postgres(url, bench.corpus, "many") as sides:
        for number in range(bench.scale.users):
            sides.fill(f"u{number}", bench.scale.each)
        settle(sides)
        calls = OPERATIONS["one-of-many"](sides, bench.scale.times)
        for _ in range(3):
            paired(*calls)  # every user asks often
        yield bench.ratio("one-of-many", paired(*calls))


def _large(bench: Bench, url: str) -> Iterator[Row]:
    """A hundred thousand memories of one user, in one call; then searched, in notes, where HNSW has it hardest."""
    count, times = bench.scale.large, bench.scale.times // 5
    with on_postgres(url, bench.corpus, "large") as sides:
        mine, theirs = sides.fill(USER, count)
        note = "the floor by binary COPY; our vector index comes afterwards"
        yield bench.rate("large-batch", count / mine, count / theirs, note=note)
        if bench.corpus.name != Notes.name:
            return
        settle(sides)
        yield bench.ratio("large-recall", compared(OPERATIONS["recall"](sides, WARM + times)))
        yield from _nearest(bench, sides, times)


def _nearest(bench: Bench, sides: Sides[Any], times: int) -> Iterator[Row]:
    """How many of the exact ten nearest a search by vectors nominates, in a store too large to be held."""
    count = bench.scale.large
    whole = bench.corpus.vectors(bench.corpus.texts(count))
    questions = sides.lookup(sides.questions(USER, times, count))
    store = open_store(f"{sides.url}&warm=0")
    for key, where, chosen in (
        ("nearest", None, np.arange(count)),
        ("nearest-filtered", parse(dict(MARKED)), np.arange(7, count, 100)),
    ):
        shares = []
        for question in questions:
            exact = np.sort(whole[chosen] @ question)[-10:]
            found = run(store, store.search(_search(question, where)))
            cosines = sorted(c.cosine for c in found.candidates if c.cosine is not None)[-10:]
            shares.append(sum(np.abs(exact - cosine).min() < 2e-4 for cosine in cosines) / 10)
        share = statistics.mean(shares)
        yield bench.row(key, share, ours=f"{share:.3f}")
    run(store, store.close())


def _search(question: Any, where: Any) -> Search:
    scope, now = Scope(user_id=USER), datetime.now(UTC)
    return Search(scope=scope, now=now, vectors=question[None], model="benchmark", where=where)
