"""A write whose answer was lost: what of it has happened, and must not be sent again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeAlias

from memwell.ports import Append, Delete, Embed, Insert, Operation, Recode, Store, Unlink, Update
from memwell.types import Record, Scope

__all__ = ["Key", "happened", "key_of", "reconcile", "targets"]

Key: TypeAlias = tuple[str, str]
"""Tenant and id."""


async def reconcile(store: Store, operations: Sequence[Operation], *, now: datetime) -> dict[int, Any]:
    """The operations that must not be sent again: index in `operations` → result.

    - An `Insert` whose record is there under its own id: sent again it would count as a repetition. If the id was new
      (not `named`), the whole transaction has happened, and none of it is sent again.
    - An `Update` with an expected version that has happened: sent again it would conflict with itself.

    Others can be sent again. What that cannot repair: an insert that reinforced a record with another id, and a
    `Touch`, count twice; a `Delete` or `Unlink` returns what the repetition removed, which may be nothing.
    """
    return happened(operations, await targets(store, operations, now=now))


async def targets(store: Store, operations: Sequence[Operation], *, now: datetime) -> dict[Key, Record]:
    """The records that inserts and updates name, as they are now; one call for each tenant."""
    ids: dict[str, list[str]] = {}
    for key in map(key_of, operations):
        if key is not None:
            ids.setdefault(key[0], []).append(key[1])
    return {
        (tenant, record.id): record
        for tenant, names in ids.items()
        for record in await store.get(Scope(tenant_id=tenant), list(dict.fromkeys(names)), now=now)
    }


def key_of(operation: Operation) -> Key | None:
    """The record that an insert or update names; `None` for other operations."""
    if isinstance(operation, Insert):
        return operation.record.scope.tenant_id, operation.record.id
    if isinstance(operation, Update):
        return operation.scope.tenant_id, operation.id
    return None


def happened(operations: Sequence[Operation], found: dict[Key, Record]) -> dict[int, Any]:
    """See `reconcile`; `found` are the `targets` of the operations."""
    done: dict[int, Any] = {}
    certain = deleted = False
    for place, operation in enumerate(operations):
        if isinstance(operation, Delete):
            deleted = (
                True  # sent again, it may take what a later insert has put: that one is sent again as well
            )
        elif isinstance(operation, Insert):
            record = operation.record
            stored = found.get((record.scope.tenant_id, record.id))
            same = stored is not None and (stored.scope, stored.content) == (record.scope, record.content)
            if stored and same and all(getattr(stored, n) == getattr(record, n) for n in operation.overwrite):
                certain = certain or not operation.named
                if not deleted:
                    done[place] = stored
        elif isinstance(operation, Update) and operation.expected_version is not None:
            stored = found.get((operation.scope.tenant_id, operation.id))
            newer = stored is not None and stored.version > operation.expected_version
            if stored and newer and replace(stored, **operation.changes) == stored:
                done[place] = stored
    if done and all(place in done or isinstance(one, Append) for place, one in enumerate(operations)):
        certain = True  # the entries of what has happened were appended with it
    if certain:
        for place, operation in enumerate(operations):
            done.setdefault(place, _result(operation, found))
    return done


def _result(operation: Operation, found: dict[Key, Record]) -> Any:
    """The result of an operation that has happened, as far as it is still known."""
    if isinstance(operation, Insert):
        return found.get((operation.record.scope.tenant_id, operation.record.id), operation.record)
    if isinstance(operation, Update):
        return found.get((operation.scope.tenant_id, operation.id))
    if isinstance(operation, Delete):
        return list(operation.ids or ())
    if isinstance(operation, Embed | Recode):
        return True
    return 0 if isinstance(operation, Unlink) else None
