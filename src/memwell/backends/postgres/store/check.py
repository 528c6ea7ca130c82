"""Doctor and repair of a PostgreSQL store: compares every derived column and table with its record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import Any, Final

from memwell._dataclasses import dataclass
from memwell.backends.postgres import Connection, Database
from memwell.backends.postgres.adapt import FIRST, LAST
from memwell.backends.postgres.store.models import Models
from memwell.backends.postgres.store.reads import past
from memwell.backends.postgres.store.rows import COLUMNS, SELECT, columns_of, embedding_of, record_of, rows_of
from memwell.backends.sql import PLACES
from memwell.errors import Corrupt
from memwell.records.codec import digest, loads
from memwell.records.faults import faults
from memwell.types import Problem, Record, Report

__all__ = ["check"]

_BATCH: Final = 500
_PROJECTIONS: Final = ("lexemes", "signals", "digest", "length", "repeats", "words", "instants")
_ORPHANS: Final = {
    "vectors": "NOT EXISTS (SELECT FROM records r WHERE r.key = x.key)",
    "history": "NOT EXISTS (SELECT FROM records r WHERE r.key = x.key)",
    "access": "NOT EXISTS (SELECT FROM records r WHERE r.key = x.key)",
    "links": "NOT EXISTS (SELECT FROM records r WHERE r.key = x.source)"
    " OR NOT EXISTS (SELECT FROM records r WHERE r.key = x.target)",
    "changes": "x.xid >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint",
}
"""Table → condition for rows without a record, or with another server's transaction numbers."""


@dataclass(slots=True)
class _Findings:
    problems: list[Problem] = field(default_factory=list)
    checked: int = 0
    repaired: int = 0

    def add(self, kind: str, detail: str, id: str | None = None, *, repairable: bool = True) -> None:
        self.problems.append(Problem(kind=kind, detail=detail, id=id, repairable=repairable))


async def check(database: Database, models: Models, repair: bool) -> Report:
    """Check every row; with `repair`, rebuild what is wrong in batches, each in one transaction.

    Writers may go on: a batch is read in one snapshot, or locked while it is repaired.
    """
    found, last = _Findings(), -1
    while True:
        async with database.transaction(snapshot=not repair) as connection:
            if repair:
                await connection.execute("SELECT memwell_writing()")
            after = await _rows(connection, last, found, repair, vectors=models.there)
        if after is None:
            break
        last = after
    async with database.transaction() as connection:
        await _orphans(connection, found, repair, vectors=models.there)
    left = [problem for problem in found.problems if not (repair and problem.repairable)]
    return Report(ok=not left, checked=found.checked, problems=tuple(found.problems), repaired=found.repaired)


async def _rows(
    connection: Connection, last: int, found: _Findings, repair: bool, *, vectors: bool
) -> int | None:
    """Check a batch of rows after a key; returns the last key of the batch, or `None` when there are no more."""
    lock = " FOR UPDATE OF r" if repair else ""
    rows = await rows_of(
        connection, f"{SELECT} WHERE r.key > %s ORDER BY r.key LIMIT %s{lock}", [last, _BATCH]
    )
    if not rows:
        return None
    keys = [row[0] for row in rows]
    names = ", ".join(f"{name}::text" for name in _PROJECTIONS)
    stored = await rows_of(connection, f"SELECT key, {names} FROM records WHERE key = ANY (%s)", [keys])
    projections = {row[0]: row[1:] for row in stored}
    embeddings = await _stored_vectors(connection, keys) if vectors else {}
    changed: list[int] = []
    for row in rows:
        found.checked += 1
        try:
            record = record_of(row)
        except Corrupt as error:
            found.add("corrupt", str(error), row[PLACES["id"]], repairable=False)
            continue
        before = len(found.problems)
        for fault in [*faults(record), *_out_of_range(record)]:
            found.add("corrupt", fault, record.id, repairable=False)
        await _words(connection, row[0], record, projections[row[0]], found, repair)
        await _vectors(connection, row[0], record, embeddings.get(row[0], ()), found, repair)
        await _history(connection, row[0], record, found)
        if len(found.problems) > before:
            changed.append(row[0])
    if repair and changed:
        await connection.execute(
            "INSERT INTO changes (ordinal, key) SELECT n, key FROM unnest(%s::bigint[]) WITH ORDINALITY AS g (key, n)",
            (changed,),
        )
    return int(keys[-1])


