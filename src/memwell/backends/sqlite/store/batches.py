"""Many inserts at once: records that must be new are inserted with `executemany`, the others one by one.

The outcome is that of `Transaction.apply` for each in turn.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from memwell.backends.sqlite.store.rows import columns_of
from memwell.backends.sqlite.store.writes import INSERT, PUT, Transaction, duplicate
from memwell.ports import Insert, Operation
from memwell.records.codec import digest_of, dumps

__all__ = ["apply_all", "duplicates"]

_FEW = 8
"""Up to this many inserts, one by one is faster."""


def apply_all(write: Transaction, operations: Sequence[Operation]) -> list[Any]:
    """Carry out operations in order; their results."""
    results: list[Any] = []
    for plain, group in groupby(operations, key=_is_plain):
        run = list(group)
        if plain and len(run) > _FEW:
            results += _insert_all(write, run)  # type: ignore[arg-type]  # plain ones are inserts
        else:
            results += [write.apply(operation) for operation in run]
    return results


def duplicates(connection: sqlite3.Connection, inserts: Sequence[Insert], now: datetime) -> list[bool]:
    """See `Store.duplicates`."""
    if len(inserts) > _FEW:
        known = _known(connection, [digest_of(insert) for insert in inserts])
        return [digest_of(i) in known and duplicate(connection, i, now) is not None for i in inserts]
    return [duplicate(connection, insert, now) is not None for insert in inserts]


def _known(connection: sqlite3.Connection, marks: Sequence[int]) -> set[int]:
    """Those of the digests that some stored record has."""
    rows = connection.execute(
        "SELECT j.value FROM json_each(?) j WHERE EXISTS (SELECT 1 FROM records WHERE digest = j.value)",
        (dumps(marks),),
    )
    return {row[0] for row in rows}


def _is_plain(operation: Operation) -> bool:
    """An insert without a past of its own."""
    return isinstance(operation, Insert) and not operation.past and not operation.record.access_count


def _insert_all(write: Transaction, inserts: Sequence[Insert]) -> list[Any]:
    connection = write.connection
    seen = _known(connection, [digest_of(insert) for insert in inserts])
    fresh: list[Insert] = []
    for insert in inserts:
        if digest_of(insert) not in seen:
            seen.add(digest_of(insert))
            fresh.append(insert)
    connection.execute("SAVEPOINT memwell_batch")
    try:
        _insert_fresh(write, fresh)
    except sqlite3.IntegrityError:  # an id is taken: find out which, and whether it is free again
        connection.execute("ROLLBACK TO memwell_batch")
        fresh = []
    finally:
        connection.execute("RELEASE memwell_batch")
    done = {id(insert) for insert in fresh}
    return [insert.record if id(insert) in done else write.apply(insert) for insert in inserts]


def _insert_fresh(write: Transaction, inserts: Sequence[Insert]) -> None:
    """Insert records that no stored one equals."""
    connection = write.connection
    first = connection.execute("SELECT coalesce(max(key), 0) + 1 FROM records").fetchone()[0]
    keys = range(first, first + len(inserts))
    connection.executemany(INSERT, _rows(keys, inserts))
    connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", _vectors(write, keys, inserts))
    connection.executemany(PUT, [(key,) for key in keys])


def _rows(keys: range, inserts: Sequence[Insert]) -> Iterator[tuple[Any, ...]]:
    for key, insert in zip(keys, inserts, strict=True):
        yield key, *columns_of(insert.record, digest_of(insert), insert.embedding is not None)


def _vectors(
    write: Transaction, keys: range, inserts: Sequence[Insert]
) -> Iterator[tuple[int, str | None, bytes]]:
    for key, insert in zip(keys, inserts, strict=True):
        if insert.embedding is not None:
            yield write.vector_row(key, insert.embedding)
