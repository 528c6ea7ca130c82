"""Fusion of what is known about each candidate into one explained score.

Pure: candidates in, ranked keys out; what goes in is defined in `evidence`. The score of a candidate is a weighted sum
of at most nine parts, each 0..1:

    semantic   cosine, spread over the window, between typical (0) and best (1) of this query
    lexical    BM25 of the window, by the best of this query
    actor      said by someone the question names
    role       said by the one whom "I" or "you" means
    time       how near the record, or a time it mentions, is to the time in the question
    when       the question asks for a time and the record mentions one
    phrase     share of the quoted phrases that the record holds
    session    how good the best candidate of the same session is
    idle       share of the record that only asks and tells nothing (weight below zero)

divided by the weights that are in play, times the strength of the query's best evidence.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from heapq import nlargest
from math import exp
from typing import TypeAlias

from memwell.ports.store.search import DEFAULT, Candidate, Facts, Interval, Statistics, Weights
from memwell.retrieval.analysis.days import distance
from memwell.retrieval.analysis.features import Question
from memwell.retrieval.index.postings import idf

__all__ = ["Part", "Ranked", "rank"]

Column: TypeAlias = tuple[str, float, list[float]]
"""Name, weight and one value 0..1 per candidate."""


@dataclass(frozen=True, slots=True)
class Part:
    """One reason for a score, which has `weight * value` of it."""

    name: str
    """The signal, such as `semantic`; see `memwell.retrieval.ranking.rank`."""
    weight: float
    """What the signal counts here; below zero when it takes something off."""
    value: float
    """How far the signal applies, 0..1."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate with its score and the reasons."""

    key: int | str
    """The candidate's key."""
    score: float
    """0..1, higher is better."""
    parts: tuple[Part, ...]
    """The reasons, whose sum is the score (before it is cut to 0..1)."""


def rank(
    candidates: Sequence[Candidate],
    *,
    question: Question,
    statistics: Statistics,
    limit: int,
    weights: Weights = DEFAULT,
) -> list[Ranked]:
    """The best `limit` candidates, best first, each with the reasons for its score.

    Ties keep the order of `candidates`. Without any cosine the lexical part stands alone, without any matching
    term the semantic part does; with neither, actor and time still order them, by scores of 0.
    """
    parts = (
        _semantic(candidates, statistics, weights),
        _lexical(candidates, statistics, weights),
        _actor(candidates, question, weights),
        _time(candidates, question, weights),
        _when(candidates, question, weights),
        _phrase(candidates, question, weights),
    )
    columns = [column for column in parts if column is not None]
    in_play = sum(weight for _, weight, _ in columns) or 1.0
    columns.append(
        ("idle", -weights.question_share, [candidate.facts.question_share for candidate in candidates])
    )
    totals = _add(columns, [0.0] * len(candidates))
    session = _session(candidates, totals, weights)
    if session is not None:
        totals = _add([session], totals)
        in_play += weights.session
        columns.append(session)
    return _best(candidates, columns, totals, _strength(candidates, statistics) / in_play, limit)


def _add(columns: list[Column], totals: list[float]) -> list[float]:
    for _, weight, values in columns:
        if weight:
            totals = [t + weight * v for t, v in zip(totals, values, strict=True)]
    return totals


def _best(
    candidates: Sequence[Candidate], columns: list[Column], totals: list[float], scale: float, limit: int
) -> list[Ranked]:
    """The `limit` candidates of the largest totals, explained."""
    return [
        Ranked(
            candidates[i].key,
            min(1.0, max(0.0, totals[i] * scale)),
            tuple(Part(name, w * scale, values[i]) for name, w, values in columns if values[i]),
        )
        for i in nlargest(limit, range(len(candidates)), key=totals.__getitem__)
    ]


def _session(candidates: Sequence[Candidate], totals: list[float], weights: Weights) -> Column | None:
    """The best candidate of each one's session, by the best of all: where one turn fits, others may.

    A candidate without a session is its own; nothing to tell when all are of one session.
    """
    best: dict[Hashable, float] = {}
    for candidate, total in zip(candidates, totals, strict=True):
        if candidate.session is not None and total > best.get(candidate.session, 0.0):
            best[candidate.session] = total
    top = max(totals, default=0.0)
    if not weights.session or len(best) < 2 or top <= 0:
        return None
    values = [
        max(0.0, total if candidate.session is None else best.get(candidate.session, 0.0)) / top
        for candidate, total in zip(candidates, totals, strict=True)
    ]
    return "session", weights.session, values


