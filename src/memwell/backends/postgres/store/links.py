"""Relationships of the PostgreSQL store: one statement each, which locks both ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from memwell.backends.postgres.store.locking import WRITING
from memwell.backends.postgres.store.rows import visible
from memwell.errors import NotFound
from memwell.ports import SetLink, Unlink
from memwell.types import Scope

if TYPE_CHECKING:
    from memwell.backends.postgres.store.writes import Write

__all__ = ["set_link", "unlink"]


async def set_link(write: Write, operation: SetLink) -> None:
    """Store a relationship, or change its strength. Raises `NotFound` unless both ends are in the scope."""
    link = operation.link
    ends, values = _ends(write, operation.scope, operation.source, link.target)
    rows = await write.rows(
        f"WITH {WRITING}, ends AS ({ends}), put AS (INSERT INTO links AS l SELECT source, target, %s, %s, %s FROM ends"
        " ON CONFLICT (source, target, kind) DO UPDATE SET strength = excluded.strength),"
        " note AS (INSERT INTO changes (ordinal, key) SELECT %s, source FROM ends) SELECT source FROM ends",
        [*values, link.kind, float(link.strength), link.created_at or write.now, write.ordinal()],
    )
    if not rows:
        await _missing(write, operation.scope, operation.source, link.target)


async def unlink(write: Write, operation: Unlink) -> int:
    """Remove relationships between two records; returns how many. Raises `NotFound` unless both are in the scope."""
    ends, values = _ends(write, operation.scope, operation.source, operation.target)
    rows = await write.rows(
        f"WITH {WRITING}, ends AS ({ends}), gone AS (DELETE FROM links l USING ends WHERE l.source = ends.source"
        " AND l.target = ends.target AND l.kind = coalesce(%s::text, l.kind) RETURNING 1),"
        " note AS (INSERT INTO changes (ordinal, key) SELECT %s, source FROM ends WHERE EXISTS (SELECT FROM gone))"
        " SELECT (SELECT count(*) FROM gone) FROM ends",
        [*values, operation.kind, write.ordinal()],
    )
    if not rows:
        await _missing(write, operation.scope, operation.source, operation.target)
    return int(rows[0][0])


def _ends(write: Write, scope: Scope, source: str, target: str) -> tuple[str, list[Any]]:
    """The keys of both ends of a relationship, locked against removal."""
    of_source, bound = visible(scope, write.now, "s", by_id=True)
    of_target, more = visible(scope, write.now, "t", by_id=True)
    text = (
        "SELECT s.key AS source, t.key AS target FROM writing, records s, records t"
        f" WHERE ok AND s.id = %s AND {of_source} AND t.id = %s AND {of_target} FOR KEY SHARE OF s, t"
    )
    return text, [source, *bound, target, *more]


async def _missing(write: Write, scope: Scope, *ids: str) -> None:
    """Raise `NotFound` for the first id that does not exist."""
    text, values = visible(scope, write.now, by_id=True)
    rows = await write.rows(f"SELECT r.id FROM records r WHERE {text} AND r.id = ANY (%s)", [*values, [*ids]])
    there = {row[0] for row in rows}
    missing = next((id for id in ids if id not in there), ids[0])
    raise NotFound(f"no memory {missing!r} in this scope", part="postgres")
