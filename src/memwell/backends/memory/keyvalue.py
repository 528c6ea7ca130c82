"""Keys and values in a dictionary of this process."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Self, TypeAlias

from memwell._forks import fork_safe
from memwell.ports import KeyValue
from memwell.ports.counters import added
from memwell.resilience.reentry import unheld
from memwell.urls import Url

__all__ = ["MemoryKeyValue"]

SWEEP = 64
"""Expired keys removed at most by one write."""

Entry: TypeAlias = tuple[bytes, float | None]


class MemoryKeyValue(KeyValue):
    """Values live as long as the object. `clock` gives seconds and may be any that never goes back."""

    part = "memory"
    blocking = True

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._reset_lock()
        fork_safe(self._reset_lock)
        self._entries: dict[str, Entry] = {}
        self._expiries: list[tuple[float, str]] = []
        """A heap; an entry that was replaced meanwhile is recognised by its expiry."""

    def _reset_lock(self) -> None:
        self._lock = threading.RLock()

    @classmethod
    def from_url(cls, url: Url) -> Self:
        """`memory://`, without options."""
        url.done()
        return cls()

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        now = self._clock()
        found = ((key, self._live(key, now)) for key in keys)
        return {key: entry[0] for key, entry in found if entry is not None}

    async def _set_many(self, values: Mapping[str, bytes], ttl: float | None) -> None:
        with unheld(self._lock, self.part):
            now = self._clock()
            for key, value in values.items():
                self._put(key, value, ttl, now)

    async def _add(self, key: str, value: bytes, ttl: float | None) -> bool:
        with unheld(self._lock, self.part):
            now = self._clock()
            if self._live(key, now) is not None:
                return False
            self._put(key, value, ttl, now)
            return True

    async def _replace(self, key: str, value: bytes, expected: bytes, ttl: float | None) -> bool:
        with unheld(self._lock, self.part):
            now = self._clock()
            entry = self._live(key, now)
            if entry is None or entry[0] != expected:
                return False
            self._put(key, value, ttl, now)
            return True

    async def _increment(self, key: str, by: int, ttl: float | None) -> int:
        with unheld(self._lock, self.part):
            now = self._clock()
            entry = self._live(key, now)
            total = added(entry and entry[0], by)
            if entry is None:
                self._put(key, b"%d" % total, ttl, now)
            else:
                self._entries[key] = (b"%d" % total, entry[1])
            return total

    async def _delete(self, key: str, expected: bytes | None) -> bool:
        with unheld(self._lock, self.part):
            entry = self._live(key, self._clock())
            if entry is None or (expected is not None and entry[0] != expected):
                return False
            del self._entries[key]
            return True

    async def _close(self) -> None:
        with unheld(self._lock, self.part):
            self._entries.clear()
            self._expiries.clear()

    def _live(self, key: str, now: float) -> Entry | None:
        entry = self._entries.get(key)
        if entry is None or (entry[1] is not None and entry[1] <= now):
            return None
        return entry

    def _put(self, key: str, value: bytes, ttl: float | None, now: float) -> None:
        expiry = None if ttl is None else now + ttl
        self._entries[key] = (value, expiry)
        if expiry is not None:
            heapq.heappush(self._expiries, (expiry, key))
        self._sweep(now)

    def _sweep(self, now: float) -> None:
        for _ in range(SWEEP):
            if not self._expiries or self._expiries[0][0] > now:
                break
            expiry, key = heapq.heappop(self._expiries)
            if self._entries.get(key, (b"", None))[1] == expiry:
                del self._entries[key]
        if len(self._expiries) > 2 * len(self._entries) + SWEEP:
            alive = [(entry[1], key) for key, entry in self._entries.items() if entry[1] is not None]
            heapq.heapify(alive)
            self._expiries = alive
