"""Encodes records for the Redis store: names, rows, and the entries that are derived from a row.

Parts of a name are framed, so that no text can pose as two: NUL stands between them, and NUL inside one is written
`\\1\\1`, `\\1` itself `\\1\\2`. Framed names sort as the texts do, by code point.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from memwell._dataclasses import dataclass
from memwell.errors import Corrupt
from memwell.fields import STORED
from memwell.ports import Embedding
from memwell.records import rows
from memwell.records.codec import dumps, loads, to_micros
from memwell.records.rows import complete, maker, writer
from memwell.retrieval.analysis.features import lexemes_and_signals
from memwell.retrieval.index.corpus import Row as CorpusRow
from memwell.types import Link, Record

__all__ = [
    "ANYBODY",
    "Row",
    "dimension_of",
    "frame",
    "links_of",
    "name_of",
    "name_of_member",
    "names_of",
    "owner_member",
    "parts_of",
    "plain",
    "projections",
    "read_vectors",
    "row_of",
    "text_of",
    "text_of_links",
    "unframe",
    "user_mark",
    "vector_field",
    "vector_value",
    "vectors_of",
    "words_of",
    "words_text",
]

_values_of: Final = writer({"time": "to_micros(value)"})
_record_of: Final = maker(
    {name: place for place, name in enumerate(STORED)},
    {
        "content": "text_of(value)",
        "count": "int(value)",
        "metadata": "mapping_of(value)",
        "share": "float(value)",
        "tags": "tuple(value)",
        "time": "from_micros(value)",
    },
)

ANYBODY: Final = b""
"""In place of a user's mark: every user of the tenant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A stored record without its relationships, accesses and vectors, which have tables of their own."""

    name: bytes
    """Its name in every table."""
    key: int
    """Its number in the order of insertion; a record that takes the id of a deleted one has another."""
    record: Record
    digest: int
    """Its digest: exact duplicates have the same."""
    models: tuple[str, ...] = ()
    """The models of its vectors."""
    past: int = 0
    """The number of stored older versions."""


def frame(text: str) -> bytes:
    """A text as a part of a name."""
    raw = text.encode()
    if b"\0" in raw or b"\1" in raw:
        return raw.replace(b"\1", b"\1\2").replace(b"\0", b"\1\1")
    return raw


def unframe(part: bytes) -> str:
    """The inverse of `frame`."""
    if b"\1" in part:
        part = part.replace(b"\1\1", b"\0").replace(b"\1\2", b"\1")
    return part.decode()


def name_of(tenant: str, id: str) -> bytes:
    """The name of a record."""
    return frame(tenant) + b"\0" + frame(id)


def parts_of(name: bytes) -> tuple[str, str]:
    """Tenant and id of a name."""
    tenant, _, id = name.partition(b"\0")
    return unframe(tenant), unframe(id)


def user_mark(user: str | None) -> bytes:
    """A record's user as a part of a name; never `ANYBODY`."""
    return b"-" if user is None else b"=" + frame(user)


def owner_member(row: Row) -> bytes:
    """The member of `owners`. The members of a tenant, and of a user in it, are adjacent."""
    scope = row.record.scope
    return b"\0".join((frame(scope.tenant_id), user_mark(scope.user_id), frame(row.record.id)))


def name_of_member(member: bytes) -> bytes:
    """The record's name in a member of `owners`."""
    tenant, _, id = member.split(b"\0")
    return tenant + b"\0" + id


def plain(record: Record) -> Record:
    """The record as its row holds it."""
    return replace(record, links=(), embedded=False, access_count=0, last_accessed_at=None)


def projections(row: Row) -> Iterator[tuple[str, bytes, int]]:
    """(table, member, score) of each sorted set that contains a row."""
    name = row.name
    yield "owners", owner_member(row), 0
    yield "ages", name, row.key
    for model in row.models:
        yield "embedded", frame(model) + b"\0" + name, 0
    if row.record.expires_at is not None:
        yield "expiring", name, to_micros(row.record.expires_at)


def text_of(row: Row) -> bytes:
    """A row as stored: a JSON list that ends with the values of `fields.STORED`."""
    return dumps([row.key, row.digest, row.past, row.models, *_values_of(row.record)]).encode()


