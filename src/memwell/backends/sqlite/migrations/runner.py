"""Numbered migrations, recorded in the file they changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from memwell.errors import ConfigError

if TYPE_CHECKING:
    from memwell.backends.sqlite.database import Database

__all__ = ["migrate", "statements"]

_TABLE = """
CREATE TABLE IF NOT EXISTS memwell_migrations (
  component TEXT NOT NULL, number INTEGER NOT NULL, applied_at TEXT NOT NULL, PRIMARY KEY (component, number)
) WITHOUT ROWID
"""


def migrate(database: Database, component: str, scripts: Sequence[str]) -> None:
    """See `Database.migrate`."""
    if _missing(_applied(database.read(), component), component, scripts, database.path) == 0:
        return
    if database.readonly:
        raise ConfigError(
            f"{database.path} is of an older version and read-only; open it once where it can be written",
            part="sqlite",
        )
    with database.transaction() as connection:
        connection.execute(_TABLE)
        missing = _missing(_applied(connection, component), component, scripts, database.path)
        for number in range(len(scripts) - missing + 1, len(scripts) + 1):
            for statement in statements(scripts[number - 1]):
                connection.execute(statement)
            connection.execute(
                "INSERT INTO memwell_migrations VALUES (?, ?, ?)",
                (component, number, datetime.now(UTC).isoformat()),
            )


def statements(script: str) -> Iterator[str]:
    """The single statements of a script. (`executescript` would commit the transaction it stands in.)"""
    pending = ""
    for piece in script.split(";"):
        pending += piece + ";"
        if sqlite3.complete_statement(pending):
            if pending.strip(" \t\r\n;"):
                yield pending.strip()
            pending = ""
    rest = pending.removesuffix(";").strip()
    if rest:
        yield rest


def _applied(connection: sqlite3.Connection, component: str) -> int:
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'memwell_migrations'").fetchone():
        return 0
    row = connection.execute(
        "SELECT max(number) FROM memwell_migrations WHERE component = ?", (component,)
    ).fetchone()
    return int(row[0] or 0)


def _missing(applied: int, component: str, scripts: Sequence[str], path: str) -> int:
    if applied > len(scripts):
        raise ConfigError(
            f"{path} was written by a newer memwell ({component} {applied}, this one knows {len(scripts)}); "
            "upgrade with `pip install -U memwell`",
            part="sqlite",
        )
    return len(scripts) - applied
