"""The `VectorIndex` port: ids near a vector, under a filter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from memwell._dataclasses import dataclass
from memwell.capabilities import IndexCapabilities
from memwell.errors import EmbeddingError, InvalidInput, NotSupported
from memwell.ports.arrays import Vectors
from memwell.ports.base import Port
from memwell.ports.declaration import Effect, operation, required
from memwell.types import Where

if TYPE_CHECKING:
    from memwell.filters import Node

__all__ = ["Match", "Metric", "Point", "VectorIndex"]

Metric: TypeAlias = Literal["cosine", "l2", "dot"]
"""How near two vectors are: the angle between them, the Euclidean distance, or the inner product."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A vector with its id and what filters may ask about (`memwell.filters.fields` of the record)."""

    id: str
    vector: Vectors
    """`(d,) float32`"""
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """An id near the vector asked; the higher the similarity, the nearer.

    `cosine` gives the cosine, `dot` the inner product, `l2` is `1 - distance**2 / 2`: for vectors of unit length all
    three are the cosine.
    """

    id: str
    similarity: float


class VectorIndex(Port):
    """Ids near a vector, under a filter. May lag behind; can always be rebuilt from a Store.

    An index object is one set of points: one collection and, where the service has them, one namespace.
    """

    dimension: int
    """Length of every vector; another length raises `EmbeddingError`."""
    metric: Metric = "cosine"
    """By which the nearest are found."""
    capabilities: IndexCapabilities = IndexCapabilities()
    """What this instance promises."""
    identity: str | None = None
    """A stable name, without secrets, of the data that outlives this object, alike in every process that opens the
    same set of points; `None` when the points die with the object."""

    residue: str = "its files may hold what was removed until it compacts them"
    """What receipts say of removed points; empty if nothing of them is left in files or on a server."""

    @operation(Effect.WRITES)
    async def upsert(self, points: Sequence[Point]) -> None:
        """Add or replace points by id; all or none of the call."""
        for point in points:
            self._check_dimension(point.vector)
        if points:
            await self._upsert(points)

    @operation(Effect.WRITES)
    async def delete(self, ids: Sequence[str]) -> None:
        """Remove points; unknown ids are no error."""
        if ids:
            await self._delete(ids)

    @operation(Effect.READS)
    async def search(self, vector: Vectors, *, limit: int, where: Where | Node | None = None) -> list[Match]:
        """The nearest `limit` points that pass the filter, nearest first; ties by id. Filters before it cuts."""
        self._check_dimension(vector)
        if limit < 1:
            raise InvalidInput("limit must be at least 1", part=self.part, operation="search")
        return await self._search(vector, limit, where)

    @operation(Effect.READS)
    async def ids(self, *, after: str | None = None, limit: int = 1000) -> list[str]:
        """Ids in ascending order after one, to compare the index with its store."""
        return await self._ids(after, limit)

    @operation(Effect.READS)
    async def vectors(self, ids: Sequence[str]) -> dict[str, Vectors]:
        """The vectors held under these ids, `(d,) float32` each; unknown ids are left out. To compare the index with
        its store: a service may have scaled them to unit length, when the metric is the cosine.
        """
        return await self._vectors(ids) if ids else {}

    @operation(Effect.READS)
    async def fields(self, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """The `fields` of the points with these ids, as JSON holds them; unknown ids are left out. An index of another
        package may raise `NotSupported`.
        """
        return await self._fields(ids) if ids else {}

    @operation(Effect.READS)
    async def count(self) -> int:
        """Number of points."""
        return await self._count()

    @operation(Effect.UPKEEP)
    async def clear(self) -> None:
        """Remove every point of this index, and nothing else."""
        await self._clear()

    def _check_dimension(self, vector: Vectors) -> None:
        if vector.shape != (self.dimension,):
            raise EmbeddingError(
                f"this index holds vectors of dimension {self.dimension}, not of shape {tuple(vector.shape)}",
                part=self.part,
            )

    @required
    async def _upsert(self, points: Sequence[Point]) -> None:
        raise NotImplementedError

    @required
    async def _delete(self, ids: Sequence[str]) -> None:
        raise NotImplementedError

    @required
    async def _search(self, vector: Vectors, limit: int, where: Where | Node | None) -> list[Match]:
        raise NotImplementedError

    @required
    async def _ids(self, after: str | None, limit: int) -> list[str]:
        raise NotImplementedError

    @required
    async def _vectors(self, ids: Sequence[str]) -> dict[str, Vectors]:
        raise NotImplementedError

    async def _fields(self, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        raise NotSupported(f"{self.part} does not give back the fields of points, {len(ids)} are asked")

    @required
    async def _count(self) -> int:
        raise NotImplementedError

    @required
    async def _clear(self) -> None:
        raise NotImplementedError
