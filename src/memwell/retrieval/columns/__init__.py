"""Columns of numbers: arrays of numpy where it is loaded, lists otherwise.

Windows and ranking are formulas over columns, written once. A column is an `ndarray` or a `Column`; both know
elementwise `+ - * / // % **`, comparisons, `&` and `|` (between two columns of one length, or a column and a number),
and `take` and `tolist`. What else is needed are the methods of `Columns`. A number that is not known is NaN.

Recall by words alone runs without numpy. It loads it after some searches, if it is installed: that takes as long as
many recalls, and then each is quicker.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from itertools import count
from typing import Any, Protocol, TypeAlias

from memwell.retrieval.columns.arrays import arrays
from memwell.retrieval.columns.lists import LISTS

__all__ = ["Columns", "Numbered", "Numbers", "Tally", "columns"]

Numbers: TypeAlias = Any
"""A column: an `ndarray` of one dimension or a `Column` (see `lists`), as `Columns` makes them."""


class Columns(Protocol):
    """Makes columns, and computes with them. An index is a column of whole numbers, a mask one of truth values."""

    keeps: bool
    """Whether computing takes so long that it is worth keeping results."""

    def numbers(self, values: Sequence[float]) -> Numbers:
        """A column of numbers."""
        ...

    def index(self, values: Sequence[int]) -> Numbers:
        """A column of whole numbers."""
        ...

    def zeros(self, size: int) -> Numbers:
        """A column of zeros."""
        ...

    def upto(self, size: int) -> Numbers:
        """0, 1, 2, … `size` − 1. Do not change it."""
        ...

    def stored(self, values: array[Any] | bytearray, index: Numbers) -> Numbers:
        """The values at these places, copied; `values` may change its size afterwards."""
        ...

    def joined(self, parts: Sequence[Numbers]) -> Numbers:
        """The columns one after another, at least one."""
        ...

    def part(self, values: Numbers, start: int, stop: int) -> Numbers:
        """The values from one place to before another."""
        ...

    def chosen(self, mask: Numbers, yes: Numbers, no: Numbers) -> Numbers:
        """The values of `yes` where the mask is true, of `no` elsewhere; each is a column or a number."""
        ...

    def known(self, values: Numbers) -> Numbers:
        """A mask of what is not NaN."""
        ...

    def same(self, one: Numbers, other: Numbers) -> Numbers:
        """A mask of equal values; `other` may be a number."""
        ...

    def differs(self, one: Numbers, other: Numbers) -> Numbers:
        """A mask of different values."""
        ...

    def exp(self, values: Numbers) -> Numbers:
        """e to the power of each."""
        ...

    def least(self, one: Numbers, other: Numbers) -> Numbers:
        """The smaller of two values each; `other` may be a number."""
        ...

    def most(self, one: Numbers, other: Numbers) -> Numbers:
        """The larger of two values each; `other` may be a number."""
        ...

    def places(self, mask: Numbers) -> Numbers:
        """Where a mask is true."""
        ...

    def some(self, values: Numbers) -> bool | int:
        """Whether any value is other than 0."""
        ...

    def top(self, values: Numbers) -> Any:
        """The largest value; there is at least one."""
        ...

    def total(self, values: Numbers) -> Any:
        """The sum of all values."""
        ...

    def distinct(self, values: Numbers) -> Numbers:
        """The distinct values of an index, ascending."""
        ...

    def groups(self, values: Numbers) -> tuple[Numbers, int]:
        """The number of each value's group, 0, 1, …, where equal values have one, and how many there are."""
        ...

    def grouped(self, values: array[int], keys: array[int], size: int) -> tuple[array[int], array[int]]:
        """The values by their keys, which are below `size`; those of equal keys in their order. And where the values of
        each key begin, with the end of the last one.
        """
        ...

    def numbered(self, parts: Sequence[Numbers], size: int) -> Numbered:
        """Numbers for all values of some indexes, which are below `size`."""
        ...

    def sums(self, index: Numbers, values: Numbers, size: int) -> Numbers:
        """For each of 0 … `size` − 1 the sum of the values with that index."""
        ...

    def maxima(self, index: Numbers, values: Numbers, size: int) -> Numbers:
        """For each of 0 … `size` − 1 the largest value with that index, at least 0."""
        ...

    def merged(self, keys: Numbers, size: int, *values: Numbers) -> tuple[Numbers, ...]:
        """The distinct keys, which are below `size`, ascending, and of each column the sum of the values with that
        key.
        """
        ...

    def largest(self, values: Numbers, count: int) -> Numbers:
        """The places of at most `count` of the largest values, in no particular order."""
        ...

    def best(self, values: Numbers, count: int) -> list[int]:
        """The places of the largest values, largest first; of those that are equal but for rounding (to nine decimals)
        the first come first.
        """
        ...

    def counted(self, values: array[int]) -> tuple[Numbers, Numbers]:
        """The distinct values of an ascending array, and how often each stands there."""
        ...

    def between(self, values: array[int], first: int, until: int) -> Numbers:
        """The places of the values from `first` to before `until`."""
        ...

    def matched(
        self, lists: Sequence[Numbers], values: Sequence[Numbers], wanted: Numbered
    ) -> tuple[Numbers, Numbers, Numbers]:
        """Where ascending lists hold a numbered value: three columns with the place of the list, the number, and the
        value's companion in `values`.
        """
        ...

    def expanded(self, index: Numbers, size: int, rows: Numbers) -> tuple[Numbers, Numbers]:
        """All pairs of a place in `rows` and a place in `index` with equal values, which are below `size`."""
        ...

    def tally(self, size: int, allowed: bytearray | None) -> Tally:
        """A tally of 0 … `size` − 1, or of those for which `allowed` is true."""
        ...


class Numbered(Protocol):
    """Values with numbers 0, 1, … in ascending order."""

    values: Numbers
    """The distinct values, ascending."""

    def places(self, values: Numbers) -> Numbers:
        """The numbers of some of them."""
        ...


class Tally(Protocol):
    """Adds up values by place."""

    def __len__(self) -> int:
        """How many places have a value."""
        ...

    def add(self, index: Numbers, values: Numbers, weight: float, *, known: bool) -> None:
        """Add positive values times a weight at distinct places, ascending; with `known` only where there is a value
        already.
        """
        ...

    def add_all(
        self, indexes: Sequence[Numbers], values: Sequence[Numbers], weights: Sequence[float]
    ) -> None:
        """Add several at once, one after another; at least one."""
        ...

    def best(self, limit: int) -> tuple[Numbers, Numbers]:
        """At most `limit` places and their sums, the largest in no particular order; of equal ones those that were
        added first.
        """
        ...


_searches = count()
_MANY = 100
"""Searches after which loading numpy is worthwhile."""


def columns() -> Columns:
    """The columns of numpy if it is loaded, those of lists otherwise; to be called once for each search."""
    lists: Any = LISTS
    found: Columns = lists
    if sys.modules.get("numpy") is not None or (next(_searches) >= _MANY and _installed()):
        found = arrays()
    return found


def _installed() -> bool:
    from importlib.util import find_spec

    return find_spec("numpy") is not None
