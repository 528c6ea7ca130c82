"""Rows of the SQLite store to records and back, and the scope as SQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final

from memwell import filters
from memwell.backends import sql
from memwell.backends.sqlite.store import filter_sql
from memwell.fields import STORED
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
    "select",
    "select_ids",
    "values_at",
]

SELECT: Final = sql.select(
    "SELECT json_group_array(json_array(t.id, l.kind, memwell_exact(l.strength), l.created_at)) FROM links l"
    " JOIN records t ON t.key = l.target WHERE l.source = r.key"
)
"""All that `record_of` reads."""

SELECT_BY_ID: Final = SELECT.replace("records r", "records r INDEXED BY records_id")
"""The same, where ids are given: without statistics SQLite would rather walk all that the user has."""

_ANALYSED: Final = ("signals", "lexemes")
COLUMNS: Final = (*STORED, "embedded", "digest", *_ANALYSED)
"""The columns of `records` but its key, in the order of `columns_of`."""

record_of: Final = reader(
    sql.PLACES,
    {
        "content": "text_of(value)",
        "flag": "value == 1",
        "links": "() if value == '[]' else links_of(loads(value))",
        "metadata": "json_mapping(value)",
        "share": "float(value)",
        "tags": "() if value == '[]' else tuple(loads(value))",
        "time": "from_micros(value)",
    },
)
"""A row of `SELECT` as a record. Raises `Corrupt` naming the record when a column cannot be read."""

_AS_COLUMN: Final[Expressions] = {
    "metadata": "dumps(value) if value else '{}'",
    "tags": "dumps(value) if value else '[]'",
    "time": "to_micros(value)",
}
_values_of: Final = writer(_AS_COLUMN)

Condition = tuple[str, list[Any]]
"""SQL text for WHERE over alias `r`, and its bound values."""


def condition(scope: Scope, now: datetime | None, where: filters.Node | Where | None = None) -> Condition:
    """What a call may see: its scope, nothing expired at `now` (`None`: expired too), and the filter."""
    text, bound = sql.within(scope)
    terms = [text]
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


def columns_of(record: Record, digest: int, embedded: bool) -> tuple[Any, ...]:
    """The values of `COLUMNS` for a record."""
    lexemes, signals = lexemes_and_signals(record)
    return (*_values_of(record), int(embedded), digest, signals, lexemes)


@cache
def _some_of(columns: tuple[str, ...]) -> Callable[[Record], tuple[Any, ...]]:
    return writer(_AS_COLUMN, columns)


def values_at(columns: Sequence[str], record: Record) -> list[Any]:
    """The values of some of `COLUMNS` for a record. Its text is analysed only if one of them needs it."""
    plain = tuple(name for name in columns if name in STORED)
    values = dict(zip(plain, _some_of(plain)(record), strict=True))
    if "embedded" in columns:
        values["embedded"] = int(record.embedded)
    if "digest" in columns:
        values["digest"] = digest_of(record)
    if not set(_ANALYSED).isdisjoint(columns):
        lexemes, signals = lexemes_and_signals(record)
        values |= {"signals": signals, "lexemes": lexemes}
    return [values[name] for name in columns]
