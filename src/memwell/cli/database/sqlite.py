"""`memwell db` for a SQLite file. Opening a file migrates it."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime

from memwell.backends.sqlite.database import Database, translate
from memwell.backends.sqlite.keyvalue import SqliteKeyValue
from memwell.cli.database.rows import Done, Row
from memwell.errors import NotSupported
from memwell.registry import open_store
from memwell.urls import Url

__all__ = ["SqliteTables"]

_APPLIED = "SELECT component, count(*) FROM memwell_migrations GROUP BY component ORDER BY component"


class SqliteTables:
    """The tables of one file."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._path = Url.parse(url).path() or ":memory:"

    async def status(self) -> list[Row]:
        """The file and its components; changes nothing. Raises `ConfigError` if there is no file."""
        with self._reading() as connection:
            pages, free, size = (
                connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "freelist_count", "page_size")
            )
            state = f"SQLite {sqlite3.sqlite_version}; {free * size:,} bytes are free"
            rows = [Row("file", self._path, state, None, pages * size)]
            if "memwell_migrations" in _tables(connection):
                applied = connection.execute(_APPLIED).fetchall()
                rows += [Row("component", name, f"{count} applied") for name, count in applied]
        return rows

    async def migrate(self) -> list[Row]:
        """Open the store, which migrates it."""
        await open_store(self._url).close()
        return [row for row in await self.status() if row.kind == "component"]

    async def question(self) -> str:
        """Raises `NotSupported`: remove the file instead."""
        raise NotSupported(
            f"`memwell db fresh` is for PostgreSQL; to start again, remove {self._path} with its -wal and -shm files"
            " while no process has it open"
        )

    async def fresh(self) -> list[Row]:
        """See `question`."""
        await self.question()
        return []

    async def index(self, **_: object) -> list[Row]:
        """Raises `NotSupported`."""
        raise NotSupported("SQLite compares every vector and uses no index; there is nothing to build")

    async def maintain(self, *, ahead: int, keep: int | None, dry_run: bool) -> AsyncIterator[Done]:  # noqa: ARG002
        """Remove expired rows. There are no partitions to create or drop."""
        if keep is not None:
            raise NotSupported(
                "--keep-months is for PostgreSQL; in SQLite a log is one table: trim its streams"
            )
        with self._reading() as connection:
            tables = _tables(connection)
        if "records" in tables:
            yield Done("sweep", "memories", None if dry_run else await self._sweep_memories())
        if "memwell_keyvalue" in tables:
            yield Done("sweep", "keys", None if dry_run else await self._sweep_keys())

    async def close(self) -> None:
        """Nothing stays open between calls."""

    async def _sweep_memories(self) -> int:
        async with open_store(self._url) as store:
            return await store.sweep(datetime.now(UTC))

    async def _sweep_keys(self) -> int:
        async with SqliteKeyValue(self._path) as keys:
            return await keys.sweep()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with closing(Database(self._path, readonly=True)) as database:
            try:
                yield database.read()
            except sqlite3.Error as error:
                raise translate(error, "sqlite", "db", path=self._path) from error


def _tables(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
