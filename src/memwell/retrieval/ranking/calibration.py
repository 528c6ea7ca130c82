"""How surely a memory answers a question, 0..1, from what is known of these two alone.

A logistic model of what tells questions with an answer from others, fitted on the sets of `benchmarks/quality` so that
both count alike. It does not use what else is stored, with three exceptions: cosines are taken above their mean, once
there are many memories, because models differ in the cosine of unrelated texts; of the words that a memory contains
and lacks, those that few memories have count more; and a memory takes from its neighbours in the conversation.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from memwell.ports.store.search import Statistics
from memwell.retrieval.analysis.features import Question
from memwell.retrieval.columns import Numbers
from memwell.retrieval.ranking.table import Chosen, Table

__all__ = ["holding", "sureness", "topic_of"]

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
    table: Chosen, times: Numbers, question: Question, statistics: Statistics, rarity: Numbers | None
) -> Numbers:
    """How surely each candidate answers the question, 0..1; 0 if neither meaning nor words nor time speak for it.

    `times` is its closeness to the time in the question, 0..1. `rarity` has the weight of each term of the question,
    `None` if they were not searched.
    """
    make = table.make
    meaning = _meaning(table, statistics)
    known, lacking = make.known(meaning), make.some(make.differs(meaning, meaning))  # NaN is not known
    if lacking:
        meaning = make.chosen(known, meaning, 0.0)
    signs = _signs(table, meaning, times, question, statistics, rarity)
    odds = _odds(_MEANING if rarity is None else _BOTH, signs)
    if rarity is not None and lacking:
        odds = make.chosen(known, odds, _odds(_WORDS, signs))
    worded = make.sums(table.entries.at, make.zeros(len(table.entries.at)) + 1, len(table))
    spoken = (worded > 0) | (times > 0) | (meaning > 0)
    return make.chosen(spoken, 1 / (1 + make.exp(-1 * odds)), 0.0)


def _odds(model: _Model, signs: Mapping[str, Numbers]) -> Numbers:
    """Log-odds of an answer."""
    total: Numbers = model.base
    for name, sign in signs.items():
        if weight := getattr(model, name):
            total = sign * weight + total
    return total


def _signs(
    table: Chosen,
    meaning: Numbers,
    times: Numbers,
    question: Question,
    statistics: Statistics,
    rarity: Numbers | None,
) -> dict[str, Numbers]:
    """The values of what a `_Model` weighs, by its names; those that are left out are 0."""
    make, signs = table.make, {"meaning": meaning}
    if question.intervals:
        signs["time"] = times
    if question.identifiers:
        signs["held"] = holding(table, question, make.zeros(len(statistics.frequencies)) + 1)
        signs["lacking"] = 1 - signs["held"]
    if rarity is not None:
        entries = table.entries
        nearby = make.least(entries.counts, 1.0) * _NEAR
        if entries.kin is not None:
            nearby = make.chosen(entries.kin > 0, entries.kin, nearby)
        has = make.chosen(entries.own > 0, 1.0, nearby)
        signs["words"] = times if question.only_time else _covered(table, has, question, statistics, rarity)
        if names := question.names.difference(*question.identifiers):
            contained = make.sums(entries.at, has * _mask(table, names, statistics), len(table)) / len(names)
            signs["named"], signs["missing"] = make.zeros(len(table)) + 1, 1 - contained
            signs["other"] = signs["missing"] * signs["words"]
    if question.asks_when:
        signs["undated"] = 1 - table.timed * 1.0
    return signs


def _meaning(table: Chosen, statistics: Statistics) -> Numbers:
    """The cosine of the record or its window, scaled from the mean (0) to 1; NaN without a vector."""
    make, own, window = table.make, table.cosines, table.window_cosines
    floor = (statistics.mean_cosine or 0.0) * statistics.documents / (statistics.documents + _PRIOR)
    own = make.chosen(make.known(own), own, window)
    best = make.most(own, make.chosen(make.known(window), window, own))
    return (best - floor) / (1 - floor) if floor < 1 else best * 0.0


def _covered(
    table: Chosen, has: Numbers, question: Question, statistics: Statistics, rarity: Numbers
) -> Numbers:
    """The share of the topic that a memory has; common words alone say half of it, whatever has them."""
    topic, make = topic_of(question, statistics), table.make
    weights = rarity * make.numbers([float(term in topic) for term in range(len(statistics.frequencies))])
    mass = make.total(weights)
    if mass:
        share = make.sums(table.entries.at, has * weights.take(table.entries.terms), len(table)) / mass
    else:
        share = make.zeros(len(table)) + 1
    return share if topic - question.light else (share + 1) / 2


def _mask(table: Chosen, terms: Collection[int], statistics: Statistics) -> Numbers:
    """1 for each entry of some terms, else 0."""
    flags = table.make.numbers([float(term in terms) for term in range(len(statistics.frequencies))])
    return flags.take(table.entries.terms)


def topic_of(question: Question, statistics: Statistics) -> set[int]:
    """The terms of the question that say what it is about: all but common words, names and identifiers; common ones if
    there are no others."""
    keyed = {term for one in question.identifiers for term in one}
    words = set(range(len(statistics.frequencies))) - keyed - question.names
    return words - question.light or words


def holding(table: Table | Chosen, question: Question, weights: Numbers) -> Numbers:
    """The share of the question's identifiers that each record itself holds, 0..1, where a term counts its weight."""
    make, entries, many = table.make, table.entries, len(question.identifiers)
    parts: dict[int, list[tuple[int, float]]] = {}
    for number, identifier in enumerate(question.identifiers):
        for term, share in identifier.items():
            parts.setdefault(term, []).append((number, share))
    flags = make.numbers([float(term in parts) for term in range(len(weights))]).take(entries.terms)
    found = make.places((entries.own > 0) & (flags > 0))  # few, so that a loop over them is no loss
    counted, best = weights.tolist(), dict[tuple[int, int], float]()
    for at, term in zip(entries.at.take(found).tolist(), entries.terms.take(found).tolist(), strict=True):
        for number, share in parts[term]:
            best[at, number] = max(best.get((at, number), 0.0), share * counted[term])
    total = [0.0] * len(table)
    for (at, _), value in best.items():
        total[at] += value
    return make.numbers(total) / many
