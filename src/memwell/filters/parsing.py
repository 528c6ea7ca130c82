"""Filters as callers write them, checked and turned into a tree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final

from memwell.errors import InvalidQuery, shown
from memwell.filters import dialects
from memwell.filters.tree import (
    FIELDS,
    NUMBERS,
    OPERATORS,
    TEXTS,
    TIMES,
    And,
    Choices,
    Clause,
    Node,
    Not,
    Or,
    instant,
)
from memwell.types import Where

__all__ = ["MAX_CLAUSES", "MAX_DEPTH", "MAX_OPERANDS", "parse"]

MAX_DEPTH: Final = 20
MAX_CLAUSES: Final = 500
MAX_OPERANDS: Final = 10_000
"""Values in a filter, all lists counted together."""


def parse(where: Where | Node) -> Node:
    """Check a filter and turn it into a tree; a tree comes back as it is. Raises `InvalidQuery` that names the clause
    and shows the right form.
    """
    if isinstance(where, Clause | And | Or | Not):
        return where
    return _Parser().filter(where, 0)


class _Parser:
    """One filter being read, and how much of it was read so far."""

    __slots__ = ("_clauses", "_operands")

    def __init__(self) -> None:
        self._clauses = self._operands = 0

    def filter(self, where: object, depth: int) -> Node:
        if not isinstance(where, Mapping):
            raise InvalidQuery(
                f"a filter is a mapping such as {{'topic': 'travel'}}, not {type(where).__name__}"
            )
        _check_depth(depth)
        dialects.check_filter(where)
        parts: list[Node] = []
        for key, value in where.items():
            if not isinstance(key, str) or not key:
                raise InvalidQuery(f"a filter key is a non-empty text, not {shown(key)}")
            if key in ("$and", "$or"):
                parts.append(self._junction(key, value, depth))
            elif key == "$not":
                parts.append(Not(self.filter(value, depth + 1)))
            elif key.startswith("$"):
                raise InvalidQuery(dialects.misplaced(key))
            else:
                dialects.check_entry(key, value)
                parts.extend(self._comparisons(key, value, depth))
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _junction(self, key: str, value: object, depth: int) -> Node:
        if not isinstance(value, Sequence) or isinstance(value, str) or not value:
            raise InvalidQuery(f"{key} takes a non-empty list of filters")
        parts = tuple(self.filter(part, depth + 1) for part in value)
        return And(parts) if key == "$and" else Or(parts)

    def _comparisons(self, name: str, value: object, depth: int) -> Iterator[Node]:
        _check_depth(depth)
        field = name if name in FIELDS else None
        path = () if field else _path(name)
        for operator, operand in _operations(name, value).items():
            yield self._clause(name, field, path, operator, operand, depth)

    def _clause(
        self, name: str, field: str | None, path: tuple[str, ...], operator: str, operand: Any, depth: int
    ) -> Node:
        self._clauses += 1
        if self._clauses > MAX_CLAUSES:
            raise InvalidQuery(f"a filter has at most {MAX_CLAUSES} clauses")
        if operator == "$not":
            inner = list(self._comparisons(name, operand, depth + 1))
            return Not(inner[0] if len(inner) == 1 else And(tuple(inner)))
        if operator not in OPERATORS:
            raise InvalidQuery(dialects.unknown_operator(name, operator, OPERATORS))
        if operator == "$exists":
            if not isinstance(operand, bool):
                raise InvalidQuery(f"$exists for {shown(name)} takes true or false")
        elif operator in ("$in", "$nin"):
            if not isinstance(operand, Sequence) or isinstance(operand, str | bytes):
                raise InvalidQuery(f"{operator} for {shown(name)} takes a list")
            operand = Choices([self._operand(name, field, "$eq", item) for item in operand])
        else:
            operand = self._operand(name, field, operator, operand)
        return Clause(field, path, operator, operand)

    def _operand(self, name: str, field: str | None, operator: str, operand: Any) -> Any:
        if field == "tags":
            return self._tags(operator, operand)
        if operand is None and operator not in ("$eq", "$ne"):
            raise InvalidQuery(f"{operator} for {shown(name)} cannot take null")
        if field in TIMES or (isinstance(operand, date) and field is None):
            return self._moment(name, operator, operand)
        if operand is not None and field in NUMBERS and not _is_number(operand):
            raise InvalidQuery(f"{name!r} is a number, not {shown(operand)}")
        if operand is not None and field in TEXTS and not isinstance(operand, str):
            raise InvalidQuery(f"{name!r} is a text, not {shown(operand)}")
        return self._json(name, operand)

    def _moment(self, name: str, operator: str, operand: Any) -> Any:
        self._count()
        moment = instant(operand)
        if moment is None and operand is not None:
            raise InvalidQuery(
                f"{shown(name)} is a time: give a datetime or ISO 8601 text, not {shown(operand)}"
            )
        if operator == "$contains":
            raise InvalidQuery(f"$contains for {shown(name)} cannot take a time")
        return moment

    def _tags(self, operator: str, operand: Any) -> Any:
        if operator == "$contains" and isinstance(operand, str):
            return self._json("tags", operand)
        if (
            operator in ("$eq", "$ne")
            and isinstance(operand, Sequence)
            and not isinstance(operand, str | bytes)
        ):
            return [self._json("tags", item) for item in operand]
        raise InvalidQuery(
            "tags is a list: write {'tags': {'$contains': 'work'}}, or give the whole list to $eq"
        )

    def _count(self) -> None:
        self._operands += 1
        if self._operands > MAX_OPERANDS:
            raise InvalidQuery(f"a filter holds at most {MAX_OPERANDS:,} values; ask in several calls")

    def _json(self, name: str, operand: Any, depth: int = 0) -> Any:
        """A JSON operand, copied; raises for what JSON does not know."""
        self._count()
        if depth > MAX_DEPTH:
            raise InvalidQuery(f"the value given for {shown(name)} nests more than {MAX_DEPTH} levels")
        if operand is None or isinstance(operand, bool):
            return operand
        if isinstance(operand, str):
            if not _storable(operand):
                raise InvalidQuery(f"the text given for {shown(name)} holds a NUL or a lone surrogate")
            return operand
        if _is_number(operand):
            return _checked_number(name, operand)
        if isinstance(operand, Mapping):
            if not all(isinstance(key, str) and _storable(key) for key in operand):
                raise InvalidQuery(
                    f"the mapping given for {shown(name)} has a key that is no text or holds a NUL or a surrogate"
                )
            return {key: self._json(name, value, depth + 1) for key, value in operand.items()}
        if isinstance(operand, Sequence) and not isinstance(operand, bytes | bytearray | memoryview):
            return [self._json(name, item, depth + 1) for item in operand]
        raise InvalidQuery(f"cannot compare {shown(name)} with a {type(operand).__name__}")


def _check_depth(depth: int) -> None:
    if depth > MAX_DEPTH:
        raise InvalidQuery(f"a filter nests at most {MAX_DEPTH} levels")


def _path(name: str) -> tuple[str, ...]:
    """The keys that lead to a place in the metadata."""
    if name.count(".") > MAX_DEPTH:
        raise InvalidQuery(f"{shown(name)} names a key deeper than {MAX_DEPTH} levels")
    path = tuple(name.removeprefix("metadata.").split("."))
    if not all(path):
        raise InvalidQuery(f"{shown(name)} has an empty part between dots")
    if '"' in name or not _storable(name):
        raise InvalidQuery(
            f"{shown(name)} holds a NUL, a quote or a lone surrogate, which no metadata key may hold"
        )
    return path


def _operations(name: str, value: object) -> Mapping[str, Any]:
    """Operator → operand; a plain value or mapping means `$eq`."""
    if not isinstance(value, Mapping):
        return {"$eq": value}
    operators = [key for key in value if isinstance(key, str) and key.startswith("$")]
    if operators and len(operators) < len(value):
        raise InvalidQuery(
            f"{shown(name)} mixes {shown(operators[0])} with plain keys; give a whole mapping to $eq"
        )
    return value if operators else {"$eq": value}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _checked_number(name: str, number: float) -> float:
    if isinstance(number, int):
        if not -(2**63) <= number < 2**63:
            raise InvalidQuery(f"the number given for {shown(name)} does not fit 64 bits")
    elif number != number or number in (float("inf"), float("-inf")):
        raise InvalidQuery(f"the number given for {shown(name)} is not finite")
    return number


def _storable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text
