"""What conditions on metadata ask of Python: functions that every connection has (see `filter_sql`)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from memwell import filters
from memwell.filters import Choices, Clause, instant
from memwell.records.codec import to_micros

__all__ = ["FUNCTIONS"]


def _instant(text: object) -> int | None:
    """Microseconds since 1970 of ISO 8601 text, or NULL."""
    moment = instant(text) if isinstance(text, str) else None
    return None if moment is None else to_micros(moment)


def _holds(value: object, operator: str, operand: str) -> int | None:
    """Whether a clause holds for a value given as JSON text or as a number."""
    if value is None:
        return None
    found = json.loads(value) if isinstance(value, str) else value
    return int(filters.holds(_decoded(operator, operand), lambda _: found))


@lru_cache(maxsize=256)
def _decoded(operator: str, operand: str) -> Clause:
    found = json.loads(operand)
    return Clause(None, (), operator, Choices(found) if operator == "$in" else found)


def _exact(value: object) -> str | None:
    """A float as JSON text with all its digits, of which SQLite writes fifteen."""
    return repr(float(value)) if isinstance(value, int | float) else None


FUNCTIONS: Final[Mapping[str, tuple[int, Callable[..., Any]]]] = {
    "memwell_exact": (1, _exact),
    "memwell_holds": (3, _holds),
    "memwell_instant": (1, _instant),
}
"""Name → (number of arguments, function), for `create_function(name, *both, deterministic=True)`."""
