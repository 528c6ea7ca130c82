"""The change sequence of a PostgreSQL store: reading and trimming it, and the checkpoints and leases of its followers.

A position in the sequence is a transaction's number and a place within it, as one integer: `transaction << 32 | place`.
Transactions commit in another order than they begin. So only changes below the horizon are returned: all transactions
of this store below it have finished (`memwell_horizon` in the migration). No change is ever skipped; a change becomes
visible as soon as all writes that began before it have finished.

When the server may have lost transactions that were read (`lineage`), the sequence starts over.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from psycopg.errors import InsufficientPrivilege

from memwell.backends.postgres import Connection
from memwell.backends.postgres.store.lineage import STATE, Lineage, State
from memwell.backends.postgres.store.rows import rows_of
from memwell.errors import NotSupported
from memwell.ports import Change

__all__ = ["advance", "changes", "claim", "position", "trim"]

_PLACES: Final = 32
_KEPT: Final = 20_000
"""Entries that are always kept: the caches of other processes follow them."""
_WAITED: Final = 1_000_000
"""Entries kept for a slow follower. One that is farther behind has to read the whole store again."""


async def position(connection: Connection, lineage: Lineage) -> int:
    """See `Store.position`."""
    trimmed, _ = await _observe(connection, lineage)
    return lineage.give(max(trimmed, await _end(connection)))


async def changes(connection: Connection, lineage: Lineage, after: int, limit: int) -> list[Change]:
    """See `Store.changes`."""
    rows = await rows_of(
        connection,
        "SELECT xid, ordinal, deleted, tenant_id, user_id, id FROM memwell_changes(%s, %s, %s)",
        [after >> _PLACES, after & ((1 << _PLACES) - 1), limit],
    )
    trimmed, following = await _observe(connection, lineage)  # after the rows: see `State.written`
    if not lineage.knows(after) or after >> _PLACES >= following:
        raise NotSupported(
            f"the changes after {after} are unknown: this is another server, or it may have lost its last writes; read"
            " the whole store again",
            part="postgres",
        )
    if after < trimmed:
        raise NotSupported(
            f"the changes after {after} were trimmed; read the whole store again", part="postgres"
        )
    found = [
        Change(
            seq=_joined(xid, ordinal),
            kind="delete" if deleted else "put",
            tenant_id=tenant,
            user_id=user,
            id=id,
        )
        for xid, ordinal, deleted, tenant, user, id in rows
    ]
    for change in found:
        lineage.give(change.seq)
    return found


async def _observe(connection: Connection, lineage: Lineage) -> tuple[int, int]:
    """The trimmed position and the next transaction's number, after checking whether the server has lost transactions.
    If so, the sequence is trimmed to its end, once for all processes; then every follower reads the whole store."""
    [(trimmed, following, *said)] = await rows_of(
        connection,
        f"SELECT position, pg_snapshot_xmax(pg_current_snapshot())::text::bigint, {STATE} FROM trimmed",
    )
    state = State(*said)
    if not lineage.observe(state):
        return int(trimmed), following
    end = max(int(trimmed), await _end(connection))
    try:
        await connection.execute(
            "UPDATE trimmed SET position = greatest(position, %s), server = %s WHERE server IS DISTINCT FROM %s",
            (end, state.run, state.run),
        )
    except InsufficientPrivilege:  # a read-only user: only this process starts over
        return end, following
    return await _trimmed(connection), following


async def _end(connection: Connection) -> int:
    """The position of the last change that followers see."""
    rows = await rows_of(connection, "SELECT xid, ordinal FROM memwell_position()")
    return _joined(*rows[0]) if rows else await _trimmed(connection)


async def trim(connection: Connection) -> None:
    """Remove old entries that every follower has passed. Call it inside a transaction."""
    [(least,)] = await rows_of(connection, "SELECT min(position) FROM followers")
    kept = await _back(connection, _KEPT)
    waited = await _back(connection, _WAITED)
    if kept is None:
        return
    until = kept if least is None else min(kept, max(int(least), waited or 0))
    if until <= await _trimmed(connection):
        return
    await connection.execute("UPDATE trimmed SET position = greatest(position, %s)", (until,))
    await connection.execute(
        "DELETE FROM changes WHERE (xid, ordinal) <= (%s, %s)",
        (until >> _PLACES, until & ((1 << _PLACES) - 1)),
    )


async def claim(
    connection: Connection, lineage: Lineage, follower: str, holder: str, seconds: float, now: datetime
) -> int | None:
    """See `Store.claim`."""
    rows = await rows_of(
        connection,
        "INSERT INTO followers AS f (name, position, holder, held_until) VALUES (%s, 0, %s, %s)"
        " ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, held_until = excluded.held_until"
        " WHERE f.holder IS NULL OR f.holder = excluded.holder OR f.held_until <= %s RETURNING position",
        [follower, holder, now + timedelta(seconds=seconds), now],
    )
    await _observe(connection, lineage)
    return lineage.give(int(rows[0][0])) if rows else None


async def advance(connection: Connection, follower: str, holder: str, place: int, release: bool) -> bool:
    """See `Store.advance`."""
    rows = await rows_of(
        connection,
        "UPDATE followers SET position = %s, holder = %s WHERE name = %s AND holder = %s RETURNING name",
        [place, None if release else holder, follower, holder],
    )
    return bool(rows)


async def _back(connection: Connection, count: int) -> int | None:
    """The position of the entry `count` before the last one that followers see."""
    end = await _end(connection)
    rows: list[Any] = await rows_of(
        connection,
        "SELECT xid, ordinal FROM changes WHERE (xid, ordinal) <= (%s, %s)"
        " ORDER BY xid DESC, ordinal DESC OFFSET %s LIMIT 1",
        [end >> _PLACES, end & ((1 << _PLACES) - 1), count],
    )
    return _joined(*rows[0]) if rows else None


async def _trimmed(connection: Connection) -> int:
    rows = await rows_of(connection, "SELECT position FROM trimmed")
    return int(rows[0][0])


def _joined(xid: int, ordinal: int) -> int:
    return xid << _PLACES | ordinal
