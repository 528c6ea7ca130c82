"""Rows of the SQLite store to records and back, and the scope as SQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, Final

from memwell import filters
from memwell.backends import sql
from memwell.fields import STORED
from memwell.frozen import EMPTY
from memwell.records.codec import digest as digest_of
from memwell.records.codec import to_micros
from memwell.records.rows import Expressions, reader, writer
from memwell.retrieval.analysis.features import lexemes_and_signals
from memwell.types import Record, Scope, Where

__all__ = [
    "COLUMNS",
    "SELECT",
    "SELECT_BY_ID",
    "Condition",
    "columns_of",
    "condition",
    "record_of",
    "seen",
    "select",
    "select_ids",
    "values_at",
]

SELECT: Final = sql.select(
    "CASE WHEN EXISTS (SELECT 1 FROM links l WHERE l.source = r.key) THEN"
    " (SELECT json_group_array(json_array(t.id, l.kind, memwell_exact(l.strength), l.created_at)) FROM links l"
    " JOIN records t ON t.key = l.target WHERE l.source = r.key) ELSE '[]' END"
)
"""All that `record_of` reads. Links are aggregated only where there are some: it takes as long as the rest of a row."""

SELECT_BY_ID: Final = SELECT.replace("records r", "records r INDEXED BY records_id")
"""The same, where ids are given: without statistics SQLite would rather walk all that the user has."""

COLUMNS: Final = (*STORED, "embedded", "digest", "signals", "lexemes")
"""The columns of `records` but its key, in the order of `columns_of`."""

record_of: Final = reader(
    sql.PLACES,
    {
        "content": "value if type(value) is str else text_of(value)",
        "flag": "value == 1",
        "links": "() if value == '[]' else links_of(loads(value))",
        "metadata": "EMPTY if value == '{}' else json_mapping(value)",
        "share": "float(value)",
        "tags": "() if value == '[]' else tuple(loads(value))",
        "time": "from_micros(value)",
    },
    EMPTY=EMPTY,
)
"""A row of `SELECT` as a record. Raises `Corrupt` naming the record when a column cannot be read."""

_AS_COLUMN: Final[Expressions] = {
    "metadata": "dumps(value) if value else '{}'",
    "tags": "dumps(value) if value else '[]'",
    "time": "to_micros(value)",
}

Condition = tuple[str, list[Any]]
"""SQL text for WHERE over alias `r`, and its bound values."""


def condition(scope: Scope, now: datetime | None, where: filters.Node | Where | None = None) -> Condition:
    """What a call may see: its scope, nothing expired at `now` (`None`: expired too), and the filter."""
    text, owner = _visible(scope, fresh=now is not None)
    bound = [*owner] if now is None else [*owner, to_micros(now)]
    if where is not None:
        from memwell.backends.sqlite.store import filter_sql

        node = filters.parse(where) if not isinstance(where, filters.Node) else where
        more, values = filter_sql.compile(node)
        text = f"{text} AND ({more})"
        bound.extend(values)
    return text, bound


@lru_cache(maxsize=1024)
def _visible(scope: Scope, *, fresh: bool) -> tuple[str, Sequence[Any]]:
    """The condition of a scope, and of what has not expired if `fresh`, with the values of the scope."""
    text, bound = sql.within(scope)
    return (f"{text} AND (r.expires_at IS NULL OR r.expires_at > ?)" if fresh else text), bound


@lru_cache(maxsize=256)
def _select_some(many: int, text: str) -> str:
    """The query for the records with `many` ids under the condition `text`."""
    marks = ", ".join("?" * many)
    return f"{SELECT_BY_ID} WHERE r.id IN ({marks}) AND {text}"


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
    return [record_of(row) for row in connection.execute(_select_some(len(ids), text), [*ids, *values])]


def seen(connection: sqlite3.Connection, scope: Scope, id: str, now: datetime) -> tuple[Any, ...] | None:
    """The row of `SELECT` with an id, if the scope sees it and it has not expired at `now`."""
    query, owner = _seen_by(scope)
    row: tuple[Any, ...] | None = connection.execute(query, (id, *owner, to_micros(now))).fetchone()
    return row


@lru_cache(maxsize=1024)
def _seen_by(scope: Scope) -> tuple[str, Sequence[Any]]:
    text, owner = _visible(scope, fresh=True)
    return f"{SELECT_BY_ID} WHERE r.id = ? AND {text}", owner


@cache
def _writer() -> Callable[[Record], tuple[Any, ...]]:
    return writer(_AS_COLUMN)


def columns_of(record: Record, digest: int, embedded: bool) -> tuple[Any, ...]:
    """The values of `COLUMNS` for a record."""
    lexemes, signals = lexemes_and_signals(record)
    return (*_writer()(record), int(embedded), digest, signals, lexemes)


@cache
def _plain_of(columns: tuple[str, ...]) -> Callable[[Record], tuple[Any, ...]]:
    return writer(_AS_COLUMN, tuple(name for name in columns if name in STORED))


def values_at(columns: tuple[str, ...], record: Record) -> list[Any]:
    """The values of some of `COLUMNS`, in that order, for a record. Its text is analysed only if they need it: those
    made by the analysis are written together.
    """
    values = [*_plain_of(columns)(record)]
    if "embedded" in columns:
        values.append(int(record.embedded))
    if "digest" in columns:
        values.append(digest_of(record))
    if "signals" in columns:
        lexemes, signals = lexemes_and_signals(record)
        values += signals, lexemes
    return values
