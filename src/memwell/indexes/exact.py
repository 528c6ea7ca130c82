"""Exact search by cosine over vectors in memory, kept in a file if wanted."""

from __future__ import annotations

import copy
import os
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from memwell import filters
from memwell.errors import ConfigError, EmbeddingError
from memwell.filters import Node
from memwell.indexes import snapshot
from memwell.matrix import Matrix, numpy
from memwell.ports import Match, Point, VectorIndex, Vectors, guarded
from memwell.registry import Url
from memwell.types import Where

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Exact"]

Rows: TypeAlias = "NDArray[np.intp]"

CLOSE = 1e-5
"""More than float32 products of one pair of vectors can differ by, depending on where the row stands."""
MASKS = 16
"""Filters whose result is remembered until the next write."""


class Exact(VectorIndex):
    """Every vector is compared, so nothing near is ever missed. Vectors need not be of unit length.

    With `path` the points are loaded from that file, if it exists, and saved to it by `save` and `close`; a
    crash in between leaves the file of the last save.
    """

    part = "exact"
    blocking = True

    def __init__(self, dimension: int, path: str | os.PathLike[str] | None = None) -> None:
        """Raises `ConfigError` without numpy or for a file of another dimension, `Corrupt` for a damaged
        file."""
        self.dimension = dimension
        self._path = None if path is None else Path(path)
        self._lock = threading.Lock()
        self._sorted: list[str] | None = None
        self._reset()
        if self._path is not None and self._path.exists():
            for points in snapshot.load(self._path, dimension):
                self._put(points)

    @classmethod
    def from_url(cls, url: Url) -> Self:
        """`exact://?dimension=384`, or `exact:///vectors.idx?dimension=384` to keep them in a file."""
        dimension = url.number("dimension", 0)
        url.done("dimension")
        if dimension < 1 or dimension != int(dimension):
            raise ConfigError(
                "exact needs the vectors' dimension, as in exact://?dimension=384", part=cls.part
            )
        return cls(int(dimension), url.path() or None)

    @guarded
    async def save(self) -> None:
        """Write all points to the path, atomically. Without a path, nothing happens."""
        self._save()

    def _save(self) -> None:
        if self._path is None:
            return
        with self._lock:
            rows = sorted(self._row.values())
            points = [(str(self._id[row]), self._fields[row]) for row in rows]
            snapshot.save(
                self._path, points, lambda at, count: self._matrix.take(rows[at : at + count]), self.dimension
            )

    async def _upsert(self, points: Sequence[Point]) -> None:
        np = numpy()
        for point in points:
            if not np.isfinite(point.vector).all():
                raise EmbeddingError(f"the vector of {point.id!r} holds NaN or infinity", part=self.part)
        with self._lock:
            self._put([(point.id, copy.deepcopy(dict(point.fields)), point.vector) for point in points])

    async def _delete(self, ids: Sequence[str]) -> None:
        with self._lock:
            for name in ids:
                row = self._row.pop(name, None)
                if row is not None:
                    self._matrix.clear(row)
                    self._id[row] = None
                    self._fields[row] = {}
                    self._free.append(row)
            self._forget_derived()

    async def _search(self, vector: Vectors, limit: int, where: Where | Node | None) -> list[Match]:
        np = numpy()
        if not np.isfinite(vector).all():
            raise EmbeddingError("the query's vector holds NaN or infinity", part=self.part)
        query = _unit(vector[None])[0]
        with self._lock:
            rows = self._passing(where)
            if not len(rows):
                return []
            similar = self._similarities(query, rows)
            nearest = rows if len(rows) <= limit else rows[_top(similar, limit)]
            exact = self._matrix.take(nearest).astype(np.float64) @ query.astype(np.float64)
            exact = np.clip(np.round(exact, 9), -1, 1)
            found = [
                Match(id=str(self._id[row]), similarity=float(s))
                for row, s in zip(nearest, exact, strict=True)
            ]
        found.sort(key=lambda match: (-match.similarity, match.id))
        return found[:limit]

    async def _ids(self, after: str | None, limit: int) -> list[str]:
        with self._lock:
            if self._sorted is None:
                self._sorted = sorted(self._row)
            start = 0 if after is None else bisect_right(self._sorted, after)
            return self._sorted[start : start + limit]

    async def _vectors(self, ids: Sequence[str]) -> dict[str, Vectors]:
        with self._lock:
            rows = {name: row for name in ids if (row := self._row.get(name)) is not None}
            vectors = self._matrix.take(list(rows.values()))
            return dict(zip(rows, vectors, strict=True))

    async def _count(self) -> int:
        return len(self._row)

    async def _clear(self) -> None:
        with self._lock:
            self._reset()

    async def _close(self) -> None:
        self._save()
        with self._lock:
            self._reset()

    def _reset(self) -> None:
        self._matrix = Matrix(self.dimension)
        self._row: dict[str, int] = {}
        self._id: list[str | None] = []
        self._fields: list[Mapping[str, Any]] = []
        self._free: list[int] = []
        self._forget_derived()

    def _forget_derived(self) -> None:
        self._sorted = None
        self._masks: OrderedDict[str, Rows] = OrderedDict()

    def _put(self, points: Sequence[tuple[str, Mapping[str, Any], Vectors]]) -> None:
        vectors = _unit(numpy().stack([vector for _, _, vector in points]))
        new: dict[str, int] = {}
        for at, (name, fields, _) in enumerate(points):
            row = self._row.get(name)
            if row is None and self._free:
                row = self._row[name] = self._free.pop()
                self._id[row] = name
            if row is None:
                new[name] = at  # the last of several under one id wins
            else:
                self._matrix.set(row, vectors[at])
                self._fields[row] = fields
        first = self._matrix.append(vectors[list(new.values())])
        for row, (name, at) in enumerate(new.items(), first):
            self._row[name] = row
            self._id.append(name)
            self._fields.append(points[at][1])
        self._forget_derived()

    def _passing(self, where: Where | Node | None) -> Rows:
        """Rows that hold a point which passes the filter, ascending."""
        node = filters.parse(where or {})
        name = repr(node)
        rows: Rows | None = self._masks.get(name)
        if rows is None:
            fields = self._fields
            rows = numpy().array(
                [row for row in sorted(self._row.values()) if filters.matches_fields(fields[row], node)],
                dtype=int,
            )
            self._masks[name] = rows
            if len(self._masks) > MASKS:
                self._masks.popitem(last=False)
        self._masks.move_to_end(name)
        return rows

    def _similarities(self, query: Vectors, rows: Rows) -> Vectors:
        if len(rows) * 4 < self._matrix.rows:
            product: Vectors = self._matrix.take(rows) @ query
            return product
        return self._matrix.dot(query)[rows]


def _top(similar: Vectors, limit: int) -> Rows:
    """Indexes of the `limit` greatest and of all that may be equal to the last of them."""
    np = numpy()
    least = np.partition(similar, len(similar) - limit)[len(similar) - limit]
    chosen: Rows = np.nonzero(similar >= least - CLOSE)[0]
    return chosen


def _unit(vectors: Vectors) -> Vectors:
    """Rows scaled to length 1; zero stays zero, and what is of unit length already stays to the last bit."""
    np = numpy()
    wide = np.asarray(vectors, dtype=np.float64)
    norms = np.linalg.norm(wide, axis=1, keepdims=True)
    norms[(norms == 0) | (abs(norms - 1) < 1e-6)] = 1
    unit: Vectors = (wide / norms).astype(np.float32)
    return unit
