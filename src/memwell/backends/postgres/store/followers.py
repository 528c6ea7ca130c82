"""The change sequence of a PostgreSQL store: reading and trimming it, who follows it, and who may feed it now.

A place in the sequence is a transaction and a place within it, as one number: `transaction << 32 | place`. Transactions
commit in another order than they begin, so that only those are told of before which nothing can come any more: all
transactions of this store below the horizon have finished (`memwell_horizon` in the migration). Nothing is ever
skipped; a change is seen as soon as the writes that began before it are over.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from memwell.backends.postgres import Connection
from memwell.backends.postgres.store.rows import rows_of
from memwell.errors import NotSupported
from memwell.ports import Change

__all__ = ["advance", "changes", "claim", "position", "trim"]

_PLACES: Final = 32
_KEPT: Final = 20_000
"""Entries that stay in any case: the caches of other processes follow them."""
_WAITED: Final = 1_000_000
"""A follower that is farther behind is waited for no longer; it has to begin anew."""


async def position(connection: Connection) -> int:
    """See `Store.position`."""
    rows = await rows_of(connection, "SELECT xid, ordinal FROM memwell_position()")
    if rows:
        return _joined(*rows[0])
    return await _trimmed(connection)


async def changes(connection: Connection, after: int, limit: int) -> list[Change]:
    """See `Store.changes`."""
    rows = await rows_of(
        connection,
        "SELECT xid, ordinal, deleted, tenant_id, user_id, id FROM memwell_changes(%s, %s, %s)",
        [after >> _PLACES, after & ((1 << _PLACES) - 1), limit],
    )
    if after < await _trimmed(connection):
        raise NotSupported(
            f"the changes after {after} were trimmed; read the whole store again", part="postgres"
        )
    return [
        Change(
            seq=_joined(xid, ordinal),
            kind="delete" if deleted else "put",
            tenant_id=tenant,
            user_id=user,
            id=id,
        )
        for xid, ordinal, deleted, tenant, user, id in rows
    ]


async def trim(connection: Connection) -> None:
    """Remove old entries that every follower has passed. Inside a transaction."""
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
    connection: Connection, follower: str, holder: str, seconds: float, now: datetime
) -> int | None:
    """See `Store.claim`."""
    rows = await rows_of(
        connection,
        "INSERT INTO followers AS f (name, position, holder, held_until) VALUES (%s, 0, %s, %s)"
        " ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, held_until = excluded.held_until"
        " WHERE f.holder IS NULL OR f.holder = excluded.holder OR f.held_until <= %s RETURNING position",
        [follower, holder, now + timedelta(seconds=seconds), now],
    )
    return int(rows[0][0]) if rows else None


async def advance(connection: Connection, follower: str, holder: str, place: int, release: bool) -> bool:
    """See `Store.advance`."""
    rows = await rows_of(
        connection,
        "UPDATE followers SET position = %s, holder = %s WHERE name = %s AND holder = %s RETURNING name",
        [place, None if release else holder, follower, holder],
    )
    return bool(rows)


async def _back(connection: Connection, count: int) -> int | None:
    """The place of the entry so many before the last one that followers see."""
    end = await position(connection)
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
