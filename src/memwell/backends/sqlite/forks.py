"""SQLite and forks: a child must neither use nor close the connections of its parent.

A fork waits for running transactions, so that the child inherits none that is half done. The child keeps the
inherited connections open and opens new ones. SQLite assumes in the child that this process still holds the locks of
the inherited connections, but locks are not inherited. The child therefore takes them itself. Otherwise a third
process could find the file unused after the parent has ended, and delete the write-ahead log that the child uses.

A limit that memwell cannot remove: if another thread is executing a *read* at the moment of the fork, the child
inherits any mutex of SQLite or of the C library that this thread held. Fork before starting threads, or use spawn.
"""

from __future__ import annotations

import contextlib
import os
import weakref
from typing import TYPE_CHECKING

from memwell._forks import leave_to_parent
from memwell.backends.sqlite.connect import Connection, connections
from memwell.backends.sqlite.writer_queue import Ticket
from memwell.errors import MemwellError

if TYPE_CHECKING:
    from memwell.backends.sqlite.database import Database

__all__ = ["register", "unregister"]

PATIENCE = 5.0
"""Seconds a fork waits for a transaction of another thread."""
SHARED = (510, 0x40000002)
"""Length and offset of what every reader locks in the file:
https://sqlite.org/fileformat2.html#the_lock_byte_page"""
ALIVE = (1, 128)
"""What everyone who has the `-shm` file open locks in it: the "dead man's switch" of SQLite's os_unix.c."""

_databases: weakref.WeakSet[Database] = weakref.WeakSet()
_paused: list[tuple[Database, Ticket]] = []
_inherited: list[Connection] = []


def register(database: Database) -> None:
    """Prepare this database for forks from now on."""
    _databases.add(database)


def unregister(database: Database) -> None:
    """The database was closed."""
    _databases.discard(database)


def _before() -> None:
    for database in list(_databases):
        ticket = Ticket()
        with contextlib.suppress(MemwellError, RuntimeError):
            database.pause(ticket, PATIENCE)
            _paused.append((database, ticket))
    _inherited.extend(connections)  # otherwise the child would close those of other threads


def _in_parent() -> None:
    _inherited.clear()
    while _paused:
        database, ticket = _paused.pop()
        database.resume(ticket)


def _in_child() -> None:
    _paused.clear()
    for path in {connection.path for connection in _inherited} - {":memory:"}:
        _lock(path, *SHARED)
        _lock(f"{path}-shm", *ALIVE)
    for connection in _inherited:
        leave_to_parent(connection)
    for database in list(_databases):
        database.forget_parent()


def _lock(path: str, length: int, offset: int) -> None:
    """Share a lock on a part of a file until this process ends."""
    import fcntl

    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)  # never closed: closing any would drop every lock on the file
        fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB, length, offset)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
