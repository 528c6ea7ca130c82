"""Columns as arrays of numpy (see `memwell.retrieval.columns`)."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from memwell.ports.arrays import numpy

__all__ = ["arrays"]

_SAMPLED: Final = 512
"""About as many values are looked at to find a lower bound of the largest."""


@cache
def arrays() -> Any:
    """What makes columns of arrays. Raises `ConfigError` if numpy is not installed."""
    return _Arrays(numpy())


class _Arrays:
    """Columns as arrays: `float64`, `intp` and `bool`."""

    keeps = False

    def __init__(self, np: Any) -> None:
        self._np = np
        self.exp, self.chosen, self.same, self.differs = np.exp, np.where, np.equal, np.not_equal
        self.least, self.most, self.joined = np.minimum, np.maximum, np.concatenate
        self.zeros, self._buffer = np.zeros, np.frombuffer
        self.some, self.top, self.total = np.count_nonzero, np.maximum.reduce, np.add.reduce
        self._types = {code: np.dtype(code) for code in "qd"}
        self._flag = np.dtype("?")
        self._upto = np.arange(4096)

    def numbers(self, values: Sequence[float]) -> Any:
        return self._np.asarray(values, dtype=float)

    def index(self, values: Sequence[int]) -> Any:
        return self._np.asarray(values, dtype=self._np.intp)

    def upto(self, size: int) -> Any:
        return self._upto[:size] if size <= 4096 else self._np.arange(size)

    def stored(self, values: array[Any] | bytearray, index: Any) -> Any:
        # One expression: an exported buffer could not grow, and a traceback may keep a local name alive.
        if isinstance(values, bytearray):
            return self._buffer(values, self._flag).take(index)
        return self._buffer(values, self._types[values.typecode]).take(index)

    def places(self, mask: Any) -> Any:
        return mask.nonzero()[0]

    def part(self, values: Any, start: int, stop: int) -> Any:
        return values[start:stop]

    def known(self, values: Any) -> Any:
        return values == values

    def distinct(self, values: Any) -> Any:
        values = self._np.sort(values)  # numpy.unique takes longer, and imports numpy.ma
        return values[self._np.concatenate((values[:1] == values[:1], values[1:] != values[:-1]))]

    def sums(self, index: Any, values: Any, size: int) -> Any:
        return self._np.bincount(index, values, size)

    def maxima(self, index: Any, values: Any, size: int) -> Any:
        found = self._np.zeros(size)
        self._np.maximum.at(found, index, values)
        return found

    def merged(self, keys: Any, size: int, *values: Any) -> tuple[Any, ...]:
        count = self._np.bincount
        found = count(keys, minlength=size).nonzero()[0]
        return found, *(count(keys, each, size).take(found) for each in values)

    def groups(self, values: Any) -> tuple[Any, int]:
        distinct, number = self._np.unique(values, return_inverse=True)
        return number, len(distinct)

    def grouped(self, values: array[int], keys: array[int], size: int) -> tuple[array[int], array[int]]:
        np, key = self._np, self._np.array(keys)
        starts = np.concatenate(([0], np.cumsum(np.bincount(key, minlength=size))))
        found = np.array(values).take(key.argsort(kind="stable"))
        return array(values.typecode, found.tobytes()), array("q", starts.astype("q").tobytes())

    def largest(self, values: Any, count: int) -> Any:
        np, size = self._np, len(values)
        if size <= count:
            return self.upto(size)
        few = values[:: size // _SAMPLED] if size > 2 * _SAMPLED else values
        if len(few) < size:  # a bound from a sample leaves few to be sorted
            wanted = min(len(few) - 1, 8 + 2 * count * len(few) // size)
            few = (values >= np.partition(few, len(few) - wanted)[len(few) - wanted]).nonzero()[0]
            if len(few) >= count:
                return few.take(values.take(few).argpartition(len(few) - count)[len(few) - count :])
        found: Any = values.argpartition(size - count)[size - count :]
        return found

    def best(self, values: Any, count: int) -> list[int]:
        found: list[int] = (-values.round(9)).argsort(kind="stable")[:count].tolist()
        return found

    def counted(self, values: array[int]) -> tuple[Any, Any]:
        np = self._np
        found = np.array(values, dtype=np.intp)
        if np.count_nonzero(found[1:] != found[:-1]) == len(found) - 1:
            return found, np.ones(len(found))
        first = np.concatenate((found[:1] == found[:1], found[1:] != found[:-1])).nonzero()[0]
        after = np.concatenate((first[1:], (len(found),)))[: len(first)]
        return found.take(first), (after - first).astype(float)

    def between(self, values: array[int], first: int, until: int) -> Any:
        found = self._np.array(values)
        return ((found >= first) & (found < until)).nonzero()[0]

    def numbered(self, parts: Sequence[Any], size: int) -> _Numbered:
        return _Numbered(self._np, parts, size)

    def matched(self, lists: Sequence[Any], values: Sequence[Any], wanted: _Numbered) -> tuple[Any, Any, Any]:
        np, sizes = self._np, [len(each) for each in lists]
        if not sum(sizes):
            return wanted.values[:0], wanted.values[:0], self.zeros(0)
        where = wanted.places(np.concatenate(lists))
        hit = (where >= 0).nonzero()[0]
        which = np.repeat(self.upto(len(sizes)), sizes).take(hit)
        return which, where.take(hit), np.concatenate(values).take(hit)

    def tally(self, size: int, allowed: bytearray | None) -> _Tally:
        return _Tally(self._np, size, allowed)

    def expanded(self, index: Any, size: int, rows: Any) -> tuple[Any, Any]:
        np, order = self._np, index.argsort(kind="stable")
        many = np.bincount(index, minlength=size)
        first = np.cumsum(many) - many
        repeats = many.take(rows)
        at = np.repeat(self.upto(len(rows)), repeats)
        start = first.take(rows) - (np.cumsum(repeats) - repeats)
        return at, order.take(self.upto(len(at)) + start.take(at))


class _Numbered:
    """See `memwell.retrieval.columns.Numbered`."""

    def __init__(self, np: Any, parts: Sequence[Any], size: int) -> None:
        self._place = np.full(size, -1, dtype=np.intp)
        for part in parts:
            self._place[part] = 0
        self.values = (self._place == 0).nonzero()[0]
        self._place[self.values] = np.arange(len(self.values))

    def places(self, values: Any) -> Any:
        """The numbers of some values; −1 of one that has none."""
        return self._place.take(values)


class _Tally:
    """See `memwell.retrieval.columns.Tally`."""

    def __init__(self, np: Any, size: int, allowed: bytearray | None) -> None:
        self._np, self._sums = np, np.zeros(size)
        self._allowed: Any = None if allowed is None else np.frombuffer(bytes(allowed), "?")
        self._added: list[Any] = []

    def __len__(self) -> int:
        return int(self._np.count_nonzero(self._sums))

    def add(self, index: Any, values: Any, weight: float, *, known: bool) -> None:
        sums = self._sums
        if known or self._allowed is not None:
            inside = ((sums.take(index) > 0) if known else self._allowed.take(index)).nonzero()[0]
            index, values = index.take(inside), values.take(inside)
        if not known:
            self._added.append(index)
        sums[index] += values * weight

    def add_all(self, indexes: Sequence[Any], values: Sequence[Any], weights: Sequence[float]) -> None:
        np = self._np
        index = np.concatenate(indexes)
        every = np.concatenate([each * weight for each, weight in zip(values, weights, strict=True)])
        if self._allowed is not None:
            inside = self._allowed.take(index).nonzero()[0]
            index, every = index.take(inside), every.take(inside)
        self._added.append(index)
        self._sums += np.bincount(index, every, len(self._sums))

    def best(self, limit: int) -> tuple[Any, Any]:
        np, found = self._np, self._sums.nonzero()[0]
        values = self._sums.take(found)
        if len(found) > limit:
            least = np.partition(values, len(values) - limit)[len(values) - limit]
            found = found.take((values >= least).nonzero()[0])
            if len(found) > limit:
                values = self._sums.take(found)
                found = np.concatenate((found[values > least], self._first(least)))[:limit]
            values = self._sums.take(found)
        return found, values

    def _first(self, value: float) -> Any:
        """The places with this sum, in the order in which they were added."""
        np, added = self._np, self._np.concatenate(self._added)
        found = added[self._sums.take(added) == value]
        return found[np.sort(np.unique(found, return_index=True)[1])]
