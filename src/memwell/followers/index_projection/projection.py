"""The sink that copies the stored vectors of one model into a vector index. It never embeds.

The index is rebuilt from the stored vectors in three cases: it has points although nothing was delivered to it (they
belong to another user), it is empty although something was delivered, or sampled points differ from their records.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Final

from memwell.errors import Closed, ConfigError, Corrupt, MemwellError, Unavailable
from memwell.followers.follower import BATCH
from memwell.followers.index_projection.points import alike, key_of, middle, name_of, point_of
from memwell.followers.keys import NEVER_EXPIRED, Key, by_tenant, changed
from memwell.followers.sink import Rebuild, Sink
from memwell.ports import Change, Point, Store, VectorIndex, Vectors
from memwell.ports.arrays import numpy
from memwell.types import Scope

__all__ = ["Projection"]

log = logging.getLogger("memwell.indexed")

_SAMPLE: Final = 16


class Projection(Sink):
    """A vector index as the sink of a store's changes, with the vectors of one model."""

    def __init__(self, store: Store, index: VectorIndex, model: str) -> None:
        self.store, self.index, self.model = store, index, model

    async def ready(self) -> bool:
        """Only while the store serves this model: the index may belong to another one by now."""
        return await self.store.serving() in (None, self.model)

    async def deliver(self, changes: Sequence[Change]) -> None:
        """Copy the current state of the changed records into the index."""
        points: list[Point] = []
        gone: list[str] = []
        for tenant, ids in by_tenant(changed(changes)).items():
            scope = Scope(tenant_id=tenant)
            records = {record.id: record for record in await self.store.get(scope, ids, now=NEVER_EXPIRED)}
            found = await self.store.embeddings(scope, ids, self.model)
            present = records.keys() & found.keys()
            points += [point_of(records[id], found[id]) for id in ids if id in present]
            gone += [name_of(tenant, id) for id in ids if id not in present]
        await self.upsert(points)
        await self.index.delete(gone)

    async def intact(self, checkpoint: int) -> bool:
        """Whether the index is empty at the beginning, and later holds points that resemble their records."""
        if await self.index.count():
            return checkpoint > 0 and await self._resembles()
        return not checkpoint or not await self.store.embedded(self.model, limit=1)

    def rebuild(self) -> Rebuild:
        """Copy every record with its vector, then delete what is only in the index."""
        return _Rebuild(self)

    async def expected(self, names: Iterable[str]) -> dict[str, Vectors]:
        """The vectors that the index should hold under these names; names that it should not hold are missing."""
        found: dict[str, Vectors] = {}
        for tenant, ids in by_tenant(map(key_of, names)).items():
            stored = await self.store.embeddings(Scope(tenant_id=tenant), ids, self.model)
            found.update((name_of(tenant, id), middle(embedding.vectors)) for id, embedding in stored.items())
        return found

    async def upsert(self, points: Sequence[Point]) -> None:
        """Put points. One that the index refuses for what it is does not hold up the others."""
        try:
            await self.index.upsert(points)
        except (Unavailable, ConfigError, Closed, Corrupt):
            raise
        except MemwellError:
            refused = [point.id for point in points if not await self._accepted(point)]
            if len(refused) == len(points):
                raise
            log.warning("the index refuses %s; `memwell doctor` lists them", ", ".join(refused))

    async def _accepted(self, point: Point) -> bool:
        try:
            await self.index.upsert([point])
        except (Unavailable, ConfigError, Closed, Corrupt):
            raise
        except MemwellError:
            return False
        return True

    async def _resembles(self) -> bool:
        """Whether at least half of a few points have the vectors of their records. They are searched, not listed: a
        service that orders points by names of its own would have to be read whole to list some."""
        matches = await self.index.search(middle(numpy().eye(1, self.index.dimension)), limit=_SAMPLE)
        names = [match.id for match in matches]
        stored, expected = await self.index.vectors(names), await self.expected(names)
        same = [name in stored and name in expected and alike(stored[name], expected[name]) for name in names]
        return sum(same) >= len(names) / 2


class _Rebuild(Rebuild):
    """See `Projection.rebuild`."""

    def __init__(self, projection: Projection) -> None:
        self._to = projection
        self._after: Key | None = None
        """The last record that was copied."""
        self._copied = False
        self._checked: str | None = None
        """The last point that was checked."""

    async def step(self, size: int) -> bool:
        """See `Rebuild.step`."""
        if self._copied:
            return await self._delete_extra()
        rows = await self._to.store.embedded(self._to.model, after=self._after, limit=size)
        await self._to.upsert([point_of(record, embedding) for record, embedding in rows])
        if rows:
            last, _ = rows[-1]
            self._after = (last.scope.tenant_id, last.id)
        self._copied = len(rows) < size
        return False

    async def intact(self) -> bool:
        """See `Rebuild.intact`."""
        return self._after is None or bool(await self._to.index.count())

    async def _delete_extra(self) -> bool:
        names = await self._to.index.ids(after=self._checked, limit=BATCH)
        if names:
            expected = await self._to.expected(names)
            await self._to.index.delete([name for name in names if name not in expected])
            self._checked = names[-1]
        return not names
