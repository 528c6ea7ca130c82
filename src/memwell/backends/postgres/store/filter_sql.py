"""A filter tree as a PostgreSQL condition with bound values, equal to `filters.holds` for every record.

The condition speaks of the row alias `r`. Where it is NULL it counts as false, as in any WHERE; do not negate it from
outside.

Metadata is a `jsonb` that `as_jsonb` wrote: its numbers are decimals, compared exactly, and a large float must come
with all its digits to be the number that Python takes it for. Which texts in the metadata are instants is decided by
Python, once, when a record is written: `instants` gives them as microseconds at the same places, for a `jsonb` column
of that name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from memwell.backends.sql import FALSE, ORDER, TRUE, Part, any_of, compiled, is_number
from memwell.filters import NUMBERS, TIMES, Clause, Node, instant
from memwell.records.codec import dumps, to_micros

__all__ = ["as_jsonb", "compile", "instants"]

COLUMNS: Final = {
    "access_count": "coalesce((SELECT a.count FROM access a WHERE a.key = r.key), 0)",
    "last_accessed_at": "(SELECT a.at FROM access a WHERE a.key = r.key)",
}


def compile(node: Node) -> tuple[str, list[Any]]:
    """The condition, fit to stand beside any AND, and the values for its placeholders `%s`."""
    return compiled(node, _clause)


def _clause(clause: Clause) -> Part:
    operator, operand = clause.operator, clause.operand
    if clause.field is None:
        return _metadata(clause.path, operator, operand)
    if clause.field == "tags":
        return _tags(operator, operand)
    return _column(clause.field, operator, operand)


# ------------------------------------------------------------------------------------------- record fields


def _column(field: str, operator: str, operand: Any) -> Part:
    column = COLUMNS.get(field, f"r.{field}")
    if operator == "$exists":
        return f"{column} IS {'NOT NULL' if operand else 'NULL'}", []
    if operator == "$contains":
        return FALSE if field in NUMBERS else (f"strpos({column}, %s::text) > 0", [operand])
    column, cast = _compared(field, column)
    if operator in ORDER:
        return f"{column} {ORDER[operator]} %s::{cast}", [_bound(cast, operand)]
    items = [operand] if operator == "$eq" else list(operand)
    values = [_bound(cast, item) for item in items if item is not None]
    parts: list[Part] = [(f"{column} IS NULL", [])] if None in items else []
    if values:
        parts.append(_one_of(column, cast, values))
    return any_of(parts)


def _compared(field: str, column: str) -> tuple[str, str]:
    """A column as it is compared, and the type of what it is compared with."""
    if field in TIMES:
        return column, "timestamptz"
    if field == "importance":
        return column, "float8"
    return (f"{column}::numeric", "numeric") if field in NUMBERS else (f'{column} COLLATE "C"', "text")


def _bound(cast: str, value: Any) -> Any:
    if cast == "float8":
        return float(value)
    return _number(value) if cast == "numeric" else value


def _tags(operator: str, operand: Any) -> Part:
    if operator == "$exists":
        return TRUE if operand else FALSE
    if operator == "$contains":
        return "r.tags @> %s::jsonb", [as_jsonb([operand])]
    return _equal("r.tags", [], [operand] if operator == "$eq" else operand)


# ------------------------------------------------------------------------------------------------ metadata


def _metadata(keys: Sequence[str], operator: str, operand: Any) -> Part:
    value, path = "r.metadata" + " -> %s::text" * len(keys), list(keys)
    value = f"({value})"
    if operator == "$exists":
        return f"{value} IS {'NOT NULL' if operand else 'NULL'}", path
    if operator == "$contains":
        return _contains(value, path, operand)
    if operator in ORDER:
        return _ordered(value, path, operator, operand)
    if operator == "$eq" and isinstance(operand, str | bool | int | float):
        return "r.metadata @> %s::jsonb", [as_jsonb(_nested(keys, operand))]
    return _among(value, path, [operand] if operator == "$eq" else list(operand))


def _nested(keys: Sequence[str], value: Any) -> Any:
    for key in reversed(keys):
        value = {key: value}
    return value


def _contains(value: str, path: list[str], operand: Any) -> Part:
    """An element of a list, or part of a text. `@>` asks for a scalar's equal, and of a list for less than that."""
    if isinstance(operand, list | dict):
        elements = f"EXISTS (SELECT FROM jsonb_array_elements({value}) e WHERE e = %s::jsonb)"
        return f"CASE WHEN jsonb_typeof({value}) = 'array' THEN {elements} END", [
            *path,
            *path,
            as_jsonb(operand),
        ]
    part: Part = (
        f"jsonb_typeof({value}) = 'array' AND {value} @> %s::jsonb",
        [*path, *path, as_jsonb([operand])],
    )
    if not isinstance(operand, str):
        return part
    text = f"jsonb_typeof({value}) = 'string' AND strpos({value} #>> '{{}}', %s::text) > 0"
    return any_of([part, (text, [*path, *path, operand])])


