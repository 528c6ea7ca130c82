"""Chroma: its library on a folder, or its server.

`chroma:///folder?dimension=384` or `chroma://host:8000?dimension=384`; options `collection` (memwell; 3 to 512 letters,
digits, `.`, `_` and `-`) and `metric` (cosine, l2, dot); for a server also `https`, `tenant`, `database`, `timeout`
(seconds, 10) and `api_key`, which is better left to the environment variable CHROMA_API_KEY. With a key, and not on
this machine, https is the default.

The collection is made at the first call when absent, by as many processes as like; one of another dimension or metric,
or that memwell did not make, is a `ConfigError`. Vectors are always ours, and nothing is told to anybody else.

Chroma searches a graph, and under a narrow filter it may come back short: then all that passes is compared, so that no
answer is short. A large write goes in several requests: if one fails, those before it stay, and the same call again
makes it whole. A folder belongs to one process at a time; a second one gets a `ConfigError`. `identity` names folder or
server, and collection.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Self

from memwell import filters
from memwell.capabilities import IndexCapabilities
from memwell.errors import BackendError, ConfigError, MemwellError, TimedOut, Unavailable
from memwell.filters import Node
from memwell.indexes.address import address
from memwell.indexes.chroma.transports import Answered, Folder, Found, Server, Transport
from memwell.indexes.filtering.field_columns import MOST, columns, decoded
from memwell.indexes.filtering.nearest import Candidate, Question, nearest
from memwell.indexes.filtering.pushdown import Compare, Condition, Every, OneOf, Unless, inward, pushed
from memwell.indexes.listing import Listing
from memwell.indexes.metrics import Raw, checked_metric, metric_of, similarities, similarity
from memwell.indexes.points import asked, batch, dimension_of, portion
from memwell.ports import Match, Metric, Point, VectorIndex, Vectors
from memwell.ports.arrays import numpy
from memwell.registry import Url
from memwell.types import Where

__all__ = ["Chroma"]

SPACES: Final[dict[Metric, tuple[str, Raw]]] = {
    "cosine": ("cosine", "cosine distance"),
    "l2": ("l2", "squared l2"),
    "dot": ("ip", "dot distance"),
}
"""Metric → Chroma's name, and what its distances are."""
FIELDS: Final = "m_fields"
"""Metadata key of the fields as JSON text."""
EVERYTHING: Final = {"f_importance": {"$gte": -(MOST**2)}}
"""What holds for each point: it has the column."""
AT_ONCE: Final = 1000
"""Points written or read by one request, at most."""
BYTES: Final = 16_000_000
"""Of points in one request."""
_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{1,510}[a-zA-Z0-9]")


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
        """Nothing is opened before the first call. `timeout` in seconds, for each request."""
        if (url is None) == (path is None):
            raise ConfigError(
                "chroma needs a folder or a server, as in chroma:///folder or chroma://host:8000",
                part=self.part,
            )
        if dimension < 1:
            raise ConfigError(f"a dimension is a positive number, not {dimension!r}", part=self.part)
        if not _NAME.fullmatch(collection):
            raise ConfigError(
                f"{collection!r} is no name of a collection: 3 to 512 letters, digits, '.', '_' and '-', the first and "
                "last a letter or digit",
                part=self.part,
            )
        self.dimension = dimension
        self.metric = checked_metric(metric)
        self.blocking = path is not None
        self.capabilities = IndexCapabilities(durable=True, multiprocess=path is None)
        self._collection = collection
        self._entered = False
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
        """See the module's description."""
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

    async def _inside(self) -> Transport:
        """The transport, once the collection is sure to be there and to fit."""
        if not self._entered:
            space, _ = SPACES[self.metric]
            wanted = {"memwell_dimension": self.dimension, "memwell_metric": self.metric}
            found = await self._transport.enter(self._collection, space=space, metadata=wanted)
            if any(found.get(name) != value for name, value in wanted.items()):
                raise ConfigError(
                    f"collection {self._collection!r} holds vectors of dimension {found.get('memwell_dimension')} and "
                    f"metric {found.get('memwell_metric')}, not {self.dimension} and {self.metric}; give another "
                    "collection, or what it was made with",
                    part=self.part,
                )
            self._entered = True
        return self._transport

    async def _upsert(self, points: Sequence[Point]) -> None:
        new = batch(points, self.metric, part=self.part)
        made = [{FIELDS: text, **columns(fields)} for text, fields in zip(new.texts, new.fields, strict=True)]
        size = portion(self.dimension, new.texts, most=AT_ONCE, size=BYTES)
        transport = await self._inside()
        try:
            for at in range(0, len(made), size):
                some = slice(at, at + size)
                await transport.upsert(new.ids[some], new.vectors[some], made[some])
        finally:
            self._listing.changed()

    async def _delete(self, ids: Sequence[str]) -> None:
        names = list(dict.fromkeys(ids))
        transport = await self._inside()
        try:
            for at in range(0, len(names), AT_ONCE):
                await transport.delete(ids=names[at : at + AT_ONCE])
        finally:
            self._listing.changed()

    async def _search(self, vector: Vectors, limit: int, where: Where | Node | None) -> list[Match]:
        query = asked(vector, self.metric, part=self.part)
        question = Question(query, self.metric, limit, pushed(filters.parse(where or {})))
        condition = question.pushed.condition
        built = None if condition is None or question.pushed.nothing else _where(inward(condition))

        async def ask(size: int) -> list[Candidate]:
            transport = await self._inside()
            include = ["distances"] if question.pushed.exact else ["distances", "metadatas"]
            found = await transport.query(query, size, built, include)
            if len(found["ids"]) < size:  # all there are, or all that the graph led to
                return (await self._compared(question, built))[:size]
            raw = SPACES[self.metric][1]
            return _candidates(found, [similarity(each, raw) for each in found["distances"]])

        return await nearest(question, ask, self._vectors)

    async def _compared(self, question: Question, where: Any) -> list[Candidate]:
        """All that meets the condition, nearest first."""
        include = ["embeddings"] if question.pushed.exact else ["embeddings", "metadatas"]
        every: list[Candidate] = []
        for found in await self._pages(include, where):
            vectors = numpy().asarray(found["embeddings"], dtype="float32")
            every += _candidates(found, similarities(vectors, question.vector, question.metric))
        return sorted(every, key=lambda one: (-one.similarity, one.id))

    async def _pages(self, include: Sequence[str], where: Any = None) -> list[Found]:
        transport = await self._inside()
        pages: list[Found] = []
        while not pages or len(pages[-1]["ids"]) == AT_ONCE:
            found = await transport.get(include, where=where, limit=AT_ONCE, offset=len(pages) * AT_ONCE)
            pages.append(found)
        return [page for page in pages if page["ids"]]

    async def _ids(self, after: str | None, limit: int) -> list[str]:
        return await self._listing.page(after, limit)

    async def _scan(self) -> list[str]:
        return [name for page in await self._pages([]) for name in page["ids"]]

    async def _vectors(self, ids: Sequence[str]) -> dict[str, Vectors]:
        names = list(dict.fromkeys(ids))
        transport = await self._inside()
        vectors: dict[str, Vectors] = {}
        for at in range(0, len(names), AT_ONCE):
            found = await transport.get(["embeddings"], ids=names[at : at + AT_ONCE])
            rows = numpy().asarray(found["embeddings"], dtype="float32")
            vectors.update(zip(found["ids"], rows, strict=True))
        return vectors

    async def _count(self) -> int:
        return await (await self._inside()).count()

    async def _clear(self) -> None:
        transport = await self._inside()
        try:
            await transport.delete(where=EVERYTHING)
        finally:
            self._listing.changed()

    async def _ping(self) -> None:
        await (await self._inside()).count()

    async def _close(self) -> None:
        await self._transport.close()

    def _translate(self, error: Exception, operation: str) -> MemwellError:
        """The one table of what the library and the connection raise."""
        found = self._table(error)
        found.part, found.operation = self.part, operation
        return found

    def _table(self, error: Exception) -> MemwellError:
        name, module, said = type(error).__name__, type(error).__module__, str(error)
        if isinstance(error, Answered):
            return self._answered(error)
        if module.startswith("httpx2"):
            unsent = name in ("ConnectError", "ConnectTimeout", "PoolTimeout")
            kind = TimedOut if name.endswith("Timeout") else Unavailable
            return kind(f"Chroma at {self._where} cannot be reached: {name} {said}", unsent=unsent)
        if isinstance(error, ImportError):
            return ConfigError(
                f"the package {error.name} is not installed; run: pip install 'memwell[chroma]'"
            )
        if name == "NotFoundError":
            return self._gone(said)
        if isinstance(error, sqlite3.OperationalError | OSError):
            return BackendError(f"the folder {self._where} cannot be used: {said}")
        return BackendError(f"Chroma at {self._where}: {name} {said}")

    def _answered(self, error: Answered) -> MemwellError:
        if error.status in (401, 403):
            return ConfigError(f"Chroma refuses the key: {error.said}; set CHROMA_API_KEY")
        if error.status == 400 and "does not exist" in error.said:
            return ConfigError(
                f"Chroma says: {error.said}; create it, or look at the options tenant and database"
            )
        if error.status in (408, 429, 502, 503, 504):
            return Unavailable(f"Chroma answers {error}", retry_after=error.retry_after)
        return self._gone(error.said) if error.status == 404 else BackendError(f"Chroma answers {error}")

    def _gone(self, said: str) -> MemwellError:
        self._entered = False
        return BackendError(f"{said}; the next call makes the collection anew, `memwell repair` fills it")


def _candidates(found: Found, similar: Sequence[float]) -> list[Candidate]:
    metadatas = found.get("metadatas") or [None] * len(similar)
    return [
        Candidate(
            id=name, similarity=near, fields=None if metadata is None else decoded(metadata.get(FIELDS))
        )
        for name, near, metadata in zip(found["ids"], similar, metadatas, strict=True)
    ]


def _where(condition: Condition) -> dict[str, Any]:
    """The condition in Chroma's words, which negate single comparisons only."""
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
