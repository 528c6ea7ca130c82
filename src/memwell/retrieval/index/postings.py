"""BM25 over an in-memory inverted index.

Okapi BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009, eq. 3.15) with the
never-negative idf of Lucene: ``ln(1 + (N - df + 0.5) / (df + 0.5))``.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import accumulate, chain, count, repeat
from math import log
from operator import attrgetter
from sys import intern
from typing import Any, Final, TypeAlias

from memwell.ports.store.search import DEFAULT
from memwell.retrieval.columns import Columns, Numbered, Numbers
from memwell.retrieval.columns.lists import LISTS

__all__ = ["Postings", "Term", "idf"]

_K1, _B = DEFAULT.k1, DEFAULT.b
_PLAIN: Any = LISTS
"""The columns where none were asked for yet."""


@lru_cache(2048)
def idf(documents: int, frequency: int) -> float:
    """Inverse document frequency, > 0, of a term that occurs in `frequency` of `documents`."""
    return log(1 + (max(documents, frequency) - frequency + 0.5) / (frequency + 0.5))


class Postings:
    """An inverted index of documents numbered 0, 1, 2, … in the order they are added. Not thread-safe: callers lock.

    The list of a term contains a document once per occurrence. The distinct documents and their counts are computed
    when a search needs the term, and cached until the list changes.

    Documents passed to the constructor are not inverted at once. The first terms are found by scanning their texts, so
    that a process with a single question need not build an index. After some terms, or before a removal, all documents
    are inverted, into one array (`_Inverted`). A term whose documents change later gets a list of its own.
    """

    __slots__ = (
        "_inverted",
        "_line",
        "_live",
        "_make",
        "_occurrences",
        "_ready",
        "_scanned",
        "_starts",
        "_texts",
        "_total",
        "_words",
        "lengths",
    )

    def __init__(self, texts: Iterable[str] = ()) -> None:
        """An index of documents, each given as its terms joined by spaces."""
        self._inverted = _Inverted((), _PLAIN)
        self._occurrences: _Occurrences = {}
        """The lists of the terms that are not in `_inverted`."""
        self._ready: dict[str, Term] = {}
        self._make: Columns | None = None
        """What made the columns of `_ready`."""
        self._texts = list(texts)
        """The documents that are not inverted yet."""
        self._scanned: set[str] = set()
        self._line, self._starts = "", array("q")
        """These texts in one, to be scanned, and where in it each begins."""
        self.lengths = array("q", [text.count(" ") + 1 if text else 0 for text in self._texts])
        """Document → its number of terms."""
        self._live = len(self.lengths)
        self._total = sum(self.lengths)
        self._words: str | None = None

    def __len__(self) -> int:
        return self._live

    @property
    def mean_length(self) -> float:
        """Mean number of terms per document; 1.0 if there are no documents."""
        return self._total / self._live if self._total else 1.0

    def add(self, terms: Sequence[str]) -> int:
        """Index the next document; returns its number."""
        document, occurrences = len(self.lengths), self._occurrences
        for term in terms:
            known = occurrences[term] if term in occurrences else self._inverted.take(term)
            if known is None:
                occurrences[intern(term)] = document  # the indexes of many owners share the term
                self._words = None
            elif isinstance(known, int):
                occurrences[term] = array("I", (known, document))
            else:
                known.append(document)
                occurrences[term] = known
        self.lengths.append(len(terms))
        self._live += 1
        self._total += len(terms)
        return document

    def remove(self, document: int, terms: Iterable[str]) -> None:
        """Remove a document, given the terms it was added with. Call it only once per document."""
        self._invert()
        for term in set(terms):
            self._ready.pop(term, None)
            numbers = _listed(self._occurrences.pop(term, None) or self._inverted.take(term))
            del numbers[bisect_left(numbers, document) : bisect_right(numbers, document)]
            if numbers:
                self._occurrences[term] = numbers
            else:
                self._words = None
        self._live -= 1
        self._total -= self.lengths[document]

    def words(self, below: int) -> str | None:
        """All terms, each once and between spaces, if they are surely in the index and come to about fewer characters
        than `below`."""
        if self._texts or _LETTERS * (len(self._occurrences) + len(self._inverted.codes)) >= below:
            return None
        if self._words is None:
            self._words = f" {' '.join([*self._inverted.codes, *self._occurrences])} "
        return self._words

    def terms(self, terms: Iterable[str], make: Columns) -> list[Term]:
        """What a search needs of each term, in columns that `make` makes."""
        if make is not self._make:
            self._make, self._ready = make, {}
        return [self._term(term, make) for term in terms]

    def _term(self, term: str, make: Columns) -> Term:
        if self._texts and term not in self._scanned:
            self._scan(term)
        known = self._occurrences.get(term)
        first, end = (0, 0) if known is not None else self._inverted.bounds(term)
        many = end - first if known is None else 1 if isinstance(known, int) else len(known)
        found = self._ready.get(term if many else "")
        if found is None or found.occurrences != many:
            listed = self._inverted.documents[first:end] if known is None else _listed(known)
            found = self._ready[term if many else ""] = Term(listed, self.lengths, make)
        return found

    def _scan(self, term: str) -> None:
        """Find a term in the texts that are not inverted; after `_SCANS` terms invert them all."""
        if len(self._scanned) == _SCANS:
            self._invert()
            return
        if not self._line:
            self._line = " \n ".join(["", *self._texts, ""])
            self._starts.extend(accumulate([len(text) + 3 for text in self._texts], initial=2))
        word, line, starts = f" {term} ", self._line, self._starts
        numbers, number, at = array("I"), 0, line.find(word)
        while at >= 0:
            number = bisect_right(starts, at, number) - 1
            numbers.append(number)
            at = line.find(word, at + len(word) - 1)  # the space may begin the next one
        if numbers:
            self._occurrences[term] = numbers + _listed(self._occurrences.get(term))
        self._scanned.add(term)

    def _invert(self) -> None:
        """Invert the documents passed to the constructor."""
        if not self._texts:
            return
        inverted = _Inverted(self._texts, self._make or _PLAIN)
        for term, later in self._occurrences.items():
            before = inverted.take(term)
            if before is not None and term not in self._scanned:
                self._occurrences[term] = _listed(before) + _listed(later)
        self._inverted, self._texts, self._scanned = inverted, [], set()
        self._line, self._starts = "", array("q")

    def search(
        self, terms: Iterable[Term], limit: int, make: Columns, *, allowed: bytearray | None = None
    ) -> tuple[Numbers, Numbers]:
        """The best `limit` documents and their BM25 scores, in no particular order.

        Of documents with equal scores the first are kept, going from the rarest term to the most frequent one. Once
        enough documents are found, frequent terms only add to the scores of these: they could hardly lift another
        document into the first `limit` (the quit/continue strategy of Moffat and Zobel, "Self-indexing inverted files",
        1996; here approximate). `allowed` restricts the search to the documents for which it is true.
        """
        scores, mean, frequent = make.tally(len(self.lengths), allowed), self.mean_length, self._live / 20
        found = sorted({id(term): term for term in terms if term.frequency}.values(), key=_frequency)
        weights = [idf(self._live, term.frequency) * (_K1 + 1) for term in found]
        rare = sum([term.frequency <= frequent for term in found])
        if rare:
            documents = [term.documents for term in found[:rare]]
            scores.add_all(documents, [term.saturation(mean) for term in found[:rare]], weights[:rare])
        enough = False
        for term, weight in zip(found[rare:], weights[rare:], strict=True):
            enough = enough or len(scores) >= 4 * limit
            scores.add(term.documents, term.saturation(mean), weight, known=enough)
        return scores.best(limit)

    def having(self, terms: Iterable[str], make: Columns) -> Numbers:
        """The documents in which any of these terms occurs, ascending."""
        return make.distinct(make.joined([term.documents for term in self.terms(terms, make)]))

    def matches(
        self, terms: Sequence[Term], documents: Numbered, make: Columns
    ) -> tuple[Numbers, Numbers, Numbers]:
        """Which of `terms` some documents contain: three columns with the index of a term, the number of a document,
        and the term's count there.
        """
        return make.matched([term.documents for term in terms], [term.counts for term in terms], documents)


class Term:
    """What a search needs of a term."""

    __slots__ = ("_lengths", "_mean", "_saturation", "counts", "documents", "frequency", "occurrences")

    def __init__(self, numbers: array[int], lengths: array[int], make: Columns) -> None:
        """Of the list of its occurrences."""
        self.occurrences = len(numbers)
        """Length of the list from which this was computed."""
        self.documents, self.counts = make.counted(numbers)
        """Distinct documents, ascending, and how often each has the term."""
        self.frequency = len(self.documents)
        """Number of documents with the term."""
        self._lengths = make.stored(lengths, self.documents)
        self._mean, self._saturation = 0.0, self.counts

    def saturation(self, mean: float) -> Numbers:
        """For each document, how much its occurrences count, 0..1, where documents have `mean` terms."""
        if mean != self._mean:
            norm = _K1 * (1 - _B) + _K1 * _B / mean * self._lengths
            self._mean, self._saturation = mean, self.counts / (self.counts + norm)
        return self._saturation


_frequency: Final = attrgetter("frequency")


class _Inverted:
    """The lists of many terms, one behind the other in a single array.

    An array for each term would be quicker to change. But the garbage collector looks at every array, and with many
    owners in the process it would hold up all threads for long.
    """

    __slots__ = ("_starts", "codes", "documents")

    def __init__(self, texts: Sequence[str], make: Columns) -> None:
        """Of documents, each given as its terms joined by spaces."""
        self.codes: dict[str, int] = {}
        """Term → its code, which tells where its list stands."""
        codes, terms, holding = self.codes, array("I"), array("I")
        for at in range(0, len(texts), _SLICE):
            split = [text.split() for text in texts[at : at + _SLICE]]
            for term in dict.fromkeys(chain.from_iterable(split)):
                if term not in codes:
                    codes[intern(term)] = len(codes)  # the indexes of many owners share the term
            terms.extend(map(codes.__getitem__, chain.from_iterable(split)))
            holding.extend(chain.from_iterable(map(repeat, count(at), map(len, split))))
        self.documents, self._starts = make.grouped(holding, terms, len(codes))

    def bounds(self, term: str) -> tuple[int, int]:
        """Where in `documents` the list of a term begins and ends; the same for one that is not here."""
        code = self.codes.get(term)
        return (0, 0) if code is None else (self._starts[code], self._starts[code + 1])

    def take(self, term: str) -> array[int] | None:
        """Remove a term; returns its list, `None` for one that is not here."""
        if term not in self.codes:
            return None
        first, end = self.bounds(term)
        del self.codes[term]
        return self.documents[first:end]


_LETTERS = 8
"""Of a term and the space behind it, roughly."""
_SCANS = 16
"""Number of terms found by scanning before the texts are inverted: those of a first question, not of many."""
_SLICE: Final = 256
"""Texts that are split in one go."""

_Occurrences: TypeAlias = "dict[str, int | array[int]]"
"""Term → documents, ascending, repeated for each occurrence; the number alone of a term that occurs once. Most do."""


def _listed(known: int | array[int] | None) -> array[int]:
    """The documents of a term."""
    return array("I", () if known is None else (known,)) if not isinstance(known, array) else known
