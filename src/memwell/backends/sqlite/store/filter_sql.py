"""A filter tree as a SQLite condition with bound values, equal to `filters.holds` for every record.

Metadata is expected as `codec.dumps` wrote it, without NUL. What SQL cannot decide exactly (fractions in JSON, whole
lists and mappings, times in text) is asked of the functions in `sql_functions`, which the connection must have; texts,
integers, booleans and record fields never leave SQLite.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from memwell.backends.sql import FALSE, ORDER, Dialect, Part, any_of, is_number
from memwell.filters import NUMBERS, Node
from memwell.records.codec import dumps, to_micros

__all__ = ["compile"]


def compile(node: Node) -> Part:
    """The condition on the row alias `r`, safe to combine with AND, and the values of its question marks."""
    return _DIALECT.compile(node)


class _Sqlite(Dialect):
    def contains(self, column: str, text: str) -> Part:
        return f"instr({column}, ?) > 0", [text]

    def ordered(self, field: str, column: str, sign: str, operand: Any) -> Part:  # noqa: ARG002
        return f"{column} {sign} ?", [_bound(operand)]

    def one_of(self, field: str, column: str, operands: Sequence[Any]) -> Part:
        values = [_bound(operand) for operand in operands]
        if len(values) > 1 and field in NUMBERS:
            return f"memwell_holds({column}, '$in', ?)", [dumps(values)]
        sql, bound = _one_of(values)
        return f"{column} {sql}", bound

    def tagged(self, tag: str) -> Part:
        return "EXISTS (SELECT 1 FROM json_each(r.tags) e WHERE e.type = 'text' AND e.value = ?)", [tag]

    def tags_one_of(self, lists: Sequence[Any]) -> Part:
        return "memwell_holds(r.tags, '$in', ?)", [dumps(list(lists))]

    def there(self, path: Sequence[str], wanted: bool) -> Part:
        return _at(path, f"TYPE IS {'NOT NULL' if wanted else 'NULL'}")

    def contains_at(self, path: Sequence[str], operand: Any) -> Part:
        if isinstance(operand, str):
            return _at(path, CONTAINS, operand, operand)
        return _at(path, "TYPE = 'array' AND memwell_holds(JSON, '$contains', ?)", dumps(operand))

    def ordered_at(self, path: Sequence[str], operator: str, operand: Any) -> Part:
        sign = ORDER[operator]
        if isinstance(operand, datetime):
            return _at(path, f"TYPE = 'text' AND memwell_instant(VALUE) {sign} ?", to_micros(operand))
        if isinstance(operand, str):
            return _at(path, f"TYPE = 'text' AND VALUE {sign} ?", operand)
        if is_number(operand):
            return _at(path, NUMBER.format(sign=sign, operator=operator), operand, dumps(operand))
        return FALSE

    def one_of_at(self, path: Sequence[str], operands: Sequence[Any]) -> Part:
        return any_of([*_scalars(path, operands), *_wholes(path, operands)])


_DIALECT: Final = _Sqlite()


AT: Final = {
    "TYPE": "json_type(r.metadata, ?)",
    "VALUE": "json_extract(r.metadata, ?)",
    "JSON": "(r.metadata -> ?)",
    "ITEMS": "json_each(r.metadata, ?)",
}
"""What stands in templates for the type, value, JSON text and elements found at a path."""

CONTAINS: Final = """CASE TYPE WHEN 'text' THEN instr(VALUE, ?) > 0
 WHEN 'array' THEN EXISTS (SELECT 1 FROM ITEMS e WHERE e.type = 'text' AND e.value = ?) END"""

NUMBER: Final = """CASE WHEN TYPE = 'integer' AND typeof(VALUE) = 'integer' THEN VALUE {sign} ?
 WHEN TYPE IN ('integer', 'real') THEN memwell_holds(JSON, '{operator}', ?) END"""


def _at(keys: Sequence[str], template: str, *operands: Any) -> Part:
    """Fill a template: the words of `AT` bind the path, each `?` the next operand."""
    # SQLite compares a quoted label with the key as the JSON text has it, so it is escaped in the same way.
    path = "$" + "".join("." + dumps(key) for key in keys)
    values: list[Any] = []
    rest = iter(operands)

    def fill(found: re.Match[str]) -> str:
        values.append(next(rest) if found[0] == "?" else path)
        return AT.get(found[0], "?")

    return re.sub(r"\?|TYPE|VALUE|JSON|ITEMS", fill, template), values


def _scalars(path: Sequence[str], items: Sequence[Any]) -> list[Part]:
    parts = []
    if None in items:
        parts.append(_at(path, "coalesce(TYPE, 'null') = 'null'"))
    parts += [
        _at(path, f"TYPE = '{name}'")
        for name, value in (("true", True), ("false", False))
        if _has(items, value)
    ]
    if texts := [item for item in items if isinstance(item, str)]:
        sql, bound = _one_of(texts)
        parts.append(_at(path, f"TYPE = 'text' AND VALUE {sql}", *bound))
    if moments := [to_micros(item) for item in items if isinstance(item, datetime)]:
        sql, bound = _one_of(moments)
        parts.append(_at(path, f"TYPE = 'text' AND memwell_instant(VALUE) {sql}", *bound))
    return parts


def _wholes(path: Sequence[str], items: Sequence[Any]) -> list[Part]:
    """Numbers, lists and mappings: what is compared outside SQLite."""
    parts = []
    numbers = [item for item in items if is_number(item)]
    if len(numbers) == 1:
        parts.append(_at(path, NUMBER.format(sign="=", operator="$eq"), numbers[0], dumps(numbers[0])))
    elif numbers:
        parts.append(
            _at(path, "TYPE IN ('integer', 'real') AND memwell_holds(JSON, '$in', ?)", dumps(numbers))
        )
    if wholes := [item for item in items if isinstance(item, list | dict)]:
        parts.append(
            _at(path, "TYPE IN ('array', 'object') AND memwell_holds(JSON, '$in', ?)", dumps(wholes))
        )
    return parts


# ------------------------------------------------------------------------------------------------- pieces


def _one_of(values: list[Any]) -> Part:
    """Equality with one text or integer, or with any of a list of any length."""
    if len(values) == 1:
        return "= ?", values
    return "IN (SELECT value FROM json_each(?))", [dumps(values)]


def _bound(operand: Any) -> Any:
    return to_micros(operand) if isinstance(operand, datetime) else operand


def _has(items: Sequence[Any], value: bool) -> bool:
    return any(item is value for item in items)
