"""The operations of a write: one statement each, which updates the record and everything derived from it.

A single statement commits by itself, in one round trip. A batch runs the same statements in a transaction. Where Python
must read a stored record first (an exact duplicate, an id in use, a new version), an operation takes several
statements in a transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any, Final

from memwell.backends.postgres import Connection
from memwell.backends.postgres.store.links import set_link, unlink
from memwell.backends.postgres.store.locking import WRITING
from memwell.backends.postgres.store.models import SETTLE, Model, Models
from memwell.backends.postgres.store.reads import past
from memwell.backends.postgres.store.rows import (
    COLUMNS,
    SELECT,
    columns_of,
    condition,
    record_of,
    rows_of,
    values_at,
    vector_of,
    visible,
)
from memwell.backends.sql import touched
from memwell.errors import Conflict, NotFound
from memwell.ports import Delete, Embed, Embedding, Insert, Operation, Recode, SetLink, Touch, Unlink, Update
from memwell.records.codec import digest_of, dumps, record_to_json
from memwell.records.revisions import overwriting, recoded, reinforced, revised
from memwell.sealed import same_content
from memwell.types import Record, Scope, Version

__all__ = ["Interrupted", "Write", "duplicate", "removing"]

_WORDS: Final = ("lexemes", "signals", "length", "repeats", "words")
_TOUCHED: Final = touched({"content": (*_WORDS, "embedded"), "metadata": ("instants", *_WORDS)})
"""Field of a record → the columns to write when it changes."""

_VERSIONED: Final = SELECT.replace(" FROM records r LEFT", ", r.xmin::text FROM records r LEFT")
"""A record and the last transaction that wrote its row. If that number differs later, the row has changed."""
_NAMES: Final = ", ".join(COLUMNS)
_CASTS: Final = ", ".join(f"%s::{kind}" for kind in COLUMNS.values())
_REPLACE: Final = (
    " ON CONFLICT (key, model) DO UPDATE"
    " SET vec = excluded.vec, spans = excluded.spans, passages = excluded.passages"
)
_HISTORY: Final = (
    "INSERT INTO history (key, version, changed_at, changed, record) SELECT key, %s, %s, %s, %s FROM {}"
    " ON CONFLICT (key, version) DO UPDATE SET changed_at = excluded.changed_at, changed = excluded.changed,"
    " record = excluded.record"
)
_ROOM: Final = 1 << 20
"""Places in the change sequence for a statement that may change any number of records."""


class Interrupted(Exception):
    """The operation needs more than one statement. Nothing was stored; write in a transaction."""


class Write:
    """One write: its connection, its time, and its place in the change sequence.

    `whole`: it runs inside a transaction. `alone`: the caller prevents others from storing the same meanwhile.
    """

    __slots__ = ("_ordinal", "alone", "connection", "models", "now", "whole")

    def __init__(
        self, connection: Connection, models: Models, now: datetime, *, whole: bool, alone: bool = False
    ) -> None:
        self.connection = connection
        self.models = models
        self.now = now
        self.whole = whole
        self.alone = alone
        self._ordinal = 0

    async def apply(self, operation: Operation) -> Any:
        """Apply one operation and return its result. Raises `Interrupted` when a transaction is needed."""
        return await _APPLY[type(operation)](self, operation)

    async def rows(self, query: str, values: Sequence[Any]) -> list[Any]:
        """The rows that a statement returns."""
        return await rows_of(self.connection, query, values, prepare=True)

    def ordinal(self, count: int = 1) -> int:
        """Reserve `count` places in the change sequence and return the first."""
        first, self._ordinal = self._ordinal, self._ordinal + count
        return first

    def needs_transaction(self) -> None:
        """Raise `Interrupted` outside a transaction."""
        if not self.whole:
            raise Interrupted


async def duplicate(write: Write, insert: Insert) -> tuple[int, Record] | None:
    """Key and record that the insert would reinforce. A transaction locks the record until its end."""
    lock = " FOR UPDATE OF r" if write.whole else ""
    rows = await write.rows(
        f"{SELECT} WHERE r.digest = %s AND (r.expires_at IS NULL OR r.expires_at > %s) ORDER BY r.key{lock}",
        [digest_of(insert), write.now],
    )
    record = insert.record
    for row in rows:
        found = record_of(row)
        if not same_content(found.content, record.content) or found.scope != record.scope:
            continue
        if insert.named and found.id != record.id:
            continue
        if not insert.dated or found.created_at == record.created_at:
            return row[0], found
    return None


async def _insert(write: Write, operation: Insert) -> Record:
    record, embedding = operation.record, operation.embedding
    more = bool(operation.past or record.access_count)
    if more:
        write.needs_transaction()
    mark = digest_of(operation)
    key = None if write.alone else await _store(write, operation, mark, surely=False)
    if key is None:
        write.needs_transaction()
        twin = await duplicate(write, operation)
        if twin is not None:
            stored = await _reinforce(write, *twin, record, embedding)
            change = overwriting(operation, stored)
            return stored if change is None else await _update(write, change)
        key = await _store(write, operation, mark, surely=True)
        if key is None:
            await _free_id(write, record)
            key = await _store(write, operation, mark, surely=True)
        if key is None:
            raise _conflict(record.id)
    if more:
        await _populate(write, key, operation)
    embedded = embedding is not None
    return record if record.embedded == embedded else replace(record, embedded=embedded)


async def _store(write: Write, insert: Insert, mark: int, *, surely: bool) -> int | None:
    """Store a new record; `None` when its id is in use or, unless `surely`, when it may be a duplicate."""
    embedding = insert.embedding
    model = None if embedding is None else write.models.of(embedding)
    values = [mark, *columns_of(insert.record, mark, embedding is not None)]
    if embedding is not None:
        values += vector_of(embedding)
    rows = await write.rows(_inserting(model, surely), [*values, write.ordinal()])
    if not rows:
        return None
    if model is not None and not rows[0][1]:
        await write.rows(SETTLE, [model.number] * 3)
    return int(rows[0][0])


@cache
def _inserting(model: Model | None, surely: bool) -> str:
    ask = "memwell_known(%s)" if not surely else "memwell_writing() AND %s::bigint IS NULL"
    text = (
        f"WITH known AS MATERIALIZED (SELECT {ask} AS same), hit AS (INSERT INTO records ({_NAMES})"
        f" SELECT {_CASTS} FROM known WHERE NOT same ON CONFLICT (tenant_id, id) DO NOTHING RETURNING key)"
    )
    if model is not None:
        text += f", vec AS ({_vectors(model)})"
    text += ", note AS (INSERT INTO changes (ordinal, key) SELECT %s, key FROM hit)"
    serves = f", (SELECT serving FROM models WHERE number = {model.number})" if model is not None else ""
    return f"{text} SELECT key{serves} FROM hit"


def _vectors(model: Model) -> str:
    """The statement that stores vectors for the record `hit`."""
    return (
        f"INSERT INTO {model.table} (key, model, vec, spans, passages)"
        f" SELECT key, {model.number}, %s::vector, %s::text, %s::bytea FROM hit"
    )


async def _populate(write: Write, key: int, insert: Insert) -> None:
    """Store the older versions and accesses of an imported record."""
    for version in insert.past:
        await write.rows(_HISTORY.format("(SELECT %s::bigint AS key) AS hit"), [*_version(version), key])
    record = insert.record
    if record.access_count and record.last_accessed_at:
        await write.rows(
            "INSERT INTO access (key, count, at) VALUES (%s, %s, %s)",
            [key, record.access_count, record.last_accessed_at],
        )


async def _free_id(write: Write, record: Record) -> None:
    """Remove an expired record with this id. Raises `Conflict` if a record that has not expired has it."""
    tenant = Scope(tenant_id=record.scope.tenant_id)
    rows = await write.rows(
        "SELECT key, expires_at FROM records WHERE tenant_id = %s AND id = %s FOR UPDATE",
        [tenant.tenant_id, record.id],
    )
    if rows and (rows[0][1] is None or rows[0][1] > write.now):
        raise _conflict(record.id)
    await _remove(write, tenant, ids=(record.id,))


def _conflict(id: str) -> Conflict:
    return Conflict(
        f"the id {id!r} already belongs to another memory; use update to change that one", part="postgres"
    )


async def _reinforce(
    write: Write, key: int, found: Record, again: Record, embedding: Embedding | None
) -> Record:
    record = reinforced(found, again)
    missing = embedding if not found.embedded else None
    if missing is not None:
        record = replace(record, embedded=True)
    values = [record.reinforced, record.expires_at, record.embedded, key]
    await _change(write, "reinforced = %s, expires_at = %s, embedded = %s", "r.key = %s", values, missing)
    return record


async def _change(
    write: Write,
    setting: str,
    where: str,
    values: Sequence[Any],
    embedding: Embedding | None,
    extra: str = "",
    bound: Sequence[Any] = (),
) -> bool:
    """Change columns of the record that meets a condition, and store its vectors; returns whether there is one."""
    model = None if embedding is None else write.models.of(embedding)
    query = _changing(model, setting, where, extra)
    vector = () if embedding is None else vector_of(embedding)
    rows = await write.rows(query, [*values, *vector, *bound, write.ordinal()])
    if rows and model is not None and not rows[0][1]:
        await write.rows(SETTLE, [model.number] * 3)
    return bool(rows)


@cache
def _changing(model: Model | None, setting: str, where: str, extra: str) -> str:
    text = f"WITH {WRITING}, hit AS (UPDATE records r SET {setting} FROM writing WHERE ok AND {where} RETURNING r.key)"
    if model is not None:
        text += f", vec AS ({_vectors(model)}{_REPLACE})"
    text += f"{extra}, note AS (INSERT INTO changes (ordinal, key) SELECT %s, key FROM hit)"
    serves = f", (SELECT serving FROM models WHERE number = {model.number})" if model is not None else ""
    return f"{text} SELECT key{serves} FROM hit"


async def _update(write: Write, operation: Update) -> Record:
    """Read, revise, and write if the record has not changed meanwhile; otherwise start over."""
    while True:
        text, values = visible(operation.scope, write.now, by_id=True)
        lock = " FOR UPDATE OF r" if write.whole else ""
        rows = await write.rows(f"{_VERSIONED} WHERE r.id = %s AND {text}{lock}", [operation.id, *values])
        if not rows:
            raise NotFound(f"no memory {operation.id!r} in this scope", part="postgres")
        key, found = rows[0][0], record_of(rows[0])
        record, changed = revised(found, operation, write.now)
        if not changed:
            return found
        if "content" in changed:
            record = replace(record, embedded=operation.embedding is not None)
        if await _revise(write, (key, rows[0][-1]), found, record, changed, operation.embedding):
            return record


async def _revise(
    write: Write,
    row: tuple[int, str],
    found: Record,
    record: Record,
    changed: tuple[str, ...],
    embedding: Embedding | None,
) -> bool:
    touched, setting = _touched(changed)
    extra = f", past AS ({_HISTORY.format('hit')})"
    if "content" not in changed:
        embedding = None
    else:
        keep = "" if embedding is None else f" AND v.model <> {write.models.of(embedding).number}"
        if write.models.there:
            extra += f", gone AS (DELETE FROM vectors v USING hit WHERE v.key = hit.key{keep})"
    past = _version(Version(record=found, changed_at=write.now, changed=changed))
    values = [*values_at(touched, record), *row]
    return await _change(write, setting, "r.key = %s AND r.xmin = %s::xid", values, embedding, extra, past)


def _version(version: Version) -> list[Any]:
    """The values of `_HISTORY`. `changed` lists the fields that the *next* version changed."""
    body = dumps(record_to_json(version.record))
    return [version.record.version, version.changed_at, dumps(version.changed), body]


@cache
def _touched(changed: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """The columns to write when these fields have changed, and the text that sets them; unchanged columns need no
    update of their indexes."""
    found = {column for name in changed for column in _TOUCHED.get(name, (name,))}
    touched = tuple(sorted(found | {"version", "updated_at"}))
    return touched, ", ".join(f"{name} = %s::{COLUMNS[name]}" for name in touched)


async def _delete(write: Write, operation: Delete) -> list[str]:
    return await _remove(write, operation.scope, ids=operation.ids, where=operation.where)


async def _remove(
    write: Write, scope: Scope, *, ids: tuple[str, ...] | None = None, where: Any = None
) -> list[str]:
    """Remove records, append to the change sequence, and return the removed ids. A trigger removes their history,
    links, accesses and vectors."""
    text, values = condition(scope, None, where, by_id=ids is not None)
    if ids is not None:
        text, values = f"{text} AND r.id = ANY (%s::text[])", [*values, list(ids)]
    place = write.ordinal(_ROOM if ids is None else len(ids) + 1)
    rows = await write.rows(removing(text), [*values, place])
    return [row[0] for row in rows]


def removing(where: str) -> str:
    """A statement that removes the records under a condition and returns their ids. Its last value is a place in the
    change sequence."""
    return (
        f"WITH {WRITING}, hit AS (DELETE FROM records r USING writing WHERE ok AND {where}"
        " RETURNING r.key, r.tenant_id, r.user_id, r.id),"
        " note AS (INSERT INTO changes (ordinal, key, deleted, tenant_id, user_id, id)"
        " SELECT %s + row_number() OVER (), key, true, tenant_id, user_id, id FROM hit) SELECT id FROM hit"
    )


async def _touch(write: Write, operation: Touch) -> None:
    accesses = operation.accesses
    await write.rows(
        "INSERT INTO access AS a (key, count, at) SELECT r.key, r.count, r.at FROM (SELECT r.key, t.count, t.at"
        " FROM unnest(%s::text[], %s::bigint[], %s::timestamptz[]) AS t (id, count, at)"
        " JOIN records r ON r.tenant_id = %s AND r.id = t.id ORDER BY r.key FOR KEY SHARE OF r) AS r (key, count, at)"
        " ON CONFLICT (key) DO UPDATE SET count = a.count + excluded.count, at = greatest(a.at, excluded.at)",
        [
            list(accesses),
            [count for count, _ in accesses.values()],
            [at for _, at in accesses.values()],
            operation.tenant_id,
        ],
    )


async def _embed(write: Write, operation: Embed) -> bool:
    values = [operation.tenant_id, operation.id, operation.content]
    where = "r.tenant_id = %s AND r.id = %s AND r.content = %s"
    return await _change(write, "embedded = true", where, values, operation.embedding)


async def _recode(write: Write, operation: Recode) -> bool:
    write.needs_transaction()
    rows = await write.rows(
        f"{SELECT} WHERE r.tenant_id = %s AND r.id = %s AND r.content = %s AND r.version = %s FOR UPDATE OF r",
        [operation.tenant_id, operation.id, operation.content, operation.version],
    )
    if not rows:
        return False
    key, record = rows[0][0], recoded(record_of(rows[0]), operation)
    touched, setting = _touched(("content", "metadata"))
    await _change(write, setting, "r.key = %s", [*values_at(touched, record), key], None)
    for version in await past(write.connection, key, operation.id):
        if version.record.version in operation.forms:
            again = replace(version, record=recoded(version.record, operation))
            await write.rows(_HISTORY.format("(SELECT %s::bigint AS key) AS hit"), [*_version(again), key])
    return True


_APPLY: dict[type, Callable[[Write, Any], Coroutine[Any, Any, Any]]] = {
    Insert: _insert,
    Update: _update,
    Delete: _delete,
    SetLink: set_link,
    Unlink: unlink,
    Touch: _touch,
    Embed: _embed,
    Recode: _recode,
}
