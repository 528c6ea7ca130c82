"""Numbered scripts, recorded in the schema they changed, run by one process while the others wait."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

from memwell._dataclasses import dataclass
from memwell.backends.postgres.connections import Connection
from memwell.backends.postgres.settings import Settings
from memwell.errors import ConfigError

__all__ = ["Applied", "Component", "Derived", "Status", "drop_all", "migrate", "outdated", "status_of"]


_TABLE: Final = """
CREATE TABLE IF NOT EXISTS memwell_migrations (
    component text NOT NULL,
    number int NOT NULL,
    checksum text NOT NULL,
    creates text[] NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (component, number)
)
"""
_OBJECTS: Final = """
SELECT CASE relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END
    || ' ' || oid::regclass::text
FROM pg_class WHERE relnamespace = quote_ident(current_schema())::regnamespace AND relkind IN ('r', 'p', 'v', 'S')
AND NOT EXISTS (SELECT 1 FROM pg_depend WHERE objid = pg_class.oid AND relkind = 'S' AND deptype IN ('a', 'i'))
UNION ALL
SELECT 'FUNCTION ' || oid::regprocedure::text
FROM pg_proc WHERE pronamespace = quote_ident(current_schema())::regnamespace AND prokind = 'f'
"""
"""The objects of a schema, in the form that DROP takes."""


@dataclass(frozen=True, slots=True)
class Derived:
    """Columns that are computed from others by code, and written again when that code changes."""

    name: str
    """Its component in the list of migrations."""
    number: int
    """The number of the code. A schema without one has number 1."""
    renew: Callable[[Connection, bytes], Awaitable[None]]
    """Writes the columns again, and the number; the bytes are a statement that begins each transaction."""


@dataclass(frozen=True, slots=True)
class Component:
    """A part of memwell with tables of its own."""

    name: str
    scripts: tuple[str, ...]
    """All scripts in order; the first has number 1."""
    extension: str | None = None
    """The extension that the component needs; without it the component is not created."""
    derived: Derived | None = None

    @classmethod
    def of(
        cls, name: str, folder: Path, *, extension: str | None = None, derived: Derived | None = None
    ) -> Component:
        """The component whose scripts are the `.sql` files of a folder, in the order of their names."""
        scripts = tuple(path.read_text("utf-8") for path in sorted(folder.glob("*.sql")))
        return cls(name, scripts, extension, derived)


@dataclass(frozen=True, slots=True)
class Applied:
    """A migration that was applied to the schema."""

    number: int
    checksum: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The migration state of a component."""

    component: str
    applied: int
    pending: int
    missing: str | None = None
    """Why it is not available, if the server lacks an extension."""


async def status_of(
    connection: Connection, settings: Settings, components: Iterable[Component]
) -> list[Status]:
    """The applied and pending migrations. Raises `ConfigError` for a schema of a newer memwell, or with migrations
    other than those of this memwell."""
    done = await _applied(connection, settings)
    found: list[Status] = []
    for component in components:
        applied = done.get(component.name, [])
        _check(component, applied, settings)
        missing = None
        if component.extension is not None and not await _has(connection, component.extension):
            missing = (
                f"the extension {component.extension} is missing; run: CREATE EXTENSION {component.extension}"
            )
        pending = len(component.scripts) - len(applied)
        found.append(Status(component=component.name, applied=len(applied), pending=pending, missing=missing))
    return found


async def outdated(
    connection: Connection, settings: Settings, components: Iterable[Component]
) -> list[Derived]:
    """What is to be written again."""
    done = await _applied(connection, settings)
    wanted = [component.derived for component in components if component.derived is not None]
    return [
        derived
        for derived in wanted
        if max((one.number for one in done.get(derived.name, [])), default=1) < derived.number
    ]


async def migrate(connection: Connection, settings: Settings, components: Sequence[Component]) -> None:
    """Apply pending migrations in one transaction. Concurrent processes wait for each other; only the first applies
    them."""
    schema = sql.Identifier(settings.schema)
    async with connection.transaction():
        await _alone(connection, settings)
        cursor = await connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (settings.schema,))
        if (
            await cursor.fetchone() is None
        ):  # IF NOT EXISTS would need the privilege even if the schema exists
            await connection.execute(sql.SQL("CREATE SCHEMA {}").format(schema))
        for component in components:
            if component.extension is not None:
                await _create_extension(connection, component.extension, settings)
        await use_schema(connection, settings, local=True)
        await connection.execute(_TABLE)
        for status in await status_of(connection, settings, components):
            if status.pending and status.missing is None:
                component = next(c for c in components if c.name == status.component)
                await _apply(connection, component, status.applied)


