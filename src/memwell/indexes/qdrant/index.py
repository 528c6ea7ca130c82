"""Qdrant: a server, or the client's own local mode with a folder or in memory.

`qdrant://host:6333?dimension=384`, `qdrant:///folder?dimension=384`, `qdrant://:memory:?dimension=384`. Options:
`collection` (default memwell), `namespace`, `metric` (cosine, l2, dot); for a server also `https`, `timeout` (seconds,
default 10) and `api_key`; prefer the environment variable QDRANT_API_KEY for the key. With a key, https is the default,
except for localhost.

The first call creates the collection and its payload indexes if they are missing; several processes may do so at once.
A collection with another dimension or metric raises `ConfigError`. Several namespaces can share a collection and never
see each other. The id of a point in Qdrant is a UUID made from the namespace and our id.

When a write returns, searches see it. A large write is sent in several requests: if one fails, the earlier ones remain,
and repeating the call completes it. Searches are approximate once the server has built its graph; if the graph returns
too few results, every point is compared. A server persists what it has acknowledged. `identity` names the server, the
collection and the namespace.

In local mode only one process can open a folder; a second one gets a `ConfigError`. Local mode compares every vector in
Python and is meant for small collections. It is tested for real; server mode is tested against a server that speaks the
protocol.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

from qdrant_client import AsyncQdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from memwell import filters
from memwell._forks import ForkSafeLock
from memwell.capabilities import IndexCapabilities
from memwell.errors import ConfigError, Corrupt, MemwellError
from memwell.filters import Node
from memwell.indexes.address import address
from memwell.indexes.filtering.nearest import Candidate, Question, nearest
from memwell.indexes.filtering.pushdown import pushed
from memwell.indexes.folder import OpenFolder, damaged, set_aside
from memwell.indexes.listing import Listing
from memwell.indexes.metrics import checked_metric, metric_of
from memwell.indexes.points import Batch, batch, dimension_of, points_per_request, query_vector, uuid_of
from memwell.indexes.qdrant.errors import failure, is_damage, is_missing
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
from memwell.network.clients import Clients
from memwell.ports import Match, Metric, Point, VectorIndex, Vectors
from memwell.types import Where
from memwell.urls import Url

__all__ = ["Qdrant"]

FILTERS: Final = FilterBuilder(models.Filter, models.FieldCondition, models.MatchAny, models.Range)
MAX_POINTS: Final = 1000
"""Maximum number of points in one request."""
MAX_BYTES: Final = 16_000_000
"""Maximum size of the points in one request; the server's own limit is 32 MB."""
_LOCAL = ForkSafeLock()
"""Local mode is not thread-safe."""


