"""`memwell db` for PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from memwell.backends.postgres import Component, Connection, Database, Settings, Status
from memwell.backends.postgres.keyvalue import COMPONENT as KEYVALUE
from memwell.backends.postgres.keyvalue import PostgresKeyValue
from memwell.backends.postgres.log import COMPONENT as LOG
from memwell.backends.postgres.log import PARTITIONED
from memwell.backends.postgres.store import COMPONENTS as STORE
from memwell.backends.postgres.store import indexes
from memwell.backends.postgres.store.indexes import Index, Kind
from memwell.cli.database.rows import Done, Row
from memwell.errors import InvalidInput
from memwell.ports import Metric
from memwell.registry import open_store
from memwell.types import Progress
from memwell.urls import Url

__all__ = ["PostgresTables"]

RECORDS, VECTORS = STORE
COMPONENTS: tuple[Component, ...] = (*STORE, KEYVALUE, LOG)

_SERVER = "SELECT current_setting('server_version'), pg_database_size(current_database())"
_EXTENSION = (
    """SELECT installed_version, default_version FROM pg_available_extensions WHERE name = 'vector'"""
)
_TABLES = """
SELECT c.relname, CASE c.relkind WHEN 'p' THEN 'partitioned' ELSE '' END,
  nullif(coalesce((SELECT sum(nullif(l.reltuples, -1)) FROM pg_partition_tree(c.oid) t
    JOIN pg_class l ON l.oid = t.relid WHERE t.isleaf), c.reltuples), -1)::bigint,
  coalesce((SELECT sum(pg_total_relation_size(t.relid)) FROM pg_partition_tree(c.oid) t),
    pg_total_relation_size(c.oid))::bigint
