"""Exact search over vectors in memory, optionally saved to a file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, Self, TypeAlias

from memwell import filters
from memwell.capabilities import IndexCapabilities
from memwell.filters import Node
from memwell.indexes.filtering.nearest import CLOSE
from memwell.indexes.filtering.pushdown import pushed
from memwell.indexes.in_process.base import InProcessIndex
from memwell.indexes.in_process.snapshot import Named, Snapshot
from memwell.indexes.in_process.table import Rows, Table
from memwell.indexes.metrics import checked_metric, metric_of, similarities
from memwell.indexes.points import Batch, dimension_of, query_vector
from memwell.ports import Match, Metric, Vectors
from memwell.ports.arrays import numpy
from memwell.retrieval.index.matrix import Matrix
from memwell.types import Where
from memwell.urls import Url

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Exact"]

Similar: TypeAlias = "NDArray[np.float32]"

BATCH = 4096
"""Number of points read or written at a time."""


class Exact(InProcessIndex):
    """Compares every vector, so the nearest are never missed. Vectors need not have unit length.

    With `path`, the points are loaded from that file, if it exists, and saved to it by `save` and `close`. After a
    crash the file is that of the last save, and `identity` changes. Only one process can open the file: a second one
    gets a `ConfigError`.
    """

    part = "exact"
    capabilities = IndexCapabilities(atomic_batches=True, exact=True)

    def __init__(
        self,
        dimension: int,
        path: str | os.PathLike[str] | None = None,
        *,
        metric: Metric = "cosine",
    ) -> None:
        """Raises `ConfigError` if numpy is missing, the file has another dimension or metric, or it is already open. If
        the file is damaged, every call raises `Corrupt` until `clear`.
        """
        self.dimension = dimension
        self.metric = checked_metric(metric)
        self._open(path, {"dimension": dimension, "metric": metric})

    @classmethod
    def from_url(cls, url: Url) -> Self:
        """`exact://?dimension=384&metric=cosine`, or with a file `exact:///vectors.idx?dimension=384`."""
        dimension, metric = dimension_of(url), metric_of(url)
        url.done("dimension", "metric")
        return cls(dimension, url.path() or None, metric=metric)

    def _write(self, file: Snapshot) -> None:
        rows = sorted(self._table.row.values())
        points = [(str(self._table.names[row]), self._table.fields[row]) for row in rows]

        def write(out: IO[bytes]) -> None:
            for at in range(0, len(rows), BATCH):
                out.write(self._matrix.take(rows[at : at + BATCH]).astype("<f4").tobytes())

        file.save(points, write)

    def _load(self, count: int, points: Iterator[Named], vectors: IO[bytes]) -> None:
        np = numpy()
        for at in range(0, count, BATCH):
            some = min(BATCH, count - at)
            block = np.frombuffer(vectors.read(some * self.dimension * 4), dtype="<f4")
            named = list(islice(points, some))
            self._set([name for name, _ in named], [fields for _, fields in named], block.reshape(some, -1))

    def _on_drop(self, row: int, /) -> None:
        self._matrix.clear(row)
        self._free.append(row)

    async def _search(self, vector: Vectors, limit: int, where: Where | Node | None) -> list[Match]:
        query = query_vector(vector, self.metric, part=self.part)
        condition = pushed(filters.parse(where or {}))
        with self._lock:
            rows = self._table.matching(condition)
            if not len(rows):
                return []
            similar = self._similarities(query, rows)
            nearest = rows if len(rows) <= limit else rows[_top(similar, limit)]
            exact = similarities(self._matrix.take(nearest), query, self.metric)
            found = [
                Match(id=str(self._table.names[row]), similarity=similarity)
                for row, similarity in zip(nearest, exact, strict=True)
            ]
        found.sort(key=lambda match: (-match.similarity, match.id))
        return found[:limit]

    async def _vectors(self, ids: Sequence[str]) -> dict[str, Vectors]:
        with self._lock:
            rows = {name: row for name in ids if (row := self._table.row.get(name)) is not None}
            vectors = self._matrix.take(list(rows.values()))
            return dict(zip(rows, vectors, strict=True))

    def _reset(self) -> None:
        self._matrix = Matrix(self.dimension)
        self._table = Table()
        self._free: list[int] = []

    def _put(self, new: Batch, fields: Sequence[Mapping[str, Any]]) -> None:
        self._set(new.ids, fields, new.vectors)

    def _set(self, names: Sequence[str], fields: Sequence[Mapping[str, Any]], vectors: Vectors) -> None:
        """Store points with distinct ids and prepared vectors."""
        new: list[int] = []
        for at, name in enumerate(names):
            row = self._table.row.get(name)
            if row is None and self._free:
                row = self._free.pop()
            if row is None:
                new.append(at)
            else:
                self._matrix.set(row, vectors[at])
                self._table.set(row, name, fields[at])
        first = self._matrix.append(vectors[new])
        for row, at in enumerate(new, first):
            self._table.set(row, names[at], fields[at])

    def _similarities(self, query: Vectors, rows: Rows) -> Similar:
        """Similarities of the rows in float32, precise enough to preselect."""
        if self.metric == "l2":
            distances: Similar = 1 - ((self._matrix.take(rows) - query) ** 2).sum(axis=1) / 2
            return distances
        if len(rows) * 4 < self._matrix.rows:
            product: Similar = self._matrix.dot_some(rows, query)
            return product
        every: Similar = self._matrix.dot(query)[rows]
        return every


def _top(similar: Similar, limit: int) -> Rows:
    """Positions of the `limit` greatest values, and of all that may be equal to the last of them."""
    np = numpy()
    least = np.partition(similar, len(similar) - limit)[len(similar) - limit]
    margin = CLOSE * max(1.0, float(np.abs(similar).max()))
    chosen: Rows = np.nonzero(similar >= least - margin)[0]
    return chosen
