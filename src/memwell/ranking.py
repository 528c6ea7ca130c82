"""Fusion of what is known about each candidate into one explained score.

Pure: rows in, hits out.  `Candidate` and `Statistics` are all a store must hand over (see NOTES.md).
The score of a row is a weighted sum of at most seven parts, each 0..1:

    semantic   cosine, spread over the window, between typical (0) and best (1) of this query
    lexical    BM25 of the window of the row, by the best of this query
    actor      the row was said by someone the question names
    role       the row was said by the one whom "I" or "you" means
    time       how near the row, or a time it mentions, is to the time in the question
    when       the question asks for a time and the row mentions one
    idle       share of the row that only asks and tells nothing (weight below zero)

divided by the weights that are in play, times the strength of the query's best evidence.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import exp

from memwell.dates import Interval, distance
from memwell.lexical import idf


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """What each technique counts; zero switches it off."""

    semantic: float = 0.5
    """Cosine of query and row."""
    lexical: float = 0.5
    """BM25 of query and row."""
    actor: float = 0.3
    """Said by a person whom the question names."""
    role: float = 0.2
    """Said by the user ("did I …") or the assistant ("what did you recommend")."""
    time: float = 0.25
    """Nearness to a time in the question."""
    when: float = 0.15
    """Mentions a time, when the question asks for one."""
    idle: float = 0.2
    """Taken off for turns that only ask."""
    reach: float = 24.0
    """Distance in index terms at which a neighbour counts 1/e; 0 switches the window off."""
    before: float = 0.9
    """Share of the turns before a row in its window, at distance 0."""
    after: float = 0.6
    """Share of the turns after a row in its window, at distance 0."""
    reply: float = 0.35
    """Least share of the next turn in the cosine, when somebody else said it."""
    k1: float = 1.2
    """BM25: saturation of repeated terms."""
    b: float = 0.9
    """BM25: normalisation by length."""


DEFAULT = Weights()


@dataclass(slots=True, kw_only=True)
class Candidate:
    """One candidate, as its store knows it."""

    key: int | str
    """Identity, given back in the hit."""
    length: int
    """Number of index terms."""
    matches: Sequence[tuple[int, int]] = ()
    """Pairs (index of the query term, count) for the query terms it has."""
    cosine: float | None = None
    """Cosine of query and whole text (mean of its chunks); None without a vector."""
    session: Hashable | None = None
    """Conversation; None when it stands alone."""
    position: int = 0
    """Place within the session, consecutive."""
    actor: str | None = None
    """Folded name or role of the speaker."""
    day: int | None = None
    """Ordinal of the day it was said."""
    intervals: Sequence[Interval] = ()
    """Times its text mentions, resolved against that day."""
    idle: float = 0.0
    """Share of the text, 0..1, that only asks (see `text.idle_share`)."""
    eligible: bool = True
    """False for a neighbour that lends evidence but must not be returned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Statistics of the scope that is searched."""

    documents: int
    """Number of records."""
    frequencies: Sequence[int]
    """In how many records each query term occurs, aligned with the terms."""
    typical: float | None = None
    """Mean cosine of the query with all records; None: the lowest of the candidates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What the query asks for beside its terms and its vector."""

    actors: frozenset[str] = frozenset()
    """Folded actors it is about."""
    named: bool = False
    """True when they are named, false when only I / you points to them."""
    intervals: Sequence[Interval] = ()
    """Times it mentions."""
    asks_when: bool = False
    """True when the answer is a time."""


@dataclass(frozen=True, slots=True)
class Part:
    """One reason for a score: its part is ``weight * value``."""

    name: str
    weight: float
    value: float


@dataclass(frozen=True, slots=True)
class Ranked:
    """A row's key, its score 0..1 and the parts whose sum it is (before cutting to 0..1)."""

    key: int | str
    score: float
    parts: tuple[Part, ...]


