"""Writes batches: one operation is one statement, several are a transaction, and many new records are copied in.

The outcome is that of `Write.apply` for each operation in turn. Two processes that store the same content at once store
it once: small batches lock the digests of their records, in a fixed order. A large batch stores first; before it
commits, it waits for the small ones and checks whether one of them has stored the same. If so, it starts over while the
others wait.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from typing import Any, Final, cast

import psycopg

from memwell.backends.postgres import Connection, Database
from memwell.backends.postgres.log import PostgresLog
from memwell.backends.postgres.store import copying
from memwell.backends.postgres.store.locking import GATE, hold, marks_of
from memwell.backends.postgres.store.models import SETTLE, Models
from memwell.backends.postgres.store.rows import rows_of
from memwell.backends.postgres.store.writes import Interrupted, Write, duplicate
from memwell.ports import Append, Embed, Insert, Operation, Update
from memwell.records.codec import digest_of

__all__ = ["duplicates", "write"]

_ATTEMPTS: Final = 4
_FEW: Final = 8
"""Up to this many inserts, copying is not worth it."""
_NUMBERS: Final = "unnest(string_to_array(%s, ',')::bigint[])"
"""The rows of `_numbers`."""


class _Late(Exception):
    """Another transaction has stored the same content meanwhile."""


async def write(
    database: Database, models: Models, operations: Sequence[Operation], now: datetime
) -> list[Any]:
    """Apply operations in one transaction and return their results."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return await _write(database, models, operations, now)
        except psycopg.errors.UndefinedTable:  # another process has dropped a model
            models.forget()
        except psycopg.errors.DeadlockDetected:  # nothing was stored, and the other one goes on
            continue
    return await _write(database, models, operations, now)


async def duplicates(
    connection: Connection, models: Models, inserts: Sequence[Insert], now: datetime
) -> list[bool]:
    """See `Store.duplicates`."""
    known = await _known(connection, [digest_of(insert) for insert in inserts])
    reading = Write(connection, models, now, whole=False)
    return [digest_of(i) in known and await duplicate(reading, i) is not None for i in inserts]


async def _write(
    database: Database, models: Models, operations: Sequence[Operation], now: datetime
) -> list[Any]:
    await models.prepare(
        operation.embedding for operation in operations if isinstance(operation, Insert | Update | Embed)
    )
    appends = [operation for operation in operations[-1:] if isinstance(operation, Append)]
    operations = operations[: len(operations) - len(appends)]
    if len(operations) == 1:
        try:
            async with database.transaction() if appends else database.connection() as connection:
                single = [await Write(connection, models, now, whole=False).apply(operations[0])]
                return await _appended(connection, appends, single)
        except Interrupted:
            pass
    marked = [_marked(operation) for operation in operations]
    runs = [(plain, list(group)) for plain, group in groupby(marked, key=_is_plain)]
    large = any(plain and len(run) > _FEW for plain, run in runs)
    if not large:
        async with database.transaction() as connection:
            if marked:
                await hold(connection, marked)
            small = Write(connection, models, now, whole=True)
            results = [await small.apply(operation) for operation in marked]
            return await _appended(connection, appends, results)
    try:
        async with database.transaction() as connection:
            large_write = _Large(connection, models, now)
            await large_write.begin()
            results = await _apply_all(large_write, runs)
            await large_write.look_round(marks_of(marked))
            return await _appended(connection, appends, results)
    except _Late:
        async with database.transaction() as connection:
            large_write = _Large(connection, models, now)
            await large_write.close_gate()
            await large_write.begin()
            return await _appended(connection, appends, await _apply_all(large_write, runs))


async def _appended(connection: Connection, appends: Sequence[Append], results: list[Any]) -> list[Any]:
    """The results with those of the appends, which come last: they lock their streams."""
    for append in appends:
        log = cast("PostgresLog", append.log)
        results.append(await log.append_in(connection, append, results))
    return results


def _marked(operation: Operation) -> Operation:
    """The operation with its digest, which is computed once."""
    if isinstance(operation, Insert) and operation.digest is None:
        return replace(operation, digest=digest_of(operation))
    return operation


