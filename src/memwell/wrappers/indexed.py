"""A store whose vectors are searched in a `VectorIndex`: the store is the truth, the index a projection of
it.

The index follows the store's change sequence, which is written in the store's own transactions, so that
neither a crash nor an index that is down loses anything: what is missing is taken over by the next write or
search. While the index cannot answer, the store searches by itself and the hits say so.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from memwell import filters
from memwell.capabilities import Capabilities
from memwell.errors import MemwellError
from memwell.matrix import numpy
from memwell.ports import Embedding, Operation, Point, Port, Store, VectorIndex, Vectors, unsupported
from memwell.retrieval.search import Found, Search
from memwell.types import Problem, Record, Report, Scope
from memwell.wrappers.base import forwarding

__all__ = ["Indexed"]

log = logging.getLogger("memwell.indexed")
_BATCH = 500
_EVER = datetime.min.replace(tzinfo=UTC)
"""A moment at which nothing has expired yet."""


async def _to_store(self: Any, hook: str, arguments: tuple[Any, ...]) -> Any:
    return await getattr(self.inner, hook)(*arguments)


@forwarding(_to_store)
class Indexed(Store):
    """`Indexed(store, index, model=…)` is again a Store. `model` names the embedder whose vectors the index
    holds.

    Raises `NotSupported` for a store that cannot tell its changes.
    """

    part = "indexed"

    def __init__(self, inner: Store, index: VectorIndex, *, model: str) -> None:
        if not inner.capabilities.changes:
            raise unsupported(
                inner.part, "changes", "an index follows the store's changes; use another store"
            )
        self.inner = inner
        self.index = index
        self.model = model
        self.blocking = inner.blocking and index.blocking
        self._reached: int | None = None
        self._following = False

    @property
    def capabilities(self) -> Capabilities:
        """Those of the store."""
        return self.inner.capabilities

    async def _ping(self) -> None:
        await self.inner.ping()
        await self.index.ping()

    def _translate(self, error: Exception, operation: str) -> MemwellError:
        return self.inner._translate(error, operation)

    async def _close(self) -> None:
        """Close neither: both were handed in."""

    async def _write(self, operations: Sequence[Operation], now: datetime) -> list[Any]:
        results = await self.inner.write(operations, now=now)
        await self._caught_up()
        return results

    async def _sweep(self, now: datetime) -> int:
        gone = await self.inner.sweep(now)
        await self._caught_up()
        return gone

    async def _search(self, search: Search) -> Found:
        if search.vectors is None or search.model != self.model:
            return await self.inner.search(search)
        failure = await self._caught_up()
        if failure is None:
            try:
                where = _where(search)
                matches = await self.index.search(_mean(search.vectors), limit=search.pool, where=where)
                prefix = len(search.scope.tenant_id) + 1
                similar = {match.id[prefix:]: match.similarity for match in matches}
                return await self.inner.search(replace(search, vectors=None, model=None, similar=similar))
            except MemwellError as error:
                failure = error
                log.warning("the store searches in place of its index: %s", error)
        found = await self.inner.search(search)
        return replace(found, notes=(*found.notes, f"the index is unavailable: {failure}"))

    async def _check(self, repair: bool) -> Report:
        report = await self.inner.check(repair=repair)
        if repair:
            self._reached = None
        failure = await self._caught_up()
        if failure is not None:
            problem = Problem(kind="index", detail=f"the index is unavailable: {failure}", repairable=False)
            return replace(report, ok=False, problems=(*report.problems, problem))
        problems = await self._differences()
        return replace(report, ok=report.ok and not problems, problems=(*report.problems, *problems))

    async def _differences(self) -> list[Problem]:
        stored = {id async for id, _, _ in self._stored()}
        indexed = {id async for id in self._indexed()}
        missing = [
            Problem(kind="index", detail="missing from the index", id=id) for id in sorted(stored - indexed)
        ]
        extra = [Problem(kind="index", detail="only in the index", id=id) for id in sorted(indexed - stored)]
        return missing + extra

    async def _caught_up(self) -> MemwellError | None:
        """Bring the index abreast of the store; what went wrong, if it did (logged)."""
        if self._following:
            return None
        self._following = True
        try:
            if self._reached is None:
                await self._rebuild()
            else:
                await self._follow(self._reached)
        except MemwellError as error:
            log.warning("the index lags behind its store: %s", error)
            return error
        finally:
            self._following = False
        return None

    async def _follow(self, position: int) -> None:
        while changes := await self.inner.changes(position, limit=_BATCH):
            gone = [_name(c.tenant_id, c.id) for c in changes if c.kind == "delete"]
            for tenant in {change.tenant_id for change in changes}:
                ids = list(dict.fromkeys(c.id for c in changes if c.tenant_id == tenant and c.kind == "put"))
                gone += await self._put(Scope(tenant_id=tenant), ids)
            await self.index.delete(gone)
            position = self._reached = changes[-1].seq

    async def _put(self, scope: Scope, ids: list[str]) -> list[str]:
        """Upsert records as they stand; the names of those that have no vectors (any more)."""
        records = await self.inner.get(scope, ids, now=_EVER)
        found = await self.inner.embeddings(scope, ids, self.model)
        await self.index.upsert(
            [_point(record, found[record.id]) for record in records if record.id in found]
        )
        return [_name(scope.tenant_id, id) for id in ids if id not in found]

    async def _rebuild(self) -> None:
        """Make the index hold exactly what the store holds, without embedding anything again."""
        position = await self.inner.position()
        stored: set[str] = set()
        batch: list[Point] = []
        async for id, record, embedding in self._stored():
            stored.add(id)
            batch.append(_point(record, embedding))
            if len(batch) == _BATCH:
                await self.index.upsert(batch)
                batch = []
        await self.index.upsert(batch)
        await self.index.delete([id async for id in self._indexed() if id not in stored])
        self._reached = position

    async def _stored(self) -> Any:
        after: tuple[str, str] | None = None
        while rows := await self.inner.embedded(self.model, after=after, limit=_BATCH):
            for record, embedding in rows:
                yield _name(record.scope.tenant_id, record.id), record, embedding
            after = (rows[-1][0].scope.tenant_id, rows[-1][0].id)

    async def _indexed(self) -> Any:
        after: str | None = None
        while ids := await self.index.ids(after=after, limit=_BATCH):
            for id in ids:
                yield id
            after = ids[-1]


def parts_of(store: Indexed) -> Iterable[Port]:
    """The two parts of an indexed store."""
    return store.inner, store.index


def _name(tenant: str, id: str) -> str:
    """The id of a record in an index that serves several tenants."""
    return f"{tenant}/{id}"


def _point(record: Record, embedding: Embedding) -> Point:
    return Point(
        id=_name(record.scope.tenant_id, record.id),
        vector=_mean(embedding.vectors),
        fields=filters.fields(record),
    )


def _mean(vectors: Vectors) -> Vectors:
    """The unit vector in the middle of `(n, d)` vectors."""
    mean = vectors.mean(axis=0)
    middle: Vectors = mean / (numpy().linalg.norm(mean) or 1.0)
    return middle


def _where(search: Search) -> filters.Node:
    """Scope, expiry, time and filter of a search, for the index to apply before it cuts."""
    scope = search.scope
    clauses: list[dict[str, Any]] = [
        {"tenant_id": scope.tenant_id},
        {"$or": [{"expires_at": None}, {"expires_at": {"$gt": search.now}}]},
    ]
    named = ("user_id", "agent_id", "session_id", "namespace")
    clauses.extend({name: value} for name in named if (value := getattr(scope, name)) is not None)
    if search.created_until is not None:
        clauses.append({"created_at": {"$lte": search.created_until}})
    node = filters.parse({"$and": clauses})
    return node if search.where is None else filters.And((node, search.where))
