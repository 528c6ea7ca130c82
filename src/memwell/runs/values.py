"""What `Runs` returns, and the JSON of it in the key-value and the log."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from memwell._dataclasses import dataclass
from memwell.errors import InvalidInput, shown
from memwell.records.codec import dumps, loads
from memwell.values import Short, Value, shortened

__all__ = [
    "Context",
    "ContextEvent",
    "FlowRun",
    "TaskOutput",
    "checked_id",
    "checked_limit",
    "decoded",
    "document",
    "encoded",
]

LONGEST_ID = 900
"""Bytes of an id in UTF-8: a key has at most 1,024, with its prefixes."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Context(Value):
    """The data of a context."""

    context_id: str
    data: dict[str, Any]
    created_at: datetime
    """When a context of this id was first set, since it last expired or was cleared."""
    updated_at: datetime
    expires_at: datetime | None
    """`None`: never."""

    def _short(self) -> Short:
        yield None, self.context_id
        yield "data", shortened(dumps(self.data))


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ContextEvent(Value):
    """One event of a context."""

    event_id: str
    """The position in the log; grows from event to event of a context."""
    event: dict[str, Any]
    at: datetime

    def _short(self) -> Short:
        yield None, self.event_id
        yield "event", shortened(dumps(self.event))


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class FlowRun(Value):
    """One entry in the history of a flow."""

    flow_id: str
    run_id: str
    data: dict[str, Any]
    at: datetime

    def _short(self) -> Short:
        yield None, self.run_id
        yield "data", shortened(dumps(self.data))


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class TaskOutput(Value):
    """The last output of a task."""

    task_id: str
    output: Any
    metadata: dict[str, Any]
    created_at: datetime
    """When the task first had an output."""
    updated_at: datetime

    def _short(self) -> Short:
        yield None, self.task_id
        yield "output", shortened(dumps(self.output))


def checked_id(name: str, value: str) -> str:
    """The id itself. Raises `InvalidInput` for anything but a text of 1 to 900 bytes without NUL."""
    try:
        size = len(value.encode()) if isinstance(value, str) else 0
    except UnicodeEncodeError:
        size = 0
    if not 0 < size <= LONGEST_ID or "\0" in value:
        raise InvalidInput(f"{name} is a text of 1 to {LONGEST_ID} bytes without NUL, not {shown(value)}")
    return value


def checked_limit(limit: object) -> int:
    """The limit itself. Raises `InvalidInput` for anything but a whole number of at least 1."""
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise InvalidInput(f"limit must be at least 1, and a whole number, not {shown(limit)}")
    return limit


def document(name: str, value: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping as a plain dict, for JSON. Raises `InvalidInput` for anything else."""
    if not isinstance(value, Mapping):
        raise InvalidInput(f"{name} is a dict, not {type(value).__name__}")
    return dict(value)


def encoded(name: str, value: Any) -> bytes:
    """A value as JSON. Raises `InvalidInput` for what JSON cannot hold."""
    try:
        return dumps(value).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(
            f"{name} cannot be written as JSON: {error}; pass texts, finite numbers, booleans, None, lists and dicts"
            " (a time as isoformat())"
        ) from error


def decoded(data: bytes) -> Any:
    """The value of a JSON text. Raises `Corrupt` for anything else."""
    return loads(data.decode("utf-8", "replace"))
