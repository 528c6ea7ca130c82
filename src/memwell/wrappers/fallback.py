"""Parts in an order of preference: `Fallback(first, second)` is a part of the same port that answers while one can.

Reads go to the first part; when it is `Unavailable`, to the next, and the notes of a search say so. Bad input, missing
records and conflicts are answers, and never lead further. A part that was unavailable is left alone for
`recovery_timeout` seconds and then asked again, by one call.

Writes go to the first part only. While it is unavailable they raise `Unavailable` (read-only), unless a `replay` log
is given to a fallback of stores: then a write goes to the next store that takes it and is noted in the log, one write
after the other, and all that was noted is carried out on the first, in that order, before anything else of this process
reaches it again. What the first refuses then (somebody has changed the record meanwhile, or took the id) is put aside
in the stream `memwell:refused`, with a warning in the log: nothing is overwritten silently. A first that fails itself,
as with a full disk, counts as unavailable until it has taken all. A write whose answer was lost is not carried out
twice (`reconcile`); what is noted survives the process if the log does, of several processes one replays at a time,
and each that met the outage looks into the log before it goes on. A write that the log does not take raises, though
the stand-in has it until then.

The change sequence is the first part's alone: two stores number their changes differently. The others are fed by
somebody else, such as `MirroredStore` or the database's own replication; they may lag behind.

Closing closes all parts, but not the log, which was handed in.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, TypeVar, cast

from memwell import _bridge
from memwell._forks import fork_safe
from memwell.errors import ConfigError, MemwellError, Unavailable
from memwell.ports import Declaration, Embedder, Log, Operation, Port, Store, VectorIndex, call, declared
from memwell.ports.store.changes import Changes
from memwell.ports.store.search import Found
from memwell.records.ids import new_id
from memwell.records.operations import pack, unpack
from memwell.resilience.circuit_breaker import CircuitBreaker, blames_backend
from memwell.resilience.unknown_outcome import reconcile
from memwell.wrappers.base import Wrapper, close_all, require_same_mode

__all__ = ["REFUSED", "REPLAY", "Fallback"]

log = logging.getLogger("memwell.fallback")

P = TypeVar("P", bound=Port)
T = TypeVar("T")

REPLAY: Final = "memwell:replay"
"""The stream of the writes that wait for the first store."""
REFUSED: Final = "memwell:refused"
"""The stream of the writes that the first store has refused when they were replayed."""

_WRITE: Final = declared(Store.write)
_FOLLOWER: Final = "replay of a fallback"
_LEASE: Final = 60.0
_BATCH: Final = 50
_ALIKE: Final[dict[type[Port], tuple[str, ...]]] = {
    Embedder: ("model",),
    VectorIndex: ("dimension", "metric"),
}
"""What must be the same of all parts, for their answers to mean the same."""


class Fallback(Wrapper):
    """See the module. Of a part that is an instance of this, `answering` and `degraded` can be read."""

    part = "fallback"
    _parts: tuple[Port, ...]
    _guards: tuple[CircuitBreaker, ...]
    _backlog: _Backlog | None

    def __new__(  # type: ignore[misc]
        cls,
        first: P,
        *others: P,
        replay: Log | None = None,
        recovery_timeout: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> P:
        _check(first, others, replay)
        wrapper = cls._wrap(first)
        wrapper._parts = (first, *others)
        wrapper._guards = tuple(
            CircuitBreaker(
                failure_threshold=1,
                recovery_timeout=recovery_timeout,
                expected_exception=Unavailable,
                clock=clock,
            )
            for _ in wrapper._parts
        )
        wrapper._backlog = None if replay is None else _Backlog(wrapper.inner, replay)
        return wrapper  # type: ignore[no-any-return]

    @property
    def answering(self) -> int:
        """Which part would be asked now, counted from 0; the last when none is known to serve."""
        states = [guard.state for guard in self._guards]
        return next((place for place, state in enumerate(states) if state == "closed"), len(states) - 1)

    @property
    def degraded(self) -> bool:
        """Whether the first part was unavailable when it was last asked."""
        return self._guards[0].state != "closed"

    @property
    def dimension(self) -> int | None:
        """Of embedders and indexes: that of the first part that knows it."""
        dimensions = (cast("Any", part).dimension for part in self._parts)
        return next((dimension for dimension in dimensions if dimension is not None), None)

    async def _call(self, operation: Declaration, arguments: tuple[Any, ...]) -> Any:
        try:
            return await self._guards[0].run(
                lambda: self._on_first(operation, arguments), name=self.inner.part
            )
        except Unavailable as error:
            failure = error
        if self._backlog is not None:
            self._backlog.doubt()
            if operation is _WRITE:
                return await self._backlog.noted(
                    lambda: self._on_others(operation, arguments, failure), *arguments
                )
        if operation.writes or operation.role is Changes:
            raise Unavailable(
                f"{self.inner.part} is unavailable, and only it takes `{operation.name}`; try again later",
                part=self.part,
                operation=operation.name,
                retry_after=failure.retry_after,
                unsent=failure.unsent,
            ) from failure
        return await self._on_others(operation, arguments, failure)

    async def _on_first(self, operation: Declaration, arguments: tuple[Any, ...]) -> Any:
        if self._backlog is not None:
            await self._backlog.carry_out()
        return await call(self.inner, operation, arguments)

    async def _on_others(
        self, operation: Declaration, arguments: tuple[Any, ...], failure: Unavailable
    ) -> Any:
        for part, guard in zip(self._parts[1:], self._guards[1:], strict=True):
            try:
                answer = await guard.run(lambda part=part: call(part, operation, arguments), name=part.part)  # type: ignore[misc]
            except Unavailable as error:
                log.debug("%s cannot stand in for %s: %s", part.part, self.inner.part, error)
                continue
            if isinstance(answer, Found):
                note = f"answered by the fallback {part.part}, which may lag behind: {failure}"
                return replace(answer, notes=(*answer.notes, note))
            return answer
        raise failure

    async def _close(self) -> None:
        await close_all(self._parts)


def _check(first: Port, others: Sequence[Port], replay: Log | None) -> None:
    if not others:
        raise ConfigError("a fallback needs a second part", part=Fallback.part)
    if replay is not None and not isinstance(first, Store):
        raise ConfigError("only the writes of stores can be replayed; leave replay away", part=Fallback.part)
    require_same_mode([first, *others, *([replay] if replay else [])], part=Fallback.part)
    for port, names in _ALIKE.items():
        for name in names if isinstance(first, port) else ():
            told = {getattr(part, name) for part in (first, *others)}
            if len(told) > 1:
                raise ConfigError(
                    f"the parts differ in `{name}`: {', '.join(sorted(map(str, told)))}", part=Fallback.part
                )


class _Backlog:
    """Writes that the first store has yet to carry out."""

    def __init__(self, first: Store, kept: Log) -> None:
        self._first, self._log = first, kept
        self._token = new_id()
        self._notes, self._replayed = 1, 0
        """What may have been noted, and how much of it is known to be replayed: alike when nothing waits."""
        self._turn = _bridge.PerLoopLock(blocking=first.blocking)
        self._reset_lock()
        fork_safe(self._reset_lock)

    def _reset_lock(self) -> None:
        self._replaying = threading.Lock()

    def doubt(self) -> None:
        """The first was away: somebody may have noted something."""
        self._notes += 1

    async def noted(
        self, write: Callable[[], Awaitable[T]], operations: Sequence[Operation], now: datetime
    ) -> T:
        """Make a write elsewhere and keep its operations, no other write in between."""
        async with self._turn:
            results = await write()
            await self._log.append(REPLAY, [pack(operations, now)])
            self._notes += 1
        return results

    async def carry_out(self) -> None:
        """Do what was noted, in order. Raises `Unavailable` while that cannot be done, or somebody else does it."""
        if self._replayed == self._notes:
            return
        if not self._replaying.acquire(blocking=False):
            raise _busy()
        try:
            notes = self._notes  # what is noted from now on may be missing in the log that is read next
            if await self._log.read(REPLAY, limit=1):
                await self._drain()
            self._replayed = notes
        finally:
            self._replaying.release()

    async def _drain(self) -> None:
        await self._claim()
        try:
            while entries := await self._log.read(REPLAY, limit=_BATCH):
                for entry in entries:
                    await self._replay(entry.data)
                    await self._log.trim(REPLAY, through=entry.position)
                await self._claim()
        finally:
            end = await self._first.position()  # so that no changes are kept for this follower
            await self._first.advance(_FOLLOWER, self._holder(), end, release=True)

    async def _claim(self) -> None:
        now = datetime.now(UTC)
        if await self._first.claim(_FOLLOWER, self._holder(), seconds=_LEASE, now=now) is None:
            raise _busy()

    def _holder(self) -> str:
        return f"{self._token}-{os.getpid()}"

    async def _replay(self, data: bytes) -> None:
        try:
            operations, now = unpack(data)
            done = await reconcile(self._first, operations, now=now)
            left = [operation for place, operation in enumerate(operations) if place not in done]
            await self._first.write(left, now=now)
        except Unavailable:
            raise
        except MemwellError as error:
            if blames_backend(error):
                log.warning(
                    "what was written while %s was away cannot be replayed: %s", self._first.part, error
                )
                raise Unavailable(f"it cannot take what was written meanwhile: {error}") from error
            log.warning("a write made while %s was away is refused by it now: %s", self._first.part, error)
            await self._log.append(REFUSED, [data])


def _busy() -> Unavailable:
    return Unavailable(
        "what was written meanwhile is being replayed; try again", retry_after=1.0, unsent=True
    )
