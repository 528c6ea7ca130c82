"""What the engine's functions share: the parts, the clock, the events, and small state of one instance."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypedDict

from memwell.engine.assembly import Parts
from memwell.engine.encoding import Encoder
from memwell.engine.validation import scope_of
from memwell.errors import BackendError, Closed, ConfigError, MemwellError, Unavailable
from memwell.events import Event, Events
from memwell.ports import Store, Touch
from memwell.types import Record, Scope

__all__ = ["Engine", "Owner"]

log = logging.getLogger("memwell")

_FLUSH_AFTER = timedelta(seconds=5)
_FLUSH_AT = 256
_SWEEP_EVERY = timedelta(minutes=10)
_LOOK_EVERY = timedelta(minutes=10)


class Owner(TypedDict, total=False):
    """Whose memories a call is about; see `Scope`."""

    tenant_id: str | None
    user_id: str | None
    agent_id: str | None
    session_id: str | None
    namespace: str | None


_OWNER = frozenset(Owner.__annotations__)


class Engine:
    """One instance of the engine. Safe to share between tasks and threads."""

    def __init__(self, parts: Parts, clock: Callable[[], datetime]) -> None:
        self.parts = parts
        self.clock = clock
        self.events = Events()
        self.encoder = None if parts.embedder is None else Encoder(parts.embedder)
        self.closed = False
        self._accesses: deque[tuple[str, str, datetime]] = deque()
        self._next_sweep: datetime | None = None
        self._next_look: datetime | None = None
        self._swept = False

    @property
    def store(self) -> Store:
        """The store, if the engine is still open."""
        if self.closed:
            raise Closed("this memory was closed; open it again to use it", part="memory")
        return self.parts.store

    def scope(self, owner: Owner) -> Scope:
        """The checked scope of a call. Raises `TypeError` for a keyword that names no part of a scope: left
        aside, a misspelt one would show everybody's memories.
        """
        if not owner.keys() <= _OWNER:
            unknown = ", ".join(sorted(owner.keys() - _OWNER))
            raise TypeError(
                f"unexpected keyword arguments: {unknown}; an owner is told by {', '.join(sorted(_OWNER))}"
            )
        return scope_of(
            owner.get("tenant_id"),
            owner.get("user_id"),
            owner.get("agent_id"),
            owner.get("session_id"),
            owner.get("namespace"),
        )

    def emit(
        self, name: str, scope: Scope, ids: tuple[str, ...], records: tuple[Record, ...] = (), **data: object
    ) -> None:
        """Tell subscribers, if there are any."""
        if self.events.wanted(name):
            self.events.emit(
                Event(name=name, at=self.clock(), scope=scope, ids=ids, records=records, data=data)
            )

    def note_access(self, tenant_id: str, ids: list[str], now: datetime) -> None:
        """Remember that these were recalled, to be written with a later call."""
        self._accesses.extend([(tenant_id, id, now) for id in ids])

    def note_unembedded(self, now: datetime) -> None:
        """A search has met records without vectors, as another process with an older embedder may leave them: let a
        later write embed them. Not for each search, since some may have none for good.
        """
        if self.encoder is not None and (self._next_look is None or now >= self._next_look):
            self._next_look = now + _LOOK_EVERY
            self.encoder.behind = True

    async def settle(self, now: datetime, *, fully: bool = False) -> None:
        """Write noted accesses when they are many or old, and sweep what has expired now and then, at least once in a
        life: many processes are short.

        This is housekeeping beside a call that has done its work: a failure is logged, not raised.
        """
        try:
            if self._accesses and (fully or self._due(now)):
                await self._flush(now)
            if self._next_sweep is None:
                self._next_sweep = now + _SWEEP_EVERY
            if now >= self._next_sweep or (fully and not self._swept):
                self._next_sweep = now + _SWEEP_EVERY
                await self.sweep(now)
        except MemwellError as error:
            log.warning("recalls could not be noted, or expired memories not be swept: %s", error)

    async def sweep(self, now: datetime) -> int:
        """Remove what has expired, of every tenant, and tell it; how many."""
        gone = await self.store.sweep(now)
        self._swept = True
        if gone:
            self.emit("expired", Scope(), (), count=gone)
        return gone

    def _due(self, now: datetime) -> bool:
        try:
            oldest = self._accesses[0][2]
        except IndexError:  # another thread has taken them
            return False
        return now - oldest >= _FLUSH_AFTER or len(self._accesses) >= _FLUSH_AT

    def ended_by(self, error: BaseException | None) -> None:
        """A `with` block ended. Where the store has just failed there is no use in sweeping: it would wait and fail
        once more, and hide the error behind its own.
        """
        self._swept |= isinstance(error, ConfigError | Unavailable | BackendError)

    async def close(self) -> None:
        """Flush and close the parts that were opened here."""
        if self.closed:
            return
        try:
            await self.settle(self.clock(), fully=True)
        finally:
            self.closed = True
            await self.parts.close()

    async def _flush(self, now: datetime) -> None:
        accesses: dict[str, dict[str, tuple[int, datetime]]] = {}
        while self._accesses:
            try:
                tenant_id, id, at = self._accesses.popleft()
            except IndexError:  # another thread has taken the last
                break
            noted = accesses.setdefault(tenant_id, {})
            count, last = noted.get(id, (0, at))
            noted[id] = (count + 1, max(last, at))
        touches = [Touch(tenant_id=tenant, accesses=noted) for tenant, noted in accesses.items()]
        await self.parts.store.write(touches, now=now)
