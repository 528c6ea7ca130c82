"""Operations applied to drafts of a service's memories: nothing is sent before all of them have been found valid."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, Protocol

from memwell.backends.remote.documents import Document
from memwell.errors import Conflict, NotFound, NotSupported
from memwell.filters import matches
from memwell.ports import Delete, Insert, Operation, SetLink, Touch, Unlink, Update, unsupported
from memwell.records.codec import digest
from memwell.records.revisions import overwriting, reinforced, revised
from memwell.records.validity import check_validity
from memwell.types import Link, Record, Scope, Where

__all__ = ["Draft", "Drafts", "Peer", "TooMany"]

_FEW: Final = 3
"""Up to this number of inserts of one owner, duplicates are looked for one by one instead of in a listing."""


class TooMany(NotSupported):
    """The service cannot list that many memories."""


class Peer(Protocol):
    """What drafts read of a service."""

    @property
    def part(self) -> str:
        """Its name in errors."""
        ...

    @property
    def relates(self) -> bool:
        """Whether relationships are kept."""
        ...

    @property
    def housekeeping(self) -> bool:
        """Whether recalls are counted."""
        ...

    async def _all(self, scope: Scope) -> list[Document]: ...

    async def _fetched(self, scope: Scope, ids: Sequence[str]) -> list[Document]: ...

    async def _named(self, scope: Scope, id: str) -> list[Document] | None: ...

    async def _alike(self, record: Record) -> list[Document]: ...


class Draft:
    """A memory of the service as it is, and as it is to be."""

    __slots__ = ("document", "key", "linked", "named", "owner", "record", "relations")

    def __init__(
        self, document: Document | None, record: Record, *, named: bool, linked: bool = False
    ) -> None:
        self.document = document
        """`None` for one that is to be added."""
        self.key = "" if document is None else document.key
        """The service's id; empty until it has been added."""
        self.record: Record | None = record
        """`None` for one that is to be removed."""
        self.owner = record.scope
        self.named, self.linked = named, linked
        self.relations: list[tuple[Draft, str, float]] = []
        """Relationships that changed: target, kind and strength; 0 where it was removed."""

    @property
    def changed(self) -> bool:
        """Whether the service has another state."""
        document = self.document
        if document is None:
            return self.record is not None
        return (self.record, self.linked) != (document.record, document.linked)


