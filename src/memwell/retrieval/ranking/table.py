"""The candidates of a search as columns, from which ranking computes; a `Candidate` is made where one is asked for."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, tzinfo
from typing import Any, Final, NamedTuple, overload

from memwell._dataclasses import dataclass
from memwell.ports.store.search import Candidate, Features, Interval
from memwell.retrieval.analysis.days import day_shift
from memwell.retrieval.columns import Columns, Numbers, columns

__all__ = ["Chosen", "Entries", "Table", "Times", "entries_of", "tabled"]

_UNKNOWN: Final = float("nan")


class Entries(NamedTuple):
    """Which query terms are in the windows of which candidates: columns with an entry for each such pair."""

    at: Numbers
    """The place of the candidate."""
    terms: Numbers
    """The index of the query term."""
    counts: Numbers
    """Its count in the window; 0 if only such neighbours have it whose words weigh nothing."""
    own: Numbers
    """Its count in the record itself; 0 if only neighbours have it."""
    kin: Numbers | None = None
    """If the record lacks it: what a related word of the record counts for it, 0..1; `None` if that is 0 for all."""

    def taken(self, rows: Numbers) -> Entries:
        """Some of the entries."""
        return Entries(*(column if column is None else column.take(rows) for column in self))


class Times(NamedTuple):
    """The days of candidates, and the times that they mention, in a zone."""

    days: Numbers
    """The day of each candidate; NaN if it is unknown."""
    at: Numbers
    """For each time mentioned, the place of the candidate,"""
    first: Numbers
    """its first day,"""
    last: Numbers
    """and its last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Some candidates of a `Table`, with what tells how surely each answers (see `calibration`)."""

    make: Columns
    """As in `Table`, and so the others."""
    keys: Sequence[int | str]
    entries: Entries
    cosines: Numbers
    window_cosines: Numbers
    timed: Numbers

    def __len__(self) -> int:
        return len(self.keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table(Sequence[Candidate]):
    """Candidates as columns with one value each, in one order. As a sequence it makes a `Candidate` of each place."""

    make: Columns
    """What made the columns."""
    keys: Sequence[int | str]
    """Identities within the search."""
    lengths: Numbers
    """Number of index terms in the window."""
    entries: Entries
    """The query terms in the windows."""
    cosines: Numbers
    """Cosine of query and record; NaN without a vector."""
    window_cosines: Numbers
    """Mean cosine of the window; NaN if nothing of it has a vector."""
    sessions: Numbers
    """A number for each conversation; 0 outside one."""
    phrases: Numbers
    """Share of the quoted phrases."""
    days: Numbers
    """Day it was said, in UTC; NaN if that is unknown."""
    asking: Numbers
    """Share that only asks."""
    timed: Numbers
    """Whether it mentions a time."""
    actors: Numbers
    """A number for each actor; 0 without one."""
    actor_codes: Mapping[str, int]
    """Actor → number."""
    texts: Sequence[str]
    """Index terms, joined by spaces."""
    features: Callable[[int], Features]
    """The features of the candidate at a place."""
    mentioned: Callable[[int], Sequence[Interval]]
    """The times that the candidate at a place mentions, in UTC."""
    conversation: Callable[[int], Hashable | None]
    """The conversation of the candidate at a place."""

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Iterator[Candidate]:
        return map(self._candidate, range(len(self)))

    @overload
    def __getitem__(self, at: int) -> Candidate: ...
    @overload
    def __getitem__(self, at: slice) -> list[Candidate]: ...
    def __getitem__(self, at: int | slice) -> Candidate | list[Candidate]:
        if isinstance(at, slice):
            return [self._candidate(place) for place in range(len(self))[at]]
        return self._candidate(range(len(self))[at])

    def _candidate(self, at: int) -> Candidate:
        rows = self.make.places(self.make.same(self.entries.at, at))
        _, terms, counts, own, kin = self.entries.taken(rows)
        terms, counts, own = terms.tolist(), counts.tolist(), own.tolist()
        related = {} if kin is None else dict(zip(terms, kin.tolist(), strict=True))
        return Candidate(
            key=self.keys[at],
            features=self.features(at),
            matches=[(term, int(count)) for term, count in zip(terms, own, strict=True) if count],
            cosine=_known(self.cosines[at]),
            counts=dict(zip(terms, counts, strict=True)),
            length=float(self.lengths[at]),
            window_cosine=_known(self.window_cosines[at]),
            session=self.conversation(at),
            phrases=float(self.phrases[at]),
            lexemes=self.texts[at],
            related={term: share for term, share in related.items() if share},
        )

    def at(self, places: Sequence[int]) -> Chosen:
        """The candidates at these places, in their order."""
        make, entries, index = self.make, self.entries, self.make.index(places)
        number = make.upto(len(self)) * 0 - 1
        for new, place in enumerate(places):
            number[place] = new
        at = number.take(entries.at)
        kept = make.places(at >= 0)
        return Chosen(
            make=make,
            keys=[self.keys[place] for place in places],
            entries=entries.taken(kept)._replace(at=at.take(kept)),
            cosines=self.cosines.take(index),
            window_cosines=self.window_cosines.take(index),
            timed=self.timed.take(index),
        )

    def featured(self, features: Sequence[Features]) -> Table:
        """The same candidates with these features, one for each."""
        return replace(self, **_of_features(self.make, features))

    @property
    def unembedded(self) -> bool:
        """Whether a candidate has no vector."""
        return bool(self.make.some(self.make.differs(self.cosines, self.cosines)))  # NaN does from itself

    def times(self, zone: tzinfo) -> Times:
        """Days and times mentioned in a zone."""
        days, make = self.days, self.make
        mentioned: list[tuple[int, Interval]] = []
        if zone is UTC:
            for at in make.places(self.timed).tolist():
                mentioned += [(at, each) for each in self.mentioned(at)]
        else:
            local = [_in_zone(self.features(at), zone) for at in range(len(self))]
            days = make.numbers([_UNKNOWN if day is None else day for day, _ in local])
            mentioned = [(at, each) for at, (_, times) in enumerate(local) for each in times]
        return Times(
            days,
            make.index([at for at, _ in mentioned]),
            make.numbers([first for _, (first, _) in mentioned]),
            make.numbers([last for _, (_, last) in mentioned]),
        )

    def held(self, terms: frozenset[int]) -> dict[int, set[int]]:
        """Place of a candidate → those of some query terms that its record itself has; only where there are any."""
        found: dict[int, set[int]] = {}
        if terms:
            entries = self.entries
            for at, term, own in zip(
                *(each.tolist() for each in (entries.at, entries.terms, entries.own)), strict=True
            ):
                if own and term in terms:
                    found.setdefault(at, set()).add(term)
        return found


def tabled(candidates: Sequence[Candidate]) -> Table:
    """Candidates as a table."""
    if isinstance(candidates, Table):
        return candidates
    make, sessions = columns(), dict[Hashable, int]({None: 0})
    rows = [
        (at, term, count, dict(each.matches).get(term, 0), each.related.get(term, 0.0))
        for at, each in enumerate(candidates)
        for term, count in each.counts.items()
    ]
    return Table(
        make=make,
        keys=[each.key for each in candidates],
        lengths=make.numbers([each.length for each in candidates]),
        entries=entries_of(rows, make),
        cosines=_numbers(make, [each.cosine for each in candidates]),
        window_cosines=_numbers(make, [each.window_cosine for each in candidates]),
        sessions=make.index([sessions.setdefault(each.session, len(sessions)) for each in candidates]),
        phrases=make.numbers([each.phrases for each in candidates]),
        texts=[each.lexemes for each in candidates],
        conversation=lambda at: candidates[at].session,
        **_of_features(make, [each.features for each in candidates]),
    )


def _of_features(make: Columns, features: Sequence[Features]) -> dict[str, Any]:
    """Name and value of what a table knows by the features of its candidates."""
    codes: dict[str, int] = {}
    actors = [codes.setdefault(each.actor, len(codes) + 1) if each.actor else 0 for each in features]
    return {
        "days": _numbers(make, [each.day for each in features]),
        "asking": make.numbers([each.question_share for each in features]),
        "timed": make.numbers([bool(each.intervals) for each in features]),
        "actors": make.index(actors),
        "actor_codes": codes,
        "features": features.__getitem__,
        "mentioned": lambda at: features[at].intervals,
    }


def entries_of(rows: Sequence[tuple[int, int, float, float, float]], make: Columns) -> Entries:
    """Entries from a tuple for each."""
    at, terms, *values = zip(*rows, strict=True) if rows else ((),) * 5
    return Entries(make.index(at), make.index(terms), *map(make.numbers, values))


def _numbers(make: Columns, values: Sequence[float | None]) -> Numbers:
    return make.numbers([_UNKNOWN if value is None else value for value in values])


def _known(value: Any) -> float | None:
    return float(value) if value == value else None  # NaN is not


def _in_zone(features: Features, zone: tzinfo) -> tuple[int | None, Sequence[Interval]]:
    """The day of a record and the times that it mentions, in a zone."""
    day, intervals = features.day, features.intervals
    if day is None or zone is UTC:
        return day, intervals
    shift = day_shift(day, features.second, zone)
    return day + shift, features.shifted.get(shift, intervals)
