"""The owners who are asked often, held in this process: their words and vectors, abreast of the database.

The first searches of an owner are answered in the database. One who is asked `_OFTEN` times within a minute becomes
warm: words and vectors are read beside all else into a `Corpus`, and searches then cost one short statement, which says
what has changed since, and the same code in memory as on SQLite. So an answer always sees every write that was
acknowledged before it was asked for, whichever process made it.

Searches that see less than an owner has (a filter, a session, a time) are the database's. So are owners with very
many records, and all of them while the process holds that many in all: the least recently asked make room. About 3 KB
a record of 384 dimensions. Each event loop has its own; nothing is shared with a forked child.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, cast
from weakref import WeakKeyDictionary

import psycopg

from memwell.backends.postgres.store.replica import OwnerReplica, read
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
"""Searches within a minute that make an owner warm."""
_MINUTE: Final = 60.0
_REST: Final = 600.0
"""Seconds before an owner who has too many records is counted again."""
_LARGEST: Final = 50_000
"""Records of one owner, at most: beyond, the vector index of the database is as quick as comparing all."""
_AT_ONCE: Final = 20_000
"""Records that may be searched on the event loop itself; more take some milliseconds, and so a thread."""
_REMEMBERED: Final = 10_000
"""Owners whose searches are counted."""


@dataclass(slots=True, eq=False)
class _Owner:
    """What is known of one owner on one event loop."""

    asked: list[float] = field(default_factory=list)
    """When it was asked, of late."""
    resting: float = 0.0
    """Not to be read before."""
    reading: asyncio.Task[None] | None = None
    held: OwnerReplica | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """OwnerReplica while changes are taken over, which must happen in their order."""
    begun: int = 0
    """How often it was begun to look what has changed."""
    done: int = 0
    """The last of these that is done."""


class HotOwners:
    """See the module. `most`: records held for each event loop, 0 for none."""

    def __init__(
        self, database: Database, *, part: str, most: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database, self._part, self._most, self._clock = database, part, most, clock
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, OrderedDict[Partition, _Owner]] = (
            WeakKeyDictionary()
        )

    async def search(self, search: Search) -> Found | None:
        """The candidates, or `None` when the database is to be asked.

        While the server is asked what has changed, the search goes on; if something has, it is done again.
        """
        if not self._most or narrowed(search) or search.similar is not None:
            return None
        known = self._owner(search.scope)
        held = known.held
        if held is None:
            self._note(known, search.scope)
            return None
        if not held.serves(search.model):
            return None
        abreast = asyncio.create_task(self._abreast(known))
        try:
            await asyncio.sleep(0)  # the question is on its way
            changes, found = held.changes, None
            if held.size <= _AT_ONCE:
                found = self._find(held, search)
            await abreast
        finally:
            abreast.cancel()
        if known.held is not held or not held.serves(search.model):
            return None
        if found is None or held.changes != changes:
            found = await self._found(held, search)
        return found if held.linked else replace(found, incoming=())

    def actors(self, scope: Scope) -> frozenset[str] | None:
        """Who recurs as the speaker of a warm owner's records; `None` where it is not warm."""
        known = self._owners().get((scope.tenant_id, scope.user_id))
        if known is None or known.held is None:
            return None
        with known.held.corpus.lock:
            return known.held.corpus.speakers()

    def cool(self) -> None:
        """Forget all owners of the running loop: for what may change answers without a change in the sequence."""
        for known in self._owners().values():
            known.held = None
            known.asked.clear()

    async def close(self) -> None:
        """Stop reading."""
        for known in self._owners().values():
            if known.reading is not None:
                known.reading.cancel()
                await asyncio.wait([known.reading])
        self._loops.pop(asyncio.get_running_loop(), None)

    def _owners(self) -> OrderedDict[Partition, _Owner]:
        loop = asyncio.get_running_loop()
        found = self._loops.get(loop)
        if found is None:
            found = self._loops[loop] = OrderedDict()
        return found

    def _owner(self, scope: Scope) -> _Owner:
        owners, partition = self._owners(), (scope.tenant_id, scope.user_id)
        found = owners.get(partition)
        if found is None:
            found = owners[partition] = _Owner()
            if len(owners) > _REMEMBERED:
                owners.popitem(last=False)
        owners.move_to_end(partition)
        return found

    # ------------------------------------------------------------------------------------------ searching

    async def _found(self, held: OwnerReplica, search: Search) -> Found:
        if held.size <= _AT_ONCE:
            return self._find(held, search)
        return await asyncio.to_thread(self._find, held, search)

    def _find(self, held: OwnerReplica, search: Search) -> Found:
        source = _Source(held)
        # Nothing else is asked of the source: all is here.
        return find(source, cast("SearchSource", source), search, part=self._part)

    async def _abreast(self, known: _Owner) -> None:
        """Return when all that was committed before this was called is taken over. Of many who wait, one asks."""
        wanted = known.begun + 1
        async with known.lock:
            if known.done >= wanted or known.held is None:
                return
            number = known.begun = known.begun + 1
            if not await known.held.follow(self._database):
                known.held = None
            known.done = number

    # -------------------------------------------------------------------------------------------- reading

    def _note(self, known: _Owner, scope: Scope) -> None:
        """An owner was asked who is not warm: perhaps it shall be."""
        now = self._clock()
        known.asked = [at for at in known.asked[-_OFTEN:] if at > now - _MINUTE]
        known.asked.append(now)
        if len(known.asked) < _OFTEN or known.resting > now or known.reading is not None:
            return
        known.reading = asyncio.get_running_loop().create_task(self._read(known, scope))

    async def _read(self, known: _Owner, scope: Scope) -> None:
        try:
            known.held = await read(self._database, scope, min(self._most, _LARGEST))
            if known.held is None:
                known.resting = self._clock() + _REST
            self._make_room()
        except (psycopg.Error, MemwellError) as error:  # the database answers meanwhile
            known.resting = self._clock() + _MINUTE
            log.warning("an owner who is asked often could not be read into memory: %s", error)
        finally:
            known.reading = None
            known.asked.clear()

    def _make_room(self) -> None:
        """Let go of those who were asked least recently, beyond what may be held."""
        held = [known for known in self._owners().values() if known.held is not None]
        total = sum(known.held.size for known in held if known.held is not None)
        for known in held[:-1]:
            if total <= self._most:
                return
            total -= known.held.size if known.held is not None else 0
            known.held = None


class _Source:
    """An owner that is abreast already, as the search in memory asks for it."""

    def __init__(self, held: OwnerReplica) -> None:
        self._held = held

    def current(self, scope: Scope) -> Corpus:  # noqa: ARG002  it is the corpus of that scope
        """The corpus."""
        return self._held.corpus

    def serving(self) -> str | None:
        """The model whose vectors are held."""
        return None if self._held.model is None else self._held.model[1]
