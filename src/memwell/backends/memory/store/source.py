"""The in-memory store as the lexical and vector indexes of an owner read it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

from memwell import filters
from memwell.backends.memory.store.state import Row, State, sees
from memwell.ports.store.search import Search
from memwell.records.codec import dumps, to_micros
from memwell.retrieval.index.corpus import Change as RowChange
from memwell.retrieval.index.corpus import Partition
from memwell.retrieval.index.corpus import Row as CorpusRow
from memwell.retrieval.index.vectors import Chunked

__all__ = ["Source"]


class Source:
    """The dictionaries as the corpora read them; see `memwell.retrieval.index.corpus.Source`."""

    def __init__(self, lock: AbstractContextManager[Any], state: Callable[[], State]) -> None:
        self._lock, self._state = lock, state

    def position(self) -> int:
        """The position of the last change."""
        return self._state().last_seq

    def load(self, partition: Partition) -> tuple[int, list[CorpusRow]]:
        """All rows of a partition, and the position they belong to."""
        with self._lock:
            state = self._state()
            rows = [_corpus_row(key, row) for key, row in state.rows.items() if _inside(partition, row)]
            return state.last_seq, rows

    def changes(self, after: int, partition: Partition, limit: int) -> tuple[int, list[RowChange]] | None:
        """Rows changed after a position, and the new position; `None` when they are too many."""
        with self._lock:
            state = self._state()
            if state.last_seq - after > limit:
                return None
            sequence = range(after + 1, state.last_seq + 1)
            keys = {state.changes[seq][0] for seq in sequence if seq in state.changes}
            found: list[RowChange] = []
            for key in sorted(keys):
                row = state.rows.get(key)
                if row is None or _inside(partition, row):
                    found.append((key, None if row is None else _corpus_row(key, row)))
            return state.last_seq, found

    def vectors(self, partition: Partition, model: str, keys: Sequence[int] | None) -> Iterator[Chunked]:
        """Key, passages and vectors of the rows of a partition that have them."""
        with self._lock:
            rows = self._state().rows
            chosen = [(key, rows[key]) for key in (rows if keys is None else keys) if key in rows]
        for key, row in chosen:
            if model in row.vectors and _inside(partition, row):
                embedding = row.vectors[model]
                spans = dumps(embedding.spans) if embedding.spans else None
                yield key, spans, embedding.vectors.astype("<f4", copy=False).tobytes()

    def serving(self) -> str | None:
        """The model whose vectors searches use."""
        with self._lock:
            return self._state().serving

    def visible(self, search: Search) -> set[int]:
        """Keys of the records that a search may find."""
        with self._lock:
            state = self._state()
            return {
                key
                for key, row in state.rows.items()
                if sees(search.scope, row.record, search.now)
                and (search.created_until is None or row.record.created_at <= search.created_until)
                and (search.where is None or filters.matches(state.record(key), search.where))
            }


def _corpus_row(key: int, row: Row) -> CorpusRow:
    record = row.record
    expires = None if record.expires_at is None else to_micros(record.expires_at)
    created = to_micros(record.created_at)
    user, session = record.user_id, record.session_id
    return key, record.id, user, session, created, expires, row.signals, row.lexemes


def _inside(partition: Partition, row: Row) -> bool:
    scope = row.record.scope
    return scope.tenant_id == partition[0] and partition[1] in (None, scope.user_id)
