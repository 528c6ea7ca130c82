"""Streams in a PostgreSQL database, shared by all that connect to it.

URL: `postgresql://user:password@host/database`; the options are those of `memwell.backends.postgres`. Every call is one
statement and one round trip. An append that raises `Unavailable` changed nothing, unless the connection was lost after
the statement was sent: then the outcome is unknown.

Each stream has a row with the position of its last entry. An append updates that row and locks it until it commits:
appends to one stream run one after another, and a position is visible only after all lower ones. So a reader that
continues from the last position it saw misses nothing. Streams do not wait for each other.

Entries are partitioned by month; `memwell db maintain` creates partitions ahead of time and drops old ones. Entries of
a month without a partition go to a default one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from memwell.backends.postgres import Component, Connection, Database, Settings
from memwell.backends.postgres.part import PostgresPart
from memwell.backends.postgres.partitions import Partitioned
from memwell.ports import Append, Entry, Log
from memwell.ports.positions import number, position

__all__ = ["COMPONENT", "PARTITIONED", "PostgresLog"]

COMPONENT: Final = Component.of("log", Path(__file__).parent / "migrations" / "log")
"""The tables of this part."""
PARTITIONED: Final = Partitioned("memwell_log_entries", "at")
"""The one that is partitioned by month."""

_ENTER: Final = """, entered AS (
  INSERT INTO memwell_log_entries (stream, position, at, data)
  SELECT s.id, s.last - %(count)s + e.number, s.at, e.data
  FROM stream s, unnest(%(entries)s::bytea[]) WITH ORDINALITY AS e (data, number)
)
SELECT last FROM stream"""
_APPEND: Final = f"""
WITH stream AS (
  INSERT INTO memwell_log_streams AS s (name, last) VALUES (%(stream)s, %(count)s)
  ON CONFLICT (name) DO UPDATE SET last = s.last + excluded.last
  RETURNING id, last, coalesce(%(now)s::timestamptz, clock_timestamp()) AS at
){_ENTER}"""
_APPEND_IF: Final = f"""
WITH stream AS (
  UPDATE memwell_log_streams SET last = last + %(count)s WHERE name = %(stream)s AND last = %(after)s
  RETURNING id, last, coalesce(%(now)s::timestamptz, clock_timestamp()) AS at
){_ENTER}"""
"""The row is read as it is when it is locked: of two callers with the same position one finds it changed."""
_LOCK: Final = """INSERT INTO memwell_log_streams (name, last) VALUES (%(stream)s, 0)
ON CONFLICT (name) DO UPDATE SET name = excluded.name"""
_HOLD: Final = "SELECT FROM memwell_log_streams WHERE name = %(stream)s FOR UPDATE"
"""As `_LOCK`, for a stream that is there. What is newest is read by a statement after it."""
_FOLLOWING: Final = """SELECT 1 FROM memwell_log_entries
WHERE stream = (SELECT id FROM memwell_log_streams WHERE name = %(stream)s) AND position > %(after)s LIMIT 1"""
_REMOVE: Final = """DELETE FROM memwell_log_entries
WHERE stream = (SELECT id FROM memwell_log_streams WHERE name = %(stream)s) AND position = ANY (%(positions)s)"""
_READ: Final = """SELECT e.position, e.at, e.data FROM memwell_log_entries e
WHERE e.stream = (SELECT id FROM memwell_log_streams WHERE name = %(stream)s) AND e.position > %(after)s
ORDER BY e.position LIMIT %(limit)s"""
_LATEST: Final = """SELECT e.position, e.at, e.data FROM memwell_log_entries e
WHERE e.stream = (SELECT id FROM memwell_log_streams WHERE name = %(stream)s) ORDER BY e.position DESC LIMIT 1"""
_THROUGH: Final = """DELETE FROM memwell_log_entries
WHERE stream = (SELECT id FROM memwell_log_streams WHERE name = %(stream)s) AND position <= %(through)s"""
_KEEP: Final = """WITH stream AS (SELECT id FROM memwell_log_streams WHERE name = %(stream)s)
DELETE FROM memwell_log_entries
WHERE stream = (SELECT id FROM stream) AND position <= (
  SELECT position FROM memwell_log_entries WHERE stream = (SELECT id FROM stream)
  ORDER BY position DESC OFFSET %(keep)s LIMIT 1)"""


class PostgresLog(PostgresPart, Log):
    """Streams in the tables `memwell_log_streams` and `memwell_log_entries` of the schema.

    `clock` gives seconds since 1970, instead of the server's clock.
    """

    def __init__(self, settings: Settings, *, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock
        self._database = Database(settings, COMPONENT)
        self._prepared = False

    async def _append(self, stream: str, entries: Sequence[bytes]) -> list[str]:
        async with self._database.connection() as connection:
            return await self._add(connection, _APPEND, self._values(stream, entries)) or []

    async def _append_if(self, stream: str, entries: Sequence[bytes], last: str | None) -> list[str] | None:
        values = {**self._values(stream, entries), "after": 0 if last is None else number(last)}
        async with self._database.connection() as connection:
            positions = await self._add(connection, _APPEND_IF, values)
        if positions is not None:
            return positions
        async with self._database.transaction() as connection:  # a new stream, or entries were removed
            await connection.execute(_LOCK, values)
            if await (await connection.execute(_FOLLOWING, values)).fetchone():
                return None
            return await self._add(connection, _APPEND, values)

    def within(self, settings: Settings) -> bool:
        """Whether this log is in the schema of the database that the settings name."""
        own = self._database.settings
        names = ("host", "hostaddr", "port", "dbname", "user", "service")
        same = all(own.target.get(name) == settings.target.get(name) for name in names)
        return same and own.schema == settings.schema

    async def append_in(self, connection: Connection, given: Append, results: list[Any]) -> list[str]:
        """Apply an `Append` in a transaction. The lock of the stream makes other appends wait for its end."""
        if given.after is not None:
            known, data = given.after
            entries = given.entries(results, data)
            if not entries:
                return []
            values = {**self._values(given.stream, entries), "after": number(known)}
            positions = await self._add(connection, _APPEND_IF, values)
            if positions is not None:
                return positions
        values = {"stream": given.stream}
        async with connection.pipeline():
            locked = await connection.execute(_HOLD, values)
            latest = await connection.execute(_LATEST, values, binary=True)
            rows = await latest.fetchall()
        if not locked.rowcount:
            await connection.execute(_LOCK, values)
            rows = await (await connection.execute(_LATEST, values, binary=True)).fetchall()
        entries = given.entries(results, rows[0][2] if rows else None)
        if not entries:
            return []
        return await self._add(connection, _APPEND, self._values(given.stream, entries)) or []

    async def prepare(self) -> None:
        """Create the tables, if they are not there yet."""
        if not self._prepared:
            async with self._database.connection():
                self._prepared = True

    def _values(self, stream: str, entries: Sequence[bytes]) -> dict[str, Any]:
        now = None if self._clock is None else datetime.fromtimestamp(self._clock(), UTC)
        return {"stream": stream, "count": len(entries), "entries": list(entries), "now": now}

    async def _add(self, connection: Connection, statement: str, values: dict[str, Any]) -> list[str] | None:
        """The positions; `None` if the condition of the statement does not hold."""
        row = await (await connection.execute(statement, values)).fetchone()
        return None if row is None else [position(n) for n in range(row[0] - values["count"] + 1, row[0] + 1)]

    async def _remove(self, stream: str, positions: Sequence[str]) -> int:
        values = {"stream": stream, "positions": [number(position) for position in positions]}
        async with self._database.connection() as connection:
            return (await connection.execute(_REMOVE, values)).rowcount

    async def _read(self, stream: str, after: str | None, limit: int) -> list[Entry]:
        start = 0 if after is None else number(after)
        return await self._entries(_READ, {"stream": stream, "after": start, "limit": min(limit, 2**62)})

    async def _last(self, stream: str) -> Entry | None:
        found = await self._entries(_LATEST, {"stream": stream})
        return found[0] if found else None

    async def _entries(self, statement: str, values: dict[str, Any]) -> list[Entry]:
        async def ask(connection: Connection) -> list[Any]:
            return await (await connection.execute(statement, values, binary=True)).fetchall()

        return _entries_of(await self._database.read(ask))

    async def _trim(self, stream: str, keep: int, through: str | None) -> int:
        values: dict[str, Any] = {"stream": stream, "keep": min(keep, 2**62)}
        statement = _KEEP
        if through is not None:
            statement, values = _THROUGH, {"stream": stream, "through": number(through)}
        async with self._database.connection() as connection:
            return (await connection.execute(statement, values)).rowcount

    async def _ping(self) -> None:
        await self._database.ping("SELECT 1 FROM memwell_log_streams LIMIT 1")


def _entries_of(rows: Sequence[Any]) -> list[Entry]:
    return [Entry(position=position(count), at=at, data=data) for count, at, data in rows]
