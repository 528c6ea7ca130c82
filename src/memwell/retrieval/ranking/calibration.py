"""How surely a memory answers a question, 0..1, from what is known of these two alone.

A logistic model of what tells questions with an answer from others, fitted on the sets of `benchmarks/quality` so that
both count alike. It does not use what else is stored, with three exceptions: cosines are taken above their mean, once
there are many memories, because models differ in the cosine of unrelated texts; of the words that a memory contains
and lacks, those that few memories have count more; and a memory takes from its neighbours in the conversation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp
from typing import Final, NamedTuple

from memwell.ports.store.search import Candidate, Statistics
from memwell.retrieval.analysis.features import Question

__all__ = ["sureness", "topic_of"]

_PRIOR: Final = 30
"""Number of unrelated records, of cosine 0, as which the mean cosine is counted."""
_NEAR: Final = 0.75
"""What a term counts that neighbouring turns contain."""


class _Model(NamedTuple):
    """Log-odds of each sign."""

    base: float
    meaning: float
    """Cosine, 0..1, above the mean."""
    words: float
    """Share of the question's words, common ones and names left out, that the memory contains; rare ones count more."""
    named: float
    """The question names people or things, which raises the cosine of all that mentions them."""
    missing: float
    """Share of these names that the memory does not contain."""
    other: float
    """Words times missing names: the memory says the same about another person."""
    time: float
    """Is of the time in the question."""
    held: float
    """Share of the question's identifiers that the memory contains."""
    lacking: float
    """Share that it does not contain."""
    undated: float
    """The question asks for a time and the memory mentions none."""


_BOTH: Final = _Model(-2.2, 2.8, 3.6, -0.4, -0.3, -3.2, 2.6, 1.0, -1.9, -0.8)
_WORDS: Final = _Model(-1.75, 0.0, 4.0, -0.1, -0.3, -3.7, 2.0, 1.2, -2.0, -0.6)
_MEANING: Final = _Model(-1.95, 4.6, 0.0, 0.0, 0.0, 0.0, 2.7, 1.6, -1.3, -0.3)


def sureness(
    candidate: Candidate,
    question: Question,
    statistics: Statistics,
    *,
    rarity: Sequence[float] | None,
    time: float,
) -> float:
    """How surely a candidate answers the question. `rarity` has the weight of each of its terms, `None` if they were
    not searched; `time` is the candidate's closeness to the time in the question, 0..1. 0 if neither meaning nor words
    nor time speak for it.
    """
    meaning = _meaning(candidate, statistics)
    if not candidate.counts and not time and (meaning is None or meaning <= 0):
        return 0.0
    model = _MEANING if rarity is None else _WORDS if meaning is None else _BOTH
    odds = model.base
    for weight, sign in zip(
        model[1:], _signs(candidate, question, statistics, rarity, (meaning or 0.0, time)), strict=True
    ):
        odds += weight * sign
    return 1 / (1 + exp(-odds))


def _signs(
    candidate: Candidate,
    question: Question,
    statistics: Statistics,
    rarity: Sequence[float] | None,
    near: tuple[float, float],
) -> tuple[float, ...]:
    """The values of what a `_Model` weighs, in its order."""
    meaning, time = near
    shared = named = missing = held = lacking = 0.0
    if question.identifiers:
        held = _held(candidate, question)
        lacking = 1 - held
    if rarity is not None:
        has = _has(candidate)
        shared = _covered(has, topic_of(question, statistics), question, rarity)
        if names := question.names.difference(*question.identifiers):
            named, missing = 1.0, 1 - sum([has.get(term, 0.0) for term in names]) / len(names)
    undated = float(question.asks_when and not candidate.features.intervals)
    return meaning, shared, named, missing, missing * shared, time, held, lacking, undated


def topic_of(question: Question, statistics: Statistics) -> set[int]:
    """The terms of the question that say what it is about: all but common words, names and identifiers; common ones if
    there are no others."""
    keyed = {term for one in question.identifiers for term in one}
    words = set(range(len(statistics.frequencies))) - keyed - question.names
    return words - question.light or words


def _meaning(candidate: Candidate, statistics: Statistics) -> float | None:
    """The cosine of the record or its window, scaled from the mean (0) to 1; `None` without a vector."""
    found = [value for value in (candidate.cosine, candidate.window_cosine) if value is not None]
    if not found:
        return None
    floor = (statistics.mean_cosine or 0.0) * statistics.documents / (statistics.documents + _PRIOR)
    return (max(found) - floor) / (1 - floor) if floor < 1 else 0.0


def _has(candidate: Candidate) -> dict[int, float]:
    """How surely a memory has each term of the question, 0..1: as its own, as a related word or by its neighbours."""
    near = {term: _NEAR * min(1.0, count) for term, count in candidate.counts.items()}
    return near | dict(candidate.related) | {term: 1.0 for term, _ in candidate.matches}


def _covered(has: Mapping[int, float], topic: set[int], question: Question, rarity: Sequence[float]) -> float:
    """The share of the topic that a memory has; common words alone say half of it, whatever has them."""
    total = sum([rarity[term] for term in topic])
    share = sum([rarity[term] * has.get(term, 0.0) for term in topic]) / total if total else 1.0
    return share if topic - question.light else (1 + share) / 2


def _held(candidate: Candidate, question: Question) -> float:
    own = {term for term, _ in candidate.matches}
    found = [
        max([sure for term, sure in one.items() if term in own], default=0.0) for one in question.identifiers
    ]
    return sum(found) / len(found)
