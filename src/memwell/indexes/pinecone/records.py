"""What Pinecone keeps of points: metadata within its limits, filters in its words, and requests that it takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from memwell import filters
from memwell.errors import Corrupt, NotSupported
from memwell.filters import Node
from memwell.indexes.filtering.field_columns import columns, decoded, encoded
from memwell.indexes.filtering.pushdown import Compare, Condition, Every, OneOf, Unless, inward
from memwell.indexes.metrics import Raw
from memwell.indexes.points import Batch, stand_in, uuid_of
from memwell.ports import Metric

__all__ = ["AT_ONCE", "METRICS", "ZERO", "fields_of", "filtered", "id_of", "made", "requests"]

ID: Final = "m_id"
"""Metadata key of our id; the point's own, which must be ASCII, is the UUID made of it."""
FIELDS: Final = "m_fields"
"""Metadata key of the fields as JSON text."""
CUT: Final = "m_cut"
"""Metadata key that says that the record's own metadata are left out."""
ZERO: Final = "m_zero"
"""Metadata key that says that the vector is zero."""
METRICS: Final[Mapping[Metric, tuple[str, Raw]]] = {
    "cosine": ("cosine", "cosine"),
    "l2": ("euclidean", "squared l2"),
    "dot": ("dotproduct", "dot"),
}
"""Metric → Pinecone's name, and what its scores are."""
METADATA_BYTES: Final = 40_000
REQUEST_BYTES: Final = 1_800_000
"""Of an upsert; Pinecone takes 2 MB."""
AT_ONCE: Final = 1000
"""Points written, or ids deleted, by one request, at most."""


def made(points: Batch) -> Iterator[dict[str, Any]]:
    """The points as Pinecone takes them."""
    rows = zip(points.ids, points.fields, points.texts, points.vectors, strict=True)
    for name, fields, text, vector in rows:
        metadata = _metadata(name, fields, text)
        if not vector.any():
            metadata[ZERO], vector = True, stand_in(len(vector))
        yield {"id": uuid_of(name), "values": vector.tolist(), "metadata": metadata}


def fields_of(metadata: Mapping[str, Any], node: Node) -> dict[str, Any]:
    """The fields of a point, to be compared with the filter."""
    if metadata.get(CUT) and any(clause.field is None for clause in filters.clauses(node)):
        raise NotSupported(
            "Pinecone keeps 40 KB beside a vector, and metadata that the filter asks for are longer:"
            " let the store search",
            part="pinecone",
        )
    return decoded(metadata.get(FIELDS))


def id_of(name: str, metadata: Mapping[str, Any]) -> str:
    """Our id of a point."""
    try:
        return str(metadata[ID])
    except KeyError as error:
        raise Corrupt(
            f"point {name!r} was not written by memwell; give the index a namespace of its own",
            part="pinecone",
        ) from error


def filtered(condition: Condition | None) -> dict[str, Any] | None:
    """The condition in Pinecone's words, or what was cut."""
    if condition is None:
        return None
    return {"$or": [_built(inward(condition)), {CUT: {"$eq": True}}]}


def _metadata(name: str, fields: Mapping[str, Any], text: str) -> dict[str, Any]:
    """What Pinecone keeps beside a vector: flat, and within its limit."""
    found = {ID: name, FIELDS: text, **columns(fields)}
    if len(encoded(found).encode()) <= METADATA_BYTES:
        return found
    rest = {**fields, "metadata": {}}
    return {ID: name, CUT: True, FIELDS: encoded(rest), **columns(rest)}


def _built(condition: Condition) -> dict[str, Any]:
    if isinstance(condition, OneOf):
        return {condition.column: {"$in": list(condition.values)}}
    if isinstance(condition, Compare):
        return {condition.column: {f"${condition.bound}": condition.number}}
    if isinstance(condition, Unless) and isinstance(condition.part, OneOf):
        return {condition.part.column: {"$nin": list(condition.part.values)}}
    if isinstance(condition, Unless):
        raise AssertionError("`inward` leaves no other negation")
    parts = [_built(part) for part in condition.parts]
    return {"$and" if isinstance(condition, Every) else "$or": parts}


def requests(made: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """The points in requests that Pinecone takes."""
    part: list[dict[str, Any]] = []
    size = 0
    for point in made:
        own = 22 * len(point["values"]) + len(encoded(point["metadata"]).encode())
        if part and (len(part) == AT_ONCE or size + own > REQUEST_BYTES):
            yield part
            part, size = [], 0
        part.append(point)
        size += own
    if part:
        yield part
