"""Ids in ascending order, of a service that orders points by names of its own."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Awaitable, Callable

__all__ = ["Listing"]


class Listing:
    """Pages of one sorted listing.

    A first page (`after=None`) reads all ids from the service and keeps them, about 100 bytes each, for the pages that
    follow; the last page lets go of them. A write of this object makes the next page read anew. What other processes
    write while the pages are read may be missed, as in any paged reading.
    """

    def __init__(self, scan: Callable[[], Awaitable[list[str]]]) -> None:
        """`scan` gives all ids, in any order."""
        self._scan = scan
        self._lock = threading.Lock()
        self._ids: list[str] | None = None
        self._writes = 0

    def changed(self) -> None:
        """Tell that ids were added or removed."""
        with self._lock:
            self._writes += 1
            self._ids = None

    async def page(self, after: str | None, limit: int) -> list[str]:
        """Up to `limit` ids after one, ascending."""
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
