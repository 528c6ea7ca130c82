"""A filter tree as a PostgreSQL condition with bound values, equal to `filters.holds` for every record.

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

from memwell.backends.sql import FALSE, ORDER, Dialect, Part, any_of, is_number
from memwell.fields import of_type
from memwell.filters import NUMBERS, TIMES, Node, instant
from memwell.records.codec import dumps, to_micros

__all__ = ["as_jsonb", "compile", "instants"]

_SHARES: Final = of_type("share")
_FEW: Final = 32
"""Values that are compared one by one; more are put into a hash table, once for all rows."""


def compile(node: Node) -> Part:
    """The condition on the row alias `r`, safe to combine with AND, and the values of its placeholders `%s`."""
    return _DIALECT.compile(node)


class _Postgres(Dialect):
    def contains(self, column: str, text: str) -> Part:
        return f"strpos({column}, %s::text) > 0", [text]

    def ordered(self, field: str, column: str, sign: str, operand: Any) -> Part:
        column, cast = _compared(field, column)
        return f"{column} {sign} %s::{cast}", [_bound(cast, operand)]

    def one_of(self, field: str, column: str, operands: Sequence[Any]) -> Part:
        column, cast = _compared(field, column)
        return _one_of(column, cast, [_bound(cast, operand) for operand in operands])

    def tagged(self, tag: str) -> Part:
        return "r.tags @> %s::jsonb", [as_jsonb([tag])]

    def tags_one_of(self, lists: Sequence[Any]) -> Part:
        return _equal("r.tags", [], lists)

    def there(self, path: Sequence[str], wanted: bool) -> Part:
        return f"{_value(path)} IS {'NOT NULL' if wanted else 'NULL'}", list(path)

    def contains_at(self, path: Sequence[str], operand: Any) -> Part:
        return _contains(_value(path), list(path), operand)

    def ordered_at(self, path: Sequence[str], operator: str, operand: Any) -> Part:
        return _ordered(_value(path), list(path), ORDER[operator], operand)

    def one_of_at(self, path: Sequence[str], operands: Sequence[Any]) -> Part:
        if len(operands) == 1 and isinstance(operands[0], str | bool | int | float):
            return "r.metadata @> %s::jsonb", [as_jsonb(_nested(path, operands[0]))]
        return _among(_value(path), list(path), operands)


_DIALECT: Final = _Postgres()


def _value(path: Sequence[str]) -> str:
    return f"(r.metadata{' -> %s::text' * len(path)})"


def _compared(field: str, column: str) -> tuple[str, str]:
    """A column as it is compared, and the type of what it is compared with."""
    if field in TIMES:
        return column, "timestamptz"
    if field in _SHARES:
        return column, "float8"
    return (f"{column}::numeric", "numeric") if field in NUMBERS else (f'{column} COLLATE "C"', "text")


def _bound(cast: str, value: Any) -> Any:
    if cast == "float8":
        return float(value)
    return _number(value) if cast == "numeric" else value


def _nested(keys: Sequence[str], value: Any) -> Any:
    for key in reversed(keys):
        value = {key: value}
    return value


def _contains(value: str, path: list[str], operand: Any) -> Part:
    """An element of a list, or part of a text. `@>` tests equality for scalars only, and containment for lists."""
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


def _ordered(value: str, path: list[str], sign: str, operand: Any) -> Part:
    if isinstance(operand, datetime):
        return _number_ordered(_moments(value), path, sign, str(to_micros(operand)))
    if isinstance(operand, str):
        compared = f"({value} #>> '{{}}') COLLATE \"C\" {sign} %s::text"
        return f"CASE WHEN jsonb_typeof({value}) = 'string' THEN {compared} END", [*path, *path, operand]
    if is_number(operand):
        return _number_ordered(value, path, sign, _number(operand))
    return FALSE


def _number_ordered(value: str, path: list[str], sign: str, number: str) -> Part:
    """Compare a number. Casting other types fails, so `CASE` guards the cast: PostgreSQL evaluates it in order."""
    compared = f"{value}::numeric {sign} %s::numeric"
    return f"CASE WHEN jsonb_typeof({value}) = 'number' THEN {compared} END", [*path, *path, number]


def _among(value: str, path: list[str], items: Sequence[Any]) -> Part:
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
    if len(items) > _FEW:
        return f"{value} IN (SELECT unnest(%s::{given}[])::{cast})", [*path, items]
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
    """JSON of the instants in texts of the metadata, as microseconds since 1970 at the same keys; `None` if none."""
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
