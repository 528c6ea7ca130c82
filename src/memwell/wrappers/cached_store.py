"""A store that answers a repeated search from memory: `CachedStore(store)` is a `Store`.

A cached answer is exactly what the store would answer. Before each search the cache reads the store's change sequence,
usually with one short call (`position`), so that a write of any process takes effect at the next search. A write drops
the answers of its owner only. An answer is also dropped when a record of its owner expires, and after `ttl` seconds.
The key is the whole search: scope, terms, phrases, filter, time, vectors and model.

Not cached: answers with notes (for example that an index is down); searches whose filter names `access_count` or
`last_accessed_at`, which change without an entry in the change sequence; owners with very many records that expire
soon. A move to another embedding model (`Store.serve`) by another process is noticed within `ttl`.

Raises `NotSupported` for a store without the capability `changes`: it could serve forgotten memories. While the
changes cannot be read, searches go to the store.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import field
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from memwell._dataclasses import dataclass
from memwell._forks import fork_safe
from memwell.errors import ConfigError, MemwellError, NotSupported
from memwell.filters import clauses
from memwell.ports import Declaration, Effect, Store, unsupported
from memwell.ports.store.search import Found, Search
from memwell.types import Scope, Trace
from memwell.wrappers.base import StoreWrapper

__all__ = ["CachedStore"]

log = logging.getLogger("memwell.cache")

Owner: TypeAlias = tuple[str, str | None]
"""Tenant, and user or `None` for all of them."""

_BATCH: Final = 1000
_MOST_CHANGES: Final = 20_000
"""Changes after which it is quicker to forget everything."""
_MOST_EXPIRING: Final = 200
"""An owner with more records that expire within `ttl` is not cached."""
_UNSEQUENCED: Final = frozenset({"access_count", "last_accessed_at"})
"""Fields that change without a change in the sequence."""


@dataclass(slots=True)
class _Shelf:
    """The answers for one owner, good from a moment until the next record expires."""

    since: datetime
    until: datetime
    answers: OrderedDict[Hashable, Found] = field(default_factory=OrderedDict)


class CachedStore(StoreWrapper):
    """A store with a cache of at most `capacity` answers; the least recently used owner is dropped first."""

    part = "cached"

    def __init__(self, store: Store, *, capacity: int = 256, ttl: float = 300.0) -> None:
        if capacity < 1 or not 0 < ttl < float("inf"):
            raise ConfigError("capacity is at least 1, ttl a finite number of seconds over 0", part=self.part)
        if not (store.capabilities.changes and store.capabilities.filters):
            raise unsupported(
                store.part, "changes", "a cache follows the changes; use the store without a cache"
            )
        self.inner = store
        self.hits = 0
        """Searches answered without the store, so far."""
        self.misses = 0
        """Searches that the store was asked, so far."""
        self._capacity, self._ttl = capacity, timedelta(seconds=ttl)
        self._reset()
        fork_safe(self._reset)

    def _reset(self) -> None:
        self._lock = threading.RLock()
        self._shelves: OrderedDict[Owner, _Shelf] = OrderedDict()
        self._reached: int | None = None

    async def _close(self) -> None:
        self._reset()
        await super()._close()

    async def _search(self, search: Search) -> Found:
        if search.where is not None and any(clause.field in _UNSEQUENCED for clause in clauses(search.where)):
            return await self._asked(search)
        try:
            await self._follow()
        except MemwellError as error:
            log.debug("not using the cache: the changes of the store cannot be read: %s", error)
            return await self._asked(search)
        owner, key, position = (search.scope.tenant_id, search.scope.user_id), _key(search), self._reached
        found = self._cached(owner, key, search.now)
        if found is not None:
            self.hits += 1
            return found
        found = await self._asked(search)
        if not found.notes:
            await self._keep(owner, key, search.now, found, position)
        return found

    async def _purge(self, scope: Scope, ids: Sequence[str], texts: Sequence[str] | None) -> list[Trace]:
        found: list[Trace] = await super()._purge(
            scope, ids, texts
        )  # which clears the cache, as all upkeep does
        return [*found, Trace(place="cached searches", state="gone")]

    async def _asked(self, search: Search) -> Found:
        self.misses += 1
        found: Found = await self.inner.search(search)
        return found

    def _cached(self, owner: Owner, key: Hashable, now: datetime) -> Found | None:
        with self._lock:
            shelf = self._shelves.get(owner)
            if shelf is None:
                return None
            if not shelf.since <= now < shelf.until:
                del self._shelves[owner]
                return None
            self._shelves.move_to_end(owner)
            found = shelf.answers.get(key)
            if found is not None:
                shelf.answers.move_to_end(key)
            return found

    async def _keep(
        self, owner: Owner, key: Hashable, now: datetime, found: Found, position: int | None
    ) -> None:
        """Keep an answer, unless something was written since the search began."""
        until = None if owner in self._shelves else await self._good_until(owner, now)
        with self._lock:
            if self._reached != position:
                return
            if until is not None:
                self._shelves.setdefault(owner, _Shelf(now, until))
            shelf = self._shelves.get(owner)
            if shelf is None or not shelf.since <= now < shelf.until:
                return
            shelf.answers[key] = found
            while sum(len(each.answers) for each in self._shelves.values()) > self._capacity:
                self._evict()

    def _evict(self) -> None:
        owner, oldest = next(iter(self._shelves.items()))
        oldest.answers.popitem(last=False)
        if not oldest.answers:
            del self._shelves[owner]

    async def _good_until(self, owner: Owner, now: datetime) -> datetime | None:
        """The moment from which answers for an owner may differ without any write; `None` when there are many."""
        horizon = now + self._ttl
        try:
            expiring = await self.inner.scan(
                Scope(tenant_id=owner[0], user_id=owner[1]),
                now=now,
                where={"expires_at": {"$lte": horizon}},
                limit=_MOST_EXPIRING,
            )
        except MemwellError as error:
            log.debug("an answer is not cached: when it expires cannot be read: %s", error)
            return None
        if len(expiring) == _MOST_EXPIRING:
            return None
        return min((record.expires_at or horizon for record in expiring), default=horizon)

    # ---------------------------------------------------------------------------- following the changes

    async def _follow(self) -> None:
        """Drop what was written to since the last search, here or elsewhere."""
        before = self._reached  # taken first: a position below it is then no other thread's work
        reached = await self.inner.position()
        if reached == before:
            return
        back = (
            before is None or reached < before
        )  # a server that lost its last writes counts from there again
        touched = None if before is None or back else await self._touched(before)
        with self._lock:
            if touched is None:
                self._shelves.clear()
            else:
                for owner in touched:
                    self._shelves.pop(owner, None)
            self._reached = reached if back else max(reached, self._reached or 0)

    async def _touched(self, after: int) -> set[Owner] | None:
        """The owners of the changes after a position; `None` if they are unknown or very many."""
        owners: set[Owner] = set()
        for _ in range(_MOST_CHANGES // _BATCH):  # positions need not follow each other closely
            try:
                changes = await self.inner.changes(after, limit=_BATCH)
            except NotSupported:  # trimmed
                return None
            for change in changes:
                owners |= {(change.tenant_id, change.user_id), (change.tenant_id, None)}
            if len(changes) < _BATCH:
                return owners
            after = changes[-1].seq
        return None

    async def _call(self, operation: Declaration, arguments: tuple[Any, ...]) -> Any:
        answer = await super()._call(operation, arguments)
        if operation.effect is Effect.UPKEEP:  # it may change answers without a change in the sequence
            with self._lock:
                self._shelves.clear()
        return answer


def _key(search: Search) -> Hashable:
    """All that a search asks, but for the moment."""
    vectors, similar = search.vectors, search.similar
    return (
        search.scope,
        search.terms,
        search.related,
        search.phrases,
        repr(search.where),
        search.created_until,
        search.times,
        search.days,
        None if vectors is None else (vectors.shape, vectors.tobytes()),
        search.model,
        None if similar is None else tuple(sorted(similar.items())),
        search.pool,
        repr(search.weights),
    )
