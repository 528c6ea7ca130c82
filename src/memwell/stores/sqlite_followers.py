"""Who follows the change sequence of a SQLite store, how far each has come, and who may feed it now."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from memwell.codec import to_micros

__all__ = ["advance", "claim"]


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
