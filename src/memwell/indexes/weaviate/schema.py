"""What Weaviate keeps of points: the collection they stand in, the objects they are, and filters in its words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from weaviate.classes.config import Configure, DataType, Property, Tokenization, VectorDistances
from weaviate.classes.data import DataObject
from weaviate.classes.query import Filter

from memwell.errors import ConfigError, Corrupt
from memwell.indexes.filtering.field_columns import COLUMNS, LISTS, NUMBERS, columns
from memwell.indexes.filtering.pushdown import Compare, Condition, Every, OneOf, Unless, inward
from memwell.indexes.metrics import Raw
from memwell.indexes.points import Batch, uuid_of
from memwell.ports import Metric, Vectors
from memwell.ports.arrays import numpy

__all__ = [
    "FIELDS",
    "ID",
    "METRICS",
    "VECTOR",
    "capitalised",
    "check",
    "filtered",
    "id_of",
    "objects",
    "of_namespace",
    "schema",
    "vector_of",
]

ID: Final = "m_id"
"""Property of our id; the object's own is the UUID made of it."""
SPACE: Final = "m_namespace"
"""Property of the namespace, alike for every object of a tenant."""
FIELDS: Final = "m_fields"
"""Property of the fields as JSON text."""
VECTOR: Final = "default"
"""The name of the vector."""
METRICS: Final[Mapping[Metric, tuple[VectorDistances, Raw, int]]] = {
    "cosine": (VectorDistances.COSINE, "cosine distance", 1),
    "l2": (VectorDistances.L2_SQUARED, "squared l2", 1),
    "dot": (VectorDistances.DOT, "dot", -1),
}
"""Metric → Weaviate's name, and what its distances are when they are multiplied by the number."""
ABOUT: Final = "Points of memwell, with vectors of dimension {}."
"""The description of a collection. Weaviate itself takes the dimension from the first vector."""
BOUNDS: Final = {
    "gt": "greater_than",
    "gte": "greater_or_equal",
    "lt": "less_than",
    "lte": "less_or_equal",
}


def capitalised(name: str) -> str:
    """The name of a collection as Weaviate has it. Raises `ConfigError` for one that it refuses."""
    found = name[:1].upper() + name[1:]
    if not re.fullmatch("[A-Z][_0-9A-Za-z]{0,254}", found):
        raise ConfigError(
            f"a collection of Weaviate is named by letters, digits and underscores, not {name!r}",
            part="weaviate",
        )
    return found


def schema(dimension: int, metric: Metric) -> dict[str, Any]:
    """The settings of a collection. Newer servers may quantise vectors unless told not to."""
    hnsw = Configure.VectorIndex.hnsw(
        distance_metric=METRICS[metric][0], quantizer=Configure.VectorIndex.Quantizer.none()
    )
    own = [_texts(ID, asked=False), _texts(FIELDS, asked=False), _texts(SPACE)]
    return {
        "description": ABOUT.format(dimension),
        "vector_config": Configure.Vectors.self_provided(name=VECTOR, vector_index_config=hnsw),
        "multi_tenancy_config": Configure.multi_tenancy(enabled=True, auto_tenant_activation=True),
        "properties": own + [_property(column) for column in COLUMNS],
    }


def check(config: Any, dimension: int, metric: Metric) -> None:
    """Raise `ConfigError` for a collection that was made for other points."""
    said = re.fullmatch(ABOUT.replace(".", r"\.").format(r"(\d+)"), config.description or "")
    vector = (config.vector_config or {}).get(VECTOR)
    if said is None or vector is None or not config.multi_tenancy_config.enabled:
        raise ConfigError(
            f"collection {config.name!r} was not made by memwell; give the index one of its own",
            part="weaviate",
        )
    names = {name: metric for metric, (name, _, _) in METRICS.items()}
    distance = vector.vector_index_config.distance_metric
    if int(said[1]) != dimension or names.get(distance) != metric:
        raise ConfigError(
            f"collection {config.name!r} holds vectors of dimension {said[1]} and metric"
            f" {names.get(distance, distance)}, not {dimension} and {metric}; give another collection, or what it"
            " was made with",
            part="weaviate",
        )


def objects(points: Batch, namespace: str) -> Iterator[DataObject[Any, Any]]:
    """The points as Weaviate takes them."""
    rows = zip(points.ids, points.fields, points.texts, points.vectors, strict=True)
    for name, fields, text, vector in rows:
        properties = {column: _kept(value) for column, value in columns(fields).items()}
        properties |= {ID: name, SPACE: _kept(namespace), FIELDS: text}
        yield DataObject(
            uuid=uuid_of(name, namespace), properties=properties, vector={VECTOR: vector.tolist()}
        )


def of_namespace(namespace: str) -> Any:
    """The filter that all points of a namespace pass."""
    return Filter.by_property(SPACE).equal(_kept(namespace))


def filtered(condition: Condition | None) -> Any:
    """The filter for a condition."""
    return None if condition is None else _built(inward(condition))


def id_of(found: Any) -> str:
    """Our id of an object."""
    try:
        return str(found.properties[ID])
    except KeyError as error:
        raise Corrupt(
            f"object {found.uuid} was not written by memwell; give the index a collection of its own",
            part="weaviate",
        ) from error


def vector_of(found: Any) -> Vectors:
    """The vector of an object."""
    vector: Vectors = numpy().asarray(found.vector[VECTOR], dtype="float32")
    return vector


def _texts(name: str, *, asked: bool = True, kind: DataType = DataType.TEXT) -> Property:
    return Property(
        name=name,
        data_type=kind,
        tokenization=Tokenization.FIELD,
        index_filterable=asked,
        index_searchable=False,
    )


def _property(column: str) -> Property:
    name = column.removeprefix("f_")
    if name in NUMBERS:
        return Property(
            name=column, data_type=DataType.NUMBER, index_filterable=True, index_range_filters=True
        )
    return _texts(column, kind=DataType.TEXT_ARRAY if name in LISTS else DataType.TEXT)


def _kept(value: Any) -> Any:
    """A column's value as it stands in Weaviate, which trims texts before it compares them: in quotes."""
    if isinstance(value, list):
        return [_kept(each) for each in value]
    return f'"{value}"' if isinstance(value, str) else value


def _built(condition: Condition) -> Any:
    """The condition in Weaviate's words. It has a `Not` since version 1.33 only."""
    if isinstance(condition, OneOf):
        return Filter.by_property(condition.column).contains_any(_kept(list(condition.values)))
    if isinstance(condition, Compare):
        return getattr(Filter.by_property(condition.column), BOUNDS[condition.bound])(condition.number)
    if isinstance(condition, Unless) and isinstance(condition.part, OneOf):
        column, values = Filter.by_property(condition.part.column), condition.part.values
        return Filter.all_of([column.not_equal(_kept(value)) for value in values])
    if isinstance(condition, Unless):
        raise AssertionError("`inward` leaves no other negation")
    parts = [_built(part) for part in condition.parts]
    return Filter.all_of(parts) if isinstance(condition, Every) else Filter.any_of(parts)
