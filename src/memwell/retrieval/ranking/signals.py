"""The signals of a score other than words: what speaks for each candidate, as columns (see `rank`)."""

from __future__ import annotations

from typing import Final, NamedTuple

from memwell.ports.store.search import Interval, Statistics, Weights
from memwell.retrieval.analysis.features import Question
from memwell.retrieval.columns import Numbers
from memwell.retrieval.ranking.table import Table

__all__ = ["Signal", "actor", "phrase", "question_share", "semantic", "session", "time", "when"]

_OTHER_DAY: Final = 0.6
"""What a record of another day counts, if the question names one day."""
_ALONE: Final = 5.0
"""How much more the time counts where a question names nothing else."""


class Signal(NamedTuple):
    """A reason for scores; it adds `weight` times its values to the totals."""

    name: str
    """See `memwell.retrieval.ranking.rank`."""
    weight: float
    """Negative if it lowers scores."""
    values: Numbers
    """One value for each candidate, 0..1."""


def semantic(table: Table, statistics: Statistics, weights: Weights) -> Signal | None:
    """Mean cosine of the window, scaled so that the mean of all records is 0 and the best candidate 1.

    The scale depends on the query, because embedding models differ in the cosine of unrelated texts.
    """
    make = table.make
    known = make.known(table.cosines)
    if not weights.semantic or not make.some(known):
        return None
    if statistics.mean_cosine is None:
        floor = -make.top(-1 * table.cosines.take(make.places(known)))
    else:
        floor = _shrunk(statistics.mean_cosine, statistics.documents)
    window = table.window_cosines
    values = make.chosen(make.known(window), window - floor, 0.0)
    best = make.top(values)
    scaled = make.most(values, 0.0) / best if best > 0 else make.zeros(len(table))
    return Signal("semantic", weights.semantic, scaled)


def _shrunk(mean_cosine: float, documents: int) -> float:
    """A mean cosine, shrunk as if there were one more record with cosine 0: among few records, the relevant ones would
    otherwise dominate the mean."""
    return mean_cosine * documents / (documents + 1)


def actor(table: Table, question: Question, weights: Weights) -> Signal | None:
    """Said by an actor whom the question names, or means by "I" or "you"."""
    name, weight = ("actor", weights.actor) if question.named else ("role", weights.role)
    if not question.actors or not weight:
        return None
    values = table.make.zeros(len(table))
    for each in question.actors:
        if code := table.actor_codes.get(each):
            values = values + table.make.same(table.actors, code)
    return Signal(name, weight, values)


def time(table: Table, question: Question, weights: Weights) -> Signal | None:
    """Closeness of the question's times to the record's day and to the times that it mentions."""
    if not question.intervals or not weights.time:
        return None
    make, times = table.make, table.times(question.zone)
    values = make.zeros(len(table))
    for asked in question.intervals:
        distance = make.most(make.most(asked[0] - times.last, times.first - asked[1]), 0.0)
        precision = (asked[1] - asked[0] + 8) / (times.last - times.first + 8)
        close = make.least(precision, 1.0) * make.exp(distance * (-2 / 5))
        values = make.most(values, _same_time(table, asked, times.days))
        values = make.most(values, make.maxima(times.at, close, len(table)))
    return Signal("time", weights.time * (_ALONE if question.only_time else 1.0), values)


def _same_time(table: Table, asked: Interval, days: Numbers) -> Numbers:
    """1 on the same day, falling with the days between. Days before the time count thrice, because people talk about
    things after they happened. 0 of an unknown day.
    """
    make = table.make
    away = make.most(make.most(days - asked[1], 3 * (asked[0] - days)), 0.0)
    values = make.exp(away / -5)
    if asked[0] == asked[1]:
        values = make.chosen(away > 0, values * _OTHER_DAY, values)
    return make.chosen(make.known(days), values, 0.0)


def when(table: Table, question: Question, weights: Weights) -> Signal | None:
    """The question asks for a time and the record mentions one."""
    if not question.asks_when or not weights.when:
        return None
    return Signal("when", weights.when, table.timed * 1.0)


def phrase(table: Table, question: Question, weights: Weights) -> Signal | None:
    """Holds the words that the question quotes."""
    if not question.quotes or not weights.phrase:
        return None
    return Signal("phrase", weights.phrase, table.phrases)


def question_share(table: Table, weights: Weights) -> Signal:
    """Only asks."""
    return Signal("question_share", -weights.question_share, table.asking)


def session(table: Table, totals: Numbers, weights: Weights) -> Signal | None:
    """The best total in each candidate's session, relative to the best of all: if one turn fits, others may.

    A candidate without a session counts as a session of its own. `None` if there is only one session.
    """
    make, top = table.make, table.make.top(totals)
    if not weights.session or top <= 0 or make.top(table.sessions) == 0:
        return None
    number, many = make.groups(table.sessions)
    best = make.maxima(number, make.chosen(table.sessions > 0, totals, 0.0), many)
    if len(make.places(best > 0)) < 2:
        return None
    values = make.chosen(table.sessions > 0, best.take(number), make.most(totals, 0.0))
    return Signal("session", weights.session, values / top)
