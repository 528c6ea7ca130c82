"""The corpora in use: projections of a store, loaded at the first search, following its change sequence from then on.

So writes of other threads and processes are seen by the next search. A corpus with many dead slots, or far behind, is
loaded anew.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from typing import Final

from memwell.retrieval.corpus import Corpus, Partition, Source
from memwell.types import Scope

__all__ = ["Corpora"]

_MANY_CHANGES: Final = 20_000


class _Entry:
    """A place for one corpus, with the lock of those who load or follow it."""

    __slots__ = ("corpus", "lock")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.corpus: Corpus | None = None


class Corpora:
    """The corpora in use, least recently used out first, beyond `budget` records in all."""

    def __init__(self, source: Source, budget: int = 400_000) -> None:
        self._source = source
        self._budget = budget
        self._reset()

    def clear(self) -> None:
        """Forget everything."""
        self._reset()

    def actors(self, scope: Scope) -> frozenset[str]:
        """Who speaks in the records of a scope, folded."""
        corpus = self.current(scope)
        with corpus.lock:
            return corpus.speakers()

    def current(self, scope: Scope) -> Corpus:
        """The corpus that holds a scope, abreast of the store."""
        if self._pid != os.getpid():  # a fork may have copied locks that nobody will release
            self._reset()
        partition = (scope.tenant_id, scope.user_id)
        with self._lock:
            entry = self._kept.get(partition)
            if entry is None:
                entry = self._kept[partition] = _Entry()
            self._kept.move_to_end(partition)
        with entry.lock:
            before, entry.corpus = (
                entry.corpus,
                None,
            )  # what an interrupt leaves half changed is not used again
            entry.corpus = corpus = self._followed(before, partition)
            if corpus is not before:
                self._evict()
        return corpus

    def drop(self, scope: Scope) -> None:
        """Load the corpus of a scope anew at its next use: whoever used it was interrupted and may have left it
        half changed.
        """
        with self._lock:
            self._kept.pop((scope.tenant_id, scope.user_id), None)

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._kept: OrderedDict[Partition, _Entry] = OrderedDict()

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

    def _evict(self) -> None:
        with self._lock:
            sizes = {p: len(e.corpus.ids) for p, e in self._kept.items() if e.corpus is not None}
            total = sum(sizes.values())
            for partition, size in list(sizes.items())[:-1]:
                if total <= self._budget:
                    return
                total -= size
                del self._kept[partition]
