"""Encodes rows in the binary format of COPY, to store thousands of records at once.

The format is that of https://www.postgresql.org/docs/current/sql-copy.html: each field follows its length, in the form
that the type's receive function reads. It takes less time than text, both in PostgreSQL and in Python.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from itertools import islice
from struct import Struct
from typing import Any, Final, TypeAlias

from memwell.backends.postgres.store.models import Model, Models
from memwell.backends.postgres.store.rows import COLUMNS, SHARED, columns_of, vector_of
from memwell.ports import Embedding, Insert
from memwell.records.codec import digest_of

__all__ = ["CHANGES", "END", "RECORDS", "START", "VECTORS", "Given", "changes", "records", "vectors"]

Given: TypeAlias = Sequence[tuple[int, Insert]]
"""New records with their keys."""

START: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
"""What comes before the rows of a COPY."""
END: Final = b"\xff\xff"
"""What comes after them."""

RECORDS: Final = f"records (key, {', '.join(COLUMNS)})"
VECTORS: Final = "{} (key, model, vec, spans, passages)"
CHANGES: Final = "changes (ordinal, key)"

_NULL: Final = b"\xff\xff\xff\xff"
_KEY: Final = Struct(">hiq").pack
_TIMES: Final = Struct(">iqiq").pack
_SIZED: Final = Struct(">i?iqii").pack
"""Whether there are vectors, the digest, the number of terms."""
_LENGTH: Final = Struct(">i").pack
_WHOLE: Final = Struct(">iq").pack
_FLOAT: Final = Struct(">id").pack
_JSON: Final = Struct(">iB").pack
_VECTOR: Final = Struct(">hiqiii").pack
_CHANGE: Final = Struct(">hiqiq").pack
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def records(given: Given) -> bytes:
    """Rows of `RECORDS`."""
    return b"".join([_record(key, insert) for key, insert in given])


def changes(keys: Iterable[int], ordinal: int) -> bytes:
    """Rows of `CHANGES`, the first one with this place in the sequence."""
    return b"".join([_CHANGE(2, 8, place, 8, key) for place, key in enumerate(keys, ordinal)])


def vectors(given: Given, models: Models) -> dict[Model, bytes]:
    """Rows of `VECTORS`, by model. The models must be prepared."""
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
        rows.setdefault(model, []).append(_plain_vectors(model, some))
    return {model: b"".join(some) for model, some in rows.items()}


def _record(key: int, insert: Insert) -> bytes:
    values = columns_of(insert.record, digest_of(insert), insert.embedding is not None)
    (id, created, updated, metadata, content, embedded, digest, length, signals, instants, lexemes, repeats,
     words) = values[SHARED:]  # fmt: skip
    id, content, signals, lexemes = id.encode(), content.encode(), signals.encode(), lexemes.encode()
    return b"".join(
        (
            _KEY(1 + len(COLUMNS), 8, key), _shared(values[:SHARED]),
            _LENGTH(len(id)), id, _TIMES(8, _micros(created), 8, _micros(updated)), _jsonb(metadata),
            _LENGTH(len(content)), content, _SIZED(1, embedded, 8, digest, 4, length),
            _LENGTH(len(signals)), signals, _NULL if instants is None else _jsonb(instants),
            _LENGTH(len(lexemes)), lexemes, _NULL if repeats is None else _jsonb(repeats),
            _LENGTH(len(words)), words,
        )
    )  # fmt: skip


def _vector(model: Model, key: int, embedding: Embedding) -> bytes:
    vector, spans, passages = vector_of(embedding)
    head = _VECTOR(5, 8, key, 4, model.number, len(vector))
    return b"".join((head, vector, _NULL if spans is None else _text(spans), _raw(passages)))


def _plain_vectors(model: Model, some: Sequence[tuple[int, Embedding]]) -> bytes:
    """As `_vector` of each, for texts of one passage."""
    import numpy as np

    rows = np.empty(len(some), _row_of(model))
    rows[:] = (5, 8, 0, 4, model.number, 4 + 4 * model.dimension, model.dimension, 0, 0, -1)
    rows["key"] = [key for key, _ in some]
    rows["vec"] = np.concatenate([embedding.vectors for _, embedding in some])
    return rows.tobytes()


@cache
def _row_of(model: Model) -> Any:
    """The form of such a row: the last two fields are null."""
    import numpy as np

    sizes = [("count", ">i2"), ("key_size", ">i4"), ("key", ">i8"), ("model_size", ">i4"), ("model", ">i4")]
    vector = [("vec_size", ">i4"), ("dimension", ">u2"), ("unused", ">u2"), ("vec", ">f4", model.dimension)]
    return np.dtype([*sizes, *vector, ("nulls", ">i8")])


@lru_cache(maxsize=1024)
def _shared(values: tuple[Any, ...]) -> bytes:
    """The columns that many records have in common."""
    kinds = islice(COLUMNS.values(), SHARED)
    return b"".join(
        _NULL if value is None else _OF_TYPE[kind](value) for kind, value in zip(kinds, values, strict=True)
    )


@lru_cache(maxsize=1024)
def _micros(value: datetime) -> int:
    return (value - _EPOCH) // _MICROSECOND


def _raw(value: bytes | None) -> bytes:
    return _NULL if value is None else _LENGTH(len(value)) + value


def _text(value: str) -> bytes:
    return _raw(value.encode())


def _jsonb(value: str) -> bytes:
    body = value.encode()
    return _JSON(len(body) + 1, 1) + body


_OF_TYPE: Final[Mapping[str, Callable[[Any], bytes]]] = {
    "bigint": lambda value: _WHOLE(8, value),
    "float8": lambda value: _FLOAT(8, value),
    "timestamptz": lambda value: _WHOLE(8, _micros(value)),
    "text": _text,
    "jsonb": _jsonb,
}
