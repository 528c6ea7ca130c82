"""The corpora in use: projections of a store, loaded at the first search, following its change sequence from then on.

So writes of other threads and processes are seen by the next search. A corpus with many dead slots, or far behind, is
loaded anew.
"""

from __future__ import annotations

from typing import Final

from memwell.retrieval.index.corpus import Corpus, Partition, Source
from memwell.retrieval.index.owner_cache import OwnerCache
from memwell.types import Scope

__all__ = ["Corpora"]

_MANY_CHANGES: Final = 20_000


class Corpora:
    """The corpora in use, least recently used out first, beyond `budget` records in all (see `OwnerCache`)."""

    def __init__(self, source: Source, budget: int = 400_000) -> None:
        self._source = source
        self._kept = OwnerCache(self._followed, lambda corpus: len(corpus.ids), budget)

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()

    def actors(self, scope: Scope) -> frozenset[str]:
        """Who speaks in the records of a scope, folded."""
        corpus = self.current(scope)
        with corpus.lock:
            return corpus.speakers()

    def current(self, scope: Scope) -> Corpus:
        """The corpus that holds a scope, abreast of the store."""
        with self._kept.held((scope.tenant_id, scope.user_id)) as corpus:
            return corpus

    def drop(self, scope: Scope) -> None:
        """Load the corpus of a scope anew at its next use: whoever used it was interrupted and may have left it
        half changed.
        """
        self._kept.drop((scope.tenant_id, scope.user_id))

    def _followed(self, corpus: Corpus | None, partition: Partition) -> Corpus:
        if corpus is None or corpus.sparse:
            return Corpus(partition, *self._source.load(partition))
        if self._source.position() == corpus.position:
            return corpus
        found = self._source.changes(corpus.position, partition, _MANY_CHANGES)
        if found is None:
            return Corpus(partition, *self._source.load(partition))
        with corpus.lock:
            touched = corpus.follow(*found)
            if corpus.vectors is not None and touched:
                corpus.vectors.add(
                    corpus.slots, self._source.vectors(partition, corpus.vectors.model, touched)
                )
        return corpus
