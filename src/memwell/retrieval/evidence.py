"""What ranking needs to know: of a record, of a candidate, of the corpus, of the question.

`Facts` are read once, when a record is written; `Candidate`, `Statistics` and `Question` belong to one query. This is
the whole contract between a store and `ranking.rank`: some hundred candidates can come in one round trip.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from memwell.retrieval.dates import intervals
from memwell.retrieval.days import Interval
from memwell.retrieval.lexical import K1, B
from memwell.retrieval.text import Query, analyze, asks_when, fold, idle_share, split_actor, without_role

__all__ = [
    "DEFAULT",
    "Candidate",
    "Facts",
    "Part",
    "Question",
    "Ranked",
    "Statistics",
    "Weights",
    "describe",
    "question",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """What each technique counts; zero switches it off."""

    semantic: float = 0.5
    """Cosine of the query and the window of the record."""
    lexical: float = 0.5
    """BM25 of the query and the window of the record."""
    actor: float = 0.3
    """Said by a person whom the question names."""
    role: float = 0.2
    """Said by the user ("did I …") or the assistant ("what did you recommend")."""
    time: float = 0.25
    """Nearness to a time in the question."""
    when: float = 0.15
    """Mentions a time, when the question asks for one."""
    phrase: float = 0.3
    """Holds the words that the question puts in quotation marks, in their order."""
    session: float = 0.1
    """Belongs to the session of a record that fits well."""
    idle: float = 0.25
    """Taken off for records that only ask."""
    reach: float = 24.0
    """Distance in index terms at which a neighbour counts 1/e; 0 switches the window off."""
    before: float = 0.9
    """Share of the turns before a record in its window, at distance 0."""
    after: float = 0.6
    """Share of the turns after a record in its window, at distance 0."""
    reply: float = 0.35
    """Least share of the next turn in the cosine, when somebody else said it."""
    asked: float = 0.5
    """How much more a question counts in the window of the turn that answers it."""
    k1: float = K1
    """BM25: saturation of repeated terms."""
    b: float = B
    """BM25: normalisation by length."""


DEFAULT = Weights()
"""What recall uses unless told otherwise; measured, see `docs/benchmarks.md`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a record whatever the query: kept beside it, made by `describe`."""

    length: int
    """Number of index terms."""
    actor: str | None = None
    """Folded name or role of the speaker."""
    day: int | None = None
    """Ordinal of the day it was said."""
    intervals: Sequence[Interval] = ()
    """Times its text mentions, resolved against that day."""
    idle: float = 0.0
    """Share of the text, 0..1, that only asks."""


@dataclass(slots=True)
class Candidate:
    """A record, what the query found in it, and what its window adds (see `memwell.retrieval.windows`)."""

    key: int | str
    """Identity within the search, given back in `Ranked`."""
    facts: Facts
    """What is known of the record."""
    matches: Sequence[tuple[int, int]]
    """Pairs (index of the query term, count) for the query terms it has."""
    cosine: float | None
    """Cosine of query and whole text (normalised mean of its passages); `None` without a vector."""
    counts: Mapping[int, float]
    """Index of the query term → its count in the window."""
    length: float
    """Number of index terms in the window."""
    near: float | None
    """Mean cosine of the window; `None` when nothing of it has a vector."""
    session: Hashable | None = None
    """Its conversation; `None` when it stands alone."""
    phrases: float = 0.0
    """Share of the quoted phrases it holds (see `text.phrase_share`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Statistics of the scope that is searched."""

    documents: int
    """Number of records."""
    frequencies: Sequence[int]
    """In how many records each query term occurs, aligned with the terms."""
    typical: float | None = None
    """Mean cosine of the query with all records; `None`: the lowest of the candidates."""


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
    quotes: bool = False
    """True when it quotes a phrase."""


@dataclass(frozen=True, slots=True)
class Part:
    """One reason for a score, which has `weight * value` of it."""

    name: str
    """The signal, such as `semantic`; see `memwell.retrieval.ranking`."""
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


def describe(content: str, *, created_at: datetime, actor: str | None = None) -> tuple[list[str], Facts]:
    """Index terms and facts of a record's text.

    `actor` comes from metadata; without it a "Name: " prefix of the text is taken.
    """
    prefix, body = split_actor(content)
    terms = analyze(without_role(content))
    said_by = actor or prefix
    return terms, Facts(
        length=len(terms),
        actor=fold(said_by) if said_by else None,
        day=created_at.toordinal(),
        intervals=tuple(intervals(body, created_at, terms=terms)),
        idle=idle_share(body),
    )


def question(query: Query, *, now: datetime) -> Question:
    """What `query` asks for beside its terms, its relative times resolved against `now`."""
    return Question(
        actors=query.actors,
        named=query.named,
        intervals=tuple(intervals(query.text, now)),
        asks_when=asks_when(query.text),
        quotes=bool(query.phrases),
    )
