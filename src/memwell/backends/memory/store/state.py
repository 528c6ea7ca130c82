"""What the in-memory store holds, and the operations of a write on it. Not locked; the store does that."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from memwell import filters
from memwell.errors import Conflict, EmbeddingError, NotFound
from memwell.ports import Delete, Embed, Embedding, Insert, Operation, SetLink, Touch, Unlink, Update
from memwell.records.codec import digest, digest_of
from memwell.records.revisions import overwriting, reinforced, revised
from memwell.retrieval.analysis.features import lexemes_and_signals
from memwell.types import Link, Record, Scope, Version

__all__ = ["Row", "State", "alive", "row_of", "sees"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A record with all that hangs on it; its own `links` and accesses stand apart."""

    record: Record
    digest: int
    """Its digest: exact duplicates have the same."""
    lexemes: str
    signals: str
    vectors: dict[str, Embedding] = field(default_factory=dict)
    past: tuple[Version, ...] = ()
    links: tuple[tuple[int, str, float, datetime], ...] = ()
    """(key of the target, kind, strength, since) of each outgoing relationship, in this order."""


class State:
    """Dictionaries, changed only through `put`, so that a failed write can be undone."""

    def __init__(self) -> None:
        self.rows: dict[int, Row] = {}
        self.ids: dict[tuple[str, str], int] = {}
        self.marks: dict[int, frozenset[int]] = {}
        self.sources: dict[int, frozenset[int]] = {}
        """Key of a target → keys that point to it."""
        self.access: dict[int, tuple[int, datetime]] = {}
        self.dimensions: dict[str, int] = {}
        self.changes: dict[int, tuple[int, bool, str, str | None, str]] = {}
        """Position → (key, whether it was deleted, tenant, user, id)."""
        self.embedded: dict[str, int] = {}
        """Model → how many records have vectors of it."""
        self.last_key = 0
        self.last_seq = 0
        self.forgotten = 0
        """Changes up to this position are not told."""
        self.touched: set[int] = set()
        """Keys whose rows or accesses the transaction has changed."""
        self._chosen: str | None = None
        self._undo: list[Callable[[], object]] = []

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of the block, or nothing of it."""
        self._undo = []
        self.touched = set()
        try:
            yield
        except BaseException:
            for step in reversed(self._undo):
                step()
            raise
        finally:
            self._undo = []

    def apply(self, operation: Operation, now: datetime) -> Any:
        """Carry out one operation and return its result."""
        return _APPLY[type(operation)](self, operation, now)

    def record(self, key: int) -> Record:
        """A record as it is told: with its relationships and accesses."""
        row = self.rows[key]
        count, at = self.access.get(key, (0, None))
        links = tuple(
            Link(target=self.rows[target].record.id, kind=kind, strength=strength, created_at=since)
            for target, kind, strength, since in row.links
        )
        return replace(
            row.record, links=links, access_count=count, last_accessed_at=at, embedded=bool(row.vectors)
        )

    @property
    def serving(self) -> str | None:
        """See `Store.serving`."""
        return self._chosen if self.embedded.get(self._chosen or "") else None

    def choose(self, model: str) -> None:
        """Let a model serve."""
        before = self._chosen
        self._undo.append(lambda: setattr(self, "_chosen", before))
        self._chosen = model

    def key_of(self, scope: Scope, id: str, now: datetime) -> int:
        """The key of a visible record. Raises `NotFound`."""
        key = self.ids.get((scope.tenant_id, id))
        if key is None or not sees(scope, self.rows[key].record, now):
            raise NotFound(f"no memory {id!r} in this scope", part="memory")
        return key

    def twin(self, insert: Insert, mark: int, now: datetime) -> int | None:
        """The key of the record that an insert would reinforce."""
        for key in sorted(self.marks.get(mark, ())):
            found = self.rows[key].record
            if found.content != insert.record.content or found.scope != insert.record.scope:
                continue
            if insert.named and found.id != insert.record.id:
                continue
            if alive(found, now) and (not insert.dated or found.created_at == insert.record.created_at):
                return key
        return None

    def remove(self, key: int) -> None:
        """Remove a record and all that hangs on it."""
        self.note(key, deleted=True)
        row = self.rows[key]
        self._count(row.vectors, {})
        for source in self.sources.get(key, ()):
            kept = tuple(link for link in self.rows[source].links if link[0] != key)
            self._put(self.rows, source, replace(self.rows[source], links=kept))
        for target in {link[0] for link in row.links}:
            self._put(self.sources, target, self.sources[target] - {key})
        self._put(self.marks, row.digest, self.marks[row.digest] - {key})
        self._put(self.ids, (row.record.scope.tenant_id, row.record.id), None)
        self._put(self.sources, key, None)
        self._put(self.access, key, None)
        self._put(self.rows, key, None)

    def replace_row(self, key: int, row: Row) -> None:
        """Put a row in the place of another, and note the change."""
        old = self.rows.get(key)
        self._count({} if old is None else old.vectors, row.vectors)
        if old is None or old.digest != row.digest:
            if old is not None:
                self._put(self.marks, old.digest, self.marks[old.digest] - {key})
            self._put(self.marks, row.digest, self.marks.get(row.digest, frozenset()) | {key})
        self._put(self.rows, key, row)
        self.note(key)

    def note(self, key: int, *, deleted: bool = False) -> None:
        """Append to the change sequence."""
        record = self.rows[key].record
        scope = record.scope
        self.last_seq += 1
        self._put(self.changes, self.last_seq, (key, deleted, scope.tenant_id, scope.user_id, record.id))

    def _count(self, before: Mapping[str, Embedding], after: Mapping[str, Embedding]) -> None:
        """Count the records of each model, and let the first of them serve."""
        for model in before.keys() ^ after.keys():
            step = 1 if model in after else -1
            self._put(self.embedded, model, self.embedded.get(model, 0) + step)
        fresh = [model for model, embedding in after.items() if before.get(model) is not embedding]
        if fresh and self.serving is None:
            self.choose(fresh[0])

    def _put(self, table: dict[Any, Any], key: Any, value: Any) -> None:
        """Set an entry, or remove it with `None`, remembering how to undo that."""
        if table is self.rows or table is self.access:
            self.touched.add(key)
        if key in table:
            old = table[key]
            self._undo.append(lambda: table.__setitem__(key, old))
        else:
            self._undo.append(lambda: table.pop(key, None))
        if value is None:
            table.pop(key, None)
        else:
            table[key] = value

    # ------------------------------------------------------------------------------------------ operations

    def _insert(self, operation: Insert, now: datetime) -> Record:
        record, mark = operation.record, digest_of(operation)
        twin = self.twin(operation, mark, now)
        if twin is not None:
            return self._reinforce(twin, operation, now)
        name = (record.scope.tenant_id, record.id)
        if name in self.ids:
            self._free(self.ids[name], now)
        self.last_key += 1
        key = self.last_key
        self._put(self.ids, name, key)
        if record.access_count and record.last_accessed_at:
            self._put(self.access, key, (record.access_count, record.last_accessed_at))
        vectors = self._vectors(operation.embedding)
        self.replace_row(key, row_of(record, vectors, operation.past))
        return self.record(key)

    def _free(self, key: int, now: datetime) -> None:
        held = self.rows[key].record
        if alive(held, now):
            raise Conflict(
                f"the id {held.id!r} already belongs to another memory; use update to change that one",
                part="memory",
            )
        self.remove(key)

    def _reinforce(self, key: int, operation: Insert, now: datetime) -> Record:
        row = self.rows[key]
        vectors = row.vectors or self._vectors(operation.embedding)
        again = reinforced(row.record, operation.record)
        self.replace_row(key, replace(row, record=again, vectors=vectors))
        change = overwriting(operation, again)
        return self.record(key) if change is None else self._update(change, now)

    def _update(self, operation: Update, now: datetime) -> Record:
        key = self.key_of(operation.scope, operation.id, now)
        found = self.record(key)
        record, changed = revised(found, operation, now)
        if not changed:
            return found
        row = self.rows[key]
        vectors = self._vectors(operation.embedding) if "content" in changed else row.vectors
        before = replace(found, links=(), embedded=False)
        past = (*row.past, Version(record=before, changed_at=now, changed=changed))
        self.replace_row(key, replace(row_of(record, vectors, past), links=row.links))
        return self.record(key)

    def _delete(self, operation: Delete, now: datetime) -> list[str]:
        scope = operation.scope
        node = None if operation.where is None else filters.parse(operation.where)
        if operation.ids is None:
            keys = list(self.rows)
        else:
            named = (self.ids.get((scope.tenant_id, id)) for id in dict.fromkeys(operation.ids))
            keys = [key for key in named if key is not None]
        gone: list[str] = []
        for key in keys:
            record = self.record(key)
            if scope.sees(record.scope) and (node is None or filters.matches(record, node)):
                self.remove(key)
                gone.append(record.id)
        return gone

    def _set_link(self, operation: SetLink, now: datetime) -> None:
        source = self.key_of(operation.scope, operation.source, now)
        target = self.key_of(operation.scope, operation.link.target, now)
        link, row = operation.link, self.rows[source]
        known = {entry[:2]: entry for entry in row.links}
        since = known[target, link.kind][3] if (target, link.kind) in known else link.created_at or now
        known[target, link.kind] = (target, link.kind, link.strength, since)
        self._put(self.sources, target, self.sources.get(target, frozenset()) | {source})
        self.replace_row(source, replace(row, links=tuple(sorted(known.values()))))

    def _unlink(self, operation: Unlink, now: datetime) -> int:
        source = self.key_of(operation.scope, operation.source, now)
        target = self.key_of(operation.scope, operation.target, now)
        row = self.rows[source]
        kept = tuple(e for e in row.links if e[0] != target or operation.kind not in (None, e[1]))
        if len(kept) < len(row.links):
            if all(entry[0] != target for entry in kept):
                self._put(self.sources, target, self.sources[target] - {source})
            self.replace_row(source, replace(row, links=kept))
        return len(row.links) - len(kept)

    def _touch(self, operation: Touch, now: datetime) -> None:
        for id, (count, at) in operation.accesses.items():
            key = self.ids.get((operation.tenant_id, id))
            if key is not None:
                before = self.access.get(key, (0, at))
                self._put(self.access, key, (before[0] + count, max(before[1], at)))

    def _embed(self, operation: Embed, now: datetime) -> bool:
        key = self.ids.get((operation.tenant_id, operation.id))
        if key is None or self.rows[key].record.content != operation.content:
            return False
        row = self.rows[key]
        self.replace_row(key, replace(row, vectors=row.vectors | self._vectors(operation.embedding)))
        return True

    def _vectors(self, embedding: Embedding | None) -> dict[str, Embedding]:
        if embedding is None:
            return {}
        dimension = embedding.vectors.shape[1]
        known = self.dimensions.get(embedding.model, dimension)
        if known != dimension:
            raise EmbeddingError(
                f"vectors of {embedding.model!r} have dimension {known} here, not {dimension};"
                " an embedder with another dimension needs another model name",
                part="memory",
            )
        self._put(self.dimensions, embedding.model, dimension)
        kept = embedding.vectors.copy()
        kept.flags.writeable = False
        return {embedding.model: replace(embedding, vectors=kept)}


def alive(record: Record, now: datetime) -> bool:
    """Whether a record has not expired."""
    return record.expires_at is None or record.expires_at > now


def sees(scope: Scope, record: Record, now: datetime) -> bool:
    """Whether a call in this scope may meet the record at all."""
    return scope.sees(record.scope) and alive(record, now)


def row_of(record: Record, vectors: dict[str, Embedding], past: tuple[Version, ...]) -> Row:
    """A row of a record, without its relationships and accesses."""
    plain = replace(record, links=(), embedded=False, access_count=0, last_accessed_at=None)
    lexemes, signals = lexemes_and_signals(record)
    return Row(
        record=plain,
        digest=digest(record),
        lexemes=lexemes,
        signals=signals,
        vectors=vectors,
        past=past,
    )


_APPLY: dict[type, Callable[[State, Any, datetime], Any]] = {
    Insert: State._insert,
    Update: State._update,
    Delete: State._delete,
    SetLink: State._set_link,
    Unlink: State._unlink,
    Touch: State._touch,
    Embed: State._embed,
}
