"""Converts rows of the PostgreSQL store to records and back, and scopes to SQL conditions."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from memwell import filters
from memwell.backends import sql
from memwell.backends.postgres import Connection, Raw
from memwell.backends.postgres.store import filter_sql, tsvector
from memwell.errors import Corrupt
from memwell.fields import FIELDS, REQUIRED, STORED, Type
from memwell.ports import Embedding
from memwell.records.codec import digest as digest_of
from memwell.records.codec import dumps, loads
from memwell.records.rows import reader, writer
from memwell.retrieval.analysis.features import lexemes_and_signals
from memwell.types import Record, Scope, Where

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "COLUMNS",
    "SELECT",
    "SHARED",
    "Condition",
    "Vector",
    "columns_of",
    "condition",
    "embedding_of",
    "record_of",
    "rows_of",
    "select",
    "sent",
    "values_at",
    "vector_of",
    "visible",
]

SELECT: Final = sql.select(
    "SELECT json_agg(json_build_array(t.id, l.kind, encode(float8send(l.strength), 'hex'),"
    " (extract(epoch FROM l.created_at) * 1000000)::bigint) ORDER BY l.target, l.kind)"
    " FROM links l JOIN records t ON t.key = l.target WHERE l.source = r.key"
)
"""The columns that `record_of` reads."""

_TYPES: Final[dict[Type, str]] = {
    "content": "text", "count": "bigint", "metadata": "jsonb", "share": "float8", "tags": "jsonb", "text": "text",
    "time": "timestamptz",
}  # fmt: skip

_ANALYSED: Final = {
    "length": "integer", "signals": "text", "instants": "jsonb", "lexemes": "text", "repeats": "jsonb",
    "words": "tsvector",
}  # fmt: skip
_OWN: Final = tuple(
    name for name in STORED if FIELDS[name].default is REQUIRED or FIELDS[name].type == "metadata"
)
"""Fields that hardly two records share."""
_FIELDS: Final = (*(name for name in STORED if name not in _OWN), *_OWN)
SHARED: Final = len(STORED) - len(_OWN)
"""How many of `COLUMNS`, the first ones, have the same values in most records of a batch."""
COLUMNS: Final = {
    **{name: _TYPES[FIELDS[name].type] for name in _FIELDS},
    "embedded": "boolean", "digest": "bigint", **_ANALYSED,
}  # fmt: skip
"""The columns of `records` except the key, with their types, in the order of `columns_of`."""


def _strength(hexadecimal: str) -> float:
    """Decode a float that is sent in binary: JSON would round it to the server's `extra_float_digits`."""
    found: float = _FLOAT.unpack(bytes.fromhex(hexadecimal))[0]
    return found


_FLOAT: Final = struct.Struct(">d")
record_of: Final = reader(
    sql.PLACES,
    {
        "content": "text_of(value)",
        "links": "() if value is None else links_of([(t, k, strength(s), at) for t, k, s, at in value])",
        "metadata": "mapping_of(value)",
        "tags": "tuple(value)",
    },
    strength=_strength,
)
"""A row of `SELECT` as a record. Raises `Corrupt` naming the record when a column cannot be read."""

_values_of: Final = writer(
    {
        "metadata": "as_jsonb(value) if value else '{}'",
        "share": "float(value)",
        "tags": "dumps(value) if value else '[]'",
    },
    _FIELDS,
    as_jsonb=filter_sql.as_jsonb,
)

Condition: TypeAlias = tuple[str, list[Any]]
"""SQL text for WHERE over alias `r`, and its bound values."""

Vector: TypeAlias = tuple[Raw, str | None, bytes | None]
"""An embedding as stored in `vectors`: the vector that searches compare, ranges, passages."""


def visible(scope: Scope, now: datetime | None, row: str = "r", *, by_id: bool = False) -> Condition:
    """The condition for the records of a scope that have not expired at `now` (`None`: expired ones too).

    `by_id`: the statement also names ids. Without statistics the planner would scan all records of the user instead of
    looking up the ids, so the rest of the scope is written in a form that no index serves.
    """
    form = f"({row}.{{}} = %s) IS TRUE" if by_id else f"{row}.{{}} = %s"
    text, bound = sql.within(scope, form, tenant=f"{row}.{{}} = %s")
    terms = [text]
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
    """The rows that a statement returns. `prepare`: prepare it at once, for a statement that is used often."""
    return await connection.rows(_encoded(query), values, prepare=prepare)


@lru_cache(maxsize=512)
def _encoded(query: str) -> bytes:
    """The same bytes object for the same text: psycopg finds prepared statements by it."""
    return query.encode()


async def select(
    connection: Connection, where: Condition, tail: str = "", more: Sequence[Any] = ()
) -> list[Record]:
    """The records under a condition; `tail` orders and limits."""
    text, values = where
    rows = await rows_of(connection, f"{SELECT} WHERE {text} {tail}", [*values, *more])
    return [record_of(row) for row in rows]


def columns_of(record: Record, digest: int, embedded: bool) -> tuple[Any, ...]:
    """The values of `COLUMNS` for a record."""
    return (*_values_of(record), embedded, digest, *_analysed(record))


def values_at(columns: Sequence[str], record: Record) -> list[Any]:
    """The values of some of `COLUMNS` for a record. Its text is analysed only if one of them needs it."""
    values = dict(zip(_FIELDS, _values_of(record), strict=True)) | {"embedded": record.embedded}
    if "digest" in columns:
        values["digest"] = digest_of(record)
    if not _ANALYSED.keys().isdisjoint(columns):
        values |= zip(_ANALYSED, _analysed(record), strict=True)
    return [values[name] for name in columns]


def _analysed(record: Record) -> tuple[Any, ...]:
    """The values of the columns that an analysis of the text and the metadata gives."""
    lexemes, signals = lexemes_and_signals(record)
    length, repeats, indexed = tsvector.columns(record.scope, lexemes)
    instants = filter_sql.instants(record.metadata) if record.metadata else None
    return length, signals, instants, lexemes, repeats, indexed


def vector_of(embedding: Embedding) -> Vector:
    """An embedding as values of a row."""
    vectors, spans = embedding.vectors, embedding.spans
    ranges = dumps(spans) if spans else None
    if len(vectors) == 1:
        return sent(vectors[0]), ranges, None
    import numpy as np

    mean = vectors.mean(axis=0)
    unit = mean / (np.linalg.norm(mean) or 1.0)
    return sent(unit), ranges, vectors.astype("<f4", copy=False).tobytes()


def embedding_of(model: str, received: bytes, spans: str | None, passages: bytes | None) -> Embedding:
    """The inverse of `vector_of`; `received` is the result of `vector_send`."""
    import numpy as np

    dimension = int.from_bytes(received[:2], "big")
    if passages is None:
        vectors = np.frombuffer(received, dtype=">f4", offset=4)
    elif len(passages) % (4 * dimension):
        raise Corrupt(f"passages have {len(passages)} bytes; run `memwell repair`", part="postgres")
    else:
        vectors = np.frombuffer(passages, dtype="<f4")
    ranges = tuple((a, b) for a, b in loads(spans)) if spans else ()
    return Embedding(model=model, vectors=vectors.reshape(-1, dimension).astype(np.float32), spans=ranges)


def sent(vector: NDArray[np.float32]) -> Raw:
    """A vector as pgvector receives it."""
    return Raw(struct.pack(">HH", len(vector), 0) + vector.astype(">f4").tobytes())
