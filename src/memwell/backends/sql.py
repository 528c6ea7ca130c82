"""What stores on a database have in common: the columns of a record, a scope and a filter as conditions.

How a single comparison is written in a dialect is the store's own `filter_sql`, a subclass of `Dialect`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import compress
from operator import attrgetter
from typing import Any, Final, TypeAlias

from memwell.fields import FIELDS, NARROWING, STORED, named
from memwell.filters import NUMBERS, And, Clause, Node, Not
from memwell.types import Scope

__all__ = [
    "FALSE",
    "ORDER",
    "PLACES",
    "TRUE",
    "Dialect",
    "Part",
    "all_of",
    "any_of",
    "compiled",
    "is_number",
    "negated",
    "select",
    "touched",
    "within",
]

Part: TypeAlias = tuple[str, list[Any]]
"""A piece of SQL and the values for its placeholders, in order."""

FALSE: Final[Part] = ("false", [])
TRUE: Final[Part] = ("true", [])
ORDER: Final = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
_NEGATED: Final = {"$ne": "$eq", "$nin": "$in"}

# ------------------------------------------------------------------------------------------------- records

_narrowing = attrgetter(*NARROWING)
_READ: Final = (*STORED, "embedded")
_APART: Final = {
    "access_count": "coalesce((SELECT a.count FROM access a WHERE a.key = r.key), 0)",
    "last_accessed_at": "(SELECT a.at FROM access a WHERE a.key = r.key)",
}
"""Field that stands in a table of its own → how a condition names it."""

PLACES: Final = {
    name: place for place, name in enumerate((*_READ, "access_count", "last_accessed_at", "links"), 1)
}
"""Field → its place in a row of `select`; the key is at 0."""


def select(links: str) -> str:
    """The query for all fields of records; `links` is the expression for the relationships of record `r`."""
    columns = ", ".join(f"r.{name}" for name in _READ)
    accesses = "coalesce(a.count, 0), a.at"
    return (
        f"SELECT r.key, {columns}, {accesses}, ({links}) FROM records r LEFT JOIN access a ON a.key = r.key"
    )


def touched(projections: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Field → the columns that a change of it writes. `projections` are columns made of a field beside its own."""
    return {
        name: (name, *projections.get(name, ()), *(("digest",) if FIELDS[name].digest else ()))
        for name in named(updatable=True)
    }


def within(scope: Scope, form: str = "r.{} = ?", tenant: str = "r.{} = ?") -> Part:
    """The records that a scope sees. `form` and `tenant` write the comparison of a column with a placeholder."""
    parts = _narrowing(scope)
    given = [part for part in parts if part is not None]
    return _comparisons(form, tenant, *[part is not None for part in parts]), [scope.tenant_id, *given]


@cache
def _comparisons(form: str, tenant: str, *given: bool) -> str:
    return " AND ".join([tenant.format("tenant_id"), *map(form.format, compress(NARROWING, given))])


# ------------------------------------------------------------------------------------------------- filters


class Dialect(ABC):
    """One comparison as a condition on the row alias `r`: what all dialects share, over what each writes in its way.

    A condition that is NULL counts as false. `path` are the keys that lead to a place in the metadata.
    """

    def compile(self, node: Node) -> Part:
        """A filter as a condition that fits beside any AND, and the values for its placeholders."""
        return compiled(node, self._clause)

    @abstractmethod
    def contains(self, column: str, text: str) -> Part:
        """A text column has a part."""

    @abstractmethod
    def ordered(self, field: str, column: str, sign: str, operand: Any) -> Part:
        """A column lies on one side of an operand."""

    @abstractmethod
    def one_of(self, field: str, column: str, operands: Sequence[Any]) -> Part:
        """A column equals one of the operands, none of which is `None`."""

    @abstractmethod
    def tagged(self, tag: str) -> Part:
        """The tags hold a tag."""

    @abstractmethod
    def tags_one_of(self, lists: Sequence[Any]) -> Part:
        """The tags are those of one of the lists, in its order."""

    @abstractmethod
    def there(self, path: Sequence[str], wanted: bool) -> Part:
        """There is a value, null or not, at a place in the metadata; or there is none."""

    @abstractmethod
    def contains_at(self, path: Sequence[str], operand: Any) -> Part:
        """The list there has the element, or the text has the part."""

    @abstractmethod
    def ordered_at(self, path: Sequence[str], operator: str, operand: Any) -> Part:
        """The number, text or time there lies on one side of an operand of its type."""

    @abstractmethod
    def one_of_at(self, path: Sequence[str], operands: Sequence[Any]) -> Part:
        """The value there equals one of the operands; `None` among them: it is null or absent."""

    def _clause(self, clause: Clause) -> Part:
        operator, operand = clause.operator, clause.operand
        if clause.field is None:
            return self._metadata(clause.path, operator, operand)
        if clause.field == "tags":
            return self._tags(operator, operand)
        return self._column(clause.field, operator, operand)

    def _metadata(self, path: Sequence[str], operator: str, operand: Any) -> Part:
        if operator == "$exists":
            return self.there(path, operand)
        if operator == "$contains":
            return self.contains_at(path, operand)
        if operator in ORDER:
            return self.ordered_at(path, operator, operand)
        return self.one_of_at(path, [operand] if operator == "$eq" else operand)

    def _tags(self, operator: str, operand: Any) -> Part:
        if operator == "$exists":
            return TRUE if operand else FALSE
        if operator == "$contains":
            return self.tagged(operand)
        return self.tags_one_of([operand] if operator == "$eq" else operand)

    def _column(self, field: str, operator: str, operand: Any) -> Part:
        column = _APART.get(field, f"r.{field}")
        if operator == "$exists":
            return f"{column} IS {'NOT NULL' if operand else 'NULL'}", []
        if operator == "$contains":
            return FALSE if field in NUMBERS else self.contains(column, operand)
        if operator in ORDER:
            return self.ordered(field, column, ORDER[operator], operand)
        operands = [operand] if operator == "$eq" else operand
        parts: list[Part] = [(f"{column} IS NULL", [])] if None in operands else []
        if some := [each for each in operands if each is not None]:
            parts.append(self.one_of(field, column, some))
        return any_of(parts)


def compiled(node: Node, clause: Callable[[Clause], Part], *, positive: bool = True) -> Part:
    """A filter tree as a condition that fits beside any AND. `clause` is asked for every operator but `$ne` and `$nin`.

    NOT moves down to the clauses: SQLite's parser stack is shallow, and NULL is handled in one place.
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
