"""A store as a replica of another: the sink that copies records, and the comparison of both.

Each record is copied in its current state, in one transaction with its links, vectors and older versions. So a process
that dies in between, or two that deliver one after the other, end with the same replica.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from memwell.errors import NotFound, NotSupported
from memwell.followers.keys import NEVER_EXPIRED, Key, by_tenant, changed
from memwell.followers.sink import Rebuild, Sink
from memwell.ports import Change, Delete, Embed, Embedding, Insert, Operation, SetLink, Store
from memwell.records.codec import dumps, record_to_json
from memwell.records.revisions import stored_versions
from memwell.types import Record, Scope

__all__ = ["Pages", "Replica"]

BATCH: Final = 200
"""Records written by one transaction."""
_ALL: Final = 10**9
_NO_MODEL: Final = "no model"


class Replica(Sink):
    """`store` as a replica of `source`."""

    def __init__(self, source: Store, store: Store) -> None:
        self.source, self.store = source, store
        self._end: int | None = None
        """The end of the replica's own change sequence after the last delivery."""

    async def deliver(self, changes: Sequence[Change]) -> None:
        """Copy the changed records."""
        await self.copy(changed(changes))
        self._end = await self.store.position()

    async def intact(self, checkpoint: int) -> bool:
        """Whether the replica was neither emptied nor has lost writes, as after a failover of its own."""
        if checkpoint and not await self.store.position():
            return False
        if self._end is None:
            return True
        try:
            await self.store.changes(self._end, limit=1)
        except NotSupported:
            return False
        return await self.store.position() >= self._end

    def rebuild(self) -> Rebuild:
        """Copy every record, then delete what is only in the replica."""
        return _Rebuild(self)

    async def caught_up(self) -> None:
        """Let the replica serve the model that the source serves, with all its vectors."""
        model = await self.source.serving()
        if model is None or await self.store.serving() in (None, model):
            return
        for record in await self.store.unembedded(model, limit=_ALL):
            scope = Scope(tenant_id=record.scope.tenant_id)
            found = await self.source.embeddings(scope, [record.id], model)
            embeds = [
                Embed(tenant_id=scope.tenant_id, id=record.id, content=record.content, embedding=embedding)
                for embedding in found.values()
            ]
            await self.store.write(embeds, now=NEVER_EXPIRED)
        await self.store.serve(model, lacking=_ALL)

    async def copy(self, keys: Collection[Key]) -> None:
        """Copy the current state of these records, or delete those that no longer exist."""
        model = await self.source.serving()
        for tenant, ids in by_tenant(keys).items():
            for at in range(0, len(ids), BATCH):
                await self._copy(Scope(tenant_id=tenant), ids[at : at + BATCH], model)

    async def compare(self) -> tuple[int, dict[Key, str]]:
        """The number of records in the source, and the records that differ → how."""
        model = await self.source.serving()
        source = {key: digest async for key, digest in _digests(self.source, model)}
        replica = {key: digest async for key, digest in _digests(self.store, model)}
        wrong = dict.fromkeys(source.keys() - replica.keys(), "missing")
        wrong |= dict.fromkeys(replica.keys() - source.keys(), "only there")
        both = source.keys() & replica.keys()
        wrong |= {key: "differs" for key in both if source[key] != replica[key]}
        return len(source), wrong

    async def _copy(self, scope: Scope, ids: list[str], model: str | None) -> None:
        records = {record.id: record for record in await self.source.get(scope, ids, now=NEVER_EXPIRED)}
        vectors = await self.source.embeddings(scope, ids, model) if model is not None else {}
        operations: list[Operation] = [Delete(scope=scope, ids=tuple(ids))]
        for record in records.values():
            with suppress(NotFound):  # forgotten since it was read: the change that says so comes next
                operations.append(await self._insert(record, vectors.get(record.id)))
        records = {o.record.id: records[o.record.id] for o in operations if isinstance(o, Insert)}
        operations += await self._links(scope, records)
        await self.store.write(operations, now=NEVER_EXPIRED)

    async def _insert(self, record: Record, embedding: Embedding | None) -> Insert:
        scope = Scope(tenant_id=record.scope.tenant_id)
        versions = (
            await self.source.history(scope, record.id, now=NEVER_EXPIRED) if record.version > 1 else []
        )
        bare = replace(record, links=(), embedded=embedding is not None)
        past = tuple(stored_versions(versions))
        return Insert(record=bare, embedding=embedding, named=True, dated=True, past=past)

    async def _links(self, scope: Scope, records: dict[str, Record]) -> list[SetLink]:
        """The links of these records whose two ends will both be in the replica."""
        links = [(record.id, link) for record in records.values() for link in record.links]
        links += await self.source.links(scope, list(records), incoming=True)
        ends = {source for source, _ in links} | {link.target for _, link in links}
        found = await self.store.get(scope, sorted(ends - records.keys()), now=NEVER_EXPIRED)
        present = {record.id for record in found} | records.keys()
        return [
            SetLink(scope=scope, source=source, link=link)
            for source, link in dict.fromkeys(links)
            if source in present and link.target in present
        ]


