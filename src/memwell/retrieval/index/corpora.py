"""The corpora in use: in-memory copies of a store's records, loaded at the first search of an owner.

From then on each follows the store's change sequence, so that the next search sees writes of other threads and
processes. A corpus with many dead slots, or far behind, is loaded again.
"""

from __future__ import annotations

from typing import Final

from memwell.retrieval.index.corpus import Corpus, Partition, Source
from memwell.retrieval.index.owner_cache import OwnerCache
from memwell.types import Scope

__all__ = ["Corpora"]

_MAX_CHANGES: Final = 20_000


class Corpora:
    """The corpora in use, up to `budget` records together (see `OwnerCache`)."""

    def __init__(self, source: Source, budget: int = 400_000) -> None:
        self._source = source
        self._cache = OwnerCache(self._refresh, lambda corpus: len(corpus.ids), budget)

    def clear(self) -> None:
        """Drop all corpora."""
        self._cache.clear()

    def actors(self, scope: Scope) -> frozenset[str]:
        """The folded speakers of the records of a scope."""
        corpus = self.current(scope)
        with corpus.lock:
            return corpus.speakers()

    def current(self, scope: Scope) -> Corpus:
        """The corpus that contains a scope, up to date with the store."""
        return self._cache.current((scope.tenant_id, scope.user_id))

    def drop(self, scope: Scope) -> None:
        """Load the corpus of a scope again at its next use, because an interrupt may have left it half changed."""
        self._cache.drop((scope.tenant_id, scope.user_id))

    def _refresh(self, corpus: Corpus | None, partition: Partition) -> Corpus:
        if corpus is None or corpus.sparse:
            return Corpus(partition, *self._source.load(partition))
        if self._source.position() == corpus.position:
            return corpus
        found = self._source.changes(corpus.position, partition, _MAX_CHANGES)
        if found is None:
            return Corpus(partition, *self._source.load(partition))
        with corpus.lock:
            touched = corpus.follow(*found)
            if corpus.vectors is not None and touched:
                corpus.vectors.add(
                    corpus.slots, self._source.vectors(partition, corpus.vectors.model, touched)
                )
        return corpus