def row_of(name: bytes, text: bytes) -> Row:
    """The inverse of `text_of`. Raises `Corrupt` naming the record when it cannot be read."""
    try:
        key, digest, past, models, *values = loads(text.decode())
        record = _record_of(complete(values))
        if name != name_of(record.scope.tenant_id, record.id):
            raise TypeError("it has another name")
        return Row(
            name=name, key=int(key), record=record, digest=int(digest), models=tuple(models), past=int(past)
        )
    except (TypeError, ValueError, OverflowError, Corrupt) as error:
        raise Corrupt(
            f"record {_id(name)!r} cannot be read: {error}; run `memwell doctor`", part="redis"
        ) from error


def words_text(row: Row) -> bytes:
    """The terms and signals of a record, as stored for its corpus."""
    record = row.record
    lexemes, signals = lexemes_and_signals(record)
    expires = None if record.expires_at is None else to_micros(record.expires_at)
    owner = (record.user_id, record.session_id)
    return dumps(
        [row.key, record.id, *owner, to_micros(record.created_at), expires, signals, lexemes]
    ).encode()


def words_of(name: bytes, text: bytes) -> CorpusRow:
    """The inverse of `words_text`. Raises `Corrupt` naming the record."""
    try:
        key, id, user, session, created, expires, signals, lexemes = loads(text.decode())
        return int(key), id, user, session, int(created), expires, signals, lexemes
    except (TypeError, ValueError, Corrupt) as error:
        raise Corrupt(
            f"the words of {_id(name)!r} cannot be read; run `memwell repair`", part="redis"
        ) from error


def text_of_links(links: tuple[Link, ...]) -> bytes | None:
    """Relationships as stored; `None` when there are none."""
    found = [[x.target, x.kind, x.strength, to_micros(x.created_at)] for x in links if x.created_at]
    return dumps(found).encode() if found else None


def links_of(text: bytes | None) -> tuple[Link, ...]:
    """The inverse of `text_of_links`. Raises `Corrupt`."""
    if text is None:
        return ()
    try:
        return rows.links_of(loads(text.decode()))
    except (TypeError, ValueError, OverflowError) as error:
        raise Corrupt("relationships cannot be read; run `memwell repair`", part="redis") from error


def vector_field(model: str, key: int) -> bytes:
    """The field with the vectors of a record under a model."""
    return b"%s\0%d" % (frame(model), key)


def vector_value(embedding: Embedding) -> bytes:
    """Vectors as stored: the passages, a line feed, little-endian float32."""
    spans = dumps(embedding.spans) if embedding.spans else ""
    return spans.encode() + b"\n" + embedding.vectors.astype("<f4", copy=False).tobytes()


def read_vectors(value: bytes) -> tuple[str | None, bytes]:
    """Passages as JSON, float32 bytes. Raises `Corrupt`."""
    spans, line, data = value.partition(b"\n")
    if not line or not data or len(data) % 4:
        raise Corrupt("stored vectors cannot be read; run `memwell repair`", part="redis")
    return spans.decode("utf-8", "replace") or None, data


def vectors_of(model: str, value: bytes, dimension: int) -> Embedding:
    """The inverse of `vector_value`. Raises `Corrupt`."""
    import numpy as np

    spans, data = read_vectors(value)
    try:
        vectors = np.frombuffer(data, dtype="<f4").reshape(-1, dimension).astype(np.float32)
        ranges = tuple((int(a), int(b)) for a, b in loads(spans)) if spans else ()
    except (TypeError, ValueError) as error:
        raise Corrupt("stored vectors cannot be read; run `memwell repair`", part="redis") from error
    return Embedding(model=model, vectors=vectors, spans=ranges)


def dimension_of(text: bytes) -> int:
    """The dimension in an entry of `models`. Raises `Corrupt`."""
    try:
        return int(text)
    except ValueError as error:
        raise Corrupt("a model's dimension cannot be read", part="redis") from error


def names_of(text: bytes | None) -> list[str]:
    """A stored list of texts; empty when there is none. Raises `Corrupt`."""
    return [] if text is None else list(loads(text.decode()))


def _id(name: bytes) -> str:
    return name.rpartition(b"\0")[2].decode("utf-8", "replace")
