"""Threads for what searches compute, so that the event loop is free meanwhile."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, TypeVar

from memwell import _bridge
from memwell._forks import fork_safe
from memwell._workers import in_worker

if TYPE_CHECKING:
    from memwell.backends.postgres import Connection, Database

__all__ = ["Aside"]

T = TypeVar("T")

_THREADS: Final = 2
"""More would compete with the event loop for the interpreter."""


class Aside:
    """Two threads of one store. Callers that are no event loop compute in their own thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._hire()
        fork_safe(self._hire)

    def _hire(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="memwell-postgres")

    async def run(self, call: Callable[[], T]) -> T:
        """The result of a function that computes some milliseconds."""
        if self._database.here or in_worker():
            return call()
        return await _bridge.hop(self._threads, call)

    async def over(
        self, connection: Connection, work: Callable[[], Coroutine[Any, Any, T]], stop: threading.Event
    ) -> T:
        """The result of a coroutine that reads from a lent connection. `stop` ends it early; that is set, and its end
        awaited, if the caller is cancelled: the connection may not be given back before."""
        if self._database.here:
            return await work()
        connection.here = True
        reading = asyncio.ensure_future(_bridge.hop(self._threads, lambda: _bridge.drive(work())))
        try:
            return await asyncio.shield(reading)
        except asyncio.CancelledError:
            stop.set()
            await asyncio.wait([reading])
            raise
        finally:
            connection.here = False

    def close(self) -> None:
        """Let the threads end when they have done what they were given."""
        self._threads.shutdown(wait=False)
