"""Events: what happened in a memory, published to subscribers after the commit.

Handlers run in the background and cannot break or delay a call: a plain function in a thread of its subscription, a
coroutine function as a task of the event loop that the memory runs on. Each subscription gets its events in order, one
at a time. `WAITING` events wait for a handler at most; when another comes, the oldest of them is dropped, counted
(`Subscription.dropped`) and logged. `close` waits some seconds for what still waits.

These events live in one process. What must arrive, whatever happens to the process, is delivered by a follower of the
change sequence instead (`memwell.followers.delivery`).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import field
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any, Final, TypeAlias

from memwell import _bridge
from memwell._dataclasses import dataclass
from memwell._forks import fork_safe
from memwell._lazy import logger
from memwell.errors import InvalidInput, shown
from memwell.types import Record, Scope
from memwell.values import Value

__all__ = ["EVENTS", "WAITING", "Event", "Events", "Handler", "Subscription"]

EVENTS: Final = (
    "remembered",
    "reinforced",
    "updated",
    "forgotten",
    "recalled",
    "related",
    "unrelated",
    "conflict",
    "superseded",
    "contradicted",
    "imported",
    "expired",
    "unembedded",
    "unenriched",
    "erased",
    "planned",
    "applied",
    "reembedded",
    "rotated",
    "shredded",
    "encrypted",
    "audit_failed",
)
"""`imported`: records were imported, one event per batch and scope. `unembedded`: records were stored without vectors,
because the embedder failed; `unenriched`: without topic and the like, because the enricher failed. `superseded`,
`contradicted`: one record was related to another in this way, after the event `related`. `erased`: `erase` has ended,
after the event `forgotten`. `planned`: `plan` has made one; `applied`: `apply` took its steps. `rotated`: `rotate_keys`
has ended; `shredded`: the keys of a tenant were destroyed; `encrypted`: `encrypt` has ended. `audit_failed`: an entry
could not be written to the audit log yet.
"""
WAITING: Final = 1000
"""Events that wait for one handler at most."""
PATIENCE: Final = 5.0
"""Seconds that `close` waits for handlers."""
_LINGER: Final = 1.0
"""Seconds that a thread waits for another event before it ends."""

log = logger("memwell.events")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event(Value):
    """Something that happened in a memory."""

    id: str
    """Different for every event; ids of later events sort behind those of earlier ones, in one process."""
    name: str
    at: datetime
    scope: Scope
    correlation_id: str | None = None
    """The request in which it happened, as `memwell.acting` named it."""
    actor: str | None = None
    """Who did it, as `memwell.acting` named them."""
    ids: tuple[str, ...] = ()
    """The records concerned."""
    records: tuple[Record, ...] = ()
    """These records as stored, where they still exist."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """Details by event: `reinforced` has `reason` if the text was an echo (see `on_echo` of `remember`); `recalled`
    has `query`; `updated` has `previous`, the version number before; `related` has `kind` and `strength`; `unrelated`
    has `kind` (`None`: every kind) and `count`; `conflict` has `kind`, `before`, `after`, `similarity`, `reason` and
    `superseded`; `unenriched` has `error`; `expired` has `count`; `erased` and `shredded` have `receipt` (its id) and
    `complete`; `applied` has `done`, `already`, `refused` and `left`; `reembedded` has `model`; `rotated` has
    `tenants`, `rewrapped` and `rewritten`; `encrypted` has `memories`.
    """


Handler: TypeAlias = Callable[[Event], None] | Callable[[Event], Awaitable[None]]


class Subscription:
    """One handler and the events that wait for it. Call it to end it: what waits is then dropped."""

    def __init__(self, handler: Handler, *, inline: bool, blocking: bool) -> None:
        self.dropped = 0
        """How many events were dropped because the handler was too slow."""
        self._handler, self._inline, self._blocking = handler, inline, blocking
        self._end: Callable[[], None] = lambda: None
        self._tasks: set[Any] = set()
        self._reset()
        fork_safe(self._reset)

    def _reset(self) -> None:
        self._queue: deque[Event] = deque()
        self._changed = threading.Condition()
        self._working = self._ended = False
        self._thread: threading.Thread | None = None
        self._alive: Callable[[], bool] = lambda: False

    def __call__(self) -> None:
        """End the subscription. Ending it twice is fine."""
        self._end()
        with self._changed:
            self._queue.clear()
            self._ended = True
            self._changed.notify()

    @property
    def idle(self) -> bool:
        """Whether the handler has handled everything, or is the caller."""
        return not (self._queue or self._working) or self._thread is threading.current_thread()

    def publish(self, event: Event) -> None:
        """Let the handler handle an event, now if it is inline, else in the background."""
        if self._inline:
            self._handle_inline(event)
            return
        with self._changed:
            if self._ended:
                return
            if len(self._queue) >= WAITING:
                self._queue.popleft()
                self._drop()
            self._queue.append(event)
            self._changed.notify()
            if not self._alive():
                self._start()

    def close(self) -> int:
        """End the thread once nothing waits; how many events still wait."""
        with self._changed:
            self._ended = True
            self._changed.notify()
            return len(self._queue)

    def _drop(self) -> None:
        self.dropped += 1
        if self.dropped == 1 or self.dropped % WAITING == 0:
            log.warning(
                "a handler is too slow: %d events were dropped, the oldest of more than %d that waited",
                self.dropped,
                WAITING,
            )

    def _start(self) -> None:
        """Start what handles the queue; the lock is held."""
        if _bridge.is_async(self._handler) and not self._blocking:
            task = _bridge.later(self._in_task(), self._tasks)
            self._alive = lambda: not task.done() and not task.get_loop().is_closed()
            return
        self._thread = thread = threading.Thread(target=self._in_thread, name="memwell-events", daemon=True)
        self._alive = lambda: self._thread is thread
        thread.start()

    def _next(self, wait: float) -> Event | None:
        with self._changed:
            self._working = False
            if not self._queue and not self._ended and wait:
                self._changed.wait(wait)
            if not self._queue:
                self._alive, self._thread = (lambda: False), None
                return None
            self._working = True
            return self._queue.popleft()

    def _in_thread(self) -> None:
        while (event := self._next(_LINGER)) is not None:
            try:
                result = self._handler(event)
                if result is not None:
                    _bridge.complete(_awaited(result), blocking=False)
            except Exception:
                log.exception("a handler of %r failed", event.name)

    async def _in_task(self) -> None:
        try:
            while (event := self._next(0.0)) is not None:
                await _isolated(self._handler, event)
        finally:
            self._working = False

    def _handle_inline(self, event: Event) -> None:
        try:
            result = self._handler(event)
            if result is not None:
                _bridge.later(_isolated(lambda _: result, event), self._tasks)
        except Exception:
            log.exception("a handler of %r failed", event.name)


class Events:
    """The subscriptions of one engine. `blocking`: it runs without an event loop."""

    def __init__(self, *, blocking: bool = False) -> None:
        self._blocking = blocking
        self._all: list[tuple[str, Subscription]] = []
        self._by_name: dict[str, tuple[Subscription, ...]] = {}

    def on(self, pattern: str, handler: Handler, *, inline: bool = False) -> Subscription:
        """Call the handler for each event whose name matches. Raises `InvalidInput` if none can."""
        names = [name for name in EVENTS if isinstance(pattern, str) and fnmatchcase(name, pattern)]
        if not names:
            raise InvalidInput(
                f"no event {shown(pattern)}; there are {', '.join(EVENTS)}, and patterns such as re* or *"
            )
        if not callable(handler):
            raise InvalidInput(f"a handler is a function that takes an event, not {shown(handler)}")
        if not isinstance(inline, bool):
            raise InvalidInput(f"inline is true or false, not {shown(inline)}")
        if inline and _bridge.is_async(handler):
            raise InvalidInput("a coroutine function cannot run inline; omit inline=")
        subscription = Subscription(handler, inline=inline, blocking=self._blocking)
        entry = (pattern, subscription)

        def end() -> None:
            if entry in self._all:
                self._all.remove(entry)
                self._index()

        subscription._end = end
        self._all.append(entry)
        self._index()
        return subscription

    def wanted(self, *names: str) -> bool:
        """Whether anybody subscribed to one of these events; otherwise none need be built."""
        return not self._by_name.keys().isdisjoint(names)

    def emit(self, event: Event) -> None:
        """Hand the event to the subscribers."""
        for subscription in self._by_name.get(event.name, ()):
            subscription.publish(event)

    async def close(self) -> None:
        """Wait up to `PATIENCE` seconds until all handlers have handled what was published, then end them."""
        until = time.monotonic() + PATIENCE
        subscriptions = [subscription for _, subscription in self._all]
        while time.monotonic() < until and not all(one.idle for one in subscriptions):
            await _bridge.pause(0.002, blocking=self._blocking)
        left = sum(one.close() for one in subscriptions)
        if left:
            log.warning("%d events still waited for their handlers when the memory was closed", left)

    def _index(self) -> None:
        found = {
            name: tuple(one for pattern, one in self._all if fnmatchcase(name, pattern)) for name in EVENTS
        }
        self._by_name = {name: ones for name, ones in found.items() if ones}


async def _awaited(work: Awaitable[None]) -> None:
    await work


async def _isolated(handler: Callable[[Event], Any], event: Event) -> None:
    try:
        await handler(event)
    except Exception:
        log.exception("a handler of %r failed", event.name)
