"""Index terms made by an older analysis are made again when a file is opened for writing.

The number of the analysis (`memwell.retrieval.analysis.text.ANALYSIS`) stands in the list of migrations as component
`analysis`; a file without one has number 1. A file that cannot be written is analysed as it is read.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from memwell._lazy import logger
from memwell.backends.sqlite.database import Database
from memwell.records.codec import from_micros, loads
from memwell.retrieval.analysis.features import lexemes_and_signals_of
from memwell.retrieval.analysis.text import ANALYSIS
from memwell.retrieval.index.corpus import Row

__all__ = ["COLUMNS", "analyse_again", "analysed", "is_outdated", "note"]

_BATCH: Final = 2000
_SOURCE: Final = "r.content, r.metadata, r.created_at, r.session_id"
COLUMNS: Final = (
    f"r.key, r.id, r.user_id, r.session_id, r.created_at, r.expires_at, r.signals, r.lexemes, {_SOURCE}"
)
"""What `analysed` reads of `records r`."""

_log = logger("memwell.backends.sqlite")


def is_outdated(connection: sqlite3.Connection) -> bool:
    """Whether some index terms may be of an older analysis."""
    row = connection.execute(
        "SELECT max(number) FROM memwell_migrations WHERE component = 'analysis'"
    ).fetchone()
    return (row[0] or 1) < ANALYSIS


def analyse_again(database: Database) -> None:
    """Bring all index terms up to date, in batches between which others write. Nothing happens to a read-only file."""
    if database.readonly or not is_outdated(database.read()):
        return
    last, done, changed = -1, 0, 0
    while True:
        read, fresh, last = database.submit(lambda connection, at=last: _batch(connection, at))  # type: ignore[misc]
        if not read:
            break
        done, changed = done + read, changed + fresh
        _log.info("index terms of %d memories analysed again, %d of them changed", done, changed)
    database.submit(note)


def analysed(rows: Iterable[tuple[object, ...]]) -> list[Row]:
    """Rows of `COLUMNS` as rows of a corpus, with the terms of today's analysis."""
    found: list[Row] = []
    for row in rows:
        fresh = _terms(*row[8:])
        signals, lexemes = (row[6], row[7]) if fresh is None else fresh
        found.append((*row[:6], signals, lexemes))  # type: ignore[arg-type]
    return found


def _batch(connection: sqlite3.Connection, last: int) -> tuple[int, int, int]:
    """Rows read, rows changed, and the last key of a batch."""
    rows = connection.execute(
        f"SELECT r.key, r.signals, r.lexemes, {_SOURCE} FROM records r WHERE r.key > ? ORDER BY r.key LIMIT ?",
        (last, _BATCH),
    ).fetchall()
    changed = [
        (*fresh, key)
        for key, signals, lexemes, *source in rows
        if (fresh := _terms(*source)) is not None and fresh != (signals, lexemes)
    ]
    connection.executemany("UPDATE records SET signals = ?, lexemes = ? WHERE key = ?", changed)
    connection.executemany(
        "INSERT INTO changes (key, deleted) VALUES (?, 0)", [(key,) for *_, key in changed]
    )
    return len(rows), len(changed), rows[-1][0] if rows else last


def _terms(content: object, metadata: object, created: object, session: object) -> tuple[str, str] | None:
    """Signals and index terms; `None` for a row that cannot be read, which the doctor reports."""
    try:
        given = loads(metadata) if isinstance(metadata, str) and metadata != "{}" else {}
        lexemes, signals = lexemes_and_signals_of(
            content,  # type: ignore[arg-type]
            given,
            from_micros(created),
            in_session=session is not None,
        )
    except Exception:  # noqa: BLE001
        return None
    return signals, lexemes


def note(connection: sqlite3.Connection) -> None:
    """Write down that all index terms are of this analysis."""
    connection.execute(
        "INSERT OR IGNORE INTO memwell_migrations (component, number, applied_at) VALUES ('analysis', ?, ?)",
        (ANALYSIS, datetime.now(UTC).isoformat()),
    )
