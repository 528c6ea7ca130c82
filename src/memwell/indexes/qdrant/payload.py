"""Points in Qdrant, on a server or embedded: payloads, filters and payload indexes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from memwell._dataclasses import dataclass
from memwell.errors import Corrupt
from memwell.indexes.filtering.field_columns import COLUMNS, NUMBERS, columns, decoded
from memwell.indexes.filtering.nearest import Candidate
from memwell.indexes.filtering.pushdown import Compare, Condition, Every, OneOf, Pushed, Unless
from memwell.indexes.metrics import ScoreKind, similarity
from memwell.indexes.points import Batch, uuid_of
from memwell.ports import Metric, Vectors
from memwell.ports.arrays import numpy

__all__ = [
    "DISTANCES",
    "FIELDS",
    "ID",
    "INDEXED",
    "SPACE",
    "FilterBuilder",
    "candidates",
    "fields_by_id",
    "payload_keys",
    "payloads",
    "vectors_by_id",
]

ID: Final = "m_id"
"""Payload key of our id; the id of the point is a UUID made from it."""
SPACE: Final = "m_namespace"
"""Payload key of the namespace."""
FIELDS: Final = "m_fields"
"""Payload key of the fields as JSON text."""
INDEXED: Final[Mapping[str, str]] = {
    SPACE: "keyword",
    **{name: "float" if name.removeprefix("f_") in NUMBERS else "keyword" for name in COLUMNS},
}
"""Payload keys used in filters → type of their index."""
DISTANCES: Final[Mapping[Metric, tuple[str, ScoreKind]]] = {
    "cosine": ("Cosine", "cosine"),
    "l2": ("Euclid", "l2"),
    "dot": ("Dot", "dot"),
}
"""Metric → Qdrant's name, and the kind of its scores."""


@dataclass(frozen=True, slots=True)
class FilterBuilder:
    """Builds filters from the classes of a Qdrant library (the client's, or those of `qdrant_edge`)."""

    filter: Callable[..., Any]
    field: Callable[..., Any]
    any: Callable[..., Any]
    range: Callable[..., Any]

    def build(self, namespace: str, condition: Condition | None = None) -> Any:
        """The filter for the points of a namespace that meet a condition."""
        space = self.field(key=SPACE, match=self.any(any=[namespace]))
        return self.filter(must=[space] if condition is None else [space, self._build(condition)])

    def _build(self, condition: Condition) -> Any:
        if isinstance(condition, OneOf):
            return self.field(key=condition.column, match=self.any(any=list(condition.values)))
        if isinstance(condition, Compare):
            return self.field(key=condition.column, range=self.range(**{condition.bound: condition.number}))
        if isinstance(condition, Unless):
            return self.filter(must_not=[self._build(condition.part)])
        parts = [self._build(part) for part in condition.parts]
        return self.filter(must=parts) if isinstance(condition, Every) else self.filter(should=parts)


def payloads(points: Batch, namespace: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """UUID and payload of each point."""
    for name, fields, text in zip(points.ids, points.fields, points.texts, strict=True):
        own = {ID: name, SPACE: namespace, FIELDS: text}
        yield uuid_of(name, namespace), own | columns(fields)


def payload_keys(pushed: Pushed) -> list[str]:
    """The payload keys that a search must return."""
    return [ID] if pushed.exact else [ID, FIELDS]


def candidates(found: Sequence[Any], metric: Metric, pushed: Pushed) -> list[Candidate]:
    """Scored points as candidates."""
    raw = DISTANCES[metric][1]
    return [
        Candidate(
            id=_id(point),
            similarity=similarity(point.score, raw),
            fields=None if pushed.exact else decoded(point.payload.get(FIELDS)),
        )
        for point in found
    ]


def vectors_by_id(found: Sequence[Any]) -> dict[str, Vectors]:
    """The vectors of retrieved points, by our ids."""
    np = numpy()
    return {_id(point): np.asarray(point.vector, dtype=np.float32) for point in found}


def fields_by_id(found: Sequence[Any]) -> dict[str, Mapping[str, Any]]:
    """The fields of retrieved points, by our ids."""
    return {_id(point): decoded(point.payload.get(FIELDS)) for point in found}


def _id(point: Any) -> str:
    try:
        return str(point.payload[ID])
    except (TypeError, KeyError) as error:
        raise Corrupt(
            f"point {point.id} of the collection was not written by memwell; use another collection for the index"
        ) from error
