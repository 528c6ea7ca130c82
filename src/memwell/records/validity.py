"""When what a record says is true."""

from __future__ import annotations

from memwell.errors import InvalidInput
from memwell.types import Record

__all__ = ["check_validity"]


def check_validity(record: Record) -> Record:
    """The record, if it does not end before it begins. Raises `InvalidInput`."""
    begins, ends = record.valid_from, record.valid_to
    if begins is not None and ends is not None and ends < begins:
        raise InvalidInput(
            f"valid_to {ends.isoformat()} is before valid_from {begins.isoformat()}; nothing was stored"
        )
    return record
