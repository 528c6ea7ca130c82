"""Base of stores that keep memories in another memory service.

An adapter writes the hooks at the end. Each memory of the service is one `Document`; what the service cannot do with
it (filters, duplicates, order) is done here, with what the service lists.

**Ids.** The service gives ids. A memory whose id memwell made gets that of the service; an id of the caller's own
travels with the memory, and finding it may take a listing.

**Recall.** With `recall="server"`, a question without a filter goes to the service, and what it finds is ranked here
by words, times and the similarity that the service gave. With a filter, by words alone, or with `recall="listing"`, all
memories of the scope are listed and ranked; the service is asked as well, unless words alone are wanted.

**Housekeeping.** To count a recall is to change a memory in the service, and to remove what has expired is to list all
that there is. Both are done with `housekeeping=true` only; without it, expired memories are not returned, but stay.

**Writes.** Everything is checked before anything is sent. If a request fails, those before it are undone; where that
fails, too, the error says so.
"""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextvars import ContextVar
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar, Final, TypeAlias, TypeVar

from memwell import _bridge
from memwell.backends.remote.documents import Document
from memwell.backends.remote.drafts import Draft, Drafts, TooMany
from memwell.backends.remote.listing import Analyses, search_in
from memwell.errors import ConfigError, MemwellError
from memwell.ports import Operation, Store, unsupported
from memwell.ports.store.search import Found, Search
from memwell.ports.store.visibility import EVER
from memwell.types import Link, Record, Scope, Where

__all__ = ["Nearest", "RemoteStore"]

T = TypeVar("T")
Nearest: TypeAlias = tuple[Document, float | None]
"""What the service found, and how similar it says that it is, 0..1."""

_FRESH: Final = 5.0
"""Seconds for which what a search brought is used by the reading that follows it."""

_brought: ContextVar[tuple[object, float, dict[tuple[str, str], Record]] | None] = ContextVar(
    "_brought", default=None
)


