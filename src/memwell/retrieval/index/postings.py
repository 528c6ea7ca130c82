"""BM25 over postings in memory, changed one document at a time.

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
    """Inverse document frequency, > 0, of a term in `frequency` of `documents`."""
    return log(1 + (max(documents, frequency) - frequency + 0.5) / (frequency + 0.5))


class Postings:
    """An inverted index of documents numbered 0, 1, 2, … in the order they are added. Guard it from outside.

    Adding only appends: a term's list holds a document once for each occurrence. What a search needs of a term, its
    documents and the repetitions among them, is worked out when it is first asked for and kept until the list changes.

    Documents given at the start are not inverted at once: the first terms are looked for in their texts, so that a
    process that asks one question need not wait for an index; after some terms, or when one is removed, all are.
    """

    __slots__ = ("_lengths", "_living", "_looked_for", "_occurrences", "_ready", "_texts", "_total")

    def __init__(self, texts: Iterable[str] = ()) -> None:
        """An index of documents given as their terms, each joined by spaces."""
        self._occurrences: defaultdict[str, array[int]] = defaultdict(_numbers)
        """Term → documents, ascending, repeated for each occurrence."""
        self._ready: dict[str, _Term] = {}
        self._texts = [f" {text} " if text else " " for text in texts]
        """The documents not inverted yet."""
        self._looked_for: set[str] = set()
        self._lengths = [text.count(" ") - 1 for text in self._texts]
        self._living = len(self._lengths)
        self._total = sum(self._lengths)

    def __len__(self) -> int:
        return self._living

    @property
    def mean_length(self) -> float:
        """Mean number of terms of a document; 1.0 when there is none."""
        return self._total / self._living if self._total else 1.0

    def length(self, document: int) -> int:
        """Number of terms of a document."""
        return self._lengths[document]

    def frequency(self, term: str) -> int:
        """In how many documents a term occurs."""
        return len(self._term(term).documents)

    def add(self, terms: Sequence[str]) -> int:
        """Index the next document; its number."""
        document, occurrences = len(self._lengths), self._occurrences
        for term in terms:
            occurrences[term].append(document)
        self._lengths.append(len(terms))
        self._living += 1
        self._total += len(terms)
        return document

    def remove(self, document: int, terms: Iterable[str]) -> None:
        """Forget a document, given the terms it was added with. Once only."""
        self._invert()
        for term in set(terms):
            numbers = self._occurrences[term]
            del numbers[bisect_left(numbers, document) : bisect_right(numbers, document)]
            self._ready.pop(term, None)
            if not numbers:
                del self._occurrences[term]
        self._living -= 1
        self._total -= self._lengths[document]

    def _term(self, term: str) -> _Term:
        """What is known of a term, abreast of its list."""
        if self._texts and term not in self._looked_for:
            self._look_for(term)
        numbers = self._occurrences.get(term)
        if numbers is None:
            return _ABSENT
        found = self._ready.get(term)
        if found is None or found.occurrences != len(numbers):
            counts = Counter(numbers)
            repeats = {number: count for number, count in counts.items() if count > 1}
            found = self._ready[term] = _Term(len(numbers), list(counts), repeats)
        return found

    def _look_for(self, term: str) -> None:
        """Find a term in the texts that are not inverted, or invert them all."""
        if len(self._looked_for) == _SCANS:
            self._invert()
            return
        word = f" {term} "
        found = [number for number, text in enumerate(self._texts) if word in text]
        if found:
            numbers = array("L", [n for n in found for _ in range(self._texts[n].split().count(term))])
            self._occurrences[term] = numbers + self._occurrences[term]
        self._looked_for.add(term)

    def _invert(self) -> None:
        """Index the documents given at the start."""
        fresh: defaultdict[str, array[int]] = defaultdict(_numbers)
        for number, text in enumerate(self._texts):
            for term in text.split():
                fresh[term].append(number)
        for term, numbers in fresh.items():
            if term not in self._looked_for:
                self._looked_for.add(term)
                self._occurrences[term] = numbers + self._occurrences[term]
        self._texts, self._looked_for = [], set()

    def search(
        self, terms: Iterable[str], limit: int, *, allowed: Collection[int] | None = None
    ) -> dict[int, float]:
        """The BM25 scores of the best `limit` documents, in no order.

        Terms of many documents cannot lift a document that has none of the rarer ones among the first `limit` once
        enough are found, so they only add to those (quit/continue strategy, Moffat and Zobel 1996, "Self-indexing
        inverted files"; here approximate). `allowed` keeps the search within a set of documents.
        """
        scores: dict[int, float] = {}
        for term in sorted({term for term in terms if self.frequency(term)}, key=self.frequency):
            many = self.frequency(term) > self._living / 20
            within = scores if many and len(scores) >= 4 * limit else allowed
            self._accumulate(term, scores, within)
        if len(scores) <= limit:
            return scores
        best = sorted(scores, key=scores.__getitem__, reverse=True)[:limit]
        return {document: scores[document] for document in best}

    def _accumulate(self, term: str, scores: dict[int, float], within: Collection[int] | None) -> None:
        """Add the part of one term to `scores`, only for documents `within` (None: all)."""
        _, numbers, repeats = self._term(term)
        lengths, get = self._lengths, scores.get
        weight = idf(self._living, len(numbers)) * (_K1 + 1)
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
        """For each of `documents` with any of `terms`: pairs (index of the term, its count)."""
        found: dict[int, list[tuple[int, int]]] = {}
        wanted = documents if isinstance(documents, set | frozenset) else set(documents)
        for index, term in enumerate(terms):
            _, numbers, repeats = self._term(term)
            for number in wanted.intersection(numbers):
                found.setdefault(number, []).append((index, repeats.get(number, 1)))
        return found


class _Term(NamedTuple):
    """A term as a search needs it."""

    occurrences: int
    """Length of the list that this was worked out from."""
    documents: list[int]
    """Ascending, each once."""
    repeats: dict[int, int]
    """Document → how often, where it is more than once."""


_ABSENT = _Term(0, [], {})
_SCANS = 24
"""How many terms are looked for in the texts before these are inverted."""


def _numbers() -> array[int]:
    return array("L")


_TABLE = 128
"""Lengths up to which the part of a single occurrence is looked up."""
