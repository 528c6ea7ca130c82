"""The tables of the layer on PostgreSQL, for synchronous callers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Final, TypeVar

from memwell import _bridge
from memwell._forks import ForkSafeLock
from memwell.backends.postgres import Connection, Database, Settings
from memwell.compat.memory_adapters.migrations import FOLDER, scripts
from memwell.errors import ConfigError

__all__ = ["TABLES", "Rows", "Tables"]

Rows = list[tuple[Any, ...]]
T = TypeVar("T")
TABLES: Final = (
    "flow_run_history",
    "task_outputs",
    "audit_log",
    "memory_context",
    "memory_events",
    "vector_embeddings",
)
_MISSING: Final = (
    "SELECT count(*) FROM unnest(%(tables)s::text[]) AS t (name) WHERE to_regclass(name) IS NULL"
)
_SCHEMA: Final = "SELECT 1 FROM pg_namespace WHERE nspname = %(schema)s"
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtext('memwell.compat.memory_adapters'))"


class Tables:
    """Connections to the database, opened at the first use, which also creates the tables if they are missing."""

    def __init__(self, settings: Settings, *, migrate: bool) -> None:
        self.settings, self._migrate = settings, migrate
        self._guard = ForkSafeLock()
        self._database: Database | None = None
        self._ready = False

    def write(self, statement: str, values: Mapping[str, Any]) -> Rows:
        """Run a statement that changes something; its rows."""

        async def run(database: Database) -> Rows:
            async with database.connection() as connection:
                return await _rows(connection, statement, values)

        return self._run(run)

    def read(self, statement: str, values: Mapping[str, Any] | None = None) -> Rows:
        """The rows of a query, which is repeated once when the connection breaks."""
        return [tuple(row.values()) for row in self.records(statement, values or {})]

    def records(self, statement: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The rows of a query by the names of its columns, which must differ."""

        async def ask(connection: Connection) -> list[dict[str, Any]]:
            cursor = await connection.execute(statement.encode(), values)
            names = [column.name for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in await cursor.fetchall()]

        return self._run(lambda database: database.read(ask))

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        with self._guard:
            database, self._database, self._ready = self._database, None, False
        if database is not None:
            _bridge.complete(database.close(), blocking=False)

    def _run(self, call: Callable[[Database], Awaitable[T]]) -> T:
        with self._guard:
            if self._database is None:
                self._database = Database(self.settings)
            database = self._database

        async def checked() -> T:
            try:
                if not self._ready:
                    await self._prepare(database)
                    self._ready = True
                return await call(database)
            except Exception as error:
                translated = database.translate(error, "postgres", "query")
                if translated is None:
                    raise
                raise translated from error

        return _complete(checked())

    async def _prepare(self, database: Database) -> None:
        async with database.transaction() as connection:
            if not await _missing(connection):
                return
            if not self._migrate:
                raise ConfigError(
                    f"{self.settings.place}: tables are missing in the schema {self.settings.schema}; run the scripts"
                    f" in {FOLDER} with `psql -f`, or leave out migrate=off",
                    part="postgres",
                )
            await connection.execute(_LOCK)
            if not await _rows(connection, _SCHEMA, {"schema": self.settings.schema}):
                await connection.execute(f'CREATE SCHEMA "{self.settings.schema}"'.encode())
            if await _missing(connection):
                for script in scripts():
                    await connection.execute(script.read_bytes())


def _complete(call: Coroutine[Any, Any, T]) -> T:
    return _bridge.complete(call, blocking=False)


async def _missing(connection: Connection) -> bool:
    [(count,)] = await _rows(connection, _MISSING, {"tables": list(TABLES)})
    return bool(count)


async def _rows(connection: Connection, statement: str, values: Mapping[str, Any]) -> Rows:
    cursor = await connection.execute(statement.encode(), values)
    return await cursor.fetchall() if cursor.description else []
