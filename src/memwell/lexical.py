"""BM25 over postings in memory, changed one document at a time.

Okapi BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond",
2009, eq. 3.15) with the never-negative idf of Lucene: ``ln(1 + (N - df + 0.5) / (df + 0.5))``.
Documents are numbers that the caller gives, for instance row ids.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from heapq import nlargest
from math import log

K1 = 1.2
"""How fast repeated occurrences of a term stop counting."""

B = 0.9
"""How far a score is freed from length: 0 not at all, 1 in full."""


def idf(documents: int, frequency: int) -> float:
    """Inverse document frequency, > 0, of a term in `frequency` of `documents`."""
    return log(1 + (max(documents, frequency) - frequency + 0.5) / (frequency + 0.5))


class Postings:
    """An inverted index of numbered documents; not locked, the owner serialises writes."""

    __slots__ = ("_counts", "_documents", "_lengths", "_total")

    def __init__(self) -> None:
        self._documents: dict[str, array[int]] = {}
        self._counts: dict[str, array[int]] = {}
        self._lengths: dict[int, int] = {}
        self._total = 0

    def __len__(self) -> int:
        """Number of documents."""
        return len(self._lengths)

    def __contains__(self, document: int) -> bool:
        """Whether `document` is indexed."""
        return document in self._lengths

    @property
    def mean_length(self) -> float:
        """Mean number of terms of a document; 1.0 when there is none."""
        return self._total / len(self._lengths) if self._total else 1.0

    def length(self, document: int) -> int:
        """Number of terms of `document`; 0 when it is unknown."""
        return self._lengths.get(document, 0)

    def frequency(self, term: str) -> int:
        """In how many documents `term` occurs."""
        return len(self._documents.get(term, ()))

    def add(self, document: int, terms: Sequence[str]) -> None:
        """Index `document` (>= 0) under `terms`; ascending numbers are the fast case.

        Raises `ValueError` when the document is already here: remove it with its old terms first.
        """
        if document in self._lengths:
            raise ValueError(f"document {document} is already indexed")
        for term, count in _count(terms).items():
            documents = self._documents.setdefault(term, array("Q"))
            counts = self._counts.setdefault(term, array("H"))
            at = len(documents)
            if documents and documents[-1] > document:
                at = bisect_left(documents, document)
            documents.insert(at, document)
            counts.insert(at, min(count, 65_535))
        self._lengths[document] = len(terms)
        self._total += len(terms)

    def remove(self, document: int, terms: Iterable[str]) -> None:
        """Forget `document`, given the terms it was added with; unknown documents are ignored."""
        if document not in self._lengths:
            return
        for term in set(terms):
            documents = self._documents[term]
            at = bisect_left(documents, document)
            del documents[at], self._counts[term][at]
            if not documents:
                del self._documents[term], self._counts[term]
        self._total -= self._lengths.pop(document)

    def search(
        self, terms: Iterable[str], limit: int, *, allowed: Collection[int] | None = None
    ) -> list[tuple[int, float]]:
        """The best `limit` documents and their BM25 scores, best first; ties by number.

        Terms of many documents cannot lift a document that has none of the rarer ones among the
        first `limit` once enough are found, so they only add to those (quit/continue strategy,
        Moffat and Zobel 1996, "Self-indexing inverted files"; here approximate).
        `allowed` keeps the search within a set of documents.
        """
        known = sorted({t for t in terms if t in self._documents}, key=self.frequency)
        scores: dict[int, float] = {}
        for term in known:
            documents = self._documents[term]
            enough = len(scores) >= 4 * limit and len(documents) > len(self._lengths) / 20
            within = scores if enough else allowed
            self._accumulate(term, scores, within)
        return nlargest(limit, scores.items(), key=lambda item: (item[1], -item[0]))

    def _accumulate(self, term: str, scores: dict[int, float], within: Collection[int] | None) -> None:
        """Add the part of one term to `scores`, only for documents `within` (None: all)."""
        documents, lengths = self._documents[term], self._lengths
        weight = idf(len(lengths), len(documents)) * (K1 + 1)
        flat, slope = K1 * (1 - B), K1 * B / self.mean_length
        get = scores.get
        for document, count in zip(documents, self._counts[term], strict=True):
            if within is None or document in within:
                part = weight * count / (count + flat + slope * lengths[document])
                scores[document] = get(document, 0.0) + part

    def matches(self, terms: Sequence[str], documents: Collection[int]) -> dict[int, list[tuple[int, int]]]:
        """For each of `documents` with any of `terms`: pairs (index of the term, its count)."""
        found: dict[int, list[tuple[int, int]]] = {}
        wanted = documents if isinstance(documents, (set, frozenset, dict)) else set(documents)
        for index, term in enumerate(terms):
            numbers = self._documents.get(term)
            if numbers is None:
                continue
            for document, count in zip(numbers, self._counts[term], strict=True):
                if document in wanted:
                    found.setdefault(document, []).append((index, count))
        return found


def _count(terms: Iterable[str]) -> Mapping[str, int]:
    counts: dict[str, int] = {}
    for term in terms:
        counts[term] = counts.get(term, 0) + 1
    return counts
