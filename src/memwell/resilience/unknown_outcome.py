"""What is known of a write whose answer was lost: which of its operations must not be sent again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from memwell.ports import Delete, Embed, Insert, Operation, Store, Unlink, Update
from memwell.types import Record, Scope

__all__ = ["reconcile"]


async def reconcile(store: Store, operations: Sequence[Operation], *, now: datetime) -> dict[int, Any]:
    """Of a write whose answer was lost: place → result of those operations that must not be sent again.

    - An `Insert` whose record stands under its own id: sent again it would count as remembered once more. If the id
      was new (not `named`), the whole transaction has happened, and none of it is sent again.
    - An `Update` of an expected version that has happened: sent again it would conflict with itself.

    Others can be sent again. What that cannot mend: an insert that reinforced a record with another id, and a `Touch`,
    count twice; a `Delete` or `Unlink` tells what the repetition removed, which may be nothing.
    """
    there = await _standing(store, operations, now)
    done: dict[int, Any] = {}
    certain = cleared = False
    for place, operation in enumerate(operations):
        if isinstance(operation, Delete):
            cleared = (
                True  # sent again, it may take what a later insert has put: that one is sent again as well
            )
        elif isinstance(operation, Insert):
            record = operation.record
            found = there.get((record.scope.tenant_id, record.id))
            same = found is not None and (found.scope, found.content) == (record.scope, record.content)
            if found and same and all(getattr(found, n) == getattr(record, n) for n in operation.overwrite):
                certain = certain or not operation.named
                if not cleared:
                    done[place] = found
        elif isinstance(operation, Update) and operation.expected_version is not None:
            found = there.get((operation.scope.tenant_id, operation.id))
            newer = found is not None and found.version > operation.expected_version
            if found and newer and replace(found, **operation.changes) == found:
                done[place] = found
    if certain:
        for place, operation in enumerate(operations):
            done.setdefault(place, _afterwards(operation, there))
    return done


async def _standing(
    store: Store, operations: Sequence[Operation], now: datetime
) -> dict[tuple[str, str], Record]:
    """The records that inserts and updates name, as they stand now, by tenant and id; one call a tenant."""
    named: dict[str, list[str]] = {}
    for operation in operations:
        if isinstance(operation, Insert):
            named.setdefault(operation.record.scope.tenant_id, []).append(operation.record.id)
        elif isinstance(operation, Update):
            named.setdefault(operation.scope.tenant_id, []).append(operation.id)
    return {
        (tenant, record.id): record
        for tenant, ids in named.items()
        for record in await store.get(Scope(tenant_id=tenant), list(dict.fromkeys(ids)), now=now)
    }


def _afterwards(operation: Operation, there: dict[tuple[str, str], Record]) -> Any:
    """The result of an operation that has happened, as far as it can still be told."""
    if isinstance(operation, Insert):
        return there.get((operation.record.scope.tenant_id, operation.record.id), operation.record)
    if isinstance(operation, Update):
        return there.get((operation.scope.tenant_id, operation.id))
    if isinstance(operation, Delete):
        return list(operation.ids or ())
    if isinstance(operation, Embed):
        return True
    return 0 if isinstance(operation, Unlink) else None
