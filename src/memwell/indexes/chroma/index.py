"""Chroma: the library with a folder, or a server.

`chroma:///folder?dimension=384` or `chroma://host:8000?dimension=384`. Options: `collection` (default memwell; 3 to 512
letters, digits, `.`, `_` and `-`) and `metric` (cosine, l2, dot); for a server also `https`, `tenant`, `database`,
`timeout` (seconds, default 10) and `api_key`; prefer the environment variable CHROMA_API_KEY for the key. With a key,
https is the default, except for localhost.

The first call creates the collection if it is missing; several processes may do so at once. A collection with another
dimension or metric, or not created by memwell, raises `ConfigError`. Chroma never embeds anything, and telemetry is
off.

Chroma searches a graph, which may return too few results with a narrow filter; then all matching points are compared,
so that no result is missing. A large write is sent in several requests: if one fails, the earlier ones remain, and
repeating the call completes it. Only one process can open a folder; a second one gets a `ConfigError`. `identity` names
the folder or server, and the collection.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

from memwell import filters
from memwell.capabilities import IndexCapabilities
from memwell.errors import BackendError, ConfigError, Corrupt, MemwellError, TimedOut, Unavailable
from memwell.filters import Node
from memwell.indexes.address import address
from memwell.indexes.chroma.transports import Folder, Found, Server, ServerError, Transport
from memwell.indexes.filtering.field_columns import MOST, columns, decoded
from memwell.indexes.filtering.nearest import Candidate, Question, nearest
from memwell.indexes.filtering.pushdown import (
    Compare,
    Condition,
    Every,
    OneOf,
    Unless,
    inward,
    limited,
    pushed,
)
from memwell.indexes.folder import damaged
from memwell.indexes.listing import Listing
from memwell.indexes.metrics import ScoreKind, checked_metric, metric_of, similarities, similarity
from memwell.indexes.points import batch, dimension_of, points_per_request, query_vector
from memwell.ports import Match, Metric, Point, VectorIndex, Vectors
from memwell.ports.arrays import numpy
from memwell.types import Where
from memwell.urls import Url

__all__ = ["Chroma"]

SPACES: Final[dict[Metric, tuple[str, ScoreKind]]] = {
    "cosine": ("cosine", "cosine distance"),
    "l2": ("l2", "squared l2"),
    "dot": ("ip", "dot distance"),
}
"""Metric → Chroma's name, and the kind of its distances."""
FIELDS: Final = "m_fields"
"""Metadata key of the fields as JSON text."""
EVERYTHING: Final = {"f_importance": {"$gte": -(MOST**2)}}
"""A condition that every point meets, because each has the column."""
MAX_POINTS: Final = 1000
"""Maximum number of points in one request."""
MAX_BYTES: Final = 16_000_000
"""Maximum size of the points in one request."""
MAX_COMPARISONS: Final = 400
"""Maximum number of comparisons in one filter; the SQLite inside Chroma fails at about 1,000."""
_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{1,510}[a-zA-Z0-9]")

_CODE: Final = re.compile(r"\(code: (\d+)\)")
_DAMAGE: Final = frozenset({"11", "26", "1032"})
"""SQLite's codes for a damaged file, for one that is no database, and for one that was deleted while open."""


