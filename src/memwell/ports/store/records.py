"""Records: whole, durable, found by id and by listing. What is written is in `memwell.ports.store.operations`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, cast

from memwell import ports
from memwell.errors import BackendError
from memwell.ports.base import Port, unsupported
from memwell.ports.declaration import Effect, operation, required
from memwell.ports.store.visibility import (
    visible_links,
    visible_pairs,
    visible_results,
    visible_versions,
)
from memwell.types import Link, Record, Scope, Version, Where

if TYPE_CHECKING:
    from memwell.ports.log import Log
    from memwell.ports.store.operations import Insert, Operation
    from memwell.ports.store.outlines import Outline
    from memwell.types import Report, Stats, Trace

__all__ = ["Records"]

_links: Final = attrgetter("links")


class Records(Port):
    """The role of a store that keeps records: the one that every store has.

    An adapter writes `_write`, `_get`, `_scan` and `_sweep`. The defaults of `_outlines`, `_count`, `_duplicates` and
    `_stats` need no more. Those of `_history`, `_links` and `_check` raise `NotSupported`: an adapter that has the
    first two says so with the capabilities `history` and `links`. That of `_purge` says that it knows nothing of its
    files.
    """

    @operation(Effect.CONDITIONAL, feeds=True)
    async def write(self, operations: Sequence[Operation], *, now: datetime) -> list[Any]:
        """Apply the operations in order in one transaction; one result each, as their classes say.

        When it returns, all are committed. When it raises, none is, unless the error is `Unavailable` without `unsent`:
        then the answer was lost. An empty sequence does nothing. Records have the links that their operation's scope
        sees.
        """
        if not operations:
            return []
        if isinstance(operations[-1], ports.Append) and not self.shares(operations[-1].log):
            raise unsupported(
                self.part, "append", "use a log in the same database, or append to it by itself"
            )
        return await visible_results(self, operations, await self._write(operations, now), now)

    def shares(self, log: Log) -> bool:
        """Whether `write` takes an `Append` to this log, because both are in one database."""
        return False

    @operation(Effect.READS)
    async def get(self, scope: Scope, ids: Sequence[str], *, now: datetime) -> list[Record]:
        """The records with these ids that the scope sees and that have not expired, in the order asked,
        missing left out.

        A record shows links to what the scope sees, and no others: here, and wherever a store gives records.
        """
        if not ids:
            return []
        found = self._inside(scope, await self._get(scope, ids, now))
        return await visible_links(self, scope, found, now) if any(map(_links, found)) else found

    @operation(Effect.READS)
    async def scan(
        self,
        scope: Scope,
        *,
        now: datetime,
        where: Where | None = None,
        order: str = "created_at",
        descending: bool = False,
        limit: int = 100,
        after: tuple[Any, str] | None = None,
    ) -> list[Record]:
        """Up to `limit` records ordered by (`order`, id), those after the position (value, id) if one is
        given.

        A record that exists throughout a walk over the pages and keeps its place in the order is met exactly
        once, whatever is written meanwhile. `order` is `created_at`, `updated_at`, `importance` or `id`.
        """
        found = self._inside(scope, await self._scan(scope, now, where, order, descending, limit, after))
        return await visible_links(self, scope, found, now) if any(map(_links, found)) else found

    @operation(Effect.READS)
    async def outlines(
        self, scope: Scope, *, now: datetime, limit: int = 1000, after: str | None = None
    ) -> list[Outline]:
        """Up to `limit` records as outlines, in the order of their ids, those after an id if one is given: a listing of
        everything that need not read texts. The same records as `scan` with `order="id"`.
        """
        return await self._outlines(scope, now, limit, after)

    @operation(Effect.READS)
    async def count(self, scope: Scope, *, now: datetime, where: Where | None = None) -> int:
        """How many unexpired records the scope sees under the filter."""
        return await self._count(scope, now, where)

    @operation(Effect.READS)
    async def duplicates(self, inserts: Sequence[Insert], *, now: datetime) -> list[bool]:
        """For each insert, whether it would only reinforce a stored record, so that no vectors are needed. A store that
        cannot tell cheaply answers `False`.
        """
        return await self._duplicates(inserts, now)

    @operation(Effect.READS)
    async def history(self, scope: Scope, id: str, *, now: datetime) -> list[Version]:
        """Every version kept, oldest first, the current one last. Raises `NotFound` outside the scope."""
        return await visible_versions(self, scope, await self._history(scope, id, now), now)

    @operation(Effect.READS)
    async def links(self, scope: Scope, ids: Sequence[str], *, incoming: bool) -> list[tuple[str, Link]]:
        """(source id, link) of the relationships that leave these records, or that point to them; the scope sees both
        ends, which may have expired.
        """
        return await visible_pairs(self, scope, await self._links(scope, ids, incoming))

    @operation(Effect.UPKEEP, feeds=True)
    async def sweep(self, now: datetime) -> int:
        """Remove expired records of every tenant; how many went."""
        return await self._sweep(now)

    @operation(Effect.READS)
    async def stats(self, scope: Scope, *, now: datetime) -> Stats:
        """Counts inside the scope."""
        return await self._stats(scope, now)

    @operation(Effect.UPKEEP)
    async def check(self, *, repair: bool = False) -> Report:
        """Compare every projection (words, vectors, links) with the rows; with `repair`, rebuild what
        differs.
        """
        return await self._check(repair)

    @operation(Effect.UPKEEP)
    async def purge(
        self, scope: Scope, ids: Sequence[str], *, texts: Sequence[str] | None = None
    ) -> list[Trace]:
        """Clear away what deleted records leave behind, and read back each place that may still hold some of it.

        Call it after the `Delete` of these ids was committed. `texts` are what the records said: a store may look for
        them in its files; with `None` it does as much as if they were found. Of a place that cannot be reached the
        answer says so, instead of an error.
        """
        from memwell.ports.store import readback

        found = await readback.traces(cast("Any", self), scope, ids)
        return [*found, *await self._purge(scope, ids, texts)]

    def _inside(self, scope: Scope, records: list[Record]) -> list[Record]:
        seen: Scope | None = None
        for record in records:
            owner = record.scope
            if owner is not seen and not scope.sees(owner):
                raise BackendError("the adapter returned a record outside the scope", part=self.part)
            seen = owner  # records of one owner mostly share it
        return records

    @required
    async def _write(self, operations: Sequence[Operation], now: datetime) -> list[Any]:
        raise NotImplementedError

    @required
    async def _get(self, scope: Scope, ids: Sequence[str], now: datetime) -> list[Record]:
        raise NotImplementedError

    @required
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
        raise NotImplementedError

    @required
    async def _sweep(self, now: datetime) -> int:
        raise NotImplementedError

    async def _outlines(self, scope: Scope, now: datetime, limit: int, after: str | None) -> list[Outline]:
        from memwell.ports.store.outlines import outline_of

        position = None if after is None else (after, after)
        return [
            outline_of(record) for record in await self._scan(scope, now, None, "id", False, limit, position)
        ]

    async def _count(self, scope: Scope, now: datetime, where: Where | None) -> int:
        from memwell.ports.store import derived

        return await derived.count(cast("Any", self), scope, now, where)

    async def _duplicates(self, inserts: Sequence[Insert], now: datetime) -> list[bool]:
        return [False] * len(inserts)

    async def _stats(self, scope: Scope, now: datetime) -> Stats:
        from memwell.ports.store import derived

        return await derived.stats(cast("Any", self), scope, now)

    async def _history(self, scope: Scope, id: str, now: datetime) -> list[Version]:
        raise unsupported(self.part, "history", "read the current version with `get`")

    async def _links(self, scope: Scope, ids: Sequence[str], incoming: bool) -> list[tuple[str, Link]]:
        raise unsupported(self.part, "links", "keep relationships in the metadata, or use another store")

    async def _purge(self, scope: Scope, ids: Sequence[str], texts: Sequence[str] | None) -> list[Trace]:
        from memwell.types import Trace

        del scope, ids, texts
        detail = "this store does not say when deleted bytes leave its files, logs and backups"
        return [Trace(place=f"{self.part} storage", state="remains", detail=detail)]

    async def _check(self, repair: bool) -> Report:
        raise unsupported(self.part, "check", "check it with the tools of its own backend")
