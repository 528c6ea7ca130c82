"""The earlier versions of a record, as the SQLite store keeps them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from memwell.records.codec import from_micros, loads
from memwell.records.revisions import stored_version
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

    def read() -> dict[str, Any]:
        body = {"record": loads(record.decode()), "changed": loads(changed.decode())}
        return body | {"changed_at": from_micros(at).isoformat()}

    return stored_version(read, number, id, part="sqlite")
