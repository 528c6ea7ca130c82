"""Keys and values in a SQLite file, shared by threads and processes."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Self

from memwell.backends.sqlite.database import Database, Durability
from memwell.backends.sqlite.part import SqlitePart, options_of
from memwell.ports import KeyValue
from memwell.ports.counters import added
from memwell.ports.declaration import Effect, operation
from memwell.urls import Url

__all__ = ["SqliteKeyValue"]

SWEEP = 16
"""Expired keys removed at most by one write."""
AT_ONCE = 500
"""Keys asked for in one statement."""

MIGRATIONS = (
    """
    CREATE TABLE memwell_keyvalue (key TEXT NOT NULL PRIMARY KEY, value BLOB NOT NULL, expires_at REAL);
    CREATE INDEX memwell_keyvalue_expiry ON memwell_keyvalue (expires_at) WHERE expires_at IS NOT NULL;
    """,
)

_GET = "SELECT key, value FROM memwell_keyvalue WHERE key = ? AND (expires_at IS NULL OR expires_at > ?)"
_SET = """INSERT INTO memwell_keyvalue (key, value, expires_at) VALUES (?, ?, ?)
  ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at"""
_COUNT = "UPDATE memwell_keyvalue SET value = ? WHERE key = ?"
_DELETE = "DELETE FROM memwell_keyvalue WHERE key = ?"
_SWEEP = """DELETE FROM memwell_keyvalue WHERE rowid IN
  (SELECT rowid FROM memwell_keyvalue WHERE expires_at IS NOT NULL AND expires_at <= ? LIMIT ?)"""


class SqliteKeyValue(SqlitePart, KeyValue):
    """Values in one table of the file at `path` (or `":memory:"`), beside whatever else memwell keeps there.

    Expired values are never returned; each write sweeps a few of them. Processes that share the file share
    their clock, so `clock` gives seconds since 1970.
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
        self._open(Database(path, durability=durability, timeout=timeout), "keyvalue", MIGRATIONS)

    @classmethod
    def from_url(cls, url: Url) -> Self:
        """`sqlite:///relative.db`, `sqlite:////absolute.db`; options `durability` (normal or full) and `timeout`."""
        return cls(**options_of(url))

    @operation(Effect.UPKEEP)
    async def sweep(self) -> int:
        """Remove every value that has expired; how many went."""
        now, gone = self._clock(), 0
        while some := self._database.submit(
            lambda connection: connection.execute(_SWEEP, (now, 1000)).rowcount
        ):
            gone += some
        return gone

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        connection = self._database.read()
        now = self._clock()
        if len(keys) == 1:
            return dict(connection.execute(_GET, (keys[0], now)).fetchall())
        found: dict[str, bytes] = {}
        for at in range(0, len(keys), AT_ONCE):
            part = keys[at : at + AT_ONCE]
            marks = ",".join("?" * len(part))
            found.update(connection.execute(_GET.replace("= ?", f"IN ({marks})", 1), (*part, now)).fetchall())
        return found

    async def _set_many(self, values: Mapping[str, bytes], ttl: float | None) -> None:
        def job(connection: sqlite3.Connection) -> None:
            now = self._clock()
            expiry = None if ttl is None else now + ttl
            connection.executemany(_SET, [(key, value, expiry) for key, value in values.items()])
            connection.execute(_SWEEP, (now, SWEEP))

        self._database.submit(job)

    async def _add(self, key: str, value: bytes, ttl: float | None) -> bool:
        def job(connection: sqlite3.Connection) -> bool:
            now = self._clock()
            if _value(connection, key, now) is not None:
                return False
            connection.execute(_SET, (key, value, None if ttl is None else now + ttl))
            connection.execute(_SWEEP, (now, SWEEP))
            return True

        return self._database.submit(job)

    async def _replace(self, key: str, value: bytes, expected: bytes, ttl: float | None) -> bool:
        def job(connection: sqlite3.Connection) -> bool:
            now = self._clock()
            if _value(connection, key, now) != expected:
                return False
            connection.execute(_SET, (key, value, None if ttl is None else now + ttl))
            return True

        return self._database.submit(job)

    async def _increment(self, key: str, by: int, ttl: float | None) -> int:
        def job(connection: sqlite3.Connection) -> int:
            now = self._clock()
            value = _value(connection, key, now)
            total = added(value, by)
            if value is None:
                connection.execute(_SET, (key, b"%d" % total, None if ttl is None else now + ttl))
            else:
                connection.execute(_COUNT, (b"%d" % total, key))
            return total

        return self._database.submit(job)

    async def _delete(self, key: str, expected: bytes | None) -> bool:
        def job(connection: sqlite3.Connection) -> bool:
            value = _value(connection, key, self._clock())
            if value is None or (expected is not None and value != expected):
                return False
            connection.execute(_DELETE, (key,))
            return True

        return self._database.submit(job)


def _value(connection: sqlite3.Connection, key: str, now: float) -> bytes | None:
    row = connection.execute(_GET, (key, now)).fetchone()
    return None if row is None else bytes(row[1])
