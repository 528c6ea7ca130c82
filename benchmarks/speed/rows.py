"""The rows measured inside this process: writing, reading and recalling, beside the floor."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path

from benchmarks.speed.floor import Floor
from benchmarks.speed.measure import Row, paired, ratio, spell, steady, timed
from benchmarks.speed.sides import Both, open_ours
from benchmarks.speed.texts import Lookup, Texts

__all__ = ["a_million", "batches", "many_users", "one_user"]

WARM = 5


def batches(folder: Path, quick: bool) -> Iterator[Row]:
    """Ten thousand memories in one call, each time into a new file."""
    count, rounds = (2_000, 2) if quick else (10_000, 5)
    lookup, texts = Lookup(), Texts().memories(count)
    lookup.prepare(texts)
    mine, theirs = [], []
    for number in range(rounds):
        ours = open_ours(folder / f"batch{number}.db", lookup)
        floor = Floor(folder / f"batch{number}-floor.db", lookup)
        with steady():
            mine.append(timed(partial(ours.remember, texts, user_id="u")))
            theirs.append(timed(partial(floor.remember_many, texts, "u")))
        ours.close()
        floor.close()
    one, other = (count / statistics.median(each) for each in (mine, theirs))
    yield Row(
        name=f"batch of {count:,}",
        value=one / other,
        ours=f"{one:,.0f}/s",
        floor=f"{other:,.0f}/s",
        must=0.5,
        aim=0.8,
        higher=True,
    )


def one_user(folder: Path, quick: bool) -> Iterator[Row]:
    """Every operation on ten thousand memories of one user."""
    count, times = (2_000, 60) if quick else (10_000, 300)
    both = Both(folder, "one")
    both.fill("u", count)
    asked = [(query, "u") for query in both.questions("u", WARM + times, count)]
    yield _first_recall(both, asked[0][0])
    ours, floor = both.recalls(asked)
    paired(ours[:WARM], floor[:WARM])
    yield ratio(f"recall, {count:,} of one user", ours[WARM:], floor[WARM:], must=1.0, aim=0.45)
    yield from _writes(both, times, count)
    yield from _after_writes(both, asked[: times // 5])
    both.close()


def _first_recall(both: Both, query: str) -> Row:
    ours, floor = both.recalls([(query, "u")])
    return ratio("first recall, everything to load", ours, floor, must=None, aim=None)


def _writes(both: Both, times: int, start: int) -> Iterator[Row]:
    new = both.texts.memories(2 * times, start + 1_000_000)
    both.lookup.prepare(new)
    mine: list[str] = []
    theirs: list[str] = []

    def remember_ours(text: str) -> None:
        mine.append(both.ours.remember(text, user_id="u").id)

    def remember_floor(text: str) -> None:
        theirs.append(both.floor.remember(text, "u"))

    ours = [partial(remember_ours, text) for text in new[:times]]
    floor = [partial(remember_floor, text) for text in new[:times]]
    yield ratio("remember, durable", ours, floor, must=2.0, aim=1.2)
    yield ratio(
        "get",
        [partial(both.ours.get, id) for id in mine * 5],
        [partial(both.floor.get, id) for id in theirs * 5],
        must=5.0,
        aim=3.0,
    )
    yield ratio(
        "update",
        [partial(both.ours.update, id, content=text) for id, text in zip(mine, new[times:], strict=True)],
        [partial(both.floor.update, id, text) for id, text in zip(theirs, new[times:], strict=True)],
        must=2.0,
        aim=1.0,
    )
    yield ratio(
        "forget",
        [partial(both.ours.forget, id) for id in mine],
        [partial(both.floor.forget, id) for id in theirs],
        must=2.0,
        aim=1.0,
    )


def _after_writes(both: Both, asked: Sequence[tuple[str, str]]) -> Iterator[Row]:
    """A recall right after a write, when caches must follow."""
    texts = both.texts.memories(len(asked), 3_000_000)
    both.lookup.prepare(texts)
    ours, floor = both.recalls(asked)
    mine, theirs = [], []
    with steady():
        for text, a, b in zip(texts, ours, floor, strict=True):
            both.ours.remember(text, user_id="u")
            both.floor.remember(text, "u")
            mine.append(timed(a))
            theirs.append(timed(b))
    one, other = statistics.median(mine), statistics.median(theirs)
    yield Row(name="recall right after a write", value=one / other, ours=spell(one), floor=spell(other))


def many_users(folder: Path, quick: bool) -> Iterator[Row]:
    """A hundred users with a thousand each."""
    users, each, times = (20, 200, 40) if quick else (100, 1_000, 200)
    both = Both(folder, "many", narrow=True)
    for number in range(users):
        both.fill(f"u{number}", each)
    asked = []
    for number in range(0, users, max(1, users // 20)):
        user = f"u{number}"
        asked += [(query, user) for query in both.questions(user, times // 20 + 1, each)]
    name = f"recall, one of {users} users, {users * each:,} in all"
    ours, floor = both.recalls(asked)
    paired(ours, floor)
    yield ratio(name, ours, floor, must=1.0, aim=0.3)
    assert both.narrow is not None
    narrow = both.floor_recalls(asked, both.narrow)
    paired(ours, narrow)
    yield ratio("… beside a floor that also indexes the user", ours, narrow, must=None, aim=None)
    both.close()


def a_million(folder: Path, quick: bool) -> Iterator[Row]:
    """One user's ten thousand while the file grows to a million."""
    each, steps = (500, (1, 10, 30)) if quick else (10_000, (1, 10, 100))
    both = Both(folder, "million", narrow=True)
    medians: list[tuple[float, float, int]] = []
    for step in steps:
        for number in range(len(both.first), step):
            both.fill(f"u{number}", each)
        asked = [(query, "u0") for query in both.questions("u0", 60 if not quick else 20, each)]
        ours, floor = both.recalls(asked)
        paired(ours[:WARM], floor[:WARM])
        mine, theirs, _ = paired(ours[WARM:], floor[WARM:])
        medians.append((mine, theirs, step * each))
        yield Row(
            name=f"recall, {each:,} of one user, {step * each:,} in all",
            value=mine / theirs,
            ours=spell(mine),
            floor=spell(theirs),
            must=1.0 if step > 1 else None,
        )
    for (before, _, small), (after, _, large) in list(pairwise(medians))[-1:]:
        yield Row(
            name=f"one user's {each:,} at {large:,} beside at {small:,}",
            value=after / before,
            ours=spell(after),
            floor=spell(before),
            must=1.5,
            note="ours beside ours",
        )
    both.close()
