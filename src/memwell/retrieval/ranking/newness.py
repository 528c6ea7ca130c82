"""Of memories that say the same about the same thing, the one of the time that the question is about.

By default that is the newest; for a question about a past time, the newest of then; for one about what was there
before, the older.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import sqrt
from typing import Final

from memwell.ports.store.search import Interval, Weights
from memwell.retrieval.analysis.features import Question
from memwell.retrieval.columns import Numbers
from memwell.retrieval.index.postings import idf
from memwell.retrieval.ranking.signals import Signal
from memwell.retrieval.ranking.table import Table

__all__ = ["newer", "succession"]

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


def newer(table: Table, totals: Numbers, question: Question, weights: Weights) -> Signal | None:
    """How new a record is beside the newest that fits about as well, in half-lives; less for those that fit less. For
    a question about a past time: how near to it, of those that were known by then."""
    make, top = table.make, table.make.top(totals)
    if not weights.newer or top <= 0:
        return None
    days = make.chosen(make.known(table.days), table.days, 0)
    fits = make.most(totals / top, 0.0) ** _ALIKE
    if question.held is not None:
        known = {day: _held(day, question.held) for day in set(days.tolist())}
        held = make.numbers([known[day] for day in days.tolist()])
        return Signal("newer", weights.newer, held * fits)
    weight = weights.newer * question.newest
    if not weight:
        return None
    latest = make.top(days.take(make.places(totals >= top / 2)))
    fading = 0.5 ** (make.most(latest - days, 0) / _HALF_LIFE)
    return Signal("newer", weight, fading * fits)


def _held(day: int, time: Interval) -> float:
    """How probably what was learnt on a day still held at a time; 0 of what was learnt later."""
    if day > time[1]:
        return 0.0
    return 1.0 if day >= time[0] else 0.5 ** ((time[0] - day) / _LASTING)


def succession(table: Table, totals: Numbers, question: Question, weights: Weights) -> Signal | None:
    """How surely a record replaces the best one: it is newer, fits about as well and has rare terms in common with it,
    also such as the question lacks (*switched from metformin to …*). Older, if the question asks for what was before.
    """
    if not weights.succession or not question.newest or len(table) < 2:
        return None
    places = table.make.best(totals, _COMPARED)
    fits, days, phrases = (each.take(places).tolist() for each in (totals, table.days, table.phrases))
    days = [0 if day != day else day for day in days]  # NaN is not
    sign = 1 if question.newest > 0 else -1
    later = [
        at
        for at in range(1, len(places))
        if (days[at] - days[0]) * sign > 0 and fits[at] > 0 and phrases[at] >= phrases[0]
    ]
    if fits[0] <= 0 or not later:
        return None
    held = table.held(question.names.union(*question.identifiers))
    named = [held.get(place, set()) for place in places]
    later = [at for at in later if named[0] <= named[at]]
    values = table.make.zeros(len(table))
    for at, sure in _replacing([table.texts[place].split() for place in places], later).items():
        values[places[at]] = sure * (fits[at] / fits[0]) ** _FITS
    if not table.make.some(values):
        return None
    return Signal("succession", weights.succession * (_PRESENT if question.newest > 1 else 1.0), values)


def _replacing(texts: Sequence[Sequence[str]], later: Sequence[int]) -> dict[int, float]:
    """How surely the texts at the places `later` say the same about the same as the first, 0..1."""
    terms = [frozenset(text) for text in texts]
    held: Counter[str] = Counter()
    for each in terms if later else ():
        held.update(each)
    found = {}
    mass = {at: sum([_RARITY[held[term]] for term in terms[at]]) for at in (0, *later)}
    for at in later:
        shared = sum([_RARITY[held[term]] for term in terms[0] & terms[at]])
        alike = shared / sqrt(mass[0] * mass[at]) if shared else 0.0
        found[at] = min(1.0, max(0.0, (alike - _LEAST) / (_SURE - _LEAST)))
    return found
