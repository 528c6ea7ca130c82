"""What is kept in this process of the owners in use: one value each, brought abreast at each use, the least recently
used going first.
"""

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

_ITSELF: Final = 4
"""What an owner weighs besides its records, since one without any takes memory as well."""


class _Entry(Generic[T]):
    """A place for one value, with the lock of those who use it."""

    __slots__ = ("lock", "value", "weight")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.value: T | None = None
        self.weight = _ITSELF


class OwnerCache(Generic[T]):
    """The values of the owners in use. `follow` brings one abreast, or makes it when it gets `None`; `size` tells how
    many records it holds. Beyond `budget` records in all, each owner counting as some, values are forgotten.

    Threads may share it; a forked child begins anew.
    """

    def __init__(
        self, follow: Callable[[T | None, Partition], T], size: Callable[[T], int], budget: int
    ) -> None:
        self._follow, self._size = follow, size
        self.budget = budget
        self.clear()
        fork_safe(self.clear)

    def clear(self) -> None:
        """Forget everything."""
        self._lock = threading.Lock()
        self._entries: OrderedDict[Partition, _Entry[T]] = OrderedDict()
        self._total = 0

    def drop(self, partition: Partition) -> None:
        """Make the value anew at its next use."""
        with self._lock:
            if entry := self._entries.pop(partition, None):
                self._total -= entry.weight

    def owners(self) -> list[Partition]:
        """Whose values are kept, the least recently used first."""
        with self._lock:
            return list(self._entries)

    @contextmanager
    def held(self, partition: Partition) -> Iterator[T]:
        """The value, abreast; nobody else uses it meanwhile."""
        entry = self._entry(partition)
        with entry.lock:
            before, entry.value = entry.value, None  # what an interrupt leaves half changed is not used again
            entry.value = value = self._follow(before, partition)
            self._weigh(partition, entry, _ITSELF + self._size(value))
            yield value

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
            if self._entries.get(partition) is not entry:  # it was forgotten meanwhile
                return
            self._total += weight - entry.weight
            entry.weight = weight
            while self._total > self.budget and len(self._entries) > 1:
                self._total -= self._entries.popitem(last=False)[1].weight
