"""Rows of a table to records and back, for every store that keeps a record as columns. Pure.

A store says what a type of field is in its rows (`Expressions`); the fields come from `memwell.fields`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import Field, fields
from functools import lru_cache
from typing import Any, Final

from memwell._dataclasses import filler
from memwell.errors import Corrupt
from memwell.fields import FIELDS, REQUIRED, SCOPE, STORED
from memwell.records.codec import dumps, from_micros, json_mapping, loads, to_micros
from memwell.records.compiled import Expressions, compiled, expression, values_of
from memwell.types import Link, Record, Scope

__all__ = ["Expressions", "complete", "links_of", "maker", "reader", "writer"]


def links_of(found: Iterable[Sequence[Any]]) -> tuple[Link, ...]:
    """Relationships from (target, kind, strength, microseconds since 1970) of each."""
    return tuple(
        [Link(target=t, kind=k, strength=float(s), created_at=from_micros(at)) for t, k, s, at in found]
    )


@lru_cache(maxsize=1024)
def owner_of(*parts: Any) -> Scope:
    """The scope with these parts, in the order of `SCOPE`: one for all the records of an owner."""
    return Scope(**dict(zip(SCOPE, parts, strict=True)))


def mapping_of(value: Any) -> dict[str, Any]:
    """Metadata that were decoded already. Raises `TypeError` for anything but a mapping."""
    if not isinstance(value, dict):
        raise TypeError(f"metadata is stored as {type(value).__name__}")
    return value


def text_of(value: Any) -> str:
    """A content. Raises `TypeError` for anything but a text."""
    if not isinstance(value, str):
        raise TypeError(f"content is stored as {type(value).__name__}")
    return value


_KNOWN: Final[Mapping[str, Any]] = {
    each.__name__: each
    for each in (
        dumps,
        from_micros,
        json_mapping,
        links_of,
        loads,
        mapping_of,
        owner_of,
        text_of,
        to_micros,
    )
}
"""What an expression may name."""


def maker(
    places: Mapping[str, int], expressions: Expressions, **more: Any
) -> Callable[[Sequence[Any]], Record]:
    """The function that makes a record of a row; `places` says where in the row each field stands.

    Expressions may name what is in `more`. The function raises `TypeError`, `ValueError`, `OverflowError` or `Corrupt`
    for a value that cannot be read.
    """

    def term(field: Field[Any]) -> str:
        name = field.name
        if name in places:
            return expression(name, f"row[{places[name]}]", expressions)
        known[f"default_{name}"] = FIELDS[name].default
        return f"default_{name}"

    known: dict[str, Any] = {**_KNOWN, **more, "made": _made}
    scope = ", ".join([f"row[{places[name]}]" for name in SCOPE])
    rest = ", ".join(f"owner_of({scope})" if f.name == "scope" else term(f) for f in fields(Record))
    return compiled(f"lambda row: made({rest})", known)


_made: Final = filler(Record)


def reader(
    places: Mapping[str, int], expressions: Expressions, **more: Any
) -> Callable[[Sequence[Any]], Record]:
    """As `maker`, for complete rows: it raises `Corrupt` naming the record."""
    made, id = maker(places, expressions, **more), places["id"]

    def record_of(row: Sequence[Any]) -> Record:
        try:
            return made(row)
        except (TypeError, ValueError, OverflowError, Corrupt) as error:
            raise Corrupt(f"record {row[id]!r} cannot be read: {error}; run `memwell doctor`") from error

    return record_of


def writer(
    expressions: Expressions, names: Sequence[str] = STORED, **more: Any
) -> Callable[[Record], tuple[Any, ...]]:
    """The function that gives the values of these fields for a record; expressions may name what is in `more`."""
    return values_of(names, expressions, {**_KNOWN, **more})


def complete(values: list[Any]) -> list[Any]:
    """Values of `fields.STORED`, with the defaults of fields that are younger than the row. Raises `TypeError` for
    values that are too few for any row, or too many.
    """
    missing = [FIELDS[name].default for name in STORED[len(values) :]]
    if REQUIRED in missing or len(values) > len(STORED):
        raise TypeError(f"it holds {len(values)} values instead of {len(STORED)}")
    return values + missing if missing else values
