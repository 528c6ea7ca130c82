"""Columns as lists, where numpy is not loaded (see `memwell.retrieval.columns`)."""

from __future__ import annotations

import math
import operator
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from heapq import nlargest
from itertools import accumulate, chain, repeat
from typing import Any, Final

__all__ = ["LISTS", "Column"]


def _elementwise(act: Callable[[Any, Any], Any], *, swapped: bool = False) -> Callable[[Any, Any], Any]:
    def method(self: Column, other: Any) -> Column:
        others = other if isinstance(other, list) else repeat(other)
        return Column(map(act, others, self) if swapped else map(act, self, others))

    return method


class Column(list[Any]):
    """A list of numbers that computes elementwise, as an `ndarray` does."""

    __slots__ = ()

    __add__ = __radd__ = _elementwise(operator.add)
    __sub__ = _elementwise(operator.sub)
    __rsub__ = _elementwise(operator.sub, swapped=True)
    __mul__ = __rmul__ = _elementwise(operator.mul)
    __truediv__ = _elementwise(operator.truediv)
    __rtruediv__ = _elementwise(operator.truediv, swapped=True)
    __floordiv__ = _elementwise(operator.floordiv)
    __mod__ = _elementwise(operator.mod)
    __pow__ = _elementwise(operator.pow)
    __rpow__ = _elementwise(operator.pow, swapped=True)
    __gt__ = _elementwise(operator.gt)
    __ge__ = _elementwise(operator.ge)
    __lt__ = _elementwise(operator.lt)
    __le__ = _elementwise(operator.le)
    __and__ = _elementwise(operator.and_)
    __or__ = _elementwise(operator.or_)

    def take(self, index: Iterable[int]) -> Column:
        """The values at these places."""
        return Column(map(self.__getitem__, index))

    def tolist(self) -> list[Any]:
        """The values as a list."""
        return self


