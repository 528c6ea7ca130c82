"""The in-memory store: plain dictionaries, evaluated by the definitions themselves. The model that other stores are tested
against, and a store for tests and for what need not last. URL: `memory://`.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Self

from memwell import filters
from memwell.candidates import find
from memwell.capabilities import Capabilities
from memwell.codec import digest, dumps, to_micros
from memwell.corpus import Change as RowChange
from memwell.corpus import Chunked, Corpora, Partition, Row
from memwell.errors import Conflict, EmbeddingError, NotFound
from memwell.ports import (
    Change,
    Delete,
    Embed,
    Embedding,
    Insert,
    Operation,
    SetLink,
    Store,
    Touch,
    Unlink,
    Update,
)
from memwell.registry import Url
from memwell.revision import reinforced, revised
from memwell.search import Found, Search
from memwell.signals import signals_of
from memwell.text import lexemes_of
from memwell.types import Link, Problem, Record, Report, Scope, Stats, Version, Where

__all__ = ["MemoryStore"]


@dataclass(slots=True)
class _Row:
    """A record with what hangs on it; links and accesses stand apart."""

    record: Record
    lexemes: str
    signals: str
    vectors: dict[str, Embedding] = field(default_factory=dict)
    past: tuple[Version, ...] = ()


class _State:
    """The dictionaries, changed only through `put`, so that a failed write can be undone."""

    def __init__(self) -> None:
        self.rows: dict[int, _Row] = {}
        self.ids: dict[tuple[str, str], int] = {}
        self.links: dict[tuple[int, int, str], tuple[float, datetime]] = {}
        self.access: dict[int, tuple[int, datetime]] = {}
        self.dimensions: dict[str, int] = {}
        self.changes: dict[int, tuple[int, bool, str, str]] = {}
        self.last_key = 0
        self.last_seq = 0
        self._undo: list[Callable[[], object]] = []

    def put(self, table: dict[Any, Any], key: Any, value: Any) -> None:
        """Set an entry, or remove it with `None`."""
        if key in table:
            old = table[key]
            self._undo.append(lambda: table.__setitem__(key, old))
        else:
            self._undo.append(lambda: table.pop(key, None))
        if value is None:
            table.pop(key, None)
        else:
            table[key] = value

    def note(self, key: int, *, deleted: bool = False) -> None:
        """Append to the change sequence."""
        record = self.rows[key].record
        self.last_seq += 1
        self.put(self.changes, self.last_seq, (key, deleted, record.scope.tenant_id, record.id))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of the block, or nothing of it."""
        self._undo = []
        try:
            yield
        except BaseException:
            for step in reversed(self._undo):
                step()
            raise
        finally:
            self._undo = []


