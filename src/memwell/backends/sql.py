"""Conditions of SQL with their bound values, and how AND, OR and NOT of a filter join them: what stores on a database
have in common. What a single clause means in its dialect is the store's own `filter_sql`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from memwell.filters import And, Clause, Node, Not

__all__ = ["FALSE", "ORDER", "TRUE", "Part", "all_of", "any_of", "compiled", "is_number", "negated"]

Part: TypeAlias = tuple[str, list[Any]]
"""A piece of SQL and the values for its placeholders, in order."""

FALSE: Final[Part] = ("false", [])
TRUE: Final[Part] = ("true", [])
ORDER: Final = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
_NEGATED: Final = {"$ne": "$eq", "$nin": "$in"}


def compiled(node: Node, clause: Callable[[Clause], Part], *, positive: bool = True) -> Part:
    """A filter tree as a condition that fits beside any AND. `clause` is asked for every operator but `$ne` and `$nin`.

    NOT moves down to the clauses: SQLite's parser stack is shallow, and NULL is settled in one place.
    """
    if isinstance(node, Not):
        return compiled(node.part, clause, positive=not positive)
    if isinstance(node, Clause):
        plain = _NEGATED.get(node.operator)
        if plain is not None:
            node, positive = Clause(node.field, node.path, plain, node.operand), not positive
        return clause(node) if positive else negated(clause(node))
    parts = [compiled(part, clause, positive=positive) for part in node.parts]
    return all_of(parts) if isinstance(node, And) is positive else any_of(parts)


def any_of(parts: list[Part]) -> Part:
    """One of the parts holds; of none, none does."""
    return _joined(" OR ", parts) if parts else FALSE


def all_of(parts: list[Part]) -> Part:
    """All of the parts hold."""
    return _joined(" AND ", parts) if parts else TRUE


def negated(part: Part) -> Part:
    """The part does not hold; one that is NULL does not."""
    return f"NOT coalesce({part[0]}, false)", part[1]


def is_number(value: Any) -> bool:
    """Whether JSON has the value as a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _joined(word: str, parts: list[Part]) -> Part:
    if len(parts) == 1:
        return parts[0]
    sql = word.join(f"({sql})" for sql, _ in parts)
    return f"({sql})", [value for _, values in parts for value in values]