class RemoteStore(Store):
    """See the module. Writes of one event loop go one after the other; those of others are not waited for."""

    relates: ClassVar[bool] = False
    """Whether relationships are kept."""
    searches_rows: ClassVar[bool] = True
    """Whether a search answers with the memories themselves, and not with copies beside its vectors."""
    at_once: int = 8
    """Requests of one call that run at the same time."""

    def __init__(self, *, recall: str, housekeeping: bool) -> None:
        if recall not in ("server", "listing"):
            raise ConfigError("recall is server or listing", part=self.part)
        self._recall, self.housekeeping = recall, housekeeping
        """Whether recalls are counted and expired memories removed."""
        self._writing = _bridge.PerLoopLock(blocking=False)
        self._analyses = Analyses()

    # -------------------------------------------------------------------------------------------- writes

    async def _write(self, operations: Sequence[Operation], now: datetime) -> list[Any]:
        _brought.set(None)
        async with self._writing:
            drafts = Drafts(self, now, operations)
            results = [await drafts.apply(operation) for operation in operations]
            renamed = await self._send(drafts.changed())
        return [_renamed(result, renamed) for result in results]

    async def _sweep(self, now: datetime) -> int:
        if not self.housekeeping:
            raise unsupported(
                self.part, "sweep", "open it with housekeeping=true, at the cost of listing everything"
            )
        async with self._writing:
            drafts = Drafts(self, now)
            count = await drafts.sweep(await self._everything())
            await self._send(drafts.changed())
        return count

    async def _send(self, drafts: Sequence[Draft]) -> dict[str, str]:
        """Tell the service; id that memwell made → id that the service gave."""
        undo: list[Callable[[], Awaitable[None]]] = []
        try:
            return await self._sent(drafts, undo)
        except BaseException as error:
            await self._undone(undo, error)
            raise

    async def _sent(
        self, drafts: Sequence[Draft], undo: list[Callable[[], Awaitable[None]]]
    ) -> dict[str, str]:
        fresh = [draft for draft in drafts if draft.document is None]
        kept = [draft for draft in drafts if draft.document is not None and draft.record is not None]
        gone = [draft for draft in drafts if draft.record is None]
        given: dict[str, str] = {}

        async def add(draft: Draft) -> None:
            assert draft.record is not None
            draft.key = await self._add(draft)
            undo.append(lambda: self._remove(draft))
            if not draft.named:
                given[draft.record.id] = draft.key

        async def change(draft: Draft) -> None:
            before = draft.document
            assert before is not None
            await self._replace(before, draft)
            undone = Draft(before, before.record, named=before.named, linked=before.linked)
            undo.append(lambda: self._replace(before, undone))

        await self._each([lambda d=draft: add(d) for draft in fresh])  # type: ignore[misc]
        linked = [draft for draft in fresh if draft.record is not None and draft.record.links]
        for draft in [*linked, *kept]:
            assert draft.record is not None
            draft.record = _renamed(draft.record, given)
        for draft in linked:
            (draft.document,) = await self._fetched(draft.owner, [draft.key])
        await self._each([lambda d=draft: change(d) for draft in [*kept, *linked]])  # type: ignore[misc]
        await self._relate(drafts)
        await self._each([lambda d=draft: self._remove(d) for draft in gone])  # type: ignore[misc]
        return given

    async def _undone(self, undo: Sequence[Callable[[], Awaitable[None]]], error: BaseException) -> None:
        left = 0
        for call in reversed(undo):
            try:
                await call()
            except MemwellError:
                left += 1
        if left:
            error.add_note(f"{left} of {len(undo)} changes made before could not be undone in {self.part}")

    async def _each(self, calls: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
        """Their results in order, a few at the same time. Raises the first error when all have ended."""
        slots = asyncio.Semaphore(self.at_once)

        async def limited(call: Callable[[], Awaitable[T]]) -> T:
            async with slots:
                return await call()

        found = await _bridge.gather(
            [lambda c=call: limited(c) for call in calls],  # type: ignore[misc]
            blocking=False,
        )
        results = []
        for result in found:
            if isinstance(result, Exception):
                raise result
            results.append(result)
        return results

    # --------------------------------------------------------------------------------------------- reads

    async def _get(self, scope: Scope, ids: Sequence[str], now: datetime) -> list[Record]:
        brought = self._taken_along(scope, ids)
        if brought is None:
            found = await Drafts(self, now).find(scope, ids)
            brought = [draft.record for draft in found if draft.record is not None]
        return [record for record in brought if record.expires_at is None or record.expires_at > now]

    def _taken_along(self, scope: Scope, ids: Sequence[str]) -> list[Record] | None:
        """The records that a search of this very call has brought, if they are all there: once, and for seconds."""
        kept = _brought.get()
        _brought.set(None)
        if kept is None or kept[0] is not self or time.monotonic() - kept[1] > _FRESH:
            return None
        found = [kept[2].get((scope.tenant_id, id)) for id in ids]
        records = [record for record in found if record is not None and scope.sees(record.scope)]
        return records if len(records) == len(ids) else None

    async def _scan(
        self,
        scope: Scope,
        now: datetime,
        where: Where | None,
        order: str,
        descending: bool,
        limit: int,
        after: tuple[Any, str] | None,
    ) -> list[Record]:
        records = await Drafts(self, now).within(scope, now, where)
        found = sorted(
            [(getattr(record, order), record.id, record) for record in records],
            key=lambda item: item[:2],
            reverse=descending,
        )
        if after is not None:
            found = [item for item in found if (item[:2] < after if descending else item[:2] > after)]
        return [record for _, _, record in found[:limit]]

    async def _count(self, scope: Scope, now: datetime, where: Where | None) -> int:
        return len(await Drafts(self, now).within(scope, now, where))

    async def _links(self, scope: Scope, ids: Sequence[str], incoming: bool) -> list[tuple[str, Link]]:
        if not self.relates:
            return await super()._links(scope, ids, incoming)
        drafts = Drafts(self, EVER)
        wanted = {d.record.id: d for d in await drafts.find(scope, list(dict.fromkeys(ids))) if d.record}
        if incoming:
            if not any(draft.linked for draft in wanted.values()):
                return []
            records = await drafts.within(Scope(tenant_id=scope.tenant_id), None)
            found = [(r.id, link) for r in records for link in r.links if link.target in wanted]
            return sorted(found, key=lambda pair: (pair[1].created_at or EVER, pair[0]))
        pairs = [(id, link) for id, draft in wanted.items() if draft.record for link in draft.record.links]
        tenant = Scope(tenant_id=scope.tenant_id)
        there = await drafts.find(tenant, list(dict.fromkeys(link.target for _, link in pairs)))
        targets = {draft.record.id for draft in there if draft.record}
        return [(id, link) for id, link in pairs if link.target in targets]

    async def _search(self, search: Search) -> Found:
        if search.vectors is not None:
            raise unsupported(self.part, "vectors", "omit embedder=: the service embeds texts itself")
        notes: tuple[str, ...] = ()
        found = None if search.text is None else await self._nearest(search.scope, search.text, search.pool)
        if self._recall == "server" and found and not _needs_listing(search):
            records = _records(document for document, _ in found)
        else:
            records, notes = await self._listed(search, found)
        records = [record for record in records if search.scope.sees(record.scope)]
        if self.searches_rows:
            _brought.set((self, time.monotonic(), {(r.scope.tenant_id, r.id): r for r in records}))
        similar = None if found is None else {d.record.id: score for d, score in found if score is not None}
        answer = search_in(records, search, similar, self._analyses, part=self.part)
        return replace(answer, notes=(*answer.notes, *notes))

    async def _listed(
        self, search: Search, found: Sequence[Nearest] | None
    ) -> tuple[list[Record], tuple[str, ...]]:
        """All records of the scope, or those that the service found if they are too many for a listing."""
        try:
            return _records(await self._all(search.scope)), ()
        except TooMany as error:
            if not found:
                raise
            note = f"{error.message}: ranked among the {len(found)} that it found for the question"
            return _records(document for document, _ in found), (note,)

    # --------------------------------------------------------------------------------- hooks of an adapter

    @abstractmethod
    async def _all(self, scope: Scope) -> list[Document]:
        """At least every memory that the scope sees, expired or not. Raises `TooMany`, or `NotSupported`."""

    @abstractmethod
    async def _everything(self) -> list[Document]:
        """Every memory of every tenant. Raises `TooMany`, or `NotSupported`."""

    @abstractmethod
    async def _fetched(self, scope: Scope, ids: Sequence[str]) -> list[Document]:
        """The memories whose id in the service is one of these, whether the scope sees them or not; ids of another form
        are left out.
        """

    async def _named(self, scope: Scope, id: str) -> list[Document] | None:
        """Memories that may have an id of the caller's own; `None`: list the scope."""
        del scope, id
        return None

    @abstractmethod
    async def _alike(self, record: Record) -> list[Document]:
        """Memories of the same owner, among which is an exact duplicate of the record if there is one."""

    @abstractmethod
    async def _nearest(self, scope: Scope, text: str, limit: int) -> list[Nearest] | None:
        """What the service finds for a question in the scope, expired or not; `None` if it cannot be asked there."""

    @abstractmethod
    async def _add(self, draft: Draft) -> str:
        """Store a memory; its id in the service."""

    @abstractmethod
    async def _replace(self, before: Document, draft: Draft) -> None:
        """Store a new state of a memory."""

    @abstractmethod
    async def _remove(self, draft: Draft) -> None:
        """Remove a memory. One that is not there is no error."""

    async def _relate(self, drafts: Iterable[Draft]) -> None:
        """Tell the service of relationships that changed."""
        del drafts


def _needs_listing(search: Search) -> bool:
    """Whether what the service finds for a question may lack what the search asks for."""
    return search.where is not None or search.created_until is not None or bool(search.times)


def _records(documents: Iterable[Document]) -> list[Record]:
    return [document.record for document in {document.key: document for document in documents}.values()]


def _renamed(result: Any, given: dict[str, str]) -> Any:
    """A result with the ids that the service gave."""
    if isinstance(result, Record):
        links = tuple(
            replace(link, target=given[link.target]) if link.target in given else link
            for link in result.links
        )
        return replace(result, id=given.get(result.id, result.id), links=links) if given else result
    if isinstance(result, list):
        return [given.get(id, id) for id in result]
    return result
