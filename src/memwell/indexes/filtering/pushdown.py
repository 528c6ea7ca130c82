"""Filters as conditions on columns, for a service to apply before it cuts.

A service compares columns (`memwell.indexes.filtering.field_columns`), and columns do not say everything. So a filter
becomes two conditions: `loosest` holds wherever the filter does, `tightest` nowhere else. The service is given the
loosest; when both are the same condition it says exactly what the filter says (`Pushed.exact`), else what comes back
is compared once more with `filters.matches_fields`. A clause that no column can express is everything in the loosest
and nothing in the tightest, and `$not` turns one into the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal, TypeAlias

from memwell import filters
from memwell._dataclasses import dataclass
from memwell.filters import Clause, Node
from memwell.indexes.filtering.field_columns import (
    ABSENT,
    LISTS,
    MOST,
    NOTHING,
    NUMBERS,
    TEXTS,
    TIMES,
    number,
    text,
    word,
)

__all__ = [
    "EVERYTHING",
    "Compare",
    "Condition",
    "Every",
    "OneOf",
    "Pushed",
    "Some",
    "Unless",
    "inward",
    "limited",
    "pushed",
]

Bound: TypeAlias = Literal["gt", "gte", "lt", "lte"]

_TYPES = (":text", ":number", ":flag", ":null", ":list", ":map")
_ORDERS: dict[str, Bound] = {"$gt": "gt", "$gte": "gte", "$lt": "lt", "$lte": "lte"}
_OPPOSITES: dict[Bound, Bound] = {"gt": "lte", "gte": "lt", "lt": "gte", "lte": "gt"}


@dataclass(frozen=True, slots=True)
class OneOf:
    """The text column is one of the values; a list column holds one of them."""

    column: str
    values: tuple[str, ...]

    @property
    def listed(self) -> bool:
        """Whether the column is a list."""
        return self.column.removeprefix("f_") in LISTS


@dataclass(frozen=True, slots=True)
class Compare:
    """The number column lies on one side of a number."""

    column: str
    bound: Bound
    number: float


@dataclass(frozen=True, slots=True)
class Every:
    """All parts hold; true without parts."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Some:
    """At least one part holds; false without parts."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Unless:
    """The part does not hold."""

    part: Condition


Condition: TypeAlias = OneOf | Compare | Every | Some | Unless

TRUE, FALSE = Every(()), Some(())


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a service can do of a filter."""

    condition: Condition | None
    """What to give it: true of all that passes; `None` when that is everything."""
    node: Node
    """The filter."""
    exact: bool
    """Whether the condition is the filter, so that nothing needs to be compared again."""

    @property
    def nothing(self) -> bool:
        """Whether no point can pass."""
        return self.condition == FALSE


def pushed(node: Node) -> Pushed:
    """What a service that knows the columns can do of a filter."""
    loosest = _bounded(node, loose=True)
    return Pushed(
        condition=None if loosest == TRUE else loosest,
        node=node,
        exact=loosest == _bounded(node, loose=False),
    )


def limited(pushed: Pushed, most: int) -> Pushed:
    """The same for a service that takes at most `most` comparisons in a filter.

    The longest lists of values are left out until the rest is short enough; what comes back is compared again.
    """
    condition, longest = pushed.condition, most
    while condition is not None and _comparisons(condition) > most:
        condition, longest = _without(inward(condition), longest), longest // 2
        condition = None if condition == TRUE else condition
    return pushed if condition is pushed.condition else Pushed(condition, pushed.node, exact=False)


def _comparisons(condition: Condition) -> int:
    if isinstance(condition, Every | Some):
        return sum(map(_comparisons, condition.parts))
    inner = condition.part if isinstance(condition, Unless) else condition
    if isinstance(inner, OneOf):
        return len(inner.values) if inner.listed else 1
    return 1 if isinstance(inner, Compare) else _comparisons(inner)


def _without(condition: Condition, longest: int) -> Condition:
    """A looser condition, without the comparisons with more values than that. `Unless` is around `OneOf` only."""
    if isinstance(condition, Every | Some):
        parts = [_without(part, longest) for part in condition.parts]
        return _every(parts) if isinstance(condition, Every) else _some(parts)
    return TRUE if _comparisons(condition) > longest else condition


EVERYTHING = Pushed(condition=None, node=filters.And(()), exact=True)
"""What is left of a filter that has been applied already."""


def inward(condition: Condition, *, negated: bool = False) -> Condition:
    """The same condition with `Unless` around nothing but `OneOf`, for services that negate single comparisons only.
    Every point has every column, so that the opposite of a comparison is the other comparison."""
    if isinstance(condition, Unless):
        return inward(condition.part, negated=not negated)
    if isinstance(condition, OneOf):
        return Unless(condition) if negated else condition
    if isinstance(condition, Compare):
        bound = _OPPOSITES[condition.bound] if negated else condition.bound
        return Compare(condition.column, bound, condition.number)
    parts = [inward(part, negated=negated) for part in condition.parts]
    return _every(parts) if isinstance(condition, Every) != negated else _some(parts)


