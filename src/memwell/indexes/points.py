"""Points on their way in and out: checked once, and named as a service wants it."""

from __future__ import annotations

import ipaddress
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from memwell.errors import ConfigError, EmbeddingError, InvalidInput
from memwell.indexes.filtering.field_columns import encoded
from memwell.indexes.metrics import prepared
from memwell.ports import Metric, Point, Vectors
from memwell.ports.arrays import numpy
from memwell.registry import Url

__all__ = ["Batch", "asked", "batch", "dimension_of", "finite", "here", "stand_in", "uuid_of"]

_IDS: Final = uuid.UUID("5b1f6f6e-5d0c-5a40-9b5a-2f1f0c6d7a11")
"""The root of the UUIDs that stand for our ids; changing it loses every index that has them."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Points of one call: of several with one id the last, finite, and scaled as the metric wants."""

    ids: list[str]
    fields: list[Mapping[str, Any]]
    texts: list[str]
    """The fields as JSON."""
    vectors: Vectors
    """`(n, d) float32`"""


def portion(dimension: int, texts: Sequence[str], *, most: int, size: int) -> int:
    """How many points go into one request of at most `size` bytes; `texts` are their fields as JSON."""
    each = 24 * dimension + 4096 + 8 * max(map(len, texts))  # with columns, and escapes in texts
    return max(1, min(most, size // each))


def batch(points: Sequence[Point], metric: Metric, *, part: str) -> Batch:
    """The points of an upsert. Raises `EmbeddingError` for NaN and for what 32 bits do not hold, and `InvalidInput` for
    fields that are none or no JSON, before anything is stored."""
    for point in points:
        finite(point.vector, f"the vector of {point.id!r}", part=part)
        _check(point, part)
    last = {point.id: point for point in points}
    stacked = numpy().stack([point.vector for point in last.values()])
    fields = [point.fields for point in last.values()]
    return Batch(list(last), fields, [encoded(each) for each in fields], prepared(stacked, metric))


def _check(point: Point, part: str) -> None:
    tags = point.fields.get("tags") or ()
    if not isinstance(point.fields.get("metadata"), Mapping):
        raise InvalidInput(f"the fields of {point.id!r} have no mapping `metadata`", part=part)
    if isinstance(tags, str) or not isinstance(tags, Sequence):
        raise InvalidInput(f"the tags of {point.id!r} are a list of texts, not {tags!r}", part=part)


def asked(vector: Vectors, metric: Metric, *, part: str) -> Vectors:
    """The vector of a search, scaled as the metric wants. Raises `EmbeddingError` as `finite` does."""
    finite(vector, "the query's vector", part=part)
    return prepared(vector, metric)


def finite(vector: Vectors, name: str, *, part: str) -> None:
    """Raise `EmbeddingError` for NaN, infinity, and numbers that are infinite in 32 bits."""
    np = numpy()
    with np.errstate(over="ignore"):
        if not np.isfinite(np.asarray(vector, dtype=np.float32)).all():
            raise EmbeddingError(f"{name} holds NaN, or numbers beyond 32 bits", part=part)


def dimension_of(url: Url) -> int:
    """The option `dimension`, taken out. Raises `ConfigError` without it."""
    dimension = url.number("dimension", 0)
    if dimension < 1 or dimension != int(dimension):
        raise ConfigError(
            f"{url.scheme} needs the vectors' dimension, as in {url.scheme}://…?dimension=384",
            part=url.scheme,
        )
    return int(dimension)


def here(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def stand_in(dimension: int) -> Vectors:
    """A direction for a zero vector, where a service refuses those: nearly at right angles to most others."""
    vector = numpy().ones(dimension, dtype="float32")
    vector[1::2] = -1
    scaled: Vectors = vector / numpy().sqrt(numpy().float32(dimension))
    return scaled


def uuid_of(id: str, namespace: str = "") -> str:
    """The UUID (version 5) that stands for our id in one namespace, for services that take UUIDs only."""
    space = uuid.uuid5(_IDS, namespace)
    return str(uuid.uuid5(space, id))
