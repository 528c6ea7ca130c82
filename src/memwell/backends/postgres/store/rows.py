"""Rows of the PostgreSQL store to records and back, and the scope as SQL."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from memwell import filters
from memwell.backends.postgres import Connection, Raw
from memwell.backends.postgres.store import filter_sql, tsvector
from memwell.errors import Corrupt
from memwell.ports import Embedding
from memwell.records.codec import dumps, loads
from memwell.retrieval.analysis.features import lexemes_and_signals
from memwell.types import Link, Record, Scope, Where

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "COLUMNS",
    "SELECT",
    "Condition",
    "Vector",
    "columns_of",
    "condition",
    "embedding_of",
    "record_of",
    "rows_of",
    "select",
    "sent",
    "vector_of",
    "visible",
]

SELECT: Final = (
    "SELECT r.key, r.tenant_id, r.id, r.user_id, r.agent_id, r.session_id, r.namespace, r.kind, r.category, r.tier,"
    " r.source, r.importance, r.version, r.reinforced, r.embedded, r.created_at, r.updated_at, r.expires_at, r.tags,"
    " r.metadata, r.content, a.count, a.at,"
    " (SELECT json_agg(json_build_array(t.id, l.kind, l.strength, (extract(epoch FROM l.created_at) * 1000000)::bigint)"
    " ORDER BY l.target, l.kind) FROM links l JOIN records t ON t.key = l.target WHERE l.source = r.key)"
    " FROM records r LEFT JOIN access a ON a.key = r.key"
)
"""All that `record_of` reads."""

COLUMNS: Final = {
    "digest": "bigint", "created_at": "timestamptz", "updated_at": "timestamptz", "expires_at": "timestamptz",
    "importance": "float8", "version": "bigint", "reinforced": "bigint", "length": "integer", "embedded": "boolean",
    "tenant_id": "text", "id": "text", "user_id": "text", "agent_id": "text", "session_id": "text",
    "namespace": "text", "kind": "text", "category": "text", "tier": "text", "source": "text", "signals": "text",
    "tags": "jsonb", "metadata": "jsonb", "instants": "jsonb", "content": "text", "lexemes": "text",
    "repeats": "jsonb", "words": "tsvector",
}  # fmt: skip
"""The columns of `records` but its key, with their types, in the order of `columns_of`."""

Condition: TypeAlias = tuple[str, list[Any]]
"""SQL text for WHERE over alias `r`, and its bound values."""

Vector: TypeAlias = tuple[Raw, str | None, bytes | None]
"""What `vectors` holds of an embedding: the vector that searches compare, ranges, passages."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def visible(scope: Scope, now: datetime | None, row: str = "r", *, by_id: bool = False) -> Condition:
    """What a call may see: its scope, nothing expired at `now` (`None`: expired too).

    `by_id`: ids stand beside it. Without statistics the planner would rather walk all that the user has than look
    them up, so that it is told of no other way.
    """
    form = "({}.{} = %s) IS TRUE" if by_id else "{}.{} = %s"
    terms, values = [f"{row}.tenant_id = %s"], [scope.tenant_id]
    for name in ("user_id", "agent_id", "session_id", "namespace"):
        value = getattr(scope, name)
        if value is not None:
            terms.append(form.format(row, name))
            values.append(value)
    bound: list[Any] = [*values]
    if now is not None:
        terms.append(f"({row}.expires_at IS NULL OR {row}.expires_at > %s)")
        bound.append(now)
    return " AND ".join(terms), bound


def condition(
    scope: Scope, now: datetime | None, where: filters.Node | Where | None = None, *, by_id: bool = False
) -> Condition:
    """As `visible`, under a filter."""
    text, values = visible(scope, now, by_id=by_id)
    if where is None:
        return text, values
    more, bound = filter_sql.compile(filters.parse(where))
    return f"{text} AND ({more})", values + bound


async def rows_of(
    connection: Connection, query: str, values: Sequence[Any] = (), *, prepare: bool | None = None
) -> list[Any]:
    """The rows that a statement gives. `prepare`: at once, where the same few come again and again."""
    async with connection.cursor(binary=True) as cursor:
        await cursor.execute(_encoded(query), values, prepare=prepare)
        result = cursor.pgresult
        return await cursor.fetchall() if result is not None and result.nfields else []