class MemoryStore(Store):
    """See the module."""

    part = "memory"
    blocking = True

    def __init__(self) -> None:
        self._state = _State()
        self._lock = threading.RLock()
        self._source = _Source(self)
        self._corpora = Corpora(self._source)

    @classmethod
    def from_url(cls, url: Url) -> Self:
        """`memory://`, without options."""
        url.done()
        return cls()

    @property
    def capabilities(self) -> Capabilities:
        """Everything that does not need a disk."""
        return Capabilities(
            atomic_batches=True, lexical=True, vectors=True, filters=True, history=True, links=True, changes=True
        )

    async def _close(self) -> None:
        self._corpora.clear()
        self._state = _State()

    async def _write(self, operations: Sequence[Operation], now: datetime) -> list[Any]:
        with self._lock, self._state.transaction():
            return [_APPLY[type(operation)](self, operation, now) for operation in operations]

    async def _get(self, scope: Scope, ids: Sequence[str], now: datetime) -> list[Record]:
        with self._lock:
            keys = [self._state.ids.get((scope.tenant_id, id)) for id in ids]
            found = [self._record(key) for key in keys if key is not None]
        return [record for record in found if _sees(scope, record, now)]

    async def _scan(
        self,
        scope: Scope,
        now: datetime,
        where: Where | None,
        order: str,
        descending: bool,
        limit: int,
        after: tuple[Any, str] | None,
    ) -> list[Record]:
        found = [(getattr(record, order), record.id, record) for record in self._all(scope, now, where)]
        if after is not None:
            found = [item for item in found if (item[:2] < after if descending else item[:2] > after)]
        found.sort(key=lambda item: item[:2], reverse=descending)
        return [record for _, _, record in found[:limit]]

    async def _count(self, scope: Scope, now: datetime, where: Where | None) -> int:
        return len(self._all(scope, now, where))

    async def _duplicates(self, inserts: Sequence[Insert], now: datetime) -> list[bool]:
        with self._lock:
            return [self._twin(insert, now) is not None for insert in inserts]

    async def _search(self, search: Search) -> Found:
        return find(self._corpora, self._source, search)

    async def _actors(self, scope: Scope) -> frozenset[str]:
        return self._corpora.actors(scope)

    async def _history(self, scope: Scope, id: str, now: datetime) -> list[Version]:
        with self._lock:
            key = self._key(scope, id, now)
            current = self._record(key)
            last = Version(record=current, changed_at=current.updated_at, current=True)
            return [*self._state.rows[key].past, last]

    async def _links(self, scope: Scope, ids: Sequence[str], incoming: bool) -> list[tuple[str, Link]]:
        with self._lock:
            near = {self._state.ids.get((scope.tenant_id, id)) for id in ids}
            found = []
            for (source, target, kind), (strength, at) in self._state.links.items():
                own = target if incoming else source
                if own in near and scope.sees(self._state.rows[own].record.scope):
                    names = self._state.rows[source].record.id, self._state.rows[target].record.id
                    found.append((names[0], Link(target=names[1], kind=kind, strength=strength, created_at=at)))
        return sorted(found, key=lambda item: (item[0], item[1].target, item[1].kind))

    async def _embeddings(self, scope: Scope, ids: Sequence[str], model: str) -> dict[str, Embedding]:
        with self._lock:
            keys = [self._state.ids.get((scope.tenant_id, id)) for id in ids]
            rows = [self._state.rows[key] for key in keys if key is not None]
        return {
            row.record.id: row.vectors[model]
            for row in rows
            if model in row.vectors and scope.sees(row.record.scope)
        }

    async def _unembedded(self, model: str, limit: int) -> list[Record]:
        with self._lock:
            keys = [key for key, row in self._state.rows.items() if model not in row.vectors]
            return [self._record(key) for key in sorted(keys)[:limit]]

    async def _changes(self, after: int, limit: int) -> list[Change]:
        with self._lock:
            found = [
                Change(seq=seq, kind="delete" if deleted else "put", tenant_id=tenant, id=id)
                for seq, (_, deleted, tenant, id) in self._state.changes.items()
                if seq > after
            ]
        return found[:limit]

    async def _sweep(self, now: datetime) -> int:
        with self._lock, self._state.transaction():
            keys = [key for key, row in self._state.rows.items() if not _alive(row.record, now)]
            for key in keys:
                self._remove(key)
            return len(keys)

    async def _stats(self, scope: Scope, now: datetime) -> Stats:
        records = self._all(scope, now, None)
        with self._lock:
            rows = [self._state.rows[self._state.ids[r.scope.tenant_id, r.id]] for r in records]
            expired = sum(
                scope.sees(row.record.scope) and not _alive(row.record, now) for row in self._state.rows.values()
            )
        times = [record.created_at for record in records]
        return Stats(
            records=len(records),
            sessions=len({r.session_id for r in records} - {None}),
            users=len({r.user_id for r in records} - {None}),
            by_kind=Counter(r.kind for r in records),
            by_category=Counter(r.category for r in records if r.category is not None),
            versions=sum(len(row.past) for row in rows),
            links=sum(len(record.links) for record in records),
            embedded=Counter(model for row in rows for model in row.vectors),
            unembedded=sum(not row.vectors for row in rows),
            expired=expired,
            oldest=min(times, default=None),
            newest=max(times, default=None),
            bytes=None,
        )

    async def _check(self, repair: bool) -> Report:
        problems: list[Problem] = []
        with self._lock, self._state.transaction():
            for key, row in self._state.rows.items():
                right = lexemes_of(row.record.content), signals_of(row.record)
                if (row.lexemes, row.signals) != right:
                    problems.append(Problem(kind="lexemes", detail="not those of the content", id=row.record.id))
                    if repair:
                        row.lexemes, row.signals = right
                        self._state.note(key)
            count = len(self._state.rows)
        fixed = len(problems) if repair else 0
        return Report(ok=not problems or repair, checked=count, problems=tuple(problems), repaired=fixed)

    # ------------------------------------------------------------------------------------------ operations

    def _insert(self, operation: Insert, now: datetime) -> Record:
        twin = self._twin(operation, now)
        if twin is not None:
            return self._reinforce(twin, operation)
        record, state = operation.record, self._state
        name = (record.scope.tenant_id, record.id)
        if name in state.ids:
            if _alive(state.rows[state.ids[name]].record, now):
                raise Conflict(
                    f"the id {record.id!r} already belongs to another memory; use update to change that one",
                    part=self.part,
                )
            self._remove(state.ids[name])
        state.last_key += 1
        key = state.last_key
        vectors = self._vectors(operation.embedding)
        plain = replace(record, links=(), embedded=False, access_count=0, last_accessed_at=None)
        row = _Row(plain, lexemes_of(record.content), signals_of(record), vectors, operation.past)
        state.put(state.rows, key, row)
        state.put(state.ids, name, key)
        if record.access_count and record.last_accessed_at:
            state.put(state.access, key, (record.access_count, record.last_accessed_at))
        state.note(key)
        return self._record(key)

    def _reinforce(self, key: int, operation: Insert) -> Record:
        row = self._state.rows[key]
        vectors = row.vectors or self._vectors(operation.embedding)
        changed = replace(row, record=reinforced(row.record, operation.record), vectors=vectors)
        self._state.put(self._state.rows, key, changed)
        self._state.note(key)
        return self._record(key)

    def _update(self, operation: Update, now: datetime) -> Record:
        key = self._key(operation.scope, operation.id, now)
        found = self._record(key)
        record, changed = revised(found, operation, now)
        if not changed:
            return found
        row = self._state.rows[key]
        vectors = self._vectors(operation.embedding) if "content" in changed else row.vectors
        past = (*row.past, Version(record=replace(found, links=()), changed_at=now, changed=changed))
        plain = replace(record, links=(), embedded=False, access_count=0, last_accessed_at=None)
        fresh = _Row(plain, lexemes_of(record.content), signals_of(record), vectors, past)
        self._state.put(self._state.rows, key, fresh)
        self._state.note(key)
        return self._record(key)

    def _delete(self, operation: Delete, now: datetime) -> list[str]:
        node = None if operation.where is None else filters.parse(operation.where)
        wanted = None if operation.ids is None else set(operation.ids)
        gone: list[str] = []
        for key in list(self._state.rows):
            record = self._record(key)
            if not operation.scope.sees(record.scope) or (wanted is not None and record.id not in wanted):
                continue
            if node is None or filters.matches(record, node):
                self._remove(key)
                gone.append(record.id)
        return gone

    def _set_link(self, operation: SetLink, now: datetime) -> None:
        source = self._key(operation.scope, operation.source, now)
        target = self._key(operation.scope, operation.link.target, now)
        name = (source, target, operation.link.kind)
        at = self._state.links.get(name, (0.0, operation.link.created_at or now))[1]
        self._state.put(self._state.links, name, (operation.link.strength, at))
        self._state.note(source)

    def _unlink(self, operation: Unlink, now: datetime) -> int:
        source = self._key(operation.scope, operation.source, now)
        target = self._key(operation.scope, operation.target, now)
        names = [n for n in self._state.links if n[:2] == (source, target) and operation.kind in (None, n[2])]
        for name in names:
            self._state.put(self._state.links, name, None)
        if names:
            self._state.note(source)
        return len(names)

    def _touch(self, operation: Touch, now: datetime) -> None:
        for id, (count, at) in operation.accesses.items():
            key = self._state.ids.get((operation.tenant_id, id))
            if key is not None:
                before = self._state.access.get(key, (0, at))
                self._state.put(self._state.access, key, (before[0] + count, max(before[1], at)))

    def _embed(self, operation: Embed, now: datetime) -> bool:
        key = self._state.ids.get((operation.tenant_id, operation.id))
        if key is None or self._state.rows[key].record.content != operation.content:
            return False
        row = self._state.rows[key]
        self._state.put(
            self._state.rows, key, replace(row, vectors=row.vectors | self._vectors(operation.embedding))
        )
        self._state.note(key)
        return True

    # --------------------------------------------------------------------------------------------- helpers

    def _remove(self, key: int) -> None:
        state = self._state
        state.note(key, deleted=True)
        for name in [name for name in state.links if key in name[:2]]:
            state.put(state.links, name, None)
        record = state.rows[key].record
        state.put(state.ids, (record.scope.tenant_id, record.id), None)
        state.put(state.access, key, None)
        state.put(state.rows, key, None)

    def _twin(self, insert: Insert, now: datetime) -> int | None:
        mark = digest(insert.record)
        for key, row in self._state.rows.items():
            found = row.record
            if insert.named and found.id != insert.record.id:
                continue
            if insert.dated and found.created_at != insert.record.created_at:
                continue
            if found.content == insert.record.content and _alive(found, now) and digest(found) == mark:
                return key
        return None

    def _vectors(self, embedding: Embedding | None) -> dict[str, Embedding]:
        if embedding is None:
            return {}
        dimension = embedding.vectors.shape[1]
        known = self._state.dimensions.setdefault(embedding.model, dimension)
        if known != dimension:
            raise EmbeddingError(
                f"vectors of {embedding.model!r} have dimension {known} here, not {dimension};"
                " an embedder with another dimension needs another model name",
                part=self.part,
            )
        return {embedding.model: embedding}

    def _key(self, scope: Scope, id: str, now: datetime) -> int:
        key = self._state.ids.get((scope.tenant_id, id))
        if key is None or not _sees(scope, self._state.rows[key].record, now):
            raise NotFound(f"no memory {id!r} in this scope", part=self.part)
        return key

    def _record(self, key: int) -> Record:
        state = self._state
        row = state.rows[key]
        count, at = state.access.get(key, (0, None))
        own = sorted((name, value) for name, value in state.links.items() if name[0] == key)
        links = tuple(
            Link(target=state.rows[target].record.id, kind=kind, strength=strength, created_at=made)
            for (_, target, kind), (strength, made) in own
        )
        return replace(
            row.record, links=links, access_count=count, last_accessed_at=at, embedded=bool(row.vectors)
        )

    def _all(self, scope: Scope, now: datetime, where: Where | None) -> list[Record]:
        node = None if where is None else filters.parse(where)
        with self._lock:
            records = [
                self._record(key) for key, row in self._state.rows.items() if _sees(scope, row.record, now)
            ]
        return [record for record in records if node is None or filters.matches(record, node)]


