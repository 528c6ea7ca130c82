"""How surely a memory answers a question, 0..1, from what is known of these two alone.

A logistic model of what tells questions with an answer from others, fitted on the sets of `benchmarks/quality` so that
both count alike. It does not use what else is stored, with three exceptions: cosines are taken above their mean, once
there are many memories, because models differ in the cosine of unrelated texts; of the words that a memory contains
and lacks, those that few memories have count more; and a memory takes from its neighbours in the conversation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp
from operator import mul
from typing import Final, NamedTuple

from memwell.ports.store.search import Candidate, Statistics
from memwell.retrieval.analysis.features import Question

__all__ = ["Sureness", "topic_of"]

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


class Sureness:
    """How surely each candidate answers one question."""

    def __init__(self, question: Question, statistics: Statistics, rarity: Sequence[float] | None) -> None:
        """`rarity` has the weight of each term of the question, `None` if they were not searched."""
        self._question, self._rarity = question, rarity
        self._floor = (statistics.mean_cosine or 0.0) * statistics.documents / (statistics.documents + _PRIOR)
        self._topic = topic_of(question, statistics)
        self._common = not self._topic - question.light
        self._mass = 0.0 if rarity is None else sum([rarity[term] for term in self._topic])
        self._names = question.names.difference(*question.identifiers) if question.names else question.names

    def of(self, candidate: Candidate, time: float) -> float:
        """0..1; `time` is the candidate's closeness to the time in the question, 0..1. 0 if neither meaning nor words
        nor time speak for it.
        """
        meaning = self._meaning(candidate)
        if not candidate.counts and not time and (meaning is None or meaning <= 0):
            return 0.0
        model = _MEANING if self._rarity is None else _WORDS if meaning is None else _BOTH
        return 1 / (1 + exp(-sum(map(mul, model, self.signs(candidate, meaning or 0.0, time)))))

    def signs(self, candidate: Candidate, meaning: float, time: float) -> tuple[float, ...]:
        """The values of what a `_Model` weighs, in its order."""
        question, rarity = self._question, self._rarity
        shared = named = missing = held = lacking = 0.0
        if question.identifiers:
            held = _held(candidate, question)
            lacking = 1 - held
        if rarity is not None:
            has = _has(candidate)
            shared = time if question.only_time else self._covered(has, rarity)
            if names := self._names:
                named, missing = 1.0, 1 - sum([has.get(term, 0.0) for term in names]) / len(names)
        undated = float(question.asks_when and not candidate.features.intervals)
        return 1.0, meaning, shared, named, missing, missing * shared, time, held, lacking, undated

    def _meaning(self, candidate: Candidate) -> float | None:
        """The cosine of the record or its window, scaled from the mean (0) to 1; `None` without a vector."""
        found = [value for value in (candidate.cosine, candidate.window_cosine) if value is not None]
        if not found:
            return None
        return (max(found) - self._floor) / (1 - self._floor) if self._floor < 1 else 0.0

    def _covered(self, has: Mapping[int, float], rarity: Sequence[float]) -> float:
        """The share of the topic that a memory has; common words alone say half of it, whatever has them."""
        topic, mass = self._topic, self._mass
        share = (
            sum([rarity[term] * held for term, held in has.items() if term in topic]) / mass if mass else 1.0
        )
        return (1 + share) / 2 if self._common else share


def topic_of(question: Question, statistics: Statistics) -> set[int]:
    """The terms of the question that say what it is about: all but common words, names and identifiers; common ones if
    there are no others."""
    keyed = {term for one in question.identifiers for term in one}
    words = set(range(len(statistics.frequencies))) - keyed - question.names
    return words - question.light or words


def _has(candidate: Candidate) -> dict[int, float]:
    """How surely a memory has each term of the question, 0..1: as its own, as a related word or by its neighbours."""
    has = {term: _NEAR if count > 1 else _NEAR * count for term, count in candidate.counts.items()}
    has.update(candidate.related)
    for term, _ in candidate.matches:
        has[term] = 1.0
    return has


def _held(candidate: Candidate, question: Question) -> float:
    own = {term for term, _ in candidate.matches}
    found = [
        max([sure for term, sure in one.items() if term in own], default=0.0) for one in question.identifiers
    ]
    return sum(found) / len(found)
