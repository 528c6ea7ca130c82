"""Doctor and repair of a SQLite file: is every projection what its row says?"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field

from memwell.backends.sql import PLACES
from memwell.backends.sqlite.database import Database
from memwell.backends.sqlite.store.rows import SELECT, record_of
from memwell.backends.sqlite.store.writes import MODEL_SHIFT
from memwell.errors import Corrupt
from memwell.records.codec import digest, loads
from memwell.records.faults import faults
from memwell.retrieval.analysis.features import lexemes_and_signals
from memwell.types import Problem, Record, Report

__all__ = ["check"]

_BATCH = 500
_ORPHANS = {
    "vectors": (
        "SELECT count(*) FROM vectors WHERE (id & {mask}) NOT IN (SELECT key FROM records)"
        " OR (id >> {shift}) NOT IN (SELECT number FROM models)",
        "DELETE FROM vectors WHERE (id & {mask}) NOT IN (SELECT key FROM records)"
        " OR (id >> {shift}) NOT IN (SELECT number FROM models)",
    ),
    "history": (
        "SELECT count(*) FROM history WHERE key NOT IN (SELECT key FROM records)",
        "DELETE FROM history WHERE key NOT IN (SELECT key FROM records)",
    ),
    "links": (
        "SELECT count(*) FROM links WHERE source NOT IN (SELECT key FROM records)"
        " OR target NOT IN (SELECT key FROM records)",
        "DELETE FROM links WHERE source NOT IN (SELECT key FROM records) OR target NOT IN (SELECT key FROM records)",
    ),
    "access": (
        "SELECT count(*) FROM access WHERE key NOT IN (SELECT key FROM records)",
        "DELETE FROM access WHERE key NOT IN (SELECT key FROM records)",
    ),
}
"""Table → how to count and how to remove what belongs to no record."""


@dataclass(slots=True)
class _Findings:
    problems: list[Problem] = field(default_factory=list)
    checked: int = 0
    repaired: int = 0

    def add(self, kind: str, detail: str, id: str | None = None, *, repairable: bool = True) -> None:
        self.problems.append(Problem(kind=kind, detail=detail, id=id, repairable=repairable))


def check(database: Database, repair: bool) -> Report:
    """Look at every row; with `repair`, rebuild what is wrong in batches, each in one transaction."""
    found = _Findings()
    _whole_file(database.read(), found)
    for first in _starts(database.read()):
        if repair:
            database.submit(lambda connection, at=first: _rows(connection, at, found, repair=True))  # type: ignore[misc]
        else:
            _rows(database.read(), first, found, repair=False)
    if repair:
        database.submit(lambda connection: _orphans(connection, found, repair=True))
        left = [problem for problem in found.problems if not problem.repairable]
        return Report(
            ok=not left, checked=found.checked, problems=tuple(found.problems), repaired=found.repaired
        )
    _orphans(database.read(), found, repair=False)
    return Report(ok=not found.problems, checked=found.checked, problems=tuple(found.problems))


def _whole_file(connection: sqlite3.Connection, found: _Findings) -> None:
    for (message,) in connection.execute("PRAGMA quick_check(20)").fetchall():
        if message != "ok":
            found.add("file", f"{message}; restore a backup or export what can be read", repairable=False)


def _starts(connection: sqlite3.Connection) -> Iterator[int]:
    """The first key of each batch."""
    last = -1
    while True:
        rows = connection.execute(
            "SELECT key FROM records WHERE key > ? ORDER BY key LIMIT ?", (last, _BATCH)
        ).fetchall()
        if not rows:
            return
        yield rows[0][0]
        last = rows[-1][0]


def _rows(connection: sqlite3.Connection, first: int, found: _Findings, *, repair: bool) -> None:
    dimensions = dict(connection.execute("SELECT number, dimension FROM models").fetchall())
    rows = connection.execute(f"{SELECT} WHERE r.key >= ? ORDER BY r.key LIMIT ?", (first, _BATCH)).fetchall()
    for row in rows:
        found.checked += 1
        try:
            record = record_of(row)
        except Corrupt as error:
            found.add("corrupt", str(error), row[PLACES["id"]], repairable=False)
            continue
        before = len(found.problems)
        for fault in faults(record):
            found.add("corrupt", fault, record.id, repairable=False)
        _words(connection, row[0], record, found, repair)
        _vectors(connection, row[0], record, dimensions, found, repair)
        if repair and len(found.problems) > before:
            connection.execute("INSERT INTO changes (key, deleted) VALUES (?, 0)", (row[0],))


def _words(connection: sqlite3.Connection, key: int, record: Record, found: _Findings, repair: bool) -> None:
    stored = connection.execute(
        "SELECT lexemes, signals, digest FROM records WHERE key = ?", (key,)
    ).fetchone()
    right = (*lexemes_and_signals(record), digest(record))
    for name, was, should in zip(("lexemes", "signals", "digest"), stored, right, strict=True):
        if was != should:
            found.add(name, f"the stored {name} are not those of the content", record.id)
            if repair:
                connection.execute(f"UPDATE records SET {name} = ? WHERE key = ?", (should, key))
                found.repaired += 1


def _vectors(
    connection: sqlite3.Connection,
    key: int,
    record: Record,
    dimensions: dict[int, int],
    found: _Findings,
    repair: bool,
) -> None:
    sound = 0
    for number, dimension in dimensions.items():
        id = number << MODEL_SHIFT | key
        row = connection.execute("SELECT spans, data FROM vectors WHERE id = ?", (id,)).fetchone()
        if row is None:
            continue
        fault = _fault(row[0], row[1], dimension, len(record.content))
        if fault is None:
            sound += 1
            continue
        found.add("vectors", fault, record.id)
        if repair:
            connection.execute("DELETE FROM vectors WHERE id = ?", (id,))
            found.repaired += 1
    if record.embedded != bool(sound):
        found.add("embedded", "the mark of being embedded is not true", record.id)
        if repair:
            connection.execute("UPDATE records SET embedded = ? WHERE key = ?", (int(bool(sound)), key))
            found.repaired += 1


def _fault(spans: str | None, data: object, dimension: int, length: int) -> str | None:
    """What is wrong with stored vectors: rows of unit length, one a passage, passages inside the content."""
    import numpy as np

    if not isinstance(data, bytes) or not data or len(data) % (4 * dimension):
        return f"the vectors are not rows of {dimension} float32"
    rows = np.frombuffer(data, dtype="<f4").reshape(-1, dimension)
    norms = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    if not np.isfinite(norms).all() or not (((norms > 0.99) & (norms < 1.01)) | (norms == 0)).all():
        return "the vectors are not of unit length"
    try:
        ranges = loads(spans) if spans else [[0, length]]
        inside = all(0 <= a < b <= length for a, b in ranges)
    except (Corrupt, TypeError, ValueError):
        return "the passages cannot be read"
    return None if inside and len(ranges) == len(rows) else "the passages do not fit the content"


def _orphans(connection: sqlite3.Connection, found: _Findings, *, repair: bool) -> None:
    for table, (counting, removing) in _ORPHANS.items():
        fill = {"mask": (1 << MODEL_SHIFT) - 1, "shift": MODEL_SHIFT}
        count = connection.execute(counting.format(**fill)).fetchone()[0]
        if count:
            found.add(table, f"{count} rows of {table} belong to no record")
            if repair:
                connection.execute(removing.format(**fill))
                found.repaired += count
