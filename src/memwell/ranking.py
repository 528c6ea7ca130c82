"""Fusion of what is known about each candidate into one explained score.

Pure: rows in, hits out; what goes in is defined in `evidence`.
The score of a row is a weighted sum of at most nine parts, each 0..1:

    semantic   cosine, spread over the window, between typical (0) and best (1) of this query
    lexical    BM25 of the window of the row, by the best of this query
    actor      the row was said by someone the question names
    role       the row was said by the one whom "I" or "you" means
    time       how near the row, or a time it mentions, is to the time in the question
    when       the question asks for a time and the row mentions one
    phrase     share of the quoted phrases that the row holds
    session    how good the best row of the same session is
    idle       share of the row that only asks and tells nothing (weight below zero)

divided by the weights that are in play, times the strength of the query's best evidence.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from heapq import nlargest
from math import exp

from memwell.days import Interval, distance
from memwell.evidence import DEFAULT, Candidate, Facts, Part, Question, Ranked, Statistics, Weights
from memwell.lexical import idf

Column = tuple[str, float, list[float]]
"""Name, weight and one value 0..1 per row."""


def rank(
    rows: Sequence[Candidate],
    *,
    question: Question,
    corpus: Statistics,
    limit: int,
    weights: Weights = DEFAULT,
) -> list[Ranked]:
    """The best `limit` rows, best first, each with the reasons for its score.

    Ties keep the order of `rows`. Without any cosine the lexical part stands alone, without any matching term the
    semantic part does; with neither, actor and time still rank.
    """
    parts = (
        _semantic(rows, corpus, weights),
        _lexical(rows, corpus, weights),
        _actor(rows, question, weights),
        _time(rows, question, weights),
        _when(rows, question, weights),
        _phrase(rows, question, weights),
    )
    columns = [column for column in parts if column is not None]
    in_play = sum(weight for _, weight, _ in columns) or 1.0
    columns.append(("idle", -weights.idle, [row.facts.idle for row in rows]))
    totals = _add(columns, [0.0] * len(rows))
    session = _session(rows, totals, weights)
    if session is not None:
        totals = _add([session], totals)
        in_play += weights.session
        columns.append(session)
    return _best(rows, columns, totals, _strength(rows, corpus) / in_play, limit)


def _add(columns: list[Column], totals: list[float]) -> list[float]:
    for _, weight, values in columns:
        if weight:
            totals = [t + weight * v for t, v in zip(totals, values, strict=True)]
    return totals


def _best(
    rows: Sequence[Candidate], columns: list[Column], totals: list[float], scale: float, limit: int
) -> list[Ranked]:
    """The `limit` rows of the largest totals, explained."""
    return [
        Ranked(
            rows[i].key,
            min(1.0, max(0.0, totals[i] * scale)),
            tuple(Part(name, w * scale, values[i]) for name, w, values in columns if values[i]),
        )
        for i in nlargest(limit, range(len(rows)), key=totals.__getitem__)
    ]


def _session(rows: Sequence[Candidate], totals: list[float], weights: Weights) -> Column | None:
    """The best row of each row's session, by the best of all: where one turn fits, others may.

    A row without a session is its own; nothing to tell when all rows are of one session.
    """
    best: dict[Hashable, float] = {}
    for row, total in zip(rows, totals, strict=True):
        if row.session is not None and total > best.get(row.session, 0.0):
            best[row.session] = total
    top = max(totals, default=0.0)
    if not weights.session or len(best) < 2 or top <= 0:
        return None
    values = [
        max(0.0, total if row.session is None else best.get(row.session, 0.0)) / top
        for row, total in zip(rows, totals, strict=True)
    ]
    return "session", weights.session, values


def _semantic(rows: Sequence[Candidate], corpus: Statistics, weights: Weights) -> Column | None:
    """Mean cosine of the window, scaled so that typical is 0 and the best is 1.

    The scale comes from the query itself: embedding models differ in where unrelated texts lie.
    """
    known = [row.cosine for row in rows if row.cosine is not None]
    if not known or not weights.semantic:
        return None
    floor = min(known) if corpus.typical is None else corpus.typical
    values = [0.0 if row.near is None else row.near - floor for row in rows]
    best = max(values)
    return "semantic", weights.semantic, [v / best if v > 0 else 0.0 for v in values]


def _lexical(rows: Sequence[Candidate], corpus: Statistics, weights: Weights) -> Column | None:
    """BM25 with term counts and lengths summed over the window (as BM25F sums fields)."""
    if not weights.lexical or not any(row.matches for row in rows):
        return None
    scores = _bm25(rows, _rarity(corpus), weights)
    best = max(scores)
    return "lexical", weights.lexical, [s / best for s in scores]


def _bm25(rows: Sequence[Candidate], rarity: list[float], weights: Weights) -> list[float]:
    """Okapi BM25 without its constant factor, lengths relative to their mean here."""
    mean = sum([row.length for row in rows]) / len(rows) or 1.0
    flat, slope = weights.k1 * (1 - weights.b), weights.k1 * weights.b / mean
    scores = []
    for row in rows:
        score, norm = 0.0, flat + slope * row.length
        for term, count in row.counts.items():
            score += rarity[term] * count / (count + norm)
        scores.append(score)
    return scores


def _rarity(corpus: Statistics) -> list[float]:
    return [idf(corpus.documents, f) for f in corpus.frequencies]


def _actor(rows: Sequence[Candidate], question: Question, weights: Weights) -> Column | None:
    name, weight = ("actor", weights.actor) if question.named else ("role", weights.role)
    if not question.actors or not weight:
        return None
    return name, weight, [float(row.facts.actor in question.actors) for row in rows]


def _time(rows: Sequence[Candidate], question: Question, weights: Weights) -> Column | None:
    """Nearness of the question's times to the row's day and to the times it mentions."""
    if not question.intervals or not weights.time:
        return None
    return (
        "time",
        weights.time,
        [max(_nearness(wanted, row.facts) for wanted in question.intervals) for row in rows],
    )


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


def _when(rows: Sequence[Candidate], question: Question, weights: Weights) -> Column | None:
    if not question.asks_when or not weights.when:
        return None
    return "when", weights.when, [float(bool(row.facts.intervals)) for row in rows]


def _phrase(rows: Sequence[Candidate], question: Question, weights: Weights) -> Column | None:
    if not question.quotes or not weights.phrase:
        return None
    return "phrase", weights.phrase, [row.phrases for row in rows]


def _strength(rows: Sequence[Candidate], corpus: Statistics) -> float:
    """How good the best evidence is, 0..1, alike for all rows: makes queries comparable.

    ``1 - (1 - best cosine) * (1 - largest share of the query's idf matched by one row)``.
    """
    cosine = max((row.cosine for row in rows if row.cosine is not None), default=0.0)
    rarity = _rarity(corpus)
    mass = 0.0
    for matches in {tuple([term for term, _ in row.matches]) for row in rows}:
        mass = max(mass, sum([rarity[term] for term in matches]))
    share = mass / sum(rarity) if rarity else 0.0
    return 1 - (1 - min(1.0, max(0.0, cosine))) * (1 - share)
