"""How surely a memory answers a question, 0..1, from what is known of these two alone.

A logistic model of what tells questions with an answer from others, fitted on the sets of `benchmarks/quality` so that
both count alike. It does not use what else is stored, with two exceptions: cosines are taken above their mean, once
there are many memories, because models differ in the cosine of unrelated texts; and a memory takes from its neighbours
in the conversation.
"""

from __future__ import annotations

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
    """Share of the question's words, common ones and names left out, that the memory contains."""
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


_BOTH: Final = _Model(-1.62, 2.2, 3.0, -0.48, -0.5, -1.9, 2.3, 1.2, -2.0)
_WORDS: Final = _Model(-1.0, 0.0, 3.0, -0.38, -1.1, -1.9, 1.6, 1.2, -2.0)
_MEANING: Final = _Model(-1.75, 4.5, 0.0, 0.0, 0.0, 0.0, 2.3, 1.4, -1.4)


def sureness(
    candidate: Candidate, question: Question, statistics: Statistics, *, words: bool, time: float
) -> float:
    """How surely a candidate answers the question; `words` says whether its terms were searched, `time` is its
    closeness to the time in the question, 0..1. 0 if neither meaning nor words nor time speak for it."""
    meaning = _meaning(candidate, statistics)
    if not candidate.counts and not time and (meaning is None or meaning <= 0):
        return 0.0
    model = _MEANING if not words else _WORDS if meaning is None else _BOTH
    odds = model.base + model.meaning * (meaning or 0.0) + model.time * time
    if question.identifiers:
        held = _held(candidate, question)
        odds += model.held * held + model.lacking * (1 - held)
    if words:
        shared = _share(candidate, topic_of(question, statistics))
        odds += model.words * shared
        keyed = {term for one in question.identifiers for term in one}
        if names := question.names - keyed:
            missing = 1 - _share(candidate, set(names))
            odds += model.named + missing * (model.missing + model.other * shared)
    return 1 / (1 + exp(-odds))


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


def _share(candidate: Candidate, terms: set[int]) -> float:
    """The share of the terms that the record contains; 1 of none."""
    if not terms:
        return 1.0
    own = dict.fromkeys([term for term, _ in candidate.matches if term in terms], 1.0)
    own |= {term: part for term, part in candidate.related.items() if term in terms}
    near = sum(
        [min(1.0, count) for term, count in candidate.counts.items() if term in terms and term not in own]
    )
    return (sum(own.values()) + _NEAR * near) / len(terms)


def _held(candidate: Candidate, question: Question) -> float:
    own = {term for term, _ in candidate.matches}
    found = [
        max([sure for term, sure in one.items() if term in own], default=0.0) for one in question.identifiers
    ]
    return sum(found) / len(found)
