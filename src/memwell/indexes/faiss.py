"""FAISS in process: exact search (`flat`) or an HNSW graph (`hnsw`), in memory or in a file.

`faiss:///vectors.faiss?dimension=384&kind=flat|hnsw&metric=cosine|l2|dot`, or `faiss://?dimension=384` in memory.
Options of `hnsw`, with defaults: `links` (neighbours per point, 32), `build` (search breadth while building, 200) and
`breadth` (search breadth, 128). Higher values are more precise and slower.

Filters apply before the top k is taken: a search sees only matching rows. With a narrow filter, or if the graph returns
too few results, the matching rows are compared one by one, so that no result is missing.

FAISS cannot remove points from a graph, so a replaced or deleted row stays as a tombstone, invisible to searches; if
there are more tombstones than points, the index is rebuilt. `save` and `close` write the file atomically. After a crash
the file is that of the last save, and `identity` changes. Only one process can open the file: a second one gets a
`ConfigError`. FAISS uses one OpenMP thread in the whole process.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any, Literal, Self, TypeAlias, cast, get_args

import faiss as library
import numpy as np

from memwell import filters
from memwell.capabilities import IndexCapabilities
from memwell.errors import ConfigError
from memwell.filters import Node
from memwell.indexes.filtering.nearest import Candidate, Question, nearest
from memwell.indexes.filtering.pushdown import EVERYTHING, pushed
from memwell.indexes.in_process.base import InProcessIndex
from memwell.indexes.in_process.snapshot import Named, Snapshot
from memwell.indexes.in_process.table import Rows, Table
from memwell.indexes.metrics import ScoreKind, checked_metric, metric_of, similarity
from memwell.indexes.points import Batch, dimension_of, query_vector
from memwell.ports import Match, Metric, Vectors
from memwell.types import Where
from memwell.urls import Url

__all__ = ["Faiss", "Kind"]

faiss: Any = library  # its stubs are incomplete

Kind: TypeAlias = Literal["flat", "hnsw"]
"""Exact search, or an HNSW graph."""

SPACES: Mapping[Metric, tuple[int, ScoreKind]] = {
    "cosine": (faiss.METRIC_INNER_PRODUCT, "cosine"),
    "dot": (faiss.METRIC_INNER_PRODUCT, "dot"),
    "l2": (faiss.METRIC_L2, "squared l2"),
}
FEW = 0.1
"""If at most this share of the rows passes a filter, they are compared one by one instead of searching the graph."""
SLACK = 1000
"""Number of tombstones that never cause a rebuild."""


class Faiss(InProcessIndex):
    """`Faiss(384, "vectors.faiss", kind="hnsw")`. Compares in float32; near ties are decided in float64."""

    part = "faiss"

    def __init__(
        self,
        dimension: int,
        path: str | os.PathLike[str] | None = None,
        *,
        kind: Kind = "flat",
        metric: Metric = "cosine",
        links: int = 32,
        build: int = 200,
        breadth: int = 128,
    ) -> None:
        """Raises `ConfigError` if the file has another dimension, metric or kind, or is already open. If it is damaged,
        every call raises `Corrupt` until `clear`.
        """
        if kind not in get_args(Kind):
            raise ConfigError(f"unknown kind {kind!r}; use {', '.join(get_args(Kind))}", part=self.part)
        if dimension < 1:
            raise ConfigError(f"a dimension must be a positive integer, not {dimension!r}", part=self.part)
        faiss.omp_set_num_threads(1)
        self.dimension = dimension
        self.metric = checked_metric(metric)
        self.kind = kind
        self.capabilities = IndexCapabilities(atomic_batches=True, exact=kind == "flat")
        self._links, self._build, self._breadth = links, build, breadth
        self._open(path, {"dimension": dimension, "metric": metric, "kind": kind})

    @classmethod
    def from_url(cls, url: Url) -> Self:
        """See the module docstring for the options."""
        dimension, metric = dimension_of(url), metric_of(url)
        kind = cast("Kind", url.take("kind", "flat"))
        links, build = url.whole("links", 32, least=2), url.whole("build", 200, least=1)
        breadth = url.whole("breadth", 128, least=1)
        url.done("dimension", "metric", "kind", "links", "build", "breadth")
        path = url.path() or None
        return cls(dimension, path, kind=kind, metric=metric, links=links, build=build, breadth=breadth)

    def _write(self, file: Snapshot) -> None:
        if len(self._table) < self._index.ntotal:
            self._rebuild()
        names = [str(name) for name in self._table.names]
        points = list(zip(names, self._table.fields, strict=True))
        file.save(points, lambda out: _written(self._index, out))

    def _load(self, count: int, points: Iterator[Named], vectors: IO[bytes]) -> None:
        for row, (name, fields) in enumerate(points):
            self._table.set(row, name, fields)
        index = faiss.deserialize_index(np.frombuffer(vectors.read(), dtype=np.uint8))
        if (index.ntotal, len(self._table), index.d) != (count, count, self.dimension):
            raise ValueError("points and vectors do not match")
        self._use(index)

    def _put(self, new: Batch, fields: Sequence[Mapping[str, Any]]) -> None:
        for name in new.ids:
            self._table.drop(name)
        first = self._index.ntotal
        self._index.add(new.vectors)
        for row, (name, each) in enumerate(zip(new.ids, fields, strict=True), first):
            self._table.set(row, name, each)
        self._rebuild_if_sparse()

    def _on_drop(self, _row: int, /) -> None:
        self._rebuild_if_sparse()

    async def _search(self, vector: Vectors, limit: int, where: Where | Node | None) -> list[Match]:
        query = query_vector(vector, self.metric, part=self.part)
        condition = pushed(filters.parse(where or {}))
        with self._lock:
            rows = self._table.matching(condition)

            async def ask(size: int) -> list[Candidate]:
                return self._nearest(query, rows, size)

            question = Question(query, self.metric, limit, EVERYTHING)  # the table has applied the filter
            return await nearest(question, ask, self._vectors_of)

    def _nearest(self, query: Vectors, rows: Rows, size: int) -> list[Candidate]:
        """The `size` nearest of some rows; fewer only if there are no more."""
        count = min(size, len(rows))
        if not count:
            return []
        every = len(rows) == self._index.ntotal
        selector = None if every else _selector(rows, self._index.ntotal)
        found: list[Candidate] = []
        if self.kind == "hnsw" and (every or len(rows) > FEW * self._index.ntotal):
            breadth = max(self._breadth, 2 * count)
            parameters = faiss.SearchParametersHNSW(sel=selector, efSearch=breadth)
            found = self._ask(self._index, query, count, parameters)
        if len(found) < count:
            vectors = faiss.downcast_index(self._index.storage) if self.kind == "hnsw" else self._index
            found = self._ask(vectors, query, count, faiss.SearchParameters(sel=selector))
        return found

    def _ask(self, index: Any, query: Vectors, size: int, parameters: Any) -> list[Candidate]:
        numbers, rows = index.search(query[None], size, params=parameters)
        raw = SPACES[self.metric][1]
        return [
            Candidate(id=str(self._table.names[row]), similarity=similarity(number, raw))
            for number, row in zip(numbers[0], rows[0], strict=True)
            if row >= 0
        ]

    async def _vectors(self, ids: Sequence[str]) -> dict[str, Vectors]:
        with self._lock:
            return await self._vectors_of(ids)

    async def _vectors_of(self, ids: Sequence[str]) -> dict[str, Vectors]:
        rows = {name: row for name in ids if (row := self._table.row.get(name)) is not None}
        if not rows:
            return {}
        vectors = self._index.reconstruct_batch(np.array(list(rows.values()), dtype=np.int64))
        return dict(zip(rows, vectors, strict=True))

    def _rebuild_if_sparse(self) -> None:
        if self._index.ntotal - len(self._table) > max(SLACK, len(self._table)):
            self._rebuild()

    def _rebuild(self) -> None:
        """Rebuild the index from the live rows."""
        rows = sorted(self._table.row.values())
        old, vectors = self._table, self._index.reconstruct_batch(np.array(rows, dtype=np.int64))
        self._reset()
        self._index.add(vectors)
        for new, row in enumerate(rows):
            self._table.set(new, str(old.names[row]), old.fields[row])

    def _reset(self) -> None:
        self._table = Table()
        space = SPACES[self.metric][0]
        flat = self.kind == "flat"
        make = faiss.IndexFlat if flat else faiss.IndexHNSWFlat
        self._use(make(self.dimension, *(() if flat else (self._links,)), space))

    def _use(self, index: Any) -> None:
        self._index = index
        if self.kind == "hnsw":
            index.hnsw.efConstruction = self._build
            index.hnsw.efSearch = self._breadth


def _selector(rows: Rows, total: int) -> Any:
    """The rows as a bitmap for FAISS, lowest bit first."""
    mask = np.zeros(total, dtype=bool)
    mask[rows] = True
    return faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))


def _written(index: Any, out: IO[bytes]) -> None:
    out.write(faiss.serialize_index(index).tobytes())
