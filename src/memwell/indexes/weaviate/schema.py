"""Points in Weaviate: the schema of a collection, its objects, and filters."""

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
from memwell.indexes.metrics import ScoreKind
from memwell.indexes.points import Batch, uuid_of
from memwell.ports import Metric, Vectors
from memwell.ports.arrays import numpy

__all__ = [
    "FIELDS",
    "ID",
    "METRICS",
    "VECTOR",
    "build_filter",
    "check",
    "class_name",
    "id_of",
    "namespace_filter",
    "objects",
    "schema",
    "vector_of",
]

ID: Final = "m_id"
"""Property of our id; the id of the object is a UUID made from it."""
SPACE: Final = "m_namespace"
"""Property of the namespace, the same for every object of a tenant."""
FIELDS: Final = "m_fields"
"""Property of the fields as JSON text."""
VECTOR: Final = "default"
"""The name of the vector."""
METRICS: Final[Mapping[Metric, tuple[VectorDistances, ScoreKind, int]]] = {
    "cosine": (VectorDistances.COSINE, "cosine distance", 1),
    "l2": (VectorDistances.L2_SQUARED, "squared l2", 1),
    "dot": (VectorDistances.DOT, "dot", -1),
}
"""Metric → Weaviate's name, and the kind of its distances after multiplication by the number."""
ABOUT: Final = "Points of memwell, with vectors of dimension {}."
"""The description of a collection. It records the dimension, which Weaviate only learns from the first vector."""
BOUNDS: Final = {
    "gt": "greater_than",
    "gte": "greater_or_equal",
    "lt": "less_than",
    "lte": "less_or_equal",
}


def class_name(name: str) -> str:
    """The name of a collection in Weaviate, which begins with a capital. Raises `ConfigError` for an invalid name."""
    found = name[:1].upper() + name[1:]
    if not re.fullmatch("[A-Z][_0-9A-Za-z]{0,254}", found):
        raise ConfigError(
            f"{name!r} is not a valid collection name in Weaviate: use letters, digits and underscores",
            part="weaviate",
        )
    return found


def schema(dimension: int, metric: Metric) -> dict[str, Any]:
    """The settings of a collection. Quantisation is switched off, because newer servers may use it by default."""
    hnsw = Configure.VectorIndex.hnsw(
        distance_metric=METRICS[metric][0], quantizer=Configure.VectorIndex.Quantizer.none()
    )
    own = [
        _text_property(ID, filterable=False),
        _text_property(FIELDS, filterable=False),
        _text_property(SPACE),
    ]
    return {
        "description": ABOUT.format(dimension),
        "vector_config": Configure.Vectors.self_provided(name=VECTOR, vector_index_config=hnsw),
        "multi_tenancy_config": Configure.multi_tenancy(enabled=True, auto_tenant_activation=True),
        "properties": own + [_property(column) for column in COLUMNS],
    }


def check(config: Any, dimension: int, metric: Metric) -> None:
    """Raises `ConfigError` if a collection has other settings or was not created by memwell."""
    described = re.fullmatch(ABOUT.replace(".", r"\.").format(r"(\d+)"), config.description or "")
    vector = (config.vector_config or {}).get(VECTOR)
    if described is None or vector is None or not config.multi_tenancy_config.enabled:
        raise ConfigError(
            f"collection {config.name!r} was not created by memwell; use another collection for the index",
            part="weaviate",
        )
    names = {name: metric for metric, (name, _, _) in METRICS.items()}
    distance = vector.vector_index_config.distance_metric
    if int(described[1]) != dimension or names.get(distance) != metric:
        raise ConfigError(
            f"collection {config.name!r} has dimension {described[1]} and metric {names.get(distance, distance)}, not"
            f" {dimension} and {metric}; use another collection, or its own settings",
            part="weaviate",
        )


def objects(points: Batch, namespace: str) -> Iterator[DataObject[Any, Any]]:
    """The points as Weaviate objects."""
    rows = zip(points.ids, points.fields, points.texts, points.vectors, strict=True)
    for name, fields, text, vector in rows:
        properties = {column: _quoted(value) for column, value in columns(fields).items()}
        properties |= {ID: name, SPACE: _quoted(namespace), FIELDS: text}
        yield DataObject(
            uuid=uuid_of(name, namespace), properties=properties, vector={VECTOR: vector.tolist()}
        )


def namespace_filter(namespace: str) -> Any:
    """The filter for all points of a namespace."""
    return Filter.by_property(SPACE).equal(_quoted(namespace))


def build_filter(condition: Condition | None) -> Any:
    """The Weaviate filter for a condition."""
    return None if condition is None else _build(inward(condition))


def id_of(found: Any) -> str:
    """Our id of an object."""
    try:
        return str(found.properties[ID])
    except KeyError as error:
        raise Corrupt(
            f"object {found.uuid} was not written by memwell; use another collection for the index",
            part="weaviate",
        ) from error


def vector_of(found: Any) -> Vectors:
    """The vector of an object."""
    vector: Vectors = numpy().asarray(found.vector[VECTOR], dtype="float32")
    return vector


def _text_property(name: str, *, filterable: bool = True, kind: DataType = DataType.TEXT) -> Property:
    return Property(
        name=name,
        data_type=kind,
        tokenization=Tokenization.FIELD,
        index_filterable=filterable,
        index_searchable=False,
    )


def _property(column: str) -> Property:
    name = column.removeprefix("f_")
    if name in NUMBERS:
        return Property(
            name=column, data_type=DataType.NUMBER, index_filterable=True, index_range_filters=True
        )
    return _text_property(column, kind=DataType.TEXT_ARRAY if name in LISTS else DataType.TEXT)


def _quoted(value: Any) -> Any:
    """The value of a column in quotes, because Weaviate trims texts before it compares them."""
    if isinstance(value, list):
        return [_quoted(each) for each in value]
    return f'"{value}"' if isinstance(value, str) else value


def _build(condition: Condition) -> Any:
    """The condition as a Weaviate filter. (`Not` exists only since version 1.33.)"""
    if isinstance(condition, OneOf):
        return Filter.by_property(condition.column).contains_any(_quoted(list(condition.values)))
    if isinstance(condition, Compare):
        return getattr(Filter.by_property(condition.column), BOUNDS[condition.bound])(condition.number)
    if isinstance(condition, Unless) and isinstance(condition.part, OneOf):
        column, values = Filter.by_property(condition.part.column), condition.part.values
        return Filter.all_of([column.not_equal(_quoted(value)) for value in values])
    if isinstance(condition, Unless):
        raise AssertionError("`inward` leaves no other negation")
    parts = [_build(part) for part in condition.parts]
    return Filter.all_of(parts) if isinstance(condition, Every) else Filter.any_of(parts)
