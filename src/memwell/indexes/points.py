"""Points on their way into an index: validation, scaling, request sizes, UUIDs."""

from __future__ import annotations

import ipaddress
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

from memwell._dataclasses import dataclass
from memwell.errors import ConfigError, EmbeddingError, InvalidInput
from memwell.indexes.filtering.field_columns import encoded
from memwell.indexes.metrics import prepared
from memwell.ports import Metric, Point, Vectors
from memwell.ports.arrays import numpy
from memwell.urls import Url

__all__ = [
    "Batch",
    "batch",
    "dimension_of",
    "is_loopback",
    "placeholder",
    "query_vector",
    "require_finite",
    "uuid_of",
]

_IDS: Final = uuid.UUID("5b1f6f6e-5d0c-5a40-9b5a-2f1f0c6d7a11")
"""Namespace of the UUIDs made from our ids. Changing it invalidates every existing index."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The validated points of one call, scaled for the metric; of several points with one id, only the last."""

    ids: list[str]
    fields: list[Mapping[str, Any]]
    texts: list[str]
    """The fields as JSON."""
    vectors: Vectors
    """`(n, d) float32`"""


def points_per_request(dimension: int, texts: Sequence[str], *, max_points: int, max_bytes: int) -> int:
    """Number of points for one request of at most `max_bytes`; `texts` are their fields as JSON."""
    each = 24 * dimension + 4096 + 8 * max(map(len, texts))  # with columns, and escapes in texts
    return max(1, min(max_points, max_bytes // each))


def batch(points: Sequence[Point], metric: Metric, *, part: str) -> Batch:
    """Validates and scales the points of an upsert. Raises `EmbeddingError` for numbers that are not require_finite in
    float32, and `InvalidInput` for invalid fields.
    """
    for point in points:
        require_finite(point.vector, f"the vector of {point.id!r}", part=part)
        _check(point, part)
    last = {point.id: point for point in points}
    stacked = numpy().stack([point.vector for point in last.values()])
    fields = [point.fields for point in last.values()]
    return Batch(list(last), fields, [encoded(each) for each in fields], prepared(stacked, metric))


def _check(point: Point, part: str) -> None:
    tags = point.fields.get("tags") or ()
    if not isinstance(point.fields.get("metadata"), Mapping):
        raise InvalidInput(f"the fields of {point.id!r} need a mapping `metadata`", part=part)
    if isinstance(tags, str) or not isinstance(tags, Sequence):
        raise InvalidInput(f"the tags of {point.id!r} must be a list of strings, not {tags!r}", part=part)


def query_vector(vector: Vectors, metric: Metric, *, part: str) -> Vectors:
    """The vector of a search, scaled for the metric. Raises `EmbeddingError` if it is not require_finite."""
    require_finite(vector, "the query vector", part=part)
    return prepared(vector, metric)


def require_finite(vector: Vectors, name: str, *, part: str) -> None:
    """Raises `EmbeddingError` for NaN, infinity, and numbers too large for float32."""
    np = numpy()
    with np.errstate(over="ignore"):
        if not np.isfinite(np.asarray(vector, dtype=np.float32)).all():
            raise EmbeddingError(
                f"{name} contains NaN, infinity or a number too large for float32", part=part
            )


def dimension_of(url: Url) -> int:
    """The option `dimension`; consumes it. Raises `ConfigError` if it is missing."""
    dimension = url.number("dimension", 0)
    if dimension < 1 or dimension != int(dimension):
        raise ConfigError(
            f"{url.scheme} needs the dimension of the vectors, as in {url.scheme}://…?dimension=384",
            part=url.scheme,
        )
    return int(dimension)


def is_loopback(host: str) -> bool:
    """Whether a host is the local machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def placeholder(dimension: int) -> Vectors:
    """A unit vector to store instead of a zero vector, for services that reject those. It is nearly orthogonal to most
    vectors."""
    vector = numpy().ones(dimension, dtype="float32")
    vector[1::2] = -1
    scaled: Vectors = vector / numpy().sqrt(numpy().float32(dimension))
    return scaled


def uuid_of(id: str, namespace: str = "") -> str:
    """The UUID (version 5) for our id in a namespace, for services that accept only UUIDs."""
    space = uuid.uuid5(_IDS, namespace)
    return str(uuid.uuid5(space, id))
