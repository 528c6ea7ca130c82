"""The operations of a write on the state of the in-memory store. Not locked; the store does that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from memwell import filters
from memwell.backends.memory.store.state import State, alive, row_of
from memwell.errors import Conflict, EmbeddingError
from memwell.ports import Delete, Embed, Embedding, Insert, Operation, Recode, SetLink, Touch, Unlink, Update
from memwell.records.codec import digest_of
from memwell.records.revisions import overwriting, recoded, reinforced, revised
from memwell.types import Record, Version

__all__ = ["apply"]


def apply(state: State, operation: Operation, now: datetime) -> Any:
    """Carry out one operation; returns its result."""
    return _APPLY[type(operation)](state, operation, now)


def _insert(state: State, operation: Insert, now: datetime) -> Record:
    record, digest = operation.record, digest_of(operation)
    twin = state.duplicate(operation, digest, now)
    if twin is not None:
        return _reinforce(state, twin, operation, now)
    name = (record.scope.tenant_id, record.id)
    if name in state.ids:
        _free(state, state.ids[name], now)
    state.last_key += 1
    key = state.last_key
    state.put(state.ids, name, key)
    if record.access_count and record.last_accessed_at:
        state.put(state.access, key, (record.access_count, record.last_accessed_at))
    vectors = _vectors(state, operation.embedding)
    state.replace_row(key, row_of(record, vectors, operation.past))
    return state.record(key)


def _free(state: State, key: int, now: datetime) -> None:
    held = state.rows[key].record
    if alive(held, now):
        raise Conflict(
            f"the id {held.id!r} already belongs to another memory; use update to change that one",
            part="memory",
        )
    state.remove(key)


def _reinforce(state: State, key: int, operation: Insert, now: datetime) -> Record:
    row = state.rows[key]
    vectors = row.vectors or _vectors(state, operation.embedding)
    again = reinforced(row.record, operation.record)
    state.replace_row(key, replace(row, record=again, vectors=vectors))
    change = overwriting(operation, again)
    return state.record(key) if change is None else _update(state, change, now)


def _update(state: State, operation: Update, now: datetime) -> Record:
    key = state.key_of(operation.scope, operation.id, now)
    found = state.record(key)
    record, changed = revised(found, operation, now)
    if not changed:
        return found
    row = state.rows[key]
    vectors = _vectors(state, operation.embedding) if "content" in changed else row.vectors
    before = replace(found, links=(), embedded=False)
    past = (*row.past, Version(record=before, changed_at=now, changed=changed))
    again = row_of(record, vectors, past, None if {"content", "metadata"} & {*changed} else row)
    state.replace_row(key, replace(again, links=row.links))
    return state.record(key)


def _delete(state: State, operation: Delete, now: datetime) -> list[str]:
    scope = operation.scope
    node = None if operation.where is None else filters.parse(operation.where)
    if operation.ids is None:
        keys = list(state.rows)
    else:
        named = (state.ids.get((scope.tenant_id, id)) for id in dict.fromkeys(operation.ids))
        keys = [key for key in named if key is not None]
    gone: list[str] = []
    for key in keys:
        record = state.record(key)
        if scope.sees(record.scope) and (node is None or filters.matches(record, node)):
            state.remove(key)
            gone.append(record.id)
    return gone


def _set_link(state: State, operation: SetLink, now: datetime) -> None:
    source = state.key_of(operation.scope, operation.source, now)
    target = state.key_of(operation.scope, operation.link.target, now)
    link, row = operation.link, state.rows[source]
    known = {entry[:2]: entry for entry in row.links}
    since = known[target, link.kind][3] if (target, link.kind) in known else link.created_at or now
    known[target, link.kind] = (target, link.kind, link.strength, since)
    state.put(state.sources, target, state.sources.get(target, frozenset()) | {source})
    state.replace_row(source, replace(row, links=tuple(sorted(known.values()))))


def _unlink(state: State, operation: Unlink, now: datetime) -> int:
    source = state.key_of(operation.scope, operation.source, now)
    target = state.key_of(operation.scope, operation.target, now)
    row = state.rows[source]
    kept = tuple(e for e in row.links if e[0] != target or operation.kind not in (None, e[1]))
    if len(kept) < len(row.links):
        if all(entry[0] != target for entry in kept):
            state.put(state.sources, target, state.sources[target] - {source})
        state.replace_row(source, replace(row, links=kept))
    return len(row.links) - len(kept)


def _touch(state: State, operation: Touch, now: datetime) -> None:
    for id, (count, at) in operation.accesses.items():
        key = state.ids.get((operation.tenant_id, id))
        if key is not None:
            before = state.access.get(key, (0, at))
            state.put(state.access, key, (before[0] + count, max(before[1], at)))


def _embed(state: State, operation: Embed, now: datetime) -> bool:
    key = state.ids.get((operation.tenant_id, operation.id))
    if key is None or state.rows[key].record.content != operation.content:
        return False
    row = state.rows[key]
    state.replace_row(key, replace(row, vectors=row.vectors | _vectors(state, operation.embedding)))
    return True


def _recode(state: State, operation: Recode, now: datetime) -> bool:
    del now
    key = state.ids.get((operation.tenant_id, operation.id))
    if key is None:
        return False
    row = state.rows[key]
    if (row.record.content, row.record.version) != (operation.content, operation.version):
        return False
    past = tuple(replace(version, record=recoded(version.record, operation)) for version in row.past)
    fresh = row_of(recoded(row.record, operation), row.vectors, past)
    state.replace_row(key, replace(fresh, links=row.links))
    return True


def _vectors(state: State, embedding: Embedding | None) -> dict[str, Embedding]:
    if embedding is None:
        return {}
    dimension = embedding.vectors.shape[1]
    known = state.dimensions.get(embedding.model, dimension)
    if known != dimension:
        raise EmbeddingError(
            f"vectors of {embedding.model!r} have dimension {known} here, not {dimension};"
            " an embedder with another dimension needs another model name",
            part="memory",
        )
    state.put(state.dimensions, embedding.model, dimension)
    kept = embedding.vectors.copy()
    kept.flags.writeable = False
    return {embedding.model: replace(embedding, vectors=kept)}


_APPLY: Final[dict[type, Callable[[State, Any, datetime], Any]]] = {
    Insert: _insert,
    Update: _update,
    Delete: _delete,
    SetLink: _set_link,
    Unlink: _unlink,
    Touch: _touch,
    Embed: _embed,
    Recode: _recode,
}