def _bounded(node: Node, *, loose: bool) -> Condition:
    if isinstance(node, Clause):
        return _clause(node, loose)
    if isinstance(node, filters.Not):
        return _unless(_bounded(node.part, loose=not loose))
    parts = [_bounded(part, loose=loose) for part in node.parts]
    return _every(parts) if isinstance(node, filters.And) else _some(parts)


def _clause(clause: Clause, loose: bool) -> Condition:
    if clause.operator in ("$ne", "$nin"):
        positive = "$eq" if clause.operator == "$ne" else "$in"
        return _unless(_clause(Clause(clause.field, clause.path, positive, clause.operand), not loose))
    if clause.operator == "$in":
        each = (Clause(clause.field, clause.path, "$eq", operand) for operand in clause.operand)
        return _some(_clause(one, loose) for one in each)
    if clause.field is None:
        return _metadata(clause, loose)
    if clause.field == "tags":
        return _tags(clause, loose)
    if clause.field in TEXTS and clause.operator == "$eq":
        value = NOTHING if clause.operand is None else text(clause.operand)
        return OneOf(f"f_{clause.field}", (value,))
    if clause.field in NUMBERS and clause.operator in ("$eq", *_ORDERS):
        return _number(clause, loose)
    return _unknown(loose)


def _number(clause: Clause, loose: bool) -> Condition:
    column = f"f_{clause.field}"
    if clause.operand is None:
        return _equal(column, ABSENT)
    value = number(clause.operand, time=clause.field in TIMES)
    if not -MOST < value < MOST:
        return _unknown(loose)
    if clause.operator == "$eq":
        return _equal(column, value)
    asked = Compare(column, _ORDERS[clause.operator], value)
    if asked.bound in ("gt", "gte"):
        return asked
    return Every((Compare(column, "gte", -MOST), asked))  # what is absent lies below all numbers


def _tags(clause: Clause, loose: bool) -> Condition:
    if clause.operator == "$contains":
        return OneOf("f_tags", (text(clause.operand),))
    if clause.operator == "$eq" and loose:
        return _every(OneOf("f_tags", (text(tag),)) for tag in clause.operand if isinstance(tag, str))
    return _unknown(loose)


def _metadata(clause: Clause, loose: bool) -> Condition:
    path, operand = clause.path, clause.operand
    if clause.operator == "$exists":
        there = _said(*(word(path, mark) for mark in _TYPES))
        return there if operand else _unless(there)
    if clause.operator == "$eq" and operand is None:
        null, there = _said(word(path, ":null")), _said(*(word(path, mark) for mark in _TYPES))
        return Some((null, Unless(there)))
    if clause.operator == "$eq" and isinstance(operand, str | bool | int | float):
        return _said(word(path, "=", operand))
    if clause.operator == "$contains" and isinstance(operand, str | bool | int | float):
        element = word(path, "[]=", operand)
        inside_text = loose and isinstance(operand, str)  # a text contains its parts, too
        return _said(element, word(path, ":text")) if inside_text else _said(element)
    return _said(word(path, _type_of(clause))) if loose else FALSE


def _type_of(clause: Clause) -> str:
    """The only type of value for which the clause can hold."""
    operand: Any = clause.operand
    if isinstance(operand, str | datetime):
        return ":text"
    if clause.operator == "$contains" or isinstance(operand, list):
        return ":list"
    return ":map" if isinstance(operand, dict) else ":number"


def _said(*words: str) -> OneOf:
    return OneOf("f_metadata", words)


def _equal(column: str, value: float) -> Condition:
    return Every((Compare(column, "gte", value), Compare(column, "lte", value)))


def _unknown(loose: bool) -> Condition:
    return TRUE if loose else FALSE


def _unless(part: Condition) -> Condition:
    if isinstance(part, Unless):
        return part.part
    return FALSE if part == TRUE else TRUE if part == FALSE else Unless(part)


def _every(parts: Iterable[Condition]) -> Condition:
    kept = [part for part in parts if part != TRUE]
    if FALSE in kept:
        return FALSE
    return kept[0] if len(kept) == 1 else Every(tuple(kept))


def _some(parts: Iterable[Condition]) -> Condition:
    kept = [part for part in parts if part != FALSE]
    if TRUE in kept:
        return TRUE
    values: dict[str, list[str]] = {}
    for part in kept:
        if isinstance(part, OneOf):
            values.setdefault(part.column, []).extend(part.values)
    merged: list[Condition] = [OneOf(column, tuple(dict.fromkeys(all_))) for column, all_ in values.items()]
    kept = merged + [part for part in kept if not isinstance(part, OneOf)]
    return kept[0] if len(kept) == 1 else Some(tuple(kept))
