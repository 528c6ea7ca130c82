"""Qdrant in process: the engine of a Qdrant server on one folder, without a server.

`qdrant-edge:///folder?dimension=384`; options `metric` (cosine, l2, dot) and `namespace`. The folder is made when
absent. A folder of another dimension or metric is a `ConfigError`, and so is one that another process or part has open.

A write is in the write-ahead log when it returns, so that the death of the process loses nothing; `save` and `close`
bring it to the disk. Every vector is compared, until `optimize` has built graphs; then searches are approximate, except
when they come back short. `identity` names folder and namespace. Several namespaces of a folder are used one after the
other.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Self

import qdrant_edge as edge

from memwell import filters
from memwell.capabilities import IndexCapabilities
from memwell.errors import BackendError, ConfigError, MemwellError
from memwell.filters import Node
from memwell.indexes.filtering.nearest import Candidate, Question, nearest
from memwell.indexes.filtering.pushdown import pushed
from memwell.indexes.listing import Listing
from memwell.indexes.metrics import checked_metric, metric_of
from memwell.indexes.points import asked, batch, dimension_of, uuid_of
from memwell.indexes.qdrant.payload import DISTANCES, ID, INDEXED, Kit, candidates, held, payloads, wanted
from memwell.ports import Effect, Match, Metric, Point, VectorIndex, Vectors, operation
from memwell.registry import Url
from memwell.types import Where

__all__ = ["QdrantEdge"]

KIT: Final = Kit(edge.Filter, edge.FieldCondition, edge.MatchAny, edge.RangeFloat)
PAGE: Final = 10_000
"""Ids read at a time."""


class QdrantEdge(VectorIndex):
    """`QdrantEdge(384, "folder")`."""

    part = "qdrant-edge"
    blocking = True
    capabilities = IndexCapabilities(durable=True)

    def __init__(
        self,
        dimension: int,
        path: str | os.PathLike[str],
        *,
        namespace: str = "",
        metric: Metric = "cosine",
    ) -> None:
        """Opens the folder. Raises `ConfigError` for one of another dimension or metric or that is open elsewhere."""
        if dimension < 1:
            raise ConfigError(f"a dimension is a positive number, not {dimension!r}", part=self.part)
        self.dimension = dimension
        self.metric = checked_metric(metric)
        self._namespace = namespace
        self._path = Path(path)
        self._lock = threading.RLock()
        self._listing = Listing(self._scan)
        try:
            self._shard = self._opened()
        except Exception as error:
            raise self._translate(error, "open") from error
        self.identity = f"qdrant-edge:{self._path.resolve()}/{namespace}"

    @classmethod
    def from_url(cls, url: Url) -> Self:
        """See the module's description."""
        dimension, metric, namespace = dimension_of(url), metric_of(url), url.take("namespace") or ""
        url.done("dimension", "metric", "namespace")
        path = url.path()
        if not path:
            raise ConfigError("qdrant-edge needs a folder, as in qdrant-edge:///vectors", part=cls.part)
        return cls(dimension, path, namespace=namespace, metric=metric)

    def _opened(self) -> Any:
        distance = getattr(edge.Distance, DISTANCES[self.metric][0])
        config = edge.EdgeConfig(vectors=edge.EdgeVectorParams(size=self.dimension, distance=distance))
        if (self._path / "segments").exists():
            shard = edge.EdgeShard.load(str(self._path), config)
        else:
            self._path.mkdir(parents=True, exist_ok=True)
            shard = edge.EdgeShard.create(str(self._path), config)
        kinds = {"keyword": edge.PayloadSchemaType.Keyword, "float": edge.PayloadSchemaType.Float}
        for key in INDEXED.keys() - shard.info().payload_schema.keys():
            shard.update(edge.UpdateOperation.create_field_index(key, kinds[INDEXED[key]]))
        return shard

    @operation(Effect.WRITES)
    async def save(self) -> None:
        """Bring all that was written to the disk."""
        with self._lock:
            self._shard.flush()

    @operation(Effect.UPKEEP)
    async def optimize(self) -> bool:
        """Merge segments and build graphs, which makes searches of many points faster and approximate; whether there
        was anything to do. May take minutes."""
        with self._lock:
            return bool(self._shard.optimize())

    async def _upsert(self, points: Sequence[Point]) -> None:
        ready = batch(points, self.metric, part=self.part)
        made = [
            edge.Point(name, vector, payload)
            for (name, payload), vector in zip(
                payloads(ready, self._namespace), ready.vectors.tolist(), strict=True
            )
        ]
        self._update(edge.UpdateOperation.upsert_points(made))

    async def _delete(self, ids: Sequence[str]) -> None:
        self._update(edge.UpdateOperation.delete_points([uuid_of(name, self._namespace) for name in ids]))

    async def _clear(self) -> None:
        self._update(edge.UpdateOperation.delete_points_by_filter(KIT.of(self._namespace)))

    def _update(self, operation: Any) -> None:
        with self._lock:
            try:
                self._shard.update(operation)
            finally:
                self._listing.changed()

    async def _search(self, vector: Vectors, limit: int, where: Where | Node | None) -> list[Match]:
        query = asked(vector, self.metric, part=self.part)
        question = Question(query, self.metric, limit, pushed(filters.parse(where or {})))

        async def ask(size: int) -> list[Candidate]:
            found = self._nearest(question, size, exact=False)
            if len(found) < size:  # all there are, or all that a graph led to
                found = self._nearest(question, size, exact=True)
            return candidates(found, self.metric, question.pushed)

        return await nearest(question, ask, self._vectors)

    def _nearest(self, question: Question, size: int, *, exact: bool) -> list[Any]:
        request = edge.SearchRequest(
            query=edge.Query.Nearest(question.vector.tolist()),
            limit=size,
            filter=KIT.of(self._namespace, question.pushed.condition),
            params=edge.SearchParams(exact=exact),
            with_payload=wanted(question.pushed),
        )
        with self._lock:
            found: list[Any] = self._shard.search(request)
        return found

    async def _ids(self, after: str | None, limit: int) -> list[str]:
        return await self._listing.page(after, limit)

    async def _scan(self) -> list[str]:
        found: list[str] = []
        offset: Any = None
        while True:
            request = edge.ScrollRequest(
                offset=offset,
                limit=PAGE,
                filter=KIT.of(self._namespace),
                with_payload=[ID],
                with_vector=False,
            )
            with self._lock:
                page, offset = self._shard.scroll(request)
            found += [str(point.payload[ID]) for point in page]
            if offset is None:
                return found

    async def _vectors(self, ids: Sequence[str]) -> dict[str, Vectors]:
        names = list({uuid_of(name, self._namespace): None for name in ids})
        with self._lock:
            return held(self._shard.retrieve(names, with_payload=[ID], with_vector=True))

    async def _count(self) -> int:
        with self._lock:
            return int(self._shard.count(edge.CountRequest(exact=True, filter=KIT.of(self._namespace))))

    async def _ping(self) -> None:
        with self._lock:
            self._shard.info()

    async def _close(self) -> None:
        with self._lock:
            self._shard.flush()
            self._shard.close()

    def _translate(self, error: Exception, operation: str) -> MemwellError:
        """The one table; the engine has a single error with a text."""
        said = str(error)
        where: dict[str, Any] = {"part": self.part, "operation": operation}
        if "failed to open WAL" in said and "WouldBlock" in said:
            return ConfigError(f"{self._path} is open in another process or part; close that one", **where)
        if "incompatible" in said.lower():
            return ConfigError(
                f"{self._path} holds other vectors than of dimension {self.dimension} and metric {self.metric}: "
                f"{said}; give another folder, or what it was made with",
                **where,
            )
        if isinstance(error, OSError):
            return ConfigError(f"the folder {self._path} cannot be used: {said}", **where)
        return BackendError(f"Qdrant Edge at {self._path}: {said}", **where)
