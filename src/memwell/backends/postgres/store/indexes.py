"""The vector indexes of the PostgreSQL store: HNSW or IVFFlat, one for each model.

A model's vectors are a partition of `vectors`, and an index belongs to a partition. Without an index, a search compares
all vectors of the owner: exact, and fast while they are few (a millisecond for 1,000). HNSW answers in a millisecond
whatever their number, but each new vector costs one to four milliseconds more; storing it takes 0.05 ms. Filling an
index row by row takes five times as long as building it over existing rows. So a model starts without an index.
`memwell db index` makes one, which `grown` recommends once one owner has 20,000 memories; a store makes it by itself
after a write that passes this number (see `keep_up`).

Readers and writers go on while an index is built (`CREATE INDEX CONCURRENTLY`). One process builds at a time. A killed
build leaves an invalid index: it is never used, `status` reports it, and the next build drops it first.

IVFFlat groups the vectors around centres that it computes from the stored vectors, so build it after loading the data.
It is smaller and faster to build than HNSW, and finds less for the same effort. Vectors of more than 2,000 dimensions
are indexed in half precision, those of more than 4,000 not at all.
"""

from __future__ import annotations

import logging
from math import isqrt
from typing import Final, Literal, TypeAlias

import psycopg

from memwell._dataclasses import dataclass
from memwell.backends.postgres import Connection
from memwell.backends.postgres.store.rows import rows_of
from memwell.errors import ConfigError, InvalidInput, NotSupported, Unavailable
from memwell.ports import Metric

__all__ = [
    "GROWN",
    "Index",
    "Kind",
    "create",
    "drop",
    "grown",
    "index_statements",
    "keep_up",
    "metric_of",
    "status",
]

log = logging.getLogger("memwell.backends.postgres.store")

Kind: TypeAlias = Literal["hnsw", "ivfflat"]

_CARE: Final = 128
"""`ef_construction` of a build of HNSW: how many neighbours it considers for each vector. pgvector's default of 64
leaves some vectors unreachable: recall@10 over 100,000 vectors was between 0.95 and 0.995 from one build to the next.
128 takes a quarter longer to build. Vectors added afterwards use the default: 128 would cost each write half a
millisecond."""
GROWN: Final = 20_000
"""With this many records of one owner, searches should have an index."""
_ALL: Final = 10
"""With `_ALL * GROWN` vectors in all, too: some searches name no user."""

_CLASSES: Final[dict[Metric, str]] = {"cosine": "cosine_ops", "l2": "l2_ops", "dot": "ip_ops"}
_HALF: Final = 2_000
_MOST: Final = 4_000
_ATTEMPTS: Final = 3
_UNCOUNTED: Final = "SELECT reltuples < 0 FROM pg_class WHERE oid = 'records'::regclass"
_LARGE: Final = "SELECT EXISTS (SELECT FROM records GROUP BY tenant_id, user_id HAVING count(*) >= %s)"
_LOCK: Final = "1835365242, 'models'::regclass::oid::int"


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """The vectors of one model and the index over them."""

    model: str
    number: int
    dimension: int
    vectors: int
    """PostgreSQL's last estimate of their number."""
    kind: Kind | None
    """`None` without an index."""
    metric: Metric | None
    valid: bool
    """False while a build runs, and for what an interrupted build has left behind."""
    bytes: int

    @property
    def table(self) -> str:
        """The partition."""
        return f"vectors_{self.number}"

    @property
    def name(self) -> str:
        """The name of the index, whether it exists or not."""
        return f"{self.table}_near"


def metric_of(operators: str | None) -> Metric | None:
    """The metric of an operator class of pgvector."""
    return next((metric for metric, name in _CLASSES.items() if operators and operators.endswith(name)), None)


def index_statements(
    number: int,
    dimension: int,
    *,
    metric: Metric = "cosine",
    kind: Kind | None = None,
    lists: int | None = None,
    concurrently: bool = False,
) -> list[str]:
    """The statements that create the index of a model; empty without a `kind` and for more than 4,000 dimensions."""
    if kind is None or dimension > _MOST:
        return []
    type = "vector" if dimension <= _HALF else "halfvec"
    options = f" WITH (ef_construction = {_CARE})" if kind == "hnsw" else f" WITH (lists = {lists or 100})"
    return [
        f"CREATE INDEX {'CONCURRENTLY ' if concurrently else ''}IF NOT EXISTS vectors_{number}_near"
        f" ON vectors_{number} USING {kind} ((vec::{type}({dimension})) {type}_{_CLASSES[metric]}){options}"
    ]


async def status(connection: Connection) -> list[Index]:
    """Every model with its index, by name. Empty without the extension vector."""
    if not (await rows_of(connection, "SELECT to_regclass('vectors') IS NOT NULL"))[0][0]:
        return []
    rows = await rows_of(
        connection,
        "SELECT m.name, m.number, m.dimension, greatest(t.reltuples, 0)::bigint, a.amname, c.opcname,"
        " coalesce(x.indisvalid AND x.indisready, false), coalesce(pg_relation_size(i.oid), 0)"
        " FROM models m JOIN pg_class t ON t.oid = to_regclass('vectors_' || m.number)"
        " LEFT JOIN pg_class i ON i.oid = to_regclass('vectors_' || m.number || '_near')"
        " LEFT JOIN pg_index x ON x.indexrelid = i.oid LEFT JOIN pg_am a ON a.oid = i.relam"
        " LEFT JOIN pg_opclass c ON c.oid = x.indclass[0] ORDER BY m.name",
    )
    return [
        Index(
            model=row[0],
            number=row[1],
            dimension=row[2],
            vectors=row[3],
            kind=row[4],
            metric=metric_of(row[5]),
            valid=row[6],
            bytes=row[7],
        )
        for row in rows
    ]


