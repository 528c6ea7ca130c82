"""Opening connections to a SQLite file: mode, pragmas, and repeated attempts where SQLite does not wait by itself."""

from __future__ import annotations

import contextlib
import sqlite3
import time
import weakref
from collections.abc import Callable, Mapping
from typing import Any

from memwell._dataclasses import dataclass
from memwell.backends.sqlite.files import size_of, uri_of

__all__ = ["Connection", "Opening", "connections"]

STATEMENTS = 256
"""Prepared statements that each connection caches."""
WAL_KEPT = 64 * 2**20
"""Bytes that the write-ahead log may keep on disk once it was checkpointed."""
WAL_PAGES = 4000
"""A commit moves the write-ahead log into the file when it has this many pages of 4 KB. Moving syncs both files, and
moves a page once, however many commits changed it."""


class Connection(sqlite3.Connection):
    """A connection that closes when it is garbage collected, so never while a thread still uses it."""

    path: str
    version = -1
    """The file's `data_version` when `seen` was read."""
    seen: Mapping[str, Any] = {}
    """What a reader keeps of the file, by the name of its function, as long as no other connection writes."""

    def __del__(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self.close()


connections: weakref.WeakSet[Connection] = weakref.WeakSet()
"""Every open connection of this process; `forks` needs them."""


@dataclass(frozen=True, slots=True)
class Opening:
    """The settings of one database, from which connections are made."""

    path: str
    durability: str
    readonly: bool
    timeout: float
    setup: Callable[[sqlite3.Connection], None] | None

    def writer(self) -> Connection:
        """A connection that may write; the file is in WAL mode afterwards."""
        connection = self._connect("rwc")
        self._patiently(lambda: _use_wal(connection))
        connection.execute(f"PRAGMA synchronous={self.durability}")
        connection.execute(f"PRAGMA journal_size_limit={WAL_KEPT}")
        connection.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES}")
        connection.execute("PRAGMA secure_delete=ON")
        return self._set_up(connection)

    def reader(self) -> Connection:
        """A connection that refuses to write."""
        connection = self._connect("ro") if self.readonly else self._connect("rw")
        try:
            self._patiently(lambda: connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone())
        except sqlite3.OperationalError:
            if not self.readonly or self._has_unmerged_log():
                raise
            # WAL needs its side files even to read. Where they cannot be created, no other process can write either.
            connection.close()
            connection = self._connect("ro&immutable=1")
        connection.execute("PRAGMA query_only=1")
        return self._set_up(connection)

    def attach_to(self, connection: sqlite3.Connection, name: str) -> None:
        """Let a writer of another file write to this one, too, as to the schema `name`."""
        connection.execute(f"ATTACH ? AS {name}", (uri_of(self.path, "mode=rw"),))
        connection.execute(f"PRAGMA {name}.synchronous={self.durability}")
        connection.execute(f"PRAGMA {name}.journal_size_limit={WAL_KEPT}")
        connection.execute(f"PRAGMA {name}.secure_delete=ON")

    def checkpoint(self, connection: sqlite3.Connection) -> None:
        """Move the write-ahead log into the file, unless another connection prevents it."""
        with contextlib.suppress(sqlite3.Error):
            connection.execute("PRAGMA busy_timeout=0")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def _connect(self, mode: str) -> Connection:
        memory = self.path == ":memory:"
        connection = sqlite3.connect(
            self.path if memory else uri_of(self.path, f"mode={mode}"),
            uri=not memory,
            timeout=self.timeout,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=STATEMENTS,
            factory=Connection,
        )
        connection.path = self.path
        connections.add(connection)
        return connection

    def _set_up(self, connection: Connection) -> Connection:
        if self.setup is not None:
            self.setup(connection)
        return connection

    def _patiently(self, step: Callable[[], object]) -> None:
        """Repeat a step that SQLite refuses as locked without waiting: changing to WAL, or opening while
        another closes."""
        deadline = time.monotonic() + self.timeout
        while True:
            try:
                step()
                return
            except sqlite3.OperationalError as error:
                code = getattr(error, "sqlite_errorcode", 0) & 0xFF
                if code not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL):
                    raise
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.005)

    def _has_unmerged_log(self) -> bool:
        return size_of(f"{self.path}-wal") > 0


def _use_wal(connection: sqlite3.Connection) -> None:
    mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
    if mode not in ("wal", "memory"):
        connection.execute("PRAGMA journal_mode=WAL").fetchone()
