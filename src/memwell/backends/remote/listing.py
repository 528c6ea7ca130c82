"""Search in what a service has listed: the candidates by words, and by the similarity that the service gives."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from memwell import filters
from memwell.ports.store.search import Found, Search
from memwell.records.codec import to_micros
from memwell.retrieval.analysis.features import lexemes_and_signals
from memwell.retrieval.index.corpus import Change, Corpus, Partition, Row
from memwell.retrieval.index.vectors import Chunked
from memwell.retrieval.ranking.candidates import find
from memwell.types import Record, Scope

__all__ = ["Analyses", "search_in"]

_KEPT: Final = 20_000


class Analyses:
    """The analyses of records listed before, for up to 20,000 of them: a text is read once and searched often."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], tuple[Record, str, str]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, record: Record) -> tuple[str, str]:
        """Index terms and signals."""
        key = record.scope.tenant_id, record.id
        with self._lock:
            known = self._known.get(key)
        if known is None or not _alike(known[0], record):
            known = (record, *lexemes_and_signals(record))
        with self._lock:
            self._known[key] = known
            self._known.move_to_end(key)
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return known[1], known[2]


def search_in(
    records: Sequence[Record],
    search: Search,
    similar: Mapping[str, float] | None,
    analyses: Analyses,
    *,
    part: str,
) -> Found:
    """The candidates of a search among these records; `similar` gives ids and similarities that the service found."""
    source = _Source(records, search.scope, analyses)
    found = find(source, source, replace(search, similar=similar, vectors=None, model=None), part=part)
    if similar and len(set(similar.values())) == 1:  # nothing to compare it with but no similarity at all
        return replace(found, statistics=replace(found.statistics, mean_cosine=0.0))
    return found


def _alike(one: Record, other: Record) -> bool:
    return (one.content, one.created_at, one.session_id, one.metadata) == (
        other.content,
        other.created_at,
        other.session_id,
        other.metadata,
    )


class _Source:
    """The records as the search reads them; see `memwell.retrieval.index.corpus.Source`. They never change."""

    def __init__(self, records: Sequence[Record], scope: Scope, analyses: Analyses) -> None:
        self._records = dict(enumerate(records, 1))
        self._analyses = analyses
        self._partition = scope.tenant_id, scope.user_id

    def current(self, scope: Scope) -> Corpus:
        """The corpus of all of them."""
        del scope
        return Corpus(self._partition, *self.load(self._partition))

    def position(self) -> int:
        """There is one state."""
        return 0

    def load(self, partition: Partition) -> tuple[int, list[Row]]:
        """Every record as a row."""
        del partition
        return 0, [self._row(key, record) for key, record in self._records.items()]

    def changes(self, after: int, partition: Partition, limit: int) -> tuple[int, list[Change]] | None:
        """There are none."""
        del after, partition, limit
        return 0, []

    def vectors(self, partition: Partition, model: str, keys: Sequence[int] | None) -> Iterator[Chunked]:
        """There are none."""
        del partition, model, keys
        return iter(())

    def serving(self) -> str | None:
        """There are no vectors."""
        return None

    def visible(self, search: Search) -> set[int]:
        """The keys that a search may find."""
        return {key for key, record in self._records.items() if _visible(record, search)}

    def _row(self, key: int, record: Record) -> Row:
        lexemes, signals = self._analyses.of(record)
        expires = None if record.expires_at is None else to_micros(record.expires_at)
        created = to_micros(record.created_at)
        return key, record.id, record.user_id, record.session_id, created, expires, signals, lexemes


def _visible(record: Record, search: Search) -> bool:
    alive = record.expires_at is None or record.expires_at > search.now
    known = search.created_until is None or record.created_at <= search.created_until
    seen = alive and known and search.scope.sees(record.scope)
    return seen and (search.where is None or filters.matches(record, search.where))
