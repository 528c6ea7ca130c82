"""Streams in lists of this process."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from time import time
from typing import Self

from memwell._forks import fork_safe
from memwell.ports import Entry, Log
from memwell.ports.positions import number, position
from memwell.resilience.reentry import unheld
from memwell.types import Trace
from memwell.urls import Url

__all__ = ["MemoryLog"]


class MemoryLog(Log):
    """Entries live as long as the object. Positions grow over all streams together. `clock` gives seconds
    since 1970."""

    part = "memory"
    blocking = True

    def __init__(self, *, clock: Callable[[], float] = time) -> None:
        self._clock = clock
        self._reset_lock()
        fork_safe(self._reset_lock)
        self._streams: dict[str, list[Entry]] = {}
        self._count = 0

    def _reset_lock(self) -> None:
        self._lock = threading.RLock()

    @classmethod
    def from_url(cls, url: Url) -> Self:
        """`memory://`, without options."""
        url.done()
        return cls()

    async def _append(self, stream: str, entries: Sequence[bytes]) -> list[str]:
        with unheld(self._lock, self.part):
            return self._add(stream, entries)

    async def _append_if(self, stream: str, entries: Sequence[bytes], last: str | None) -> list[str] | None:
        after = 0 if last is None else number(last)
        with unheld(self._lock, self.part):
            held = self._streams.get(stream)
            return None if held and number(held[-1].position) > after else self._add(stream, entries)

    async def _remove(self, stream: str, positions: Sequence[str]) -> int:
        gone = {number(position) for position in positions}
        with unheld(self._lock, self.part):
            held = self._streams.get(stream, [])
            before = len(held)
            held[:] = [entry for entry in held if number(entry.position) not in gone]
            return before - len(held)

    def _add(self, stream: str, entries: Sequence[bytes]) -> list[str]:
        at = datetime.fromtimestamp(self._clock(), UTC)
        new = [
            Entry(position=position(count), at=at, data=data)
            for count, data in enumerate(entries, self._count + 1)
        ]
        self._streams.setdefault(stream, []).extend(new)
        self._count += len(new)
        return [entry.position for entry in new]

    async def _read(self, stream: str, after: str | None, limit: int) -> list[Entry]:
        with unheld(self._lock, self.part):
            entries = self._streams.get(stream, [])
            start = 0 if after is None else _following(entries, after)
            return entries[start : start + limit]

    async def _purge(self, texts: Sequence[str] | None) -> list[Trace]:
        del texts
        return [Trace(place="memory of this process", state="gone")]

    async def _last(self, stream: str) -> Entry | None:
        with unheld(self._lock, self.part):
            entries = self._streams.get(stream)
            return entries[-1] if entries else None

    async def _trim(self, stream: str, keep: int, through: str | None) -> int:
        with unheld(self._lock, self.part):
            entries = self._streams.get(stream, [])
            gone = max(len(entries) - keep, 0) if through is None else _following(entries, through)
            del entries[:gone]
            if not entries:
                self._streams.pop(stream, None)
            return gone

    async def _close(self) -> None:
        with unheld(self._lock, self.part):
            self._streams.clear()


def _following(entries: list[Entry], after: str) -> int:
    """Index of the first entry after a position."""
    number(after)
    return bisect_right(entries, after, key=lambda entry: entry.position)
