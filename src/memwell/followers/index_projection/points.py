"""Records as points of an index that serves several tenants."""

from __future__ import annotations

from typing import Final

from memwell import filters
from memwell.followers.keys import Key
from memwell.ports import Embedding, Point, Vectors
from memwell.ports.arrays import numpy
from memwell.types import Record

__all__ = ["alike", "key_of", "middle", "name_of", "point_of"]

_ALIKE: Final = 0.99
"""Cosine from which two vectors are taken for the same: an index may keep them with less precision."""


def name_of(tenant: str, id: str) -> str:
    """The id of a record's point: never that of another tenant's record."""
    return f"{tenant.replace('%', '%25').replace('/', '%2F')}/{id}"


def key_of(name: str) -> Key:
    """The record of a point, as tenant and id."""
    tenant, _, id = name.partition("/")
    return tenant.replace("%2F", "/").replace("%25", "%"), id


def point_of(record: Record, embedding: Embedding) -> Point:
    """A record as a point: its passages together, and what filters may ask about."""
    return Point(
        id=name_of(record.scope.tenant_id, record.id),
        vector=middle(embedding.vectors),
        fields=filters.fields(record),
    )


def middle(vectors: Vectors) -> Vectors:
    """The unit vector in the middle of `(n, d)` vectors."""
    mean = vectors.mean(axis=0)
    unit: Vectors = mean / (numpy().linalg.norm(mean) or 1.0)
    return unit


def alike(first: Vectors, second: Vectors) -> bool:
    """Whether an index holds, under whatever scale, the vector that it should."""
    if first.shape != second.shape:
        return False
    lengths = float(numpy().linalg.norm(first) * numpy().linalg.norm(second))
    return float(first @ second) >= _ALIKE * lengths if lengths else not first.any() and not second.any()
