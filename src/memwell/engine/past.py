"""What was stored at an earlier time: the versions of then, and the search among them.

Records that have not changed since are searched in the store. Those that have are read from their history and searched
here, in the words, fields and, as far as they are known, vectors of then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from memwell.engine.context import Engine
from memwell.filters import And, Node, matches, parse
from memwell.ports import Embedding
from memwell.ports.store.search import Found, Search, Statistics
from memwell.records.codec import dumps, to_micros
from memwell.retrieval.analysis.features import lexemes_and_signals
from memwell.retrieval.index.corpus import Change, Corpus, Partition
from memwell.retrieval.index.vectors import Chunked
from memwell.retrieval.ranking.candidates import find
from memwell.types import Record, Scope

__all__ = ["search", "version_at", "versions_at"]

_MOST: Final = 2000
"""Records changed since, up to which their older words are searched."""
_EMBEDDED: Final = 64
"""Older contents that are embedded for one recall."""
_WORDS: Final = "as of then, memories whose text has changed since were found by words only"
_PRESENT: Final = f"more than {_MOST:,} memories have changed since: those were found by their present words"


async def versions_at(
    engine: Engine, scope: Scope, records: Sequence[Record], moment: datetime
) -> list[Record]:
    """The records in the versions that were current at a moment, without those created later."""
    return [
        await version_at(engine, scope, record, moment) for record in records if record.created_at <= moment
    ]


async def version_at(engine: Engine, scope: Scope, record: Record, moment: datetime) -> Record:
    """A record in the version that was current at a moment, with the relationships that stood by then."""
    links = tuple(link for link in record.links if link.created_at is None or link.created_at <= moment)
    if record.updated_at > moment:
        versions = await engine.store.history(scope, record.id, now=moment)
        older = [version.record for version in versions if version.record.updated_at <= moment]
        record = older[-1] if older else record
    return record if record.links == links else replace(record, links=links)


async def search(engine: Engine, search: Search, moment: datetime) -> Found:
    """The candidates of a search that would have been found at a moment, that of its `created_until`."""
    changed = await _changed(engine, search, moment)
    if len(changed) > _MOST:
        found = await engine.store.search(search)
        return replace(found, notes=(*found.notes, _PRESENT))
    if not changed:
        return await engine.store.search(search)
    unchanged = parse({"updated_at": {"$lte": moment}})
    where: Node = unchanged if search.where is None else And((search.where, unchanged))
    now = await engine.store.search(replace(search, where=where))
    versions = await versions_at(engine, search.scope, changed, moment)
    versions = [record for record in versions if _visible(record, search)]
    vectors, notes = await _vectors(engine, search, changed, versions)
    then = _Versions(search.scope, versions, vectors).find(search)
    return _together(now, then, notes)


async def _changed(engine: Engine, search: Search, moment: datetime) -> list[Record]:
    """Records created by then that have been changed since."""
    where = {"$and": [{"created_at": {"$lte": moment}}, {"updated_at": {"$gt": moment}}]}
    now = max(search.now, engine.clock())
    return await engine.store.scan(search.scope, now=now, where=where, order="id", limit=_MOST + 1)


def _visible(record: Record, search: Search) -> bool:
    alive = record.expires_at is None or record.expires_at > search.now
    return alive and (search.where is None or matches(record, search.where))


async def _vectors(
    engine: Engine, search: Search, today: Sequence[Record], versions: Sequence[Record]
) -> tuple[dict[str, Embedding], tuple[str, ...]]:
    """The vectors of the versions: those of today where the content is the same, else embedded again if few."""
    if search.vectors is None or search.model is None or engine.encoder is None:
        return {}, ()
    now = {record.id: record.content for record in today}
    same = [record.id for record in versions if record.content == now[record.id]]
    found = await engine.store.embeddings(search.scope, same, search.model) if same else {}
    older = [record for record in versions if record.content != now[record.id]]
    if not older:
        return found, ()
    if len(older) > _EMBEDDED:
        return found, (_WORDS,)
    embedded = await engine.encoder.documents([record.content for record in older])
    more = {r.id: vectors for r, vectors in zip(older, embedded, strict=True) if vectors is not None}
    return {**found, **more}, () if len(more) == len(older) else (_WORDS,)


def _together(now: Found, then: Found, notes: tuple[str, ...]) -> Found:
    """The candidates of both searches, with the statistics of all that was searched."""
    names = {key: f"past {id}" for key, id in then.ids.items()}
    older = [replace(candidate, key=names[candidate.key]) for candidate in then.candidates]
    ids = dict(now.ids)
    ids.update((names[key], id) for key, id in then.ids.items())
    first, second = now.statistics, then.statistics
    statistics = Statistics(
        documents=first.documents + second.documents,
        frequencies=[a + b for a, b in zip(first.frequencies, second.frequencies, strict=True)],
        mean_cosine=second.mean_cosine if first.mean_cosine is None else first.mean_cosine,
    )
    return Found(
        candidates=[*now.candidates, *older],
        statistics=statistics,
        ids=ids,
        notes=(*now.notes, *notes),
    )


class _Versions:
    """Versions of records as a source of a search, without a store."""

    def __init__(self, scope: Scope, records: Sequence[Record], vectors: dict[str, Embedding]) -> None:
        self._records, self._vectors = records, vectors
        self._corpus = Corpus((scope.tenant_id, scope.user_id), 0, [*self._rows()])

    def _rows(self) -> Iterator[Any]:
        for key, record in enumerate(self._records):
            expires = None if record.expires_at is None else to_micros(record.expires_at)
            lexemes, signals = lexemes_and_signals(record)
            created, scope = to_micros(record.created_at), record.scope
            yield key, record.id, scope.user_id, scope.session_id, created, expires, signals, lexemes

    def find(self, search: Search) -> Found:
        """The candidates among the versions."""
        plain = Search(
            scope=Scope(tenant_id=search.scope.tenant_id, user_id=search.scope.user_id),
            now=search.now,
            terms=search.terms,
            related=search.related,
            phrases=search.phrases,
            times=search.times,
            days=search.days,
            vectors=search.vectors if self._vectors else None,
            model=search.model if self._vectors else None,
            pool=search.pool,
            weights=search.weights,
        )
        return find(self, self, plain, part="memory")

    def current(self, _scope: Scope) -> Corpus:
        """The corpus of all versions."""
        return self._corpus

    def serving(self) -> str | None:
        """The model of the vectors."""
        return next((each.model for each in self._vectors.values()), None)

    def vectors(self, _partition: Partition, _model: str, _keys: Sequence[int] | None) -> Iterator[Chunked]:
        """Key, passages and vectors of the versions that have them."""
        for key, record in enumerate(self._records):
            embedding = self._vectors.get(record.id)
            if embedding is not None:
                spans = dumps(embedding.spans) if embedding.spans else None
                yield key, spans, embedding.vectors.astype("<f4", copy=False).tobytes()

    def visible(self, _search: Search) -> set[int]:
        """All of them: what may not be found is not among them."""
        return set(range(len(self._records)))

    def position(self) -> int:
        """Versions do not change."""
        return 0

    def load(self, _partition: Partition) -> tuple[int, list[Any]]:
        """All of them."""
        return 0, [*self._rows()]

    def changes(self, _after: int, _partition: Partition, _limit: int) -> tuple[int, list[Change]]:
        """None."""
        return 0, []