async def drop_all(connection: Connection, settings: Settings) -> None:
    """Drop everything that migrations created in the schema, with its data; other objects remain."""
    async with connection.transaction():
        await _alone(connection, settings)
        if not await _applied(connection, settings):
            return
        await use_schema(connection, settings, local=True)
        rows = await (
            await connection.execute(
                "SELECT unnest(creates) FROM memwell_migrations ORDER BY applied_at DESC, number DESC"
            )
        ).fetchall()
        for (created,) in rows:
            kind, _, name = created.partition(" ")
            await connection.execute(f"DROP {kind} IF EXISTS {name} CASCADE".encode())
        await connection.execute("DROP TABLE memwell_migrations")


async def _alone(connection: Connection, settings: Settings) -> None:
    """Lock the schema against migrations of other processes until the transaction ends. It waits for locks `timeout`
    seconds at most, because other sessions wait behind it."""
    wait = sql.Literal(max(1, int(settings.timeout * 1000)))
    await connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(wait))
    await connection.execute("SET LOCAL statement_timeout = 0")
    await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_lock(settings.schema),))


async def use_schema(connection: Connection, settings: Settings, *, local: bool) -> None:
    """Set the search path to memwell's schema and that of the vector extension."""
    path = await search_path(connection, settings)
    await connection.execute("SELECT set_config('search_path', %s, %s)", (path, local))


async def search_path(connection: Connection, settings: Settings) -> str:
    """memwell's schema, and the schema of the vector extension if it is installed."""
    cursor = await connection.execute(
        "SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace"
        " WHERE e.extname = 'vector'"
    )
    row = await cursor.fetchone()
    ours = f'"{settings.schema}"'
    return ours if row is None else f"{ours}, {row[0]}"


async def _apply(connection: Connection, component: Component, applied: int) -> None:
    for number, script in enumerate(component.scripts[applied:], applied + 1):
        before = await _objects(connection)
        await connection.execute(script.encode())
        creates = sorted(await _objects(connection) - before)
        await connection.execute(
            "INSERT INTO memwell_migrations (component, number, checksum, creates) VALUES (%s, %s, %s, %s)",
            (component.name, number, _checksum(script), creates),
        )


async def _create_extension(connection: Connection, name: str, settings: Settings) -> None:
    """Create an extension if the user may: in the user's default schema, where all can share it, or else in memwell's
    schema."""
    if await _has(connection, name):
        return
    await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_lock(""),))
    create = sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(sql.Identifier(name))
    for place in (sql.SQL(""), sql.SQL(" SCHEMA {}").format(sql.Identifier(settings.schema))):
        try:
            async with connection.transaction():
                await connection.execute(create + place)
            return
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidSchemaName):
            continue
        except (psycopg.errors.UndefinedFile, psycopg.errors.FeatureNotSupported):
            return  # `status_of` reports that it is missing


async def _has(connection: Connection, extension: str) -> bool:
    cursor = await connection.execute("SELECT 1 FROM pg_extension WHERE extname = %s", (extension,))
    return await cursor.fetchone() is not None


async def _objects(connection: Connection) -> set[str]:
    rows = await (await connection.execute(_OBJECTS)).fetchall()
    return {row[0] for row in rows}


async def _applied(connection: Connection, settings: Settings) -> dict[str, list[Applied]]:
    table = f'"{settings.schema}".memwell_migrations'
    cursor = await connection.execute("SELECT to_regclass(%s)", (table,))
    row = await cursor.fetchone()
    if row is None or row[0] is None:
        return {}
    query = f"SELECT component, number, checksum FROM {table} ORDER BY component, number"
    found: dict[str, list[Applied]] = {}
    for component, number, checksum in await (await connection.execute(query.encode())).fetchall():
        found.setdefault(component, []).append(Applied(number, checksum))
    return found


def _check(component: Component, applied: Sequence[Applied], settings: Settings) -> None:
    if len(applied) > len(component.scripts):
        raise ConfigError(
            f"{settings.place}, schema {settings.schema}, was migrated by a newer memwell ({component.name}"
            f" {len(applied)}, this one knows {len(component.scripts)}); upgrade with `pip install -U memwell`",
            part="postgres",
        )
    for script, one in zip(component.scripts, applied, strict=False):
        if _checksum(script) != one.checksum:
            raise ConfigError(
                f"migration {one.number} of {component.name} in schema {settings.schema} of {settings.place} is not"
                " the one of this memwell; use the version that made it, or `memwell db fresh` to start over",
                part="postgres",
            )


def _checksum(script: str) -> str:
    return hashlib.blake2b(script.replace("\r\n", "\n").encode(), digest_size=16).hexdigest()


def _lock(schema: str) -> int:
    """The key of the advisory lock under which a schema is changed."""
    return zlib.crc32(f"memwell:{schema}".encode()) + (0x6D65 << 32)
