"""What Elasticsearch keeps of points: the mapping of an index, the documents in it, and filters in its words."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any, Final

from memwell.errors import ConfigError, Corrupt
from memwell.indexes.filtering.field_columns import COLUMNS, NUMBERS, columns
from memwell.indexes.filtering.pushdown import Compare, Condition, Every, OneOf, Unless
from memwell.indexes.points import Batch, stand_in, uuid_of
from memwell.ports import Metric, Vectors
from memwell.ports.arrays import numpy

__all__ = ["FIELDS", "HELD", "ID", "VECTOR", "actions", "check", "filtered", "id_of", "mappings", "vector_of"]

ID: Final = "m_id"
SPACE: Final = "m_namespace"
FIELDS: Final = "m_fields"
"""The fields as JSON text."""
VECTOR: Final = "m_vector"
"""What is searched."""
HELD: Final = "m_held"
"""The vector as it was given, base64 of little-endian float32: newer servers do not tell dense vectors."""
METRICS: Final[Mapping[Metric, str]] = {"cosine": "cosine", "l2": "l2_norm", "dot": "max_inner_product"}
KEYWORD: Final = {"type": "keyword"}
SILENT: Final = {"type": "keyword", "index": False, "doc_values": False}


def mappings(dimension: int, metric: Metric) -> dict[str, Any]:
    """The mapping of an index."""
    vector = {
        "type": "dense_vector",
        "dims": dimension,
        "index": True,
        "similarity": METRICS[metric],
        "index_options": {"type": "hnsw"},
    }
    own = {ID: KEYWORD, SPACE: KEYWORD, FIELDS: SILENT | {"ignore_above": 0}, HELD: {"type": "binary"}}
    kinds = {n: {"type": "double"} if n.removeprefix("f_") in NUMBERS else KEYWORD for n in COLUMNS}
    return {"dynamic": False, "properties": {VECTOR: vector, **own, **kinds}}


def check(mappings: Mapping[str, Any], name: str, dimension: int, metric: Metric) -> None:
    """Raise `ConfigError` for an index whose mapping is for other vectors."""
    known = mappings.get("properties", {}).get(VECTOR, {})
    names = {name: metric for metric, name in METRICS.items()}
    found = names.get(known.get("similarity"), known.get("similarity"))
    if known.get("dims") != dimension or found != metric:
        raise ConfigError(
            f"index {name!r} holds vectors of dimension {known.get('dims')} and metric {found}, not {dimension} and"
            f" {metric}; give another index, or what it was made with",
            part="elasticsearch",
        )


def actions(points: Batch, metric: Metric, namespace: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Action and document of each point, for a bulk request."""
    rows = zip(points.ids, points.fields, points.texts, points.vectors, strict=True)
    for name, fields, text, vector in rows:
        searched = vector if vector.any() or metric != "cosine" else stand_in(len(vector))
        document: dict[str, Any] = {
            ID: name,
            SPACE: namespace,
            FIELDS: text,
            VECTOR: searched.tolist(),
            HELD: base64.b64encode(vector.astype("<f4").tobytes()).decode(),
            **columns(fields),
        }
        yield {"index": {"_id": uuid_of(name, namespace)}}, document


def id_of(document: Mapping[str, Any]) -> str:
    """Our id of a document."""
    try:
        return str(document[ID])
    except KeyError as error:
        raise Corrupt(
            "a document was not written by memwell; give it an index of its own", part="elasticsearch"
        ) from error


def vector_of(document: Mapping[str, Any]) -> Vectors:
    """The vector of a document, as it was given."""
    raw = base64.b64decode(document[HELD])
    vector: Vectors = numpy().frombuffer(raw, dtype="<f4").astype("float32")
    return vector


def filtered(namespace: str, condition: Condition | None = None) -> dict[str, Any]:
    """The filter for the points of one namespace that meet a condition."""
    space: dict[str, Any] = {"term": {SPACE: namespace}}
    return {"bool": {"filter": [space] if condition is None else [space, _built(condition)]}}


def _built(condition: Condition) -> dict[str, Any]:
    """The condition in Elasticsearch's words."""
    if isinstance(condition, OneOf):
        return {"terms": {condition.column: list(condition.values)}}
    if isinstance(condition, Compare):
        return {"range": {condition.column: {condition.bound: condition.number}}}
    if isinstance(condition, Unless):
        return {"bool": {"must_not": [_built(condition.part)]}}
    parts = [_built(part) for part in condition.parts]
    if isinstance(condition, Every):
        return {"bool": {"filter": parts}}
    return {"bool": {"should": parts, "minimum_should_match": 1}}