class _Lists:
    """Columns as lists."""

    keeps = True

    def numbers(self, values: Any) -> Column:
        return Column(values.tolist() if hasattr(values, "tolist") else values)

    index = numbers

    def zeros(self, size: int) -> Column:
        return Column([0.0] * size)

    def upto(self, size: int) -> Column:
        return Column(range(size))

    def stored(self, values: array[Any] | bytearray, index: Column) -> Column:
        return Column(map(values.__getitem__, index))

    def joined(self, parts: Sequence[Column]) -> Column:
        return Column(chain.from_iterable(parts))

    def part(self, values: Column, start: int, stop: int) -> Column:
        return Column(values[start:stop])

    def chosen(self, mask: Column, yes: Any, no: Any) -> Column:
        yes, no = (each if isinstance(each, list) else repeat(each) for each in (yes, no))
        return Column([one if true else other for true, one, other in zip(mask, yes, no, strict=False)])

    def known(self, values: Column) -> Column:
        return Column(map(operator.eq, values, values))

    def same(self, one: Column, other: Any) -> Column:
        return Column(map(operator.eq, one, other if isinstance(other, list) else repeat(other)))

    def differs(self, one: Column, other: Column) -> Column:
        return Column(map(operator.ne, one, other))

    def exp(self, values: Column) -> Column:
        return Column(map(math.exp, values))

    def least(self, one: Any, other: Any) -> Column:
        return self._of_two(min, one, other)

    def most(self, one: Any, other: Any) -> Column:
        return self._of_two(max, one, other)

    def _of_two(self, act: Callable[[Any, Any], Any], one: Any, other: Any) -> Column:
        one, other = (each if isinstance(each, list) else repeat(each) for each in (one, other))
        return Column(map(act, one, other))

    def places(self, mask: Column) -> Column:
        return Column([at for at, true in enumerate(mask) if true])

    def some(self, values: Column) -> bool:
        return any(values)

    def top(self, values: Column) -> Any:
        return max(values)

    def total(self, values: Column) -> Any:
        return sum(values)

    def distinct(self, values: Column) -> Column:
        return Column(sorted(set(values)))

    def sums(self, index: Column, values: Column, size: int) -> Column:
        found = [0.0] * size
        for at, value in zip(index, values, strict=True):
            found[at] += value
        return Column(found)

    def maxima(self, index: Column, values: Column, size: int) -> Column:
        found = [0.0] * size
        for at, value in zip(index, values, strict=True):
            if value > found[at]:
                found[at] = value
        return Column(found)

    def merged(self, keys: Column, size: int, *values: Column) -> tuple[Column, ...]:
        del size
        distinct = self.distinct(keys)
        place = dict(zip(distinct, range(len(distinct)), strict=True))
        index = Column(map(place.__getitem__, keys))
        return (distinct, *(self.sums(index, each, len(distinct)) for each in values))

    def groups(self, values: Column) -> tuple[Column, int]:
        number: dict[Any, int] = {}
        return Column([number.setdefault(value, len(number)) for value in values]), len(number)

    def grouped(self, values: array[int], keys: array[int], size: int) -> tuple[array[int], array[int]]:
        sums = Counter(keys)
        starts = array("q", accumulate(map(sums.__getitem__, range(size)), initial=0))
        found, ends = values[:], starts.tolist()
        for key, value in zip(keys, values, strict=True):
            at = ends[key]
            found[at] = value
            ends[key] = at + 1
        return found, starts

    def largest(self, values: Column, count: int) -> Column:
        if len(values) <= count:
            return self.upto(len(values))
        last_first = range(len(values) - 1, -1, -1)  # what ascends, such as times, is quick so
        return Column(nlargest(count, last_first, key=values.__getitem__))

    def best(self, values: Column, count: int) -> list[int]:
        rounded = [round(value, 9) for value in values]
        return nlargest(count, range(len(values)), key=rounded.__getitem__)

    def counted(self, values: array[int]) -> tuple[Column, Column]:
        found = Counter(values)
        return Column(found), Column(found.values())

    def between(self, values: array[int], first: int, until: int) -> Column:
        return Column([at for at, value in enumerate(values) if first <= value < until])

    def numbered(self, parts: Sequence[Column], size: int) -> _Numbered:
        del size
        return _Numbered(parts)

    def matched(
        self, lists: Sequence[Column], values: Sequence[Column], wanted: _Numbered
    ) -> tuple[Column, Column, Column]:
        place = wanted.place
        known, found = set(place), (Column(), Column(), Column())
        for which, (numbers, beside) in enumerate(zip(lists, values, strict=True)):
            for number in known.intersection(numbers):
                found[0].append(which)
                found[1].append(place[number])
                found[2].append(beside[bisect_left(numbers, number)])
        return found

    def tally(self, size: int, allowed: bytearray | None) -> _Tally:
        del size
        return _Tally(allowed)

    def expanded(self, index: Column, size: int, rows: Column) -> tuple[Column, Column]:
        of: list[list[int]] = [[] for _ in range(size)]
        for at, value in enumerate(index):
            of[value].append(at)
        pairs = [(at, other) for at, row in enumerate(rows) for other in of[row]]
        return Column([at for at, _ in pairs]), Column([other for _, other in pairs])


class _Numbered:
    """See `memwell.retrieval.columns.Numbered`."""

    def __init__(self, parts: Sequence[Column]) -> None:
        self.values = Column(sorted(set(chain.from_iterable(parts))))
        self.place = dict(zip(self.values, range(len(self.values)), strict=True))

    def places(self, values: Column) -> Column:
        return Column(map(self.place.__getitem__, values))


class _Tally:
    """See `memwell.retrieval.columns.Tally`."""

    def __init__(self, allowed: bytearray | None) -> None:
        self._sums: dict[int, float] = {}
        self._allowed = allowed

    def __len__(self) -> int:
        return len(self._sums)

    def add(self, index: Column, values: Column, weight: float, *, known: bool) -> None:
        sums, allowed, get = self._sums, self._allowed, self._sums.get
        if known:
            for at in sums.keys() & index:
                sums[at] += weight * values[bisect_left(index, at)]
        elif allowed is None:
            for at, value in zip(index, values, strict=True):
                sums[at] = get(at, 0.0) + weight * value
        else:
            for at, value in zip(index, values, strict=True):
                if allowed[at]:
                    sums[at] = get(at, 0.0) + weight * value

    def add_all(self, indexes: Sequence[Column], values: Sequence[Column], weights: Sequence[float]) -> None:
        for index, each, weight in zip(indexes, values, weights, strict=True):
            self.add(index, each, weight, known=False)

    def best(self, limit: int) -> tuple[Column, Column]:
        sums = self._sums
        found = sums if len(sums) <= limit else sorted(sums, key=sums.__getitem__, reverse=True)[:limit]
        return Column(found), Column(map(sums.__getitem__, found))


LISTS: Final = _Lists()
"""What makes columns of lists."""
