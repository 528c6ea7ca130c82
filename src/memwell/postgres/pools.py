"""One pool of connections for each event loop: connections cannot be passed from loop to loop, nor over a fork."""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Self, TypeAlias
from weakref import WeakKeyDictionary, WeakSet

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolClosed

__all__ = ["Connection", "Pools"]

Connection: TypeAlias = "psycopg.AsyncConnection[Any]"
Prepare: TypeAlias = Callable[[], Awaitable[Mapping[str, Any]]]
"""Called before a pool opens; gives the arguments that its connections are opened with. What it raises, whoever wanted
a connection gets."""


class Pools:
    """The pools of one server. A pool whose server went away is given up as a whole, and the next caller opens another:
    so he is told at once that the server cannot be reached, instead of when a timeout is over."""

    def __init__(self, size: int, timeout: float, prepare: Prepare) -> None:
        self._size = size
        self._timeout = timeout
        self._prepare = prepare
        self._pid = os.getpid()
        self._of: WeakKeyDictionary[asyncio.AbstractEventLoop, _Pool] = WeakKeyDictionary()
        self._opening: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()
        self._inherited: list[Any] = []

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection in autocommit mode, to be used by the caller alone until he leaves the block."""
        pool, connection = await self._take()
        try:
            yield connection
        finally:
            await pool.putconn(connection)

    async def close(self) -> None:
        """Close the connections of every loop that still runs; those of the others are gone with their loop."""
        self._after_fork()
        here = asyncio.get_running_loop()
        for loop, pool in list(self._of.items()):
            if loop is here:
                await pool.close()
            elif loop.is_running():
                await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(pool.close(), loop))
        self._of.clear()

    async def _take(self) -> tuple[_Pool, _Connection]:
        while True:
            pool = await self._pool()
            try:
                connection = await pool.getconn()
            except PoolClosed:
                if not pool.given_up:
                    raise
                continue
            if _alive(connection):
                return pool, connection
            pool.give_up()
            await connection.close()

    async def _pool(self) -> _Pool:
        self._after_fork()
        loop = asyncio.get_running_loop()
        found = self._of.get(loop)
        if found is not None and not found.given_up:
            return found
        async with self._opening.setdefault(loop, asyncio.Lock()):
            found = self._of.get(loop)
            if found is None or found.given_up:
                found = _Pool(self._size, self._timeout, await self._prepare())
                await found.open()
                self._of[loop] = found
            return found

    def _after_fork(self) -> None:
        """A child leaves its parent's connections alone: even closing them would end the parent's sessions."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._inherited += [self._of, self._opening]
            self._of, self._opening = WeakKeyDictionary(), WeakKeyDictionary()


class _Pool(AsyncConnectionPool["_Connection"]):
    """A pool that gives itself up when a connection cannot be opened while none other lives."""

    def __init__(self, size: int, timeout: float, arguments: Mapping[str, Any]) -> None:
        super().__init__(
            kwargs={**arguments, "pool": self},
            connection_class=_Connection,
            min_size=1,
            max_size=size,
            open=False,
            timeout=timeout,
            reconnect_timeout=0,
            name="memwell",
        )
        self.given_up = False
        self.living: WeakSet[_Connection] = WeakSet()
        self._closing: asyncio.Task[None] | None = None

    def give_up(self) -> None:
        """Tell those who wait to try again elsewhere; connections in use are closed when they come back."""
        if not self.given_up:
            self.given_up = True
            self._closing = asyncio.get_running_loop().create_task(self.close())


class _Connection(psycopg.AsyncConnection[Any]):
    """Tells its pool how opening it went."""

    @classmethod
    async def connect(cls, conninfo: str = "", *, pool: _Pool, **arguments: Any) -> Self:  # type: ignore[override]
        try:
            made = await super().connect(conninfo, **arguments)
        except Exception:
            if all(connection.closed for connection in pool.living):
                pool.give_up()
            raise
        pool.living.add(made)
        return made


def _alive(connection: Connection) -> bool:
    """Whether the server has not hung up meanwhile, as far as this side knows; no round trip."""
    if connection.closed:
        return False
    ready, _, _ = _readable(connection.fileno())
    if ready:  # an idle server says nothing but that something changed, or farewell
        with suppress(psycopg.Error):
            connection.pgconn.consume_input()
            connection.pgconn.notifies()
    return not connection.closed and connection.pgconn.status == psycopg.pq.ConnStatus.OK


def _readable(file: int) -> tuple[Any, Any, Any]:
    if not hasattr(select, "poll"):
        return select.select([file], [], [], 0)
    poll = select.poll()
    poll.register(file, select.POLLIN)
    return poll.poll(0), [], []
