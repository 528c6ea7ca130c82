"""Pinecone: one namespace of an existing index, addressed by the host of the index.

`pinecone://my-index-abc123.svc.us-east-1-aws.pinecone.io?dimension=384`. Options: `namespace`, `metric` (cosine, l2,
dot), `timeout` (seconds, default 30). The key is in the environment variable PINECONE_API_KEY, or in the URL, as in
`pinecone://:KEY@host`. Connections use https, except to localhost. An index with another dimension or metric raises
`ConfigError`.

Pinecone is eventually consistent: searches and counts see a write some seconds later, and `memwell doctor` may report
that. A large write is sent in several requests: if one fails, the earlier ones remain, and repeating the call completes
it. Pinecone limits the metadata of a point to 40 KB: for a longer record its own metadata are left out, and a filter
that needs them raises `NotSupported`. Pinecone rejects zero vectors, so a placeholder is stored, and reads return zero
again.

Tested with Pinecone's own client against a local server that speaks the documented protocol.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Self

import pinecone
from pinecone import errors

from memwell import filters
from memwell.capabilities import IndexCapabilities
from memwell.errors import BackendError, ConfigError, MemwellError, Unavailable
from memwell.filters import Node
from memwell.indexes.filtering.nearest import Candidate, Question, nearest
from memwell.indexes.filtering.pushdown import Pushed, pushed
from memwell.indexes.listing import Listing
from memwell.indexes.metrics import checked_metric, metric_of, similarities, similarity
from memwell.indexes.pinecone.records import (
    MAX_POINTS,
    METRICS,
    ZERO,
    build_filter,
    fields_of,
    id_of,
    requests,
    upsert_records,
)
from memwell.indexes.points import batch, dimension_of, is_loopback, placeholder, query_vector, uuid_of
from memwell.network.api_keys import resolve_key
from memwell.network.clients import Clients
from memwell.network.retry_after import parse_retry_after
from memwell.ports import Match, Metric, Point, VectorIndex, Vectors
from memwell.ports.arrays import numpy
from memwell.types import Where
from memwell.urls import Url

__all__ = ["Pinecone"]

FETCHED: Final = 100
"""Number of points fetched by one request, whose ids are in its URL."""
TOO_LONG: Final = frozenset({400, 413})
"""Statuses with which a response above 4 MB may be rejected; one of `FETCHED` points is always shorter."""
MOST: Final = 1000
"""Maximum number of points in one query with metadata."""


class Pinecone(VectorIndex):
    """See the module docstring. A `client` (`pinecone.AsyncIndex`) that you pass stays open; the index then has no
    `identity`."""

    part = "pinecone"
    proof = "wire"
    capabilities = IndexCapabilities(durable=True, multiprocess=True, immediate=False)

    def __init__(
        self,
        dimension: int,
        *,
        host: str | None = None,
        client: pinecone.AsyncIndex | None = None,
        api_key: str | None = None,
        namespace: str = "",
        metric: Metric = "cosine",
        timeout: float = 30.0,
    ) -> None:
        """Connects on first use. `timeout` is in seconds, per attempt of a request. Raises `ConfigError` for invalid
        arguments."""
        if (host is None) == (client is None):
            raise ConfigError("pinecone takes either the host of the index or a client", part=self.part)
        if dimension < 1:
            raise ConfigError(f"a dimension must be a positive integer, not {dimension!r}", part=self.part)
        self.dimension = dimension
        self.metric = checked_metric(metric)
        self._host, self._namespace, self._timeout = host, namespace, timeout
        self._key = resolve_key(api_key, ["PINECONE_API_KEY"], part=self.part)
        if client is None and not self._key:
            raise ConfigError("pinecone needs an API key: set PINECONE_API_KEY", part=self.part)
        self._external_client = client
        self._clients = Clients(self._create_client, pinecone.AsyncIndex.close)
        self._checked = False
        self._listing = Listing(self._scan)
        if host is not None:
            self.identity = f"pinecone:{host}/{namespace}"

    @classmethod
    def from_url(cls, url: Url) -> Self:
        """See the module docstring for the options."""
        dimension, metric = dimension_of(url), metric_of(url)
        namespace, timeout = url.take("namespace") or "", url.number("timeout", 30.0)
        url.done("dimension", "metric", "namespace", "timeout")
        place = url.place()
        name, port = place.host(0, "")
        if not name:
            raise ConfigError(
                "pinecone needs the host of the index, as in pinecone://INDEX.svc.….pinecone.io",
                part=cls.part,
            )
        shown = f"[{name}]" if ":" in name else name
        address = f"{'http' if is_loopback(name) else 'https'}://{shown}{f':{port}' if port else ''}"
        key = place.password or None
        return cls(dimension, host=address, api_key=key, namespace=namespace, metric=metric, timeout=timeout)

    # ------------------------------------------------------------------------------------------ the client

    async def _index(self) -> pinecone.AsyncIndex:
        """The client of the running loop, after the settings of the index were checked."""
        client = self._external_client or self._clients.current()
        if not self._checked:
            self._check(await client.describe_index_stats())
            self._checked = True
        return client

    def _create_client(self) -> pinecone.AsyncIndex:
        return pinecone.AsyncIndex(host=self._host or "", api_key=self._key, timeout=self._timeout)

    def _check(self, stats: Any) -> None:
        name = METRICS[self.metric][0]
        if stats.dimension not in (None, self.dimension) or stats.metric not in (None, name):
            raise ConfigError(
                f"the index has dimension {stats.dimension} and metric {stats.metric}, not {self.dimension} and "
                f"{name}; use another index, or its own settings",
                part=self.part,
            )

    # -------------------------------------------------------------------------------------------- the port

    async def _upsert(self, points: Sequence[Point]) -> None:
        ready = batch(points, self.metric, part=self.part)
        index = await self._index()
        self._listing.changed()
        try:
            for part in requests(list(upsert_records(ready))):
                await index.upsert(vectors=part, namespace=self._namespace)
        finally:
            self._listing.changed()

    async def _delete(self, ids: Sequence[str]) -> None:
        names = list({uuid_of(name): None for name in ids})
        index = await self._index()
        try:
            for at in range(0, len(names), MAX_POINTS):
                await index.delete(ids=names[at : at + MAX_POINTS], namespace=self._namespace)
        except errors.NotFoundError:
            return  # the namespace does not exist yet
        finally:
            self._listing.changed()

    async def _search(self, vector: Vectors, limit: int, where: Where | Node | None) -> list[Match]:
        query = query_vector(vector, self.metric, part=self.part)
        node = filters.parse(where or {})
        condition = pushed(node)
        # Points with incomplete metadata match as well, so every candidate is checked again.
        question = Question(
            query, self.metric, limit, Pushed(condition.condition, condition.node, exact=False)
        )
        index = await self._index()
        sent = query if query.any() else placeholder(self.dimension)

        async def query_of(size: int, *, whole: bool) -> list[Any]:
            answer = await index.query(
                top_k=size,
                vector=sent.tolist(),
                namespace=self._namespace,
                filter=build_filter(condition.condition),
                include_metadata=whole,
            )
            return list(answer.matches)

        async def ask(size: int) -> list[Candidate]:
            try:
                found = await query_of(size, whole=True)
            except errors.ApiError as error:
                if error.status_code not in TOO_LONG or size <= FETCHED:
                    raise
                found = await query_of(size, whole=False)
                points = await self._fetched([str(match.id) for match in found])
                known = [(match, points[match.id].metadata) for match in found if match.id in points]
                return [self._candidate(match, metadata or {}, question) for match, metadata in known]
            return [self._candidate(match, match.metadata or {}, question) for match in found]

        async def scan() -> list[Candidate]:
            return await self._compare_all(question)

        if query.any():
            return await nearest(question, ask, self._vectors, most=MOST, scan=scan)
        return await nearest(question, _nothing, self._vectors, most=1, scan=scan)

    def _candidate(self, match: Any, metadata: Mapping[str, Any], question: Question) -> Candidate:
        near = similarity(match.score, METRICS[self.metric][1])
        if metadata.get(ZERO):
            zero = numpy().zeros((1, self.dimension))
            near = similarities(zero, question.vector, self.metric)[0]
        return Candidate(
            id=id_of(match.id, metadata), similarity=near, fields=fields_of(metadata, question.pushed.node)
        )

    async def _compare_all(self, question: Question) -> list[Candidate]:
        """Every point of the namespace, compared on our side."""
        found: list[Candidate] = []
        async for points in self._pages():
            vectors = [self._vector(point) for point in points]
            near = similarities(vectors, question.vector, self.metric) if vectors else []
            for point, similar in zip(points, near, strict=True):
                fields = fields_of(point.metadata or {}, question.pushed.node)
                found.append(
                    Candidate(id=id_of(point.id, point.metadata or {}), similarity=similar, fields=fields)
                )
        return found

    async def _ids(self, after: str | None, limit: int) -> list[str]:
        return await self._listing.page(after, limit)

    async def _scan(self) -> list[str]:
        return [id_of(point.id, point.metadata or {}) async for points in self._pages() for point in points]

    async def _pages(self) -> Any:
        """All points, page by page. Pinecone lists only ids; the rest must be fetched."""
        index = await self._index()
        async for page in index.list(namespace=self._namespace, limit=FETCHED):
            names = [str(item.id) for item in page.vectors]
            if names:
                yield list((await self._fetched(names)).values())

    async def _vectors(self, ids: Sequence[str]) -> dict[str, Vectors]:
        names = {uuid_of(name): name for name in ids}
        points = await self._fetched(list(names))
        return {names[name]: self._vector(point) for name, point in points.items()}

    async def _fields(self, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        names = {uuid_of(name): name for name in ids}
        points = await self._fetched(list(names))
        asked = filters.parse({})
        return {names[name]: fields_of(point.metadata or {}, asked) for name, point in points.items()}

    async def _fetched(self, names: Sequence[str]) -> dict[str, Any]:
        """The existing points with these ids."""
        index = await self._index()
        found: dict[str, Any] = {}
        for at in range(0, len(names), FETCHED):
            answer = await index.fetch(ids=list(names[at : at + FETCHED]), namespace=self._namespace)
            found |= dict(answer.vectors)
        return found

    def _vector(self, point: Any) -> Vectors:
        zero = (point.metadata or {}).get(ZERO)
        values = [0.0] * self.dimension if zero else point.values
        vector: Vectors = numpy().asarray(values, dtype="float32")
        return vector

    async def _count(self) -> int:
        index = await self._index()
        summary = (await index.describe_index_stats()).namespaces.get(self._namespace)
        return 0 if summary is None else int(summary.vector_count)

    async def _clear(self) -> None:
        index = await self._index()
        try:
            await index.delete(delete_all=True, namespace=self._namespace)
        except errors.NotFoundError:
            return  # nothing was ever written to this namespace
        finally:
            self._listing.changed()

    async def _ping(self) -> None:
        await (await self._index()).describe_index_stats()

    async def _close(self) -> None:
        await self._clients.close()

    def _translate(self, error: Exception, operation: str) -> MemwellError:
        """Maps the errors of the client."""
        found = _table(error) or super()._translate(error, operation)
        found.part, found.operation = self.part, operation
        return found


def _table(error: Exception) -> MemwellError | None:
    if isinstance(error, errors.UnauthorizedError | errors.ForbiddenError):
        return ConfigError(f"Pinecone rejected the API key: {error.message}; check PINECONE_API_KEY")
    if isinstance(error, errors.RateLimitError):
        wait = parse_retry_after(error.headers or {})
        return Unavailable(f"Pinecone asks to wait: {error.message}", retry_after=wait)
    if isinstance(error, errors.ServiceError):
        wait = parse_retry_after(error.headers or {})
        return Unavailable(f"Pinecone failed: {error.message}", retry_after=wait)
    if isinstance(error, errors.PineconeConnectionError | errors.PineconeTimeoutError):
        return Unavailable(f"Pinecone cannot be reached: {error.message}")
    if isinstance(error, errors.NotFoundError):
        return ConfigError(f"there is no such index: {error.message}; check its host")
    if isinstance(error, errors.PineconeError):
        return BackendError(f"Pinecone: {error.message}")
    return None


async def _nothing(size: int) -> list[Candidate]:
    """Candidates for a zero query, which force a comparison with every point."""
    return [Candidate(id="", similarity=0.0)] * size
