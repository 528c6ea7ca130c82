"""Connections of callers without an event loop: each waits for the server in its own thread.

So a call takes one round trip and no change of threads. All such callers of a process share one pool for each server.
What they cannot wait for themselves (a new connection, a silent server) runs on the loop that they share.
"""

from __future__ import annotations

import threading
import time
from collections import deque

from psycopg.pq import ConnStatus, TransactionStatus

from memwell.backends.postgres.connections import NotConnected, ServerConnection, alive, connect
from memwell.backends.postgres.pool import IDLE, Terms, User, closed, exhausted
from memwell.backends.postgres.watch import ThreadWatch
from memwell.backends.sharing import Used

__all__ = ["ThreadPool"]


class ThreadPool(Used):
    """As `Pool`, for threads. No coroutine of it suspends."""

    def __init__(self, terms: Terms) -> None:
        super().__init__()
        self._arguments = dict(terms.arguments)
        self._room = terms.size
        """How many more may be opened."""
        self._timeout = terms.timeout
        self.watch = ThreadWatch(self._arguments, terms.patience)
        self._idle: deque[tuple[float, ServerConnection]] = deque()
        self._lock = threading.RLock()  # a handler of signals may use the pool, too
        """Guards all this. (A signal that comes while a `Condition` is entered would leave it held.)"""
        self._changed = threading.Condition(self._lock)
        """Wakes those who wait for a connection."""
        self._failed: NotConnected | None = None
        """Why the last connection could not be opened."""
        self._closed = False

    async def take(self, user: User) -> ServerConnection:
        """A free connection, else a new one, else the next that comes back."""
        with self._lock:
            found = self._free() or self._wait(user)
        return await self._open() if found is None else found

    def give(self, connection: ServerConnection) -> None:
        """Take back a connection; one that is broken, or was left inside a statement or transaction, or with its lock
        held by an interrupt, is closed.
        """
        idle = connection.pgconn.transaction_status == TransactionStatus.IDLE
        sound = idle and not connection.lock.locked()
        now = time.monotonic()
        with self._lock:
            if self._closed or not sound:
                self._discard(connection)
            else:
                self._idle.append((now, connection))
                if self._idle[0][0] < now - IDLE:
                    self._discard(self._idle.popleft()[1])
                self._changed.notify()

    def drop_idle(self) -> None:
        """Close the connections that are not in use: they may be broken without knowing it."""
        with self._lock:
            while self._idle:
                self._discard(self._idle.pop()[1])

    def dismiss(self, user: User) -> None:  # noqa: ARG002  it is marked as closed
        """Refuse the calls of a part that wait for a connection; those of others go on waiting."""
        with self._lock:
            self._changed.notify_all()

    def close(self) -> None:
        """Close every connection that is not in use, and those in use when they come back."""
        with self._lock:
            self._closed = True
            self.watch.close()
            self.drop_idle()
            self._changed.notify_all()

    def _free(self) -> ServerConnection | None:
        while self._idle:
            _, connection = self._idle.pop()
            if alive(connection):
                return connection
            self._discard(connection)
        return None

    def _wait(self, user: User) -> ServerConnection | None:
        """The next connection that comes back, or `None` when there is room to open one, which is taken."""
        until, failed = time.monotonic() + self._timeout, self._failed
        while True:
            if self._closed or user.closed:
                raise closed()
            if self._room > 0:
                self._room -= 1
                return None
            left = until - time.monotonic()
            if left <= 0 or not self._changed.wait(left):
                raise exhausted(self._timeout)
            if self._failed is not None and self._failed is not failed:
                raise self._failed
            if (found := self._free()) is not None:
                return found

    async def _open(self) -> ServerConnection:
        """A new connection, for which room was made before. When the server cannot be reached, those who wait for a
        connection get the same error: each of them would find that out again."""
        try:
            return await connect(self._arguments, here=True)
        except BaseException as error:
            with self._lock:
                if isinstance(error, NotConnected) and error.sqlstate is None:
                    self._failed = error
                    self._changed.notify_all()
                self._make_room()
            raise

    def _make_room(self) -> None:
        self._room += 1
        self._changed.notify()

    def _discard(self, connection: ServerConnection) -> None:
        if connection.pgconn.status == ConnStatus.BAD:
            for user in list(self.users):
                user.count_lost()
        connection.pgconn.finish()
        self._make_room()
