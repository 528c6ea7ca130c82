"""Doctor and repair of a SQLite file: are its pages whole, and do words, vectors and history fit the records?"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import field

from memwell._dataclasses import dataclass
from memwell.backends.sqlite.database import Database, translate
from memwell.backends.sqlite.store.file_check import check_file, is_unreadable
from memwell.backends.sqlite.store.history import versions
from memwell.backends.sqlite.store.models import MODEL_SHIFT
from memwell.backends.sqlite.store.rows import SELECT, record_of
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


def check(database: Database, scripts: Sequence[str], repair: bool) -> Report:
    """Look at the file, then at every row; with `repair`, rebuild what is wrong in batches, each in one transaction."""
    database.check_file()
    found = _Findings()
    problems, found.repaired = check_file(database, scripts, repair)
    found.problems += problems
    try:
        _all_rows(database, found, repair)
    except sqlite3.DatabaseError as error:
        damage = translate(error, "sqlite", "check")
        if not (isinstance(damage, Corrupt) or is_unreadable(error)):
            raise
        if all(repair and problem.repairable for problem in problems):  # else it is said already
            found.add("file", f"{damage.message}; restore a backup", repairable=False)
    left = [problem for problem in found.problems if not (repair and problem.repairable)]
    return Report(ok=not left, checked=found.checked, problems=tuple(found.problems), repaired=found.repaired)


def _all_rows(database: Database, found: _Findings, repair: bool) -> None:
    for first in _starts(database.read()):
        if repair:
            database.submit(lambda connection, at=first: _rows(connection, at, found, repair=True))  # type: ignore[misc]
        else:
            _rows(database.read(), first, found, repair=False)
    if repair:
        database.submit(lambda connection: _orphans(connection, found, repair=True))
    else:
        _orphans(database.read(), found, repair=False)


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
    for key, record in _records(connection, first, found):
        found.checked += 1
        if record is None:
            continue
        before = len(found.problems)
        try:
            unrepairable = [*faults(record)]
            _words(connection, key, record, found, repair)
            _vectors(connection, key, record, dimensions, found, repair)
        except (TypeError, ValueError, AttributeError) as error:  # a column of the wrong type
            unrepairable = [
                f"memory {record.id!r} cannot be checked: {error}; restore it from a backup, or forget it"
            ]
        if repair and len(found.problems) > before:
            connection.execute("INSERT INTO changes (key, deleted) VALUES (?, 0)", (key,))
        for fault in unrepairable:
            found.add("corrupt", fault, record.id, repairable=False)
        _history(connection, key, record, found)


def _records(
    connection: sqlite3.Connection, first: int, found: _Findings
) -> Iterator[tuple[int, Record | None]]:
    """(key, record) of a batch; `None` for a record that cannot be read, which is reported."""
    keys = connection.execute(
        "SELECT key, CAST(id AS BLOB) FROM records WHERE key >= ? ORDER BY key LIMIT ?", (first, _BATCH)
    ).fetchall()
    for key, raw in keys:
        try:
            row = connection.execute(f"{SELECT} WHERE r.key = ?", (key,)).fetchone()
            record = None if row is None else record_of(row)
        except (sqlite3.OperationalError, Corrupt) as error:
            damage = error if isinstance(error, Corrupt) else translate(error, "sqlite", "check")
            if not isinstance(damage, Corrupt):
                raise
            detail = f"{damage.message}; restore it from a backup, or forget it"
            found.add("corrupt", detail, bytes(raw).decode(errors="replace"), repairable=False)
            record = None
        yield key, record


def _history(connection: sqlite3.Connection, key: int, record: Record, found: _Findings) -> None:
    if record.version == 1:
        return
    try:
        versions(connection, key, record.id)
    except Corrupt as error:
        found.add("corrupt", error.message, record.id, repairable=False)


def _words(connection: sqlite3.Connection, key: int, record: Record, found: _Findings, repair: bool) -> None:
    lexemes, signals, mark = connection.execute(
        "SELECT CAST(lexemes AS BLOB), CAST(signals AS BLOB), digest FROM records WHERE key = ?", (key,)
    ).fetchone()
    right = (*lexemes_and_signals(record), digest(record))
    stored = (_decoded(lexemes), _decoded(signals), mark)
    for name, was, should in zip(("lexemes", "signals", "digest"), stored, right, strict=True):
        if was != should:
            found.add(name, f"the stored {name} are not those of the content", record.id)
            if repair:
                connection.execute(f"UPDATE records SET {name} = ? WHERE key = ?", (should, key))
                found.repaired += 1


def _decoded(raw: bytes) -> str | None:
    """Stored text; `None` when it is not UTF-8."""
    try:
        return bytes(raw).decode()
    except UnicodeDecodeError:
        return None


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
        row = connection.execute(
            "SELECT CAST(spans AS BLOB), data FROM vectors WHERE id = ?", (id,)
        ).fetchone()
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
        found.add("embedded", "it is marked as embedded without vectors, or the reverse", record.id)
        if repair:
            connection.execute("UPDATE records SET embedded = ? WHERE key = ?", (int(bool(sound)), key))
            found.repaired += 1


def _fault(spans: bytes | None, data: object, dimension: int, length: int) -> str | None:
    """What is wrong with stored vectors: rows of unit length, one a passage, passages inside the content."""
    import numpy as np

    if not isinstance(data, bytes) or not data or len(data) % (4 * dimension):
        return f"the vectors are not rows of {dimension} float32"
    rows = np.frombuffer(data, dtype="<f4").reshape(-1, dimension)
    norms = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    if not np.isfinite(norms).all() or not (((norms > 0.99) & (norms < 1.01)) | (norms == 0)).all():
        return "the vectors are not of unit length"
    try:
        ranges = loads(spans.decode()) if spans else [[0, length]]
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
