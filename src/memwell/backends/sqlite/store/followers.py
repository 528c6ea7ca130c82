"""The change sequence of a SQLite store: reading and trimming it, its followers, their positions and leases."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta

from memwell.errors import NotSupported
from memwell.ports import Change
from memwell.records.codec import to_micros

__all__ = ["advance", "changes", "claim", "trim"]

_KEPT = 20_000
"""Entries that stay in any case: the caches of other processes follow them."""
_WAITED = 1_000_000
"""Changes are not kept for a follower that is farther behind; it has to start again."""
_GONE = timedelta(days=30)
"""A follower that was not updated for this long is removed, and starts again if it comes back."""


def changes(connection: sqlite3.Connection, after: int, limit: int) -> list[Change]:
    """See `Store.changes`. The connection stands in a snapshot."""
    first = connection.execute("SELECT min(seq) FROM changes").fetchone()[0]
    if first is not None and after < first - 1:
        raise NotSupported(
            f"the changes after {after} were trimmed; read the whole store again", part="sqlite"
        )
    rows = connection.execute(
        "SELECT c.seq, c.deleted, coalesce(c.tenant_id, r.tenant_id),"
        " CASE WHEN c.deleted THEN c.user_id ELSE r.user_id END, coalesce(c.id, r.id)"
        " FROM changes c LEFT JOIN records r ON r.key = c.key"
        " WHERE c.seq > ? AND (c.deleted OR r.key IS NOT NULL) ORDER BY c.seq LIMIT ?",
        (after, limit),
    )
    return [
        Change(seq=seq, kind="delete" if deleted else "put", tenant_id=tenant, user_id=user, id=id)
        for seq, deleted, tenant, user, id in rows
    ]


def trim(connection: sqlite3.Connection, now: datetime) -> None:
    """Remove old entries that every follower has passed, and followers that are no more."""
    connection.execute("DELETE FROM followers WHERE held_until < ?", (to_micros(now - _GONE),))
    connection.execute(
        "DELETE FROM changes WHERE seq <= (SELECT max(seq) FROM changes) - ?1"
        " AND seq <= max(coalesce((SELECT min(position) FROM followers), 9223372036854775807),"
        " (SELECT max(seq) FROM changes) - ?2)",
        (_KEPT, _WAITED),
    )


def claim(
    connection: sqlite3.Connection, follower: str, holder: str, seconds: float, now: datetime
) -> int | None:
    """See `Store.claim`."""
    at = to_micros(now)
    connection.execute("INSERT OR IGNORE INTO followers (name, position) VALUES (?, 0)", (follower,))
    row = connection.execute(
        "UPDATE followers SET holder = ?1, held_until = ?2 WHERE name = ?3"
        " AND (holder IS NULL OR holder = ?1 OR held_until <= ?4) RETURNING position",
        (holder, at + int(seconds * 1_000_000), follower, at),
    ).fetchone()
    return None if row is None else int(row[0])


def advance(connection: sqlite3.Connection, follower: str, holder: str, position: int, release: bool) -> bool:
    """See `Store.advance`."""
    keeper = None if release else holder
    done = connection.execute(
        "UPDATE followers SET position = ?, holder = ? WHERE name = ? AND holder = ?",
        (position, keeper, follower, holder),
    )
    return done.rowcount == 1
