"""Streams in a SQLite file, shared by threads and processes."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Self

from memwell.backends.sqlite.database import Database, Durability
from memwell.backends.sqlite.part import SqlitePart, options_of
from memwell.ports import Append, Entry, Log
from memwell.ports.positions import number, position
from memwell.urls import Url

if TYPE_CHECKING:
    from memwell.types import Trace

__all__ = ["SqliteLog"]

MIGRATIONS = (
    """
    CREATE TABLE memwell_log_stream (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
    CREATE TABLE memwell_log_entry (
      id INTEGER PRIMARY KEY AUTOINCREMENT, stream INTEGER NOT NULL, at REAL NOT NULL, data BLOB NOT NULL
    );
    CREATE INDEX memwell_log_entry_stream ON memwell_log_entry (stream);
    """,
    """
    CREATE TABLE memwell_log_item (id INTEGER PRIMARY KEY, at REAL NOT NULL, data BLOB NOT NULL);
    CREATE TABLE memwell_log_removed (last INTEGER NOT NULL);
    INSERT INTO memwell_log_item SELECT stream << 40 | id, at, data FROM memwell_log_entry;
    INSERT INTO memwell_log_removed
      SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'memwell_log_entry';
    DROP INDEX memwell_log_entry_stream;
    DROP TABLE memwell_log_entry;
    """,
)
"""An id is made of the stream and the position: entries of a stream are neighbours, and an append changes one
page. `memwell_log_removed` holds the highest position among removed entries: none is given out again.
"""

_PLACE: Final = 2**40
"""Positions of a stream."""
_STREAM = "SELECT id FROM memwell_log_stream WHERE name = ?"
_NEW_STREAM: Final = "INSERT INTO {0}.memwell_log_stream (name) VALUES (?)"
_END: Final = """SELECT s.id, (SELECT last FROM {0}.memwell_log_removed), i.id, i.data
  FROM {0}.memwell_log_stream s LEFT JOIN {0}.memwell_log_item i ON i.id =
    (SELECT max(id) FROM {0}.memwell_log_item WHERE id > s.id << 40 AND id < (s.id + 1) << 40)
  WHERE s.name = ?"""
"""Number of a stream, the highest position that was removed, and its newest entry."""
_NEXT: Final = """INSERT INTO {0}.memwell_log_item (id, at, data)
  SELECT (s.id << 40) + ?1 + 1, ?2, ?3 FROM {0}.memwell_log_stream s
  WHERE s.name = ?4 AND (SELECT last FROM {0}.memwell_log_removed) <= ?1
    AND NOT EXISTS (SELECT 1 FROM {0}.memwell_log_item WHERE id > (s.id << 40) + ?1 AND id < (s.id + 1) << 40)"""
"""An entry after a position, if there is none yet."""
_ADD: Final = "INSERT INTO {0}.memwell_log_item (id, at, data) VALUES (?, ?, ?)"
_OF_STREAM: Final = "i.id > s.id << 40 AND i.id < (s.id + 1) << 40"
_READ = f"""SELECT i.id, i.at, i.data FROM memwell_log_stream s JOIN memwell_log_item i ON {_OF_STREAM}
  WHERE s.name = ? AND i.id > (s.id << 40) + ? ORDER BY i.id LIMIT ?"""
_LATEST = f"""SELECT i.id, i.at, i.data FROM memwell_log_stream s JOIN memwell_log_item i ON {_OF_STREAM}
  WHERE s.name = ? ORDER BY i.id DESC LIMIT 1"""
_IN_STREAM: Final = "id > ?1 << 40 AND id < (?1 + 1) << 40"
_REMOVING = f"""UPDATE memwell_log_removed SET last =
  max(last, (SELECT coalesce(max(id), 0) & (1 << 40) - 1 FROM memwell_log_item WHERE {_IN_STREAM}))"""
_KEEP = f"""DELETE FROM memwell_log_item WHERE {_IN_STREAM} AND id <=
  (SELECT id FROM memwell_log_item WHERE {_IN_STREAM} ORDER BY id DESC LIMIT 1 OFFSET ?2)"""
_THROUGH = f"DELETE FROM memwell_log_item WHERE {_IN_STREAM} AND id <= (?1 << 40) + ?2"
_ONE = "DELETE FROM memwell_log_item WHERE id = ?"
_EMPTY = f"""DELETE FROM memwell_log_stream WHERE id = ?1
  AND NOT EXISTS (SELECT 1 FROM memwell_log_item WHERE {_IN_STREAM})"""


class SqliteLog(SqlitePart, Log):
    """Streams in two tables of the file at `path` (or `":memory:"`), beside whatever else memwell keeps
    there.

    `clock` gives seconds since 1970.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        durability: Durability = "normal",
        timeout: float = 30.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._open(Database(path, durability=durability, timeout=timeout), "log", MIGRATIONS)

    @classmethod
    def from_url(cls, url: Url) -> Self:
        """`sqlite:///relative.db`, `sqlite:////absolute.db`; options `durability` (normal or full) and `timeout`."""
        return cls(**options_of(url))

    async def _append(self, stream: str, entries: Sequence[bytes]) -> list[str]:
        return self._database.submit(lambda connection: self._add(_End(connection, "main", stream), entries))

    async def _append_if(self, stream: str, entries: Sequence[bytes], last: str | None) -> list[str] | None:
        after = 0 if last is None else number(last)

        def job(connection: sqlite3.Connection) -> list[str] | None:
            end = _End(connection, "main", stream)
            return None if end.newest > after else self._add(end, entries)

        return self._database.submit(job)

    async def _remove(self, stream: str, positions: Sequence[str]) -> int:
        numbers = {number(position) for position in positions}

        def job(connection: sqlite3.Connection) -> int:
            known = _stream(connection, stream)
            if known is None:
                return 0
            connection.execute(_REMOVING, (known,))
            gone = connection.executemany(
                _ONE, [(known * _PLACE + count,) for count in numbers if count < _PLACE]
            ).rowcount
            connection.execute(_EMPTY, (known,))
            return gone

        return self._database.submit(job)

    def _add(self, end: _End, entries: Sequence[bytes]) -> list[str]:
        first, now, insert = end.first(), self._clock(), _in(_ADD, end.schema)
        base = (end.stream or 0) * _PLACE + first
        if len(entries) == 1:
            end.connection.execute(insert, (base, now, entries[0]))
        else:
            end.connection.executemany(insert, [(base + at, now, data) for at, data in enumerate(entries)])
        return [position(first + at) for at in range(len(entries))]

    async def _read(self, stream: str, after: str | None, limit: int) -> list[Entry]:
        start = 0 if after is None else number(after)
        rows = (
            self._database.read()
            .execute(_READ, (stream, min(start, _PLACE - 1), min(limit, 2**62)))
            .fetchall()
        )
        return [_entry(*row) for row in rows]

    async def _purge(self, texts: Sequence[str] | None) -> list[Trace]:
        from memwell.backends.sqlite import purging

        return purging.purge(self._database, texts)

    async def _last(self, stream: str) -> Entry | None:
        row = self._database.read().execute(_LATEST, (stream,)).fetchone()
        return None if row is None else _entry(*row)

    def schema_in(self, database: Database) -> str | None:
        """The schema under which the writer of a database sees this log; `None` if it cannot."""
        return database.attach(self._database)

    def append_in(
        self, connection: sqlite3.Connection, schema: str, given: Append, results: list[Any]
    ) -> list[str]:
        """Apply an `Append` in the transaction of a writer that sees this log under the schema."""
        if given.after is not None:
            known, data = given.after
            entries, last = given.entries(results, data), int(known)
            if not entries:
                return []
            if len(entries) == 1:
                values = (last, self._clock(), entries[0], given.stream)
                if connection.execute(_in(_NEXT, schema), values).rowcount:
                    return [position(last + 1)]
        end = _End(connection, schema, given.stream)
        entries = given.entries(results, end.data)
        return self._add(end, entries) if entries else []

    async def _trim(self, stream: str, keep: int, through: str | None) -> int:
        last = None if through is None else number(through)

        def job(connection: sqlite3.Connection) -> int:
            known = _stream(connection, stream)
            if known is None:
                return 0
            connection.execute(_REMOVING, (known,))
            if last is None:
                gone = connection.execute(_KEEP, (known, min(keep, 2**62))).rowcount
            else:
                gone = connection.execute(_THROUGH, (known, min(last, _PLACE - 1))).rowcount
            connection.execute(_EMPTY, (known,))
            return gone

        return self._database.submit(job)


def _stream(connection: sqlite3.Connection, name: str) -> int | None:
    row = connection.execute(_STREAM, (name,)).fetchone()
    return None if row is None else int(row[0])


class _End:
    """The end of a stream, in a transaction."""

    __slots__ = ("_removed", "connection", "data", "name", "newest", "schema", "stream")

    def __init__(self, connection: sqlite3.Connection, schema: str, name: str) -> None:
        self.connection, self.schema, self.name = connection, schema, name
        self._read()

    def _read(self) -> None:
        row = self.connection.execute(_in(_END, self.schema), (self.name,)).fetchone()
        self.stream: int | None = row and row[0]
        self._removed: int = row[1] if row else 0
        self.newest = row[2] % _PLACE if row and row[2] else 0
        self.data: bytes | None = row and row[3]

    def first(self) -> int:
        """The number of the next entry; a new stream is created."""
        if self.stream is None:
            self.connection.execute(_in(_NEW_STREAM, self.schema), (self.name,))
            self._read()
        return 1 + max(self.newest, self._removed)


@cache
def _in(statement: str, schema: str) -> str:
    return statement.format(schema)


def _entry(count: int, at: float, data: bytes) -> Entry:
    return Entry(position=position(count % _PLACE), at=datetime.fromtimestamp(at, UTC), data=data)