def _semantic(candidates: Sequence[Candidate], statistics: Statistics, weights: Weights) -> Column | None:
    """Mean cosine of the window, scaled so that typical is 0 and the best is 1.

    The scale comes from the query itself: embedding models differ in where unrelated texts lie.
    """
    known = [candidate.cosine for candidate in candidates if candidate.cosine is not None]
    if not known or not weights.semantic:
        return None
    floor = (
        min(known)
        if statistics.mean_cosine is None
        else _shrunk(statistics.mean_cosine, statistics.documents)
    )
    values = [
        0.0 if candidate.window_cosine is None else candidate.window_cosine - floor
        for candidate in candidates
    ]
    best = max(values)
    return "semantic", weights.semantic, [v / best if v > 0 else 0.0 for v in values]


def _shrunk(mean_cosine: float, documents: int) -> float:
    """A mean cosine, drawn towards 0 as if one unrelated record more were there: of few records it is their own."""
    return mean_cosine * documents / (documents + 1)


def _lexical(candidates: Sequence[Candidate], statistics: Statistics, weights: Weights) -> Column | None:
    """BM25 with term counts and lengths summed over the window (as BM25F sums fields)."""
    if not weights.lexical or not any(candidate.matches for candidate in candidates):
        return None
    scores = _bm25(candidates, _rarity(statistics), weights)
    best = max(scores)
    return "lexical", weights.lexical, [s / best for s in scores]


def _bm25(candidates: Sequence[Candidate], rarity: list[float], weights: Weights) -> list[float]:
    """Okapi BM25 without its constant factor, lengths relative to their mean here."""
    mean = sum([candidate.length for candidate in candidates]) / len(candidates) or 1.0
    flat, slope = weights.k1 * (1 - weights.b), weights.k1 * weights.b / mean
    scores = []
    for candidate in candidates:
        score, norm = 0.0, flat + slope * candidate.length
        for term, count in candidate.counts.items():
            score += rarity[term] * count / (count + norm)
        scores.append(score)
    return scores


def _rarity(statistics: Statistics) -> list[float]:
    return [idf(statistics.documents, f) for f in statistics.frequencies]


def _actor(candidates: Sequence[Candidate], question: Question, weights: Weights) -> Column | None:
    name, weight = ("actor", weights.actor) if question.named else ("role", weights.role)
    if not question.actors or not weight:
        return None
    return name, weight, [float(candidate.facts.actor in question.actors) for candidate in candidates]


def _time(candidates: Sequence[Candidate], question: Question, weights: Weights) -> Column | None:
    """Nearness of the question's times to the record's day and to the times it mentions."""
    if not question.intervals or not weights.time:
        return None
    wanted = question.intervals
    values = [max([_nearness(each, candidate.facts) for each in wanted]) for candidate in candidates]
    return "time", weights.time, values


def _nearness(wanted: Interval, facts: Facts) -> float:
    """1 on the very day, falling by days apart: things are told after they happened."""
    best = 0.0
    if facts.day is not None:
        late = facts.day - wanted[1]
        days = late if late > 0 else 3 * max(0, wanted[0] - facts.day)
        best = exp(-days / 5)
    for said in facts.intervals:
        vague = (wanted[1] - wanted[0] + 8) / (said[1] - said[0] + 8)
        best = max(best, min(1.0, vague) * exp(-2 * distance(wanted, said) / 5))
    return best


def _when(candidates: Sequence[Candidate], question: Question, weights: Weights) -> Column | None:
    if not question.asks_when or not weights.when:
        return None
    return "when", weights.when, [float(bool(candidate.facts.intervals)) for candidate in candidates]


def _phrase(candidates: Sequence[Candidate], question: Question, weights: Weights) -> Column | None:
    if not question.quotes or not weights.phrase:
        return None
    return "phrase", weights.phrase, [candidate.phrases for candidate in candidates]


def _strength(candidates: Sequence[Candidate], statistics: Statistics) -> float:
    """How good the best evidence is, 0..1, alike for all candidates: makes queries comparable.

    `1 - (1 - best cosine) * (1 - largest share of the query's idf matched by one candidate)`.
    """
    cosine = max((candidate.cosine for candidate in candidates if candidate.cosine is not None), default=0.0)
    rarity = _rarity(statistics)
    mass = 0.0
    for matches in {tuple([term for term, _ in candidate.matches]) for candidate in candidates}:
        mass = max(mass, sum([rarity[term] for term in matches]))
    share = mass / sum(rarity) if rarity else 0.0
    return 1 - (1 - min(1.0, max(0.0, cosine))) * (1 - share)
