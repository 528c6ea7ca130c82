"""The operations of a write on a SQLite connection, inside the caller's transaction. Each keeps every
projection in step.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from memwell import filters
from memwell.codec import digest, dumps, record_to_json, to_micros
from memwell.errors import BackendError, Conflict, EmbeddingError, NotFound
from memwell.ports import Delete, Embed, Embedding, Insert, Operation, SetLink, Touch, Unlink, Update
from memwell.revision import reinforced, revised
from memwell.stores.sqlite_rows import COLUMNS, SELECT, SELECT_BY_ID, columns_of, condition, record_of
from memwell.types import Record, Scope, Version

__all__ = ["MODEL_SHIFT", "apply", "delete_keys", "find_duplicate", "marks_of", "put_vectors", "put_version"]

MODEL_SHIFT = 44
_INSERT = f"INSERT INTO records ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"
_UPDATE = f"UPDATE records SET {', '.join(f'{c} = ?' for c in COLUMNS)} WHERE key = ?"
_PUT = "INSERT INTO changes (key, deleted) VALUES (?, 0)"
_BATCH = 500


def apply(connection: sqlite3.Connection, operation: Operation, now: datetime) -> Any:
    """Carry out one operation and return its result."""
    return _APPLY[type(operation)](connection, operation, now)


def find_duplicate(connection: sqlite3.Connection, insert: Insert, mark: int, now: datetime) -> Record | None:
    """The stored record that the insert would reinforce; `mark` is the digest of its record."""
    record = insert.record
    rows = connection.execute(
        f"{SELECT} WHERE r.digest = ? AND (r.expires_at IS NULL OR r.expires_at > ?)", (mark, to_micros(now))
    ).fetchall()
    for row in rows:
        found = record_of(row)
        if found.content != record.content or found.scope != record.scope:
            continue
        if insert.named and found.id != record.id:
            continue
        if not insert.dated or found.created_at == record.created_at:
            return found
    return None


def _insert(connection: sqlite3.Connection, operation: Insert, now: datetime) -> Record:
    record = operation.record
    values = columns_of(record, operation.embedding is not None)
    known = connection.execute("SELECT 1 FROM records WHERE digest = ?", (values[14],)).fetchone()
    if known and (found := find_duplicate(connection, operation, values[14], now)):
        return _reinforce(connection, found, record, operation.embedding)
    try:
        key = connection.execute(_INSERT, values).lastrowid
    except sqlite3.IntegrityError:
        _free_id(connection, record, now)
        key = connection.execute(_INSERT, values).lastrowid
    if key is None:
        raise BackendError("SQLite gave no row id for an insert", part="sqlite")
    if operation.embedding is not None:
        put_vectors(connection, key, operation.embedding)
    for version in operation.past:
        put_version(connection, key, version)
    if record.access_count and record.last_accessed_at:
        at = to_micros(record.last_accessed_at)
        connection.execute("INSERT INTO access VALUES (?, ?, ?)", (key, record.access_count, at))
    connection.execute(_PUT, (key,))
    return record if operation.embedding is None else replace(record, embedded=True)


def _free_id(connection: sqlite3.Connection, record: Record, now: datetime) -> None:
    """Make room where an expired record holds the id; raise `Conflict` where a living one does."""
    row = connection.execute(
        "SELECT key, expires_at FROM records WHERE tenant_id = ? AND id = ?",
        (record.scope.tenant_id, record.id),
    ).fetchone()
    if row is None or row[1] is None or row[1] > to_micros(now):
        raise Conflict(
            f"the id {record.id!r} already belongs to another memory; use update to change that one",
            part="sqlite",
        )
    delete_keys(connection, [row[0]])


def _reinforce(
    connection: sqlite3.Connection, found: Record, again: Record, embedding: Embedding | None
) -> Record:
    record = reinforced(found, again)
    key = _key_of(connection, record.scope, record.id)
    expires = None if record.expires_at is None else to_micros(record.expires_at)
    connection.execute(
        "UPDATE records SET reinforced = ?, expires_at = ? WHERE key = ?", (record.reinforced, expires, key)
    )
    if embedding is not None and not found.embedded:
        put_vectors(connection, key, embedding)
        connection.execute("UPDATE records SET embedded = 1 WHERE key = ?", (key,))
        record = replace(record, embedded=True)
    connection.execute(_PUT, (key,))
    return record


def _update(connection: sqlite3.Connection, operation: Update, now: datetime) -> Record:
    text, values = condition(operation.scope, now)
    row = connection.execute(f"{SELECT_BY_ID} WHERE r.id = ? AND {text}", [operation.id, *values]).fetchone()
    if row is None:
        raise NotFound(f"no memory {operation.id!r} in this scope", part="sqlite")
    key, found = row[0], record_of(row)
    record, changed = revised(found, operation, now)
    if not changed:
        return found
    moved = "content" in changed
    embedded = operation.embedding is not None if moved else found.embedded
    put_version(connection, key, Version(record=found, changed_at=now, changed=changed))
    connection.execute(_UPDATE, (*columns_of(record, embedded), key))
    if moved:
        connection.execute(*_vectors_of(connection, [key]))
        if operation.embedding is not None:
            put_vectors(connection, key, operation.embedding)
    connection.execute(_PUT, (key,))
    return replace(record, embedded=embedded)


def put_version(connection: sqlite3.Connection, key: int, version: Version) -> None:
    """Keep a record as it was. `changed` tells what the *next* version changed."""
    body = dumps(record_to_json(replace(version.record, links=())))
    connection.execute(
        "INSERT OR REPLACE INTO history VALUES (?, ?, ?, ?, ?)",
        (key, version.record.version, to_micros(version.changed_at), dumps(version.changed), body),
    )


def put_vectors(connection: sqlite3.Connection, key: int, embedding: Embedding) -> None:
    """Store or replace the vectors of one record under one model."""
    number = _model(connection, embedding)
    spans = dumps(embedding.spans) if embedding.spans else None
    data = embedding.vectors.astype("<f4", copy=False).tobytes()
    connection.execute(
        "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", (number << MODEL_SHIFT | key, spans, data)
    )


def _model(connection: sqlite3.Connection, embedding: Embedding) -> int:
    dimension = embedding.vectors.shape[1]
    row = connection.execute(
        "SELECT number, dimension FROM models WHERE name = ?", (embedding.model,)
    ).fetchone()
    if row is None:
        number = connection.execute(
            "INSERT INTO models (name, dimension) VALUES (?, ?)", (embedding.model, dimension)
        )
        return int(number.lastrowid or 0)
    if row[1] != dimension:
        raise EmbeddingError(
            f"vectors of {embedding.model!r} have dimension {row[1]} here, not {dimension};"
            " an embedder with another dimension needs another model name",
            part="sqlite",
        )
    return int(row[0])


def _delete(connection: sqlite3.Connection, operation: Delete, now: datetime) -> list[str]:
    node = None if operation.where is None else filters.parse(operation.where)
    text, values = condition(operation.scope, None, node)
    if operation.ids is None:
        rows = connection.execute(f"SELECT r.key, r.id FROM records r WHERE {text}", values).fetchall()
    else:
        rows = []
        for part in _batches(operation.ids):
            marks = ", ".join("?" * len(part))
            query = (
                f"SELECT r.key, r.id FROM records r INDEXED BY records_id WHERE {text} AND r.id IN ({marks})"
            )
            rows += connection.execute(query, [*values, *part]).fetchall()
    delete_keys(connection, [row[0] for row in rows])
    return [row[1] for row in rows]


def delete_keys(connection: sqlite3.Connection, keys: Sequence[int]) -> None:
    """Remove records and all that hangs on them; note each in the change sequence."""
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
        connection.execute(f"DELETE FROM links WHERE source IN ({marks})", part)
        connection.execute(f"DELETE FROM links WHERE target IN ({marks})", part)
        connection.execute(*_vectors_of(connection, part))


def _vectors_of(connection: sqlite3.Connection, keys: Sequence[int]) -> tuple[str, list[int]]:
    numbers = [row[0] for row in connection.execute("SELECT number FROM models")]
    ids = [number << MODEL_SHIFT | key for number in numbers for key in keys]
    return f"DELETE FROM vectors WHERE id IN ({', '.join('?' * len(ids))})", ids


def _set_link(connection: sqlite3.Connection, operation: SetLink, now: datetime) -> None:
    source = _key_of(connection, operation.scope, operation.source, now)
    target = _key_of(connection, operation.scope, operation.link.target, now)
    link = operation.link
    connection.execute(
        "INSERT INTO links VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (source, target, kind) DO UPDATE SET strength = excluded.strength",
        (source, target, link.kind, link.strength, to_micros(link.created_at or now)),
    )
    connection.execute(_PUT, (source,))


def _unlink(connection: sqlite3.Connection, operation: Unlink, now: datetime) -> int:
    source = _key_of(connection, operation.scope, operation.source, now)
    target = _key_of(connection, operation.scope, operation.target, now)
    gone = connection.execute(
        "DELETE FROM links WHERE source = ? AND target = ? AND kind = coalesce(?, kind)",
        (source, target, operation.kind),
    ).rowcount
    if gone:
        connection.execute(_PUT, (source,))
    return gone


def _touch(connection: sqlite3.Connection, operation: Touch, now: datetime) -> None:
    connection.executemany(
        "INSERT INTO access (key, count, at)"
        " SELECT key, ?, ? FROM records WHERE tenant_id = ? AND id = ?"
        " ON CONFLICT (key) DO UPDATE SET count = count + excluded.count, at = max(at, excluded.at)",
        [(n, to_micros(at), operation.tenant_id, id) for id, (n, at) in operation.accesses.items()],
    )


def _embed(connection: sqlite3.Connection, operation: Embed, now: datetime) -> bool:
    row = connection.execute(
        "SELECT key FROM records WHERE tenant_id = ? AND id = ? AND content = ?",
        (operation.tenant_id, operation.id, operation.content),
    ).fetchone()
    if row is None:
        return False
    put_vectors(connection, row[0], operation.embedding)
    connection.execute("UPDATE records SET embedded = 1 WHERE key = ?", row)
    connection.execute(_PUT, row)
    return True


def _key_of(connection: sqlite3.Connection, scope: Scope, id: str, now: datetime | None = None) -> int:
    text, values = condition(scope, now)
    row = connection.execute(
        f"SELECT r.key FROM records r INDEXED BY records_id WHERE r.id = ? AND {text}", [id, *values]
    ).fetchone()
    if row is None:
        raise NotFound(f"no memory {id!r} in this scope", part="sqlite")
    return int(row[0])


def _batches(items: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (items[at : at + _BATCH] for at in range(0, len(items), _BATCH))


_APPLY: dict[type, Callable[[sqlite3.Connection, Any, datetime], Any]] = {
    Insert: _insert,
    Update: _update,
    Delete: _delete,
    SetLink: _set_link,
    Unlink: _unlink,
    Touch: _touch,
    Embed: _embed,
}


def marks_of(inserts: Sequence[Insert]) -> list[int]:
    """The digest of each insert's record."""
    return [digest(insert.record) for insert in inserts]
