"""A filter as a tree, and the names and operators it is made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, tzinfo
from typing import Any, Final, TypeAlias

from memwell._dataclasses import dataclass
from memwell.fields import named, of_type

__all__ = [
    "FIELDS",
    "NUMBERS",
    "OPERATORS",
    "TEXTS",
    "TIMES",
    "And",
    "Choices",
    "Clause",
    "Node",
    "Not",
    "Or",
    "clauses",
    "instant",
    "type_of",
]

FIELDS: Final = frozenset(named(filterable=True))
"""The record fields that a filter knows by name."""
TIMES: Final = of_type("time") & FIELDS
NUMBERS: Final = of_type("share", "count") & FIELDS
TEXTS: Final = of_type("text", "content") & FIELDS
OPERATORS: Final = ("$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$contains", "$exists")


class Choices(tuple[Any, ...]):
    """The operand of `$in` and `$nin`, with its scalars in a set."""

    null: bool
    scalars: frozenset[tuple[str, Any]]
    moments: frozenset[datetime]
    wholes: tuple[Any, ...]
    """Lists and mappings."""

    def __new__(cls, items: Iterable[Any]) -> Choices:
        self = super().__new__(cls, items)
        self.null = any(item is None for item in self)
        self.scalars = frozenset((kind, item) for item in self if (kind := type_of(item)))
        self.moments = frozenset(item for item in self if isinstance(item, datetime))
        self.wholes = tuple(item for item in self if isinstance(item, list | dict))
        return self


@dataclass(frozen=True, slots=True)
class Clause:
    """One comparison. `field` is set for a record field, else `path` leads into the metadata."""

    field: str | None
    path: tuple[str, ...]
    operator: str
    operand: Any


@dataclass(frozen=True, slots=True)
class And:
    """All parts hold; true without parts."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one part holds; false without parts."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: Node


Node: TypeAlias = Clause | And | Or | Not


def clauses(node: Node) -> Iterator[Clause]:
    """Every comparison in the tree."""
    if isinstance(node, Clause):
        yield node
    elif isinstance(node, Not):
        yield from clauses(node.part)
    else:
        for part in node.parts:
            yield from clauses(part)


def type_of(value: Any) -> str:
    """`boolean`, `number` or `text`; empty for all that is no scalar. Values of two types are never equal."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else ""


def instant(value: Any, zone: tzinfo = UTC) -> datetime | None:
    """A datetime, date or ISO 8601 text as an instant in UTC; `None` when it is none of these. `zone` is that of a time
    that names none.
    """
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    elif isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time.min)
    if not isinstance(value, datetime):
        return None
    try:
        moment = value if type(value) is datetime else _plain(value)
        moment = moment.replace(tzinfo=zone) if moment.utcoffset() is None else moment
        return moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    except Exception:  # noqa: BLE001  outside the years 1 to 9999, or a time zone class of the caller that fails
        return None


def _plain(value: datetime) -> datetime:
    """A datetime of a derived class, such as that of pandas, as one of the standard library."""
    day = date(value.year, value.month, value.day)
    return datetime.combine(day, value.timetz())
