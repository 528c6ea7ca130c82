"""A store whose vectors are searched in a `VectorIndex`: the store is the truth, the index a projection of it.

The index follows the store's change sequence (`memwell.followers`), which the store writes in its own transactions. So
neither a crash nor an index that is down loses anything. Writes and searches bring the index up to date, for a fraction
of a second at most; the rest is delivered in the background if there is an event loop, else by later calls.

The index only finds candidates. Their similarity is computed from the store's vectors, so that scores are the same with
and without it. Records that the index lacks are added if they are few. If they are many, or the index is down or
damaged, the store searches by itself, and the hits say so; the index is tried again after some seconds. `health` and
`doctor` name the reason, and `repair` rebuilds the index, a damaged one from nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from memwell import _bridge, filters
from memwell.errors import (
    BackendError,
    Closed,
    ConfigError,
    Corrupt,
    EmbeddingError,
    MemwellError,
    Unavailable,
)
from memwell.fields import NARROWING
from memwell.followers.follower import BATCH
from memwell.followers.index_projection import follower_of, middle
from memwell.followers.index_projection.comparison import differences
from memwell.followers.index_projection.points import key_of, name_of
from memwell.followers.lease import LEASE
from memwell.ports import Operation, Store, VectorIndex, unsupported
from memwell.ports.store.search import Found, Search
from memwell.types import Problem, Report, Scope, Trace
from memwell.wrappers.base import StoreWrapper

__all__ = ["Indexed"]

log = logging.getLogger("memwell.indexed")

BUDGET: Final = 0.1
"""Seconds that a call may spend on updating the index; one batch is always delivered."""
PAUSE: Final = 5.0
"""Seconds before an index that failed is tried again."""
_UNKNOWN: Final = frozenset({"content", "access_count", "last_accessed_at"})
"""Fields that an index does not hold, or not as they are now. The store searches if a filter names one."""


class Indexed(StoreWrapper):
    """`Indexed(store, index, model=…)` is again a Store. `model` names the embedder whose vectors the index holds;
    `clock` times the lease on updating it.

    Raises `NotSupported` for a store without a change sequence.
    """

    part = "indexed"
    inner: Store

    def __init__(
        self,
        inner: Store,
        index: VectorIndex,
        *,
        model: str,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        if not inner.capabilities.changes:
            raise unsupported(
                inner.part, "changes", "an index follows the store's changes; use another store"
            )
        self.inner = inner
        self.index = index
        self.model = model
        self._clock = clock
        self._follower, self._projection = follower_of(inner, index, model, clock)
        self._failure: MemwellError | None = None
        self._again = 0.0
        """When a failed index may be tried again, in the seconds of `time.monotonic`."""
        self._tasks: set[Any] = set()

    def over(self, inner: Store, index: VectorIndex) -> Indexed:
        """The same with other objects for its two parts, such as wrapped ones."""
        return Indexed(inner, index, model=self.model, clock=self._clock)

    @property
    def blocking(self) -> bool:  # type: ignore[override]
        """Whether both parts are."""
        return bool(self.inner.blocking and self.index.blocking)

    async def _ping(self) -> None:
        await self.inner.ping()  # it also serves without the index, which `Memory.health` asks by itself

    @property
    def failure(self) -> MemwellError | None:
        """Why the index could not be updated or searched when it was last tried; `None` if it could."""
        return self._failure

    async def _close(self) -> None:
        """Closes neither part: the caller opened both."""
        for task in tuple(self._tasks):
            task.cancel()

    async def _write(self, operations: Sequence[Operation], now: datetime) -> list[Any]:
        results = await self.inner.write(operations, now=now)
        await self._catch_up()
        return results

    async def _sweep(self, now: datetime) -> int:
        gone = await self.inner.sweep(now)
        await self._catch_up()
        return gone

    async def _purge(self, scope: Scope, ids: Sequence[str], texts: Sequence[str] | None) -> list[Trace]:
        found: list[Trace] = await super()._purge(scope, ids, texts)
        try:
            current = await self._catch_up_fully()
            names = [name_of(scope.tenant_id, id) for id in ids]
            stored = [
                n
                for at in range(0, len(names), BATCH)
                for n in await self.index.vectors(names[at : at + BATCH])
            ]
            left = set(stored) - (await self._projection.expected(stored)).keys()
        except MemwellError as error:
            self._failed(error)
            return [*found, Trace(place="index", state="pending", detail=f"could not be updated: {error}")]
        if left or not current:
            detail = f"{len(left)} points still there" if left else "another process is updating it right now"
            return [*found, Trace(place="index", state="pending", detail=detail)]
        detail = f"{self.index.part}: no point under these ids"
        if self.index.residue:
            detail += f"; {self.index.residue}"
        return [*found, Trace(place="index", state="gone", detail=detail)]

    async def _search(self, search: Search) -> Found:
        if search.vectors is None or search.model != self.model or search.similar is not None:
            return await self.inner.search(search)
        if search.where is not None and any(c.field in _UNKNOWN for c in filters.clauses(search.where)):
            return await self.inner.search(search)
        try:
            similar, note = await self._candidates(search)
        except MemwellError as error:
            self._failed(error)
            similar, note = None, f"the index cannot answer, so the store searched by itself: {error}"
        found = await self.inner.search(search if similar is None else replace(search, similar=similar))
        if similar is None and not note and any(one.cosine is not None for one in found.candidates):
            self._follower.distrust()  # the index found nothing where the store does
        return replace(found, notes=(*found.notes, note)) if note else found

    async def _candidates(self, search: Search) -> tuple[dict[str, float] | None, str]:
        """Id → similarity of what the index finds and what it lacks, and a note; `None` if the store has to search."""
        up_to_date = await self._catch_up()
        if self._failure is not None:
            return None, f"the index is unavailable, so the store searched by itself: {self._failure}"
        lacking = set() if up_to_date else await self._lacking(search.scope)
        if lacking is None:
            return None, "the index is not up to date yet, so the store searched by itself"
        assert search.vectors is not None
        matches = await self.index.search(middle(search.vectors), limit=search.pool, where=_where(search))
        if not matches:  # perhaps it has lost its points: the store knows
            return None, ""
        names = {key_of(match.id)[1]: match.similarity for match in matches}
        note = (
            f"the index lacks {len(lacking)} records, which the store compared by itself" if lacking else ""
        )
        return names | dict.fromkeys(lacking, 0.0), note

    async def _lacking(self, scope: Scope) -> set[str] | None:
        """Ids of the scope's records that the index may not hold as they are now; `None` if many or unknown."""
        changes = await self._follower.pending(BATCH)
        if changes is None:
            return None
        return {
            change.id
            for change in changes
            if change.kind == "put"
            and change.tenant_id == scope.tenant_id
            and scope.user_id in (None, change.user_id)
        }

    async def _check(self, repair: bool) -> Report:
        report = await self.inner.check(repair=repair)
        if await self.inner.serving() not in (None, self.model):
            return report  # the index is not in use
        self._failure = None
        try:
            up_to_date = await (self._rebuilt() if repair else self._catch_up_fully())
            problems = await differences(self._projection, self._follower) if up_to_date else [_BEHIND]
        except MemwellError as error:
            self._failed(error)
            detail = f"the index is unavailable, so the store searches by itself: {error}"
            problems = [Problem(kind="index", detail=detail, repairable=isinstance(error, Corrupt))]
        return replace(report, ok=report.ok and not problems, problems=(*report.problems, *problems))

    # ------------------------------------------------------------------------------------------- updating

    async def _rebuilt(self) -> bool:
        """Rebuild the index, an empty one if it is damaged. Returns whether it was possible."""
        try:
            return await self._catch_up_fully(rebuild=True)
        except Corrupt as error:
            log.warning("the index is set aside and rebuilt: %s", error)
            await self.index.clear()
            return await self._catch_up_fully(rebuild=True)

    async def _catch_up_fully(self, *, rebuild: bool = False) -> bool:
        """Update to the end, waiting for the lease of a process that may be dead. Returns whether it was possible."""
        until = time.monotonic() + LEASE + 1
        while not (done := await self._follower.catch_up(rebuild=rebuild)) and time.monotonic() < until:
            await _bridge.pause(0.25, blocking=self.blocking)
        return done

    async def _catch_up(self) -> bool:
        """Update the index for a moment, unless it has just failed; log failures. Returns whether it is up to date."""
        if self._failure is not None and time.monotonic() < self._again:
            return False
        try:
            up_to_date = await self._follower.catch_up(BUDGET)
        except MemwellError as error:
            self._failed(error)
            return False
        self._failure = None
        if not up_to_date and not self.blocking and not self._tasks:
            _bridge.later(self._rest(), self._tasks)
        return up_to_date

    async def _rest(self) -> None:
        """Deliver the rest in the background."""
        try:
            while not await self._follower.catch_up(BUDGET):
                await _bridge.pause(BUDGET, blocking=False)
        except MemwellError as error:
            self._failed(error)

    def _failed(self, error: MemwellError) -> None:
        """Remember that index or store cannot be reached; what only this search asked for is no such failure."""
        if isinstance(error, Unavailable | BackendError | ConfigError | Closed | EmbeddingError):
            if self._failure is None:
                log.warning("the index lags behind its store: %s", error)
            self._failure, self._again = error, time.monotonic() + PAUSE
            self._follower.distrust()


_BEHIND: Final = Problem(
    kind="index", detail="another process is updating the index right now; run doctor again", repairable=False
)


def _where(search: Search) -> filters.Node:
    """Scope, expiry, time and filter of a search, for the index to apply before it cuts."""
    scope = search.scope
    clauses: list[dict[str, Any]] = [
        {"tenant_id": scope.tenant_id},
        {"$or": [{"expires_at": None}, {"expires_at": {"$gt": search.now}}]},
    ]
    clauses.extend({name: value} for name in NARROWING if (value := getattr(scope, name)) is not None)
    if search.created_until is not None:
        clauses.append({"created_at": {"$lte": search.created_until}})
    node = filters.parse({"$and": clauses})
    return node if search.where is None else filters.And((node, search.where))
