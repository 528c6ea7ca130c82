"""Rows of the SQLite store to records and back, and the scope as SQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from memwell import filters
from memwell.backends.sqlite.store import filter_sql
from memwell.errors import Corrupt
from memwell.records.codec import dumps, from_micros, loads, to_micros
from memwell.retrieval.analysis.features import lexemes_and_signals
from memwell.types import Link, Record, Scope, Where

__all__ = [
    "COLUMNS",
    "SELECT",
    "SELECT_BY_ID",
    "Condition",
    "columns_of",
    "condition",
    "record_of",
    "select",
    "select_ids",
]

SELECT = (
    "SELECT r.key, r.tenant_id, r.id, r.user_id, r.agent_id, r.session_id, r.namespace, r.kind, r.category, r.tier,"
    " r.source, r.importance, r.version, r.reinforced, r.embedded, r.created_at, r.updated_at, r.expires_at, r.tags,"
    " r.metadata, r.content, a.count, a.at,"
    " (SELECT json_group_array(json_array(t.id, l.kind, l.strength, l.created_at)) FROM links l"
    " JOIN records t ON t.key = l.target WHERE l.source = r.key)"
    " FROM records r LEFT JOIN access a ON a.key = r.key"
)
"""All that `record_of` reads."""

SELECT_BY_ID = SELECT.replace("records r", "records r INDEXED BY records_id")
"""The same, where ids are given: without statistics SQLite would rather walk all that the user has."""

COLUMNS = (
    "tenant_id", "id", "user_id", "agent_id", "session_id", "namespace", "kind", "category", "tier", "source",
    "importance", "version", "reinforced", "embedded", "digest", "created_at", "updated_at", "expires_at", "tags",
    "signals", "lexemes", "metadata", "content",
)  # fmt: skip
"""The columns of `records` but its key, in the order of `columns_of`."""

Condition = tuple[str, list[Any]]
"""SQL text for WHERE over alias `r`, and its bound values."""


def condition(scope: Scope, now: datetime | None, where: filters.Node | Where | None = None) -> Condition:
    """What a call may see: its scope, nothing expired at `now` (`None`: expired too), and the filter."""
    terms, values = ["r.tenant_id = ?"], [scope.tenant_id]
    for name in ("user_id", "agent_id", "session_id", "namespace"):
        value = getattr(scope, name)
        if value is not None:
            terms.append(f"r.{name} = ?")
            values.append(value)
    bound: list[Any] = [*values]
    if now is not None:
        terms.append("(r.expires_at IS NULL OR r.expires_at > ?)")
        bound.append(to_micros(now))
    if where is not None:
        node = filters.parse(where) if not isinstance(where, filters.Node) else where
        text, more = filter_sql.compile(node)
        terms.append(f"({text})")
        bound.extend(more)
    return " AND ".join(terms), bound


def select(
    connection: sqlite3.Connection, where: Condition, tail: str = "", more: Sequence[Any] = ()
) -> list[Record]:
    """The records under a condition; `tail` orders and limits."""
    text, values = where
    rows = connection.execute(f"{SELECT} WHERE {text} {tail}", [*values, *more])
    return [record_of(row) for row in rows]


def select_ids(connection: sqlite3.Connection, ids: Sequence[str], where: Condition) -> list[Record]:
    """The records with these ids under a condition, in any order."""
    text, values = where
    marks = ", ".join("?" * len(ids))
    rows = connection.execute(f"{SELECT_BY_ID} WHERE r.id IN ({marks}) AND {text}", [*ids, *values])
    return [record_of(row) for row in rows]


def record_of(row: Sequence[Any]) -> Record:
    """A row of `SELECT` as a record. Raises `Corrupt` naming the record when a column cannot be read."""
    try:
        return Record(
            id=row[2],
            scope=Scope(
                tenant_id=row[1], user_id=row[3], agent_id=row[4], session_id=row[5], namespace=row[6]
            ),
            kind=row[7],
            category=row[8],
            tier=row[9],
            source=row[10],
            importance=float(row[11]),
            version=row[12],
            reinforced=row[13],
            embedded=row[14] == 1,
            created_at=from_micros(row[15]),
            updated_at=from_micros(row[16]),
            expires_at=None if row[17] is None else from_micros(row[17]),
            tags=() if row[18] == "[]" else tuple(loads(row[18])),
            metadata={} if row[19] == "{}" else _mapping(loads(row[19])),
            content=_text(row[20]),
            access_count=row[21] or 0,
            last_accessed_at=None if row[22] is None else from_micros(row[22]),
            links=() if row[23] == "[]" else tuple(_links(loads(row[23]))),
        )
    except (TypeError, ValueError, OverflowError, Corrupt) as error:
        raise Corrupt(f"record {row[2]!r} cannot be read: {error}; run `memwell doctor`") from error


def columns_of(record: Record, mark: int, embedded: bool) -> tuple[Any, ...]:
    """The values of `COLUMNS` for a record, with its projections; `mark` is its digest."""
    scope = record.scope
    lexemes, signals = lexemes_and_signals(record)
    return (
        scope.tenant_id,
        record.id,
        scope.user_id,
        scope.agent_id,
        scope.session_id,
        scope.namespace,
        record.kind,
        record.category,
        record.tier,
        record.source,
        record.importance,
        record.version,
        record.reinforced,
        int(embedded),
        mark,
        to_micros(record.created_at),
        to_micros(record.updated_at),
        None if record.expires_at is None else to_micros(record.expires_at),
        dumps(record.tags) if record.tags else "[]",
        signals,
        lexemes,
        dumps(record.metadata) if record.metadata else "{}",
        record.content,
    )


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"metadata is stored as {type(value).__name__}")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"content is stored as {type(value).__name__}")
    return value


def _links(found: Iterable[Sequence[Any]]) -> list[Link]:
    return [Link(target=t, kind=k, strength=s, created_at=from_micros(at)) for t, k, s, at in found]
