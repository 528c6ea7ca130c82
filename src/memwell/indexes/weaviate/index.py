"""Weaviate 1.27 or later: one collection, in which each namespace is a tenant of its own.

`weaviate://host:8080?dimension=384`; options `collection` (Memwell), `namespace`, `metric` (cosine, l2, dot), `https`
(default: not for this machine), `grpc_host` (the same host), `grpc_port` (50051; with https 443, as is the port),
`timeout` (seconds, 10). A key is in the environment variable WEAVIATE_API_KEY.

Weaviate is asked by both of its protocols, REST for the collection and gRPC for the points. Collection and tenant are
made at the first call when absent; any number of processes may do so at once. A collection of another dimension or
metric, or one that memwell did not make, is a `ConfigError`. Namespaces are tenants because each then has a graph of
its own, so that no search walks through the points of others, and can be listed: Weaviate's cursor takes no filter.

On one node a write returns when searches see it; replicas and ASYNC_INDEXING may lag. A large write goes in several
requests, and one that fails in part raises: what was written stays, and the same call again makes it whole. Searches
are approximate (HNSW over unquantised vectors), save where Weaviate compares all that pass a filter; beyond 10,000
candidates every point is compared here. The client tries again while a server refuses connections: `timeout` is for
all of that together.

Proved on the wire: Weaviate's own client against a loopback server that speaks the documented protocols.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
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
from memwell.indexes.points import asked, batch, dimension_of, portion, uuid_of
from memwell.indexes.weaviate.connection import Connection, addresses, made
from memwell.indexes.weaviate.errors import failure
from memwell.indexes.weaviate.schema import (
    FIELDS,
    ID,
    METRICS,
    VECTOR,
    capitalised,
    check,
    filtered,
    id_of,
    objects,
    of_namespace,
    schema,
    vector_of,
)
from memwell.network.clients import Clients
from memwell.ports import Match, Metric, Point, VectorIndex, Vectors
from memwell.registry import Url
from memwell.types import Where

__all__ = ["Weaviate"]

T = TypeVar("T")

AT_ONCE: Final = 1000
"""Points written or read by one request, at most."""
BYTES: Final = 8_000_000
"""Of one request; the server takes 10 MB or more."""
MOST: Final = 10_000
"""Points of one answer, and points deleted by one request, at most."""


class Weaviate(VectorIndex):
    """See the module. Nothing is opened before the first call; a `client` (`weaviate.WeaviateAsyncClient`) that is
    handed in is connected when it is not, stays open, and its `identity` is not known."""

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
        """`url` such as `http://localhost:8080`, `grpc` such as `localhost:50051`, secured as the URL is. `timeout` in
        seconds, for each request. Raises `ConfigError`."""
        if (client is None) != (url is not None) or (url is None) != (grpc is None):
            raise ConfigError("weaviate takes url and grpc, or a client", part=self.part)
        if dimension < 1:
            raise ConfigError(f"a dimension is a positive number, not {dimension!r}", part=self.part)
        self.dimension = dimension
        self.metric = checked_metric(metric)
        self._name = capitalised(collection)
        self._namespace, self._tenant = namespace, uuid_of(namespace)
        self._timeout = timeout
        key = api_key or os.environ.get("WEAVIATE_API_KEY")
        make = partial(made, url or "", grpc or "", key=key, timeout=timeout)
        self._doors = Clients(partial(Connection, client, make), Connection.close)
        self._checked = False
        self._listing = Listing(self._scan)
        if url is not None:
            self.identity = f"weaviate:{url}/{self._name}/{namespace}"

    @classmethod
    def from_url(cls, url: Url) -> Self:
        """See the module's description."""
        dimension, metric = dimension_of(url), metric_of(url)
        rest, grpc = addresses(url)
        settings: dict[str, Any] = {
            "collection": url.take("collection") or "Memwell",
            "namespace": url.take("namespace") or "",
            "timeout": url.number("timeout", 10.0),
        }
        own = "dimension", "metric", "collection", "namespace", "timeout"
        url.done(*own, "https", "grpc_host", "grpc_port")
        return cls(dimension, url=rest, grpc=grpc, metric=metric, **settings)

    # ------------------------------------------------------------------------------------------ the client

    async def _ask(self, call: Callable[[Any], Awaitable[T]]) -> T:
        """What one request about the points of the namespace gives."""
        points = await self._opened()
        async with asyncio.timeout(self._timeout):
            return await call(points)

    async def _opened(self) -> Any:
        """The tenant, by the running loop's client, when it is sure to be there and to fit."""
        async with asyncio.timeout(self._timeout):
            client = await self._doors.current().opened()
            if not self._checked:
                await self._prepare(client)
                self._checked = True
        return client.collections.use(self._name).with_tenant(self._tenant)

    async def _prepare(self, client: weaviate.WeaviateAsyncClient) -> None:
        """Make collection and tenant when they are absent, and see that they fit."""
        collections = client.collections
        if not await collections.exists(self._name):
            try:
                await collections.create(self._name, **schema(self.dimension, self.metric))
            except exceptions.UnexpectedStatusCodeError:  # another process was quicker, or it cannot be made
                if not await collections.exists(self._name):
                    raise
        collection = collections.use(self._name)
        check(await collection.config.get(), self.dimension, self.metric)
        if not await collection.tenants.exists(self._tenant):
            await collection.tenants.create(self._tenant)  # does nothing when another process was quicker

    # -------------------------------------------------------------------------------------------- the port

    async def _upsert(self, points: Sequence[Point]) -> None:
        ready = batch(points, self.metric, part=self.part)
        size = portion(self.dimension, ready.texts, most=AT_ONCE, size=BYTES)
        made = list(objects(ready, self._namespace))
        self._listing.changed()
        try:
            for at in range(0, len(made), size):
                await self._insert(made[at : at + size])
        finally:
            self._listing.changed()

    async def _insert(self, made: Sequence[DataObject[Any, Any]]) -> None:
        answer = await self._ask(lambda points: points.data.insert_many(made))
        if answer.errors:
            said = next(iter(answer.errors.values())).message
            raise BackendError(
                f"{len(answer.errors)} of {len(made)} points were refused: {said}", part=self.part
            )

    async def _delete(self, ids: Sequence[str]) -> None:
        names = list({self._own(name): None for name in ids})
        try:
            for at in range(0, len(names), AT_ONCE):
                await self._remove(Filter.by_id().contains_any(names[at : at + AT_ONCE]))
        finally:
            self._listing.changed()

    async def _clear(self) -> None:
        everything = of_namespace(self._namespace)
        try:
            while await self._remove(everything):
                pass
        finally:
            self._listing.changed()

    async def _remove(self, condition: Any) -> bool:
        """Whether some that meet the condition are left: one request deletes `MOST` points at most."""
        answer = await self._ask(lambda points: points.data.delete_many(where=condition))
        if answer.failed:
            raise BackendError(
                f"{answer.failed} of {answer.matches} points could not be deleted", part=self.part
            )
        return bool(answer.matches > answer.successful > 0)

    async def _search(self, vector: Vectors, limit: int, where: Where | Node | None) -> list[Match]:
        query = asked(vector, self.metric, part=self.part)
        question = Question(query, self.metric, limit, pushed(filters.parse(where or {})))
        wanted = [ID] if question.pushed.exact else [ID, FIELDS]

        async def ask(size: int) -> list[Candidate]:
            answer = await self._ask(
                lambda points: points.query.near_vector(
                    near_vector=query.tolist(),
                    target_vector=VECTOR,
                    limit=size,
                    filters=filtered(question.pushed.condition),
                    return_metadata=MetadataQuery(distance=True),
                    return_properties=wanted,
                )
            )
            return [self._candidate(found, question) for found in answer.objects]

        async def scan() -> list[Candidate]:
            return await self._everything(question)

        return await nearest(question, ask, self._vectors, most=MOST, scan=scan)

    def _candidate(self, found: Any, question: Question) -> Candidate:
        _, raw, factor = METRICS[self.metric]
        return Candidate(
            id=id_of(found),
            similarity=similarity(factor * found.metadata.distance, raw),
            fields=None if question.pushed.exact else decoded(found.properties.get(FIELDS)),
        )

    async def _everything(self, question: Question) -> list[Candidate]:
        """Every point of the namespace that passes the filter, compared here."""
        found: list[Candidate] = []
        async for page in self._pages([ID, FIELDS], vectors=True):
            near = similarities([vector_of(each) for each in page], question.vector, self.metric)
            for each, similar in zip(page, near, strict=True):
                fields = decoded(each.properties.get(FIELDS))
                if filters.matches_fields(fields, question.pushed.node):
                    found.append(Candidate(id=id_of(each), similarity=similar, fields=fields))
        return found

    async def _pages(self, properties: list[str], *, vectors: bool) -> AsyncIterator[list[Any]]:
        """Every point of the namespace in the order of the UUIDs, some at a time."""
        after = UUID(int=0)
        while page := await self._page(after, properties, vectors=vectors):
            yield page
            after = page[-1].uuid

    async def _page(self, after: UUID, properties: list[str], *, vectors: bool) -> list[Any]:
        answer = await self._ask(
            lambda points: points.query.fetch_objects(
                after=after, limit=AT_ONCE, return_properties=properties, include_vector=vectors
            )
        )
        return list(answer.objects)

    async def _ids(self, after: str | None, limit: int) -> list[str]:
        return await self._listing.page(after, limit)

    async def _scan(self) -> list[str]:
        return [id_of(each) async for page in self._pages([ID], vectors=False) for each in page]

    async def _vectors(self, ids: Sequence[str]) -> dict[str, Vectors]:
        names = list({self._own(name): None for name in ids})
        found: dict[str, Vectors] = {}
        for at in range(0, len(names), AT_ONCE):
            some = await self._named(names[at : at + AT_ONCE])
            found |= {id_of(each): vector_of(each) for each in some}
        return found

    async def _named(self, names: list[str]) -> list[Any]:
        condition = Filter.by_id().contains_any(names)
        answer = await self._ask(
            lambda points: points.query.fetch_objects(
                filters=condition, limit=len(names), return_properties=[ID], include_vector=True
            )
        )
        return list(answer.objects)

    async def _count(self) -> int:
        answer = await self._ask(lambda points: points.aggregate.over_all(total_count=True))
        return int(answer.total_count or 0)

    async def _ping(self) -> None:
        await self._ask(lambda points: points.query.fetch_objects(limit=1, return_properties=[ID]))

    async def _close(self) -> None:
        await self._doors.close()

    def _own(self, name: str) -> str:
        return uuid_of(name, self._namespace)

    def _translate(self, error: Exception, operation: str) -> MemwellError:
        found = failure(error, self._timeout) or super()._translate(error, operation)
        if isinstance(found, BackendError):
            self._checked = False  # perhaps it was dropped: the next call looks, and makes it anew
        found.part, found.operation = self.part, operation
        return found
