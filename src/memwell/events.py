"""Events: what happened in a memory, published to subscribers after the commit.

A handler cannot break a call: its exceptions are logged. A coroutine function runs beside the caller.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeAlias

from memwell import _bridge
from memwell.errors import InvalidInput, shown
from memwell.types import Record, Scope
from memwell.values import Value

__all__ = ["EVENTS", "Event", "Events", "Handler"]

EVENTS: Final = (
    "remembered",
    "reinforced",
    "updated",
    "forgotten",
    "recalled",
    "related",
    "unrelated",
    "conflict",
    "imported",
    "expired",
    "unembedded",
)
"""`imported`: records were imported, one event per batch and scope. `unembedded`: records were stored without vectors,
because the embedder failed.
"""

log = logging.getLogger("memwell.events")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event(Value):
    """Something that happened in a memory."""

    name: str
    at: datetime
    scope: Scope
    ids: tuple[str, ...] = ()
    """The records concerned."""
    records: tuple[Record, ...] = ()
    """These records as stored, where they still exist."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """Details by event: `reinforced` has `reason` if the text was an echo (see `on_echo` of `remember`); `recalled`
    has `query`; `updated` has `previous`, the version number before; `related` has `kind` and `strength`; `unrelated`
    has `kind` (`None`: every kind) and `count`; `conflict` has `kind`, `before`, `after`, `similarity`,
    `reason` and `superseded`; `expired` has `count`.
    """


Handler: TypeAlias = Callable[[Event], None] | Callable[[Event], Awaitable[None]]


class Events:
    """The subscriptions of one engine."""

    def __init__(self) -> None:
        self._handlers: dict[str, list[Handler]] = {}
        self._running: set[Any] = set()

    def on(self, name: str, handler: Handler) -> Callable[[], None]:
        """Call the handler for each event of this name, or `*` for all. Returns a function that unsubscribes it."""
        if not isinstance(name, str) or name not in ("*", *EVENTS):
            raise InvalidInput(
                f"no event {shown(name)}; there are {', '.join(EVENTS)}, and * for all of them"
            )
        if not callable(handler):
            raise InvalidInput(f"a handler is a function that takes an event, not {shown(handler)}")
        self._handlers.setdefault(name, []).append(handler)

        def off() -> None:
            if handler in self._handlers.get(name, []):
                self._handlers[name].remove(handler)

        return off

    def wanted(self, name: str) -> bool:
        """Whether anybody subscribed to this event; otherwise it need not be built."""
        return bool(self._handlers) and bool(self._handlers.get(name) or self._handlers.get("*"))

    def emit(self, event: Event) -> None:
        """Call the subscribers."""
        for handler in (*self._handlers.get(event.name, ()), *self._handlers.get("*", ())):
            try:
                result = handler(event)
                if result is not None:
                    _bridge.later(self._isolated(result, event), self._running)
            except Exception:
                log.exception("a handler of %r failed", event.name)

    async def _isolated(self, work: Awaitable[None], event: Event) -> None:
        try:
            await work
        except Exception:
            log.exception("a handler of %r failed", event.name)
