"""The in-memory store: dictionaries, evaluated by the definitions themselves. The model that other stores are
tested against, and a store for tests and for what need not last. URL: `memory://`.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, Self

from memwell import filters
from memwell._forks import fork_safe
from memwell.backends.memory.store import models
from memwell.backends.memory.store.models import Followers
from memwell.backends.memory.store.operations import apply
from memwell.backends.memory.store.source import Source
from memwell.backends.memory.store.state import State, alive, sees
from memwell.capabilities import Capabilities
from memwell.errors import ConfigError, NotSupported
from memwell.ports import Change, Embedding, Insert, Operation, Store
from memwell.ports.store.search import Found, Search
from memwell.records.codec import digest_of
from memwell.records.revisions import chain
from memwell.resilience.reentry import unheld
from memwell.retrieval.analysis.features import lexemes_and_signals
from memwell.retrieval.index.corpora import Corpora
from memwell.retrieval.ranking.candidates import find
from memwell.types import Link, Problem, Record, Report, Scope, Stats, Trace, Version, Where
from memwell.urls import Url

__all__ = ["MemoryStore"]


class MemoryStore(Store):
    """See the module."""

    part = "memory"
    blocking = True

    def __init__(self) -> None:
        self._state = State()
        self._followers = Followers()
        self._reset_lock()
        fork_safe(self._reset_lock)
        self._source = Source(self._lock, lambda: self._state)
        self._corpora = Corpora(self._source)

    def _reset_lock(self) -> None:
        self._lock = threading.RLock()

    @classmethod
    def from_url(cls, url: Url) -> Self:
        """`memory://`, without options."""
        url.done()
        if url.rest:
            raise ConfigError(
                "memory:// takes no name, since each one is its own; omit what follows memory://"
            )
        return cls()

    @property
    def capabilities(self) -> Capabilities:
        """Everything that does not need a disk."""
        return Capabilities(
            atomic_batches=True,
            lexical=True,
            times=True,
            vectors=True,
            filters=True,
            history=True,
            links=True,
            changes=True,
        )

    async def _close(self) -> None:
        self._corpora.clear()
        self._state = State()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All changes of the block, or none of them."""
        with unheld(self._lock, self.part), self._state.transaction():
            yield
            self._commit()

    def _commit(self) -> None:
        """Called at the end of each transaction, for a store that keeps its state elsewhere: raising undoes it all."""

    async def _write(self, operations: Sequence[Operation], now: datetime) -> list[Any]:
        with self._transaction():
            return [apply(self._state, operation, now) for operation in operations]

    async def _get(self, scope: Scope, ids: Sequence[str], now: datetime) -> list[Record]:
        with self._lock:
            keys = [self._state.ids.get((scope.tenant_id, id)) for id in ids]
            found = [self._state.record(key) for key in keys if key is not None]
        return [record for record in found if sees(scope, record, now)]

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
        with self._lock:
            rows = [(key, self._state.rows[key].record) for key in self._keys(scope, now, where)]
            found = [(getattr(record, order), record.id, key) for key, record in rows]
            if after is not None:
                found = [item for item in found if (item[:2] < after if descending else item[:2] > after)]
            found.sort(key=lambda item: item[:2], reverse=descending)
            return [self._state.record(key) for _, _, key in found[:limit]]

    async def _count(self, scope: Scope, now: datetime, where: Where | None) -> int:
        with self._lock:
            return len(self._keys(scope, now, where))

    async def _duplicates(self, inserts: Sequence[Insert], now: datetime) -> list[bool]:
        with self._lock:
            return [self._state.duplicate(insert, digest_of(insert), now) is not None for insert in inserts]

    async def _search(self, search: Search) -> Found:
        try:
            return find(self._corpora, self._source, search, part=self.part)
        except BaseException:
            self._corpora.drop(search.scope)
            raise

    async def _actors(self, scope: Scope) -> frozenset[str]:
        return self._corpora.actors(scope)

    async def _history(self, scope: Scope, id: str, now: datetime) -> list[Version]:
        with self._lock:
            key = self._state.key_of(scope, id, now)
            return chain(self._state.rows[key].past, self._state.record(key))

    async def _links(self, scope: Scope, ids: Sequence[str], incoming: bool) -> list[tuple[str, Link]]:
        state = self._state
        found: list[tuple[str, Link]] = []
        with self._lock:
            for id in dict.fromkeys(ids):
                key = state.ids.get((scope.tenant_id, id))
                if key is None or not scope.sees(state.rows[key].record.scope):
                    continue
                for source in state.sources.get(key, ()) if incoming else (key,):
                    record = state.record(source)
                    found += [(record.id, link) for link in record.links if not incoming or link.target == id]
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
            return [self._state.record(key) for key in sorted(keys)[:limit]]

    async def _embedded(
        self, model: str, after: tuple[str, str] | None, limit: int
    ) -> list[tuple[Record, Embedding]]:
        with self._lock:
            names = sorted(name for name in self._state.ids if after is None or name > after)
            keys = [
                key
                for key in map(self._state.ids.__getitem__, names)
                if model in self._state.rows[key].vectors
            ]
            return [(self._state.record(key), self._state.rows[key].vectors[model]) for key in keys[:limit]]

    async def _position(self) -> int:
        return self._state.last_seq

    async def _changes(self, after: int, limit: int) -> list[Change]:
        if after < self._state.trimmed_to:
            raise NotSupported(
                f"the changes after {after} are not kept; read the whole store again", part=self.part
            )
        with self._lock:
            found = [
                Change(seq=seq, kind="delete" if deleted else "put", tenant_id=tenant, user_id=user, id=id)
                for seq, (_, deleted, tenant, user, id) in self._state.changes.items()
                if seq > after
            ]
        return found[:limit]

    async def _claim(self, follower: str, holder: str, seconds: float, now: datetime) -> int | None:
        with self._lock:
            return self._followers.claim(follower, holder, seconds, now)

    async def _advance(self, follower: str, holder: str, position: int, release: bool) -> bool:
        with self._lock:
            return self._followers.advance(follower, holder, position, release)

    async def _embedding_models(self) -> list[str]:
        with self._lock:
            return [model for model, count in self._state.embedded.items() if count]

    async def _serving(self) -> str | None:
        return self._source.serving()

    async def _serve(self, model: str, lacking: int) -> int:
        with self._transaction():
            return models.serve(self._state, model, lacking)

    async def _drop_model(self, model: str) -> int:
        with self._transaction():
            return models.drop(self._state, model)

    async def _sweep(self, now: datetime) -> int:
        with self._transaction():
            keys = [key for key, row in self._state.rows.items() if not alive(row.record, now)]
            for key in keys:
                self._state.remove(key)
            return len(keys)

    async def _stats(self, scope: Scope, now: datetime) -> Stats:
        with self._lock:
            rows = [self._state.rows[key] for key in self._keys(scope, now, None)]
            every = [row.record for row in self._state.rows.values()]
        records = [row.record for row in rows]
        times = [record.created_at for record in records]
        return Stats(
            records=len(records),
            sessions=len({r.session_id for r in records} - {None}),
            users=len({r.user_id for r in records} - {None}),
            by_kind=dict(Counter(r.kind for r in records)),
            by_category=dict(Counter(r.category for r in records if r.category is not None)),
            versions=sum(len(row.past) for row in rows),
            links=sum(len(row.links) for row in rows),
            embedded=dict(Counter(model for row in rows for model in row.vectors)),
            unembedded=sum(not row.vectors for row in rows),
            expired=sum(scope.sees(record.scope) and not alive(record, now) for record in every),
            oldest=min(times, default=None),
            newest=max(times, default=None),
            bytes=None,
        )

    async def _purge(self, scope: Scope, ids: Sequence[str], texts: Sequence[str] | None) -> list[Trace]:
        self._corpora.drop(scope)
        if self.capabilities.durable:
            return await super()._purge(scope, ids, texts)
        return [Trace(place="memory of this process", state="gone")]

    async def _check(self, repair: bool) -> Report:
        problems: list[Problem] = []
        with self._transaction():
            rows = list(self._state.rows.items())
            for key, row in rows:
                lexemes, signals = lexemes_and_signals(row.record)
                if (row.lexemes, row.signals) != (lexemes, signals):
                    problems.append(
                        Problem(kind="lexemes", detail="not those of the content", id=row.record.id)
                    )
                    if repair:
                        self._state.replace_row(key, replace(row, lexemes=lexemes, signals=signals))
        fixed = len(problems) if repair else 0
        return Report(ok=not problems or repair, checked=len(rows), problems=tuple(problems), repaired=fixed)

    def _keys(self, scope: Scope, now: datetime, where: Where | None) -> list[int]:
        """The keys of the records that a call may see and that match. Called with the lock held."""
        state = self._state
        found = [key for key, row in state.rows.items() if sees(scope, row.record, now)]
        if where is None:
            return found
        node = filters.parse(where)
        return [key for key in found if filters.matches(state.record(key), node)]
