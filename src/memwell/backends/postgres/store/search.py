"""Searches of the PostgreSQL store: one statement returns the candidates, the records stay in the database.

The statement returns some hundred rows. They become a small `Corpus`, from which the code that all stores share makes
candidates. For an owner with few records all vectors are compared. For an owner with many, the vector index (see
`memwell.backends.postgres.store.indexes`) finds the nearest, and continues until enough of them pass scope, expiry and
filter; with a filter that few records pass, those few are compared. So a filter never returns too few results.

The process caches only a few numbers about owners with many records, for a minute: the number of records, their mean
length, and the mean of their vectors.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import field
from functools import partial
from math import ceil, sqrt
from typing import TYPE_CHECKING, Any, Final

from memwell._dataclasses import dataclass
from memwell._forks import ForkSafeLock
from memwell.backends.postgres.store.indexes import metric_of
from memwell.backends.postgres.store.rows import rows_of
from memwell.backends.postgres.store.statements import Model, Sizes, Statement, actors, measure, models, owner
from memwell.ports import Delete, Insert, Metric, Operation, Update
from memwell.ports.store.search import Found, Search, check_model
from memwell.records.codec import from_micros, loads
from memwell.retrieval.analysis.text import trusted_actors
from memwell.retrieval.columns import columns
from memwell.retrieval.index.corpus import Corpus, Partition
from memwell.retrieval.index.matrix import Matrix
from memwell.retrieval.ranking.candidates import assemble, narrowed
from memwell.retrieval.ranking.cosines import Listed
from memwell.types import Link, Scope

if TYPE_CHECKING:
    from memwell.backends.postgres import Connection
    from memwell.backends.postgres.store.aside import Aside
    from memwell.ports import Vectors

__all__ = ["Searcher"]

_LEAST: Final = 3
"""A speaker of this many records is an actor."""
_STEPS: Final = 2000
"""Pairs of user and speaker that are read at most."""
_SECONDS: Final = 5.0
_MINUTE: Final = 60.0
_OWNERS: Final = 1000
_UNKNOWN: Final = 10_000.0
"""The assumed number of vectors until PostgreSQL has an estimate."""
_TURNS: Final = 240.0
"""Reading the index costs about as much as comparing `240 · vectors / records` records one by one: for each vector that
it finds, it skips those of other owners."""


@dataclass(slots=True)
class _Large:
    """Cached numbers of an owner with many records."""

    sizes: Sizes
    mean: Vectors | None
    model: str | None
    until: float
    broad: set[str] = field(default_factory=set)
    """Narrower scopes and filters that many records pass too."""


class _Counts:
    """The counts that a search statement returns."""

    def __init__(self, text: str) -> None:
        found = loads(text)
        self.documents = int(found["documents"])
        self.looked_at: int | None = found["looked_at"]
        self.nearest: int = found["nearest"]
        self.mean_cosine: float | None = found["mean_cosine"]
        self.empty: bool | None = found["empty"]
        self.serving: list[Any] | None = found["serving"]
        self.size: tuple[float, str | None] = found["size"] or (-1.0, None)
        self._frequencies: dict[str, int] = found["frequencies"] or {}
        self.links = [
            (source, Link(target=target, kind=kind, strength=strength, created_at=from_micros(at)))
            for source, target, kind, strength, at in found["links"] or ()
        ]

    def frequencies(self, terms: Sequence[str]) -> list[int]:
        """The number of records that contain each term."""
        return [int(self._frequencies.get(str(n), 0)) for n in range(1, len(terms) + 1)]


class Searcher:
    """Searches over the connections it is passed, any number at once. `vectors`: whether pgvector is installed."""

    def __init__(
        self,
        *,
        part: str = "postgres",
        vectors: bool = True,
        clock: Callable[[], float] = time.monotonic,
        aside: Aside | None = None,
    ) -> None:
        self.vectors = vectors
        self._part, self._clock = part, clock
        self._models: dict[str, Model] = {}
        self._vectors_of: dict[str, float] = {}
        """Model → estimate of its number of vectors."""
        self._metric_of: dict[str, Metric] = {}
        """Model → the metric of its index."""
        self._large: OrderedDict[Partition, _Large] = OrderedDict()
        self._actors: dict[Partition, tuple[frozenset[str], float]] = {}
        self._aside = aside
        self._lock = ForkSafeLock()
        """Guards `_large`."""

    async def actors(self, connection: Connection, scope: Scope) -> frozenset[str]:
        """The recurring speakers of the owner's records, cached for a few seconds or until this process writes (see
        `forget`)."""
        partition, now = (scope.tenant_id, scope.user_id), self._clock()
        found, until = self._actors.get(partition, (frozenset(), -1.0))
        if until < now:
            text, values = actors(scope, _LEAST, _STEPS)
            rows = await rows_of(connection, text, values, prepare=True)
            found = trusted_actors(dict.fromkeys((row[0] for row in rows), _LEAST), least=_LEAST)
            if len(self._actors) >= _OWNERS:
                self._actors.clear()
            self._actors[partition] = found, now + _SECONDS
        return found

    def forget(self, operations: Iterable[Operation]) -> None:
        """Drop the cached speakers of the owners whose records were written."""
        for operation in operations:
            match operation:
                case Insert(record=record):
                    tenant, users = record.scope.tenant_id, {record.scope.user_id, None}
                case Update(scope=scope) | Delete(scope=scope):
                    tenant, users = scope.tenant_id, {scope.user_id, None}
                    if scope.user_id is None:  # the record may belong to any user of the tenant
                        users |= {user for other, user in list(self._actors) if other == tenant}
                case _:
                    continue
            for user in users:
                self._actors.pop((tenant, user), None)

    async def search(self, connection: Connection, search: Search) -> Found:
        """See `Store.search`."""
        model = await self._model(connection, search)
        gate = self._gate(model)
        large = self._known(search, model)
        if large is None:
            found = await self._find(connection, search, model, gate=gate)
            if found is not None:
                return found
            large = await self._measured(connection, search, model)
        within = _within(search)
        if narrowed(search) and within not in large.broad:
            found = await self._find(connection, search, model, large, few=True, gate=gate)
            if found is not None:
                return found
            large.broad.add(within)
        found = await self._find(connection, search, model, large)
        if found is None:
            found = await self._find(connection, search, model, large, few=True)
        assert found is not None
        return found

    async def _model(self, connection: Connection, search: Search, *, refresh: bool = False) -> Model | None:
        """The model to search with, if any record has vectors of it; raises for one that does not serve."""
        if search.model is None or not self.vectors:
            return None
        found = self._models.get(search.model)
        if found is None or refresh:
            rows = await rows_of(connection, models(), [], prepare=True)
            self._models = {row[0]: Model(row[0], row[1], row[2]) for row in rows}
            check_model(search.model, next((row[0] for row in rows if row[3]), None), part=self._part)
            found = self._models.get(search.model)
        if found is not None and search.vectors is not None:
            Matrix(found.dimension).check(search.vectors)
        return found

    def _gate(self, model: Model | None) -> int:
        size = _UNKNOWN if model is None else self._vectors_of.get(model.name, _UNKNOWN)
        return max(1000, int(sqrt(_TURNS * size)))

    def _reach(self, model: Model | None, pool: int) -> int:
        """How many vectors the index reads. A power of two, so that statements stay the same while the store grows."""
        size = _UNKNOWN if model is None else self._vectors_of.get(model.name, _UNKNOWN)
        return 1 << (4 * pool * ceil(size / self._gate(model))).bit_length()

    async def _find(
        self,
        connection: Connection,
        search: Search,
        model: Model | None,
        large: _Large | None = None,
        *,
        few: bool = False,
        gate: int | None = None,
    ) -> Found | None:
        """Search in one way; `None` when there are more records than `gate`, or when the index found too few."""
        sizes = None if large is None else large.sizes
        built = Statement(
            search,
            model=model,
            metric="cosine" if model is None else self._metric_of.get(model.name, "cosine"),
            sizes=sizes,
            few=few,
            gate=gate,
            reach=self._reach(model, search.pool),
        )
        rows = await rows_of(connection, *built.build(), prepare=True)
        counts = _Counts(rows.pop(next(at for at, row in enumerate(rows) if row[0] is None))[7])
        if model is not None:
            if counts.serving != [model.name, model.number] and model != await self._model(
                connection, search, refresh=True
            ):
                return await self.search(connection, search)
            if counts.size[0] >= 0:
                self._vectors_of[model.name] = counts.size[0]
            self._metric_of[model.name] = metric_of(counts.size[1]) or "cosine"
        listed = large is None or few
        if listed and gate is not None and (counts.looked_at or 0) > gate:
            return None
        by_index = not listed and model is not None and search.similar is None
        if by_index and counts.nearest < search.pool and (large is None or large.mean is not None):
            return None
        call = partial(_assembled, search, model, large if not listed else None, counts, rows)
        return call() if self._aside is None else await self._aside.run(call)

    def _known(self, search: Search, model: Model | None) -> _Large | None:
        partition = (search.scope.tenant_id, search.scope.user_id)
        with self._lock:
            found = self._large.get(partition)
            if found is None or found.until < self._clock():
                return None
            if model is not None and found.model != model.name:
                return None
            self._large.move_to_end(partition)
            return found

    async def _measured(self, connection: Connection, search: Search, model: Model | None) -> _Large:
        """Count the records of an owner with many, and compute their means."""
        text, values = owner(search.scope)
        [(documents,)] = await rows_of(
            connection, f"SELECT count(*) FROM records r WHERE {text}", values, prepare=True
        )
        [(length, mean)] = await rows_of(connection, *measure(search.scope, model, documents), prepare=True)
        import numpy as np

        found = _Large(
            Sizes(documents, length or 1.0),
            None if mean is None else np.asarray(mean, dtype=np.float32),
            None if model is None else model.name,
            self._clock() + _MINUTE,
        )
        with self._lock:
            self._large[search.scope.tenant_id, search.scope.user_id] = found
            while len(self._large) > _OWNERS:
                self._large.popitem(last=False)
        return found


def _within(search: Search) -> str:
    scope = search.scope
    return repr((scope.agent_id, scope.session_id, scope.namespace, search.created_until, search.where))


def _assembled(
    search: Search, model: Model | None, large: _Large | None, counts: _Counts, rows: Sequence[Any]
) -> Found:
    """The candidates in the rows, made by the code that all stores share."""
    corpus = Corpus((search.scope.tenant_id, search.scope.user_id), 0, [row[:8] for row in rows])
    seen, make = bytearray(map(bool, (row[8] for row in rows))), columns()
    nominated = make.index([slot for slot, row in enumerate(rows) if row[9]])
    similar = search.similar or {}
    if model is not None:
        of = {slot: row[10] for slot, row in enumerate(rows) if row[10] is not None}
    else:
        of = {slot: similar[row[1]] for slot, row in enumerate(rows) if row[1] in similar and row[8]}
    mean_cosine, empty = counts.mean_cosine, bool(counts.empty)
    if model is None:
        empty = search.model is not None
    elif large is not None:
        assert search.vectors is not None
        mean_cosine = None if large.mean is None else float(large.mean @ search.vectors.mean(axis=0))
        empty = large.mean is None
    return assemble(
        corpus,
        search,
        nominated,
        corpus.postings.terms(search.terms, make),
        cosines=Listed(of, mean_cosine, empty=empty),
        allowed=seen if 0 in seen else None,
        counted=(counts.documents, counts.frequencies(search.terms)),
        incoming=counts.links,
        make=make,
    )