class Chroma(VectorIndex):
    """`Chroma(384, path="folder")` or `Chroma(384, url="http://localhost:8000")`."""

    part = "chroma"

    def __init__(
        self,
        dimension: int,
        *,
        path: str | os.PathLike[str] | None = None,
        url: str | None = None,
        api_key: str | None = None,
        tenant: str = "default_tenant",
        database: str = "default_database",
        collection: str = "memwell",
        metric: Metric = "cosine",
        timeout: float = 10.0,
    ) -> None:
        """Connects on first use. `timeout` is in seconds, per request. Raises `ConfigError` for invalid arguments."""
        if (url is None) == (path is None):
            raise ConfigError(
                "chroma needs either a folder or a server, as in chroma:///folder or chroma://host:8000",
                part=self.part,
            )
        if dimension < 1:
            raise ConfigError(f"a dimension must be a positive integer, not {dimension!r}", part=self.part)
        if not _NAME.fullmatch(collection):
            raise ConfigError(
                f"{collection!r} is not a valid collection name: use 3 to 512 letters, digits, '.', '_' and '-'; the "
                "first and last must be a letter or digit",
                part=self.part,
            )
        self.dimension = dimension
        self.metric = checked_metric(metric)
        self.blocking = path is not None
        self.capabilities = IndexCapabilities(durable=True, multiprocess=path is None)
        self._collection = collection
        self._ready = False
        self._listing = Listing(self._scan)
        if path is not None:
            self._transport: Transport = Folder(Path(path), part=self.part)
            self._where = str(Path(path).resolve())
        else:
            self._transport = Server(str(url), key=api_key, tenant=tenant, database=database, timeout=timeout)
            self._where = f"{url}/{tenant}/{database}"
        self.identity = f"chroma:{self._where}/{collection}"

    @classmethod
    def from_url(cls, url: Url) -> Self:
        """See the module docstring for the options."""
        settings: dict[str, Any] = {"dimension": dimension_of(url), "metric": metric_of(url)}
        settings["collection"] = url.take("collection") or "memwell"
        if not url.rest or url.rest.startswith("/"):
            url.done("collection", "dimension", "metric")
            return cls(path=url.path() or None, **settings)
        settings["tenant"] = url.take("tenant") or "default_tenant"
        settings["database"] = url.take("database") or "default_database"
        settings["timeout"] = url.number("timeout", 10.0)
        base, key = address(url, port=8000, key="CHROMA_API_KEY")
        url.done("api_key", "collection", "database", "dimension", "https", "metric", "tenant", "timeout")
        return cls(url=base, api_key=key, **settings)

    async def _ready_transport(self) -> Transport:
        """The transport, after the collection was created or checked."""
        if not self._ready:
            space, _ = SPACES[self.metric]
            expected = {"memwell_dimension": self.dimension, "memwell_metric": self.metric}
            found = await self._transport.open_collection(self._collection, space=space, metadata=expected)
            if any(found.get(name) != value for name, value in expected.items()):
                raise ConfigError(
                    f"collection {self._collection!r} has dimension {found.get('memwell_dimension')} and metric "
                    f"{found.get('memwell_metric')}, not {self.dimension} and {self.metric}; use another "
                    "collection, or its own settings",
                    part=self.part,
                )
            self._ready = True
        return self._transport

    async def _upsert(self, points: Sequence[Point]) -> None:
        new = batch(points, self.metric, part=self.part)
        metadatas = [
            {FIELDS: text, **columns(fields)} for text, fields in zip(new.texts, new.fields, strict=True)
        ]
        size = points_per_request(self.dimension, new.texts, max_points=MAX_POINTS, max_bytes=MAX_BYTES)
        transport = await self._ready_transport()
        try:
            for at in range(0, len(metadatas), size):
                some = slice(at, at + size)
                await transport.upsert(new.ids[some], new.vectors[some], metadatas[some])
        finally:
            self._listing.changed()

    async def _delete(self, ids: Sequence[str]) -> None:
        names = list(dict.fromkeys(ids))
        transport = await self._ready_transport()
        try:
            for at in range(0, len(names), MAX_POINTS):
                await transport.delete(ids=names[at : at + MAX_POINTS])
        finally:
            self._listing.changed()

    async def _search(self, vector: Vectors, limit: int, where: Where | Node | None) -> list[Match]:
        query = query_vector(vector, self.metric, part=self.part)
        known = limited(pushed(filters.parse(where or {})), MAX_COMPARISONS)
        question = Question(query, self.metric, limit, known)
        condition = question.pushed.condition
        built = None if condition is None or question.pushed.nothing else _where(inward(condition))

        async def ask(size: int) -> list[Candidate]:
            transport = await self._ready_transport()
            include = ["distances"] if question.pushed.exact else ["distances", "metadatas"]
            found = await transport.query(query, size, built, include)
            if len(found["ids"]) < size:  # either there are no more, or the graph search ended early
                return (await self._compare_all(question, built))[:size]
            raw = SPACES[self.metric][1]
            return _candidates(found, [similarity(each, raw) for each in found["distances"]])

        return await nearest(question, ask, self._vectors)

    async def _compare_all(self, question: Question, where: Any) -> list[Candidate]:
        """All points that meet the condition, nearest first."""
        include = ["embeddings"] if question.pushed.exact else ["embeddings", "metadatas"]
        every: list[Candidate] = []
        for found in await self._pages(include, where):
            vectors = numpy().asarray(found["embeddings"], dtype="float32")
            every += _candidates(found, similarities(vectors, question.vector, question.metric))
        return sorted(every, key=lambda one: (-one.similarity, one.id))

    async def _pages(self, include: Sequence[str], where: Any = None) -> list[Found]:
        transport = await self._ready_transport()
        pages: list[Found] = []
        while not pages or len(pages[-1]["ids"]) == MAX_POINTS:
            found = await transport.get(
                include, where=where, limit=MAX_POINTS, offset=len(pages) * MAX_POINTS
            )
            pages.append(found)
        return [page for page in pages if page["ids"]]

    async def _ids(self, after: str | None, limit: int) -> list[str]:
        return await self._listing.page(after, limit)

    async def _scan(self) -> list[str]:
        return [name for page in await self._pages([]) for name in page["ids"]]

    async def _vectors(self, ids: Sequence[str]) -> dict[str, Vectors]:
        vectors: dict[str, Vectors] = {}
        for found in await self._named(ids, "embeddings"):
            rows = numpy().asarray(found["embeddings"], dtype="float32")
            vectors.update(zip(found["ids"], rows, strict=True))
        return vectors

    async def _fields(self, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        fields: dict[str, Mapping[str, Any]] = {}
        for found in await self._named(ids, "metadatas"):
            each = [decoded((metadata or {}).get(FIELDS)) for metadata in found["metadatas"]]
            fields.update(zip(found["ids"], each, strict=True))
        return fields

    async def _named(self, ids: Sequence[str], included: str) -> list[Found]:
        names = list(dict.fromkeys(ids))
        transport = await self._ready_transport()
        parts = range(0, len(names), MAX_POINTS)
        return [await transport.get([included], ids=names[at : at + MAX_POINTS]) for at in parts]

    async def _count(self) -> int:
        return await (await self._ready_transport()).count()

    async def _clear(self) -> None:
        try:
            transport = await self._ready_transport()
            await transport.delete(where=EVERYTHING)
        except Exception as error:
            if not isinstance(self._transport, Folder) or not self._is_damage(error):
                raise
            self._ready = False
            await self._transport.start_over()
        finally:
            self._listing.changed()

    async def _ping(self) -> None:
        await (await self._ready_transport()).count()

    async def _close(self) -> None:
        await self._transport.close()

    def _translate(self, error: Exception, operation: str) -> MemwellError:
        """Maps the errors of the library and the connection."""
        found = self._table(error)
        found.part, found.operation = self.part, operation
        return found

    def _table(self, error: Exception) -> MemwellError:
        name, module, message = type(error).__name__, type(error).__module__, str(error)
        if isinstance(error, ServerError):
            return self._status_error(error)
        if module.startswith("httpx2"):
            unsent = name in ("ConnectError", "ConnectTimeout", "PoolTimeout")
            kind = TimedOut if name.endswith("Timeout") else Unavailable
            return kind(f"Chroma at {self._where} cannot be reached: {name} {message}", unsent=unsent)
        if isinstance(error, ImportError):
            return ConfigError(
                f"the package {error.name} is not installed; run: pip install 'memwell[chroma]'"
            )
        if name == "NotFoundError":
            return self._collection_missing(message)
        if isinstance(error, sqlite3.OperationalError | OSError):
            return BackendError(f"the folder {self._where} is not usable: {message}")
        if self._is_damage(error):
            why = "it cannot be opened" if isinstance(error, AttributeError) else message
            return damaged(Path(self._where), why, part=self.part)
        return BackendError(f"Chroma at {self._where}: {name} {message}")

    def _is_damage(self, error: Exception) -> bool:
        """Whether the folder cannot be read. The library has one type of error, and is unusable after the first."""
        if isinstance(error, Corrupt):
            return True
        if not isinstance(self._transport, Folder):
            return False
        if isinstance(error, AttributeError):
            return "bindings" in str(error)
        code = _CODE.search(str(error))
        return type(error).__name__ == "InternalError" and (code is None or code[1] in _DAMAGE)

    def _status_error(self, error: ServerError) -> MemwellError:
        if error.status in (401, 403):
            return ConfigError(f"Chroma rejected the API key: {error.message}; check CHROMA_API_KEY")
        if error.status == 400 and "does not exist" in error.message:
            return ConfigError(
                f"Chroma answered: {error.message}; create it, or check the options tenant and database"
            )
        if error.status in (408, 429, 502, 503, 504):
            return Unavailable(f"Chroma answered {error}", retry_after=error.retry_after)
        return (
            self._collection_missing(error.message)
            if error.status == 404
            else BackendError(f"Chroma answered {error}")
        )

    def _collection_missing(self, message: str) -> MemwellError:
        self._ready = False
        return BackendError(
            f"{message}; the next call creates the collection again, and `memwell repair` fills it"
        )


def _candidates(found: Found, similar: Sequence[float]) -> list[Candidate]:
    metadatas = found.get("metadatas") or [None] * len(similar)
    return [
        Candidate(
            id=name, similarity=near, fields=None if metadata is None else decoded(metadata.get(FIELDS))
        )
        for name, near, metadata in zip(found["ids"], similar, metadatas, strict=True)
    ]


def _where(condition: Condition) -> dict[str, Any]:
    """The condition as a Chroma filter, which can negate only single comparisons."""
    if isinstance(condition, Compare):
        return {condition.column: {f"${condition.bound}": condition.number}}
    if isinstance(condition, OneOf | Unless):
        return _one_of(condition)
    word = "$and" if isinstance(condition, Every) else "$or"
    return {word: [_where(part) for part in condition.parts]}


def _one_of(condition: OneOf | Unless) -> dict[str, Any]:
    negated = isinstance(condition, Unless)
    inner = condition.part if isinstance(condition, Unless) else condition
    assert isinstance(inner, OneOf), "`inward` leaves nothing else"
    if not inner.listed:
        return {inner.column: {"$nin" if negated else "$in": list(inner.values)}}
    each = [{inner.column: {"$not_contains" if negated else "$contains": value}} for value in inner.values]
    return each[0] if len(each) == 1 else {"$and" if negated else "$or": each}
