"""A least-recently-used cache with one value per owner. Each use brings the value up to date first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Generic, TypeVar

from memwell._forks import fork_safe
from memwell.retrieval.index.corpus import Partition

__all__ = ["OwnerCache"]

T = TypeVar("T")

_BASE_WEIGHT: Final = 4
"""Weight of an owner in addition to its records, because one without records needs memory as well."""


class _Entry(Generic[T]):
    """One value with its lock and weight."""

    __slots__ = ("lock", "value", "weight")

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.value: T | None = None
        self.weight = _BASE_WEIGHT


class OwnerCache(Generic[T]):
    """One value per owner in use.

    `refresh(value, partition)` brings a value up to date, or creates it if `value` is `None`. `size(value)` is its
    number of records. If all values together exceed `budget` records (each owner counts as a few more), the least
    recently used are dropped.

    Threads may share a cache; a forked child starts with an empty one.
    """

    def __init__(
        self, refresh: Callable[[T | None, Partition], T], size: Callable[[T], int], budget: int
    ) -> None:
        self._refresh, self._size = refresh, size
        self.budget = budget
        self.clear()
        fork_safe(self.clear)

    def clear(self) -> None:
        """Drop all values."""
        self._lock = threading.RLock()
        self._entries: OrderedDict[Partition, _Entry[T]] = OrderedDict()
        self._total = 0

    def drop(self, partition: Partition) -> None:
        """Drop one value, so that its next use creates it again."""
        with self._lock:
            if entry := self._entries.pop(partition, None):
                self._total -= entry.weight

    def owners(self) -> list[Partition]:
        """The owners whose values are cached, the least recently used first."""
        with self._lock:
            return list(self._entries)

    @contextmanager
    def fresh(self, partition: Partition) -> Iterator[T]:
        """The value of an owner, up to date and locked for other threads while the context is open."""
        entry = self._entry(partition)
        with entry.lock:
            yield self._refreshed(partition, entry)

    def current(self, partition: Partition) -> T:
        """The value of an owner, up to date now."""
        entry = self._entry(partition)
        with entry.lock:
            return self._refreshed(partition, entry)

    def _refreshed(self, partition: Partition, entry: _Entry[T]) -> T:
        """The value of an entry, up to date; its lock is held."""
        before, entry.value = (
            entry.value,
            None,
        )  # an interrupt may leave it half changed: do not reuse it then
        entry.value = value = self._refresh(before, partition)
        weight = _BASE_WEIGHT + self._size(value)
        if weight != entry.weight or self._total > self.budget:
            self._weigh(partition, entry, weight)
        return value

    def _entry(self, partition: Partition) -> _Entry[T]:
        with self._lock:
            entry = self._entries.get(partition)
            if entry is None:
                entry = self._entries[partition] = _Entry()
                self._total += entry.weight
            self._entries.move_to_end(partition)
            return entry

    def _weigh(self, partition: Partition, entry: _Entry[T], weight: int) -> None:
        with self._lock:
            if self._entries.get(partition) is not entry:  # dropped meanwhile
                return
            self._total += weight - entry.weight
            entry.weight = weight
            while self._total > self.budget and len(self._entries) > 1:
                self._total -= self._entries.popitem(last=False)[1].weight
