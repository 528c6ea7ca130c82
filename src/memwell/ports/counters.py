"""What a counter is: the decimal text of a 64-bit integer, as in Redis and memcached."""

from __future__ import annotations

import re

from memwell.errors import InvalidInput

__all__ = ["added", "check_step"]

_NUMBER = re.compile(rb"0|-?[1-9][0-9]{0,18}")
_LIMIT = 2**63


def check_step(by: int) -> int:
    """The step itself. Raises `InvalidInput` for what is no integer of 64 bits."""
    if isinstance(by, bool) or not isinstance(by, int):
        raise InvalidInput(f"a counter is raised by an integer, not by {by!r}")
    if not -_LIMIT <= by < _LIMIT:
        raise InvalidInput("a counter holds 64 bits; the step would not fit")
    return by


def added(value: bytes | None, by: int) -> int:
    """The counter's next value; an absent one starts at 0.

    Raises `InvalidInput` when the value is no counter, `by` is no integer, or step or sum do not fit 64 bits.
    """
    check_step(by)
    if value is not None and not _NUMBER.fullmatch(value):
        raise InvalidInput(
            "the key holds a value that is not a counter; delete it first, or count under another key"
        )
    total = int(value or b"0") + by
    if not -_LIMIT <= total < _LIMIT:
        raise InvalidInput("a counter holds 64 bits; the sum would not fit")
    return total
