"""What a filter means: the definition that every backend must equal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from memwell.fields import SCOPE, of_type
from memwell.filters.parsing import parse
from memwell.filters.tree import FIELDS, TIMES, Choices, Clause, Node, Not, Or, instant, type_of
from memwell.sealed import visible
from memwell.types import Record, Where

__all__ = ["MISSING", "fields", "holds", "instant", "matches", "matches_fields", "value_of"]


class _Missing:
    """The value of a key that is not there."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()
_OWNER: Final = frozenset(SCOPE)
_INDEXED: Final = sorted(FIELDS - of_type("content"))


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
    owner = record.scope if clause.field in _OWNER else record
    value = getattr(owner, clause.field)
    if value is None:
        return MISSING
    return list(value) if clause.field == "tags" else value


def fields(record: Record) -> dict[str, Any]:
    """For indexes: the filterable values by name, metadata under `metadata`, times as ISO 8601 text."""
    found: dict[str, Any] = {"metadata": dict(visible(record.metadata))}
    for name in _INDEXED:
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
        return _among(value, operand)
    if operator == "$nin":
        return not _among(value, operand)
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
    return type_of(value) == type_of(operand) != "" and bool(value == operand)


def _among(value: Any, operand: Any) -> bool:
    """Whether the value equals one of the choices."""
    choices = operand if isinstance(operand, Choices) else Choices(operand)
    if value is None or value is MISSING:
        return choices.null
    kind = type_of(value)
    if kind and (kind, value) in choices.scalars:
        return True
    if choices.moments and instant(value) in choices.moments:
        return True
    return any(_equal(value, item) for item in choices.wholes)


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
    elif type_of(value) != type_of(operand) or type_of(operand) not in ("number", "text"):
        return False
    if operator == "$gt":
        return bool(value > operand)
    if operator == "$gte":
        return bool(value >= operand)
    return bool(value < operand if operator == "$lt" else value <= operand)