async def create(
    connection: Connection,
    model: str,
    *,
    kind: Kind = "hnsw",
    metric: Metric = "cosine",
    lists: int | None = None,
    concurrently: bool = True,
) -> Index:
    """Create the index of a model, or replace the one it has; returns its new state.

    `connection` is in autocommit mode. `lists` of IVFFlat: by default a thousandth of the number of vectors, or its
    square root above a million. Raises `ConfigError` for an unknown kind or metric, `NotSupported` for too many
    dimensions, `Unavailable` while another process builds an index.
    """
    if kind not in ("hnsw", "ivfflat") or metric not in _CLASSES:
        raise ConfigError(f"an index is hnsw or ivfflat by {', '.join(_CLASSES)}, not {kind!r} by {metric!r}")
    if lists is not None and (kind != "ivfflat" or not 1 <= lists <= 32_768):
        raise ConfigError("`lists` is from 1 to 32768, and belongs to an ivfflat index only")
    if not await _locked(connection):  # a statement that waits here would make the other build wait for us
        raise Unavailable("another process is building an index; try again later", part="postgres")
    try:
        found = await _of(connection, model)
        if kind == "ivfflat" and lists is None:
            lists = await _lists(connection, found)
        made = index_statements(
            found.number, found.dimension, metric=metric, kind=kind, lists=lists, concurrently=concurrently
        )
        if not made:
            raise NotSupported(
                f"vectors of {model!r} have dimension {found.dimension}, an index takes up to {_MOST:,};"
                " searches compare them one by one",
                part="postgres",
            )
        for left in reversed(range(_ATTEMPTS)):
            if found.kind is not None:
                await _drop(connection, found, concurrently)
            try:
                await connection.execute(made[0].encode())
                break
            except psycopg.errors.DeadlockDetected:  # with an ANALYZE: each waits for the other
                if not left:
                    raise
                found = await _of(connection, model)
        if kind == "hnsw":
            await _relax(connection, found)
        await connection.execute(f"ANALYZE {found.table}".encode())
        return await _of(connection, model)
    finally:
        await connection.execute(f"SELECT pg_advisory_unlock({_LOCK})".encode())


async def _relax(connection: Connection, index: Index) -> None:
    """Reset `ef_construction` after a build. If another transaction uses the index for long, the setting remains:
    searches find as much, and writes take longer."""
    await connection.execute("SET lock_timeout = '2s'")
    try:
        await connection.execute(f"ALTER INDEX {index.name} RESET (ef_construction)".encode())
    except psycopg.errors.LockNotAvailable as error:
        log.warning(
            "%s is in use, so its ef_construction was not reset; new vectors take longer to store: %s",
            index.name,
            error,
        )
    finally:
        await connection.execute("RESET lock_timeout")


async def drop(connection: Connection, model: str, *, concurrently: bool = True) -> bool:
    """Remove the index of a model; returns whether it had one. Searches then compare its vectors one by one."""
    found = await _of(connection, model)
    if found.kind is not None:
        await _drop(connection, found, concurrently)
    return found.kind is not None


async def grown(connection: Connection) -> list[Index]:
    """The models that should have an index and have no valid one."""
    return [
        index
        for index in await status(connection)
        if not index.valid and index.dimension <= _MOST and await _due(connection, index)
    ]


async def _due(connection: Connection, index: Index) -> bool:
    """Whether one owner has at least `GROWN` records, or all together have very many."""
    if index.vectors >= _ALL * GROWN:
        return True
    if index.vectors < GROWN:  # it may be older than the last batch
        query = f"SELECT count(*) >= %s FROM (SELECT FROM {index.table} LIMIT %s) t"
        if not (await rows_of(connection, query, [GROWN, GROWN]))[0][0]:
            return False
    return bool((await rows_of(connection, _LARGE, [GROWN]))[0][0])


async def keep_up(connection: Connection, *, metric: Metric = "cosine") -> list[str]:
    """Create the HNSW indexes that are due; returns their models. Does nothing while another process builds one.

    Tables that were never analyzed are analyzed first; autovacuum would do so some minutes later.
    """
    if not await _locked(connection):
        return []
    try:
        if (await rows_of(connection, _UNCOUNTED))[0][0]:
            await connection.execute("ANALYZE records, models, vectors")
        due = await grown(connection)
        for index in due:
            await create(connection, index.model, metric=metric)
        return [index.model for index in due]
    finally:
        await connection.execute(f"SELECT pg_advisory_unlock({_LOCK})".encode())


async def _locked(connection: Connection) -> bool:
    return bool((await rows_of(connection, f"SELECT pg_try_advisory_lock({_LOCK})"))[0][0])


async def _of(connection: Connection, model: str) -> Index:
    found = {index.model: index for index in await status(connection)}
    if model not in found:
        known = ", ".join(found) or "none"
        raise InvalidInput(
            f"no vectors of {model!r} are stored here; models with vectors: {known}", part="postgres"
        )
    return found[model]


async def _lists(connection: Connection, index: Index) -> int:
    [(count,)] = await rows_of(connection, f"SELECT count(*) FROM {index.table}")
    return max(1, count // 1000 if count <= 1_000_000 else isqrt(count))


async def _drop(connection: Connection, index: Index, concurrently: bool) -> None:
    word = "CONCURRENTLY " if concurrently else ""
    await connection.execute(f"DROP INDEX {word}IF EXISTS {index.name}".encode())
