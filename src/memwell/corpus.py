"""A partition of a store's records in memory, ready to be searched: postings, vectors, conversations.

A `Corpus` holds all records of one tenant and user (or of a whole tenant, for searches that name no user). It
is a projection: it is loaded from its `Source` at the first search and then follows the change sequence, so
that writes of other threads and processes are seen by the next search. `Corpora` keeps the recently used ones
within a budget.

Slots number the records of a corpus in the order they came; a changed record takes a new slot and its old one
dies, so that a slot, once filled, never changes under a search that runs without the lock. A corpus with many
dead slots is loaded anew.
"""

from __future__ import annotations

import os
import threading
from array import array
from bisect import bisect_right
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any, Final, Protocol, TypeAlias

from memwell.evidence import DEFAULT, Facts, Weights
from memwell.lexical import Postings
from memwell.matrix import Matrix, numpy
from memwell.signals import read_signals
from memwell.text import trusted_actors
from memwell.types import Scope
from memwell.windows import REACH, Share, shares

__all__ = ["Change", "Chunked", "Corpora", "Corpus", "Partition", "Row", "Source", "VectorSet"]

Partition: TypeAlias = tuple[str, str | None]
"""Tenant and user; `None` for every user of the tenant."""

Row: TypeAlias = tuple[int, str, str | None, str | None, int, int | None, str, str]
"""key, id, user, session, created and expires in microseconds, signals, lexemes"""

Change: TypeAlias = tuple[int, Row | None]
"""A key and its row as it stands, or `None` when it is gone."""

Chunked: TypeAlias = tuple[int, str | None, bytes]
"""A key, the ranges of its passages as JSON (`None` for one passage), and their vectors as little-endian
float32.
"""

_MANY_CHANGES: Final = 20_000
_READ_ROWS: Final = 2048
_DAY: Final = 86_400_000_000
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()


class Source(Protocol):
    """Where corpora come from. Each method sees one consistent state of the store."""

    def position(self) -> int:
        """The end of the change sequence."""
        ...

    def load(self, partition: Partition) -> tuple[int, list[Row]]:
        """Every row of a partition in order of key, and the position they stand at."""
        ...

    def changes(self, after: int, partition: Partition, limit: int) -> tuple[int, list[Change]] | None:
        """The new position and the last change of each key since; `None` when there are too many or they were
        trimmed.
        """
        ...

    def vectors(self, partition: Partition, model: str, keys: Sequence[int] | None) -> Iterator[Chunked]:
        """The vectors of the partition under a model, or of some keys, in order of key."""
        ...


