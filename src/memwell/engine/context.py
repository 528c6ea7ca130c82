"""What the engine's functions share: the parts, the clock, the events, and small state of one instance."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any, TypeVar

from memwell import ports
from memwell._lazy import logger
from memwell.engine.assembly import Parts, guard_of
from memwell.engine.encoding import Encoder
from memwell.engine.proof import Proof
from memwell.engine.recalled import Recalled
from memwell.errors import BackendError, Closed, ConfigError, MemwellError, NotSupported, Unavailable
from memwell.events import Event, Events
from memwell.hits import four_bytes
from memwell.types import Progress, Record, Scope

if TYPE_CHECKING:
    from memwell._workers import Workers
    from memwell.policies.enrichers import Enricher
    from memwell.policies.model import Policies
    from memwell.ports import Operation, Store

__all__ = ["Engine", "report"]

T = TypeVar("T")

log = logger("memwell")

_FLUSH_AFTER = timedelta(seconds=5)
_FLUSH_AT = 256
_SWEEP_EVERY = timedelta(minutes=10)
_BACKFILL_EVERY = timedelta(minutes=10)


class Engine:
    """One instance of the engine. Safe to share between tasks and threads. `clock` is one of `clock.checked`, `count`
    gives the number of a text's tokens, `zone` says on which day a moment falls and is that of times without one.
    `workers` are threads for what calls compute; without them it runs where the call was made.
    """

    def __init__(
        self,
        parts: Parts,
        clock: Callable[[], datetime],
        count: Callable[[str], int] = four_bytes,
        zone: tzinfo = UTC,
        proof: Proof | None = None,
        policies: Policies | None = None,
        enricher: Enricher | None = None,
        workers: Workers | None = None,
    ) -> None:
        self.parts = parts
        self._workers = workers
        self.clock = clock
        self.count = count
        self.zone = zone
        self.policies = policies
        self.enricher = enricher
        self.events = Events(blocking=parts.blocking)
        self.proof = Proof(parts, clock) if proof is None else proof
        self.encoder = None if parts.embedder is None else Encoder(parts.embedder)
        self.recalled = Recalled()
        self.closed = False
        if self.proof.audit is not None:
            self.proof.audit.failed = self._audit_failed
        self._guard = guard_of(parts.store)
        self._accesses: deque[tuple[str, str, datetime]] = deque()
        self._last_sweep: datetime | None = None
        self._last_backfill: datetime | None = None
        self._swept = False
        self._counts = self._sweeps = True
        """Whether the store can count recalls and remove what has expired; learnt when it says that it cannot."""

    @property
    def store(self) -> Store:
        """The store, if the engine is still open."""
        if self.closed:
            raise Closed("this memory was closed; open it again to use it", part="memory")
        guard = self._guard
        return self.parts.store if guard is None or guard.passed else guard

    def reach(self, limit: int) -> int:
        """How many hits a recall needs before they are cut to its limit."""
        part = self.parts.reranker
        return limit if part is None else max(limit, part.candidates)

    async def off_loop(self, coroutine: Coroutine[Any, Any, T], *, brief: bool = False) -> T:
        """The result of a coroutine that computes and calls parts, run in a worker thread where there are any. `brief`
        ones, of some milliseconds, take turns.
        """
        return await (coroutine if self._workers is None else self._workers.run(coroutine, brief=brief))

    async def compute(self, call: Callable[[], T]) -> T:
        """The result of a function that may take long, called in a worker thread where there are any."""
        return await self.off_loop(_called(call))

    def write(
        self,
        operations: Sequence[Operation],
        *,
        now: datetime,
        gives: Callable[[list[Any]], Any] | None = None,
    ) -> Coroutine[Any, Any, list[Any]]:
        """Write what a call asks for, with its entry in the audit log (see `Audit.write`)."""
        audit = self.proof.audit
        if audit is None:
            return self.store.write(operations, now=now)
        return audit.write(self.store, operations, now=now, gives=gives)

    def emit(
        self, name: str, scope: Scope, ids: tuple[str, ...], records: tuple[Record, ...] = (), **data: object
    ) -> None:
        """Publish an event, if anybody subscribed to it."""
        if self.events.wanted(name):
            from memwell.records.ids import new_id
            from memwell.security.acting import current

            who = current()
            self.events.emit(
                Event(
                    id=new_id(),
                    name=name,
                    at=self.clock(),
                    scope=scope,
                    correlation_id=who.correlation_id,
                    actor=who.actor,
                    ids=ids,
                    records=records,
                    data=data,
                )
            )

    def note_access(self, tenant_id: str, ids: list[str], now: datetime) -> None:
        """Count these as recalled; written with a later call."""
        if not self._counts:
            return
        self._accesses.extend([(tenant_id, id, now) for id in ids])

    def note_unembedded(self, now: datetime) -> None:
        """Let a later write embed what a search found without vectors, as a process with an older embedder may leave
        it. At most once in ten minutes, since some records may never get vectors.
        """
        last = self._last_backfill
        if self.encoder is not None and (last is None or now - last >= _BACKFILL_EVERY):
            self._last_backfill = now
            self.encoder.pending = True

    def _audit_failed(self, error: MemwellError) -> None:
        self.emit("audit_failed", Scope(), (), error=str(error))

    async def housekeeping(self, now: datetime, *, fully: bool = False) -> None:
        """Write the noted accesses when they are many or old, and sweep expired memories every ten minutes. `fully`
        does both at once, as `close` needs it: many processes live shorter than that.

        Runs after a call has done its work, so a failure is logged and not raised.
        """
        try:
            if self._accesses and (fully or self._due(now)):
                await self._flush(now)
            if not self._sweeps:
                return
            if self._last_sweep is None:
                self._last_sweep = now
            if now - self._last_sweep >= _SWEEP_EVERY or (fully and not self._swept):
                self._last_sweep = now
                await self._sweep_if_it_can(now)
        except MemwellError as error:
            log.warning("could not record accesses or sweep expired memories: %s", error)

    async def sweep(self, now: datetime) -> int:
        """Remove the expired memories of every tenant and publish it; returns how many."""
        gone = await self.store.sweep(now)
        self._swept = True
        if gone:
            self.emit("expired", Scope(), (), count=gone)
        return gone

    async def _sweep_if_it_can(self, now: datetime) -> None:
        try:
            await self.sweep(now)
        except NotSupported as error:
            self._sweeps = False
            log.debug("expired memories are not removed: %s", error)

    def _due(self, now: datetime) -> bool:
        try:
            oldest = self._accesses[0][2]
        except IndexError:  # another thread has taken them
            return False
        return now - oldest >= _FLUSH_AFTER or len(self._accesses) >= _FLUSH_AT

    def ended_by(self, error: BaseException | None) -> None:
        """Note how a `with` block ended. After a failure of the store, `close` does not sweep: it would wait and fail
        once more.
        """
        self._swept |= isinstance(error, ConfigError | Unavailable | BackendError)

    async def close(self) -> None:
        """Flush and close the parts that were opened here."""
        if self.closed:
            return
        try:
            await self.housekeeping(self.clock(), fully=True)
        finally:
            await self.events.close()
            self.closed = True
            try:
                await self.proof.close()
            finally:
                if self._workers is not None:
                    self._workers.dismiss()
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
        touches = [ports.Touch(tenant_id=tenant, accesses=noted) for tenant, noted in accesses.items()]
        try:
            await self.parts.store.write(touches, now=now)
        except NotSupported as error:
            self._counts = False
            log.debug("recalls are not counted: %s", error)


async def _called(call: Callable[[], T]) -> T:
    return call()


def report(progress: Progress | None, done: int, total: int) -> None:
    """Call the caller's `progress`, if there is one."""
    if progress is not None:
        progress(done, total)
