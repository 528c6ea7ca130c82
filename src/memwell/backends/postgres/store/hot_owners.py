"""In-process replicas of the owners who are searched often.

The first searches of an owner run in the database. After `_OFTEN` searches within a minute the owner is hot: a
background task reads its terms and vectors into an `OwnerReplica`. A search then costs one short query for what has
changed since, and the same code in memory as on SQLite. So an answer always contains every write that was acknowledged
before it, from any process.

The database still answers searches that see only a part of an owner's memories (by a filter, a session, a time), and
owners with very many memories. Beyond a total of memories, the owner who was searched least recently is dropped. A
memory of 384 dimensions takes about 3 KB. Each event loop has replicas of its own, as have all callers without a loop
together; a forked child starts without any.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import field
from typing import TYPE_CHECKING, Final, cast
from weakref import WeakKeyDictionary

import psycopg

from memwell import _bridge, _workers
from memwell._dataclasses import dataclass
from memwell._forks import fork_safe
from memwell.backends.postgres.store.aside import Aside
from memwell.backends.postgres.store.replica import OwnerReplica, load
from memwell.errors import MemwellError
from memwell.ports.store.search import Found, Search
from memwell.retrieval.index.corpus import Corpus, Partition
from memwell.retrieval.ranking.candidates import SearchSource, find, narrowed
from memwell.types import Scope

if TYPE_CHECKING:
    from memwell.backends.postgres import Database

__all__ = ["HotOwners"]

log = logging.getLogger("memwell.backends.postgres.store")

_OFTEN: Final = 4
"""Searches within a minute that make an owner hot."""
_MINUTE: Final = 60.0
_TOO_LARGE_FOR: Final = 600.0
"""Seconds before an owner with too many records is counted again."""
_LARGEST: Final = 50_000
"""Records of one owner at most. For more, the vector index of the database is as fast as comparing all of them."""
_COUNTED: Final = 10_000
"""Owners whose searches are counted."""


@dataclass(slots=True, eq=False)
class _Owner:
    """What is known of one owner on one event loop."""

    lock: _bridge.PerLoopLock | asyncio.Lock
    """Held while changes are applied: they must be applied in order."""
    places: asyncio.Semaphore | None = None
    """One for each search that may run in the database while the owner is loaded; `None`: any number."""
    searched: list[float] = field(default_factory=list)
    """When it was searched within the last minute."""
    not_before: float = 0.0
    """When it may be loaded at the earliest."""
    loading: asyncio.Task[None] | threading.Thread | None = None
    replica: OwnerReplica | None = None
    started: int = 0
    """The number of the last refresh that was started."""
    finished: int = 0
    """The number of the last refresh that was finished."""


class HotOwners:
    """See the module. `most` is the number of records held for each event loop; 0 turns replicas off."""

    def __init__(
        self,
        database: Database,
        *,
        part: str,
        most: int,
        aside: Aside,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database, self._part, self._most, self._clock = database, part, most, clock
        self._aside = aside
        self._reset()
        fork_safe(self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        """Guards the owners of callers without a loop."""
        self._closing = threading.Event()
        self._of_threads: OrderedDict[Partition, _Owner] = OrderedDict()
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, OrderedDict[Partition, _Owner]] = (
            WeakKeyDictionary()
        )

    async def replica_or(self, search: Search, ask: Callable[[], Awaitable[Found]]) -> OwnerReplica | Found:
        """The replica that answers a search, up to date; or else what the database answers when it is asked.

        While an owner is loaded, only some of its searches run in the database at once. The others wait, and most of
        them are answered by the replica: more would keep database and event loop from the work of loading it.
        """
        found: OwnerReplica | Found | None = await self._replica(search)
        if found is not None:
            return found
        owner = self._owner(search.scope)
        if owner.places is None or owner.loading is None or narrowed(search):
            return await ask()
        async with owner.places:
            found = await self._replica(search)
            return await ask() if found is None else found

    async def _replica(self, search: Search) -> OwnerReplica | None:
        """The replica that answers a search, up to date; `None` when the database must answer."""
        if not self._most or narrowed(search) or search.similar is not None:
            return None
        owner = self._owner(search.scope)
        replica = owner.replica
        if replica is None:
            self._count(owner, search.scope)
            return None
        if not replica.serves(search.model):
            return None
        try:
            await self._refresh(owner)
        except BaseException:
            self._forget(search.scope)
            raise
        return replica if owner.replica is replica and replica.serves(search.model) else None

    def find(self, replica: OwnerReplica, search: Search) -> Found:
        """The candidates. Computes for some milliseconds; any thread may call it."""
        source = _Source(replica)
        # A search of a whole owner calls no other method of the source.
        try:
            return find(
                source, cast("SearchSource", source), search, part=self._part, linked=lambda: replica.linked
            )
        except BaseException:
            self._forget(search.scope)
            raise

    def _forget(self, scope: Scope) -> None:
        """Drop the replica of an owner that Ctrl-C, in the caller's thread, may have left half changed."""
        if self._database.here:
            self._owner(scope).replica = None

    def known(self, scope: Scope) -> OwnerReplica | None:
        """The replica of an owner as it is; `None` for one who is not hot. A worker thread may call it."""
        owner = self._owners().get((scope.tenant_id, scope.user_id))
        return None if owner is None else owner.replica

    def drop(self) -> None:
        """Drop all replicas of the running loop, when something changes that the change sequence does not show."""
        for owner in list(self._owners().values()):
            owner.replica = None
            owner.searched.clear()

    async def close(self) -> None:
        """Cancel what is being loaded."""
        self._closing.set()
        for owner in list(self._owners().values()):
            loading = owner.loading
            if isinstance(loading, threading.Thread):
                loading.join()  # it ends with the page that it reads
            elif loading is not None:
                loading.cancel()
                await asyncio.wait([loading])
        if not self._database.here:
            self._loops.pop(asyncio.get_running_loop(), None)

    def _owners(self) -> OrderedDict[Partition, _Owner]:
        if self._database.here:
            return self._of_threads
        loop = _workers.home() or asyncio.get_running_loop()
        found = self._loops.get(loop)
        return self._loops.setdefault(loop, OrderedDict()) if found is None else found

    def _owner(self, scope: Scope) -> _Owner:
        partition = (scope.tenant_id, scope.user_id)
        with self._lock:
            owners = self._owners()
            found = owners.get(partition)
            if found is None:
                found = owners[partition] = (
                    _Owner(_bridge.PerLoopLock(blocking=True))
                    if self._database.here
                    else _Owner(asyncio.Lock(), asyncio.Semaphore(_workers.THREADS))
                )
                if len(owners) > _COUNTED:
                    owners.popitem(last=False)
            owners.move_to_end(partition)
            return found

    # ------------------------------------------------------------------------------------------ searching

    async def _refresh(self, owner: _Owner) -> None:
        """Apply all changes that were committed before this call. Concurrent calls share one query."""
        wanted = owner.started + 1
        async with owner.lock:
            if owner.finished >= wanted or owner.replica is None:
                return
            number = owner.started = owner.started + 1
            if not await owner.replica.follow(self._database, self._aside):
                owner.replica = None
            owner.finished = number

    # -------------------------------------------------------------------------------------------- loading

    def _count(self, owner: _Owner, scope: Scope) -> None:
        """Count a search of an owner who is not hot; start to load the owner if it is now."""
        now = self._clock()
        with self._lock:
            owner.searched = [at for at in owner.searched[-_OFTEN:] if at > now - _MINUTE] + [now]
            if len(owner.searched) < _OFTEN or owner.not_before > now or owner.loading is not None:
                return
            if not self._database.here:
                owner.loading = asyncio.get_running_loop().create_task(self._load(owner, scope))
                return
            owner.loading = threading.Thread(
                target=lambda: _bridge.drive(self._load(owner, scope)),
                name="memwell-postgres-load",
                daemon=True,
            )
            owner.loading.start()

    async def _load(self, owner: _Owner, scope: Scope) -> None:
        # A loop that ends cancels its task, and so stops this load, but none of another loop.
        stop = self._closing if self._database.here else threading.Event()
        try:
            owner.replica = await load(
                self._database, scope, min(self._most, _LARGEST), aside=self._aside, stop=stop
            )
            if owner.replica is None:
                owner.not_before = self._clock() + _TOO_LARGE_FOR
            self._make_room()
        except (psycopg.Error, MemwellError) as error:  # the database answers meanwhile
            owner.not_before = self._clock() + _MINUTE
            log.warning("the memories of an owner could not be loaded into this process: %s", error)
        finally:
            owner.loading = None
            owner.searched.clear()

    def _make_room(self) -> None:
        """Drop the replicas of the owners who were searched least recently, beyond what may be held."""
        with self._lock:
            hot = [owner for owner in self._owners().values() if owner.replica is not None]
        total = sum(owner.replica.size for owner in hot if owner.replica is not None)
        for owner in hot[:-1]:
            if total <= self._most:
                return
            total -= owner.replica.size if owner.replica is not None else 0
            owner.replica = None


class _Source:
    """A replica that is up to date, as the search in memory reads it."""

    def __init__(self, replica: OwnerReplica) -> None:
        self._replica = replica

    def current(self, scope: Scope) -> Corpus:  # noqa: ARG002  it is the corpus of that scope
        """The corpus."""
        return self._replica.corpus

    def serving(self) -> str | None:
        """The model of the vectors."""
        return None if self._replica.model is None else self._replica.model[1]