class Corpus:
    """One partition. `lock` guards everything but `Matrix.dot` over rows that are already filled."""

    def __init__(self, partition: Partition, position: int, rows: Iterable[Row]) -> None:
        self.partition = partition
        self.position = position
        self.lock = threading.RLock()
        self.slots: dict[int, int] = {}
        """Key of a living record → its slot."""
        self.ids: list[str] = []
        self.keys = array("q")
        self._signals: list[str] = []
        self._facts: dict[int, Facts] = {}
        self.lexemes: list[str] = []
        self.expiring: dict[int, int] = {}
        """Slot → microseconds, for the living records that expire."""
        self.postings = Postings()
        self.actors: Counter[str] = Counter()
        self._sessions: dict[Any, list[int]] = {}
        """Conversation → its living slots in order."""
        self._session_of: list[Any] = []
        self._places = array("l")
        """Slot → its place in its conversation, unless that is stale."""
        self._stale: set[Any] = set()
        self._windows: dict[int, list[Share]] = {}
        self.vectors: VectorSet | None = None
        self._created = array("q")
        self._by_id: dict[str, int] | None = None
        self._speakers: frozenset[str] | None = None
        self._first_expiry = 1 << 62
        for row in rows:
            self._add(row)

    def follow(self, position: int, changes: Iterable[Change]) -> list[int]:
        """Take over changes; the keys whose vectors must be read again."""
        touched = []
        for key, row in changes:
            self._remove(key)
            if row is not None:
                self._add(row)
                touched.append(key)
        self.position = position
        self._speakers = self._by_id = None
        return touched

    def with_vectors(self, source: Source, model: str) -> VectorSet:
        """The vectors under a model, read when first asked for."""
        if self.vectors is None or self.vectors.model != model:
            self.vectors = VectorSet(model)
            self.vectors.add(self, source.vectors(self.partition, model, None))
        return self.vectors

    def slots_of(self, ids: Iterable[str]) -> list[int]:
        """The slots of living records by their ids; unknown ids are left out."""
        if self._by_id is None:
            self._by_id = {self.ids[slot]: slot for slot in self.slots.values()}
        return [slot for id in ids if (slot := self._by_id.get(id)) is not None]

    def facts(self, slot: int) -> Facts:
        """What is known of a record whatever the question."""
        found = self._facts.get(slot)
        if found is None:
            actor, idle, times = read_signals(self._signals[slot])
            found = self._facts[slot] = Facts(
                length=self.postings.length(slot),
                actor=actor,
                day=self._created[slot] // _DAY + _EPOCH_DAY,
                intervals=times,
                idle=idle,
            )
        return found

    def session_of(self, slot: int) -> Any:
        """The conversation of a record; `None` for one that stands alone."""
        return self._session_of[slot]

    def neighbours(self, slot: int) -> list[int]:
        """A record and those right before and after it in its conversation, in order."""
        seat = self._seat_of(slot)
        if seat is None:
            return [slot]
        seats, place = seat
        return seats[max(0, place - 1) : place + 2]

    def window(self, slot: int, weights: Weights) -> list[Share]:
        """What a record takes of its neighbours' evidence (see `memwell.windows`)."""
        if weights is not DEFAULT:
            return self._window(slot, weights)
        found = self._windows.get(slot)
        if found is None:
            found = self._windows[slot] = self._window(slot, weights)
        return found

    def _window(self, slot: int, weights: Weights) -> list[Share]:
        seat = self._seat_of(slot)
        return [] if seat is None else shares(*seat, self.facts, weights)

    def _seat_of(self, slot: int) -> tuple[list[int], int] | None:
        """The conversation of a record and its place there; `None` for one that stands alone."""
        session = self._session_of[slot]
        if session is None:
            return None
        seats = self._sessions[session]
        if session in self._stale:
            self._stale.discard(session)
            for place, other in enumerate(seats):
                self._places[other] = place
        return seats, self._places[slot]

    def speakers(self) -> frozenset[str]:
        """Who recurs as the speaker of a record, folded."""
        if self._speakers is None:
            self._speakers = trusted_actors(self.actors)
        return self._speakers

    def expired(self, now: int) -> set[int]:
        """The slots whose time has passed at `now` (microseconds)."""
        if now < self._first_expiry:
            return set()
        return {slot for slot, at in self.expiring.items() if at <= now}

    @property
    def sparse(self) -> bool:
        """Whether most slots are dead, so that loading anew pays."""
        return len(self.ids) > 1000 and len(self.ids) > 2 * len(self.slots)

    def _add(self, row: Row) -> None:
        key, id, user, session, created, expires, signals, lexemes = row
        slot = len(self.ids)
        self.slots[key] = slot
        self.ids.append(id)
        self.keys.append(key)
        self._created.append(created)
        self._signals.append(signals)
        self.lexemes.append(lexemes)
        self.postings.add(slot, lexemes.split())
        if signals and signals[0] != "\t":
            self.actors[signals.partition("\t")[0]] += 1
        if expires is not None:
            self.expiring[slot] = expires
            self._first_expiry = min(self._first_expiry, expires)
        self._seat(slot, None if session is None else (user, session))

    def _seat(self, slot: int, session: Any) -> None:
        """Put a slot in its place in its conversation: by time, then in the order it came."""
        self._session_of.append(session)
        self._places.append(0)
        if session is None:
            return
        seats = self._sessions.setdefault(session, [])
        place = bisect_right(seats, self._created[slot], key=self._created.__getitem__)
        if place < len(seats):
            self._stale.add(session)
        self._places[slot] = place
        seats.insert(place, slot)
        self._unsettle(seats, place)

    def _unsettle(self, seats: list[int], place: int) -> None:
        """The windows around a place of a conversation are to be found anew."""
        for slot in seats[max(0, place - REACH) : place + REACH + 1]:
            self._windows.pop(slot, None)

    def _remove(self, key: int) -> None:
        slot = self.slots.pop(key, None)
        if slot is None:
            return
        self.postings.remove(slot, self.lexemes[slot].split())
        self.lexemes[slot] = ""
        self.expiring.pop(slot, None)
        actor = self._signals[slot].partition("\t")[0]
        if actor:
            self.actors[actor] -= 1
        self._facts.pop(slot, None)
        seat = self._seat_of(slot)
        if seat is not None:
            seats, place = seat
            self._unsettle(seats, place)
            self._stale.add(self._session_of[slot])
            del seats[place]
        if self.vectors is not None:
            self.vectors.drop(slot)