@lru_cache(maxsize=512)
def _encoded(query: str) -> bytes:
    """The same bytes for the same text: what psycopg remembers of a statement it finds by them."""
    return query.encode()


async def select(
    connection: Connection, where: Condition, tail: str = "", more: Sequence[Any] = ()
) -> list[Record]:
    """The records under a condition; `tail` orders and limits."""
    text, values = where
    rows = await rows_of(connection, f"{SELECT} WHERE {text} {tail}", [*values, *more])
    return [record_of(row) for row in rows]


def record_of(row: Sequence[Any]) -> Record:
    """A row of `SELECT` as a record. Raises `Corrupt` naming the record when a column cannot be read."""
    try:
        return Record(
            id=row[2],
            scope=Scope(
                tenant_id=row[1], user_id=row[3], agent_id=row[4], session_id=row[5], namespace=row[6]
            ),
            kind=row[7],
            category=row[8],
            tier=row[9],
            source=row[10],
            importance=row[11],
            version=row[12],
            reinforced=row[13],
            embedded=row[14],
            created_at=row[15],
            updated_at=row[16],
            expires_at=row[17],
            tags=tuple(row[18]),
            metadata=_mapping(row[19]),
            content=row[20],
            access_count=row[21] or 0,
            last_accessed_at=row[22],
            links=() if row[23] is None else tuple(_links(row[23])),
        )
    except (TypeError, ValueError, OverflowError) as error:
        raise Corrupt(f"record {row[2]!r} cannot be read: {error}; run `memwell doctor`") from error


def columns_of(record: Record, mark: int, embedded: bool) -> tuple[Any, ...]:
    """The values of `COLUMNS` for a record, with its projections; `mark` is its digest."""
    scope, metadata = record.scope, record.metadata
    lexemes, signals = lexemes_and_signals(record)
    length, repeats, indexed = tsvector.columns(scope, lexemes)
    return (
        mark,
        record.created_at,
        record.updated_at,
        record.expires_at,
        float(record.importance),
        record.version,
        record.reinforced,
        length,
        embedded,
        scope.tenant_id,
        record.id,
        scope.user_id,
        scope.agent_id,
        scope.session_id,
        scope.namespace,
        record.kind,
        record.category,
        record.tier,
        record.source,
        signals,
        dumps(record.tags) if record.tags else "[]",
        filter_sql.as_jsonb(metadata) if metadata else "{}",
        filter_sql.instants(metadata) if metadata else None,
        record.content,
        lexemes,
        repeats,
        indexed,
    )


def vector_of(embedding: Embedding) -> Vector:
    """An embedding as the row that holds it."""
    vectors, spans = embedding.vectors, embedding.spans
    ranges = dumps(spans) if spans else None
    if len(vectors) == 1:
        return sent(vectors[0]), ranges, None
    import numpy as np

    mean = vectors.mean(axis=0)
    unit = mean / (np.linalg.norm(mean) or 1.0)
    return sent(unit), ranges, vectors.astype("<f4", copy=False).tobytes()


def embedding_of(model: str, received: bytes, spans: str | None, passages: bytes | None) -> Embedding:
    """The inverse of `vector_of`; `received` is what `vector_send` gives."""
    import numpy as np

    dimension = int.from_bytes(received[:2], "big")
    if passages is None:
        vectors = np.frombuffer(received, dtype=">f4", offset=4)
    elif len(passages) % (4 * dimension):
        raise Corrupt(f"passages have {len(passages)} bytes; run `memwell repair`", part="postgres")
    else:
        vectors = np.frombuffer(passages, dtype="<f4")
    kept = tuple((a, b) for a, b in loads(spans)) if spans else ()
    return Embedding(model=model, vectors=vectors.reshape(-1, dimension).astype(np.float32), spans=kept)


def sent(vector: NDArray[np.float32]) -> Raw:
    """A vector as pgvector receives it."""
    return Raw(struct.pack(">HH", len(vector), 0) + vector.astype(">f4").tobytes())


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"metadata is stored as {type(value).__name__}")
    return value


def _links(found: Iterable[Sequence[Any]]) -> list[Link]:
    return [
        Link(target=t, kind=k, strength=float(s), created_at=_EPOCH + timedelta(microseconds=at))
        for t, k, s, at in found
    ]
