"""Ids in ascending order, for services that cannot sort by our ids."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Awaitable, Callable

from memwell._forks import fork_safe

__all__ = ["Listing"]


class Listing:
    """Pages of a sorted list of ids.

    The first page (`after=None`) reads all ids from the service and caches them, about 100 bytes each, until the last
    page. After a write through this index, the next page reads them again. Concurrent writes of other processes may be
    missed, as in any pagination.
    """

    def __init__(self, scan: Callable[[], Awaitable[list[str]]]) -> None:
        """`scan` returns all ids, in any order."""
        self._scan = scan
        self._reset_lock()
        fork_safe(self._reset_lock)
        self._ids: list[str] | None = None
        self._writes = 0

    def _reset_lock(self) -> None:
        self._lock = threading.Lock()

    def changed(self) -> None:
        """Call after ids were added or removed."""
        with self._lock:
            self._writes += 1
            self._ids = None

    async def page(self, after: str | None, limit: int) -> list[str]:
        """Up to `limit` ids greater than `after`, ascending."""
        with self._lock:
            ids, writes = (None if after is None else self._ids), self._writes
        if ids is None:
            ids = sorted(await self._scan())
        start = 0 if after is None else bisect_right(ids, after)
        found = ids[start : start + limit]
        with self._lock:
            if writes == self._writes:
                self._ids = ids if start + limit < len(ids) else None
        return found
