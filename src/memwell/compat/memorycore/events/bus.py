"""Publish and subscribe: a handler neither delays nor breaks an operation, and gets its events in order."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from fnmatch import fnmatchcase
from typing import Any, Final, TypeAlias, cast

from memwell import _bridge
from memwell.compat.memorycore.errors import ValidationError
from memwell.compat.memorycore.events.memory_events import MemoryEvent
from memwell.events import PATIENCE, Handler, Subscription

__all__ = ["EventBus", "EventHandler"]

EventHandler: TypeAlias = Callable[[Any], None] | Callable[[Any], Awaitable[None]]

_POLL: Final = 0.002


class EventBus:
    """Carries events to those who subscribed to their type. Queues and their overflow are those of `memwell.events`."""

    def __init__(self) -> None:
        self._all: list[tuple[str, EventHandler, Subscription]] = []

    def subscribe(self, event_type: str, handler: EventHandler) -> None:
        """Call a function, plain or coroutine, for events of a type, such as `memory.created`, or a pattern."""
        if not callable(handler):
            raise ValidationError(f"a handler is a function that takes an event, not {handler!r}")
        subscription = Subscription(cast("Handler", handler), inline=False, blocking=False)
        self._all.append((event_type, handler, subscription))

    def unsubscribe(self, event_type: str, handler: EventHandler) -> None:
        """End a subscription; what waits for the handler is dropped. One that is not there changes nothing."""
        for entry in [one for one in self._all if one[:2] == (event_type, handler)]:
            entry[2]()
            self._all.remove(entry)

    async def publish(self, event: MemoryEvent) -> None:
        """Hand an event to its subscribers and return at once. A handler's failure is logged."""
        for pattern, _, subscription in self._all:
            if fnmatchcase(event.event_type, pattern):
                subscription.publish(cast("Any", event))

    async def close(self) -> None:
        """Wait some seconds for the handlers, then end all subscriptions."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and not all(one.idle for *_, one in self._all):
            await _bridge.pause(_POLL, blocking=False)
        for *_, subscription in self._all:
            subscription.close()
        self._all.clear()