def _out_of_range(record: Record) -> list[str]:
    times = {"created_at": record.created_at, "updated_at": record.updated_at}
    return [f"{name} is outside the years 1 to 9999" for name, at in times.items() if at in (FIRST, LAST)]


async def _history(connection: Connection, key: int, record: Record, found: _Findings) -> None:
    if record.version == 1:
        return
    try:
        await past(connection, key, record.id)
    except Corrupt as error:
        found.add("corrupt", error.message, record.id, repairable=False)


async def _words(
    connection: Connection, key: int, record: Record, stored: Sequence[Any], found: _Findings, repair: bool
) -> None:
    columns = dict(zip(COLUMNS, columns_of(record, digest(record), record.embedded), strict=True))
    casts = ", ".join(f"%s::{COLUMNS[name]}::text" for name in _PROJECTIONS)
    right = await rows_of(connection, f"SELECT {casts}", [columns[name] for name in _PROJECTIONS])
    for name, was, should in zip(_PROJECTIONS, stored, right[0], strict=True):
        if was != should:
            found.add(name, f"the stored {name} are not those of the content", record.id)
            if repair:
                query = f"UPDATE records SET {name} = %s::{COLUMNS[name]} WHERE key = %s"
                await connection.execute(query.encode(), (columns[name], key))
                found.repaired += 1


async def _stored_vectors(connection: Connection, keys: Sequence[int]) -> dict[int, list[Any]]:
    """Key → (model, vector, ranges, passages) of its stored vectors."""
    rows = await rows_of(
        connection,
        "SELECT key, model, vector_send(vec), spans, passages FROM vectors WHERE key = ANY (%s)",
        [list(keys)],
    )
    vectors: dict[int, list[Any]] = {}
    for key, *rest in rows:
        vectors.setdefault(key, []).append(rest)
    return vectors


async def _vectors(
    connection: Connection, key: int, record: Record, vectors: Sequence[Any], found: _Findings, repair: bool
) -> None:
    sound = 0
    for model, received, spans, passages in vectors:
        fault = _fault(received, spans, passages, len(record.content))
        if fault is None:
            sound += 1
            continue
        found.add("vectors", fault, record.id)
        if repair:
            await connection.execute("DELETE FROM vectors WHERE key = %s AND model = %s", (key, model))
            found.repaired += 1
    if record.embedded != bool(sound):
        found.add("embedded", "the column embedded does not match the stored vectors", record.id)
        if repair:
            await connection.execute("UPDATE records SET embedded = %s WHERE key = %s", (bool(sound), key))
            found.repaired += 1


def _fault(received: bytes, spans: str | None, passages: bytes | None, length: int) -> str | None:
    """The fault of stored vectors, or `None`. They have unit length, one for each passage; passages are inside the
    content."""
    import numpy as np

    try:
        rows = embedding_of("", received, None, passages).vectors
        ranges = loads(spans) if spans else [[0, length]]
        inside = all(0 <= a < b <= length for a, b in ranges)
    except (Corrupt, TypeError, ValueError):
        return "the passages cannot be read"
    norms = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    if not (((norms > 0.99) & (norms < 1.01)) | (norms == 0)).all():
        return "the vectors are not of unit length"
    return None if inside and len(ranges) == len(rows) else "the passages do not fit the content"


async def _orphans(connection: Connection, found: _Findings, repair: bool, *, vectors: bool) -> None:
    for table, where in _ORPHANS.items():
        if table == "vectors" and not vectors:
            continue
        [(count,)] = await rows_of(connection, f"SELECT count(*) FROM {table} x WHERE {where}")
        if not count:
            continue
        found.add(table, f"{count} rows of {table} belong to no record, or to another server")
        if repair:
            await connection.execute(f"DELETE FROM {table} x WHERE {where}".encode())
            if table == "changes":
                await connection.execute("UPDATE followers SET position = 0")
                await connection.execute("UPDATE trimmed SET position = 1")
            found.repaired += count
