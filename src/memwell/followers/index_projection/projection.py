"""Feeding a vector index from a store's change sequence: safe with many processes, bounded in time, never embedding.

Delivery is at least once, in batches, by whoever holds the right (`memwell.followers.lease`): the records of a batch
are read as they stand now and put into the index, then the position moves. A process that dies in between leaves the
position where it was. One that was paused so long that it lost the right has perhaps put what was stale by then: the
position goes back to where it stood, so that those records are put again. An index that does not outlive its object has
its position in this process.

An index is built anew, from stored vectors, when its position is 0 although it holds something (a build that was cut
short, or somebody else's points), when it is empty although its position is not 0, when a few of its points are other
than their records, when the changes it needs were trimmed, and when its position has gone back: the store has lost what
the index has seen. While it is built its position is 0.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from memwell._forks import fork_safe
from memwell.errors import Closed, ConfigError, MemwellError, NotSupported, Unavailable
from memwell.followers.index_projection.points import Key, alike, by_tenant, key_of, middle, name_of, point_of
from memwell.followers.lease import Lease
from memwell.ports import Point, Store, VectorIndex, Vectors
from memwell.ports.arrays import numpy
from memwell.types import Scope

__all__ = ["BATCH", "Projection"]

log = logging.getLogger("memwell.indexed")

BATCH: Final = 256
"""Changes or records at a time, and how many that the index lacks are still compared in the store."""
_SAMPLE: Final = 16
_EVER: Final = datetime.min.replace(tzinfo=UTC)
"""A moment at which nothing has expired yet."""


@dataclass(slots=True)
class _Building:
    """How far the index has been built anew."""

    start: int
    """Where the change sequence ended when it began."""
    alone: bool
    """Whether the note that it began is the only one."""
    after: Key | None = None
    """The last record that was put."""
    copied: bool = False
    checked: str | None = None
    """The last point that was looked at."""


class Projection:
    """A vector index that holds what a store holds under one model. `clock` times the right to feed it."""

    def __init__(
        self, store: Store, index: VectorIndex, model: str, clock: Callable[[], datetime] | None = None
    ) -> None:
        self.store, self.index, self.model = store, index, model
        self.follower = None if index.identity is None else f"{index.identity} {model}"
        """Name under which the store keeps the position; `None`: this object keeps it."""
        self.position: int | None = None
        """What was changed up to there is in the index, as far as is known here; `None`: not known."""
        self._right = Lease(store, self.follower, clock or (lambda: datetime.now(UTC)))
        self._reset_lock()
        fork_safe(self._reset_lock)
        self._trusted = False
        """Whether the index was looked at since it last failed."""
        self._building: _Building | None = None
        self._unsure: int | None = None
        """From where on something was put here when the right to do so was perhaps gone."""

    def _reset_lock(self) -> None:
        self._turn = threading.Lock()

    async def feed(self, seconds: float | None, *, anew: bool = False) -> bool:
        """Bring the index nearer to the store for about so many seconds, at least one batch (`None`: to the end);
        whether it is abreast. With `anew` it is built again, whatever it holds.

        Whoever else feeds it now, in this process or another, is left to it. Raises what store or index raise.
        """
        if not self._turn.acquire(blocking=False):
            return False
        try:
            if not anew and await self._abreast():
                return True
            if not await self._right.take():
                return False
            until = float("inf") if seconds is None else time.monotonic() + seconds
            return await self._fed(until, anew=anew)
        finally:
            self._turn.release()

    async def lacking(self, scope: Scope) -> set[str] | None:
        """Ids of a tenant's and user's records that may not be in the index as they stand; `None` when they are many,
        or not known.
        """
        if self.position is None or not self._trusted:
            return None
        try:
            changes = await self.store.changes(self.position, limit=BATCH + 1)
        except NotSupported:
            return None
        if len(changes) > BATCH:
            return None
        return {
            change.id
            for change in changes
            if change.kind == "put"
            and change.tenant_id == scope.tenant_id
            and scope.user_id in (None, change.user_id)
        }

    def distrust(self) -> None:
        """The index has failed: it may come back without what it had."""
        self._trusted = False

    async def expected(self, names: Iterable[str]) -> dict[str, Vectors]:
        """The vectors that the index should hold under these names, as far as it should hold any."""
        found: dict[str, Vectors] = {}
        for tenant, ids in by_tenant(map(key_of, names)).items():
            stored = await self.store.embeddings(Scope(tenant_id=tenant), ids, self.model)
            found.update((name_of(tenant, id), middle(kept.vectors)) for id, kept in stored.items())
        return found

    # --------------------------------------------------------------------------------------- in one's turn

    async def _abreast(self) -> bool:
        if self.position is None or not self._trusted or self._building is not None:
            return False
        if self._right.position < self.position or self._right.due:
            return False
        try:
            return not await self.store.changes(self.position, limit=1)
        except NotSupported:
            return False

    async def _fed(self, until: float, *, anew: bool) -> bool:
        right = self._right
        try:
            if await self.store.serving() not in (None, self.model):
                self.position, self._trusted = None, False  # the index may be that of another model by now
                await right.move(right.position, release=True)
                return False
            if right.position:
                self._building = None  # somebody else has built it
            lost = right.position < (self.position or 0)  # by the store, though the index has seen it
            if not await self._back():
                return False
            unsure = not self._trusted or (right.position == 0 and self._building is None)
            if (anew or lost or (unsure and await self._strange())) and not await self._begin():
                return False
            self._trusted = True
            if self._building is not None and not await self._build(self._building, until):
                if self._building is None:  # somebody else has fed the index meanwhile
                    await right.move(right.position, release=True)
                return False
            return await self._follow(until)
        except BaseException:
            with suppress(MemwellError):
                await right.move(right.position, release=True)
            raise

    async def _back(self) -> bool:
        """Go back to where something stale may have been put since, by us or by somebody who is no more; whether we
        still may. What is built anew needs none of that."""
        if self._building is not None or not (self._right.due or self._unsure is not None):
            return True
        noted = await self._right.behind() if self._right.due else None
        known = [at for at in (noted, self._unsure) if at is not None]
        back = min(known, default=self._right.position)
        if back < self._right.position and not await self._right.move(back):
            return False
        if self.position is not None:
            self.position = min(self.position, back)
        if noted is not None:
            await self._right.settle()
        self._unsure = None
        return True

    async def _strange(self) -> bool:
        """Whether the index does not hold what a follower at this position has put into it."""
        if await self.index.count():
            return await self._differs() if self._right.position else self._building is None
        if self._building is not None:
            return self._building.after is not None
        if self._right.position:
            return bool(await self.store.embedded(self.model, limit=1))
        try:
            await self.store.changes(0, limit=1)
        except NotSupported:
            return True
        return False  # empty, and the whole sequence is there to follow

    async def _differs(self) -> bool:
        """Whether most of a few points have other vectors than their records. They are searched, not listed: to list
        some, a service that orders points by names of its own would have to be read whole."""
        matches = await self.index.search(middle(numpy().eye(1, self.index.dimension)), limit=_SAMPLE)
        names = [match.id for match in matches]
        held, expected = await self.index.vectors(names), await self.expected(names)
        same = [name in held and name in expected and alike(held[name], expected[name]) for name in names]
        return sum(same) < len(names) / 2

    async def _follow(self, until: float) -> bool:
        """Feed changes; whether all are fed. The right is given back, unless it was lost."""
        right = self._right
        while True:
            at = right.position
            try:
                changes = await self.store.changes(at, limit=(size := _size(until)))
            except NotSupported:
                if not await self._begin() or not await self._build(self._building, until):
                    return False
                continue
            await self._put({(change.tenant_id, change.id) for change in changes})
            last = len(changes) < size
            over = last or time.monotonic() >= until
            if not await right.move(changes[-1].seq if changes else at, release=over):
                self._unsure = at
                return False
            self.position = max(self.position or 0, right.position)
            if over or not await right.take():
                return last

    async def _begin(self) -> bool:
        """Begin to build; from now on the position tells everybody that the index is not whole."""
        start = await self.store.position()
        self.position, self._building = None, _Building(start, alone=await self._right.note(start))
        return await self._right.move(0)

    async def _build(self, building: _Building | None, until: float) -> bool:
        """Make the index hold exactly what the store holds; whether that is done. Until then the right is kept."""
        if building is None:
            return True
        while not building.copied:
            rows = await self.store.embedded(self.model, after=building.after, limit=(size := _size(until)))
            await self._upsert([point_of(record, embedding) for record, embedding in rows])
            if not await self._still(building):
                return False
            if rows:
                last, _ = rows[-1]
                building.after = (last.scope.tenant_id, last.id)
            building.copied = len(rows) < size
            if time.monotonic() >= until:
                return False
        while names := await self.index.ids(after=building.checked, limit=BATCH):
            expected = await self.expected(names)
            await self.index.delete([name for name in names if name not in expected])
            if not await self._still(building):
                return False
            building.checked = names[-1]
            if time.monotonic() >= until:
                return False
        self._building = None
        if building.alone:
            await self._right.settle()
        if not await self._right.move(building.start):
            return False
        self.position = building.start
        return True

    async def _still(self, building: _Building) -> bool:
        """Whether nobody else has fed the index meanwhile; the right is extended."""
        if await self._right.take() and self._right.position == 0:
            return True
        self._building, self._unsure = None, building.start
        return False

    # ------------------------------------------------------------------------------------------ the index

    async def _put(self, keys: Iterable[Key]) -> None:
        """Make the index hold these records as they stand."""
        points: list[Point] = []
        gone: list[str] = []
        for tenant, ids in by_tenant(keys).items():
            scope = Scope(tenant_id=tenant)
            records = {record.id: record for record in await self.store.get(scope, ids, now=_EVER)}
            found = await self.store.embeddings(scope, ids, self.model)
            there = records.keys() & found.keys()
            points += [point_of(records[id], found[id]) for id in ids if id in there]
            gone += [name_of(tenant, id) for id in ids if id not in there]
        await self._upsert(points)
        await self.index.delete(gone)

    async def _upsert(self, points: Sequence[Point]) -> None:
        """Put points. One that the index refuses for what it is does not hold up the others."""
        try:
            await self.index.upsert(points)
        except (Unavailable, ConfigError, Closed):
            raise
        except MemwellError:
            refused = [point.id for point in points if not await self._accepted(point)]
            if len(refused) == len(points):
                raise
            log.warning("the index refuses %s; `memwell doctor` tells them", ", ".join(refused))

    async def _accepted(self, point: Point) -> bool:
        try:
            await self.index.upsert([point])
        except (Unavailable, ConfigError, Closed):
            raise
        except MemwellError:
            return False
        return True


def _size(until: float) -> int:
    """A batch; of somebody who waits only a small one, since adding to a graph may take a millisecond each."""
    return BATCH if until == float("inf") else max(1, BATCH // 4)
