"""A partition of a store's records in memory, ready to be searched: postings, vectors, conversations.

A `Corpus` holds all records of one tenant and user (or of a whole tenant, for searches that name no user). Slots
number its records in the order they came; a changed record takes a new slot and its old one dies, so that a slot, once
filled, never changes under a search that runs without the lock.
"""

from __future__ import annotations

import threading
from array import array
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from datetime import date
from typing import Any, Final, Protocol, TypeAlias

from memwell.ports.store.search import Facts
from memwell.retrieval.analysis.features import read_signals
from memwell.retrieval.analysis.text import trusted_actors
from memwell.retrieval.index.conversations import Conversations
from memwell.retrieval.index.postings import Postings
from memwell.retrieval.index.vectors import Chunked, VectorSet

__all__ = ["Change", "Corpus", "Partition", "Row", "Source"]

Partition: TypeAlias = tuple[str, str | None]
"""Tenant and user; `None` for every user of the tenant."""

Row: TypeAlias = tuple[int, str, str | None, str | None, int, int | None, str, str]
"""key, id, user, session, created and expires in microseconds, signals, lexemes"""

Change: TypeAlias = tuple[int, Row | None]
"""A key and its row as it stands, or `None` when it is gone."""

_DAY: Final = 86_400_000_000
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()


_NOTHING: Final[tuple[tuple[Any, ...], ...]] = ((),) * 8
"""The columns of no rows."""


class Source(Protocol):
    """Where corpora come from. Each method sees one consistent state of the store."""

    def position(self) -> int:
        """The end of the change sequence."""
        ...

    def load(self, partition: Partition) -> tuple[int, list[Row]]:
        """Every row of a partition, in any order, and the position they stand at."""
        ...

    def changes(self, after: int, partition: Partition, limit: int) -> tuple[int, list[Change]] | None:
        """The new position and the last change of each key since; `None` when there are too many or they were
        trimmed.
        """
        ...

    def vectors(self, partition: Partition, model: str, keys: Sequence[int] | None) -> Iterator[Chunked]:
        """The vectors of the partition under a model, or of some keys, in any order."""
        ...


class Corpus:
    """One partition. `lock` guards everything but `Matrix.dot` over rows that are already filled."""

    def __init__(self, partition: Partition, position: int, rows: Sequence[Row]) -> None:
        self.partition = partition
        self.position = position
        self.lock = threading.RLock()
        keys, ids, users, sessions, created, expires, signals, lexemes = (
            zip(*rows, strict=True) if rows else _NOTHING
        )
        self.slots: dict[int, int] = dict(zip(keys, range(len(keys)), strict=True))
        """Key of a living record → its slot."""
        self.keys: list[int] = list(keys)
        """Slot → key."""
        self.ids: list[str] = list(ids)
        self.lexemes: list[str] = list(lexemes)
        self.expiring: dict[int, int] = {slot: at for slot, at in enumerate(expires) if at is not None}
        """Slot → microseconds, for the living records that expire."""
        self.postings = Postings(lexemes)
        speakers = [_speaker(line) for line in signals]
        self.actors: Counter[str] = Counter(speaker for speaker in speakers if speaker)
        self.conversations = Conversations(self.facts)
        self.conversations.fill(keys, created, users, sessions, [bool(speaker) for speaker in speakers])
        self.vectors: VectorSet | None = None
        self._signals: list[str] = list(signals)
        self._facts: dict[int, Facts] = {}
        self._created = array("q", created)
        self._by_id: dict[str, int] | None = None
        self._speakers: frozenset[str] | None = None
        self._first_expiry = min(self.expiring.values(), default=1 << 62)

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
            fresh = VectorSet(model)
            fresh.add(self.slots, source.vectors(self.partition, model, None))
            self.vectors = fresh
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
                question_share=idle,
            )
        return found

    def session_of(self, slot: int) -> Hashable | None:
        """The conversation of a record; `None` for one that stands alone."""
        return self.conversations.of(slot, self._created[slot] // _DAY)

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
        self.keys.append(key)
        self.ids.append(id)
        self._created.append(created)
        self._signals.append(signals)
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
        self.expiring.pop(slot, None)
        speaker = _speaker(self._signals[slot])
        if speaker:
            self.actors[speaker] -= 1
        self._facts.pop(slot, None)
        self.conversations.remove(slot)
        if self.vectors is not None:
            self.vectors.drop(slot)


def _speaker(signals: str) -> str:
    """Who said it, empty when nobody is told."""
    return signals.partition("\t")[0]