WINDOW = 3
"""Turns on either side that a window can span."""

Link = tuple[int, int, float]
"""The row at the first index takes a share of the evidence of the row at the second."""

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
    """The best `limit` eligible rows, best first, each with the reasons for its score.

    Ties keep the order of `rows`.  Without any cosine the lexical part stands alone, without
    any matching term the semantic part does; with neither, actor and time still rank.
    """
    links = _links(rows, weights)
    columns = [
        column
        for column in (
            _semantic(rows, links + _replies(rows, weights), corpus, weights),
            _lexical(rows, links, corpus, weights),
            _actor(rows, question, weights),
            _time(rows, question, weights),
            _when(rows, question, weights),
        )
        if column is not None
    ]
    in_play = sum(weight for _, weight, _ in columns) or 1.0
    columns.append(("idle", -weights.idle, [row.idle for row in rows]))
    return _best(rows, columns, _strength(rows, corpus) / in_play, limit)


def _best(rows: Sequence[Candidate], columns: list[Column], scale: float, limit: int) -> list[Ranked]:
    """The `limit` eligible rows of the largest weighted sums of `columns`, explained."""
    totals = [0.0] * len(rows)
    for _, weight, values in columns:
        if weight:
            totals = [t + weight * v for t, v in zip(totals, values, strict=True)]
    order = sorted(range(len(rows)), key=totals.__getitem__, reverse=True)
    chosen = [i for i in order if rows[i].eligible][:limit]
    return [
        Ranked(
            rows[i].key,
            min(1.0, max(0.0, totals[i] * scale)),
            tuple(Part(name, w * scale, values[i]) for name, w, values in columns if values[i]),
        )
        for i in chosen
    ]


def _neighbours(rows: Sequence[Candidate], reach: int) -> list[tuple[int, int]]:
    """Pairs (earlier, later) of row indexes at most `reach` places apart within a session."""
    sessions: dict[Hashable, dict[int, int]] = {}
    for i, row in enumerate(rows):
        if row.session is not None:
            sessions.setdefault(row.session, {})[row.position] = i
    pairs = []
    for places in sessions.values():
        get = places.get
        for position, i in places.items():
            for step in range(1, reach + 1):
                later = get(position + step)
                if later is None:
                    break
                pairs.append((i, later))
    return pairs


def _links(rows: Sequence[Candidate], weights: Weights) -> list[Link]:
    """Neighbours within a session, their share falling with the words between.

    ``share = before|after * exp(-distance / reach)``, where the distance of two turns is that of
    their middles in index terms.  So a window spans several short turns, and of two long
    messages nothing: no switch by kind of text is needed.
    """
    if weights.reach <= 0:
        return []
    lengths = [row.length for row in rows]
    fall = [_fall(double, weights) for double in range(int(weights.reach * 8))]
    links: list[Link] = []
    last, gap = -1, 0
    for i, later in _neighbours(rows, WINDOW):
        if i != last:
            last, gap = i, lengths[i]
        distance = gap + lengths[later]
        gap = distance + lengths[later]
        if distance < len(fall):
            share = fall[distance]
            links.append((later, i, weights.before * share))
            links.append((i, later, weights.after * share))
    return links


def _fall(double: int, weights: Weights) -> float:
    """Share at a distance given twice over (a sum of lengths, so that it is whole)."""
    return exp(-double / 2 / weights.reach) if weights.reach > 0 else 0.0


def _replies(rows: Sequence[Candidate], weights: Weights) -> list[Link]:
    """What the next turn lends to the cosine beyond its window share when somebody else said it.

    A long answer says again what its question was about, far as its middle may be.
    """
    links: list[Link] = []
    for i, later in _neighbours(rows, 1) if weights.reply else ():
        row, other = rows[i], rows[later]
        if row.actor and other.actor and row.actor != other.actor:
            share = weights.after * _fall(row.length + other.length, weights)
            if share < weights.reply:
                links.append((i, later, weights.reply - share))
    return links


