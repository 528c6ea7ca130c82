"""The operations of a write on a SQLite connection, in the caller's transaction. Each updates all projections."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

from memwell import filters
from memwell.backends.sql import touched
from memwell.backends.sqlite.store import models
from memwell.backends.sqlite.store.history import versions
from memwell.backends.sqlite.store.models import MODEL_SHIFT
from memwell.backends.sqlite.store.rows import (
    COLUMNS,
    SELECT,
    SELECT_BY_ID,
    columns_of,
    condition,
    record_of,
    seen,
    values_at,
)
from memwell.errors import BackendError, Conflict, EmbeddingError, NotFound
from memwell.ports import Delete, Embed, Embedding, Insert, Operation, Recode, SetLink, Touch, Unlink, Update
from memwell.records.codec import digest_of, dumps, record_to_text, to_micros
from memwell.records.revisions import overwriting, recoded, reinforced, revised, with_values
from memwell.sealed import same_content
from memwell.types import Record, Scope, Version

__all__ = [
    "INSERT",
    "PUT",
    "PUT_VECTORS",
    "PUT_VERSION",
    "Transaction",
    "delete_keys",
    "duplicate",
    "setting",
    "touched_columns",
    "version_row",
]

INSERT = f"INSERT INTO records (key, {', '.join(COLUMNS)}) VALUES (?, {', '.join('?' * len(COLUMNS))})"
"""One record; without a key SQLite gives it the next."""
PUT = "INSERT INTO changes (key, deleted) VALUES (?, 0)"
PUT_VECTORS = "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)"
PUT_VERSION = "INSERT OR REPLACE INTO history VALUES (?, ?, ?, ?, ?)"
_PUT_SERVED = (
    "INSERT OR REPLACE INTO vectors SELECT number << 44 | ?, ?, ? FROM models"
    " WHERE name = ? AND dimension = ? AND serving"
)
"""The vectors of a record under the model that serves; nothing if that is another one."""
_DROP_VECTORS = (
    "DELETE FROM vectors WHERE id IN (SELECT m.number << 44 | k.value FROM models m, json_each(?) k)"
)
_MODELS = "SELECT name, number, dimension, serving FROM models"
_BATCH = 500
_TOUCHED = touched({"content": ("lexemes", "signals", "embedded"), "metadata": ("lexemes", "signals")})
"""Field of a record → the columns that a change of it writes."""


class Transaction:
    """One write transaction: its connection, its moment, and what it has learnt of the models so far."""

    __slots__ = ("_models", "_served", "_serving", "connection", "now")

    def __init__(self, connection: sqlite3.Connection, now: datetime) -> None:
        self.connection = connection
        self.now = now
        self._models: dict[str, tuple[int, int]] | None = None
        self._serving: int | None = None
        """The number of the model that serves, if it is known."""
        self._served = False
        """Whether some model is known to serve, with vectors."""

    def apply(self, operation: Operation) -> Any:
        """Carry out one operation and return its result."""
        return _APPLY[type(operation)](self, operation)

    @property
    def models(self) -> dict[str, tuple[int, int]]:
        """Name → (number, dimension)."""
        if self._models is None:
            self._models = {}
            for name, number, dimension, serving in self.connection.execute(_MODELS):
                self._models[name] = number, dimension
                if serving:
                    self._serving = number
        return self._models

    def note(self, key: int) -> None:
        """Append to the change sequence that a record is new or other than before."""
        self.connection.execute(PUT, (key,))

    def put_vectors(self, key: int, embedding: Embedding) -> None:
        """Store or replace the vectors of one record under one model. Raises as `vector_row`."""
        if self._models is None:
            model = embedding.model, embedding.vectors.shape[1]
            row = (key, *_spans_and_data(embedding), *model)
            if self.connection.execute(_PUT_SERVED, row).rowcount:
                return
        self.connection.execute(PUT_VECTORS, self.vector_row(key, embedding))

    def vector_row(self, key: int, embedding: Embedding) -> tuple[int, str | None, bytes]:
        """The row of `vectors` for a record under a model. Raises `EmbeddingError` for another dimension."""
        return (self._number(embedding) << MODEL_SHIFT | key, *_spans_and_data(embedding))

    def replace_vectors(self, key: int, embedding: Embedding | None) -> None:
        """Let one record have these vectors, and none under any other model. Raises as `vector_row`."""
        own = None if embedding is None else embedding.model
        others = [(number << MODEL_SHIFT | key,) for name, (number, _) in self.models.items() if name != own]
        if others:
            self._served = False
            self.connection.executemany("DELETE FROM vectors WHERE id = ?", others)
        if embedding is not None:
            self.connection.execute(PUT_VECTORS, self.vector_row(key, embedding))

    def drop_vectors(self, keys: Sequence[int]) -> None:
        """Remove the vectors of records under every model."""
        self._served = False
        self.connection.execute(_DROP_VECTORS, (dumps(keys),))

    def put_version(self, key: int, version: Version) -> None:
        """Keep a record as it was. `changed` tells what the *next* version changed."""
        self.connection.execute(PUT_VERSION, version_row(key, version))

    def _number(self, embedding: Embedding) -> int:
        dimension = embedding.vectors.shape[1]
        known = self.models.get(embedding.model)
        if known is None:
            row = self.connection.execute(
                "INSERT INTO models (name, dimension) VALUES (?, ?)", (embedding.model, dimension)
            )
            known = self.models[embedding.model] = (int(row.lastrowid or 0), dimension)
        if known[1] != dimension:
            raise EmbeddingError(
                f"vectors of {embedding.model!r} have dimension {known[1]} here, not {dimension};"
                " an embedder with another dimension needs another model name",
                part="sqlite",
            )
        if not self._served:
            if self._serving != known[0]:
                models.settle(self.connection, known[0])
                self._serving = None
            self._served = True
        return known[0]


def _spans_and_data(embedding: Embedding) -> tuple[str | None, bytes]:
    spans = dumps(embedding.spans) if embedding.spans else None
    return spans, embedding.vectors.astype("<f4", copy=False).tobytes()


def version_row(key: int, version: Version) -> tuple[Any, ...]:
    """The row of `history` for a version of a record."""
    body = record_to_text(version.record)
    return key, version.record.version, to_micros(version.changed_at), _names(version.changed), body


@cache
def _names(changed: tuple[str, ...]) -> str:
    return dumps(changed)


def duplicate(connection: sqlite3.Connection, insert: Insert, now: datetime) -> Record | None:
    """The stored record that the insert would reinforce."""
    mark = digest_of(insert)
    if connection.execute("SELECT 1 FROM records WHERE digest = ?", (mark,)).fetchone() is None:
        return None
    record = insert.record
    rows = connection.execute(
        f"{SELECT} WHERE r.digest = ? AND (r.expires_at IS NULL OR r.expires_at > ?)", (mark, to_micros(now))
    ).fetchall()
    for row in rows:
        found = record_of(row)
        if not same_content(found.content, record.content) or found.scope != record.scope:
            continue
        if insert.named and found.id != record.id:
            continue
        if not insert.dated or found.created_at == record.created_at:
            return found
    return None


def _insert(write: Transaction, operation: Insert) -> Record:
    record, embedding, connection = operation.record, operation.embedding, write.connection
    found = duplicate(connection, operation, write.now)
    if found is not None:
        stored = _reinforce(write, found, record, embedding)
        change = overwriting(operation, stored)
        return stored if change is None else _update(write, change)
    values = (None, *columns_of(record, digest_of(operation), embedding is not None))
    try:
        key = connection.execute(INSERT, values).lastrowid
    except sqlite3.IntegrityError:
        _free_id(write, record)
        key = connection.execute(INSERT, values).lastrowid
    if key is None:
        raise BackendError("SQLite gave no row id for an insert", part="sqlite")
    if embedding is not None:
        write.put_vectors(key, embedding)
    for version in operation.past:
        write.put_version(key, version)
    if record.access_count and record.last_accessed_at:
        at = to_micros(record.last_accessed_at)
        connection.execute("INSERT INTO access VALUES (?, ?, ?)", (key, record.access_count, at))
    write.note(key)
    embedded = embedding is not None
    return record if record.embedded == embedded else replace(record, embedded=embedded)


def _free_id(write: Transaction, record: Record) -> None:
    """Make room where an expired record holds the id; raise `Conflict` where a living one does."""
    row = write.connection.execute(
        "SELECT key, expires_at FROM records WHERE tenant_id = ? AND id = ?",
        (record.scope.tenant_id, record.id),
    ).fetchone()
    if row is None or row[1] is None or row[1] > to_micros(write.now):
        raise Conflict(
            f"the id {record.id!r} already belongs to another memory; use update to change that one",
            part="sqlite",
        )
    delete_keys(write, [row[0]])


def _reinforce(write: Transaction, found: Record, again: Record, embedding: Embedding | None) -> Record:
    record = reinforced(found, again)
    key = _key_of(write, record.scope, record.id)
    expires = None if record.expires_at is None else to_micros(record.expires_at)
    write.connection.execute(
        "UPDATE records SET reinforced = ?, expires_at = ? WHERE key = ?", (record.reinforced, expires, key)
    )
    if embedding is not None and not found.embedded:
        write.put_vectors(key, embedding)
        write.connection.execute("UPDATE records SET embedded = 1 WHERE key = ?", (key,))
        record = replace(record, embedded=True)
    write.note(key)
    return record


def _update(write: Transaction, operation: Update) -> Record:
    row = seen(write.connection, operation.scope, operation.id, write.now)
    if row is None:
        raise NotFound(f"no memory {operation.id!r} in this scope", part="sqlite")
    key, found = row[0], record_of(row)
    record, changed = revised(found, operation, write.now)
    if not changed:
        return found
    write.put_version(key, Version(record=found, changed_at=write.now, changed=changed))
    if "content" in changed:
        embedding = operation.embedding
        if record.embedded != (embedding is not None):
            record = with_values(record, {"embedded": embedding is not None})
        write.replace_vectors(key, embedding)
    touched = touched_columns(changed)
    write.connection.execute(setting(touched), [*values_at(touched, record), key])
    write.note(key)
    return record


@cache
def touched_columns(changed: tuple[str, ...]) -> tuple[str, ...]:
    """The columns to write when these fields change, in the order of `COLUMNS`: no index is rewritten without need."""
    found = {column for name in changed for column in _TOUCHED.get(name, (name,))}
    return tuple([name for name in COLUMNS if name in found or name in ("version", "updated_at")])


@cache
def setting(columns: tuple[str, ...]) -> str:
    """The statement that writes columns of one record."""
    return f"UPDATE records SET {', '.join(f'{column} = ?' for column in columns)} WHERE key = ?"


def _delete(write: Transaction, operation: Delete) -> list[str]:
    node = None if operation.where is None else filters.parse(operation.where)
    text, values = condition(operation.scope, None, node)
    if operation.ids is None:
        rows = write.connection.execute(f"SELECT r.key, r.id FROM records r WHERE {text}", values).fetchall()
    else:
        rows = []
        for part in _batches(operation.ids):
            marks = ", ".join("?" * len(part))
            query = (
                f"SELECT r.key, r.id FROM records r INDEXED BY records_id WHERE {text} AND r.id IN ({marks})"
            )
            rows += write.connection.execute(query, [*values, *part]).fetchall()
    delete_keys(write, [row[0] for row in rows])
    return [row[1] for row in rows]


def delete_keys(write: Transaction, keys: Sequence[int]) -> None:
    """Remove records and all that hangs on them; note each in the change sequence."""
    connection = write.connection
    for part in _batches(keys):
        marks = ", ".join("?" * len(part))
        connection.execute(
            "INSERT INTO changes (key, deleted, tenant_id, user_id, id)"
            f" SELECT key, 1, tenant_id, user_id, id FROM records WHERE key IN ({marks})",
            part,
        )
        connection.execute(f"DELETE FROM records WHERE key IN ({marks})", part)
        connection.execute(f"DELETE FROM history WHERE key IN ({marks})", part)
        connection.execute(f"DELETE FROM access WHERE key IN ({marks})", part)
        ends = f"source IN ({marks}) OR target IN ({marks})"
        connection.execute(f"DELETE FROM links WHERE {ends}", [*part, *part])
        write.drop_vectors(part)


def _set_link(write: Transaction, operation: SetLink) -> None:
    source = _key_of(write, operation.scope, operation.source)
    target = _key_of(write, operation.scope, operation.link.target)
    link = operation.link
    write.connection.execute(
        "INSERT INTO links VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (source, target, kind) DO UPDATE SET strength = excluded.strength",
        (source, target, link.kind, link.strength, to_micros(link.created_at or write.now)),
    )
    write.note(source)


def _unlink(write: Transaction, operation: Unlink) -> int:
    source = _key_of(write, operation.scope, operation.source)
    target = _key_of(write, operation.scope, operation.target)
    gone = write.connection.execute(
        "DELETE FROM links WHERE source = ? AND target = ? AND kind = coalesce(?, kind)",
        (source, target, operation.kind),
    ).rowcount
    if gone:
        write.note(source)
    return gone


def _touch(write: Transaction, operation: Touch) -> None:
    write.connection.executemany(
        "INSERT INTO access (key, count, at)"
        " SELECT key, ?, ? FROM records WHERE tenant_id = ? AND id = ?"
        " ON CONFLICT (key) DO UPDATE SET count = count + excluded.count, at = max(at, excluded.at)",
        [(n, to_micros(at), operation.tenant_id, id) for id, (n, at) in operation.accesses.items()],
    )


def _embed(write: Transaction, operation: Embed) -> bool:
    row = write.connection.execute(
        "SELECT key FROM records WHERE tenant_id = ? AND id = ? AND content = ?",
        (operation.tenant_id, operation.id, operation.content),
    ).fetchone()
    if row is None:
        return False
    write.put_vectors(row[0], operation.embedding)
    write.connection.execute("UPDATE records SET embedded = 1 WHERE key = ?", row)
    write.note(row[0])
    return True


def _recode(write: Transaction, operation: Recode) -> bool:
    connection = write.connection
    row = connection.execute(
        f"{SELECT_BY_ID} WHERE r.id = ? AND r.tenant_id = ? AND r.content = ? AND r.version = ?",
        (operation.id, operation.tenant_id, operation.content, operation.version),
    ).fetchone()
    if row is None:
        return False
    key, touched = row[0], touched_columns(("content", "metadata"))
    connection.execute(setting(touched), [*values_at(touched, recoded(record_of(row), operation)), key])
    for version in versions(connection, key, operation.id):
        if version.record.version in operation.forms:
            write.put_version(key, replace(version, record=recoded(version.record, operation)))
    write.note(key)
    return True


def _key_of(write: Transaction, scope: Scope, id: str) -> int:
    text, values = condition(scope, write.now)
    row = write.connection.execute(
        f"SELECT r.key FROM records r INDEXED BY records_id WHERE r.id = ? AND {text}", [id, *values]
    ).fetchone()
    if row is None:
        raise NotFound(f"no memory {id!r} in this scope", part="sqlite")
    return int(row[0])


def _batches(items: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (items[at : at + _BATCH] for at in range(0, len(items), _BATCH))


_APPLY: dict[type, Callable[[Transaction, Any], Any]] = {
    Insert: _insert,
    Update: _update,
    Delete: _delete,
    SetLink: _set_link,
    Unlink: _unlink,
    Touch: _touch,
    Embed: _embed,
    Recode: _recode,
}