class Drafts:
    """The memories that a call has read, with what its operations make of them."""

    def __init__(self, peer: Peer, now: datetime, operations: Sequence[Operation] = ()) -> None:
        self._peer, self._now = peer, now
        self._of: dict[tuple[str, str], Draft] = {}
        self._all: list[Draft] = []
        self._keys: set[str] = set()
        self._listed: list[Scope] = []
        owners = [each.record.scope for each in operations if isinstance(each, Insert)]
        self._many = {owner for owner in owners if owners.count(owner) > _FEW} if len(owners) > _FEW else ()

    async def apply(self, operation: Operation) -> Any:
        """The result of one operation."""
        if isinstance(operation, Insert):
            return await self._insert(operation)
        if isinstance(operation, Update):
            return (await self._update(operation)).record
        if isinstance(operation, Delete):
            return await self._delete(operation)
        if isinstance(operation, Touch) and self._peer.housekeeping:
            return await self._touch(operation)
        if isinstance(operation, SetLink) and self._peer.relates:
            return await self._link(operation)
        if isinstance(operation, Unlink) and self._peer.relates:
            return await self._unlink(operation)
        if isinstance(operation, Touch):
            raise unsupported(self._peer.part, "counting recalls", "open it with housekeeping=true")
        raise unsupported(self._peer.part, type(operation).__name__, "use a store with that capability")

    def changed(self) -> list[Draft]:
        """Those of which the service has another state, in the order in which they were met."""
        return [draft for draft in self._all if draft.changed]

    def taken(self, documents: Iterable[Document]) -> list[Draft]:
        """Documents as drafts; of those met before, what they have become."""
        for document in documents:
            if document.key not in self._keys:
                self._keys.add(document.key)
                self._met(Draft(document, document.record, named=document.named, linked=document.linked))
        return self._all

    async def within(self, scope: Scope, now: datetime | None, where: Where | None = None) -> list[Record]:
        """The records that the scope sees; with `now`, unless they have expired."""
        return [draft.record async for draft in self._within(scope, now, where) if draft.record is not None]

    async def find(self, scope: Scope, ids: Sequence[str]) -> list[Draft]:
        """The drafts of these ids that the scope sees, expired or not, in the order asked, missing left out."""
        unknown = [id for id in dict.fromkeys(ids) if (scope.tenant_id, id) not in self._of]
        if unknown and not self._covers(scope):
            self.taken(await self._peer._fetched(scope, unknown))
        for id in unknown:
            if (scope.tenant_id, id) not in self._of and not self._covers(scope):
                documents = await self._peer._named(scope, id)
                if documents is None:
                    await self._list(scope)
                else:
                    self.taken(documents)
        found = [self._of.get((scope.tenant_id, id)) for id in ids]
        return [d for d in found if d is not None and d.record is not None and scope.sees(d.record.scope)]

    # ------------------------------------------------------------------------------------ the operations

    async def _insert(self, insert: Insert) -> Record:
        if insert.embedding is not None or insert.past:
            raise unsupported(
                self._peer.part, "vectors and history", "omit embedder=, import without older versions"
            )
        same = await self._same(insert)
        if same is not None and same.record is not None:
            same.record = reinforced(same.record, insert.record)
            change = overwriting(insert, same.record)
            if change is not None:
                same.record = revised(same.record, change, self._now)[0]
            return same.record
        record = check_validity(replace(insert.record, embedded=False, links=()))
        await self._free(record.scope, record.id, insert)
        self._met(Draft(None, record, named=insert.named or not _given_by_us(record.id)))
        return record

    async def _same(self, insert: Insert) -> Draft | None:
        """The exact duplicate that the insert reinforces."""
        record, mark = insert.record, insert.digest
        mark = digest(record) if mark is None else mark
        if insert.named:
            near = await self.find(Scope(tenant_id=record.scope.tenant_id), [record.id])
        elif record.scope in self._many or self._covers(record.scope):
            near = [draft async for draft in self._within(record.scope, self._now, None)]
        else:
            near = self.taken(await self._peer._alike(record))
        for draft in near:
            found = draft.record
            if found is None or found.scope != record.scope or not _alive(found, self._now):
                continue
            if digest(found) == mark and (not insert.dated or found.created_at == record.created_at):
                return draft
        return None

    async def _free(self, scope: Scope, id: str, insert: Insert) -> None:
        """Make room for an id. Raises `Conflict` if another memory has it."""
        if not insert.named and _given_by_us(id):
            return
        for held in await self.find(Scope(tenant_id=scope.tenant_id), [id]):
            if held.record is not None and _alive(held.record, self._now):
                raise Conflict(f"the id {id!r} already belongs to another memory", part=self._peer.part)
            await self._remove(held)

    async def _update(self, update: Update) -> Draft:
        if update.embedding is not None:
            raise unsupported(self._peer.part, "vectors", "omit embedder=")
        draft = await self._there(update.scope, update.id)
        assert draft.record is not None
        draft.record = revised(draft.record, update, self._now)[0]
        return draft

    async def _delete(self, delete: Delete) -> list[str]:
        if delete.ids is None:
            drafts = [draft async for draft in self._within(delete.scope, None, delete.where)]
        else:
            drafts = [
                draft
                for draft in await self.find(delete.scope, list(dict.fromkeys(delete.ids)))
                if draft.record is not None and (delete.where is None or matches(draft.record, delete.where))
            ]
        return [await self._remove(draft) for draft in drafts]

    async def sweep(self, documents: Iterable[Document]) -> int:
        """Remove the expired ones among these; how many they are."""
        gone = [d for d in self.taken(documents) if d.record is not None and not _alive(d.record, self._now)]
        for draft in gone:
            await self._remove(draft)
        return len(gone)

    async def _touch(self, touch: Touch) -> None:
        scope = Scope(tenant_id=touch.tenant_id)
        for draft in await self.find(scope, list(touch.accesses)):
            record = draft.record
            assert record is not None
            count, last = touch.accesses[record.id]
            latest = max(last, record.last_accessed_at or last)
            draft.record = replace(record, access_count=record.access_count + count, last_accessed_at=latest)

    async def _link(self, operation: SetLink) -> None:
        link, source = operation.link, await self._there(operation.scope, operation.source)
        target = await self._there(operation.scope, link.target)
        assert source.record is not None
        links = {(each.target, each.kind): each for each in source.record.links}
        before = links.get((link.target, link.kind))
        at = before.created_at if before is not None else link.created_at or self._now
        links[link.target, link.kind] = Link(
            target=link.target, kind=link.kind, strength=link.strength, created_at=at
        )
        source.record = replace(source.record, links=tuple(links.values()))
        source.relations.append((target, link.kind, link.strength))
        target.linked = True

    async def _unlink(self, operation: Unlink) -> int:
        source = await self._there(operation.scope, operation.source)
        target = await self._there(operation.scope, operation.target)
        assert source.record is not None
        links = source.record.links
        gone = [x for x in links if x.target == operation.target and operation.kind in (None, x.kind)]
        if gone:
            source.record = replace(source.record, links=tuple(link for link in links if link not in gone))
            source.relations += [(target, link.kind, 0.0) for link in gone]
        return len(gone)

    async def _remove(self, draft: Draft) -> str:
        """Remove one, and the relationships that point to it."""
        record = draft.record
        assert record is not None
        draft.record = None
        self._of.pop((record.scope.tenant_id, record.id), None)
        if draft.linked:
            async for other in self._within(Scope(tenant_id=record.scope.tenant_id), None, None):
                if other.record is not None and any(link.target == record.id for link in other.record.links):
                    left = tuple(link for link in other.record.links if link.target != record.id)
                    other.record = replace(other.record, links=left)
        return record.id

    # --------------------------------------------------------------------------------------- what is read

    async def _there(self, scope: Scope, id: str) -> Draft:
        for draft in await self.find(scope, [id]):
            if draft.record is not None and _alive(draft.record, self._now):
                return draft
        raise NotFound(f"no memory {id!r} in this scope", part=self._peer.part)

    async def _within(self, scope: Scope, now: datetime | None, where: Where | None) -> AsyncIterator[Draft]:
        if not self._covers(scope):
            await self._list(scope)
        for draft in list(self._all):
            record = draft.record
            if record is None or not scope.sees(record.scope) or (now and not _alive(record, now)):
                continue
            if where is None or matches(record, where):
                yield draft

    async def _list(self, scope: Scope) -> None:
        self.taken(await self._peer._all(scope))
        self._listed.append(scope)

    def _covers(self, scope: Scope) -> bool:
        return any(listed.sees(scope) for listed in self._listed)

    def _met(self, draft: Draft) -> Draft:
        assert draft.record is not None
        self._of.setdefault((draft.record.scope.tenant_id, draft.record.id), draft)
        self._all.append(draft)
        return draft


def _alive(record: Record, now: datetime) -> bool:
    return record.expires_at is None or record.expires_at > now


def _given_by_us(id: str) -> bool:
    """Whether an id is a fresh one of memwell's (UUIDv7), which the service's own may replace."""
    return len(id) == 36 and id[14] == "7" and id.count("-") == 4
