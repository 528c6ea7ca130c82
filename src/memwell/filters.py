"""The filter language: what it means, once.

A filter is a mapping; all its entries must hold::

    {"topic": "travel"}                                   equality
    {"rating": {"$gte": 3, "$lt": 5}}                     several operators on one key: all must hold
    {"$or": [{"topic": "food"}, {"tags": {"$contains": "work"}}]}

Operators: `$eq $ne $gt $gte $lt $lte $in $nin $contains $exists`, combined by `$and $or $not`.

Names. A record's own field (`category`, `created_at`, …; the list is `FIELDS`) means that field; every other
name means metadata, with dots for nested keys (`address.city`). `metadata.x` always means metadata.

Meaning, the same on every backend (`matches` is the definition):

- Types are never mixed: `1` is not `"1"` and not `true`; `1` equals `1.0`. An ordering across types is false.
- Missing and null are alike for `$eq` (`{"k": None}` matches both); `$exists` tells them apart. Record fields
  that are `None` are missing.
- `$ne` is exactly not `$eq`, `$nin` exactly not `$in`: both match records without the key.
- Lists and mappings are equal as wholes. `$contains` is true for a list that has the element, or a text that
  has the substring (case matters).
- A `datetime` operand compares instants: with record times, and with metadata text in ISO 8601. For record
  times, ISO text is accepted too. Times without a zone are taken as UTC.
- Texts are ordered by code point.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final, TypeAlias

from memwell.errors import InvalidQuery
from memwell.types import Record, Where

__all__ = ["FIELDS", "And", "Clause", "Node", "Not", "Or", "fields", "instant", "matches", "parse"]

TIMES: Final = frozenset({"created_at", "updated_at", "expires_at", "last_accessed_at"})
NUMBERS: Final = frozenset({"importance", "version", "access_count", "reinforced"})
TEXTS: Final = frozenset(
    {
        "id",
        "kind",
        "category",
        "tier",
        "source",
        "content",
        "user_id",
        "agent_id",
        "session_id",
        "namespace",
        "tenant_id",
    }
)
FIELDS: Final = TIMES | NUMBERS | TEXTS | {"tags"}
OPERATORS: Final = ("$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$contains", "$exists")
MAX_DEPTH: Final = 20
MAX_CLAUSES: Final = 500


class _Missing:
    """The value of a key that is not there."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()


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


def parse(where: Where | Node) -> Node:
    """Check a filter and turn it into a tree; a tree comes back as it is. Raises `InvalidQuery` naming the clause
    and the mend."""
    if isinstance(where, Clause | And | Or | Not):
        return where
    node = _parse(where, 0)
    if sum(1 for _ in clauses(node)) > MAX_CLAUSES:
        raise InvalidQuery(f"a filter has at most {MAX_CLAUSES} clauses")
    return node


def matches(record: Record, where: Where | Node) -> bool:
    """Whether the record passes the filter. This function is the meaning that every backend must equal."""
    node = parse(where)
    return holds(node, lambda clause: value_of(record, clause))


def holds(node: Node, lookup: Callable[[Clause], Any]) -> bool:
    """Evaluate a tree over values that `lookup` finds for each clause."""
    if isinstance(node, Clause):
        return _compare(node.operator, lookup(node), node.operand)
    if isinstance(node, Not):
        return not holds(node.part, lookup)
    some = any if isinstance(node, Or) else all
    return some(holds(part, lookup) for part in node.parts)


def value_of(record: Record, clause: Clause) -> Any:
    """The record's value for a clause, or `MISSING`."""
    if clause.field is None:
        return _walk(record.metadata, clause.path)
    owner = record.scope if clause.field in _SCOPE else record
    value = getattr(owner, clause.field)
    if value is None:
        return MISSING
    return list(value) if clause.field == "tags" else value


def fields(record: Record) -> dict[str, Any]:
    """For indexes: the filterable values by name, metadata under `metadata`, times as ISO 8601 text."""
    found: dict[str, Any] = {"metadata": dict(record.metadata)}
    for name in sorted(FIELDS - {"content"}):
        value = value_of(record, Clause(name, (), "$eq", None))
        if value is not MISSING:
            found[name] = value.isoformat() if isinstance(value, datetime) else value
    return found


def matches_fields(found: Mapping[str, Any], node: Node) -> bool:
    """As `matches`, over what `fields` gave."""

    def lookup(clause: Clause) -> Any:
        if clause.field is None:
            return _walk(found["metadata"], clause.path)
        value = found.get(clause.field, MISSING)
        return instant(value) if clause.field in TIMES and value is not MISSING else value

    return holds(node, lookup)


