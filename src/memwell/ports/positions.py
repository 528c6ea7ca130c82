"""Positions of logs that number their entries: nineteen digits, so that their order as text is their
order."""

from __future__ import annotations

import re

from memwell.errors import InvalidQuery

__all__ = ["number", "position"]

_FORM = re.compile(r"[0-9]{19}", re.ASCII)


def position(number: int) -> str:
    """The position of the entry with this number (from 1)."""
    return f"{number:019d}"


def number(position: str) -> int:
    """The number of a position. Raises `InvalidQuery` for what no such log has given out."""
    if not isinstance(position, str) or not _FORM.fullmatch(position) or int(position) >= 2**63:
        raise InvalidQuery(
            f"{position!r} is not a position of this log; pass one that `append` or `read` returned"
        )
    return int(position)
