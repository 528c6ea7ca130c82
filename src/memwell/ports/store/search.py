"""Search: the query of the engine to a store, its result, and the numbers that ranking needs for each candidate.

`Features` are read once, when a record is written; a `Candidate` and the `Statistics` belong to one query. This is the
whole contract between a store and `memwell.retrieval.ranking.rank`: some hundred candidates can come in one round trip.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import field, fields, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from memwell._dataclasses import dataclass
from memwell.errors import EmbeddingError, InvalidQuery, shown
from memwell.ports.arrays import Vectors
from memwell.ports.base import Port, unsupported
from memwell.ports.declaration import Effect, operation
from memwell.ports.store.visibility import visible_pairs
from memwell.types import Link, Scope

if TYPE_CHECKING:
    from memwell.filters import Node

__all__ = [
    "DEFAULT",
    "Candidate",
    "Features",
    "Found",
    "Interval",
    "Search",
    "Searches",
    "Statistics",
    "Weights",
    "check_model",
    "is_weight",
]

Interval: TypeAlias = tuple[int, int]
"""First and last day, both included, as proleptic ordinals (`datetime.date.toordinal`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """The weight of each ranking signal; zero switches it off."""

    semantic: float = 0.5
    """Cosine of the query and the window of the record."""
    lexical: float = 0.5
    """BM25 of the query and the window of the record."""
    coverage: float = 0.2
    """Contains the words of the question, however rare each of them is."""
    actor: float = 0.3
    """Said by a person whom the question names."""
    role: float = 0.2
    """Said by the user ("did I …") or the assistant ("what did you recommend")."""
    time: float = 0.4
    """Nearness to a time in the question."""
    when: float = 0.15
    """Mentions a time, when the question asks for one."""
    identifier: float = 1.0
    """Holds the identifiers of the question: more than all nearness of meaning can outweigh."""
    phrase: float = 0.3
    """Holds the words that the question puts in quotation marks, in their order."""
    newer: float = 0.3
    """Is newer than others that fit as well; three times as much if the question asks for the present."""
    succession: float = 0.3
    """Says the same about the same thing as the best, and is newer; older if the question asks for what was before."""
    session: float = 0.1
    """Belongs to the session of a record that fits well."""
    question_share: float = 0.25
    """Taken off for records that only ask."""
    reach: float = 24.0
    """Distance in index terms at which a neighbour counts 1/e; 0 switches the window off."""
    before: float = 0.9
    """Share of the turns before a record in its window, at distance 0."""
    after: float = 0.4
    """Share of the turns after a record in its window, at distance 0."""
    reply: float = 0.35
    """Least share of the next turn in the cosine, when another speaker said it."""
    asked: float = 1.0
    """How much more a question counts in the window of the turn that answers it."""
    k1: float = 1.2
    """BM25: saturation of repeated terms."""
    b: float = 0.9
    """BM25: normalisation by length."""

    def __post_init__(self) -> None:
        for each in fields(self):
            if not is_weight(value := getattr(self, each.name)):
                raise InvalidQuery(f"the weight {each.name} is a number of at least 0, not {shown(value)}")


def is_weight(value: object) -> bool:
    """Whether a value is a number from 0 to 1e300, so that sums of weights do not overflow."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1e300


DEFAULT = Weights()
"""The weights of recall by default; measured, see `docs/benchmarks.md`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """What is known of a record independent of any query; stored with it, made by `describe`."""

    length: int
    """Number of index terms."""
    actor: str | None = None
    """Folded name or role of the speaker."""
    day: int | None = None
    """Ordinal of the day it was said, in UTC."""
    second: int = 0
    """Second of that day."""
    intervals: Sequence[Interval] = ()
    """Times its text mentions, resolved against that day."""
    shifted: Mapping[int, Sequence[Interval]] = field(default_factory=dict)
    """The same for a zone where it was said on the day before (-1) or after (1); empty if neither differs."""
    question_share: float = 0.0
    """Share of the text, 0..1, that only asks."""
    sealed: str | None = None
    """Share and times, encrypted; the two are 1 or 0, and empty, then. An actor is encrypted as well."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A record, what the query found in it, and what its window adds (see `memwell.retrieval.ranking.windows`)."""

    key: int | str
    """Identity within the search, given back in `Ranked`."""
    features: Features
    """What is known of the record."""
    matches: Sequence[tuple[int, int]]
    """Pairs (index of the query term, count) for the query terms it has."""
    cosine: float | None
    """Cosine of query and whole text (normalised mean of its passages); `None` without a vector."""
    counts: Mapping[int, float]
    """Index of the query term → its count in the window."""
    length: float
    """Number of index terms in the window."""
    window_cosine: float | None
    """Mean cosine of the window; `None` when nothing of it has a vector."""
    session: Hashable | None = None
    """Its conversation; `None` without one."""
    phrases: float = 0.0
    """Share of the quoted phrases it holds (see `text.phrase_share`)."""
    lexemes: str = ""
    """Its index terms, joined by blanks."""
    related: Mapping[int, float] = field(default_factory=dict)
    """Index of a query term that it lacks → what a related word that it has counts for it; set by the ranking."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Statistics of the scope that is searched."""

    documents: int
    """Number of records."""
    frequencies: Sequence[int]
    """In how many records each query term occurs, aligned with the terms."""
    mean_cosine: float | None = None
    """Mean cosine of the query with all records; `None`: the lowest of the candidates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """One search for candidates."""

    scope: Scope
    """Whose records may be found."""
    now: datetime
    """Records expired at this moment are not found."""
    terms: tuple[str, ...] = ()
    """Distinct index terms of the question, and then those of related words; they drive the lexical part."""
    related: int = 0
    """How many of the terms are those of related words."""
    phrases: tuple[tuple[str, ...], ...] = ()
    """Index terms of each quoted passage of the question."""
    text: str | None = None
    """The question as it was asked, for stores that embed it themselves; `None` in a search by words."""
    where: Node | None = None
    """Applied before anything is cut."""
    created_until: datetime | None = None
    """Only records created up to then."""
    vectors: Vectors | None = None
    """`(q, d) float32`: one or two vectors of the question, or `None` for a lexical search."""
    model: str | None = None
    """The model of `vectors`; records without vectors of it are found by words only."""
    times: tuple[tuple[datetime, datetime], ...] = ()
    """Stretches of time that the question names, each from a moment until before another one. The newest records
    created in each of them are nominated, whatever their words. Only for a store with the capability `times`.
    """
    days: tuple[str, ...] = ()
    """Index terms of the days in these: the newest records with any of them are nominated, too. They do not count."""
    similar: Mapping[str, float] | None = None
    """id → cosine of those that a vector index found: they are nominated instead of the nearest in the store. With
    `vectors` and `model` given as well, the cosines of all candidates are the store's own.
    """
    pool: int = 48
    """How many records each signal may nominate."""
    weights: Weights = DEFAULT
    """The shape of the windows from which candidates take evidence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a store's search gives to the ranking."""

    candidates: Sequence[Candidate]
    """Those that the signals nominated, and their neighbours in the same conversation."""
    statistics: Statistics
    """Of everything the terms were counted in."""
    ids: Mapping[int | str, str]
    """Key of a candidate → id of its record."""
    notes: tuple[str, ...] = ()
    """What was different from usual."""
    incoming: Sequence[tuple[str, Link]] | None = None
    """As `Store.links` gives the relationships that point to the candidates, where the search has brought them along;
    `None`: ask.
    """


def check_model(asked: str | None, serving: str | None, *, part: str) -> None:
    """Raise `EmbeddingError` when vectors of the model asked with are not those that the store serves."""
    if asked is not None and serving is not None and asked != serving:
        raise EmbeddingError(
            f"this store serves vectors of {serving!r}, not of {asked!r}: open it with that embedder, or run"
            f" `memwell reembed --to MODEL` to move it",
            part=part,
            operation="search",
        )


class Searches(Port):
    """The role of a store that finds candidates for a recall. Without it, `lexical` and `vectors` are false."""

    @operation(Effect.READS)
    async def actors(self, scope: Scope) -> frozenset[str]:
        """Who recurs as the speaker of the scope's records (`memwell.retrieval.analysis.text.trusted_actors`); empty
        where that is unknown.
        """
        return await self._actors(scope)

    @operation(Effect.READS)
    async def search(self, search: Search) -> Found:
        """Candidates for a recall with what the ranking needs to know of them.

        Raises `EmbeddingError` when the store serves vectors of another model than the one asked with (see
        `check_model`), and `NotSupported` for times when it lacks the capability `times`.
        """
        if (search.times or search.days) and not cast("Any", self).capabilities.times:
            raise unsupported(self.part, "times", "search without them, and rank what is found by its time")
        found = await self._search(search)
        if not found.incoming:
            return found
        incoming = await visible_pairs(cast("Any", self), search.scope, found.incoming, found.ids.values())
        return replace(found, incoming=incoming)

    async def _actors(self, scope: Scope) -> frozenset[str]:
        return frozenset()

    async def _search(self, search: Search) -> Found:
        raise unsupported(
            self.part,
            "search",
            "list the records with a filter, or use a store that is `lexical`",
        )
