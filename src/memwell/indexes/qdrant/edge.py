"""Qdrant embedded: the engine of a Qdrant server with a folder, without a server.

`qdrant-edge:///folder?dimension=384`. Options: `metric` (cosine, l2, dot) and `namespace`. The folder is created if it
is missing. A folder with another dimension or metric, or one that is already open, raises `ConfigError`.

A write is in the write-ahead log when it returns, so a crash of the process loses nothing; `save` and `close` flush it
to disk. Searches compare every vector until `optimize` has built graphs; then they are approximate, unless the graph
returns too few results. `identity` names the folder and the namespace. Only one namespace of a folder can be open at a
time.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

import qdrant_edge as edge

from memwell import filters
from memwell._forks import fork_safe
from memwell.capabilities import IndexCapabilities
from memwell.errors import BackendError, ConfigError, Corrupt, MemwellError
from memwell.filters import Node
from memwell.indexes.filtering.nearest import Candidate, Question, nearest
from memwell.indexes.filtering.pushdown import pushed
from memwell.indexes.folder import OpenFolder, damaged, set_aside
from memwell.indexes.listing import Listing
from memwell.indexes.metrics import checked_metric, metric_of
from memwell.indexes.points import batch, dimension_of, query_vector, uuid_of
from memwell.indexes.qdrant.payload import (
    DISTANCES,
    FIELDS,
    ID,
    INDEXED,
    FilterBuilder,
    candidates,
    fields_by_id,
    payload_keys,
    payloads,
    vectors_by_id,
)
from memwell.ports import Effect, Match, Metric, Point, VectorIndex, Vectors, operation
from memwell.types import Where
from memwell.urls import Url

__all__ = ["QdrantEdge"]

log = logging.getLogger("memwell.indexes")

FILTERS: Final = FilterBuilder(edge.Filter, edge.FieldCondition, edge.MatchAny, edge.RangeFloat)
PAGE: Final = 10_000
"""Number of ids read at a time."""

_DAMAGE: Final = re.compile(
    r"deseriali[sz]e|decode|decompress|corrupt|Gridstore|out of bounds|Not recovered", re.IGNORECASE
)
"""What the engine says of files that are not what it wrote."""


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
        """Opens the folder. Raises `ConfigError` if it has another dimension or metric, or is already open."""
        if dimension < 1:
            raise ConfigError(f"a dimension must be a positive integer, not {dimension!r}", part=self.part)
        self.dimension = dimension
        self.metric = checked_metric(metric)
        self._namespace = namespace
        self._path = Path(path)
        self._reset_lock()
        fork_safe(self._reset_lock)
        self._listing = Listing(self._scan)
        self._folder = OpenFolder(self._path, part=self.part)
        self._damage: Corrupt | None = None
        self._engine: Any = None
        try:
            self._engine = self._open_shard()
        except Exception as error:
            failure = self._translate(error, "open")
            if not isinstance(failure, Corrupt):
                raise failure from error
            self._damage = failure
        self.identity = f"qdrant-edge:{self._path.resolve()}/{namespace}"

    def _reset_lock(self) -> None:
        self._lock = threading.RLock()

    @classmethod
    def from_url(cls, url: Url) -> Self:
        """See the module docstring for the options."""
        dimension, metric, namespace = dimension_of(url), metric_of(url), url.take("namespace") or ""
        url.done("dimension", "metric", "namespace")
        path = url.path()
        if not path:
            raise ConfigError("qdrant-edge needs a folder, as in qdrant-edge:///vectors", part=cls.part)
        return cls(dimension, path, namespace=namespace, metric=metric)

    @property
    def _shard(self) -> Any:
        """The engine. Raises `Corrupt` if the folder is damaged or was deleted."""
        self._folder.check()
        if self._damage is not None:
            raise Corrupt(self._damage.message, part=self.part) from self._damage
        return self._engine

    def _open_shard(self) -> Any:
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
        self._folder.opened()
        return shard

    @operation(Effect.WRITES)
    async def save(self) -> None:
        """Flush all writes to disk."""
        with self._lock:
            self._shard.flush()

    @operation(Effect.UPKEEP)
    async def optimize(self) -> bool:
        """Merge segments and build graphs, which makes searches in many points faster but approximate. May take
        minutes. Returns whether there was anything to do.
        """
        with self._lock:
            return bool(self._shard.optimize())

    async def _upsert(self, points: Sequence[Point]) -> None:
        ready = batch(points, self.metric, part=self.part)
        new = [
            edge.Point(name, vector, payload)
            for (name, payload), vector in zip(
                payloads(ready, self._namespace), ready.vectors.tolist(), strict=True
            )
        ]
        self._update(edge.UpdateOperation.upsert_points(new))

    async def _delete(self, ids: Sequence[str]) -> None:
        self._update(edge.UpdateOperation.delete_points([uuid_of(name, self._namespace) for name in ids]))

    async def _clear(self) -> None:
        try:
            self._update(edge.UpdateOperation.delete_points_by_filter(FILTERS.build(self._namespace)))
        except Exception as error:
            if not isinstance(error, Corrupt) and not isinstance(self._translate(error, "clear"), Corrupt):
                raise
            self._start_over()

    def _start_over(self) -> None:
        """Set a damaged folder aside, with all its namespaces, and open a new one."""
        with self._lock:
            engine, self._engine = self._engine, None
            self._folder.closed()
            if engine is not None:
                with suppress(Exception):  # it is not usable any more
                    engine.close()
            del engine
            set_aside(self._path)
            self._engine, self._damage = self._open_shard(), None

    def _update(self, operation: Any) -> None:
        with self._lock:
            try:
                self._shard.update(operation)
            finally:
                self._listing.changed()

    async def _search(self, vector: Vectors, limit: int, where: Where | Node | None) -> list[Match]:
        query = query_vector(vector, self.metric, part=self.part)
        question = Question(query, self.metric, limit, pushed(filters.parse(where or {})))

        async def ask(size: int) -> list[Candidate]:
            found = self._nearest(question, size, exact=False)
            if len(found) < size:  # either there are no more, or the graph search ended early
                found = self._nearest(question, size, exact=True)
            return candidates(found, self.metric, question.pushed)

        return await nearest(question, ask, self._vectors)

    def _nearest(self, question: Question, size: int, *, exact: bool) -> list[Any]:
        request = edge.SearchRequest(
            query=edge.Query.Nearest(question.vector.tolist()),
            limit=size,
            filter=FILTERS.build(self._namespace, question.pushed.condition),
            params=edge.SearchParams(exact=exact),
            with_payload=payload_keys(question.pushed),
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
                filter=FILTERS.build(self._namespace),
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
            return vectors_by_id(self._shard.retrieve(names, with_payload=[ID], with_vector=True))

    async def _fields(self, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        names = list({uuid_of(name, self._namespace): None for name in ids})
        with self._lock:
            return fields_by_id(self._shard.retrieve(names, with_payload=[ID, FIELDS], with_vector=False))

    async def _count(self) -> int:
        with self._lock:
            return int(
                self._shard.count(edge.CountRequest(exact=True, filter=FILTERS.build(self._namespace)))
            )

    async def _ping(self) -> None:
        with self._lock:
            self._shard.info()

    async def _close(self) -> None:
        with self._lock:
            if self._engine is None:
                return
            try:
                self._shard.flush()
            except Corrupt as error:
                log.warning("%s", error)
            finally:
                with suppress(Exception):  # closing writes once more, perhaps to a folder that is gone
                    self._engine.close()

    def _translate(self, error: Exception, operation: str) -> MemwellError:
        """Maps the errors of the engine, which has a single exception type."""
        message = str(error)
        where: dict[str, Any] = {"part": self.part, "operation": operation}
        if "failed to open WAL" in message and "WouldBlock" in message:
            return ConfigError(
                f"{self._path} is already open in another process or index; close it there", **where
            )
        if "incompatible" in message.lower():
            return ConfigError(
                f"{self._path} does not have dimension {self.dimension} and metric {self.metric}: {message}; use "
                "another folder, or its own settings",
                **where,
            )
        if isinstance(error, OSError):
            return ConfigError(f"the folder {self._path} is not usable: {message}", **where)
        if operation == "open" or _DAMAGE.search(message):
            return damaged(self._path, message, **where)
        return BackendError(f"Qdrant Edge at {self._path}: {message}", **where)
