"""A store as a copy of another: feeding it from the change sequence, filling it anew, comparing both.

Delivery is at least once and each record is written as it stands now, in one transaction with all that hangs on it; so
a process that dies in between, or two that feed one after the other, end at the same copy.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, TypeAlias

from memwell._forks import fork_safe
from memwell.errors import NotFound, NotSupported
from memwell.ports import Delete, Embed, Embedding, Insert, Operation, SetLink, Store
from memwell.records.codec import dumps, record_to_json
from memwell.records.ids import new_id
from memwell.records.revisions import kept
from memwell.types import Record, Scope

__all__ = ["EVER", "Key", "Replica"]

Key: TypeAlias = tuple[str, str]
"""Tenant and id."""

EVER: Final = datetime.min.replace(tzinfo=UTC)
"""A moment at which nothing has expired yet."""
BATCH: Final = 200
_LEASE: Final = 30.0
"""Seconds for which the right to feed is taken; the longest that others wait for a process that died."""
_ALL: Final = 10**9
_NO_MODEL: Final = "no model"


class Replica:
    """A store that is kept as a copy of `first` under a name."""

    def __init__(self, name: str, first: Store, store: Store, clock: Callable[[], datetime]) -> None:
        self.name, self.first, self.store = name, first, store
        self.reached: int | None = None
        """The position up to which the copy is known to have followed."""
        self._clock = clock
        self._follower, self._token = f"mirror {name}", new_id()
        self._reset_lock()
        fork_safe(self._reset_lock)
        self._again = False
        self._doubtful: set[Key] = set()
        """Records that were copied when the right to do so was gone."""

    def _reset_lock(self) -> None:
        self._turn = threading.Lock()

    async def feed(self) -> bool:
        """Bring the copy abreast; whether it is. Whoever else feeds it now is left to it. Raises what either store
        raises.
        """
        self._again = True
        while self._again:
            if not self._turn.acquire(blocking=False):
                return False  # who feeds it now will look once more
            try:
                self._again = False
                if not await self._fed():
                    return False
            finally:
                self._turn.release()
        return True

    async def behind(self) -> int:
        """How many positions of the change sequence the copy has yet to follow."""
        position = await self._claim()
        if position is not None:
            self.reached = position
            await self._advance(position, release=True)
        return await self.first.position() - (self.reached or 0)

    async def compared(self) -> tuple[int, dict[Key, str]]:
        """How many records the first store has, and those that are not the same → what is wrong with the copy."""
        theirs = {key: mark async for key, mark in _marks(self.first)}
        ours = {key: mark async for key, mark in _marks(self.store, await self.first.serving())}
        wrong = dict.fromkeys(theirs.keys() - ours.keys(), "missing")
        wrong |= dict.fromkeys(ours.keys() - theirs.keys(), "only there")
        wrong |= {key: "differs" for key in theirs.keys() & ours.keys() if theirs[key] != ours[key]}
        return len(theirs), wrong

    async def put(self, keys: Collection[Key]) -> None:
        """Make the copy hold these records as they stand, or not hold them."""
        model = await self.first.serving()
        for tenant in sorted({tenant for tenant, _ in keys}):
            ids = sorted(id for owner, id in keys if owner == tenant)
            for at in range(0, len(ids), BATCH):
                await self._put(Scope(tenant_id=tenant), ids[at : at + BATCH], model)

    # ------------------------------------------------------------------------------------------- feeding

    async def _fed(self) -> bool:
        position = await self._claim()
        if position is None:
            return False
        self.reached = position
        try:
            if position and not await self.store.position():  # it was emptied
                self.reached = 0
                position = await self._filled()
            await self.put(self._doubtful)
            self._doubtful.clear()
            while True:
                try:
                    changes = await self.first.changes(position, limit=BATCH)
                except NotSupported:  # trimmed
                    position = await self._filled()
                    continue
                if not changes:
                    break
                keys = {(change.tenant_id, change.id) for change in changes}
                await self.put(keys)
                if not await self._advance(changes[-1].seq):
                    self._doubtful |= keys
                    return False
                self.reached = position = changes[-1].seq
            await self._serve()
            return True
        finally:
            await self._advance(self.reached, release=True)

    async def _filled(self) -> int:
        """Make the copy hold exactly what the first store holds; the position from which on to follow."""
        position = await self.first.position()
        theirs = [key async for key, _ in _marks(self.first)]
        extra = {key async for key, _ in _marks(self.store)} - set(theirs)
        for keys in (theirs, sorted(extra)):
            for at in range(0, len(keys), BATCH):
                await self.put(keys[at : at + BATCH])
                await self._claim()  # this may take long
        self.reached = position
        return position

    async def _serve(self) -> None:
        """Let the copy serve the model that the first store serves, with all its vectors."""
        model = await self.first.serving()
        if model is None or await self.store.serving() in (None, model):
            return
        for record in await self.store.unembedded(model, limit=_ALL):
            scope = Scope(tenant_id=record.scope.tenant_id)
            found = await self.first.embeddings(scope, [record.id], model)
            done = [
                Embed(tenant_id=scope.tenant_id, id=record.id, content=record.content, embedding=embedding)
                for embedding in found.values()
            ]
            await self.store.write(done, now=EVER)
        await self.store.serve(model, lacking=_ALL)

    async def _put(self, scope: Scope, ids: list[str], model: str | None) -> None:
        records = {record.id: record for record in await self.first.get(scope, ids, now=EVER)}
        vectors = await self.first.embeddings(scope, ids, model) if model is not None else {}
        operations: list[Operation] = [Delete(scope=scope, ids=tuple(ids))]
        for record in records.values():
            with suppress(NotFound):  # forgotten since it was read: the change that says so comes next
                operations.append(await self._insert(record, vectors.get(record.id)))
        records = {o.record.id: records[o.record.id] for o in operations if isinstance(o, Insert)}
        operations += await self._links(scope, records)
        await self.store.write(operations, now=EVER)

    async def _insert(self, record: Record, embedding: Embedding | None) -> Insert:
        scope = Scope(tenant_id=record.scope.tenant_id)
        versions = await self.first.history(scope, record.id, now=EVER) if record.version > 1 else []
        bare = replace(record, links=(), embedded=embedding is not None)
        return Insert(record=bare, embedding=embedding, named=True, dated=True, past=tuple(kept(versions)))

    async def _links(self, scope: Scope, records: dict[str, Record]) -> list[SetLink]:
        """The relationships of these records whose both ends will be there."""
        links = [(record.id, link) for record in records.values() for link in record.links]
        links += await self.first.links(scope, list(records), incoming=True)
        ends = {source for source, _ in links} | {link.target for _, link in links}
        there = {r.id for r in await self.store.get(scope, sorted(ends - records.keys()), now=EVER)}
        there |= records.keys()
        return [
            SetLink(scope=scope, source=source, link=link)
            for source, link in dict.fromkeys(links)
            if source in there and link.target in there
        ]

    # ------------------------------------------------------------------------------------------ the right

    async def _claim(self) -> int | None:
        return await self.first.claim(self._follower, self._holder(), seconds=_LEASE, now=self._clock())

    async def _advance(self, position: int, *, release: bool = False) -> bool:
        return await self.first.advance(self._follower, self._holder(), position, release=release)

    def _holder(self) -> str:
        return f"{self._token}-{os.getpid()}"


async def _marks(store: Store, model: str | None = None) -> AsyncIterator[tuple[Key, bytes]]:
    """Every record of every tenant by what it holds, without recalls, with its vectors of the model that serves."""
    model = model or await store.serving() or _NO_MODEL
    after: Key | None = None
    while rows := await store.embedded(model, after=after, limit=BATCH):
        for record, embedding in rows:
            yield _key(record), _mark(record, embedding)
        after = _key(rows[-1][0])
    for record in await store.unembedded(model, limit=_ALL):
        yield _key(record), _mark(record, None)


def _key(record: Record) -> Key:
    return record.scope.tenant_id, record.id


def _mark(record: Record, embedding: Embedding | None) -> bytes:
    links = tuple(sorted(record.links, key=lambda link: (link.target, link.kind)))
    told = record_to_json(replace(record, links=links, access_count=0, last_accessed_at=None))
    mark = hashlib.blake2b(dumps(told).encode(), digest_size=16)
    if embedding is not None:
        mark.update(dumps([embedding.model, embedding.spans]).encode())
        mark.update(embedding.vectors.astype("<f4").tobytes())
    return mark.digest()
