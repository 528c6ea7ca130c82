"""The in-memory index of one partition of a store: postings, vectors, conversations.

A `Corpus` contains all records of one tenant and user, or of a whole tenant for searches without a user. Its records
are numbered by *slots*, in the order of arrival. A changed record gets a new slot and its old one is dead, so that a
filled slot never changes during a search that runs without the lock.
"""

from __future__ import annotations

import threading
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeAlias

from memwell.retrieval.analysis.text import trusted_actors
from memwell.retrieval.columns import Columns, Numbers
from memwell.retrieval.index.conversations import Conversations
from memwell.retrieval.index.postings import Postings
from memwell.retrieval.index.signals import Signals
from memwell.retrieval.index.vectors import Chunked, VectorSet

__all__ = ["Change", "Corpus", "Partition", "Row", "Source"]

Partition: TypeAlias = tuple[str, str | None]
"""Tenant and user; `None` means all users of the tenant."""

Row: TypeAlias = tuple[int, str, str | None, str | None, int, int | None, str, str]
"""key, id, user, session, created and expires in microseconds, signals, lexemes"""

Change: TypeAlias = tuple[int, Row | None]
"""A key and its current row, or `None` if the record was deleted."""


class Source(Protocol):
    """The store, as corpora read it. Each method sees one consistent state."""

    def position(self) -> int:
        """The end of the change sequence."""
        ...

    def load(self, partition: Partition) -> tuple[int, list[Row]]:
        """The current position, and every row of a partition in any order."""
        ...

    def changes(self, after: int, partition: Partition, limit: int) -> tuple[int, list[Change]] | None:
        """The new position and the latest change of each key since `after`; `None` if there are more than `limit`, or
        if they were trimmed.
        """
        ...

    def vectors(self, partition: Partition, model: str, keys: Sequence[int] | None) -> Iterator[Chunked]:
        """The vectors of a model for the whole partition or some keys, in any order."""
        ...


class Corpus:
    """The index of one partition. `lock` guards everything except `Matrix.dot` over rows that are already filled."""

    def __init__(self, partition: Partition, position: int, rows: Sequence[Row]) -> None:
        self.partition = partition
        self.position = position
        self.lock = threading.RLock()
        columns: list[list[Any]] = [[row[at] for row in rows] for at in range(8)]
        keys, ids, users, sessions, created, expires, signals, lexemes = columns
        self.slots: dict[int, int] = dict(zip(keys, range(len(keys)), strict=True))
        """Key of a live record → its slot."""
        self.ids: list[str] = ids
        """Slot → id."""
        self.lexemes: list[str] = lexemes
        """Slot → its index terms, joined by spaces; empty if its record is gone."""
        self.live = bytearray(b"\1") * len(keys)
        """Slot → 1 if its record is live."""
        self.expiring: dict[int, int] = {slot: at for slot, at in enumerate(expires) if at is not None}
        """Slot → time in microseconds, for live records that expire."""
        self.postings = Postings(lexemes)
        self.signals = Signals(signals)
        spoken = Counter(self.signals.actors)
        self.actors = Counter({actor: spoken[code] for actor, code in self.signals.codes.items()})
        """Speaker → the number of live records."""
        self.conversations = Conversations()
        self.conversations.fill(keys, created, users, sessions, self.signals.actors)
        self.vectors: VectorSet | None = None
        self._by_id: dict[str, int] | None = None
        self._speakers: frozenset[str] | None = None
        self._first_expiry = min(self.expiring.values(), default=1 << 62)

    @property
    def keys(self) -> array[int]:
        """Slot → key."""
        return self.conversations.keys

    def follow(self, position: int, changes: Iterable[Change]) -> list[int]:
        """Apply changes; returns the keys whose vectors must be read again."""
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
        """The vectors of a model, read on first use."""
        if self.vectors is None or self.vectors.model != model:
            fresh = VectorSet(model)
            fresh.add(self.slots, source.vectors(self.partition, model, None))
            self.vectors = fresh
        return self.vectors

    def slots_of(self, ids: Iterable[str]) -> list[int]:
        """The slots of live records by their ids; unknown ids are left out."""
        if self._by_id is None:
            self._by_id = {self.ids[slot]: slot for slot in self.slots.values()}
        return [slot for id in ids if (slot := self._by_id.get(id)) is not None]

    def speakers(self) -> frozenset[str]:
        """The folded speakers of several records."""
        if self._speakers is None:
            self._speakers = trusted_actors(self.actors)
        return self._speakers

    def unexpired(self, now: int) -> bytearray | None:
        """Slot → 1 if its record is live and has not expired at `now` (microseconds); `None` if none has expired."""
        if now < self._first_expiry:
            return None
        found = bytearray(self.live)
        for slot, at in self.expiring.items():
            if at <= now:
                found[slot] = 0
        return found

    def seen(self, keys: Iterable[int]) -> bytearray:
        """Slot → 1 if its record has one of these keys."""
        found, slots = bytearray(len(self.live)), self.slots
        for key in keys:
            if (slot := slots.get(key)) is not None:
                found[slot] = 1
        return found

    def created_in(self, first: int, until: int, make: Columns) -> Numbers:
        """The slots of live records created from a moment until before another one, in microseconds."""
        found = make.between(self.conversations.created, first, until)
        return found.take(make.places(make.stored(self.live, found)))

    def newest(self, slots: Numbers, limit: int, make: Columns) -> Numbers:
        """Those of some records that were created last; of the same time, those with the highest key."""
        if len(slots) <= limit:
            return slots
        created = make.stored(self.conversations.created, slots)
        newest = make.largest(created, limit)
        last = -make.top(-1 * created.take(newest))
        later, then = (
            slots.take(make.places(created > last)),
            slots.take(make.places(make.same(created, last))),
        )
        keys = make.stored(self.keys, then)
        return make.joined([later, then.take(make.largest(keys, limit - len(later)))])

    @property
    def size(self) -> tuple[int, int]:
        """Number of slots, and of live records: the same only as long as nothing changes."""
        return len(self.ids), len(self.postings)

    @property
    def sparse(self) -> bool:
        """Whether most slots are dead, so that loading again is worthwhile."""
        return len(self.ids) > 1000 and len(self.ids) > 2 * len(self.slots)

    def _add(self, row: Row) -> None:
        key, id, user, session, created, expires, signals, lexemes = row
        slot = len(self.ids)
        self.slots[key] = slot
        self.ids.append(id)
        self.live.append(1)
        self.signals.add(signals)
        self.lexemes.append(lexemes)
        self.postings.add(lexemes.split())
        speaker = _speaker(signals)
        if speaker:
            self.actors[speaker] += 1
        if expires is not None:
            self.expiring[slot] = expires
            self._first_expiry = min(self._first_expiry, expires)
        self.conversations.add(key, created, user, session, spoken=bool(speaker))

    def _remove(self, key: int) -> None:
        slot = self.slots.pop(key, None)
        if slot is None:
            return
        self.postings.remove(slot, self.lexemes[slot].split())
        self.lexemes[slot] = ""
        self.live[slot] = 0
        self.expiring.pop(slot, None)
        speaker = _speaker(self.signals.lines[slot])
        if speaker:
            self.actors[speaker] -= 1
        self.conversations.remove(slot)
        if self.vectors is not None:
            self.vectors.drop(slot)


def _speaker(signals: str) -> str:
    """The speaker; empty if unknown."""
    return signals.partition("\t")[0]
