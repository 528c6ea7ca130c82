"""Streams in a SQLite file, shared by threads and processes."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Self

from memwell.backends.sqlite import purging
from memwell.backends.sqlite.database import Database, Durability
from memwell.backends.sqlite.part import SqlitePart, options_of
from memwell.ports import Entry, Log
from memwell.ports.positions import number, position
from memwell.types import Trace
from memwell.urls import Url

__all__ = ["SqliteLog"]

MIGRATIONS = (
    """
    CREATE TABLE memwell_log_stream (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
    CREATE TABLE memwell_log_entry (
      id INTEGER PRIMARY KEY AUTOINCREMENT, stream INTEGER NOT NULL, at REAL NOT NULL, data BLOB NOT NULL
    );
    CREATE INDEX memwell_log_entry_stream ON memwell_log_entry (stream);
    """,
)

_STREAM = "SELECT id FROM memwell_log_stream WHERE name = ?"
_NEW_STREAM = "INSERT INTO memwell_log_stream (name) VALUES (?)"
_LAST = "SELECT seq FROM sqlite_sequence WHERE name = 'memwell_log_entry'"
_NEWEST = "SELECT max(id) FROM memwell_log_entry WHERE stream = ?"
_ADD = "INSERT INTO memwell_log_entry (id, stream, at, data) VALUES (?, ?, ?, ?)"
_READ = """SELECT e.id, e.at, e.data FROM memwell_log_stream s JOIN memwell_log_entry e ON e.stream = s.id
  WHERE s.name = ? AND e.id > ? ORDER BY e.id LIMIT ?"""
_LATEST = """SELECT e.id, e.at, e.data FROM memwell_log_stream s JOIN memwell_log_entry e ON e.stream = s.id
  WHERE s.name = ? ORDER BY e.id DESC LIMIT 1"""
_KEEP = """DELETE FROM memwell_log_entry WHERE stream = ?1 AND id <=
  (SELECT id FROM memwell_log_entry WHERE stream = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)"""
_THROUGH = "DELETE FROM memwell_log_entry WHERE stream = ? AND id <= ?"
_ONE = "DELETE FROM memwell_log_entry WHERE stream = ? AND id = ?"
_EMPTY = """DELETE FROM memwell_log_stream WHERE id = ?1
  AND NOT EXISTS (SELECT 1 FROM memwell_log_entry WHERE stream = ?1)"""


class SqliteLog(SqlitePart, Log):
    """Streams in two tables of the file at `path` (or `":memory:"`), beside whatever else memwell keeps
    there.

    Positions grow over all streams of the file together, for as long as the file exists. `clock` gives
    seconds since 1970.
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
        numbers = self._database.submit(lambda connection: self._add(connection, stream, entries))
        return [position(number) for number in numbers]

    async def _append_if(self, stream: str, entries: Sequence[bytes], last: str | None) -> list[str] | None:
        after = 0 if last is None else number(last)

        def job(connection: sqlite3.Connection) -> range | None:
            known = _stream(connection, stream)
            newest = None if known is None else connection.execute(_NEWEST, (known,)).fetchone()[0]
            return None if newest is not None and newest > after else self._add(connection, stream, entries)

        numbers = self._database.submit(job)
        return None if numbers is None else [position(number) for number in numbers]

    async def _remove(self, stream: str, positions: Sequence[str]) -> int:
        numbers = {number(position) for position in positions}

        def job(connection: sqlite3.Connection) -> int:
            known = _stream(connection, stream)
            if known is None:
                return 0
            gone = connection.executemany(_ONE, [(known, count) for count in numbers]).rowcount
            connection.execute(_EMPTY, (known,))
            return gone

        return self._database.submit(job)

    def _add(self, connection: sqlite3.Connection, stream: str, entries: Sequence[bytes]) -> range:
        name = _stream(connection, stream)
        if name is None:
            name = connection.execute(_NEW_STREAM, (stream,)).lastrowid
        row = connection.execute(_LAST).fetchone()
        first = 1 + (row[0] if row else 0)
        numbers = range(first, first + len(entries))
        now = self._clock()
        rows = zip(numbers, entries, strict=True)
        connection.executemany(_ADD, [(at, name, now, data) for at, data in rows])
        return numbers

    async def _read(self, stream: str, after: str | None, limit: int) -> list[Entry]:
        start = 0 if after is None else number(after)
        rows = self._database.read().execute(_READ, (stream, start, min(limit, 2**62))).fetchall()
        return [_entry(*row) for row in rows]

    async def _purge(self, texts: Sequence[str] | None) -> list[Trace]:
        return purging.purge(self._database, texts)

    async def _last(self, stream: str) -> Entry | None:
        row = self._database.read().execute(_LATEST, (stream,)).fetchone()
        return None if row is None else _entry(*row)

    async def _trim(self, stream: str, keep: int, through: str | None) -> int:
        last = None if through is None else number(through)

        def job(connection: sqlite3.Connection) -> int:
            known = _stream(connection, stream)
            if known is None:
                return 0
            if last is None:
                gone = connection.execute(_KEEP, (known, min(keep, 2**62))).rowcount
            else:
                gone = connection.execute(_THROUGH, (known, last)).rowcount
            connection.execute(_EMPTY, (known,))
            return gone

        return self._database.submit(job)


def _stream(connection: sqlite3.Connection, name: str) -> int | None:
    row = connection.execute(_STREAM, (name,)).fetchone()
    return None if row is None else int(row[0])


def _entry(count: int, at: float, data: bytes) -> Entry:
    return Entry(position=position(count), at=datetime.fromtimestamp(at, UTC), data=data)