def _ordered(value: str, path: list[str], operator: str, operand: Any) -> Part:
    sign = ORDER[operator]
    if isinstance(operand, datetime):
        return _number_ordered(_moments(value), path, sign, str(to_micros(operand)))
    if isinstance(operand, str):
        compared = f"({value} #>> '{{}}') COLLATE \"C\" {sign} %s::text"
        return f"CASE WHEN jsonb_typeof({value}) = 'string' THEN {compared} END", [*path, *path, operand]
    if is_number(operand):
        return _number_ordered(value, path, sign, _number(operand))
    return FALSE


def _number_ordered(value: str, path: list[str], sign: str, number: str) -> Part:
    """A cast of what is no number fails, so it stands behind `CASE`, the one guard that is kept in order."""
    compared = f"{value}::numeric {sign} %s::numeric"
    return f"CASE WHEN jsonb_typeof({value}) = 'number' THEN {compared} END", [*path, *path, number]


def _among(value: str, path: list[str], items: list[Any]) -> Part:
    parts: list[Part] = []
    if None in items:
        parts.append((f"coalesce(jsonb_typeof({value}), 'null') = 'null'", path))
    if moments := [to_micros(item) for item in items if isinstance(item, datetime)]:
        parts.append(_equal(_moments(value), path, moments))
    if rest := [item for item in items if item is not None and not isinstance(item, datetime)]:
        parts.append(_equal(value, path, rest))
    return any_of(parts)


def _moments(value: str) -> str:
    return value.replace("r.metadata", "r.instants")


# ------------------------------------------------------------------------------------------------- pieces


def _equal(value: str, path: list[str], items: Sequence[Any]) -> Part:
    """Equality of a `jsonb` with one of several, as wholes: the same types, numbers by their value."""
    return _one_of(value, "jsonb", [as_jsonb(item) for item in items], path)


def _one_of(value: str, cast: str, items: list[Any], path: Sequence[str] = ()) -> Part:
    """Equality with one value, or with any of a list of any length."""
    if len(items) == 1:
        return f"{value} = %s::{cast}", [*path, *items]
    # Texts for all that is written as one; an empty list names no type by itself.
    given = "timestamptz" if cast == "timestamptz" else "float8" if cast == "float8" else "text"
    return f"{value} = ANY (%s::{given}[]::{cast}[])", [*path, items]


# ------------------------------------------------------------------------------------------- what is stored

_LARGE: Final = re.compile(r'"(?:[^"\\]|\\.)*"|-?[0-9.]+e\+[0-9]+')


def as_jsonb(value: Any) -> str:
    """JSON text for a `jsonb`, from which the same values are read again. Floats of 1e16 and more are written in full:
    the few digits that name such a float are not its value.
    """
    text = dumps(value)
    return _LARGE.sub(_in_full, text) if "e+" in text else text


def _in_full(found: re.Match[str]) -> str:
    return found[0] if found[0].startswith('"') else f"{Decimal(float(found[0])):f}.0"


def _number(value: float) -> str:
    return as_jsonb(value)


def instants(metadata: Mapping[str, Any]) -> str | None:
    """JSON of the instants that metadata tell in texts, as microseconds since 1970 at the same keys; `None` without."""
    found = _instants(metadata)
    return dumps(found) if found else None


def _instants(metadata: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in metadata.items():
        if isinstance(value, str):
            moment = instant(value) if value[:1].isdigit() else None
            if moment is not None:
                found[key] = to_micros(moment)
        elif isinstance(value, Mapping) and (inner := _instants(value)):
            found[key] = inner
    return found
