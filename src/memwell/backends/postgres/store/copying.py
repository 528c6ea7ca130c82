"""Encodes rows in the binary format of COPY, to store thousands of records at once.

The format is that of https://www.postgresql.org/docs/current/sql-copy.html: each field follows its length, in the form
that the type's receive function reads. It takes less time than text, both in PostgreSQL and in Python.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import chain, islice
from struct import Struct
from typing import Any, Final, TypeAlias

import psycopg

from memwell.backends.postgres import Connection
from memwell.backends.postgres.store.models import Model, Models
from memwell.backends.postgres.store.rows import COLUMNS, columns_of, vector_of
from memwell.ports import Embedding, Insert
from memwell.records.codec import digest_of

__all__ = ["Given", "copy"]

Given: TypeAlias = Sequence[tuple[int, Insert]]
"""New records with their keys."""

_RECORDS: Final = f"records (key, {', '.join(COLUMNS)})"
_VECTORS: Final = "{} (key, model, vec, spans, passages)"
_SLICE: Final = 32
"""Records that are encoded before other tasks may run."""
_BLOCK: Final = 100
"""Vectors that are sent at a time."""
_START: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END: Final = b"\xff\xff"
_NULL: Final = b"\xff\xff\xff\xff"
_RECORD: Final = Struct(">hiq").pack
_LENGTH: Final = Struct(">i").pack
_WHOLE: Final = Struct(">iq").pack
_SMALL: Final = Struct(">ii").pack
_FLOAT: Final = Struct(">id").pack
_JSON: Final = Struct(">iB").pack
_VECTOR: Final = Struct(">hiqiii").pack
_SIZES: Final = Struct(">HH").pack
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


async def copy(connection: Connection, given: Given, models: Models) -> None:
    """Send new records and their vectors to the server, inside a transaction. The models must be prepared.

    Rows are encoded while the server stores those before, in the calling thread: another one would compete with it for
    the interpreter, and keep the server waiting. So the vectors, which take no time to encode, go first, and the first
    records are encoded meanwhile.
    """
    records, ready = _records(given), list[bytes]()
    for model, rows in _vectors(given, models).items():
        async with _copying(connection, _VECTORS.format(model.table)) as sending:
            for at in range(0, len(rows), _BLOCK):
                await sending.write(b"".join(rows[at : at + _BLOCK]))
                ready += islice(records, 1)
                await _let_others_run(connection)
    async with _copying(connection, _RECORDS) as sending:
        for block in chain(ready, records):
            await sending.write(block)
            await _let_others_run(connection)


@asynccontextmanager
async def _copying(connection: Connection, head: str) -> AsyncIterator[psycopg.AsyncCopy]:
    async with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY {head} FROM STDIN (FORMAT BINARY)".encode()) as sending,
    ):
        await sending.write(_START)
        yield sending
        await sending.write(_END)


async def _let_others_run(connection: Connection) -> None:
    if not getattr(connection, "here", False):
        await asyncio.sleep(0)


def _records(given: Given) -> Iterator[bytes]:
    """The rows of `records`, a slice at a time."""
    for at in range(0, len(given), _SLICE):
        yield b"".join([_record(key, insert) for key, insert in given[at : at + _SLICE]])


def _vectors(given: Given, models: Models) -> dict[Model, list[bytes]]:
    """The rows of each model's vectors."""
    plain: dict[Model, list[tuple[int, Embedding]]] = {}
    rows: dict[Model, list[bytes]] = {}
    for key, insert in given:
        if (embedding := insert.embedding) is not None:
            model = models.of(embedding)
            if len(embedding.vectors) == 1 and not embedding.spans:
                plain.setdefault(model, []).append((key, embedding))
            else:
                rows.setdefault(model, []).append(_vector(model, key, embedding))
    for model, some in plain.items():
        rows.setdefault(model, []).extend(_plain_vectors(model, some))
    return rows


def _plain_vectors(model: Model, some: Sequence[tuple[int, Embedding]]) -> list[bytes]:
    """As `_vector` of each, for texts of one passage: their numbers are turned round all at once."""
    import numpy as np

    size, end = 4 * model.dimension, 2 * _NULL
    bodies = np.concatenate([embedding.vectors for _, embedding in some]).astype(">f4").tobytes()
    head = _SIZES(model.dimension, 0)
    return [
        b"".join((_VECTOR(5, 8, key, 4, model.number, 4 + size), head, bodies[at : at + size], end))
        for (key, _), at in zip(some, range(0, len(bodies), size), strict=True)
    ]


def _record(key: int, insert: Insert) -> bytes:
    values = columns_of(insert.record, digest_of(insert), insert.embedding is not None)
    fields = [_NULL if value is None else field(value) for field, value in zip(_FIELDS, values, strict=True)]
    return _RECORD(len(fields) + 1, 8, key) + b"".join(fields)


def _vector(model: Model, key: int, embedding: Embedding) -> bytes:
    vector, spans, passages = vector_of(embedding)
    head = _VECTOR(5, 8, key, 4, model.number, len(vector))
    return b"".join((head, vector, _NULL if spans is None else _text(spans), _raw(passages)))


def _raw(value: bytes | None) -> bytes:
    return _NULL if value is None else _LENGTH(len(value)) + value


def _text(value: str) -> bytes:
    body = value.encode()
    return _LENGTH(len(body)) + body


@lru_cache(maxsize=1024)
def _short(value: str) -> bytes:
    """A text that many records share."""
    return _text(value)


def _jsonb(value: str) -> bytes:
    body = value.encode()
    return _JSON(len(body) + 1, 1) + body


@lru_cache(maxsize=1024)
def _moment(value: datetime) -> bytes:
    return _WHOLE(8, (value - _EPOCH) // _MICROSECOND)


_OF_TYPE: Final[Mapping[str, Callable[[Any], bytes]]] = {
    "bigint": lambda value: _WHOLE(8, value),
    "integer": lambda value: _SMALL(4, value),
    "float8": lambda value: _FLOAT(8, value),
    "boolean": lambda value: b"\0\0\0\1\1" if value else b"\0\0\0\1\0",
    "timestamptz": _moment,
    "text": _short,
    "jsonb": _jsonb,
    "tsvector": _raw,
}
_OWN: Final = ("id", "content", "lexemes", "signals")
"""Texts that hardly two records share."""
_FIELDS: Final = tuple(_text if name in _OWN else _OF_TYPE[kind] for name, kind in COLUMNS.items())
"""How each of `COLUMNS` is encoded, with its length."""
