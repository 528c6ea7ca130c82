"""The pools that one part uses: one for each event loop, or one for all threads where the part works without a loop.

They are shared with the other parts that connect in the same way. Connections cannot be passed from loop to loop, nor
over a fork. A part prepares itself on each loop, by its migrations, and joins the loop's pool of its terms then; the
pool is closed when its last part leaves.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any, Final, TypeAlias

import psycopg
from psycopg.pq import ConnStatus

from memwell._forks import fork_safe, leave_to_parent
from memwell.backends.postgres.connections import Connection, Lost, ServerConnection
from memwell.backends.postgres.pool import Pool, Terms, closed
from memwell.backends.postgres.threads import ThreadPool
from memwell.backends.sharing import Shared

__all__ = ["Pools"]

Prepare: TypeAlias = Callable[[], Awaitable[Terms]]
"""Called before the first connection of a loop."""

Loop: TypeAlias = asyncio.AbstractEventLoop | None
_pools: Final[Shared[Any]] = Shared()
"""By event loop and terms; without a loop, that of the threads."""


class Pools:
    """One part's connections to one server."""

    def __init__(self, prepare: Prepare) -> None:
        self._prepare = prepare
        self.here = False
        """Whether callers wait in their own threads, without an event loop."""
        self.lost = 0
        """Connections that broke, of the pools that the part uses: the server or the network went away."""
        self._of: dict[Loop, _Access | _ThreadAccess] = {}
        fork_safe(self._reset)

    def connection(self) -> AbstractAsyncContextManager[Connection]:
        """A connection in autocommit mode, for the caller alone until the end of the block."""
        return _Lent(self._access())

    def drop_idle(self) -> None:
        """Close the connections of this loop that are not in use: they may be broken without knowing it."""
        if pool := self._access().pool:
            pool.drop_idle()

    async def close(self) -> None:
        """Leave every pool. Those without other users close each connection: now, or when it comes back."""
        here = None if self.here else asyncio.get_running_loop()
        for loop in list(self._of):
            access = self._of.pop(loop, None)
            if access is None:
                continue
            if loop is not None and loop is not here and loop.is_running():
                with suppress(RuntimeError):  # it ended meanwhile
                    loop.call_soon_threadsafe(access.close)
                    continue
            access.close()

    def _access(self) -> _Access | _ThreadAccess:
        loop = None if self.here else asyncio.get_running_loop()
        found = self._of.get(loop)
        if found is None:
            for other in list(self._of):
                if other is not None and other.is_closed() and (unused := self._of.pop(other, None)):
                    unused.close()
            made = _ThreadAccess(self, self._prepare) if loop is None else _Access(self, loop, self._prepare)
            found = self._of.setdefault(loop, made)
        return found

    def _reset(self) -> None:
        leave_to_parent(self._of)
        self._of = {}


class _Access:
    """One part's use of the pool of one loop."""

    def __init__(self, owner: Pools, loop: asyncio.AbstractEventLoop, prepare: Prepare) -> None:
        self.pool: Pool | None = None
        """Once the part is prepared."""
        self.closed = False
        self._owner = owner
        self._loop = loop
        self._prepare = prepare
        self._preparing: asyncio.Task[Terms] | None = None
        self._key: tuple[Loop, Terms] | None = None

    async def join(self) -> Pool:
        """The pool. Raises `Closed` where the part was closed meanwhile."""
        terms = await self._terms()
        if self.closed:
            raise closed()
        if self.pool is None:
            self._key = (self._loop, terms)
            self.pool = _pools.join(self._key, self, lambda: Pool(terms))
        return self.pool

    def count_lost(self) -> None:
        """See `Pools.lost`."""
        self._owner.lost += 1

    def close(self) -> None:
        """Leave the pool. Calls of this part that wait raise `Closed`; those of others go on."""
        self.closed = True
        if self._preparing is not None and not self._loop.is_closed():
            self._preparing.cancel()
        pool, self.pool = self.pool, None
        if pool is None:
            return
        pool.dismiss(self)
        if _pools.leave(self._key, pool, self) or self._loop.is_closed():
            pool.close()

    async def _terms(self) -> Terms:
        """What `prepare` gives. It is called once for all who ask meanwhile, and they share its failure."""
        if self.closed:
            raise closed()
        preparing = self._preparing
        if preparing is None:
            preparing = self._preparing = self._loop.create_task(_result(self._prepare))
            preparing.add_done_callback(self._end_preparing)
        try:
            return await asyncio.shield(preparing)
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if self.closed and not (caller and caller.cancelling()):
                raise closed() from None
            raise

    def _end_preparing(self, done: asyncio.Task[Terms]) -> None:
        self._preparing = None
        if not done.cancelled():
            done.exception()  # seen, also when no caller waits any more


class _ThreadAccess:
    """One part's use of the pool of all threads."""

    def __init__(self, owner: Pools, prepare: Prepare) -> None:
        self.pool: ThreadPool | None = None
        """Once the part is prepared."""
        self.closed = False
        self._owner = owner
        self._prepare = prepare
        self._preparing = threading.RLock()
        self._key: tuple[Loop, Terms] | None = None

    async def join(self) -> ThreadPool:
        """The pool. Raises `Closed` where the part was closed meanwhile."""
        with self._preparing:
            if self.pool is None:
                if self.closed:
                    raise closed()
                self._key = (None, terms := await self._prepare())
                if self.closed:
                    raise closed()
                self.pool = _pools.join(self._key, self, lambda: ThreadPool(terms))
            return self.pool

    def count_lost(self) -> None:
        """See `Pools.lost`."""
        self._owner.lost += 1

    def close(self) -> None:
        """Leave the pool. Calls of this part that wait raise `Closed`; those of others go on."""
        self.closed = True
        pool, self.pool = self.pool, None
        if pool is not None:
            pool.dismiss(self)
            if _pools.leave(self._key, pool, self):
                pool.close()


class _Lent:
    """One connection, while it is lent. (A generator would take four times as long.)"""

    __slots__ = ("_access", "_connection", "_pool")

    def __init__(self, access: _Access | _ThreadAccess) -> None:
        self._access = access
        self._pool: Pool | ThreadPool | None = None
        self._connection: ServerConnection | None = None

    async def __aenter__(self) -> Connection:
        access = self._access
        pool = access.pool or await access.join()
        connection = await pool.take(access)
        self._pool, self._connection = pool, connection
        pool.watch.add(connection)
        return connection

    async def __aexit__(self, _: object, error: BaseException | None, trace: object) -> None:
        pool, connection = self._pool, self._connection
        if pool is None or connection is None:
            return
        broken = connection.pgconn.status == ConnStatus.BAD
        pool.watch.remove(connection)
        pool.give(connection)
        if broken and isinstance(error, psycopg.OperationalError):
            raise Lost(error, silent=connection.silent) from error


async def _result(prepare: Prepare) -> Terms:
    return await prepare()