def _semantic(
    rows: Sequence[Candidate], links: list[Link], corpus: Statistics, weights: Weights
) -> Column | None:
    """Mean cosine of the window, scaled so that typical is 0 and the best is 1.

    The scale comes from the query itself: embedding models differ in where unrelated texts lie.
    """
    known = [row.cosine for row in rows if row.cosine is not None]
    if not known or not weights.semantic:
        return None
    floor = min(known) if corpus.typical is None else corpus.typical
    own = [0.0 if row.cosine is None else row.cosine - floor for row in rows]
    values, shares = own[:], [1.0] * len(own)
    for target, source, share in links:
        values[target] += share * own[source]
        shares[target] += share
    values = [v / s for v, s in zip(values, shares, strict=True)]
    best = max(values)
    return "semantic", weights.semantic, [v / best if v > 0 else 0.0 for v in values]


def _lexical(
    rows: Sequence[Candidate], links: list[Link], corpus: Statistics, weights: Weights
) -> Column | None:
    """BM25 with term counts and lengths summed over the window (as BM25F sums fields)."""
    if not weights.lexical or not any(row.matches for row in rows):
        return None
    matches = [row.matches for row in rows]
    own = [row.length for row in rows]
    counts: list[dict[int, float]] = [dict(m) for m in matches]
    lengths: list[float] = [float(n) for n in own]
    for target, source, share in links:
        lengths[target] += share * own[source]
        if matches[source]:
            mine = counts[target]
            for term, count in matches[source]:
                mine[term] = mine.get(term, 0.0) + share * count
    scores = _bm25(counts, lengths, _rarity(corpus), weights)
    best = max(scores)
    return "lexical", weights.lexical, [s / best for s in scores]


def _bm25(
    counts: list[dict[int, float]], lengths: list[float], rarity: list[float], weights: Weights
) -> list[float]:
    """Okapi BM25 without its constant factor, lengths relative to their mean here."""
    mean = sum(lengths) / len(lengths) or 1.0
    flat, slope = weights.k1 * (1 - weights.b), weights.k1 * weights.b / mean
    scores = []
    for mine, length in zip(counts, lengths, strict=True):
        score, norm = 0.0, flat + slope * length
        for term, count in mine.items():
            score += rarity[term] * count / (count + norm)
        scores.append(score)
    return scores


def _rarity(corpus: Statistics) -> list[float]:
    return [idf(corpus.documents, f) for f in corpus.frequencies]


def _actor(rows: Sequence[Candidate], question: Question, weights: Weights) -> Column | None:
    name, weight = ("actor", weights.actor) if question.named else ("role", weights.role)
    if not question.actors or not weight:
        return None
    return name, weight, [float(row.actor in question.actors) for row in rows]


def _time(rows: Sequence[Candidate], question: Question, weights: Weights) -> Column | None:
    """Nearness of the question's times to the row's day and to the times it mentions."""
    if not question.intervals or not weights.time:
        return None
    return (
        "time",
        weights.time,
        [max(_nearness(wanted, row) for wanted in question.intervals) for row in rows],
    )


def _nearness(wanted: Interval, row: Candidate) -> float:
    """1 on the very day, falling by days apart: things are told after they happened."""
    best = 0.0
    if row.day is not None:
        late = row.day - wanted[1]
        days = late if late > 0 else 3 * max(0, wanted[0] - row.day)
        best = exp(-days / 5)
    for said in row.intervals:
        vague = (wanted[1] - wanted[0] + 8) / (said[1] - said[0] + 8)
        best = max(best, min(1.0, vague) * exp(-2 * distance(wanted, said) / 5))
    return best


def _when(rows: Sequence[Candidate], question: Question, weights: Weights) -> Column | None:
    if not question.asks_when or not weights.when:
        return None
    return "when", weights.when, [float(bool(row.intervals)) for row in rows]


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
