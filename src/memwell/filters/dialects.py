"""Filters in the words of other systems: recognised, and answered with the right form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from memwell.errors import InvalidQuery, shown

__all__ = ["check_entry", "check_filter", "misplaced", "unknown_operator"]

_JUNCTIONS: Final = {
    "and": "$and",
    "or": "$or",
    "not": "$not",
    "nor": "$or",
    "must": "$and",
    "should": "$or",
    "must_not": "$not",
    "bool": "$and",
    "filters": "$and",
    "conditions": "$and",
    "all": "$and",
    "any": "$or",
}
_OPERATORS: Final = {
    "eq": "$eq",
    "equal": "$eq",
    "equals": "$eq",
    "=": "$eq",
    "==": "$eq",
    "ne": "$ne",
    "neq": "$ne",
    "not": "$ne",
    "!=": "$ne",
    "<>": "$ne",
    "gt": "$gt",
    ">": "$gt",
    "gte": "$gte",
    "ge": "$gte",
    ">=": "$gte",
    "lt": "$lt",
    "<": "$lt",
    "lte": "$lte",
    "le": "$lte",
    "<=": "$lte",
    "in": "$in",
    "any": "$in",
    "nin": "$nin",
    "not_in": "$nin",
    "not in": "$nin",
    "notin": "$nin",
    "contains": "$contains",
    "icontains": "$contains",
    "like": "$contains",
    "ilike": "$contains",
    "exists": "$exists",
}
_SHELLS: Final = ("range", "term", "terms")
"""What stands around a comparison elsewhere: `{"range": {"age": {"gte": 3}}}`."""


def check_filter(where: Mapping[Any, Any]) -> None:
    """Raise `InvalidQuery` for a comparison such as `{"field": "topic", "operator": "==", "value": 1}`."""
    operator = where.get("operator", where.get("op"))
    if not isinstance(operator, str) or "value" not in where:
        return
    name = next(
        (where[key] for key in ("field", "key", "path", "name") if isinstance(where.get(key), str)), None
    )
    if name is not None:
        right = _OPERATORS.get(operator.lower(), "$eq")
        raise InvalidQuery(
            f"write the comparison as {{{shown(name)}: {{'{right}': {shown(where['value'])}}}}}"
        )


def check_entry(key: str, value: Any) -> None:
    """Raise `InvalidQuery` for an entry in the words of another system."""
    word = key.lower()
    if word in _JUNCTIONS and _is_filters(value, single=word in ("not", "must_not", "bool")):
        right = _JUNCTIONS[word]
        form = f"{{'{right}': {{…}}}}" if right == "$not" else f"{{'{right}': [{{…}}, {{…}}]}}"
        raise InvalidQuery(f"{key!r} is not an operator here; write {form}. {_as_metadata(key)}")
    if not isinstance(value, Mapping) or not value:
        return
    if word in _SHELLS and len(value) == 1:
        name, inner = next(iter(value.items()))
        raise InvalidQuery(f"write {{{shown(name)}: {_form(inner)}}} without {key!r}. {_as_metadata(key)}")
    if all(isinstance(name, str) and name.lower() in _OPERATORS for name in value):
        whole = f"To compare with the mapping as a whole, write {{{shown(key)}: {{'$eq': {shown(value)}}}}}"
        raise InvalidQuery(f"operators begin with $: write {{{shown(key)}: {_form(value)}}}. {whole}")


def misplaced(key: str) -> str:
    """The message for a key that begins with `$` where a name is expected."""
    word = key[1:].lower()
    if word in _JUNCTIONS:
        right = _JUNCTIONS[word]
        form = "{'$not': {'$or': […]}}" if word == "nor" else f"{{'{right}': …}}"
        return f"{shown(key)} is not known; write {form}"
    import difflib

    near = difflib.get_close_matches(word, ("and", "or", "not"), n=1, cutoff=0.6)
    if near and len(word) > 1 and word not in _OPERATORS:
        return f"{shown(key)} is not known; did you mean {_JUNCTIONS[near[0]]!r}?"
    where = f"write {{'name': {{{shown(key)}: …}}}}"
    return (
        f"{shown(key)} stands where a name is expected; {where}, or 'metadata.{key[:40]}' for a metadata key"
    )


def unknown_operator(name: str, operator: str, known: Sequence[str]) -> str:
    """The message for an operator that does not exist."""
    right = _OPERATORS.get(operator[1:].lower())
    hint = f"; write {{{shown(name)}: {{'{right}': …}}}}" if right else ""
    return f"unknown operator {shown(operator)} for {shown(name)}{hint}; known: {' '.join(known)}, $not"


def _is_filters(value: Any, *, single: bool) -> bool:
    if isinstance(value, Mapping):
        return single
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and all(isinstance(v, Mapping) for v in value)
    )


def _form(value: Any) -> str:
    """Comparisons with our operators."""
    if not isinstance(value, Mapping):
        return shown(value)
    pairs = (f"'{_OPERATORS.get(str(name).lower(), name)}': {shown(item)}" for name, item in value.items())
    return f"{{{', '.join(pairs)}}}"


def _as_metadata(key: str) -> str:
    return f"For the metadata key of that name, write 'metadata.{key}'"
