"""Numbered migrations, recorded in the file they changed."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Final

from memwell._patterns import pattern
from memwell.errors import ConfigError, Corrupt

if TYPE_CHECKING:
    from memwell.backends.sqlite.database import Database

__all__ = ["absent", "migrate", "schema_of", "statements"]

_TABLE: Final = """
CREATE TABLE IF NOT EXISTS memwell_migrations (
  component TEXT NOT NULL, number INTEGER NOT NULL, applied_at TEXT NOT NULL, checksum TEXT,
  PRIMARY KEY (component, number)
) WITHOUT ROWID
"""
_MADE: Final = pattern(
    r"\b(CREATE|DROP)\s+(?:UNIQUE\s+)?(?:TABLE|INDEX)\s+(?:IF\s+(?:NOT\s+)?EXISTS\s+)?(\w+)", re.I
)


def migrate(
    database: Database, component: str, scripts: Sequence[str], created: Callable[[sqlite3.Connection], None]
) -> None:
    """See `Database.migrate`."""
    connection, path = database.read(), database.path
    checksums = _applied(connection, component, path)
    _check(checksums, component, scripts, path)
    complete = len(checksums) == len(scripts) and None not in checksums
    if complete and not absent(connection, scripts):
        return
    if database.readonly:
        _check_readable(connection, len(checksums), scripts, path)
        return
    with database.transaction() as writer:
        if _bring_up_to_date(writer, component, scripts, path):
            created(writer)


@cache
def schema_of(scripts: tuple[str, ...]) -> dict[str, str]:
    """Name → statement of every table and index that the scripts leave behind."""
    found: dict[str, str] = {}
    for script in scripts:
        for statement in statements(script):
            made = _MADE.search(re.sub(r"--[^\n]*", "", statement))
            if made is not None and made[1].upper() == "CREATE":
                found[made[2]] = statement
            elif made is not None:
                found.pop(made[2], None)
    return found


def absent(connection: sqlite3.Connection, scripts: Sequence[str]) -> dict[str, str]:
    """Those tables and indexes that are not there: name → statement."""
    rows = connection.execute("SELECT name FROM sqlite_master").fetchall()
    there = {row[0] for row in rows}
    expected = {"memwell_migrations": _TABLE, **schema_of(tuple(scripts))}
    return {name: statement for name, statement in expected.items() if name not in there}


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


def _bring_up_to_date(
    connection: sqlite3.Connection, component: str, scripts: Sequence[str], path: str
) -> bool:
    """Run the scripts that are missing, and note their checksums; an index that was dropped is made again. Returns
    whether there was nothing of the component."""
    connection.execute(_TABLE)
    columns = [row[1] for row in connection.execute("PRAGMA table_info(memwell_migrations)").fetchall()]
    if "checksum" not in columns:  # a file of 0.1.0
        connection.execute("ALTER TABLE memwell_migrations ADD COLUMN checksum TEXT")
    checksums = _applied(connection, component, path)
    _check(checksums, component, scripts, path)
    done = len(checksums)
    if done:
        _restore_indexes(connection, scripts[:done], path)
    else:
        _check_free(connection, scripts, path)
    for script in scripts[done:]:
        for statement in statements(script):
            connection.execute(statement)
    connection.executemany(
        "INSERT INTO memwell_migrations (component, number, applied_at, checksum) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (component, number) DO UPDATE SET checksum = excluded.checksum",
        [
            (component, number, datetime.now(UTC).isoformat(), _checksum(script))
            for number, script in enumerate(scripts, 1)
        ],
    )
    return not done


def _restore_indexes(connection: sqlite3.Connection, scripts: Sequence[str], path: str) -> None:
    for name, statement in absent(connection, scripts).items():
        if " INDEX " not in statement.upper():
            raise _lacks(path, name)
        connection.execute(statement)


def _check_readable(connection: sqlite3.Connection, applied: int, scripts: Sequence[str], path: str) -> None:
    if applied < len(scripts):
        what = "is of an older version" if applied else "holds nothing of memwell"
        raise ConfigError(f"{path} {what} and read-only; open it once where it can be written", part="sqlite")
    for name in absent(connection, scripts):
        raise _lacks(path, name)


def _check_free(connection: sqlite3.Connection, scripts: Sequence[str], path: str) -> None:
    """Before the first script: nothing of the names it uses may be there."""
    names = schema_of(tuple(scripts))
    taken = sorted(names.keys() - absent(connection, scripts).keys())
    if taken:
        raise ConfigError(
            f"{path} has a table or index {taken[0]!r}, but memwell did not make it: the file belongs to another"
            " program, or its list of migrations was lost; choose another file, or restore a backup",
            part="sqlite",
        )


def _lacks(path: str, name: str) -> Corrupt:
    return Corrupt(f"{path} lacks {name!r}, which memwell made; restore a backup", part="sqlite")


def _applied(connection: sqlite3.Connection, component: str, path: str) -> list[str | None]:
    """The checksums of the component's scripts that the file has seen, in order; `None` where none was noted."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'memwell_migrations'").fetchone():
        return []
    rows = connection.execute(
        "SELECT * FROM memwell_migrations WHERE component = ? ORDER BY number", (component,)
    ).fetchall()
    if [row[1] for row in rows] != list(range(1, len(rows) + 1)):
        raise Corrupt(f"{path} has lost a part of its list of migrations; restore a backup", part="sqlite")
    return [row[3] if len(row) > 3 else None for row in rows]


def _check(checksums: Sequence[str | None], component: str, scripts: Sequence[str], path: str) -> None:
    """Raise `ConfigError` for a file of a newer memwell, or of one with other scripts."""
    if len(checksums) > len(scripts):
        raise ConfigError(
            f"{path} was written by a newer memwell ({component} {len(checksums)}, this one knows {len(scripts)}); "
            "upgrade with `pip install -U memwell`",
            part="sqlite",
        )
    for number, (script, checksum) in enumerate(zip(scripts, checksums, strict=False), 1):
        if checksum not in (None, _checksum(script)):
            raise ConfigError(
                f"migration {number} of {component} in {path} is not the one of this memwell; open it with the version"
                " that made it, and move by `memwell export`",
                part="sqlite",
            )


def _checksum(script: str) -> str:
    return hashlib.blake2b(script.replace("\r\n", "\n").encode(), digest_size=16).hexdigest()
