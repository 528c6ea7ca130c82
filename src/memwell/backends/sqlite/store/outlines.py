"""Pages of outlines: columns of `records`, without decoding what outlines do not have."""

from __future__ import annotations

import sqlite3
from dataclasses import fields
from datetime import datetime
from typing import Any, Final

from memwell.backends.sqlite.store.rows import condition
from memwell.errors import Corrupt
from memwell.fields import STORED
from memwell.ports.store.outlines import Outline
from memwell.records.codec import from_micros, loads
from memwell.types import Scope

__all__ = ["page"]

_COLUMNS: Final = tuple(field.name for field in fields(Outline) if field.name in STORED)
_SELECT: Final = (
    f"SELECT {', '.join(f'r.{name}' for name in _COLUMNS)},"
    " coalesce(a.count, 0), a.at, length(r.content), length(CAST(r.content AS BLOB))"
    " FROM records r LEFT JOIN access a ON a.key = r.key"
)


def page(
    connection: sqlite3.Connection, scope: Scope, now: datetime, limit: int, after: str | None
) -> list[Outline]:
    """See `Store.outlines`. Raises `Corrupt` naming the record that cannot be read."""
    text, values = condition(scope, now)
    if after is not None:
        text, values = f"{text} AND r.id > ?", [*values, after]
    rows = connection.execute(f"{_SELECT} WHERE {text} ORDER BY r.id LIMIT ?", [*values, limit])
    return [_outline(row) for row in rows]


def _outline(row: tuple[Any, ...]) -> Outline:
    try:
        created, updated, expires, tags, uses, used, length, size = row[12:]
        return Outline(
            *row[:9],
            float(row[9]),
            *row[10:12],
            from_micros(created),
            from_micros(updated),
            None if expires is None else from_micros(expires),
            () if tags == "[]" else tuple(loads(tags)),
            uses,
            None if used is None else from_micros(used),
            length,
            size,
        )  # type: ignore[call-arg]  # twenty values, of which two groups are unpacked
    except (TypeError, ValueError, OverflowError) as error:
        raise Corrupt(f"record {row[0]!r} cannot be read: {error}; run `memwell doctor`") from error