class _Source:
    """The dictionaries as the corpora read them; see `memwell.corpus.Source`."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def position(self) -> int:
        return self._store._state.last_seq

    def load(self, partition: Partition) -> tuple[int, list[Row]]:
        with self._store._lock:
            state = self._store._state
            rows = [_row(key, row) for key, row in state.rows.items() if _inside(partition, row)]
            return state.last_seq, rows

    def changes(self, after: int, partition: Partition, limit: int) -> tuple[int, list[RowChange]] | None:
        with self._store._lock:
            state = self._store._state
            if state.last_seq - after > limit:
                return None
            keys = {state.changes[seq][0] for seq in range(after + 1, state.last_seq + 1) if seq in state.changes}
            found: list[RowChange] = []
            for key in sorted(keys):
                row = state.rows.get(key)
                if row is None or _inside(partition, row):
                    found.append((key, None if row is None else _row(key, row)))
            return state.last_seq, found

    def vectors(self, partition: Partition, model: str, keys: Sequence[int] | None) -> Iterator[Chunked]:
        with self._store._lock:
            rows = self._store._state.rows
            chosen = [(key, rows[key]) for key in (rows if keys is None else keys) if key in rows]
        for key, row in chosen:
            if model in row.vectors and _inside(partition, row):
                embedding = row.vectors[model]
                spans = dumps(embedding.spans) if embedding.spans else None
                yield key, spans, embedding.vectors.astype("<f4", copy=False).tobytes()

    def visible(self, search: Search) -> set[int]:
        with self._store._lock:
            found = list(self._store._state.rows.items())
            return {
                key
                for key, row in found
                if _sees(search.scope, row.record, search.now)
                and (search.created_until is None or row.record.created_at <= search.created_until)
                and (search.where is None or filters.matches(self._store._record(key), search.where))
            }


def _row(key: int, row: _Row) -> Row:
    record = row.record
    expires = None if record.expires_at is None else to_micros(record.expires_at)
    created = to_micros(record.created_at)
    return key, record.id, record.user_id, record.session_id, created, expires, row.signals, row.lexemes


def _inside(partition: Partition, row: _Row) -> bool:
    scope = row.record.scope
    return scope.tenant_id == partition[0] and partition[1] in (None, scope.user_id)


def _alive(record: Record, now: datetime) -> bool:
    return record.expires_at is None or record.expires_at > now


def _sees(scope: Scope, record: Record, now: datetime) -> bool:
    return scope.sees(record.scope) and _alive(record, now)


_APPLY: dict[type, Callable[[MemoryStore, Any, datetime], Any]] = {
    Insert: MemoryStore._insert,
    Update: MemoryStore._update,
    Delete: MemoryStore._delete,
    SetLink: MemoryStore._set_link,
    Unlink: MemoryStore._unlink,
    Touch: MemoryStore._touch,
    Embed: MemoryStore._embed,
}
