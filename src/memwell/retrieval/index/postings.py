"""BM25 over an in-memory inverted index.

Okapi BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009, eq. 3.15) with the
never-negative idf of Lucene: ``ln(1 + (N - df + 0.5) / (df + 0.5))``.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from math import log
from typing import NamedTuple

from memwell.ports.store.search import DEFAULT

__all__ = ["Postings", "idf"]

_K1, _B = DEFAULT.k1, DEFAULT.b


def idf(documents: int, frequency: int) -> float:
    """Inverse document frequency, > 0, of a term that occurs in `frequency` of `documents`."""
    return log(1 + (max(documents, frequency) - frequency + 0.5) / (frequency + 0.5))


class Postings:
    """An inverted index of documents numbered 0, 1, 2, … in the order they are added. Not thread-safe: callers lock.

    Adding only appends: the list of a term contains a document once per occurrence. The distinct documents and the
    repeated ones are computed when a search needs the term, and cached until the list changes.

    Documents passed to the constructor are not inverted at once. The first terms are found by scanning their texts, so
    that a process with a single question need not build an index. After some terms, or before a removal, all documents
    are inverted.
    """

    __slots__ = ("_lengths", "_live", "_occurrences", "_ready", "_scanned", "_texts", "_total")

    def __init__(self, texts: Iterable[str] = ()) -> None:
        """An index of documents, each given as its terms joined by spaces."""
        self._occurrences: defaultdict[str, array[int]] = defaultdict(_numbers)
        """Term → documents, ascending, repeated for each occurrence."""
        self._ready: dict[str, _Term] = {}
        self._texts = [f" {text} " if text else " " for text in texts]
        """The documents that are not inverted yet."""
        self._scanned: set[str] = set()
        self._lengths = [text.count(" ") - 1 for text in self._texts]
        self._live = len(self._lengths)
        self._total = sum(self._lengths)

    def __len__(self) -> int:
        return self._live

    @property
    def mean_length(self) -> float:
        """Mean number of terms per document; 1.0 if there are no documents."""
        return self._total / self._live if self._total else 1.0

    def length(self, document: int) -> int:
        """Number of terms of a document."""
        return self._lengths[document]

    def frequency(self, term: str) -> int:
        """Number of documents in which a term occurs."""
        return len(self._term(term).documents)

    def having(self, terms: Iterable[str]) -> set[int]:
        """The documents in which any of these terms occurs."""
        return {document for term in terms for document in self._term(term).documents}

    def add(self, terms: Sequence[str]) -> int:
        """Index the next document; returns its number."""
        document, occurrences = len(self._lengths), self._occurrences
        for term in terms:
            occurrences[term].append(document)
        self._lengths.append(len(terms))
        self._live += 1
        self._total += len(terms)
        return document

    def remove(self, document: int, terms: Iterable[str]) -> None:
        """Remove a document, given the terms it was added with. Call it only once per document."""
        self._invert()
        for term in set(terms):
            numbers = self._occurrences[term]
            del numbers[bisect_left(numbers, document) : bisect_right(numbers, document)]
            self._ready.pop(term, None)
            if not numbers:
                del self._occurrences[term]
        self._live -= 1
        self._total -= self._lengths[document]

    def _term(self, term: str) -> _Term:
        """The cached data of a term, recomputed if its list has changed."""
        if self._texts and term not in self._scanned:
            self._scan(term)
        numbers = self._occurrences.get(term)
        if numbers is None:
            return _ABSENT
        found = self._ready.get(term)
        if found is None or found.occurrences != len(numbers):
            counts = Counter(numbers)
            repeats = {number: count for number, count in counts.items() if count > 1}
            found = self._ready[term] = _Term(len(numbers), list(counts), repeats)
        return found

    def _scan(self, term: str) -> None:
        """Find a term in the texts that are not inverted; after `_SCANS` terms invert them all."""
        if len(self._scanned) == _SCANS:
            self._invert()
            return
        word = f" {term} "
        found = [number for number, text in enumerate(self._texts) if word in text]
        if found:
            numbers = array("L", [n for n in found for _ in range(self._texts[n].split().count(term))])
            self._occurrences[term] = numbers + self._occurrences[term]
        self._scanned.add(term)

    def _invert(self) -> None:
        """Invert the documents passed to the constructor."""
        fresh: defaultdict[str, array[int]] = defaultdict(_numbers)
        for number, text in enumerate(self._texts):
            for term in text.split():
                fresh[term].append(number)
        for term, numbers in fresh.items():
            if term not in self._scanned:
                self._scanned.add(term)
                self._occurrences[term] = numbers + self._occurrences[term]
        self._texts, self._scanned = [], set()

    def search(
        self, terms: Iterable[str], limit: int, *, allowed: Collection[int] | None = None
    ) -> dict[int, float]:
        """Document → BM25 score, for the best `limit` documents, in no particular order.

        Once enough documents are found, frequent terms only add to the scores of these: they could hardly lift another
        document into the first `limit` (the quit/continue strategy of Moffat and Zobel, "Self-indexing inverted files",
        1996; here approximate). `allowed` restricts the search to a set of documents.
        """
        scores: dict[int, float] = {}
        for term in sorted({term for term in terms if self.frequency(term)}, key=self.frequency):
            many = self.frequency(term) > self._live / 20
            within = scores if many and len(scores) >= 4 * limit else allowed
            self._accumulate(term, scores, within)
        if len(scores) <= limit:
            return scores
        best = sorted(scores, key=scores.__getitem__, reverse=True)[:limit]
        return {document: scores[document] for document in best}

    def _accumulate(self, term: str, scores: dict[int, float], within: Collection[int] | None) -> None:
        """Add the contribution of one term to `scores`, only for documents in `within` (`None`: all)."""
        _, numbers, repeats = self._term(term)
        lengths, get = self._lengths, scores.get
        weight = idf(self._live, len(numbers)) * (_K1 + 1)
        flat, slope = _K1 * (1 - _B), _K1 * _B / self.mean_length
        if within is not None:
            numbers = [number for number in numbers if number in within]
        once = [weight / (1 + flat + slope * length) for length in range(_TABLE)]
        for number in numbers:
            length = lengths[number]
            part = once[length] if length < _TABLE else weight / (1 + flat + slope * length)
            scores[number] = get(number, 0.0) + part
        for number, count in repeats.items():
            if within is None or number in within:
                norm = flat + slope * lengths[number]
                scores[number] += weight * (count / (count + norm) - 1 / (1 + norm))

    def matches(self, terms: Sequence[str], documents: Collection[int]) -> dict[int, list[tuple[int, int]]]:
        """Document → pairs (index of the term, its count), for those of `documents` that contain any of `terms`."""
        found: dict[int, list[tuple[int, int]]] = {}
        allowed = documents if isinstance(documents, set | frozenset) else set(documents)
        for index, term in enumerate(terms):
            _, numbers, repeats = self._term(term)
            for number in allowed.intersection(numbers):
                found.setdefault(number, []).append((index, repeats.get(number, 1)))
        return found


class _Term(NamedTuple):
    """What a search needs of a term."""

    occurrences: int
    """Length of the list from which this was computed."""
    documents: list[int]
    """Distinct documents, ascending."""
    repeats: dict[int, int]
    """Document → number of occurrences, if more than one."""


_ABSENT = _Term(0, [], {})
_SCANS = 24
"""Number of terms found by scanning before the texts are inverted."""


def _numbers() -> array[int]:
    return array("L")


_TABLE = 128
"""Document lengths for which the contribution of a single occurrence is precomputed."""
