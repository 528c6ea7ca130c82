"""What SQLite needs around a fork: connections of the parent must neither be used nor closed in the child.

Before the fork each database's writer is waited for, so that the child does not inherit a transaction half
done. In the child the inherited connections are kept alive for ever and new ones are opened. SQLite still
believes, in the child, that this process holds the locks of the inherited connections, although locks are not
inherited; so the child takes them really. Else a third process could find the file unused once the parent has
gone, and clear the log away under the child.

What no library can help: when another thread is inside a *reading* statement at the moment of the fork, the
child inherits whatever mutex of SQLite or of the C library that thread held. Fork before starting threads, or
spawn.
"""

from __future__ import annotations

import contextlib
import os
import weakref
from typing import TYPE_CHECKING

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
_taken: list[tuple[Database, Ticket]] = []
_inherited: list[Connection] = []


def register(database: Database) -> None:
    """Look after this database at forks."""
    _databases.add(database)


def unregister(database: Database) -> None:
    """The database was closed."""
    _databases.discard(database)


def _before() -> None:
    for database in list(_databases):
        turn = Ticket()
        with contextlib.suppress(MemwellError, RuntimeError):
            database.pause(turn, PATIENCE)
            _taken.append((database, turn))
    _inherited.extend(connections)  # else the end of the other threads in the child would close theirs


def _in_parent() -> None:
    _inherited.clear()
    while _taken:
        database, turn = _taken.pop()
        database.resume(turn)


def _in_child() -> None:
    _taken.clear()
    for path in {connection.path for connection in _inherited} - {":memory:"}:
        _lock(path, *SHARED)
        _lock(f"{path}-shm", *ALIVE)
    for connection in _inherited:
        _keep_for_ever(connection)
    for database in list(_databases):
        database.forget_parent()


def _lock(path: str, length: int, offset: int) -> None:
    """Share a lock on a part of a file until this process ends."""
    import fcntl

    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)  # never closed: closing any would drop every lock on the file
        fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB, length, offset)


def _keep_for_ever(connection: Connection) -> None:
    """Never close it, not even when the interpreter ends: the thread that held its mutex is not here to let
    go."""
    with contextlib.suppress(ImportError):
        import ctypes

        ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
