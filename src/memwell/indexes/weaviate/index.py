"""Weaviate 1.27 or later: one collection, in which each namespace is a tenant.

`weaviate://host:8080?dimension=384`. Options: `collection` (default Memwell), `namespace`, `metric` (cosine, l2, dot),
`https` (default: true, except for localhost), `grpc_host` (default: the same host), `grpc_port` (default 50051, with
https 443), `timeout` (seconds, default 10). The default port is 8080, with https 443. A key is read from the
environment variable WEAVIATE_API_KEY, or from the URL, as in `weaviate://:KEY@host`.

Both of Weaviate's protocols are used: REST for the collection and gRPC for the points. The first call creates the
collection and the tenant if they are missing; several processes may do so at once. A collection with another dimension
or metric, or not created by memwell, raises `ConfigError`. Namespaces are tenants, so that each has its own graph and
no search visits the points of others, and because Weaviate can list the points of a tenant but not those of a filter.

On a single node, searches see a write when it returns; replicas and ASYNC_INDEXING may lag. A large write is sent in
several requests; if one fails, even in part, an error is raised, what was written remains, and repeating the call
completes it. Searches are approximate (HNSW over unquantised vectors), unless Weaviate compares all points that pass a
filter; beyond 10,000 candidates every point is compared on our side. The client retries while a server refuses
connections; `timeout` covers all of that.

Tested with Weaviate's own client against a local server that speaks the documented protocols.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, Self, TypeVar
from uuid import UUID

import weaviate
from weaviate import exceptions
from weaviate.classes.data import DataObject
from weaviate.classes.query import Filter, MetadataQuery

from memwell import filters
from memwell.capabilities import IndexCapabilities
from memwell.errors import BackendError, ConfigError, MemwellError
from memwell.filters import Node
from memwell.indexes.filtering.field_columns import decoded
from memwell.indexes.filtering.nearest import Candidate, Question, nearest
from memwell.indexes.filtering.pushdown import pushed
from memwell.indexes.listing import Listing
from memwell.indexes.metrics import checked_metric, metric_of, similarities, similarity
from memwell.indexes.points import batch, dimension_of, points_per_request, query_vector, uuid_of
from memwell.indexes.weaviate.connection import Connection, addresses, create_client
from memwell.indexes.weaviate.errors import failure
from memwell.indexes.weaviate.schema import (
    FIELDS,
    ID,
    METRICS,
    VECTOR,
    build_filter,
    check,
    class_name,
    id_of,
    namespace_filter,
    objects,
    schema,
    vector_of,
)
from memwell.network.clients import Clients
from memwell.ports import Match, Metric, Point, VectorIndex, Vectors
from memwell.types import Where
from memwell.urls import Url

__all__ = ["Weaviate"]

T = TypeVar("T")

MAX_POINTS: Final = 1000
"""Maximum number of points written or read by one request."""
MAX_BYTES: Final = 8_000_000
"""Maximum size of one request; the server accepts 10 MB or more."""
MOST: Final = 10_000
"""Maximum number of points in one response, and of points deleted by one request."""


class Weaviate(VectorIndex):
    """See the module docstring. A `client` (`weaviate.WeaviateAsyncClient`) that you pass is connected if necessary and
    stays open; the index then has no `identity`."""

    part = "weaviate"
    proof = "wire"
    capabilities = IndexCapabilities(durable=True, multiprocess=True)

    def __init__(
        self,
        dimension: int,
        *,
        url: str | None = None,
        grpc: str | None = None,
        client: weaviate.WeaviateAsyncClient | None = None,
        api_key: str | None = None,
        collection: str = "Memwell",
        namespace: str = "",
        metric: Metric = "cosine",
        timeout: float = 10.0,
    ) -> None:
        """`url` is such as `http://localhost:8080`, `grpc` such as `localhost:50051`; both use TLS if the URL does.
        `timeout` is in seconds, per request. Raises `ConfigError` for invalid arguments."""
        if (client is None) != (url is not None) or (url is None) != (grpc is None):
            raise ConfigError("weaviate takes either url and grpc, or a client", part=self.part)
        if dimension < 1:
            raise ConfigError(f"a dimension must be a positive integer, not {dimension!r}", part=self.part)
        self.dimension = dimension
        self.metric = checked_metric(metric)
        self._name = class_name(collection)
        self._namespace, self._tenant_name = namespace, uuid_of(namespace)
        self._timeout = timeout
        key = api_key or os.environ.get("WEAVIATE_API_KEY")
        make = partial(create_client, url or "", grpc or "", key=key, timeout=timeout)
        self._connections = Clients(partial(Connection, client, make), Connection.close)
        self._checked = False
        self._listing = Listing(self._scan)
        if url is not None:
            self.identity = f"weaviate:{url}/{self._name}/{namespace}"

    @classmethod
    def from_url(cls, url: Url) -> Self:
        """See the module docstring for the options."""
        dimension, metric = dimension_of(url), metric_of(url)
        rest, grpc = addresses(url)
        settings: dict[str, Any] = {
            "collection": url.take("collection") or "Memwell",
            "namespace": url.take("namespace") or "",
            "timeout": url.number("timeout", 10.0),
        }
        own = "dimension", "metric", "collection", "namespace", "timeout"
        url.done(*own, "https", "grpc_host", "grpc_port")
        key = url.place().password
        return cls(dimension, url=rest, grpc=grpc, api_key=key, metric=metric, **settings)

    # ------------------------------------------------------------------------------------------ the client

    async def _ask(self, call: Callable[[Any], Awaitable[T]]) -> T:
        """Send one request about the points of the namespace and return its result."""
        points = await self._tenant()
        async with asyncio.timeout(self._timeout):
            return await call(points)

    async def _tenant(self) -> Any:
        """The tenant, with the client of the running loop, after it was created or checked."""
        async with asyncio.timeout(self._timeout):
            client = await self._connections.current().connect()
            if not self._checked:
                await self._prepare(client)
                self._checked = True
        return client.collections.use(self._name).with_tenant(self._tenant_name)

    async def _prepare(self, client: weaviate.WeaviateAsyncClient) -> None:
        """Create collection and tenant if they are missing, and check their settings."""
        collections = client.collections
        if not await collections.exists(self._name):
            try:
                await collections.create(self._name, **schema(self.dimension, self.metric))
            except exceptions.UnexpectedStatusCodeError:  # another process has created it, or creating failed
                if not await collections.exists(self._name):
                    raise
        collection = collections.use(self._name)
        check(await collection.config.get(), self.dimension, self.metric)
        if not await collection.tenants.exists(self._tenant_name):
            await collection.tenants.create(self._tenant_name)  # does nothing if it exists meanwhile

    # -------------------------------------------------------------------------------------------- the port

    async def _upsert(self, points: Sequence[Point]) -> None:
        ready = batch(points, self.metric, part=self.part)
        size = points_per_request(self.dimension, ready.texts, max_points=MAX_POINTS, max_bytes=MAX_BYTES)
        new = list(objects(ready, self._namespace))
        self._listing.changed()
        try:
            for at in range(0, len(new), size):
                await self._insert(new[at : at + size])
        finally:
            self._listing.changed()

    async def _insert(self, new: Sequence[DataObject[Any, Any]]) -> None:
        answer = await self._ask(lambda points: points.data.insert_many(new))
        if answer.errors:
            message = next(iter(answer.errors.values())).message
            raise BackendError(
                f"Weaviate rejected {len(answer.errors)} of {len(new)} points: {message}", part=self.part
            )

    async def _delete(self, ids: Sequence[str]) -> None:
        names = list({self._point_id(name): None for name in ids})
        try:
            for at in range(0, len(names), MAX_POINTS):
                await self._remove(Filter.by_id().contains_any(names[at : at + MAX_POINTS]))
        finally:
            self._listing.changed()

    async def _clear(self) -> None:
        everything = namespace_filter(self._namespace)
        try:
            while await self._remove(everything):
                pass
        finally:
            self._listing.changed()

    async def _remove(self, condition: Any) -> bool:
        """Delete up to `MOST` points that meet the condition; returns whether some are left."""
        answer = await self._ask(lambda points: points.data.delete_many(where=condition))
        if answer.failed:
            raise BackendError(
                f"{answer.failed} of {answer.matches} points could not be deleted", part=self.part
            )
        return bool(answer.matches > answer.successful > 0)

    async def _search(self, vector: Vectors, limit: int, where: Where | Node | None) -> list[Match]:
        query = query_vector(vector, self.metric, part=self.part)
        question = Question(query, self.metric, limit, pushed(filters.parse(where or {})))
        properties = [ID] if question.pushed.exact else [ID, FIELDS]

        async def ask(size: int) -> list[Candidate]:
            answer = await self._ask(
                lambda points: points.query.near_vector(
                    near_vector=query.tolist(),
                    target_vector=VECTOR,
                    limit=size,
                    filters=build_filter(question.pushed.condition),
                    return_metadata=MetadataQuery(distance=True),
                    return_properties=properties,
                )
            )
            return [self._candidate(found, question) for found in answer.objects]

        async def scan() -> list[Candidate]:
            return await self._compare_all(question)

        return await nearest(question, ask, self._vectors, most=MOST, scan=scan)

    def _candidate(self, found: Any, question: Question) -> Candidate:
        _, raw, factor = METRICS[self.metric]
        return Candidate(
            id=id_of(found),
            similarity=similarity(factor * found.metadata.distance, raw),
            fields=None if question.pushed.exact else decoded(found.properties.get(FIELDS)),
        )

    async def _compare_all(self, question: Question) -> list[Candidate]:
        """Every point of the namespace that passes the filter, compared on our side."""
        found: list[Candidate] = []
        async for page in self._pages([ID, FIELDS], vectors=True):
            near = similarities([vector_of(each) for each in page], question.vector, self.metric)
            for each, similar in zip(page, near, strict=True):
                fields = decoded(each.properties.get(FIELDS))
                if filters.matches_fields(fields, question.pushed.node):
                    found.append(Candidate(id=id_of(each), similarity=similar, fields=fields))
        return found

    async def _pages(self, properties: list[str], *, vectors: bool) -> AsyncIterator[list[Any]]:
        """Every point of the namespace, ordered by UUID, page by page."""
        after = UUID(int=0)
        while page := await self._page(after, properties, vectors=vectors):
            yield page
            after = page[-1].uuid

    async def _page(self, after: UUID, properties: list[str], *, vectors: bool) -> list[Any]:
        answer = await self._ask(
            lambda points: points.query.fetch_objects(
                after=after, limit=MAX_POINTS, return_properties=properties, include_vector=vectors
            )
        )
        return list(answer.objects)

    async def _ids(self, after: str | None, limit: int) -> list[str]:
        return await self._listing.page(after, limit)

    async def _scan(self) -> list[str]:
        return [id_of(each) async for page in self._pages([ID], vectors=False) for each in page]

    async def _vectors(self, ids: Sequence[str]) -> dict[str, Vectors]:
        names = list({self._point_id(name): None for name in ids})
        found: dict[str, Vectors] = {}
        for at in range(0, len(names), MAX_POINTS):
            some = await self._named(names[at : at + MAX_POINTS], [ID], vectors=True)
            found |= {id_of(each): vector_of(each) for each in some}
        return found

    async def _fields(self, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        names = list({self._point_id(name): None for name in ids})
        found: dict[str, Mapping[str, Any]] = {}
        for at in range(0, len(names), MAX_POINTS):
            some = await self._named(names[at : at + MAX_POINTS], [ID, FIELDS], vectors=False)
            found |= {id_of(each): decoded(each.properties.get(FIELDS)) for each in some}
        return found

    async def _named(self, names: list[str], properties: list[str], *, vectors: bool) -> list[Any]:
        condition = Filter.by_id().contains_any(names)
        answer = await self._ask(
            lambda points: points.query.fetch_objects(
                filters=condition, limit=len(names), return_properties=properties, include_vector=vectors
            )
        )
        return list(answer.objects)

    async def _count(self) -> int:
        answer = await self._ask(lambda points: points.aggregate.over_all(total_count=True))
        return int(answer.total_count or 0)

    async def _ping(self) -> None:
        await self._ask(lambda points: points.query.fetch_objects(limit=1, return_properties=[ID]))

    async def _close(self) -> None:
        await self._connections.close()

    def _point_id(self, name: str) -> str:
        return uuid_of(name, self._namespace)

    def _translate(self, error: Exception, operation: str) -> MemwellError:
        found = failure(error, self._timeout) or super()._translate(error, operation)
        if isinstance(found, BackendError):
            self._checked = False  # it may have been dropped: the next call creates it again
        found.part, found.operation = self.part, operation
        return found
