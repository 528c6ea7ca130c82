"""One pool of connections for each event loop: connections cannot be passed from loop to loop, nor over a fork.

The pool is ours, since psycopg_pool 3.3 opens connections in tasks of its own: a caller learns only after his whole
timeout that the server is down, dead connections cost a second each, and a loop that is told to end while one is being
opened hangs. Here whoever finds none free opens one and gets the error. The connection used last is handed out first,
so that those warmed up stay warm and the others grow old.
"""

from __future__ import annotations

import asyncio
import select
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, TypeAlias

import psycopg
from psycopg.pq import TransactionStatus

from memwell._forks import fork_safe, leave_to_parent
from memwell.errors import Closed, Unavailable

__all__ = ["Connection", "Pools"]

Connection: TypeAlias = "psycopg.AsyncConnection[Any]"
Prepare: TypeAlias = Callable[[], Awaitable[Mapping[str, Any]]]
"""Called before the first connection of a loop; gives the arguments that connections are opened with."""

_IDLE: Final = 600.0
"""Seconds after which a connection that nobody needed is closed."""


class Pools:
    """The connections to one server."""

    def __init__(self, size: int, timeout: float, prepare: Prepare) -> None:
        self._size = size
        self._timeout = timeout
        self._prepare = prepare
        self._of: dict[asyncio.AbstractEventLoop, _Pool] = {}
        fork_safe(self._reset)

    def connection(self) -> AbstractAsyncContextManager[Connection]:
        """A connection in autocommit mode, to be used by the caller alone until he leaves the block."""
        return _Lent(self._pool())

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
            found = self._of[loop] = _Pool(self._size, self._timeout, self._prepare)
        return found

    def _reset(self) -> None:
        leave_to_parent(self._of)
        self._of = {}


class _Lent:
    """One connection, from its taking to its giving back. (A generator would take four times as long.)"""

    __slots__ = ("_connection", "_pool")

    def __init__(self, pool: _Pool) -> None:
        self._pool = pool
        self._connection: Connection | None = None

    async def __aenter__(self) -> Connection:
        self._connection = await self._pool.take()
        return self._connection

    async def __aexit__(self, *_: object) -> None:
        if self._connection is not None:
            self._pool.give(self._connection)


class _Pool:
    """The connections of one loop. Everything happens on that loop, so that only awaits let others in."""

    def __init__(self, size: int, timeout: float, prepare: Prepare) -> None:
        self._room = size
        """How many more may be opened."""
        self._timeout = timeout
        self._prepare = prepare
        self._preparing = asyncio.Lock()
        self._arguments: Mapping[str, Any] | None = None
        self._idle: deque[tuple[float, Connection]] = deque()
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._closed = False

    async def take(self) -> Connection:
        """A free connection, else a new one, else the next that comes back."""
        while self._idle:
            _, connection = self._idle.pop()
            if _alive(connection):
                return connection
            self._discard(connection)
        if self._room > 0:
            self._room -= 1
            return await self._open()
        handed = await self._wait()
        return await self._open() if handed is None else handed

    def give(self, connection: Connection) -> None:
        """Take back a connection; one that is broken, or was left inside a statement or transaction, is closed."""
        sound = connection.pgconn.transaction_status == TransactionStatus.IDLE
        if self._closed or not sound:
            self._discard(connection)
        elif not self._hand_on(connection):
            now = time.monotonic()
            self._idle.append((now, connection))
            if self._idle[0][0] < now - _IDLE:
                self._discard(self._idle.popleft()[1])

    def close(self) -> None:
        """See `Pools.close`."""
        self._closed = True
        while self._idle:
            self._discard(self._idle.pop()[1])
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_exception(Closed("the part was closed", part="postgres"))

    async def _open(self) -> Connection:
        """A new connection, for which room was made before."""
        try:
            if self._arguments is None:
                async with self._preparing:
                    if self._arguments is None:
                        self._arguments = await self._prepare()
            return await psycopg.AsyncConnection.connect(**self._arguments)
        except BaseException:
            self._make_room()
            raise

    async def _wait(self) -> Connection | None:
        """The next connection that comes back, or `None` when there is room to open one."""
        waiting: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        try:
            async with asyncio.timeout(self._timeout):
                return await waiting
        except BaseException as error:
            if waiting.done() and not waiting.cancelled() and waiting.exception() is None:
                handed = waiting.result()  # it came in the same moment
                self._make_room() if handed is None else self.give(handed)
            if isinstance(error, TimeoutError):
                raise Unavailable(
                    f"all connections stayed in use for {self._timeout:g} seconds; try again, or make `pool` larger",
                    part="postgres",
                ) from error
            raise

    def _hand_on(self, what: Connection | None) -> bool:
        while self._waiting:
            first = self._waiting.popleft()
            if not first.done():
                first.set_result(what)
                return True
        return False

    def _make_room(self) -> None:
        if not self._hand_on(None):
            self._room += 1

    def _discard(self, connection: Connection) -> None:
        connection.pgconn.finish()
        self._make_room()


def _alive(connection: Connection) -> bool:
    """Whether the server has not hung up meanwhile, as far as this side knows; no round trip."""
    if connection.closed:
        return False
    # An idle server speaks only of changed settings, or to say farewell: its last words come before the end itself.
    while _readable(connection.fileno()):
        try:
            connection.pgconn.consume_input()
        except psycopg.Error:
            return False
    return connection.pgconn.status == psycopg.pq.ConnStatus.OK


def _readable(file: int) -> bool:
    if not hasattr(select, "poll"):
        return bool(select.select([file], [], [], 0)[0])
    poll = select.poll()
    poll.register(file, select.POLLIN)
    return bool(poll.poll(0))
