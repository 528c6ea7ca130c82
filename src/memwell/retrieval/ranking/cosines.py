"""The cosines of a question with the records of a corpus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from heapq import nlargest
from typing import TYPE_CHECKING, Any, Protocol

from memwell.ports.arrays import numpy
from memwell.ports.store.search import Search
from memwell.retrieval.columns import Columns, Numbers
from memwell.retrieval.columns.arrays import arrays
from memwell.retrieval.index.corpus import Corpus, Source
from memwell.retrieval.index.vectors import VectorSet

if TYPE_CHECKING:
    from memwell.ports import Vectors

__all__ = ["Compared", "Cosines", "Listed", "Nominates", "Read"]

_SAMPLE = 256
"""Number of records from which the mean cosine is estimated, if an index found the candidates."""
_SPARSE = 4096
"""Up to this number of visible records, only these are compared instead of the whole matrix."""
_UNKNOWN = float("nan")


class Cosines(Protocol):
    """The cosines of a query with records."""

    mean_cosine: float | None
    """Mean cosine of all records."""
    empty: bool
    """Whether there are no vectors of the model at all."""

    def of(self, slots: Numbers, make: Columns) -> Numbers:
        """The cosines of some records; NaN of those without a vector."""
        ...


class Nominates(Cosines, Protocol):
    """Cosines that also find records."""

    def nominate(self, limit: int, allowed: bytearray | None) -> Sequence[int]:
        """The slots of the nearest allowed records, in no particular order, as a list or an array."""
        ...


class Listed:
    """Cosines that are known by slot."""

    def __init__(
        self, of: Mapping[int, float], mean_cosine: float | None = None, *, empty: bool = True
    ) -> None:
        self.mean_cosine, self.empty = mean_cosine, empty
        self._of = of

    def of(self, slots: Numbers, make: Columns) -> Numbers:
        """See `Cosines.of`."""
        known = self._of
        return make.numbers([known.get(slot, _UNKNOWN) for slot in slots.tolist()])

    def nominate(self, limit: int, allowed: bytearray | None) -> list[int]:
        """The slots of the nearest."""
        del allowed
        return nlargest(limit, self._of, key=self._of.__getitem__)


class Compared:
    """Cosines of the question with every record, or only with the visible ones if they are few.

    It is made under the lock of the corpus, and `compare` is called without it.
    """

    def __init__(self, vectors: VectorSet, question: Vectors, allowed: bytearray | None) -> None:
        self.mean_cosine: float | None = None
        self.empty = vectors.whole is None
        self._vectors, self._question = vectors, question
        self._dead, self._slots = vectors.dead[:], vectors.slots[:]
        self._rows: Any = None
        """The rows that are compared; `None` for all."""
        self._values: Any = None
        """Row → cosine, and NaN after the last row."""
        if allowed is not None and allowed.count(1) <= _SPARSE:
            np = numpy()
            rows = np.frombuffer(bytes(vectors.rows), vectors.rows.typecode)
            seen = np.frombuffer(bytes(allowed[: len(rows)]), "?")
            self._rows = rows[: len(seen)][seen & (rows[: len(seen)] >= 0)]

    def compare(self) -> None:
        """Compute the cosines."""
        whole, question = self._vectors.whole, self._question
        if whole is None:
            return
        query = question.mean(axis=0) if len(question) > 1 else question[0]
        whole.check(query)
        if self._rows is None:
            products = whole.dot(query)
            products[self._dead] = 0.0  # they do not count towards the mean
            count, rows = len(products) - len(self._dead), slice(len(products))
        else:
            products = whole.dot_some(self._rows, query)
            count, rows = len(products), self._rows
        if count:
            self.mean_cosine = float(products.sum()) / count
        self._values = numpy().full(
            (whole.rows if self._rows is not None else len(products)) + 1, _UNKNOWN, "f4"
        )
        self._values[rows] = products
        if self._rows is None:
            self._values[self._dead] = -1.0

    def of(self, slots: Numbers, make: Columns) -> Numbers:
        """See `Cosines.of`."""
        np, rows = numpy(), self._vectors.rows
        if self._values is None or not rows:
            return make.zeros(len(slots)) + _UNKNOWN
        slots, end = np.asarray(slots), len(self._values) - 1
        found = np.frombuffer(rows, rows.typecode).take(slots, mode="clip")
        found[slots >= len(rows)] = -1
        values = self._values[np.minimum(found, end)]  # rows added after the product have no cosine yet
        return make.numbers(values)

    def nominate(self, limit: int, allowed: bytearray | None) -> Sequence[int]:
        """The slots of the nearest allowed records that were live when this was made."""
        if self._values is None:
            return []
        np, values, rows = numpy(), self._values[: len(self._slots)], self._rows
        slots = np.frombuffer(self._slots, self._slots.typecode)
        if rows is None and allowed is not None:
            rows = ((slots >= 0) & np.frombuffer(bytes(allowed), "?")[slots]).nonzero()[0]
        if rows is not None:
            values = values.take(rows)
        best = arrays().largest(values, limit)
        near: Any = slots.take(best if rows is None else rows.take(best))
        found: Sequence[int] = near[near >= 0]
        return found


class Read:
    """Cosines of the candidates only, from vectors read for this search. An index found the candidates, so the matrix
    of all vectors is not needed. The mean cosine comes from a sample of the visible records.
    """

    def __init__(self, corpus: Corpus, source: Source, search: Search, allowed: bytearray | None) -> None:
        self._corpus, self._source, self._search = corpus, source, search
        visible = [slot for slot, seen in enumerate(corpus.live if allowed is None else allowed) if seen]
        self.mean_cosine: float | None = None
        sample = self._read(visible[:: -(-len(visible) // _SAMPLE)] if visible else [])
        self.empty = bool(visible) and not sample and not search.similar
        if sample:
            self.mean_cosine = sum(sample.values()) / len(sample)

    def of(self, slots: Numbers, make: Columns) -> Numbers:
        """See `Cosines.of`."""
        return Listed(self._read(slots.tolist())).of(slots, make)

    def nominate(self, limit: int, allowed: bytearray | None) -> list[int]:
        """The slots of the records that the index found and that are allowed."""
        del limit
        found = self._corpus.slots_of(self._search.similar or ())
        return found if allowed is None else [slot for slot in found if allowed[slot]]

    def _read(self, slots: Sequence[int]) -> dict[int, float]:
        search, corpus = self._search, self._corpus
        assert search.model is not None
        assert search.vectors is not None
        keys = {corpus.keys[slot]: slot for slot in slots}
        read = VectorSet(search.model)
        read.add(keys, self._source.vectors(corpus.partition, search.model, list(keys)))
        if read.whole is None:
            return {}
        query = search.vectors.mean(axis=0)
        read.whole.check(query)
        return dict(zip(read.slots, read.whole.dot(query).tolist(), strict=True))
