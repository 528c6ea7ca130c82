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

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from heapq import nlargest
from itertools import accumulate
from math import exp
from typing import Final

from memwell.ports.store.search import DEFAULT, Candidate, Features, Interval, Statistics, Weights
from memwell.retrieval.analysis.days import day_shift, distance
from memwell.retrieval.analysis.features import Question
from memwell.retrieval.index.postings import idf
from memwell.retrieval.ranking.calibration import Sureness, topic_of
from memwell.retrieval.ranking.newness import Column, newer, succession
from memwell.retrieval.ranking.related import widened

__all__ = ["Part", "Ranked", "has_evidence", "rank"]

_EVIDENCE: Final = frozenset(
    {"semantic", "lexical", "related", "neighbours", "identifier", "phrase", "time", "actor"}
)
"""Parts of which a hit has at least one."""
_LEAST: Final = 0.005
"""What is less is no evidence."""
_FLOOR: Final = 0.1
"""The share of their weight that words keep beside meaning in a conversation, even if no turn contains many."""
_OTHER_DAY: Final = 0.6
"""What a record of another day counts, if the question names one day."""
_ALONE: Final = 5.0
"""How much more the time counts where a question names nothing else."""
_LIGHT: Final = 0.5
"""What a common word counts beside others."""


@dataclass(frozen=True, slots=True)
class Part:
    """One reason for a score; it contributes `weight * value`."""

    name: str
    """The signal, such as `semantic`; see `memwell.retrieval.ranking.rank`."""
    weight: float
    """Weight of the signal in this query; negative if it lowers the score."""
    value: float
    """Strength of the signal, 0..1."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate with its score and the reasons for it."""

    key: int | str
    """The candidate's key."""
    score: float
    """0..1, higher is better."""
    parts: tuple[Part, ...]
    """The reasons; they add up to the score."""
    cosine: float | None = None
    """Cosine of the question and the record."""


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
    candidates, statistics = widened(candidates, question, statistics)
    rarity = _rarity(statistics, question)
    share, trust = _share(candidates, rarity), _trust(candidates, weights)
    parts = (
        _semantic(candidates, statistics, weights),
        *_lexical(candidates, rarity, share, weights, trust),
        _coverage(candidates, topic_of(question, statistics), weights, trust),
        _actor(candidates, question, weights),
        _time(candidates, question, weights),
        _when(candidates, question, weights),
        _identifier(candidates, question, statistics, weights),
        _phrase(candidates, question, weights),
    )
    columns = [column for column in parts if column is not None]
    columns.append(
        ("question_share", -weights.question_share, [each.features.question_share for each in candidates])
    )
    totals = _add(columns, [0.0] * len(candidates))
    session = _session(candidates, totals, weights)
    if session is not None:
        totals = _add([session], totals)
        columns.append(session)
    late = [each(candidates, totals, question, weights) for each in (newer, succession)]
    fresh = [column for column in late if column is not None]
    totals = _add(fresh, totals)
    columns += fresh
    best = nlargest(limit, range(len(candidates)), key=totals.__getitem__)
    times = next((values for name, _, values in columns if name == "time"), [0.0] * len(candidates))
    sureness = Sureness(question, statistics, rarity if weights.lexical > 0 else None)
    sure = [sureness.of(candidates[at], times[at]) if totals[at] > 0 else 0.0 for at in best]
    return _explained(candidates, columns, totals, zip(best, accumulate(sure, min), strict=True))


def has_evidence(item: Ranked) -> bool:
    """Whether something of the record or its conversation speaks for it, and not only its age or its session."""
    found = any(part.name in _EVIDENCE and part.weight * part.value > 0 for part in item.parts)
    return found and item.score >= _LEAST


def _add(columns: list[Column], totals: list[float]) -> list[float]:
    for _, weight, values in columns:
        if weight:
            totals = [t + weight * v for t, v in zip(totals, values, strict=True)]
    return totals


def _explained(
    candidates: Sequence[Candidate],
    columns: list[Column],
    totals: list[float],
    best: Iterable[tuple[int, float]],
) -> list[Ranked]:
    """The candidates at these places with these scores, and with parts that add up to them."""
    found = []
    for at, score in best:
        scale = score / totals[at] if totals[at] > 0 else 0.0
        parts = tuple([Part(name, w * scale, values[at]) for name, w, values in columns if values[at]])
        found.append(Ranked(candidates[at].key, score, parts, candidates[at].cosine))
    return found


