"""Durations as people write them: `90` (seconds), `30m`, `12h`, `7d`, `2w`. Pure."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Final

from memwell.errors import InvalidInput, shown

__all__ = ["duration", "seconds", "written"]

_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}


def seconds(given: object) -> float:
    """A duration in seconds, from a number of seconds, a timedelta or text such as `7d`. Raises `InvalidInput`."""
    found = math.nan
    if isinstance(given, timedelta):
        found = given.total_seconds()
    elif isinstance(given, int | float) and not isinstance(given, bool):
        found = float(given)
    elif isinstance(given, str):
        text = given.strip()
        number, unit = (text[:-1], text[-1].lower()) if text[-1:].isalpha() else (text, "s")
        try:
            found = float(number) * _UNITS[unit]
        except (ValueError, KeyError):
            found = math.nan
    if not 0 <= found <= 1e11:
        raise InvalidInput(f"{shown(given)} is not a valid duration; write 90 (seconds), 30m, 12h, 7d or 2w")
    return found


def duration(given: object) -> timedelta:
    """The same as a timedelta."""
    return timedelta(seconds=seconds(given))


def written(amount: float) -> str:
    """A number of seconds in the largest unit that shows it shortly."""
    for unit in "wdhm":
        if amount >= _UNITS[unit] and (unit != "w" or not amount % _UNITS[unit]):
            return f"{amount / _UNITS[unit]:.3g}{unit}"
    return f"{amount:.3g}s"