FROM pg_class c WHERE c.relnamespace = quote_ident(current_schema())::regnamespace AND c.relkind IN ('r', 'p')
  AND NOT c.relispartition ORDER BY c.relname"""
_INDEXES = """
SELECT c.relname, m.amname || CASE
  WHEN EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = c.oid) THEN ', being built'
  WHEN NOT i.indisvalid THEN ', INVALID: drop it and build it again' ELSE '' END,
  NULL::bigint, pg_relation_size(c.oid)
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam
WHERE c.relnamespace = quote_ident(current_schema())::regnamespace AND (m.amname <> 'btree' OR NOT i.indisvalid)
ORDER BY c.relname"""
_BUILDING = "SELECT blocks_done, blocks_total FROM pg_stat_progress_create_index WHERE blocks_total > 0"
_ANALYZED = """
SELECT quote_ident(relname) FROM pg_class
WHERE relnamespace = quote_ident(current_schema())::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
ORDER BY relname"""


class PostgresTables:
    """The tables of one schema."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._settings = Settings.from_url(Url.parse(url))
        # Without components, connecting migrates nothing. Long statements bypass a pooler, whatever the URL says.
        self._database = Database(replace(self._settings, prepare=True))

    async def status(self) -> list[Row]:
        """Server, components, extension, tables, indexes and partitions; changes nothing."""
        async with self._connection("status") as connection:
            version, size = (await _rows(connection, _SERVER))[0]
            rows = [Row("server", self._settings.place, f"PostgreSQL {version}", None, size)]
            components = await self._database.status(COMPONENTS)
            rows += [_component(replace(found, missing=None)) for found in components]  # the next row says it
            rows.append(await _extension(connection))
            if any(found.component == VECTORS.name and found.applied for found in components):
                rows += [_model(found) for found in await indexes.status(connection)]
            if await self._is_there(connection):
                rows += [Row("table", *found) for found in await _rows(connection, _TABLES)]
                rows += [Row("index", *found) for found in await _rows(connection, _INDEXES)]
                for part in await PARTITIONED.partitions(connection):
                    bounds = "default" if part.default else f"{_day(part.start)} to {_day(part.end)}"
                    rows.append(Row("partition", part.name, bounds, part.rows, part.size))
        return rows

    async def migrate(self) -> list[Row]:
        """Apply the pending migrations."""
        async with self._translated("migrate"):
            return [_component(found) for found in await self._database.migrate(COMPONENTS)]

    async def question(self) -> str:
        """The question to confirm before `fresh`."""
        there = RECORDS.name in await self._applied("fresh")
        async with self._connection("fresh") as connection:
            count = await _rows(connection, "SELECT count(*) FROM records") if there else [(0,)]
        where = f"schema {self._settings.schema} of {self._settings.place}"
        return f"Drop all of memwell's tables in {where}, with {count[0][0]:,} memories, for good?"

    async def fresh(self) -> list[Row]:
        """Drop memwell's tables and create them again."""
        async with self._translated("fresh"):
            return [_component(found) for found in await self._database.fresh(COMPONENTS)]

    async def index(
        self,
        *,
        model: str | None,
        kind: Kind,
        metric: Metric,
        lists: int | None,
        concurrently: bool,
        progress: Progress,
    ) -> list[Row]:
        """Build the vector index of a model, or of every model."""
        if VECTORS.name not in await self._applied("index"):
            if model is None:
                return []
            raise InvalidInput(f"there are no vectors of {model!r} or of any other model", part="postgres")
        async with self._connection("index") as connection:
            models = [found.model for found in await indexes.status(connection)]
            for name in models if model is None else [model]:
                async with self._connection("index") as watching:
                    making = indexes.create(
                        connection, name, kind=kind, metric=metric, lists=lists, concurrently=concurrently
                    )
                    await _watched(making, watching, progress)
            return [_model(found) for found in await indexes.status(connection)]

    async def maintain(self, *, ahead: int, keep: int | None, dry_run: bool) -> AsyncIterator[Done]:
        """Create and drop partitions, remove expired rows, build indexes, gather statistics."""
        applied = await self._applied("maintain")
        if LOG.name in applied:
            async with self._connection("maintain") as connection:
                now = datetime.now(UTC)
                for step in await PARTITIONED.plan(connection, now, ahead=ahead, keep=keep):
                    moved = None if dry_run else await PARTITIONED.carry_out(connection, step)
                    yield Done(step.action, step.name, moved)
        if RECORDS.name in applied:
            yield Done("sweep", "memories", None if dry_run else await self._sweep_memories())
        if KEYVALUE.name in applied:
            yield Done("sweep", "keys", None if dry_run else await self._sweep_keys())
        async with self._connection("maintain") as connection:
            for found in await indexes.grown(connection) if VECTORS.name in applied else []:
                if not dry_run:
                    await indexes.create(connection, found.model)
                yield Done("index", found.model)
            tables = await _rows(connection, _ANALYZED) if applied else []
            for (table,) in () if dry_run else tables:
                await connection.execute(f"ANALYZE {table}".encode())
            if tables:
                yield Done("analyze", f"{len(tables)} tables")

    async def close(self) -> None:
        """Close the connections."""
        await self._database.close()

    async def _sweep_memories(self) -> int:
        async with open_store(self._url) as store:
            return await store.sweep(datetime.now(UTC))

    async def _sweep_keys(self) -> int:
        async with PostgresKeyValue(self._settings) as keys:
            return await keys.sweep()

    async def _is_there(self, connection: Connection) -> bool:
        """Whether our schema exists; otherwise names would be looked up in the schema of the vector extension."""
        [(first,)] = await _rows(connection, "SELECT current_schema()")
        return bool(first == self._settings.schema)

    async def _applied(self, operation: str) -> set[str]:
        """The components that have tables in the schema."""
        async with self._translated(operation):
            return {found.component for found in await self._database.status(COMPONENTS) if found.applied}

    @asynccontextmanager
    async def _connection(self, operation: str) -> AsyncIterator[Connection]:
        async with self._translated(operation), self._database.session() as connection:
            yield connection

    @asynccontextmanager
    async def _translated(self, operation: str) -> AsyncIterator[None]:
        try:
            yield
        except Exception as error:
            ours = self._database.translate(error, "postgres", operation)
            if ours is None:
                raise
            raise ours from error


async def _rows(connection: Connection, query: str) -> Sequence[Any]:
    return await (await connection.execute(query.encode())).fetchall()


def _component(found: Status) -> Row:
    state = f"{found.applied} applied, {found.pending} pending"
    return Row("component", found.component, f"{state}; {found.missing}" if found.missing else state)


def _model(found: Index) -> Row:
    how = "no index" if found.kind is None else f"{found.kind} by {found.metric}"
    wrong = ", INVALID or being built" if found.kind is not None and not found.valid else ""
    return Row(
        "model", found.model, f"{found.dimension} dimensions, {how}{wrong}", found.vectors, found.bytes
    )


async def _watched(making: Coroutine[Any, Any, Index], connection: Connection, progress: Progress) -> None:
    """Wait for a build, and report its progress."""
    task = asyncio.ensure_future(making)
    while not (await asyncio.wait({task}, timeout=0.3))[0]:
        for done, total in await _rows(connection, _BUILDING):
            progress(done, total)
    await task


async def _extension(connection: Connection) -> Row:
    found = await _rows(connection, _EXTENSION)
    installed, there = found[0] if found else (None, None)
    state = installed or (
        f"not installed; run `memwell db migrate`, or as a privileged role: CREATE EXTENSION vector (version {there})"
        if there
        else "not on this server: install pgvector, or search by words only"
    )
    return Row("extension", "vector", state)


def _day(moment: datetime | None) -> str:
    return "unbounded" if moment is None else f"{moment:%Y-%m-%d}"
