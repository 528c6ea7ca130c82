"""The earlier versions of a record, as the SQLite store keeps them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from memwell.errors import Corrupt
from memwell.records.codec import from_micros, loads, version_from_json
from memwell.types import Version

__all__ = ["version_of", "versions"]

SELECT = (
    "SELECT version, changed_at, CAST(changed AS BLOB), CAST(record AS BLOB) FROM history WHERE key = ?"
    " ORDER BY version"
)


def versions(connection: sqlite3.Connection, key: int, id: str) -> list[Version]:
    """The earlier versions of a record, oldest first. Raises `Corrupt` naming the first that cannot be read."""
    return [version_of(row, id) for row in connection.execute(SELECT, (key,)).fetchall()]


def version_of(row: Sequence[Any], id: str) -> Version:
    """A row of `SELECT` as a version."""
    number, at, changed, record = row
    try:
        fields = loads(changed.decode())
        if not isinstance(fields, list) or not all(isinstance(name, str) for name in fields):
            raise TypeError("what it changed is not a list of names")
        body = {"record": loads(record.decode()), "changed": fields}
        return version_from_json(body | {"changed_at": from_micros(at).isoformat()})
    except (TypeError, ValueError, AttributeError, OverflowError, Corrupt) as error:
        raise Corrupt(
            f"version {number} of memory {id!r} cannot be read: {error}; restore a backup, or forget the memory",
            part="sqlite",
        ) from error
