"""What the in-memory store holds. Not locked; the store does that."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field, replace
from datetime import datetime
from typing import Any

from memwell._dataclasses import dataclass
from memwell.errors import NotFound
from memwell.ports import Embedding, Insert
from memwell.records.codec import digest
from memwell.retrieval.analysis.features import lexemes_and_signals
from memwell.sealed import same_content
from memwell.types import Link, Record, Scope, Version

__all__ = ["Row", "State", "alive", "row_of", "sees"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A record with its index terms, vectors, versions and relationships, but without its accesses."""

    record: Record
    digest: int
    """Exact duplicates have the same."""
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
        self.digests: dict[int, frozenset[int]] = {}
        """Digest → keys of the records that have it."""
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
        self.trimmed_to = 0
        """Changes up to this position are lost."""
        self.touched: set[int] = set()
        """Keys whose rows or accesses the transaction has changed."""
        self._chosen: str | None = None
        self._undo: list[Callable[[], object]] = []

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All changes of the block, or none of them."""
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

    def record(self, key: int) -> Record:
        """A record with its relationships and accesses."""
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

    def duplicate(self, insert: Insert, digest: int, now: datetime) -> int | None:
        """The key of the record that an insert would reinforce."""
        for key in sorted(self.digests.get(digest, ())):
            found = self.rows[key].record
            if not same_content(found.content, insert.record.content) or found.scope != insert.record.scope:
                continue
            if insert.named and found.id != insert.record.id:
                continue
            if alive(found, now) and (not insert.dated or found.created_at == insert.record.created_at):
                return key
        return None

    def remove(self, key: int) -> None:
        """Remove a record with its relationships and accesses."""
        self.note(key, deleted=True)
        row = self.rows[key]
        self._count(row.vectors, {})
        for source in self.sources.get(key, ()):
            kept = tuple(link for link in self.rows[source].links if link[0] != key)
            self.put(self.rows, source, replace(self.rows[source], links=kept))
        for target in {link[0] for link in row.links}:
            self.put(self.sources, target, self.sources[target] - {key})
        self.put(self.digests, row.digest, self.digests[row.digest] - {key})
        self.put(self.ids, (row.record.scope.tenant_id, row.record.id), None)
        self.put(self.sources, key, None)
        self.put(self.access, key, None)
        self.put(self.rows, key, None)

    def replace_row(self, key: int, row: Row) -> None:
        """Put a row in the place of another, and note the change."""
        old = self.rows.get(key)
        self._count({} if old is None else old.vectors, row.vectors)
        if old is None or old.digest != row.digest:
            if old is not None:
                self.put(self.digests, old.digest, self.digests[old.digest] - {key})
            self.put(self.digests, row.digest, self.digests.get(row.digest, frozenset()) | {key})
        self.put(self.rows, key, row)
        self.note(key)

    def note(self, key: int, *, deleted: bool = False) -> None:
        """Append to the change sequence."""
        record = self.rows[key].record
        scope = record.scope
        self.last_seq += 1
        self.put(self.changes, self.last_seq, (key, deleted, scope.tenant_id, scope.user_id, record.id))

    def _count(self, before: Mapping[str, Embedding], after: Mapping[str, Embedding]) -> None:
        """Count the records of each model, and let the first of them serve."""
        for model in before.keys() ^ after.keys():
            step = 1 if model in after else -1
            self.put(self.embedded, model, self.embedded.get(model, 0) + step)
        fresh = [model for model, embedding in after.items() if before.get(model) is not embedding]
        if fresh and self.serving is None:
            self.choose(fresh[0])

    def put(self, table: dict[Any, Any], key: Any, value: Any) -> None:
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


def alive(record: Record, now: datetime) -> bool:
    """Whether a record has not expired."""
    return record.expires_at is None or record.expires_at > now


def sees(scope: Scope, record: Record, now: datetime) -> bool:
    """Whether a call in this scope may see the record."""
    return scope.sees(record.scope) and alive(record, now)


def row_of(
    record: Record, vectors: dict[str, Embedding], past: tuple[Version, ...], alike: Row | None = None
) -> Row:
    """A row of a record, without its relationships and accesses. `alike` is a row with the same text and metadata."""
    plain = replace(record, links=(), embedded=False, access_count=0, last_accessed_at=None)
    lexemes, signals = lexemes_and_signals(record) if alike is None else (alike.lexemes, alike.signals)
    return Row(
        record=plain,
        digest=digest(record),
        lexemes=lexemes,
        signals=signals,
        vectors=vectors,
        past=past,
    )