def clauses(node: Node) -> Iterator[Clause]:
    """Every comparison in the tree."""
    if isinstance(node, Clause):
        yield node
    elif isinstance(node, Not):
        yield from clauses(node.part)
    else:
        for part in node.parts:
            yield from clauses(part)


def instant(value: Any) -> datetime | None:
    """A datetime, date or ISO 8601 text as an instant in UTC; `None` when it is none of these."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    elif isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    if not isinstance(value, datetime):
        return None
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError:  # its moment in UTC lies outside the years 1 to 9999
        return None


_SCOPE: Final = frozenset({"tenant_id", "user_id", "agent_id", "session_id", "namespace"})


def _parse(where: object, depth: int) -> Node:
    if not isinstance(where, Mapping):
        raise InvalidQuery(f"a filter is a mapping such as {{'topic': 'travel'}}, not {type(where).__name__}")
    if depth > MAX_DEPTH:
        raise InvalidQuery(f"a filter nests at most {MAX_DEPTH} levels")
    parts: list[Node] = []
    for key, value in where.items():
        if not isinstance(key, str) or not key:
            raise InvalidQuery(f"a filter key is a non-empty text, not {key!r}")
        if key in ("$and", "$or"):
            parts.append(_junction(key, value, depth))
        elif key == "$not":
            parts.append(Not(_parse(value, depth + 1)))
        elif key.startswith("$"):
            raise InvalidQuery(f"{key} stands where a name is expected; write {{'name': {{'{key}': …}}}}")
        else:
            parts.extend(_comparisons(key, value, depth))
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def _junction(key: str, value: object, depth: int) -> Node:
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise InvalidQuery(f"{key} takes a non-empty list of filters")
    parts = tuple(_parse(part, depth + 1) for part in value)
    return And(parts) if key == "$and" else Or(parts)


def _comparisons(name: str, value: object, depth: int) -> Iterator[Node]:
    if depth > MAX_DEPTH:
        raise InvalidQuery(f"a filter nests at most {MAX_DEPTH} levels")
    field = name if name in FIELDS else None
    path = () if field else tuple(name.removeprefix("metadata.").split("."))
    if not all(path):
        raise InvalidQuery(f"{name!r} has an empty part between dots")
    if '"' in name or not _storable(name):
        raise InvalidQuery(
            f"{name!r} holds a NUL, a quote or a lone surrogate, which no metadata key may hold"
        )
    for operator, operand in _operations(name, value).items():
        yield _clause(name, field, path, operator, operand, depth)


def _operations(name: str, value: object) -> Mapping[str, Any]:
    """Operator → operand; a plain value or mapping means `$eq`."""
    if not isinstance(value, Mapping):
        return {"$eq": value}
    operators = [key for key in value if isinstance(key, str) and key.startswith("$")]
    if operators and len(operators) < len(value):
        raise InvalidQuery(f"{name!r} mixes {operators[0]} with plain keys; give a whole mapping to $eq")
    return value if operators else {"$eq": value}


def _clause(
    name: str, field: str | None, path: tuple[str, ...], operator: str, operand: Any, depth: int
) -> Node:
    if operator == "$not":
        inner = list(_comparisons(name, operand, depth + 1))
        return Not(inner[0] if len(inner) == 1 else And(tuple(inner)))
    if operator not in OPERATORS:
        raise InvalidQuery(f"unknown operator {operator} for {name!r}; known: {' '.join(OPERATORS)}, $not")
    if operator == "$exists":
        if not isinstance(operand, bool):
            raise InvalidQuery(f"$exists for {name!r} takes true or false")
    elif operator in ("$in", "$nin"):
        if not isinstance(operand, Sequence) or isinstance(operand, str):
            raise InvalidQuery(f"{operator} for {name!r} takes a list")
        operand = tuple(_operand(name, field, "$eq", item) for item in operand)
    else:
        operand = _operand(name, field, operator, operand)
    return Clause(field, path, operator, operand)


def _operand(name: str, field: str | None, operator: str, operand: Any) -> Any:
    if field == "tags":
        return _tags_operand(operator, operand)
    if operand is None and operator != "$eq" and operator != "$ne":
        raise InvalidQuery(f"{operator} for {name!r} cannot take null")
    if field in TIMES or (isinstance(operand, date) and field is None):
        moment = instant(operand)
        if moment is None and operand is not None:
            raise InvalidQuery(f"{name!r} is a time: give a datetime or ISO 8601 text, not {operand!r}")
        if operator == "$contains":
            raise InvalidQuery(f"$contains for {name!r} cannot take a time")
        return moment
    if (
        operand is not None
        and field in NUMBERS
        and (isinstance(operand, bool) or not isinstance(operand, int | float))
    ):
        raise InvalidQuery(f"{name!r} is a number, not {operand!r}")
    if operand is not None and field in TEXTS and not isinstance(operand, str):
        raise InvalidQuery(f"{name!r} is a text, not {operand!r}")
    return _plain(name, operand)


def _tags_operand(operator: str, operand: Any) -> Any:
    if operator == "$contains" and isinstance(operand, str):
        return _plain("tags", operand)
    if operator in ("$eq", "$ne") and isinstance(operand, Sequence) and not isinstance(operand, str):
        return [_plain("tags", item) for item in operand]
    raise InvalidQuery("tags is a list: write {'tags': {'$contains': 'work'}}, or give the whole list to $eq")


def _plain(name: str, operand: Any, depth: int = 0) -> Any:
    """A JSON operand, copied; raises for what JSON does not know."""
    if depth > MAX_DEPTH:
        raise InvalidQuery(f"the value given for {name!r} nests more than {MAX_DEPTH} levels")
    if operand is None or isinstance(operand, bool):
        return operand
    if isinstance(operand, str):
        if not _storable(operand):
            raise InvalidQuery(f"the text given for {name!r} holds a NUL or a lone surrogate")
        return operand
    if isinstance(operand, int | float):
        if operand != operand or operand in (float("inf"), float("-inf")):
            raise InvalidQuery(f"the number given for {name!r} is not finite")
        if isinstance(operand, int) and not -(2**63) <= operand < 2**63:
            raise InvalidQuery(f"the number given for {name!r} does not fit 64 bits")
        return operand
    if isinstance(operand, Mapping):
        if not all(isinstance(key, str) and _storable(key) for key in operand):
            raise InvalidQuery(
                f"the mapping given for {name!r} has a key that is no text or holds a NUL or lone surrogate"
            )
        return {key: _plain(name, value, depth + 1) for key, value in operand.items()}
    if isinstance(operand, Sequence) and not isinstance(operand, bytes | bytearray):
        return [_plain(name, item, depth + 1) for item in operand]
    raise InvalidQuery(f"cannot compare {name!r} with a {type(operand).__name__}")


def _storable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def _walk(value: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        if not isinstance(value, Mapping) or part not in value:
            return MISSING
        value = value[part]
    return value


def _compare(operator: str, value: Any, operand: Any) -> bool:
    if operator == "$exists":
        return (value is not MISSING) is operand
    if operator == "$eq":
        return _equal(value, operand)
    if operator == "$ne":
        return not _equal(value, operand)
    if operator == "$in":
        return any(_equal(value, item) for item in operand)
    if operator == "$nin":
        return not any(_equal(value, item) for item in operand)
    if operator == "$contains":
        return _contains(value, operand)
    return _ordered(operator, value, operand)


def _equal(value: Any, operand: Any) -> bool:
    if operand is None:
        return value is None or value is MISSING
    if isinstance(operand, datetime):
        return instant(value) == operand
    if isinstance(operand, Mapping):
        return (
            isinstance(value, Mapping)
            and value.keys() == operand.keys()
            and all(_equal_strict(value[k], operand[k]) for k in operand)
        )
    if isinstance(operand, list):
        return (
            isinstance(value, list | tuple)
            and len(value) == len(operand)
            and all(map(_equal_strict, value, operand))
        )
    return _type(value) == _type(operand) != "" and bool(value == operand)


def _equal_strict(value: Any, operand: Any) -> bool:
    return value is None if operand is None else _equal(value, operand)


def _contains(value: Any, operand: Any) -> bool:
    if isinstance(value, str):
        return isinstance(operand, str) and operand in value
    return isinstance(value, list | tuple) and any(_equal_strict(item, operand) for item in value)


def _ordered(operator: str, value: Any, operand: Any) -> bool:
    if isinstance(operand, datetime):
        value = instant(value)
        if value is None:
            return False
    elif _type(value) != _type(operand) or _type(operand) not in ("number", "text"):
        return False
    if operator == "$gt":
        return bool(value > operand)
    if operator == "$gte":
        return bool(value >= operand)
    return bool(value < operand if operator == "$lt" else value <= operand)


def _type(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else ""
