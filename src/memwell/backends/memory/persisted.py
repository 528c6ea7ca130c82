"""A base class for custom stores: it searches in memory, and two methods save and load the records as bytes.

`save(changes)` is called inside each write, before it is acknowledged, with the new bytes of every name that changed
(`None`: delete it). It must save all of them or raise, which undoes the write. `load()` returns everything when the
store is opened. The bytes may be in a folder, a table or a bucket; a name is short ASCII text.

Search, filters, versions, relationships and vectors are those of the in-memory store. Set the capability `durable` if
`save` is durable. Only one process may open the store at a time: it does not see what another has written. The change
sequence starts over at each opening, so that indexes and caches are compared with the store then.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeAlias

from memwell.backends.memory.store import MemoryStore
from memwell.backends.memory.store.state import Row, State, row_of
from memwell.errors import Corrupt
from memwell.records.codec import (
    dumps,
    embedding_from_json,
    embedding_to_json,
    loads,
    record_from_json,
    record_to_json,
    to_micros,
    version_from_json,
    version_to_json,
)

__all__ = ["PersistedStore"]

_SERVING = "serving"
_Entry: TypeAlias = tuple[Row, tuple[int, datetime] | None, Any]
"""A row without its relationships, its accesses, and its relationships."""


class PersistedStore(MemoryStore):
    """See the module. This constructor calls `load`, so a subclass first sets up what `load` needs. Raises `Corrupt`
    for bytes that cannot be read.
    """

    part = "persisted"

    def __init__(self) -> None:
        super().__init__()
        rows: dict[int, _Entry] = {}
        serving = None
        for name, body in self.load():
            try:
                if name == _SERVING:
                    serving = loads(body.decode())
                else:
                    rows[int(name)] = _entry(loads(body.decode()))
            except (Corrupt, ValueError, KeyError, TypeError, AttributeError) as error:
                raise Corrupt(
                    f"{name!r} was not saved by memwell, or was changed: {error}", part=self.part
                ) from error
        _fill(self._state, rows, serving)
        self._served = serving

    @abstractmethod
    def load(self) -> Iterable[tuple[str, bytes]]:
        """Return everything that was saved and not deleted: name and bytes, in any order."""

    @abstractmethod
    def save(self, changes: Mapping[str, bytes | None]) -> None:
        """Save all of the changes, or raise and change nothing."""

    def _commit(self) -> None:
        state = self._state
        changes = {f"{key:012d}": _body(state, key) if key in state.rows else None for key in state.touched}
        if state.serving != self._served:
            changes[_SERVING] = dumps(state.serving).encode()
        if changes:
            self.save(changes)
            self._served = state.serving


def _body(state: State, key: int) -> bytes:
    """A record with its versions, vectors and relationships, as JSON."""
    row = state.rows[key]
    data = {
        "record": record_to_json(state.record(key)),
        "past": [version_to_json(version) for version in row.past],
        "vectors": [embedding_to_json(embedding) for embedding in row.vectors.values()],
    }
    return dumps(data).encode()


def _fill(state: State, rows: Mapping[int, _Entry], serving: str | None) -> None:
    """Fill the state from the rows."""
    with state.transaction():
        for key in sorted(rows):
            row, accesses, _ = rows[key]
            state.ids[row.record.scope.tenant_id, row.record.id] = key
            state.dimensions.update({model: e.vectors.shape[1] for model, e in row.vectors.items()})
            if accesses is not None:
                state.access[key] = accesses
            state.replace_row(key, row)
        for key, (_, _, links) in rows.items():
            _link(state, key, links)
        if serving is not None:
            state.choose(serving)
    state.changes.clear()
    state.last_key = max(rows, default=0)
    state.last_seq = 0
    if rows or serving is not None:  # beyond any position of an earlier opening
        state.last_seq = state.trimmed_to = to_micros(datetime.now(UTC))


def _entry(data: Mapping[str, Any]) -> _Entry:
    record = record_from_json(data["record"])
    past = tuple(version_from_json(version) for version in data["past"])
    embeddings = [embedding_from_json(embedding) for embedding in data["vectors"]]
    last = record.last_accessed_at
    accesses = None if last is None else (record.access_count, last)
    return row_of(record, {e.model: e for e in embeddings}, past), accesses, record.links


def _link(state: State, key: int, links: Any) -> None:
    row = state.rows[key]
    tenant = row.record.scope.tenant_id
    known = [(state.ids[tenant, link.target], link) for link in links if (tenant, link.target) in state.ids]
    for target, _ in known:
        state.sources[target] = state.sources.get(target, frozenset()) | {key}
    entries = sorted((t, link.kind, link.strength, link.created_at) for t, link in known)
    state.replace_row(key, replace(row, links=tuple(entries)))
