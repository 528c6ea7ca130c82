"""Elasticsearch 8.12 or later: one index, which several namespaces can share.

`elasticsearch://host:9200?dimension=384`, if needed with `user:password@`. Options: `index` (default memwell),
`namespace`, `metric` (cosine, l2, dot), `https` (default: true, except for localhost), `verify` (certificates, default
true), `timeout` (seconds, default 10). An API key is read from the environment variable ELASTICSEARCH_API_KEY.

The first call creates the index if it is missing; several processes may do so at once. An index with another dimension
or metric raises `ConfigError`. The id of a document is a UUID made from the namespace and our id. When a write returns,
searches see it. A large write is sent in several requests; if one fails, even in part, an error is raised, what was
written remains, and repeating the call completes it. Searches are approximate (HNSW over unquantised vectors); beyond
10,000 candidates every point is compared. The cosine of a zero vector is not defined, so a placeholder is indexed, and
reads return zero again.

Tested with Elastic's own client against a local server that speaks the documented protocol.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Final, Self

import elasticsearch
from elasticsearch import AsyncElasticsearch

from memwell import filters
from memwell.capabilities import IndexCapabilities
from memwell.errors import BackendError, ConfigError, MemwellError, Unavailable
from memwell.filters import Node
from memwell.indexes.elasticsearch.documents import (
    FIELDS,
    ID,
    ORIGINAL,
    VECTOR,
    actions,
    build_filter,
    check,
    id_of,
    mappings,
    vector_of,
)
from memwell.indexes.filtering.field_columns import decoded
from memwell.indexes.filtering.nearest import Candidate, Question, nearest
from memwell.indexes.filtering.pushdown import pushed
from memwell.indexes.metrics import checked_metric, metric_of, similarities
from memwell.indexes.points import (
    batch,
    dimension_of,
    is_loopback,
    placeholder,
    points_per_request,
    query_vector,
    uuid_of,
)
from memwell.network.api_keys import resolve_key
from memwell.network.clients import Clients
from memwell.network.retry_after import parse_retry_after
from memwell.ports import Match, Metric, Point, VectorIndex, Vectors
from memwell.types import Where
from memwell.urls import Url

__all__ = ["Elasticsearch"]

MAX_POINTS: Final = 1000
MAX_BYTES: Final = 16_000_000
"""Maximum size of one bulk request; the server accepts 100 MB."""
MOST: Final = 10_000
"""Maximum number of candidates of one search, and of points in one page."""


class Elasticsearch(VectorIndex):
    """See the module docstring. A `client` that you pass stays open; the index then has no `identity`."""

    part = "elasticsearch"
    proof = "wire"
    capabilities = IndexCapabilities(durable=True, multiprocess=True)

    def __init__(
        self,
        dimension: int,
        *,
        url: str | None = None,
        client: AsyncElasticsearch | None = None,
        user: str | None = None,
        password: str | None = None,
        api_key: str | None = None,
        index: str = "memwell",
        namespace: str = "",
        metric: Metric = "cosine",
        verify: bool = True,
        timeout: float = 10.0,
    ) -> None:
        """Connects on first use. `timeout` is in seconds, per request. Raises `ConfigError` for invalid arguments."""
        if (url is None) == (client is None):
            raise ConfigError("elasticsearch takes either a url or a client", part=self.part)
        if dimension < 1:
            raise ConfigError(f"a dimension must be a positive integer, not {dimension!r}", part=self.part)
        self.dimension = dimension
        self.metric = checked_metric(metric)
        self._name, self._namespace = index, namespace
        key = resolve_key(api_key, ["ELASTICSEARCH_API_KEY"], part=self.part)
        self._settings: dict[str, Any] = {
            "request_timeout": timeout,
            "retry_on_timeout": False,
            "max_retries": 0,
        }
        if user is not None:
            login = (
                f"{user}:{password or ''}".encode()
            )  # the client accepts only ASCII, and its error shows the login
            self._settings["basic_auth"] = base64.b64encode(login).decode()
        elif key:
            self._settings["api_key"] = key
        if url is not None and url.startswith("https"):
            self._settings |= {"verify_certs": verify, "ssl_show_warn": False}
        self._external_client = client
        self._clients = Clients(lambda: AsyncElasticsearch(url, **self._settings), AsyncElasticsearch.close)
        self._checked = False
        if url is not None:
            self.identity = f"elasticsearch:{url}/{index}/{namespace}"

    @classmethod
    def from_url(cls, url: Url) -> Self:
        """See the module docstring for the options."""
        dimension, metric, place = dimension_of(url), metric_of(url), url.place()
        host, port = place.host(9200)
        settings: dict[str, Any] = {
            "index": url.take("index") or "memwell",
            "namespace": url.take("namespace") or "",
            "timeout": url.number("timeout", 10.0),
            "verify": url.flag("verify", True),
        }
        scheme = "https" if url.flag("https", not is_loopback(host)) else "http"
        url.done("dimension", "metric", "index", "namespace", "timeout", "verify", "https")
        shown = f"[{host}]" if ":" in host else host
        address = f"{scheme}://{shown}:{port}{'/' if place.path else ''}{place.path.strip('/')}"
        return cls(
            dimension, url=address, user=place.user, password=place.password, metric=metric, **settings
        )

    # ------------------------------------------------------------------------------------------ the client

    async def _ready_client(self) -> AsyncElasticsearch:
        """The client of the running loop, after the index was created or checked."""
        client = self._external_client or self._clients.current()
        if not self._checked:
            await self._prepare(client)
            self._checked = True
        return client

    async def _prepare(self, client: AsyncElasticsearch) -> None:
        if not await client.indices.exists(index=self._name):
            try:
                await client.indices.create(index=self._name, mappings=mappings(self.dimension, self.metric))
            except elasticsearch.BadRequestError as error:
                if error.error != "resource_already_exists_exception":  # created by another process meanwhile
                    raise
        answer = await client.indices.get_mapping(index=self._name)
        check(next(iter(answer.values()))["mappings"], self._name, self.dimension, self.metric)

    # -------------------------------------------------------------------------------------------- the port

    async def _upsert(self, points: Sequence[Point]) -> None:
        ready = batch(points, self.metric, part=self.part)
        size = points_per_request(self.dimension, ready.texts, max_points=MAX_POINTS, max_bytes=MAX_BYTES)
        operations = list(actions(ready, self.metric, self._namespace))
        for at in range(0, len(operations), size):
            await self._bulk([line for pair in operations[at : at + size] for line in pair])

    async def _delete(self, ids: Sequence[str]) -> None:
        lines = [{"delete": {"_id": self._point_id(name)}} for name in dict.fromkeys(ids)]
        for at in range(0, len(lines), MAX_POINTS):
            await self._bulk(lines[at : at + MAX_POINTS])

    async def _bulk(self, operations: list[dict[str, Any]]) -> None:
        client = await self._ready_client()
        answer = await client.bulk(index=self._name, operations=operations, refresh="wait_for")
        if not answer["errors"]:
            return
        results = [next(iter(item.values())) for item in answer["items"]]
        failed = [result for result in results if result.get("error")]
        if failed:
            reason, busy = failed[0]["error"].get("reason"), failed[0]["status"] in (429, 503)
            message = f"Elasticsearch rejected {len(failed)} of {len(results)} points: {reason}"
            raise (Unavailable if busy else BackendError)(message, part=self.part)

    async def _search(self, vector: Vectors, limit: int, where: Where | Node | None) -> list[Match]:
        query = query_vector(vector, self.metric, part=self.part)
        question = Question(query, self.metric, limit, pushed(filters.parse(where or {})))
        condition = build_filter(self._namespace, question.pushed.condition)
        sent = query if query.any() or self.metric != "cosine" else placeholder(self.dimension)

        async def ask(size: int) -> list[Candidate]:
            client = await self._ready_client()
            knn = {
                "field": VECTOR,
                "query_vector": sent.tolist(),
                "k": size,
                "num_candidates": min(MOST, max(size * 2, 100)),
                "filter": condition,
            }
            answer = await client.search(
                index=self._name, knn=knn, size=size, source={"includes": [ID, FIELDS, ORIGINAL]}
            )
            return self._candidates([hit["_source"] for hit in answer["hits"]["hits"]], question)

        async def scan() -> list[Candidate]:
            return [one async for page in self._pages(condition) for one in self._candidates(page, question)]

        return await nearest(question, ask, self._vectors, most=MOST, scan=scan)

    def _candidates(self, found: Sequence[Mapping[str, Any]], question: Question) -> list[Candidate]:
        """Documents as candidates. The similarity is computed on our side: Elasticsearch's scores depend on the metric
        and are less precise, and the vector is returned anyway."""
        vectors = [vector_of(document) for document in found]
        near = similarities(vectors, question.vector, question.metric) if vectors else []
        return [
            Candidate(
                id=id_of(document),
                similarity=similar,
                fields=None if question.pushed.exact else decoded(document.get(FIELDS)),
            )
            for document, similar in zip(found, near, strict=True)
        ]

    async def _pages(self, condition: dict[str, Any]) -> Any:
        """Documents that meet a condition, ordered by id, page by page."""
        after: str | None = None
        while page := await self._page(condition, after, MOST // 10, [ID, FIELDS, ORIGINAL]):
            yield page
            after = id_of(page[-1])

    async def _page(
        self, condition: dict[str, Any], after: str | None, limit: int, source: list[str]
    ) -> list[dict[str, Any]]:
        client = await self._ready_client()
        answer = await client.search(
            index=self._name,
            query=condition,
            size=limit,
            sort=[{ID: "asc"}],
            source={"includes": source},
            search_after=None if after is None else [after],
        )
        return [hit["_source"] for hit in answer["hits"]["hits"]]

    async def _ids(self, after: str | None, limit: int) -> list[str]:
        """Elasticsearch orders keywords by their UTF-8 bytes, which is the order of code points."""
        found: list[str] = []
        while len(found) < limit:
            size = min(limit - len(found), MOST)
            page = await self._page(build_filter(self._namespace), found[-1] if found else after, size, [ID])
            found += [id_of(document) for document in page]
            if len(page) < size:
                break
        return found

    async def _vectors(self, ids: Sequence[str]) -> dict[str, Vectors]:
        return {id_of(each): vector_of(each) for each in await self._named(ids, ORIGINAL)}

    async def _fields(self, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        return {id_of(each): decoded(each.get(FIELDS)) for each in await self._named(ids, FIELDS)}

    async def _named(self, ids: Sequence[str], wanted: str) -> list[dict[str, Any]]:
        client = await self._ready_client()
        names = list({self._point_id(name): None for name in ids})
        found: list[dict[str, Any]] = []
        for at in range(0, len(names), MAX_POINTS):
            answer = await client.mget(
                index=self._name,
                ids=names[at : at + MAX_POINTS],
                source_includes=[ID, wanted],
                realtime=True,
            )
            found += [document["_source"] for document in answer["docs"] if document.get("found")]
        return found

    async def _count(self) -> int:
        client = await self._ready_client()
        answer = await client.count(index=self._name, query=build_filter(self._namespace))
        return int(answer["count"])

    async def _clear(self) -> None:
        client = await self._ready_client()
        await client.delete_by_query(
            index=self._name, query=build_filter(self._namespace), refresh=True, conflicts="proceed"
        )

    async def _ping(self) -> None:
        client = await self._ready_client()
        await client.indices.exists(index=self._name)

    async def _close(self) -> None:
        await self._clients.close()

    def _point_id(self, name: str) -> str:
        return uuid_of(name, self._namespace)

    def _translate(self, error: Exception, operation: str) -> MemwellError:
        """Maps the errors of the client."""
        found = self._table(error) or super()._translate(error, operation)
        found.part, found.operation = self.part, operation
        return found

    def _table(self, error: Exception) -> MemwellError | None:
        if isinstance(error, elasticsearch.AuthenticationException | elasticsearch.AuthorizationException):
            return ConfigError(
                f"Elasticsearch rejected the login: {error.error}; check user, password or API key"
            )
        if isinstance(error, elasticsearch.NotFoundError):
            self._checked = False
            return BackendError(
                f"{error.error}; the next call creates the index again, and `memwell repair` fills it"
            )
        if isinstance(error, elasticsearch.ApiError):
            busy = error.status_code in (429, 502, 503, 504)
            message = f"Elasticsearch answered {error.status_code}: {error.error}"
            wait = parse_retry_after(error.meta.headers)
            return Unavailable(message, retry_after=wait) if busy else BackendError(message)
        if isinstance(error, elasticsearch.SSLError):
            return ConfigError(f"the certificate is not trusted: {error.message}; see the option verify")
        if isinstance(error, elasticsearch.TransportError):
            return Unavailable(f"Elasticsearch cannot be reached: {error.message}")
        if isinstance(error, elasticsearch.UnsupportedProductError):
            return ConfigError("the server is not Elasticsearch; check host and port")
        return None
