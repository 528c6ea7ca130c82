"""Connection pools, one for each event loop: a connection belongs to one loop and does not survive a fork.

psycopg_pool 3.3 opens connections in background tasks: a caller learns only after the whole timeout that the server is
down, each dead connection costs a second, and a loop that stops while a connection is being opened hangs. In this pool
a caller who finds no free connection opens one, and gets the error. The connection used last is reused first, so that
those with prepared statements stay in use and the others become idle and are closed.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, TypeAlias

import psycopg
from psycopg.pq import ConnStatus, TransactionStatus

from memwell._forks import fork_safe, leave_to_parent
from memwell.backends.postgres.connections import (
    Connection,
    Lost,
    NotConnected,
    ServerConnection,
    alive,
    connect,
)
from memwell.backends.postgres.watch import Watch
from memwell.errors import Closed, Unavailable

__all__ = ["Pools"]

Prepare: TypeAlias = Callable[[], Awaitable[Mapping[str, Any]]]
"""Called before the first connection of a loop; returns the arguments that connections are opened with."""

_IDLE: Final = 600.0
"""Seconds after which an unused connection is closed."""


class Pools:
    """The connections to one server."""

    def __init__(self, size: int, timeout: float, prepare: Prepare, *, watch: Callable[..., Watch]) -> None:
        """`watch` makes a `Watch`, given how connections are opened."""
        self._size = size
        self._timeout = timeout
        self._prepare = prepare
        self._watch = watch
        self.lost = 0
        """Connections that broke: the server or the network went away."""
        self._of: dict[asyncio.AbstractEventLoop, _Pool] = {}
        fork_safe(self._reset)

    def connection(self) -> AbstractAsyncContextManager[Connection]:
        """A connection in autocommit mode, reserved for the caller until the end of the block."""
        return _Lent(self._pool())

    def drop_idle(self) -> None:
        """Close the idle connections of this loop: they may be broken without knowing it."""
        self._pool().drop_idle()

    async def close(self) -> None:
        """Close every connection that is not in use, and those in use when they come back."""
        for loop, pool in list(self._of.items()):
            if loop is asyncio.get_running_loop() or not loop.is_running():
                pool.close()
            else:
                loop.call_soon_threadsafe(pool.close)
        self._of.clear()

    def _pool(self) -> _Pool:
        loop = asyncio.get_running_loop()
        found = self._of.get(loop)
        if found is None:
            for other, pool in list(self._of.items()):
                if other.is_closed():
                    pool.close()
                    del self._of[other]
            found = self._of[loop] = _Pool(self, self._size, self._timeout, self._prepare)
            found.watch = self._watch(found.arguments)
        return found

    def _reset(self) -> None:
        leave_to_parent(self._of)
        self._of = {}


class _Lent:
    """Borrows one connection for a block. (A generator would take four times as long.)"""

    __slots__ = ("_connection", "_pool")

    def __init__(self, pool: _Pool) -> None:
        self._pool = pool
        self._connection: ServerConnection | None = None

    async def __aenter__(self) -> Connection:
        self._connection = connection = await self._pool.take()
        self._pool.watch.add(connection)
        return connection

    async def __aexit__(self, _: object, error: BaseException | None, trace: object) -> None:
        connection = self._connection
        if connection is None:
            return
        broken = connection.pgconn.status == ConnStatus.BAD
        self._pool.watch.remove(connection)
        self._pool.give(connection)
        if broken and isinstance(error, psycopg.OperationalError):
            raise Lost(error, silent=connection.silent) from error


class _Pool:
    """The connections of one loop. Everything runs on that loop, so other tasks run only during an await."""

    watch: Watch

    def __init__(self, owner: Pools, size: int, timeout: float, prepare: Prepare) -> None:
        self._owner = owner
        self._room = size
        """How many more may be opened."""
        self._timeout = timeout
        self._prepare = prepare
        self._preparing: asyncio.Task[Mapping[str, Any]] | None = None
        self._arguments: Mapping[str, Any] | None = None
        self._idle: deque[tuple[float, ServerConnection]] = deque()
        self._waiting: deque[asyncio.Future[ServerConnection | None]] = deque()
        self._closed = False

    def arguments(self) -> Mapping[str, Any]:
        """How connections are opened, once one was."""
        return self._arguments or {}

    async def take(self) -> ServerConnection:
        """A free connection, else a new one, else the next that comes back."""
        while self._idle:
            _, connection = self._idle.pop()
            if alive(connection):
                return connection
            self._discard(connection)
        if self._room > 0:
            self._room -= 1
            return await self._open()
        handed = await self._wait()
        return await self._open() if handed is None else handed

    def give(self, connection: ServerConnection) -> None:
        """Take back a connection; one that is broken, or was left inside a statement or transaction, is closed."""
        sound = connection.pgconn.transaction_status == TransactionStatus.IDLE
        if self._closed or not sound:
            self._discard(connection)
        elif not self._hand_on(connection):
            now = time.monotonic()
            self._idle.append((now, connection))
            if self._idle[0][0] < now - _IDLE:
                self._discard(self._idle.popleft()[1])

    def drop_idle(self) -> None:
        """See `Pools.drop_idle`."""
        while self._idle:
            self._discard(self._idle.pop()[1])

    def close(self) -> None:
        """See `Pools.close`."""
        self._closed = True
        self.watch.close()
        if self._preparing is not None and not self._preparing.get_loop().is_closed():
            self._preparing.cancel()
        self.drop_idle()
        self._fail_waiting(Closed("the part was closed", part="postgres"))

    async def _open(self) -> ServerConnection:
        """Open a connection in a slot that is already reserved. When the server cannot be reached, all callers that
        wait for a connection get the same error, so that each need not try again."""
        try:
            if self._arguments is None:
                self._arguments = await self._prepared()
            return await connect(self._arguments)
        except BaseException as error:
            if isinstance(error, NotConnected) and error.sqlstate is None:
                self._fail_waiting(error)
            self._make_room()
            raise

    async def _prepared(self) -> Mapping[str, Any]:
        """The result of `prepare`. Concurrent callers share one call and its failure."""
        if self._preparing is None:
            self._preparing = asyncio.get_running_loop().create_task(_result(self._prepare))
            self._preparing.add_done_callback(self._end_preparing)
        return await asyncio.shield(self._preparing)

    def _end_preparing(self, done: asyncio.Task[Mapping[str, Any]]) -> None:
        self._preparing = None
        if not done.cancelled():
            done.exception()  # marks it as retrieved, also when no caller waits any more

    async def _wait(self) -> ServerConnection | None:
        """The next connection that is returned, or `None` when there is room to open one."""
        waiting: asyncio.Future[ServerConnection | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        try:
            async with asyncio.timeout(self._timeout):
                return await waiting
        except BaseException as error:
            if waiting.done() and not waiting.cancelled() and waiting.exception() is None:
                received = waiting.result()  # it arrived in the same moment
                self._make_room() if received is None else self.give(received)
            if isinstance(error, TimeoutError):
                raise Unavailable(
                    f"all connections stayed in use for {self._timeout:g} seconds; try again, or make `pool` larger",
                    part="postgres",
                    unsent=True,
                ) from error
            raise

    def _hand_on(self, what: ServerConnection | None) -> bool:
        while self._waiting:
            first = self._waiting.popleft()
            if not first.done():
                first.set_result(what)
                return True
        return False

    def _fail_waiting(self, error: Exception) -> None:
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_exception(error)

    def _make_room(self) -> None:
        if not self._hand_on(None):
            self._room += 1

    def _discard(self, connection: ServerConnection) -> None:
        if connection.pgconn.status == ConnStatus.BAD:
            self._owner.lost += 1
        connection.pgconn.finish()
        self._make_room()


async def _result(prepare: Prepare) -> Mapping[str, Any]:
    return await prepare()
