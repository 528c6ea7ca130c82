"""Points in Pinecone: metadata within its limits, filters, and request sizes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from memwell import filters
from memwell.errors import Corrupt, NotSupported
from memwell.filters import Node
from memwell.indexes.filtering.field_columns import columns, decoded, encoded
from memwell.indexes.filtering.pushdown import Compare, Condition, Every, OneOf, Unless, inward
from memwell.indexes.metrics import ScoreKind
from memwell.indexes.points import Batch, placeholder, uuid_of
from memwell.ports import Metric

__all__ = [
    "MAX_POINTS",
    "METRICS",
    "ZERO",
    "build_filter",
    "fields_of",
    "id_of",
    "requests",
    "upsert_records",
]

ID: Final = "m_id"
"""Metadata key of our id; the id of the point must be ASCII and is a UUID made from ours."""
FIELDS: Final = "m_fields"
"""Metadata key of the fields as JSON text."""
CUT: Final = "m_cut"
"""Metadata key of a flag: the record's own metadata were too long and are left out."""
ZERO: Final = "m_zero"
"""Metadata key of a flag: the vector is zero, the stored one is a placeholder."""
METRICS: Final[Mapping[Metric, tuple[str, ScoreKind]]] = {
    "cosine": ("cosine", "cosine"),
    "l2": ("euclidean", "squared l2"),
    "dot": ("dotproduct", "dot"),
}
"""Metric → Pinecone's name, and the kind of its scores."""
METADATA_BYTES: Final = 40_000
REQUEST_BYTES: Final = 1_800_000
"""Maximum size of an upsert; Pinecone accepts 2 MB."""
MAX_POINTS: Final = 1000
"""Maximum number of points written, or ids deleted, by one request."""


def upsert_records(points: Batch) -> Iterator[dict[str, Any]]:
    """The points in the format of an upsert."""
    rows = zip(points.ids, points.fields, points.texts, points.vectors, strict=True)
    for name, fields, text, vector in rows:
        metadata = _metadata(name, fields, text)
        if not vector.any():
            metadata[ZERO], vector = True, placeholder(len(vector))
        yield {"id": uuid_of(name), "values": vector.tolist(), "metadata": metadata}


def fields_of(metadata: Mapping[str, Any], node: Node) -> dict[str, Any]:
    """The fields of a point, for checking the filter."""
    if metadata.get(CUT) and any(clause.field is None for clause in filters.clauses(node)):
        raise NotSupported(
            "Pinecone stores at most 40 KB of metadata per vector, and the filter needs metadata that are longer; "
            "search without this index",
            part="pinecone",
        )
    return decoded(metadata.get(FIELDS))


def id_of(name: str, metadata: Mapping[str, Any]) -> str:
    """Our id of a point."""
    try:
        return str(metadata[ID])
    except KeyError as error:
        raise Corrupt(
            f"point {name!r} was not written by memwell; use another namespace for the index",
            part="pinecone",
        ) from error


def build_filter(condition: Condition | None) -> dict[str, Any] | None:
    """The condition as a Pinecone filter, which also matches points with incomplete metadata."""
    if condition is None:
        return None
    return {"$or": [_build(inward(condition)), {CUT: {"$eq": True}}]}


def _metadata(name: str, fields: Mapping[str, Any], text: str) -> dict[str, Any]:
    """The metadata of a point: flat, and within Pinecone's limit."""
    found = {ID: name, FIELDS: text, **columns(fields)}
    if len(encoded(found).encode()) <= METADATA_BYTES:
        return found
    rest = {**fields, "metadata": {}}
    return {ID: name, CUT: True, FIELDS: encoded(rest), **columns(rest)}


def _build(condition: Condition) -> dict[str, Any]:
    if isinstance(condition, OneOf):
        return {condition.column: {"$in": list(condition.values)}}
    if isinstance(condition, Compare):
        return {condition.column: {f"${condition.bound}": condition.number}}
    if isinstance(condition, Unless) and isinstance(condition.part, OneOf):
        return {condition.part.column: {"$nin": list(condition.part.values)}}
    if isinstance(condition, Unless):
        raise AssertionError("`inward` leaves no other negation")
    parts = [_build(part) for part in condition.parts]
    return {"$and" if isinstance(condition, Every) else "$or": parts}


def requests(records: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """The points, split into requests that Pinecone accepts."""
    part: list[dict[str, Any]] = []
    size = 0
    for point in records:
        own = 22 * len(point["values"]) + len(encoded(point["metadata"]).encode())
        if part and (len(part) == MAX_POINTS or size + own > REQUEST_BYTES):
            yield part
            part, size = [], 0
        part.append(point)
        size += own
    if part:
        yield part