class Qdrant(VectorIndex):
    """`Qdrant(384, url="http://localhost:6333")`, `Qdrant(384, path="folder")`, or `Qdrant(384)` in memory. A `client`
    that you pass stays open; the index then has no `identity`."""

    part = "qdrant"

    def __init__(
        self,
        dimension: int,
        *,
        url: str | None = None,
        path: str | os.PathLike[str] | None = None,
        client: AsyncQdrantClient | None = None,
        api_key: str | None = None,
        collection: str = "memwell",
        namespace: str = "",
        metric: Metric = "cosine",
        timeout: float = 10.0,
    ) -> None:
        """Connects on first use. `timeout` is in seconds, per request. Raises `ConfigError` for invalid arguments."""
        if sum(given is not None for given in (url, path, client)) > 1:
            raise ConfigError("qdrant takes only one of url, path and client", part=self.part)
        if dimension < 1:
            raise ConfigError(f"a dimension must be a positive integer, not {dimension!r}", part=self.part)
        self.dimension = dimension
        self.metric = checked_metric(metric)
        self._collection, self._namespace = collection, namespace
        self._url, self._path, self._key, self._timeout = url, path, api_key, timeout
        self._owns_client = client is None
        self._client = client
        self._clients = Clients(self._create_client, lambda client: client.close())
        self._checked = False
        self._local = url is None if client is None else not hasattr(client._client, "rest_uri")
        self.blocking = self._local
        self.proof = "service" if self._local else "wire"
        self.capabilities = IndexCapabilities(
            durable=url is not None or path is not None, multiprocess=not self._local, exact=self._local
        )
        self._listing = Listing(self._scan)
        self._folder = None if path is None else OpenFolder(Path(path), part=self.part)
        where = url if url is not None else path if path is None else Path(path).resolve()
        if where is not None:
            self.identity = f"qdrant:{where}/{collection}/{namespace}"

    @classmethod
    def from_url(cls, url: Url) -> Self:
        """See the module docstring for the options."""
        dimension, metric = dimension_of(url), metric_of(url)
        settings: dict[str, Any] = {"dimension": dimension, "metric": metric}
        settings |= {
            "collection": url.take("collection") or "memwell",
            "namespace": url.take("namespace") or "",
        }
        timeout = url.number("timeout", 10.0)
        if url.rest in ("", ":memory:") or url.rest.startswith("/"):
            url.done("dimension", "metric", "collection", "namespace", "timeout")
            return cls(path=url.path() if url.rest.startswith("/") else None, **settings)
        base, key = address(url, port=6333, key="QDRANT_API_KEY")
        url.done("dimension", "metric", "collection", "namespace", "timeout", "api_key", "https")
        return cls(url=base, api_key=key, timeout=timeout, **settings)

    # ------------------------------------------------------------------------------------------ the client

    async def _call(self, name: str, **arguments: Any) -> Any:
        """Send one request, after the collection was created or checked."""
        if not self._checked:
            await self._prepare()
            self._checked = True
        return await self._send(name, collection_name=self._collection, **arguments)

    async def _send(self, name: str, **arguments: Any) -> Any:
        if not self._local:
            return await getattr(self._current_client(), name)(**arguments)
        with _LOCAL:  # the await never suspends in local mode
            return await self._send_locally(name, arguments)

    async def _send_locally(self, name: str, arguments: dict[str, Any]) -> Any:
        if self._folder is None:
            return await getattr(self._current_client(), name)(**arguments)
        self._folder.check()
        opening = self._client is None
        try:
            client = self._current_client()
            if opening:
                self._folder.opened()
            return await getattr(client, name)(**arguments)
        except Exception as error:
            if is_damage(error, opening=opening):
                raise damaged(self._folder.path, error, part=self.part) from error
            raise

    def _current_client(self) -> AsyncQdrantClient:
        """The client of the running loop."""
        if self._owns_client and not self._local:
            return self._clients.current()
        if self._client is None:
            self._client = self._create_client()
        return self._client

    def _create_client(self) -> AsyncQdrantClient:
        if self._url is not None:
            return AsyncQdrantClient(
                url=self._url,
                api_key=self._key,
                timeout=self._timeout,  # type: ignore[arg-type]  # rounded up by the client
                check_compatibility=False,
            )
        if self._path is None:
            return AsyncQdrantClient(":memory:", force_disable_check_same_thread=True)
        return AsyncQdrantClient(path=str(self._path), force_disable_check_same_thread=True)

    async def _prepare(self) -> None:
        """Create the collection if it is missing, and check its settings."""
        name = self._collection
        distance, _ = DISTANCES[self.metric]
        if not await self._send("collection_exists", collection_name=name):
            vectors = models.VectorParams(size=self.dimension, distance=models.Distance(distance))
            try:
                await self._send("create_collection", collection_name=name, vectors_config=vectors)
            except (UnexpectedResponse, ValueError):  # another process has created it, or creating failed
                if not await self._send("collection_exists", collection_name=name):
                    raise
        found = await self._send("get_collection", collection_name=name)
        self._check(found.config.params.vectors, distance)
        if self._local:
            return  # local mode has no payload indexes
        for key in INDEXED.keys() - (found.payload_schema or {}).keys():
            await self._send(
                "create_payload_index", collection_name=name, field_name=key, field_schema=INDEXED[key]
            )

    def _check(self, vectors: Any, distance: str) -> None:
        if not isinstance(vectors, models.VectorParams):
            raise ConfigError(
                f"collection {self._collection!r} has named vectors; use another collection for the index",
                part=self.part,
            )
        known = {qdrant: metric for metric, (qdrant, _) in DISTANCES.items()}
        metric = known.get(vectors.distance.value, vectors.distance.value)
        if vectors.size != self.dimension or vectors.distance.value != distance:
            raise ConfigError(
                f"collection {self._collection!r} has dimension {vectors.size} and metric {metric}, not "
                f"{self.dimension} and {self.metric}; use another collection, or its own settings",
                part=self.part,
            )

    # ------------------------------------------------------------------------------------------- the port

    async def _upsert(self, points: Sequence[Point]) -> None:
        ready = batch(points, self.metric, part=self.part)
        named = list(payloads(ready, self._namespace))
        self._listing.changed()
        try:
            for part in _requests(ready, named):
                await self._call("upsert", points=part, wait=True)
        finally:
            self._listing.changed()

    async def _delete(self, ids: Sequence[str]) -> None:
        names = list({uuid_of(name, self._namespace): None for name in ids})
        try:
            for at in range(0, len(names), MAX_POINTS):
                selector = models.PointIdsList(points=list(names[at : at + MAX_POINTS]))
                await self._call("delete", points_selector=selector, wait=True)
        finally:
            self._listing.changed()

    async def _search(self, vector: Vectors, limit: int, where: Where | Node | None) -> list[Match]:
        query = query_vector(vector, self.metric, part=self.part)
        question = Question(query, self.metric, limit, pushed(filters.parse(where or {})))

        async def ask(size: int) -> list[Candidate]:
            found = await self._nearest(question, size)
            if (
                len(found) < size and not self._local
            ):  # either there are no more, or the graph search ended early
                found = await self._nearest(question, size, search_params=models.SearchParams(exact=True))
            return candidates(found, self.metric, question.pushed)

        return await nearest(question, ask, self._vectors)

    async def _nearest(self, question: Question, size: int, **more: Any) -> list[Any]:
        answer = await self._call(
            "query_points",
            query=question.vector.tolist(),
            query_filter=FILTERS.build(self._namespace, question.pushed.condition),
            limit=size,
            with_payload=payload_keys(question.pushed),
            **more,
        )
        found: list[Any] = answer.points
        return found

    async def _ids(self, after: str | None, limit: int) -> list[str]:
        return await self._listing.page(after, limit)

    async def _scan(self) -> list[str]:
        found: list[str] = []
        offset: Any = None
        while True:
            page, offset = await self._call(
                "scroll",
                scroll_filter=FILTERS.build(self._namespace),
                limit=MAX_POINTS * 10,
                offset=offset,
                with_payload=[ID],
                with_vectors=False,
            )
            found += [str(point.payload[ID]) for point in page]
            if offset is None:
                return found

    async def _vectors(self, ids: Sequence[str]) -> dict[str, Vectors]:
        return vectors_by_id(await self._retrieve(ids, payload=[ID], vectors=True))

    async def _fields(self, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        return fields_by_id(await self._retrieve(ids, payload=[ID, FIELDS], vectors=False))

    async def _retrieve(self, ids: Sequence[str], *, payload: list[str], vectors: bool) -> list[Any]:
        names = list({uuid_of(name, self._namespace): None for name in ids})
        found: list[Any] = []
        for at in range(0, len(names), MAX_POINTS):
            some = names[at : at + MAX_POINTS]
            found += await self._call("retrieve", ids=some, with_payload=payload, with_vectors=vectors)
        return found

    async def _count(self) -> int:
        answer = await self._call("count", count_filter=FILTERS.build(self._namespace), exact=True)
        return int(answer.count)

    async def _clear(self) -> None:
        try:
            selector = models.FilterSelector(filter=FILTERS.build(self._namespace))
            await self._call("delete", points_selector=selector, wait=True)
        except Corrupt:
            await self._start_over()
        finally:
            self._listing.changed()

    async def _start_over(self) -> None:
        """Set a damaged folder aside, with all its collections; the next call creates a new one."""
        assert self._folder is not None
        client, self._client, self._checked = self._client, None, False
        self._folder.closed()
        if client is not None:
            with suppress(Exception):  # it is not usable any more
                await client.close()
        set_aside(self._folder.path)

    async def _ping(self) -> None:
        await self._call("get_collection")

    async def _close(self) -> None:
        client, self._client = self._client, None
        if client is not None and self._owns_client:
            await client.close()
        if not self._local:
            await self._clients.close()

    def _translate(self, error: Exception, operation: str) -> MemwellError:
        if is_missing(error):
            self._checked = False
        found = failure(error, str(self._url or self._path)) or super()._translate(error, operation)
        found.part, found.operation = self.part, operation
        return found


def _requests(points: Batch, named: Sequence[tuple[str, dict[str, Any]]]) -> Iterator[models.Batch]:
    """The points, split into requests that a server accepts."""
    size = points_per_request(
        points.vectors.shape[1], points.texts, max_points=MAX_POINTS, max_bytes=MAX_BYTES
    )
    for at in range(0, len(named), size):
        some = named[at : at + size]
        yield models.Batch(
            ids=[name for name, _ in some],
            vectors=points.vectors[at : at + size].tolist(),
            payloads=[payload for _, payload in some],
        )