def _session(candidates: Sequence[Candidate], totals: list[float], weights: Weights) -> Column | None:
    """The best total in each candidate's session, relative to the best of all: if one turn fits, others may.

    A candidate without a session counts as a session of its own. `None` if there is only one session.
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
    """Mean cosine of the window, scaled so that the mean of all records is 0 and the best candidate 1.

    The scale depends on the query, because embedding models differ in the cosine of unrelated texts.
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
    """A mean cosine, shrunk as if there were one more record with cosine 0: among few records, the relevant ones would
    otherwise dominate the mean."""
    return mean_cosine * documents / (documents + 1)


def _lexical(
    candidates: Sequence[Candidate], rarity: list[float], share: float, weights: Weights, trust: float
) -> tuple[Column, ...]:
    """BM25 with term counts and lengths summed over the window, as BM25F sums over fields, in three parts: what the
    record's own terms give, what its words related to others of the question add, and what neighbours add.

    Beside meaning, words count less the smaller the share of the question is that some record contains: a paraphrase
    shares only common words with its answer. In a conversation, whose turns divide the words of an answer among them,
    a small share says less than in a record outside one.
    """
    if not weights.lexical or not any(each.matches or each.related for each in candidates):
        return ()
    whole, own, related = _bm25(candidates, rarity, weights)
    best = max(whole) or 1.0
    weight = weights.lexical
    if trust:
        talk = any(each.session is not None for each in candidates if each.matches or each.related)
        weight *= _damped(min(1.0, _FLOOR + share) if talk else share * share, trust)
    around = [max(0.0, (w - o - r) / best) for w, o, r in zip(whole, own, related, strict=True)]
    columns: tuple[Column, ...] = (
        ("lexical", weight, [o / best for o in own]),
        ("related", weight, [r / best for r in related]),
        ("neighbours", weight, around),
    )
    return tuple([column for column in columns if any(column[2])])


def _coverage(
    candidates: Sequence[Candidate], topic: set[int], weights: Weights, trust: float
) -> Column | None:
    """The share of the topic's terms that the window contains, each alike: BM25 would rather have one rare term than
    two others. The less of the topic even the best contains, the less it counts: words that a paraphrase shares with
    its question say little."""
    if not weights.lexical or not weights.coverage or not topic:
        return None
    many = len(topic)
    values = [
        sum([min(1.0, n) for term, n in candidate.counts.items() if term in topic]) / many
        if candidate.counts
        else 0.0
        for candidate in candidates
    ]
    return ("coverage", weights.coverage * _damped(max(values), trust), values) if any(values) else None


def _trust(candidates: Sequence[Candidate], weights: Weights) -> float:
    """How far meaning decides in place of words, 0..1: as far as it counts beside them."""
    if not weights.lexical or all(candidate.cosine is None for candidate in candidates):
        return 0.0
    return min(1.0, weights.semantic / weights.lexical)


def _damped(share: float, trust: float) -> float:
    """What words keep of their weight beside meaning, if this share of the question is found."""
    return 1 - trust * (1 - share)


def _bm25(
    candidates: Sequence[Candidate], rarity: list[float], weights: Weights
) -> tuple[list[float], list[float], list[float]]:
    """Okapi BM25 without its constant factor, of the window, and the shares of it that the record's own terms and its
    related words have; lengths are relative to the mean of the candidates."""
    mean = sum([candidate.length for candidate in candidates]) / len(candidates) or 1.0
    flat, slope = weights.k1 * (1 - weights.b), weights.k1 * weights.b / mean
    whole, own, near = [], [], []
    for candidate in candidates:
        norm = flat + slope * candidate.length
        related = candidate.related
        if candidate.length == candidate.features.length and not related:  # nor neighbours
            alone = sum([rarity[term] * count / (count + norm) for term, count in candidate.counts.items()])
            whole.append(alone)
            own.append(alone)
            near.append(0.0)
            continue
        score, mine, kin = 0.0, 0.0, 0.0
        matches = dict(candidate.matches)
        for term, count in candidate.counts.items():
            part = rarity[term] * count / (count + norm)
            score += part
            if term in matches:
                mine += part * min(1.0, matches[term] / count)
            elif term in related:
                kin += part * min(1.0, related[term] / count)
        whole.append(score)
        own.append(mine)
        near.append(kin)
    return whole, own, near