class _Large(Write):
    """A transaction during which others may store until it closes the gate. It closes the gate before it waits for a
    stored row, so that no two transactions wait for each other, and at the latest before it ends."""

    __slots__ = ("_closed", "_start")

    def __init__(self, connection: Connection, models: Models, now: datetime) -> None:
        super().__init__(connection, models, now, whole=True, alone=True)
        self._closed = False
        self._start = 0

    async def begin(self) -> None:
        """Note the first transaction whose records this one may not see."""
        [(self._start, _)] = await rows_of(self.connection, "SELECT memwell_horizon(), memwell_writing()")

    async def close_gate(self) -> None:
        """Wait for the other transactions that store, and block new ones."""
        if not self._closed:
            await self.connection.execute(f"SELECT pg_advisory_xact_lock{GATE}".encode())
            self._closed = True

    async def apply(self, operation: Operation) -> Any:
        """Apply one operation with the gate closed."""
        await self.close_gate()
        return await super().apply(operation)

    async def look_round(self, marks: Sequence[int]) -> None:
        """Raise `_Late` if another transaction has stored the same content since this one began."""
        await self.close_gate()
        others = await rows_of(
            self.connection,
            "SELECT r.digest FROM changes c JOIN records r ON r.key = c.key WHERE c.xid >= %s"
            " AND c.xid <> (SELECT pg_current_xact_id()::text::bigint) AND NOT c.deleted",
            [self._start],
        )
        if not {mark for (mark,) in others}.isdisjoint(marks):
            raise _Late


async def _apply_all(write: _Large, runs: Sequence[tuple[bool, list[Any]]]) -> list[Any]:
    results: list[Any] = []
    for plain, run in runs:
        if plain and len(run) > _FEW:
            results += await _insert_all(write, run)
        else:
            results += [await write.apply(operation) for operation in run]
    return results


def _is_plain(operation: Operation) -> bool:
    """Whether the operation is an insert without older versions and accesses."""
    return isinstance(operation, Insert) and not operation.past and not operation.record.access_count


async def _insert_all(write: Write, inserts: Sequence[Insert]) -> list[Any]:
    fresh = await _fresh(write.connection, inserts)
    try:
        async with write.connection.transaction():
            await _copy(write, fresh)
    except psycopg.errors.UniqueViolation:  # another transaction used an id meanwhile: insert one by one
        fresh = []
    done = {id(insert) for insert in fresh}
    results = []
    for insert in inserts:
        if id(insert) in done:
            results.append(insert.record)
        else:
            results.append(await write.apply(insert))
    return results


async def _fresh(connection: Connection, inserts: Sequence[Insert]) -> list[Insert]:
    """The inserts that equal no stored record and no insert before them, and whose ids are free. Generated ids are not
    looked up: should one exist already, copying fails on it and the inserts are applied one by one.
    """
    seen = await _known(connection, [digest_of(insert) for insert in inserts])
    used = await _existing(connection, [_name(insert) for insert in inserts if insert.named])
    fresh: list[Insert] = []
    for insert in inserts:
        mark, name = digest_of(insert), _name(insert)
        if mark not in seen and name not in used:
            seen.add(mark)
            used.add(name)
            fresh.append(insert)
    return fresh


def _name(insert: Insert) -> tuple[str, str]:
    return insert.record.scope.tenant_id, insert.record.id


async def _existing(connection: Connection, names: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    """The names that belong to a stored record."""
    if not names:
        return set()
    rows = await rows_of(
        connection,
        "SELECT r.tenant_id, r.id FROM unnest(%s::text[], %s::text[]) AS pairs (tenant_id, id)"
        " JOIN records r ON r.tenant_id = pairs.tenant_id AND r.id = pairs.id",
        [list(each) for each in zip(*names, strict=True)],
    )
    return set(rows)


async def _known(connection: Connection, marks: Sequence[int]) -> set[int]:
    """The digests that belong to a stored record."""
    rows = await rows_of(
        connection,
        f"SELECT mark FROM {_NUMBERS} AS mark WHERE EXISTS (SELECT FROM records WHERE digest = mark)",
        [_numbers(marks)],
    )
    return {row[0] for row in rows}


def _numbers(numbers: Sequence[int]) -> str:
    """Many numbers as one text: building an array takes ten times as long."""
    return ",".join(map(str, numbers))


async def _copy(write: Write, inserts: Sequence[Insert]) -> None:
    """Copy in records that are known to be new."""
    if not inserts:
        return
    rows = await rows_of(
        write.connection,
        "SELECT nextval(s) FROM (SELECT pg_get_serial_sequence('records', 'key')::regclass AS s OFFSET 0) of,"
        " generate_series(1, %s)",
        [len(inserts)],
    )
    given = list(zip((key for (key,) in rows), inserts, strict=True))
    await copying.copy(write.connection, given, write.models, write.ordinal(len(given)))
    for number in dict.fromkeys(write.models.of(i.embedding).number for i in inserts if i.embedding):
        await write.rows(SETTLE, [number] * 3)
