"""One pool of connections, on one event loop.

psycopg_pool 3.3 opens connections in background tasks: a caller learns only after the whole timeout that the server is
down, each dead connection costs a second, and a loop that stops while a connection is being opened hangs. In this pool
a caller who finds no free connection opens one, and gets the error. The connection used last is reused first, so that
those with prepared statements stay in use and the others become idle and are closed.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import field
from typing import Any, Final, Protocol, Self

from psycopg.pq import ConnStatus, TransactionStatus

from memwell._dataclasses import dataclass
from memwell.backends.postgres.connections import NotConnected, ServerConnection, alive, connect
from memwell.backends.postgres.watch import Patience, Watch
from memwell.backends.sharing import Used
from memwell.errors import Closed, Unavailable

__all__ = ["IDLE", "Pool", "Terms", "User", "closed", "exhausted"]

IDLE: Final = 600.0
"""Seconds after which an unused connection is closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How the connections of a pool are opened and used. Parts with equal terms share a pool on each event loop."""

    arguments: tuple[tuple[str, Any], ...] = field(repr=False)
    """Of `connect`, with the password."""
    session: tuple[tuple[str, str], ...]
    """How sessions are set; behind a pooler they are set in each transaction instead."""
    environment: tuple[tuple[str, str], ...] = field(repr=False)
    """What libpq reads for whatever the arguments leave out."""
    size: int
    """Most connections."""
    timeout: float
    """Seconds to wait for a free one."""
    patience: Patience

    @classmethod
    def of(
        cls,
        arguments: Mapping[str, Any],
        *,
        session: Mapping[str, str],
        size: int,
        timeout: float,
        patience: Patience,
    ) -> Self:
        """The terms for these arguments and the present environment."""
        return cls(
            arguments=tuple(sorted(arguments.items())),
            session=tuple(sorted(session.items())),
            environment=tuple(sorted(item for item in os.environ.items() if item[0].startswith("PG"))),
            size=size,
            timeout=timeout,
            patience=patience,
        )


class User(Protocol):
    """One part that uses a pool."""

    closed: bool

    def count_lost(self) -> None:
        """A connection of the pool broke, whichever part had it."""


class Pool(Used):
    """The connections of one loop. Everything happens on that loop, so that only awaits let others in."""

    def __init__(self, terms: Terms) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._arguments = dict(terms.arguments)
        self._room = terms.size
        """How many more may be opened."""
        self._timeout = terms.timeout
        self.watch = Watch(self._arguments, terms.patience)
        self._idle: deque[tuple[float, ServerConnection]] = deque()
        self._waiting: deque[tuple[asyncio.Future[ServerConnection | None], User]] = deque()
        self._closed = False

    async def take(self, user: User) -> ServerConnection:
        """A free connection, else a new one, else the next that comes back."""
        while self._idle:
            _, connection = self._idle.pop()
            if alive(connection):
                return connection
            self._discard(connection)
        if self._room > 0:
            self._room -= 1
            return await self._open()
        received = await self._wait(user)
        return await self._open() if received is None else received

    def give(self, connection: ServerConnection) -> None:
        """Take back a connection; one that is broken, or was left inside a statement or transaction, is closed."""
        sound = connection.pgconn.transaction_status == TransactionStatus.IDLE
        if self._closed or not sound:
            self._discard(connection)
        elif not self._hand_on(connection):
            now = time.monotonic()
            self._idle.append((now, connection))
            if self._idle[0][0] < now - IDLE:
                self._discard(self._idle.popleft()[1])

    def drop_idle(self) -> None:
        """Close the connections that are not in use: they may be broken without knowing it."""
        while self._idle:
            self._discard(self._idle.pop()[1])

    def dismiss(self, user: User) -> None:
        """Refuse the calls of a part that wait for a connection; those of others go on waiting."""
        self._fail_waiting(closed(), of=user)

    def close(self) -> None:
        """Close every connection that is not in use, and those in use when they come back."""
        self._closed = True
        self.watch.close()
        self.drop_idle()
        self._fail_waiting(closed())

    async def _open(self) -> ServerConnection:
        """A new connection, for which room was made before. When the server cannot be reached, those who wait for a
        connection get the same error: each of them would find that out again."""
        try:
            return await connect(self._arguments)
        except BaseException as error:
            if isinstance(error, NotConnected) and error.sqlstate is None:
                self._fail_waiting(error)
            self._make_room()
            raise

    async def _wait(self, user: User) -> ServerConnection | None:
        """The next connection that comes back, or `None` when there is room to open one."""
        waiting: asyncio.Future[ServerConnection | None] = self._loop.create_future()
        self._waiting.append((waiting, user))
        try:
            async with asyncio.timeout(self._timeout):
                return await waiting
        except BaseException as error:
            if waiting.done() and not waiting.cancelled() and waiting.exception() is None:
                received = waiting.result()  # it arrived in the same moment
                self._make_room() if received is None else self.give(received)
            if isinstance(error, TimeoutError):
                raise exhausted(self._timeout) from error
            raise

    def _hand_on(self, what: ServerConnection | None) -> bool:
        while self._waiting:
            first, _ = self._waiting.popleft()
            if not first.done():
                first.set_result(what)
                return True
        return False

    def _fail_waiting(self, error: Exception, *, of: User | None = None) -> None:
        if self._loop.is_closed():
            self._waiting.clear()
        for waiting, user in self._waiting:
            if (of is None or user is of) and not waiting.done():
                waiting.set_exception(error)

    def _make_room(self) -> None:
        if not self._hand_on(None):
            self._room += 1

    def _discard(self, connection: ServerConnection) -> None:
        if connection.pgconn.status == ConnStatus.BAD:
            for user in self.users:
                user.count_lost()
        connection.pgconn.finish()
        self._make_room()


def closed() -> Closed:
    """The error of calls that a part makes, or goes on with, once it is closed."""
    return Closed("the part was closed", part="postgres")


def exhausted(seconds: float) -> Unavailable:
    """The error of a call for which no connection became free."""
    return Unavailable(
        f"all connections stayed in use for {seconds:g} seconds; try again, or make `pool` larger",
        part="postgres",
        unsent=True,
    )
