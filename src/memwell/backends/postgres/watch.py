"""Finds connections that wait for an answer that will never come, and cuts them off.

A server that is stopped, or a network that swallows packets, leaves a statement waiting for ever; a limit on the server
does not help. So after some seconds the server is asked, over a new connection, whether it works on the statement. When
it does not answer, or says no, the connection is cut and the call raises `Unavailable`: at once where the server should
have ended the statement by itself (`statement_timeout`), else the second time. A statement that the server works on may
take as long as it likes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

import psycopg
from psycopg.pq import TransactionStatus

from memwell.backends.postgres.connections import ServerConnection, connect, cut

__all__ = ["ANSWERS_WITHIN", "Watch"]

ANSWERS_WITHIN: Final = 4.0
"""Seconds that a server has to answer when it is asked whether it is there."""
_WORKING: Final = (
    "SELECT pid FROM pg_stat_activity WHERE pid = ANY (%s::int[]) AND state IS DISTINCT FROM 'idle'"
)


class Watch:
    """The connections of one pool that are in use.

    `patience`: seconds a statement takes before it is looked after. `times`: how often it is, before it is given up.
    `direct` is false behind a pooler, whose sessions are not those of the server.
    """

    def __init__(
        self, arguments: Callable[[], Mapping[str, Any]], *, patience: float, times: int, direct: bool
    ) -> None:
        self._arguments, self._patience, self._times, self._direct = arguments, patience, times, direct
        self._since: dict[ServerConnection, float] = {}
        self._doubts: dict[ServerConnection, int] = {}
        """How often the server did not work on a connection's statement."""
        self._timer: asyncio.TimerHandle | None = None
        self._asking: asyncio.Task[None] | None = None

    def add(self, connection: ServerConnection) -> None:
        """Somebody begins to use a connection."""
        loop = asyncio.get_running_loop()
        self._since[connection] = loop.time()
        if self._timer is None and self._asking is None:
            self._timer = loop.call_later(self._patience, self._look)

    def remove(self, connection: ServerConnection) -> None:
        """It is no longer in use."""
        self._since.pop(connection, None)
        self._doubts.pop(connection, None)

    def close(self) -> None:
        """Stop."""
        if self._timer is not None:
            self._timer.cancel()
        if self._asking is not None and not self._asking.get_loop().is_closed():
            self._asking.cancel()

    def _look(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        if not self._since:
            return
        overdue = self._overdue(loop.time())
        if overdue:
            self._asking = loop.create_task(self._ask(overdue))
        else:
            oldest = min(self._since.values())
            self._timer = loop.call_at(max(oldest, loop.time()) + self._patience, self._look)

    def _overdue(self, now: float) -> dict[ServerConnection, float]:
        return {
            connection: since
            for connection, since in self._since.items()
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
                self._timer = asyncio.get_running_loop().call_later(self._patience, self._look)

    async def _working(self, pids: list[int]) -> Collection[int] | None:
        """Which of these sessions the server works on; `None` when it does not answer."""
        try:
            async with asyncio.timeout(ANSWERS_WITHIN):
                connection = await connect(self._arguments())
                try:
                    cursor = await connection.execute(_WORKING, (pids,))
                    found = {row[0] for row in await cursor.fetchall()}
                finally:
                    connection.pgconn.finish()
        except (TimeoutError, psycopg.Error) as error:
            return pids if getattr(error, "sqlstate", None) else None
        return found if self._direct else pids


def _waits(connection: ServerConnection) -> bool:
    return connection.pgconn.transaction_status == TransactionStatus.ACTIVE
