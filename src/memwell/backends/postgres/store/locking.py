"""The locks that a batch takes before it begins, always in the same order, so that batches do not deadlock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from memwell.backends.postgres import Connection
from memwell.ports import Delete, Embed, Insert, Operation, Recode, SetLink, Touch, Unlink, Update
from memwell.records.codec import digest_of

__all__ = ["GATE", "WRITING", "hold", "marks_of"]

GATE: Final = "(1835365240, 'records'::regclass::oid::int)"
"""The lock that `memwell_known` takes in shared mode, and a large transaction in exclusive mode."""
WRITING: Final = "writing AS MATERIALIZED (SELECT memwell_writing() AS ok)"
"""The table expression by which a statement marks its transaction as one that writes."""


def marks_of(operations: Sequence[Operation]) -> list[int]:
    """The digests of what is to be stored, in order."""
    return sorted({digest_of(operation) for operation in operations if isinstance(operation, Insert)})


async def hold(connection: Connection, operations: Sequence[Operation]) -> None:
    """Wait for transactions that store the same content, then for those that change the same records."""
    await connection.execute(
        f"SELECT memwell_writing(), pg_advisory_xact_lock_shared{GATE},"
        " (SELECT count(pg_advisory_xact_lock(mark)) FROM unnest(%s::bigint[]) AS mark)".encode(),
        (marks_of(operations),),
        prepare=True,
    )
    named = {place for operation in operations for place in _named(operation)}
    if len(named) > 1:
        tenants, ids = zip(*named, strict=True)
        await connection.execute(
            "SELECT FROM records r JOIN unnest(%s::text[], %s::text[]) AS given (tenant_id, id)"
            " ON r.tenant_id = given.tenant_id AND r.id = given.id ORDER BY r.key FOR UPDATE OF r",
            (list(tenants), list(ids)),
            prepare=True,
        )


def _named(operation: Operation) -> list[tuple[str, str]]:
    """Tenant and id of the stored records that an operation changes or locks."""
    match operation:
        case Update(scope=scope, id=id):
            return [(scope.tenant_id, id)]
        case Embed(tenant_id=tenant, id=id) | Recode(tenant_id=tenant, id=id):
            return [(tenant, id)]
        case Delete(scope=scope, ids=ids):
            return [(scope.tenant_id, id) for id in ids or ()]
        case SetLink(scope=scope, source=source, link=link):
            return [(scope.tenant_id, source), (scope.tenant_id, link.target)]
        case Unlink(scope=scope, source=source, target=target):
            return [(scope.tenant_id, source), (scope.tenant_id, target)]
        case Touch(tenant_id=tenant, accesses=accesses):
            return [(tenant, id) for id in accesses]
    return []
