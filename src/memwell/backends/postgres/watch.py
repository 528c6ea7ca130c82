"""Detects connections whose server will never answer, and breaks them.

When a server is paused or a network drops packets, a statement waits forever; a timeout on the server does not help. So
after some seconds the process asks the server, over a new connection, whether it still works on the statement. If the
server does not answer, or says no, the connection is broken and the call raises `Unavailable`: at the first check where
the server should have ended the statement itself (`statement_timeout`), otherwise at the second. A statement that the
server works on may take any time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping
from functools import partial
from typing import Any, Final

import psycopg
from psycopg.pq import TransactionStatus

from memwell import _bridge
from memwell._dataclasses import dataclass
from memwell.backends.postgres.connections import ServerConnection, connect, cut

__all__ = ["ANSWERS_WITHIN", "Patience", "ThreadWatch", "Watch"]

ANSWERS_WITHIN: Final = 4.0
"""Seconds within which a server must answer a check."""
_WORKING: Final = (
    "SELECT pid FROM pg_stat_activity WHERE pid = ANY (%s::int[]) AND state IS DISTINCT FROM 'idle'"
)


@dataclass(frozen=True, slots=True)
class Patience:
    """When a connection without an answer is given up."""

    seconds: float
    """That a statement takes before the server is asked about it."""
    times: int
    """How often the server is asked before the connection is cut."""
    direct: bool
    """False behind a pooler, whose sessions are not those of the server."""


class Watch:
    """The connections of one pool that are in use. `arguments`: how to open another one to the same server."""

    def __init__(self, arguments: Mapping[str, Any], patience: Patience) -> None:
        self._arguments, self._direct = arguments, patience.direct
        self._patience, self._times = patience.seconds, patience.times
        self._since: dict[ServerConnection, float] = {}
        self._doubts: dict[ServerConnection, int] = {}
        """Connection → number of failed checks."""
        self._timer: asyncio.TimerHandle | _Armed | None = None
        self._asking: asyncio.Task[None] | None = None

    def add(self, connection: ServerConnection) -> None:
        """A call begins to use a connection."""
        self._since[connection] = time.monotonic()
        if self._timer is None and self._asking is None:
            self._arm(self._patience)

    def remove(self, connection: ServerConnection) -> None:
        """Stop watching a connection."""
        self._since.pop(connection, None)
        self._doubts.pop(connection, None)

    def close(self) -> None:
        """Stop all checks."""
        if self._timer is not None:
            self._timer.cancel()
        if self._asking is not None and not self._asking.get_loop().is_closed():
            self._asking.cancel()

    def _arm(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        self._timer = None
        now, begun = time.monotonic(), list(self._since.values())
        if not begun:
            return
        overdue = self._overdue(now)
        if overdue:
            self._asking = asyncio.get_running_loop().create_task(self._ask(overdue))
        else:
            self._arm(max(0.0, min(begun) - now) + self._patience)

    def _overdue(self, now: float) -> dict[ServerConnection, float]:
        return {
            connection: since
            for connection, since in list(self._since.items())
            if now - since >= self._patience and _waits(connection)
        }

    async def _ask(self, overdue: Mapping[ServerConnection, float]) -> None:
        try:
            working = await self._working([connection.pgconn.backend_pid for connection in overdue])
            for connection, since in overdue.items():
                if self._since.get(connection) != since or not _waits(connection):
                    continue
                if working is not None and connection.pgconn.backend_pid in working:
                    self._doubts.pop(connection, None)
                    continue
                self._doubts[connection] = self._doubts.get(connection, 0) + 1
                if self._doubts[connection] >= self._times:
                    cut(connection)
        finally:
            self._asking = None
            if self._since:
                self._arm(self._patience)

    async def _working(self, pids: list[int]) -> Collection[int] | None:
        """Which of these sessions the server works on; `None` when it does not answer."""
        try:
            async with asyncio.timeout(ANSWERS_WITHIN):
                connection = await connect(self._arguments)
                try:
                    cursor = await connection.execute(_WORKING, (pids,))
                    found = {row[0] for row in await cursor.fetchall()}
                finally:
                    connection.pgconn.finish()
        except (TimeoutError, psycopg.Error) as error:
            return pids if getattr(error, "sqlstate", None) else None
        return found if self._direct else pids


class ThreadWatch(Watch):
    """The same for connections that wait in threads: it looks after them from the loop that such callers share."""

    def _arm(self, seconds: float) -> None:
        self._timer = _ARMED
        _bridge.soon(partial(super()._arm, seconds))

    def close(self) -> None:
        """Stop all checks."""
        _bridge.soon(super().close)


class _Armed:
    """A timer that is about to be set."""

    def cancel(self) -> None:
        """Nothing to cancel yet."""


_ARMED: Final = _Armed()


def _waits(connection: ServerConnection) -> bool:
    return connection.pgconn.transaction_status == TransactionStatus.ACTIVE
