"""Whether the pages and indexes of a SQLite file are whole, and rebuilding damaged indexes."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from memwell._patterns import pattern
from memwell.backends.sqlite.database import Database
from memwell.backends.sqlite.migrations.runner import absent
from memwell.errors import MemwellError
from memwell.types import Problem

__all__ = ["check_file", "is_unreadable"]

_MOST: Final = 20
"""Messages that are reported."""
_OF_INDEX: Final = pattern(
    r"missing from index|wrong # of entries in index|non-unique entry in index|values differ from index"
)
_TREE: Final = pattern(r"\b(?:On tree page|Tree|Tree page) (\d+)\b")
_UNUSED: Final = pattern(r"Page \d+(?:: never| is never) used")


def check_file(database: Database, scripts: Sequence[str], repair: bool) -> tuple[list[Problem], int]:
    """(problems, how many were repaired): of tables and indexes that the migrations made, and of every page.

    An index is built again from its table; a table cannot be repaired.
    """
    problems, repaired = _check_schema(database, scripts, repair)
    more, mended = _check_pages(database, repair)
    return problems + more, repaired + mended


def _check_schema(database: Database, scripts: Sequence[str], repair: bool) -> tuple[list[Problem], int]:
    problems: list[Problem] = []
    repaired = 0
    for name, statement in absent(database.read(), scripts).items():
        if " INDEX " not in statement.upper():
            detail = f"the table {name!r} is missing; restore a backup"
            problems.append(Problem(kind="file", detail=detail, repairable=False))
            continue
        problems.append(_problem(f"the index {name!r} is missing", repairable=True))
        if repair and _create(database, statement):
            repaired += 1
    return problems, repaired


def _create(database: Database, statement: str) -> bool:
    """Make a missing index; not where its table is missing, too."""
    try:
        database.submit(lambda connection: connection.execute(statement))
    except sqlite3.DatabaseError:
        return False
    return True


def _check_pages(database: Database, repair: bool) -> tuple[list[Problem], int]:
    messages = _messages(database)
    if not messages:
        return [], 0
    if not repair:
        sure = _tables_are_readable(database.read())
        roots = _index_roots(database.read())
        return [
            _problem(message, repairable=sure and _is_of_index(message, roots)) for message in messages
        ], 0
    _rebuild_indexes(database)
    left = _messages(database)
    mended = [message for message in messages if message not in left]
    problems = [_problem(message, repairable=True) for message in mended]
    return problems + [_problem(message, repairable=False) for message in left], len(mended)


def _problem(message: str, *, repairable: bool) -> Problem:
    if repairable:
        return Problem(kind="index", detail=f"{message}; `memwell repair` builds the index again")
    detail = f"{message}; export what can be read, and restore a backup"
    return Problem(kind="file", detail=detail, repairable=False)


def _messages(database: Database) -> list[str]:
    """What SQLite finds wrong, one message a fault."""
    try:
        rows = database.read().execute(f"PRAGMA integrity_check({_MOST})").fetchall()
    except sqlite3.DatabaseError as error:
        if not is_unreadable(error):
            raise
        return [
            f"a page of an index is damaged ({error})"
            if _tables_are_readable(database.read())
            else str(error)
        ]
    lines = [line.strip() for (text,) in rows for line in str(text).splitlines()]
    return [line for line in lines if line and line != "ok" and not line.startswith("***")]


def is_unreadable(error: sqlite3.Error) -> bool:
    """Whether SQLite could not read a page, or not make sense of it."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_IOERR)


def _index_roots(connection: sqlite3.Connection) -> set[int]:
    rows = connection.execute("SELECT rootpage FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
    return {int(row[0]) for row in rows}


def _tables_are_readable(connection: sqlite3.Connection) -> bool:
    """Whether every row of every table can be read without an index."""
    tables = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND rootpage > 0"
    ).fetchall()
    try:
        for (table,) in tables:
            columns = [row[1] for row in connection.execute(f'PRAGMA table_info("{table}")').fetchall()]
            sizes = ", ".join(f'sum(length(CAST("{column}" AS BLOB)))' for column in columns)
            connection.execute(f'SELECT {sizes} FROM "{table}" NOT INDEXED').fetchone()
    except sqlite3.DatabaseError:
        return False
    return True


def _is_of_index(message: str, roots: set[int]) -> bool:
    tree = _TREE.search(message)
    if tree is not None:
        return int(tree[1]) in roots
    return bool("of an index" in message or _OF_INDEX.search(message) or _UNUSED.search(message))


def _rebuild_indexes(database: Database) -> None:
    """Build every index again. One whose own pages are damaged cannot even be dropped: it is taken off the schema, and
    the pages it leaves are freed by VACUUM. When a table is damaged, all stays as it was.
    """
    for job in (_reindex, _recreate):
        with suppress(sqlite3.DatabaseError):
            database.submit(job)
            if not _messages(database):
                return
    with suppress(sqlite3.DatabaseError, MemwellError):
        database.vacuum()


def _reindex(connection: sqlite3.Connection) -> None:
    connection.execute("REINDEX")


def _recreate(connection: sqlite3.Connection) -> None:
    own = "type = 'index' AND sql IS NOT NULL"
    scripts: Sequence[tuple[str]] = connection.execute(
        f"SELECT sql FROM sqlite_master WHERE {own}"
    ).fetchall()
    connection.execute("PRAGMA writable_schema = ON")
    try:
        connection.execute(f"DELETE FROM sqlite_master WHERE {own}")
    finally:
        connection.execute("PRAGMA writable_schema = RESET")
    for (script,) in scripts:
        connection.execute(script)
