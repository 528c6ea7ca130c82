"""Combines what is known about each candidate into one score with its reasons.

No I/O: candidates in (see `memwell.ports.store.search`), ranked keys out. The score of a candidate is a weighted sum of
parts, each 0..1:

    semantic        cosine of the window, scaled from the mean cosine of all records (0) to the best candidate (1)
    lexical         BM25 of the record, relative to the best candidate; common words such as *get* or *thing* count less
    related         what the record's words related to those of the question add to that
    coverage        share of the question's words, common ones and names left out, that the window contains
    neighbours      what the words of neighbouring turns in the same conversation add to that
    actor           said by someone whom the question names
    role            said by the one meant by "I" or "you"
    time            closeness of the record, or a time that it mentions, to the time in the question; it decides where
                    the question names nothing else
    when            the question asks for a time and the record mentions one
    identifier      share of the question's identifiers (versions, paths, keys, numbers, …) that the record contains
    phrase          share of the quoted phrases that the record contains
    newer           of records that fit alike, how new one is; negative if the question asks how things were
    succession      says the same about the same thing as the best, and is newer; older if the question asks for before
    session         score of the best candidate of the same session
    question_share  share of the record that only asks (with a negative weight)

scaled so that they add up to how surely the candidate answers (see `memwell.retrieval.ranking.calibration`), and to no
more than the scores before it in the order.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, repeat
from typing import Final, NamedTuple

from memwell.ports.store.search import DEFAULT, Candidate, Statistics, Weights
from memwell.retrieval.analysis.features import Question
from memwell.retrieval.columns import Numbers
from memwell.retrieval.ranking import signals, words
from memwell.retrieval.ranking.calibration import sureness, topic_of
from memwell.retrieval.ranking.newness import newer, succession
from memwell.retrieval.ranking.related import widened
from memwell.retrieval.ranking.signals import Signal
from memwell.retrieval.ranking.table import Chosen, tabled
from memwell.retrieval.ranking.words import rarity_of, trust_of
from memwell.types import Component

__all__ = ["Ranked", "has_evidence", "rank"]

_EVIDENCE: Final = frozenset(
    {"semantic", "lexical", "related", "neighbours", "identifier", "phrase", "time", "actor"}
)
"""Parts of which a hit has at least one."""
_LEAST: Final = 0.005
"""What is less is no evidence."""
_ROUNDING: Final = 1e-9
"""A total that is less is 0, but for rounding."""


class Ranked(NamedTuple):
    """A candidate with its score and the reasons for it."""

    key: int | str
    """The candidate's key."""
    score: float
    """0..1, higher is better."""
    cosine: float | None
    """Cosine of the question and the record."""
    scale: float
    """What the weights of the signals are multiplied by, so that they add up to the score."""
    values: tuple[float, ...]
    """How much of each signal it has, 0..1."""
    signals: Sequence[tuple[str, float]]
    """Name and weight of each signal of the query."""

    @property
    def parts(self) -> tuple[Component, ...]:
        """The reasons, largest contribution first; they add up to the score. Made each time, since few are read."""
        scale = self.scale
        found = [
            Component(name=name, value=value, weight=weight * scale)
            for (name, weight), value in zip(self.signals, self.values, strict=True)
            if value
        ]
        found.sort(key=_size, reverse=True)
        return tuple(found)


def rank(
    candidates: Sequence[Candidate],
    *,
    question: Question,
    statistics: Statistics,
    limit: int,
    weights: Weights = DEFAULT,
) -> list[Ranked]:
    """The best `limit` candidates, best first, each with the reasons for its score.

    Ties keep the order of `candidates`. If no candidate has a cosine, there is no semantic part; if none has a matching
    term, there is no lexical part. Without both, the other signals decide the order. What nothing speaks for scores 0.
    """
    table, statistics = widened(tabled(candidates), question, statistics)
    if not len(table):
        return []
    make, rarity = table.make, rarity_of(statistics, question, table.make)
    trust = trust_of(table, weights)
    topic, terms = topic_of(question, statistics), len(statistics.frequencies)
    known = [
        signals.semantic(table, statistics, weights),
        *words.lexical(table, rarity, weights, trust),
        words.coverage(table, topic, terms, weights, trust),
        signals.actor(table, question, weights),
        signals.time(table, question, weights),
        signals.when(table, question, weights),
        words.identifier(table, question, statistics, weights),
        signals.phrase(table, question, weights),
        signals.question_share(table, weights),
    ]
    totals = _added(known, make.zeros(len(table)))
    known.append(signals.session(table, totals, weights))
    totals = _added(known[-1:], totals)
    late = [each(table, totals, question, weights) for each in (newer, succession)]
    totals = _added(late, totals)
    best = make.best(totals, limit)
    index = make.index(best)
    chosen, totals = table.at(best), totals.take(index)
    found = [
        Signal(each.name, each.weight, each.values.take(index))
        for each in (*known, *late)
        if each is not None
    ]
    times = next((signal.values for signal in found if signal.name == "time"), make.zeros(len(best)))
    sure = sureness(chosen, times, question, statistics, rarity if weights.lexical > 0 else None)
    scores = accumulate(make.chosen(totals > _ROUNDING, sure, 0.0).tolist(), min)
    return _explained(chosen, found, totals, list(scores))


def has_evidence(item: Ranked) -> bool:
    """Whether something of the record or its conversation speaks for it, and not only its age or its session."""
    if item.score < _LEAST:
        return False
    for (name, weight), value in zip(item.signals, item.values, strict=True):
        if value * weight > 0 and name in _EVIDENCE:
            return True
    return False


def _size(part: Component) -> float:
    return abs(part.value * part.weight)


def _added(signals: Sequence[Signal | None], totals: Numbers) -> Numbers:
    for signal in signals:
        if signal is not None and signal.weight:
            totals = totals + signal.values * signal.weight
    return totals


def _explained(
    table: Chosen, known: Sequence[Signal], totals: Numbers, scores: Sequence[float]
) -> list[Ranked]:
    """The candidates with these scores, and with parts that add up to them."""
    signals, sums = [(each.name, each.weight) for each in known], totals.tolist()
    values = zip(*[each.values.tolist() for each in known], strict=True)
    cosines = [None if cosine != cosine else cosine for cosine in table.cosines.tolist()]  # NaN is not known
    scales = [score / total if total > _ROUNDING else 0.0 for score, total in zip(scores, sums, strict=True)]
    return list(map(Ranked, table.keys, scores, cosines, scales, values, repeat(signals)))
