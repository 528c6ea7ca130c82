"""The smallest store: records in a dict, in four hooks. What it does not have raises `NotSupported`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from memwell.capabilities import Capabilities
from memwell.errors import Conflict, NotFound
from memwell.filters import matches
from memwell.ports import Delete, Insert, Operation, Store, Touch, Update, unsupported
from memwell.records.codec import digest
from memwell.records.revisions import overwriting, reinforced, revised
from memwell.types import Record, Scope, Where


class SmallStore(Store):
    """See the module. It has no history: an update replaces the version before."""

    part = "small"
    blocking = True

    def __init__(self) -> None:
        self._records: dict[tuple[str, str], Record] = {}

    @property
    def capabilities(self) -> Capabilities:
        """Writes are atomic, and every filter is evaluated."""
        return Capabilities(atomic_batches=True, filters=True)

    async def _write(self, operations: Sequence[Operation], now: datetime) -> list[Any]:
        before = dict(self._records)
        try:
            return [self._apply(operation, now) for operation in operations]
        except BaseException:
            self._records = before
            raise

    def _apply(self, operation: Operation, now: datetime) -> Any:
        if isinstance(operation, Insert):
            return self._insert(operation, now)
        if isinstance(operation, Update):
            return self._update(operation, now)
        if isinstance(operation, Delete):
            found = self._seen(operation.scope, None, operation.where)
            gone = [record for record in found if operation.ids is None or record.id in operation.ids]
            for record in gone:
                del self._records[record.scope.tenant_id, record.id]
            return [record.id for record in gone]
        if isinstance(operation, Touch):
            return self._touch(operation)
        raise unsupported(self.part, type(operation).__name__, "use a store with that capability")

    def _insert(self, insert: Insert, now: datetime) -> Record:
        if insert.embedding is not None or insert.past:
            raise unsupported(
                self.part, "vectors and history", "omit embedder=, import without older versions"
            )
        for found in self._seen(insert.record.scope, now, None):
            same = found.scope == insert.record.scope and digest(found) == digest(insert.record)
            named = insert.named and found.id != insert.record.id
            if same and not named and (not insert.dated or found.created_at == insert.record.created_at):
                again = self._put(reinforced(found, insert.record))
                change = overwriting(insert, again)
                return again if change is None else self._update(change, now)
        held = self._records.get((insert.record.scope.tenant_id, insert.record.id))
        if held is not None and (held.expires_at is None or held.expires_at > now):
            raise Conflict(f"the id {held.id!r} already belongs to another memory", part=self.part)
        return self._put(replace(insert.record, embedded=False))

    def _update(self, update: Update, now: datetime) -> Record:
        for found in self._seen(update.scope, now, {"id": update.id}):
            return self._put(revised(found, update, now)[0])
        raise NotFound(f"no memory {update.id!r} in this scope", part=self.part)

    def _touch(self, touch: Touch) -> None:
        for id, (count, last) in touch.accesses.items():
            found = self._records.get((touch.tenant_id, id))
            if found is not None:
                latest = max(last, found.last_accessed_at or last)
                self._put(replace(found, access_count=found.access_count + count, last_accessed_at=latest))

    def _put(self, record: Record) -> Record:
        self._records[record.scope.tenant_id, record.id] = record
        return record

    def _seen(self, scope: Scope, now: datetime | None, where: Where | None) -> Iterator[Record]:
        """What the scope sees; with `now`, unless it has expired."""
        for record in list(self._records.values()):
            alive = now is None or record.expires_at is None or record.expires_at > now
            if alive and scope.sees(record.scope) and (where is None or matches(record, where)):
                yield record

    async def _get(self, scope: Scope, ids: Sequence[str], now: datetime) -> list[Record]:
        found = {record.id: record for record in self._seen(scope, now, None)}
        return [found[id] for id in ids if id in found]

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
        found = [(getattr(record, order), record.id, record) for record in self._seen(scope, now, where)]
        found.sort(key=lambda item: item[:2], reverse=descending)
        if after is not None:
            found = [item for item in found if (item[:2] < after if descending else item[:2] > after)]
        return [record for _, _, record in found[:limit]]

    async def _sweep(self, now: datetime) -> int:
        gone = [k for k, r in self._records.items() if r.expires_at is not None and r.expires_at <= now]
        for key in gone:
            del self._records[key]
        return len(gone)
