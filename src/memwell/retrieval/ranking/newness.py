"""Of memories that say the same about the same thing, the one of the time that the question is about.

By default that is the newest; for a question about a past time, the newest of then; for one about what was there
before, the older.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import sqrt
from typing import Final, TypeAlias

from memwell.ports.store.search import Candidate, Interval, Weights
from memwell.retrieval.analysis.features import Question
from memwell.retrieval.index.postings import idf

__all__ = ["Column", "newer", "succession"]

Column: TypeAlias = tuple[str, float, list[float]]
"""Name, weight and one value 0..1 per candidate."""

_HALF_LIFE: Final = 180.0
"""Days after which a record counts half as new."""
_LASTING: Final = 365.0
"""Days after which it is half as probable that what a record says still held at a past time."""
_ALIKE: Final = 3.0
"""How fast newness counts less for what fits less: the power of its share of the best."""
_COMPARED: Final = 16
"""How many of the best records may replace the best one."""
_RARITY: Final = tuple(idf(_COMPARED, count) for count in range(_COMPARED + 1))
"""The idf of a term by how many of these records have it."""
_LEAST, _SURE = 0.15, 0.4
"""The share of their rare terms that two records have in common by accident, and if they are surely about the same."""
_FITS: Final = 0.6
"""As `_ALIKE`, of what replaces the best."""
_PRESENT: Final = 1.5
"""How much more that counts if the question asks for the present."""


def newer(
    candidates: Sequence[Candidate], totals: list[float], question: Question, weights: Weights
) -> Column | None:
    """How new a record is beside the newest that fits about as well, in half-lives; less for those that fit less. For
    a question about a past time: how near to it, of those that were known by then."""
    top = max(totals, default=0.0)
    if not weights.newer or top <= 0:
        return None
    days = [candidate.features.day or 0 for candidate in candidates]
    fits = [max(0.0, total / top) ** _ALIKE for total in totals]
    if question.held is not None:
        known = {day: _held(day, question.held) for day in set(days)}
        return "newer", weights.newer, [known[day] * fit for day, fit in zip(days, fits, strict=True)]
    weight = weights.newer * question.newest
    if not weight:
        return None
    latest = max(day for day, total in zip(days, totals, strict=True) if total >= top / 2)
    fading = {day: 0.5 ** (max(0, latest - day) / _HALF_LIFE) for day in set(days)}
    return "newer", weight, [fading[day] * fit for day, fit in zip(days, fits, strict=True)]


def _held(day: int, time: Interval) -> float:
    """How probably what was learnt on a day still held at a time; 0 of what was learnt later."""
    if day > time[1]:
        return 0.0
    return 1.0 if day >= time[0] else 0.5 ** ((time[0] - day) / _LASTING)


def succession(
    candidates: Sequence[Candidate], totals: list[float], question: Question, weights: Weights
) -> Column | None:
    """How surely a record replaces the best one: it is newer, fits about as well and has rare terms in common with it,
    also such as the question lacks (*switched from metformin to …*). Older, if the question asks for what was before.
    """
    if not weights.succession or not question.newest or len(candidates) < 2:
        return None
    first, *others = sorted(range(len(totals)), key=totals.__getitem__, reverse=True)[:_COMPARED]
    top, sign = totals[first], 1 if question.newest > 0 else -1
    day = candidates[first].features.day or 0
    named = _named(candidates[first], question)
    later = [
        at
        for at in others
        if ((candidates[at].features.day or 0) - day) * sign > 0
        and totals[at] > 0
        and candidates[at].phrases >= candidates[first].phrases
        and named <= _named(candidates[at], question)
    ]
    if top <= 0 or not later:
        return None
    terms = {at: frozenset(candidates[at].lexemes.split()) for at in (first, *others)}
    held: Counter[str] = Counter()
    for each in terms.values():
        held.update(each)
    mass = {at: sum([_RARITY[held[term]] for term in terms[at]]) for at in (first, *later)}
    values = [0.0] * len(candidates)
    for at in later:
        shared = sum([_RARITY[held[term]] for term in terms[first] & terms[at]])
        alike = shared / sqrt(mass[first] * mass[at]) if shared else 0.0
        sure = min(1.0, max(0.0, (alike - _LEAST) / (_SURE - _LEAST)))
        values[at] = sure * (totals[at] / top) ** _FITS
    if not any(values):
        return None
    return "succession", weights.succession * (_PRESENT if question.newest > 1 else 1.0), values


def _named(candidate: Candidate, question: Question) -> set[int]:
    """The terms of the question's names and identifiers that a record has."""
    names = question.names.union(*question.identifiers)
    return {term for term, _ in candidate.matches if term in names} if names else set()
