"""Ids and fields of an in-memory index, by row, and the rows that match a filter."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict, defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from memwell import filters
from memwell.indexes.filtering.field_columns import LISTS, NUMBERS, TEXTS, columns
from memwell.indexes.filtering.pushdown import Compare, Condition, Every, OneOf, Pushed, Unless
from memwell.ports.arrays import numpy

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Rows", "Table"]

Rows: TypeAlias = "NDArray[np.intp]"
Mask: TypeAlias = "NDArray[np.bool_]"

MASKS = 16
"""Number of filters whose result is cached until the next write."""


class Table:
    """Points by row number; a row is live or empty. Not thread-safe: callers lock.

    The first filtered search builds columns, which are then kept up to date. So a filter costs a few array operations
    instead of a check of each point.
    """

    def __init__(self) -> None:
        self._np = numpy()
        self.row: dict[str, int] = {}
        """Id → row, for live rows."""
        self.names: list[str | None] = []
        """Row → id; `None` for an empty row."""
        self.fields: list[Mapping[str, Any]] = []
        self._stale: set[int] = set()
        self._capacity = 0
        self._texts: dict[str, Any] = {}
        self._codes: dict[str, dict[str, int]] = defaultdict(dict)
        self._numbers: dict[str, Any] = {}
        self._rows_with: dict[tuple[str, str], set[int]] = {}
        self._words: list[tuple[tuple[str, str], ...]] = []
        self._sorted: list[str] | None = None
        self._live: Mask = self._np.zeros(1024, dtype=bool)
        self._cache: OrderedDict[str, Rows] = OrderedDict()

    def __len__(self) -> int:
        return len(self.row)

    def set(self, row: int, name: str, fields: Mapping[str, Any]) -> None:
        """Store a point in an existing row, or in the next one."""
        if row == len(self.names):
            self.names.append(None)
            self.fields.append({})
            if row == len(self._live):
                self._live = self._np.concatenate([self._live, self._np.zeros_like(self._live)])
        self._live[row] = True
        self.names[row], self.fields[row], self.row[name] = name, fields, row
        self._stale.add(row)
        self._clear_cache()

    def drop(self, name: str) -> int | None:
        """Empty the row of a point; returns its number, or `None` if there is no such point."""
        row = self.row.pop(name, None)
        if row is not None:
            self._live[row] = False
            self.names[row], self.fields[row] = None, {}
            self._stale.add(row)
            self._clear_cache()
        return row

    def page(self, after: str | None, limit: int) -> list[str]:
        """Up to `limit` ids greater than `after`, ascending."""
        if self._sorted is None:
            self._sorted = sorted(self.row)
        start = 0 if after is None else bisect_right(self._sorted, after)
        return self._sorted[start : start + limit]

    def matching(self, pushed: Pushed) -> Rows:
        """The live rows that match a filter, ascending."""
        name = repr(pushed.node)
        rows = self._cache.get(name)
        if rows is None:
            rows = self._np.nonzero(self._live[: len(self.names)] & self._mask(pushed.condition))[0]
            if not pushed.exact:
                passing = [row for row in rows if filters.matches_fields(self.fields[row], pushed.node)]
                rows = self._np.array(passing, dtype=self._np.intp)
            self._cache[name] = rows
            if len(self._cache) > MASKS:
                self._cache.popitem(last=False)
        self._cache.move_to_end(name)
        found: Rows = rows
        return found

    def _clear_cache(self) -> None:
        self._sorted = None
        self._cache = OrderedDict()

    def _mask(self, condition: Condition | None) -> Any:
        """The rows for which a condition holds; meaningful for live rows only."""
        np = self._np
        if condition is None:
            return True
        self._build()
        if isinstance(condition, OneOf):
            return self._one_of(condition)
        if isinstance(condition, Compare):
            values = self._numbers[condition.column][: len(self.names)]
            order = {"gt": np.greater, "gte": np.greater_equal, "lt": np.less, "lte": np.less_equal}
            return order[condition.bound](values, condition.number)
        if isinstance(condition, Unless):
            return ~self._mask(condition.part)
        masks = [self._mask(part) for part in condition.parts]
        if not masks:
            return np.full(len(self.names), isinstance(condition, Every))
        return (np.logical_and if isinstance(condition, Every) else np.logical_or).reduce(masks)

    def _one_of(self, condition: OneOf) -> Mask:
        np = self._np
        if condition.listed:
            mask: Mask = np.zeros(len(self.names), dtype=bool)
            for value in condition.values:
                mask[list(self._rows_with.get((condition.column, value), ()))] = True
            return mask
        known = self._codes[condition.column]
        codes = [known[value] for value in condition.values if value in known]
        found: Mask = np.isin(self._texts[condition.column][: len(self.names)], codes)
        return found

    def _build(self) -> None:
        """Update the columns of changed rows."""
        self._grow()
        for row in self._stale:
            for key in self._words[row]:
                self._rows_with[key].discard(row)
            self._words[row] = ()
            if self.names[row] is not None:
                self._fill(row)
        self._stale = set()

    def _fill(self, row: int) -> None:
        found: dict[str, Any] = columns(self.fields[row])
        for column, values in self._texts.items():
            codes = self._codes[column]
            values[row] = codes.setdefault(found[column], len(codes))
        for column, numbers in self._numbers.items():
            numbers[row] = found[column]
        words = tuple((f"f_{name}", word) for name in LISTS for word in found[f"f_{name}"])
        for key in words:
            self._rows_with.setdefault(key, set()).add(row)
        self._words[row] = words

    def _grow(self) -> None:
        np = self._np
        if self._capacity < len(self.names) or not self._texts:
            self._capacity = max(1024, 2 * len(self.names))
            for columns_, names, kind in (
                (self._texts, TEXTS, np.int32),
                (self._numbers, NUMBERS, np.float64),
            ):
                for name in names:
                    grown = np.zeros(self._capacity, dtype=kind)
                    old = columns_.get(f"f_{name}")
                    if old is not None:
                        grown[: len(old)] = old
                    columns_[f"f_{name}"] = grown
        self._words.extend([()] * (len(self.names) - len(self._words)))
