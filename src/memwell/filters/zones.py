"""Times without a zone in a filter, as times of one zone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, tzinfo
from typing import Any, overload

from memwell.filters.parsing import parse
from memwell.filters.tree import TIMES, instant
from memwell.types import Where

__all__ = ["in_zone"]


@overload
def in_zone(where: Where, zone: tzinfo) -> Where: ...
@overload
def in_zone(where: None, zone: tzinfo) -> None: ...
def in_zone(where: Where | None, zone: tzinfo) -> Where | None:
    """The checked filter, in which times without a zone that are compared with times of a record are in `zone`. Raises
    `InvalidQuery` as `parse` does.
    """
    if where is None:
        return None
    parse(where)
    return where if zone is UTC else _filter(where, zone)


def _filter(where: Where, zone: tzinfo) -> dict[str, Any]:
    return {key: _entry(key, value, zone) for key, value in where.items()}


def _entry(key: str, value: Any, zone: tzinfo) -> Any:
    if key in ("$and", "$or"):
        return [_filter(part, zone) for part in value]
    if key == "$not":
        return _filter(value, zone)
    return _operand(value, zone) if key in TIMES else value


def _operand(value: Any, zone: tzinfo) -> Any:
    if isinstance(value, Mapping):
        return {operator: _operand(operand, zone) for operator, operand in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_operand(one, zone) for one in value]
    return instant(value, zone) or value
