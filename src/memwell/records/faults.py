"""What is wrong with a record that was read: types and ranges, from the table of fields. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from memwell.fields import TABLE, Type
from memwell.types import Record

__all__ = ["faults"]


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_share(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


_RULES: Final[Mapping[Type, tuple[Callable[[Any], bool], str]]] = {
    "text": (_is_text, "a text"),
    "content": (_is_text, "a text"),
    "share": (_is_share, "a number from 0 to 1"),
    "count": (_is_count, "a whole number from 0"),
    "flag": (lambda value: isinstance(value, bool), "true or false"),
    "time": (lambda value: isinstance(value, datetime), "a time"),
    "tags": (lambda value: isinstance(value, tuple) and all(map(_is_text, value)), "a list of texts"),
    "metadata": (lambda value: isinstance(value, Mapping), "a mapping"),
}


def faults(record: Record) -> list[str]:
    """One sentence for each field whose value is not of its type; empty for a sound record."""
    found = []
    for field in TABLE:
        rule = _RULES.get(field.type)
        value = getattr(record.scope if field.owner else record, field.name)
        if rule is None or (value is None and field.nullable) or rule[0](value):
            continue
        found.append(f"{field.name} is {str(value)[:40]!r}, not {rule[1]}")
    return found