def _rarity(statistics: Statistics, question: Question) -> list[float]:
    """The idf of each query term; common words count less, also where they are rare."""
    light = question.light
    return [
        idf(statistics.documents, f) * (_LIGHT if at in light else 1.0)
        for at, f in enumerate(statistics.frequencies)
    ]


def _actor(candidates: Sequence[Candidate], question: Question, weights: Weights) -> Column | None:
    name, weight = ("actor", weights.actor) if question.named else ("role", weights.role)
    if not question.actors or not weight:
        return None
    return name, weight, [float(candidate.features.actor in question.actors) for candidate in candidates]


def _time(candidates: Sequence[Candidate], question: Question, weights: Weights) -> Column | None:
    """Closeness of the question's times to the record's day and to the times that it mentions."""
    if not question.intervals or not weights.time:
        return None
    times, zone = question.intervals, question.zone
    days = [_days(candidate.features, zone) for candidate in candidates]
    values = [max([_closeness(each, *of_record) for each in times]) for of_record in days]
    return "time", weights.time * (_ALONE if question.only_time else 1.0), values


def _days(features: Features, zone: tzinfo) -> tuple[int | None, Sequence[Interval]]:
    """The day of a record and the times that it mentions, in a zone."""
    day, intervals = features.day, features.intervals
    if day is None or zone is UTC:
        return day, intervals
    shift = day_shift(day, features.second, zone)
    return day + shift, features.shifted.get(shift, intervals)


def _closeness(time: Interval, day: int | None, intervals: Sequence[Interval]) -> float:
    """1 on the same day, falling with the days between. Days before the time count thrice, because people talk about
    things after they happened."""
    best = 0.0
    if day is not None:
        late = day - time[1]
        days = late if late > 0 else 3 * max(0, time[0] - day)
        best = exp(-days / 5) * (_OTHER_DAY if days and time[0] == time[1] else 1.0)
    for mentioned in intervals:
        precision = (time[1] - time[0] + 8) / (mentioned[1] - mentioned[0] + 8)
        best = max(best, min(1.0, precision) * exp(-2 * distance(time, mentioned) / 5))
    return best


def _when(candidates: Sequence[Candidate], question: Question, weights: Weights) -> Column | None:
    if not question.asks_when or not weights.when:
        return None
    return "when", weights.when, [float(bool(candidate.features.intervals)) for candidate in candidates]


def _identifier(
    candidates: Sequence[Candidate], question: Question, statistics: Statistics, weights: Weights
) -> Column | None:
    """The identifiers of the question that the record itself holds; another form of one counts less, and so does one
    that many records hold."""
    asked = question.identifiers
    if not asked or not weights.identifier:
        return None
    most = idf(statistics.documents, 1)
    rare = [min(1.0, idf(statistics.documents, f) / most) for f in statistics.frequencies]
    values = []
    for candidate in candidates:
        held = {term for term, _ in candidate.matches}
        found = [max([sure * rare[t] for t, sure in one.items() if t in held], default=0.0) for one in asked]
        values.append(sum(found) / len(asked))
    return "identifier", weights.identifier, values


def _phrase(candidates: Sequence[Candidate], question: Question, weights: Weights) -> Column | None:
    if not question.quotes or not weights.phrase:
        return None
    return "phrase", weights.phrase, [candidate.phrases for candidate in candidates]


def _share(candidates: Sequence[Candidate], rarity: list[float]) -> float:
    """The largest share of the query's idf that one candidate matches, 0..1."""
    mass = 0.0
    for matches in {tuple([term for term, _ in candidate.matches]) for candidate in candidates}:
        mass = max(mass, sum([rarity[term] for term in matches]))
    for candidate in candidates:
        if candidate.related:
            own = sum([rarity[term] for term, _ in candidate.matches])
            mass = max(mass, own + sum([rarity[term] * part for term, part in candidate.related.items()]))
    return mass / sum(rarity) if mass else 0.0