class VectorSet:
    """The vectors of a corpus under one model: a row for each whole text, and one for each passage of the
    long ones.
    """

    def __init__(self, model: str) -> None:
        self.model = model
        self.whole: Matrix | None = None
        self.slots: list[int] = []
        """Row of `whole` → slot, −1 once it is dead."""
        self.dead: list[int] = []
        """Rows of records that are gone."""
        self.of: dict[int, int] = {}
        """Slot → row of `whole`."""

    def add(self, corpus: Corpus, found: Iterable[Chunked]) -> None:
        """Take over vectors of living records."""
        np = numpy()
        pending: list[bytes] = []
        for key, spans, data in found:
            slot = corpus.slots.get(key)
            if slot is None:
                continue
            if spans is not None:
                data = self._mean(np, data, 1 + spans.count("],["))
            self.of[slot] = len(self.slots)
            self.slots.append(slot)
            pending.append(data)
            if len(pending) == _READ_ROWS:
                self._append(np, pending)
        self._append(np, pending)

    def drop(self, slot: int) -> None:
        """Forget a record."""
        row = self.of.pop(slot, None)
        if row is not None:
            self.slots[row] = -1
            self.dead.append(row)

    def _append(self, np: Any, pending: list[bytes]) -> None:
        if pending:
            rows = np.frombuffer(b"".join(pending), dtype="<f4").reshape(len(pending), -1)
            if self.whole is None:
                self.whole = Matrix(rows.shape[1])
            self.whole.append(rows)
            pending.clear()

    def _mean(self, np: Any, data: bytes, passages: int) -> bytes:
        mean = np.frombuffer(data, dtype="<f4").reshape(passages, -1).mean(axis=0)
        unit = mean / (np.linalg.norm(mean) or 1.0)
        return bytes(unit.astype("<f4").tobytes())


class _Entry:
    """A place for one corpus, with the lock of those who load or follow it."""

    __slots__ = ("corpus", "lock")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.corpus: Corpus | None = None


class Corpora:
    """The corpora in use, least recently used out first, beyond `budget` records in all."""

    def __init__(self, source: Source, budget: int = 400_000) -> None:
        self._source = source
        self._budget = budget
        self._reset()

    def clear(self) -> None:
        """Forget everything."""
        self._reset()

    def actors(self, scope: Scope) -> frozenset[str]:
        """Who speaks in the records of a scope, folded."""
        corpus = self.current(scope)
        with corpus.lock:
            return corpus.speakers()

    def current(self, scope: Scope) -> Corpus:
        """The corpus that holds a scope, abreast of the store."""
        if self._pid != os.getpid():  # a fork may have copied locks that nobody will release
            self._reset()
        partition = (scope.tenant_id, scope.user_id)
        with self._lock:
            entry = self._kept.get(partition)
            if entry is None:
                entry = self._kept[partition] = _Entry()
            self._kept.move_to_end(partition)
        with entry.lock:
            corpus = self._followed(entry.corpus, partition)
            if corpus is not entry.corpus:
                entry.corpus = corpus
                self._evict()
        return corpus

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._kept: OrderedDict[Partition, _Entry] = OrderedDict()

    def _followed(self, corpus: Corpus | None, partition: Partition) -> Corpus:
        if corpus is None or corpus.sparse:
            return Corpus(partition, *self._source.load(partition))
        if self._source.position() == corpus.position:
            return corpus
        found = self._source.changes(corpus.position, partition, _MANY_CHANGES)
        if found is None:
            return Corpus(partition, *self._source.load(partition))
        with corpus.lock:
            touched = corpus.follow(*found)
            if corpus.vectors is not None and touched:
                corpus.vectors.add(corpus, self._source.vectors(partition, corpus.vectors.model, touched))
        return corpus

    def _evict(self) -> None:
        with self._lock:
            sizes = {p: len(e.corpus.ids) for p, e in self._kept.items() if e.corpus is not None}
            total = sum(sizes.values())
            for partition, size in list(sizes.items())[:-1]:
                if total <= self._budget:
                    return
                total -= size
                del self._kept[partition]
