"""The nearest points that pass a filter, from a service that can express only a part of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeAlias

from memwell import filters
from memwell._dataclasses import dataclass
from memwell.errors import BackendError
from memwell.indexes.filtering.pushdown import Pushed
from memwell.indexes.metrics import similarities
from memwell.ports import Match, Metric, Vectors

__all__ = ["CLOSE", "Ask", "Candidate", "Question", "nearest"]

CLOSE: Final = 1e-5
"""More than the similarities of one pair of vectors can differ by, in 32 bits and depending on where they stand."""
SPARE: Final = 8
"""Points asked for beyond the limit, so that equally near ones are seen at the cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A point that a service found."""

    id: str
    similarity: float
    fields: Mapping[str, Any] | None = None
    """To be compared with the filter; needed only when the service was given less than the filter."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is searched."""

    vector: Vectors
    """Prepared, `(d,) float32`."""
    metric: Metric
    limit: int
    pushed: Pushed


Ask: TypeAlias = Callable[[int], Awaitable[list[Candidate]]]


async def nearest(
    question: Question,
    ask: Ask,
    vectors: Callable[[Sequence[str]], Awaitable[Mapping[str, Vectors]]],
    *,
    most: int | None = None,
    scan: Callable[[], Awaitable[list[Candidate]]] | None = None,
) -> list[Match]:
    """The `limit` nearest points that pass the filter, nearest first, ties by id: never fewer while there are more.

    `ask(k)` gives the `k` nearest that pass `question.pushed.condition`; fewer than `k` only when there are no more.
    More and more are asked for until enough of them pass and the last one fetched is clearly farther than the last
    one kept. `vectors(ids)` tells the vectors of those that are too close to call. A service that gives at most
    `most` at once needs `scan`, which gives all that pass the condition, in any order, at any cost.
    """
    if question.pushed.nothing:
        return []
    size = question.limit + SPARE + (0 if question.pushed.exact else question.limit)
    while True:
        wanted = size if most is None else min(size, most)
        found = await ask(wanted)
        kept = _passing(found, question.pushed)
        if len(found) < wanted or _settled(found, kept, question):
            return await _cut(kept, question, vectors)
        if wanted == most:
            if scan is None:
                raise BackendError(f"more than {most} points are as near as the last one asked for")
            return await _cut(_passing(await scan(), question.pushed), question, vectors)
        size *= 4


def _passing(found: Sequence[Candidate], pushed: Pushed) -> list[Candidate]:
    """Those that pass, nearest first."""
    kept = list(found)
    if not pushed.exact:
        kept = [
            one for one in found if one.fields is not None and filters.matches_fields(one.fields, pushed.node)
        ]
    return sorted(kept, key=lambda one: (-one.similarity, one.id))


def _settled(found: Sequence[Candidate], kept: Sequence[Candidate], question: Question) -> bool:
    """Whether nothing that was not fetched can be among the nearest."""
    if len(kept) < question.limit:
        return False
    farthest = min(one.similarity for one in found)
    return kept[question.limit - 1].similarity - farthest > 2 * _margin(kept, question)


async def _cut(
    kept: list[Candidate],
    question: Question,
    vectors: Callable[[Sequence[str]], Awaitable[Mapping[str, Vectors]]],
) -> list[Match]:
    """The first `limit`; those too close to each other are compared in 64 bits."""
    kept = _reached(kept, question)
    margin = _margin(kept, question)
    unclear = sorted(
        {
            at
            for first in range(len(kept) - 1)
            if kept[first].similarity - kept[first + 1].similarity <= margin
            for at in (first, first + 1)
        }
    )
    if unclear:
        held = await vectors([kept[at].id for at in unclear])
        known = [at for at in unclear if kept[at].id in held]  # another process may have deleted the others
        exact = (
            similarities([held[kept[at].id] for at in known], question.vector, question.metric)
            if known
            else []
        )
        for at, value in zip(known, exact, strict=True):
            kept[at] = replace(kept[at], similarity=value)
        kept.sort(key=lambda one: (-one.similarity, one.id))
    return [Match(id=one.id, similarity=one.similarity) for one in kept[: question.limit]]


def _reached(kept: list[Candidate], question: Question) -> list[Candidate]:
    """The first `limit` and all that may be as near as the last of them."""
    if len(kept) <= question.limit:
        return kept
    least = kept[question.limit - 1].similarity - 2 * _margin(kept, question)
    return [one for one in kept if one.similarity >= least]


def _margin(kept: Sequence[Candidate], question: Question) -> float:
    """How far a similarity may be off: relative to its size where it has no bounds."""
    if question.metric == "cosine" or not kept:
        return CLOSE
    length = float(question.vector @ question.vector)
    return CLOSE * max(1.0, length, abs(kept[0].similarity), abs(kept[-1].similarity))
