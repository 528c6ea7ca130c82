"""The time limit of a call."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, cast

from memwell import _bridge
from memwell.errors import ConfigError, TimedOut
from memwell.resilience.calls import Call
from memwell.resilience.workers import Workers

__all__ = ["Timeout"]

T = TypeVar("T")


class Timeout:
    """Raises `TimedOut` when a call takes longer than `seconds`. A coroutine is cancelled; a blocking call runs in a
    thread and continues there.
    """

    def __init__(self, seconds: float, *, name: str = "timeout") -> None:
        if not 0 < seconds < float("inf"):
            raise ConfigError("a timeout must be a finite number of seconds above 0")
        self.seconds = seconds
        self._workers = Workers(name)

    async def run(self, call: Call[T], *, name: str, blocking: bool, seconds: float | None = None) -> T:
        """The result of the call. `seconds` overrides the limit for this call."""
        limit = self.seconds if seconds is None else seconds
        try:
            if not blocking:
                return await _bridge.within(limit, call)
            coroutine = cast("Callable[[], Coroutine[Any, Any, T]]", call)
            return self._workers.run(lambda: _bridge.drive(coroutine()), limit)
        except TimedOut as error:
            if not error.operation:
                error.operation = name
            raise

    def close(self) -> None:
        """Let the threads end after the calls they have accepted."""
        self._workers.close()