class _Rebuild(Rebuild):
    """See `Replica.rebuild`."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._source, self._extra = Pages(replica.source), Pages(replica.store)
        self._keys: list[Key] = []
        """Read, but not copied yet."""

    async def step(self, size: int) -> bool:
        """See `Rebuild.step`."""
        if not self._keys:
            self._keys = await self._source.page(size)
        if not self._keys and (extra := await self._extra.page(size)):
            self._keys = list(await self._absent(extra))
            if not self._keys:
                return False
        if self._keys:
            await self._replica.copy(self._keys)
            self._keys = []
            return False
        self._replica._end = await self._replica.store.position()
        return True

    async def intact(self) -> bool:
        """See `Rebuild.intact`."""
        return await self._replica.intact(0)

    async def _absent(self, keys: list[Key]) -> set[Key]:
        """Those that the source does not have."""
        absent = set(keys)
        for tenant, ids in by_tenant(keys).items():
            found = await self._replica.source.get(Scope(tenant_id=tenant), ids, now=NEVER_EXPIRED)
            absent -= {_key(record) for record in found}
        return absent


class Pages:
    """The keys of all records of a store, page by page: first those with vectors, then the others."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._after: Key | None = None
        self._rest: list[Key] | None = None

    async def page(self, size: int) -> list[Key]:
        """The next keys; none at the end."""
        if self._rest is None:
            model = await self._store.serving() or _NO_MODEL
            rows = await self._store.embedded(model, after=self._after, limit=size)
            if rows:
                self._after = _key(rows[-1][0])
                return [_key(record) for record, _ in rows]
            self._rest = [_key(record) for record in await self._store.unembedded(model, limit=_ALL)]
        page, self._rest = self._rest[:size], self._rest[size:]
        return page


async def _digests(store: Store, model: str | None) -> AsyncIterator[tuple[Key, bytes]]:
    """A digest of every record of every tenant, with its vectors of the model. Recalls are left out."""
    model = model or _NO_MODEL
    after: Key | None = None
    while rows := await store.embedded(model, after=after, limit=BATCH):
        for record, embedding in rows:
            yield _key(record), _digest(record, embedding)
        after = _key(rows[-1][0])
    for record in await store.unembedded(model, limit=_ALL):
        yield _key(record), _digest(record, None)


def _key(record: Record) -> Key:
    return record.scope.tenant_id, record.id


def _digest(record: Record, embedding: Embedding | None) -> bytes:
    links = tuple(sorted(record.links, key=lambda link: (link.target, link.kind)))
    payload = record_to_json(replace(record, links=links, access_count=0, last_accessed_at=None))
    digest = hashlib.blake2b(dumps(payload).encode(), digest_size=16)
    if embedding is not None:
        digest.update(dumps([embedding.model, embedding.spans]).encode())
        digest.update(embedding.vectors.astype("<f4").tobytes())
    return digest.digest()
