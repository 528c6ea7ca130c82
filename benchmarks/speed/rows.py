"""The rows on SQLite that are measured inside this process: writing, reading and recalling, beside the floor."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.speed.corpora import Notes
from benchmarks.speed.lines import Bench
from benchmarks.speed.measure import Paired, Row, paired, spell, steady, timed
from benchmarks.speed.operations import OPERATIONS, USER, Calls
from benchmarks.speed.sides import Sides, on_sqlite

__all__ = ["WARM", "a_million", "batches", "compared", "many_users", "one_user"]

WARM = 10
"""Calls of each side that are not measured."""


def compared(calls: Calls) -> Paired:
    """Both sides in turn, after some calls that are not measured."""
    ours, floor = calls
    for call in (*ours[:WARM], *floor[:WARM]):
        call()
    return paired(ours[WARM:], floor[WARM:])


def batches(bench: Bench) -> Iterator[Row]:
    """Memories in one call, each time into a new file."""
    mine, theirs = [], []
    for number in range(bench.scale.rounds):
        with on_sqlite(bench.folder, bench.corpus, f"batch{number}") as sides:
            a, b = sides.fill(USER, bench.scale.count)
        mine.append(a)
        theirs.append(b)
    ours, floor = (bench.scale.count / statistics.median(each) for each in (mine, theirs))
    yield bench.rate("batch", ours, floor)


def one_user(bench: Bench) -> Iterator[Row]:
    """Every operation on the memories of one user."""
    with on_sqlite(bench.folder, bench.corpus, "one") as sides:
        sides.fill(USER, bench.scale.count)
        ours, floor = OPERATIONS["recall"](sides, 1)
        yield bench.ratio("first-recall", paired(ours, floor))
        for name in ("recall", "remember", "get", "update", "forget"):
            yield bench.ratio(name, compared(OPERATIONS[name](sides, WARM + bench.scale.times)))
        yield bench.ratio("recall-after-write", _after_writes(sides, bench.scale.times // 5))


def _after_writes(sides: Sides[Any], times: int) -> Paired:
    """A recall right after a write, when caches must follow."""
    recalls, writes = OPERATIONS["recall"](sides, times), OPERATIONS["remember"](sides, 2 * times)
    mine, theirs = [], []
    with steady():
        for a, b, *new in zip(*recalls, *(side[times:] for side in writes), strict=True):
            for write in new:
                write()
            mine.append(timed(a))
            theirs.append(timed(b))
    one, other = statistics.median(mine), statistics.median(theirs)
    return Paired(one, other, one, other)


def many_users(bench: Bench) -> Iterator[Row]:
    """A hundred users with a thousand each."""
    with on_sqlite(bench.folder, bench.corpus, "many") as sides:
        for number in range(bench.scale.users):
            sides.fill(f"u{number}", bench.scale.each)
        calls = OPERATIONS["one-of-many"](sides, bench.scale.times)
        paired(*calls)
        yield bench.ratio("one-of-many", paired(*calls))


def a_million(folder: Path, quick: bool) -> Iterator[Row]:
    """One user's ten thousand notes while the file grows to a million."""
    each, steps = (500, (1, 10, 30)) if quick else (10_000, (1, 10, 100))
    medians: list[tuple[float, int]] = []
    with on_sqlite(folder, Notes(), "million") as sides:
        for step in steps:
            for number in range(len(sides.first), step):
                sides.fill(f"u{number}", each)
            asked = sides.questions("u0", WARM + (20 if quick else 60), each)
            found = compared(sides.recalls(asked, ["u0"]))
            medians.append((found.ours, step * each))
            yield Row(
                name=f"recall, {each:,} of one user, {step * each:,} in all",
                value=found.ratio,
                ours=spell(found.ours),
                floor=spell(found.floor),
                must=1.0 if step > 1 else None,
            )
    for (before, small), (after, large) in list(pairwise(medians))[-1:]:
        yield Row(
            name=f"one user's {each:,} at {large:,} beside at {small:,}",
            value=after / before,
            ours=spell(after),
            floor=spell(before),
            must=1.5,
            note="ours beside ours",
        )
