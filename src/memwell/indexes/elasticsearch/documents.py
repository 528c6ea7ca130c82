"""Points in Elasticsearch: the mapping of an index, its documents, and filters."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any, Final

from memwell.errors import ConfigError, Corrupt
from memwell.indexes.filtering.field_columns import COLUMNS, NUMBERS, columns
from memwell.indexes.filtering.pushdown import Compare, Condition, Every, OneOf, Unless
from memwell.indexes.points import Batch, placeholder, uuid_of
from memwell.ports import Metric, Vectors
from memwell.ports.arrays import numpy

__all__ = [
    "FIELDS",
    "ID",
    "ORIGINAL",
    "VECTOR",
    "actions",
    "build_filter",
    "check",
    "id_of",
    "mappings",
    "vector_of",
]

ID: Final = "m_id"
SPACE: Final = "m_namespace"
FIELDS: Final = "m_fields"
"""The fields as JSON text."""
VECTOR: Final = "m_vector"
"""The vector that is searched."""
ORIGINAL: Final = "m_held"
"""The original vector as base64 of little-endian float32, because newer servers do not return dense vectors."""
METRICS: Final[Mapping[Metric, str]] = {"cosine": "cosine", "l2": "l2_norm", "dot": "max_inner_product"}
KEYWORD: Final = {"type": "keyword"}
UNINDEXED: Final = {"type": "keyword", "index": False, "doc_values": False}


def mappings(dimension: int, metric: Metric) -> dict[str, Any]:
    """The mapping of an index."""
    vector = {
        "type": "dense_vector",
        "dims": dimension,
        "index": True,
        "similarity": METRICS[metric],
        "index_options": {"type": "hnsw"},
    }
    own = {ID: KEYWORD, SPACE: KEYWORD, FIELDS: UNINDEXED | {"ignore_above": 0}, ORIGINAL: {"type": "binary"}}
    kinds = {n: {"type": "double"} if n.removeprefix("f_") in NUMBERS else KEYWORD for n in COLUMNS}
    return {"dynamic": False, "properties": {VECTOR: vector, **own, **kinds}}


def check(mappings: Mapping[str, Any], name: str, dimension: int, metric: Metric) -> None:
    """Raises `ConfigError` if the mapping of an index has another dimension or metric."""
    known = mappings.get("properties", {}).get(VECTOR, {})
    names = {name: metric for metric, name in METRICS.items()}
    found = names.get(known.get("similarity"), known.get("similarity"))
    if known.get("dims") != dimension or found != metric:
        raise ConfigError(
            f"index {name!r} has dimension {known.get('dims')} and metric {found}, not {dimension} and {metric}; use"
            " another index, or its own settings",
            part="elasticsearch",
        )


def actions(points: Batch, metric: Metric, namespace: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Action and document for each point of a bulk request."""
    rows = zip(points.ids, points.fields, points.texts, points.vectors, strict=True)
    for name, fields, text, vector in rows:
        searched = vector if vector.any() or metric != "cosine" else placeholder(len(vector))
        document: dict[str, Any] = {
            ID: name,
            SPACE: namespace,
            FIELDS: text,
            VECTOR: searched.tolist(),
            ORIGINAL: base64.b64encode(vector.astype("<f4").tobytes()).decode(),
            **columns(fields),
        }
        yield {"index": {"_id": uuid_of(name, namespace)}}, document


def id_of(document: Mapping[str, Any]) -> str:
    """Our id of a document."""
    try:
        return str(document[ID])
    except KeyError as error:
        raise Corrupt(
            "a document was not written by memwell; use another index", part="elasticsearch"
        ) from error


def vector_of(document: Mapping[str, Any]) -> Vectors:
    """The original vector of a document."""
    raw = base64.b64decode(document[ORIGINAL])
    vector: Vectors = numpy().frombuffer(raw, dtype="<f4").astype("float32")
    return vector


def build_filter(namespace: str, condition: Condition | None = None) -> dict[str, Any]:
    """The filter for the points of a namespace that meet a condition."""
    space: dict[str, Any] = {"term": {SPACE: namespace}}
    return {"bool": {"filter": [space] if condition is None else [space, _build(condition)]}}


def _build(condition: Condition) -> dict[str, Any]:
    """The condition as an Elasticsearch query."""
    if isinstance(condition, OneOf):
        return {"terms": {condition.column: list(condition.values)}}
    if isinstance(condition, Compare):
        return {"range": {condition.column: {condition.bound: condition.number}}}
    if isinstance(condition, Unless):
        return {"bool": {"must_not": [_build(condition.part)]}}
    parts = [_build(part) for part in condition.parts]
    if isinstance(condition, Every):
        return {"bool": {"filter": parts}}
    return {"bool": {"should": parts, "minimum_should_match": 1}}
