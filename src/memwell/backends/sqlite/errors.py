"""The one table from SQLite's errors to memwell's."""

from __future__ import annotations

import sqlite3
from typing import Final

from memwell.errors import BackendError, Closed, ConfigError, Corrupt, InvalidInput, MemwellError, Unavailable

__all__ = ["translate"]

_TABLE: dict[int, tuple[type[MemwellError], str]] = {
    sqlite3.SQLITE_BUSY: (Unavailable, "the database stayed locked by another process; try again"),
    sqlite3.SQLITE_LOCKED: (Unavailable, "a table stayed locked by another connection; try again"),
    sqlite3.SQLITE_PROTOCOL: (Unavailable, "too many processes opened the database at once; try again"),
    sqlite3.SQLITE_INTERRUPT: (Unavailable, "the statement was interrupted; try again"),
    sqlite3.SQLITE_SCHEMA: (Unavailable, "the tables changed meanwhile; try again"),
    sqlite3.SQLITE_FULL: (
        BackendError,
        "the disk is full; free some space and try again, nothing was stored",
    ),
    sqlite3.SQLITE_IOERR: (BackendError, "the disk failed to read or write; look at its space and health"),
    sqlite3.SQLITE_READONLY: (
        BackendError,
        "the database is read-only; make the file and its folder writable",
    ),
    sqlite3.SQLITE_PERM: (BackendError, "access to the database was denied; look at the file's permissions"),
    sqlite3.SQLITE_NOMEM: (BackendError, "SQLite ran out of memory"),
    sqlite3.SQLITE_CORRUPT: (Corrupt, "the database is damaged; run `memwell doctor`, or restore a copy"),
    sqlite3.SQLITE_NOTADB: (
        Corrupt,
        "the file is not a SQLite database; look at the path, or restore a copy",
    ),
    sqlite3.SQLITE_FORMAT: (
        Corrupt,
        "the database has an unknown format; look at the path, or restore a copy",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        BackendError,
        "the database cannot be opened; look at its folder and permissions",
    ),
    sqlite3.SQLITE_CONSTRAINT: (
        BackendError,
        "a constraint of the database was violated; please report this",
    ),
    sqlite3.SQLITE_TOOBIG: (InvalidInput, "a value is longer than SQLite can hold; store a smaller one"),
}
_UNKNOWN: Final = (BackendError, "SQLite refused the statement; please report this")
_NOT_UTF8: Final = "Could not decode to UTF-8"
_MISSING: Final = (
    "no such table",
    "no such column",
    "no such index",
    "has no column",
    "malformed database schema",
)


def translate(error: sqlite3.Error, part: str, operation: str, *, path: str | None = None) -> MemwellError:
    """The memwell error for a native one, to be raised `from` it. `path` is named where it helps."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None and "closed database" in str(error):
        return Closed("the database was closed; open it again to use it", part=part, operation=operation)
    kind, advice, said = _row(error, -1 if code is None else code & 0xFF, operation)
    where = f"{path}: " if path else ""
    return kind(f"{where}{advice}{said}", part=part, operation=operation)


def _row(error: sqlite3.Error, primary: int, operation: str) -> tuple[type[MemwellError], str, str]:
    """(our error, what to do, what SQLite says)."""
    text = str(error)
    said = f" (SQLite says: {text})"
    if text.startswith(_NOT_UTF8):  # what follows is the text itself
        return Corrupt, "a stored text is not UTF-8; run `memwell doctor`, which names the memory", ""
    if primary == sqlite3.SQLITE_ERROR and text.startswith(_MISSING):
        advice = "tables were changed by another program, or the file is damaged; restore a backup"
        return Corrupt, advice, said
    if primary == sqlite3.SQLITE_CANTOPEN and operation == "open":
        advice = "the database cannot be opened; create its folder, or look at its permissions"
        return ConfigError, advice, said
    return *_TABLE.get(primary, _UNKNOWN), said
