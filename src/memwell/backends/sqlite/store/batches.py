"""Many inserts or updates at once: what can be written with `executemany` is, the rest one by one.

The outcome is that of `Transaction.apply` for each in turn.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from memwell.backends.sqlite.store.rows import SELECT_BY_ID, columns_of, condition, record_of, values_at
from memwell.backends.sqlite.store.writes import (
    INSERT,
    PUT,
    PUT_VECTORS,
    PUT_VERSION,
    Transaction,
    duplicate,
    setting,
    touched_columns,
    version_row,
)
from memwell.errors import NotFound
from memwell.ports import Insert, Operation, Update
from memwell.records.codec import digest_of, dumps
from memwell.records.revisions import revised
from memwell.types import Record, Version

__all__ = ["apply_all", "duplicates"]

_FEW = 8
"""Up to this many operations, one by one is faster."""
_IDS = 500
"""Ids in one statement."""


def apply_all(write: Transaction, operations: Sequence[Operation]) -> list[Any]:
    """Carry out operations in order; their results."""
    if len(operations) == 1:
        return [write.apply(operations[0])]
    if len(operations) <= _FEW:
        return [write.apply(operation) for operation in operations]
    results: list[Any] = []
    for kind, group in groupby(operations, key=_plain):
        run: list[Any] = list(group)
        if kind is Insert and len(run) > _FEW:
            results += _insert_all(write, run)
        elif kind is Update and len({update.id for update in run}) == len(run) > _FEW:
            results += _update_all(write, run)
        else:
            results += [write.apply(operation) for operation in run]
    return results


def duplicates(connection: sqlite3.Connection, inserts: Sequence[Insert], now: datetime) -> list[bool]:
    """See `Store.duplicates`."""
    if len(inserts) > _FEW:
        marks = [digest_of(insert) for insert in inserts]
        known = _known(connection, marks)
        return [
            mark in known and duplicate(connection, insert, now) is not None
            for mark, insert in zip(marks, inserts, strict=True)
        ]
    return [duplicate(connection, insert, now) is not None for insert in inserts]


def _known(connection: sqlite3.Connection, marks: Sequence[int]) -> set[int]:
    """Those of the digests that some stored record has."""
    rows = connection.execute(
        "SELECT j.value FROM json_each(?) j WHERE EXISTS (SELECT 1 FROM records WHERE digest = j.value)",
        (dumps(marks),),
    )
    return {row[0] for row in rows}


def _plain(operation: Operation) -> type | None:
    """The kind of an operation that can be written with others: an insert without a past of its own, or an update that
    leaves content and vectors as they are.
    """
    if isinstance(operation, Insert) and not operation.past and not operation.record.access_count:
        return Insert
    return Update if isinstance(operation, Update) and "content" not in operation.changes else None


def _insert_all(write: Transaction, inserts: Sequence[Insert]) -> list[Any]:
    connection = write.connection
    marks = [digest_of(insert) for insert in inserts]
    seen = _known(connection, marks)
    fresh: dict[int, Insert] = {}
    for mark, insert in zip(marks, inserts, strict=True):
        if mark not in seen:
            fresh.setdefault(mark, insert)
    connection.execute("SAVEPOINT memwell_batch")
    try:
        _insert_fresh(write, fresh)
    except sqlite3.IntegrityError:  # an id is taken: find out which, and whether it is free again
        connection.execute("ROLLBACK TO memwell_batch")
        fresh = {}
    finally:
        connection.execute("RELEASE memwell_batch")
    return [
        insert.record if fresh.get(mark) is insert else write.apply(insert)
        for mark, insert in zip(marks, inserts, strict=True)
    ]


def _insert_fresh(write: Transaction, inserts: Mapping[int, Insert]) -> None:
    """Insert records that no stored one equals, by their digests."""
    connection = write.connection
    first = connection.execute("SELECT coalesce(max(key), 0) + 1 FROM records").fetchone()[0]
    keys = range(first, first + len(inserts))
    connection.executemany(INSERT, _rows(keys, inserts))
    rows = _vectors(write, keys, inserts.values())
    connection.executemany(PUT_VECTORS, rows)
    connection.executemany(PUT, [(key,) for key in keys])


def _rows(keys: range, inserts: Mapping[int, Insert]) -> Iterator[tuple[Any, ...]]:
    for key, (mark, insert) in zip(keys, inserts.items(), strict=True):
        yield key, *columns_of(insert.record, mark, insert.embedding is not None)


def _vectors(
    write: Transaction, keys: range, inserts: Iterable[Insert]
) -> Iterator[tuple[int, str | None, bytes]]:
    for key, insert in zip(keys, inserts, strict=True):
        if insert.embedding is not None:
            yield write.vector_row(key, insert.embedding)


# ---------------------------------------------------------------------------------------------- updates


def _update_all(write: Transaction, updates: Sequence[Update]) -> list[Record]:
    """Change records that are all different ones. Raises `NotFound` or `Conflict` for the first that cannot be."""
    results, versions, notes = [], [], []
    rows: defaultdict[tuple[str, ...], list[tuple[Any, ...]]] = defaultdict(list)
    for update, (key, found) in _stored(write, updates):
        record, changed = revised(found, update, write.now)
        results.append(record)
        if changed:
            versions.append(version_row(key, Version(record=found, changed_at=write.now, changed=changed)))
            columns = touched_columns(changed)
            rows[columns].append((*values_at(columns, record), key))
            notes.append((key,))
    connection = write.connection
    connection.executemany(PUT_VERSION, versions)
    for columns, values in rows.items():
        connection.executemany(setting(columns), values)
    connection.executemany(PUT, notes)
    return results


def _stored(write: Transaction, updates: Sequence[Update]) -> Iterator[tuple[Update, tuple[int, Record]]]:
    """Each update with the record to change and its key. Raises `NotFound` for the first whose record is missing."""
    for scope, together in groupby(updates, key=lambda update: update.scope):
        group = list(together)
        text, values = condition(scope, write.now)
        for start in range(0, len(group), _IDS):
            part = group[start : start + _IDS]
            query = f"{SELECT_BY_ID} WHERE r.id IN ({', '.join('?' * len(part))}) AND {text}"
            rows = write.connection.execute(query, [*(update.id for update in part), *values])
            found = {record.id: (row[0], record) for row in rows for record in (record_of(row),)}
            for update in part:
                if update.id not in found:
                    raise NotFound(f"no memory {update.id!r} in this scope", part="sqlite")
                yield update, found[update.id]
