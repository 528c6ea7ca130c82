"""Parts in an order of preference: `Fallback(first, second)` is a part of the same port that answers while one can.

Reads go to the first part; when it is `Unavailable`, to the next, and the notes of a search say so. Bad input, missing
records and conflicts are answers, and never lead to the next part. A part that was unavailable is not called for
`recovery_timeout` seconds; then one call tries it again.

Writes go to the first part only. While it is unavailable they raise `Unavailable` (read-only), unless a fallback of
stores is given a `replay` log. Then a write goes to the next store that takes it and is recorded in the log, one write
at a time. Before anything else of this process reaches the first store again, the recorded writes are replayed on it in
that order (`memwell.followers.replay`):

- A write that the first store refuses then (a record was changed meanwhile, or its id was taken) is moved to the stream
  `memwell:refused`, with a warning in the log. Nothing is overwritten silently.
- If the first store fails itself, as with a full disk, it counts as unavailable until it has taken all.
- A write whose answer was lost is not made twice.
- Recorded writes survive the process if the log does. One process at a time replays; every process that met the outage
  looks into the log before it goes on.
- A write that cannot be recorded raises, though the stand-in may hold it until the replay.

What is erased (`Memory.erase`) is deleted in every part, and from the log of recorded and of refused writes.

The change sequence comes from the first part only: two stores number their changes differently. Something else keeps
the others up to date, such as `MirroredStore` or the database's own replication; they may lag behind.

Closing closes all parts, but not the log.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, TypeVar, cast

from memwell.errors import ConfigError, MemwellError, Unavailable
from memwell.followers.replay import REFUSED, REPLAY, Replay
from memwell.ports import Declaration, Delete, Embedder, Log, Port, Store, VectorIndex, call, declared
from memwell.ports.store.changes import Changes
from memwell.ports.store.search import Found
from memwell.resilience.circuit_breaker import CircuitBreaker
from memwell.types import Scope, Trace
from memwell.wrappers.base import Wrapper, close_all, require_same_mode

__all__ = ["REFUSED", "REPLAY", "Fallback"]

log = logging.getLogger("memwell.fallback")

P = TypeVar("P", bound=Port)

_WRITE: Final = declared(Store.write)
_PURGE: Final = declared(Store.purge)
_SAME: Final[dict[type[Port], tuple[str, ...]]] = {
    Embedder: ("model",),
    VectorIndex: ("dimension", "metric"),
}
"""What must be equal in all parts, so that their answers mean the same."""


class Fallback(Wrapper):
    """See the module. Of a part that is an instance of this, `answering` and `degraded` can be read."""

    part = "fallback"
    _parts: tuple[Port, ...]
    _breakers: tuple[CircuitBreaker, ...]
    _replay: Replay | None

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
        wrapper._breakers = tuple(
            CircuitBreaker(
                failure_threshold=1,
                recovery_timeout=recovery_timeout,
                expected_exception=Unavailable,
                clock=clock,
            )
            for _ in wrapper._parts
        )
        wrapper._replay = None if replay is None else Replay(wrapper.inner, replay)
        return wrapper  # type: ignore[no-any-return]

    @property
    def answering(self) -> int:
        """Which part would be asked now, counted from 0; the last when none is known to serve."""
        states = [guard.state for guard in self._breakers]
        return next((place for place, state in enumerate(states) if state == "closed"), len(states) - 1)

    @property
    def degraded(self) -> bool:
        """Whether the first part was unavailable when it was last asked."""
        return self._breakers[0].state != "closed"

    @property
    def dimension(self) -> int | None:
        """Of embedders and indexes: that of the first part that knows it."""
        dimensions = (cast("Any", part).dimension for part in self._parts)
        return next((dimension for dimension in dimensions if dimension is not None), None)

    def shares(self, log: Log) -> bool:  # noqa: ARG002
        """Never: another part may take the write."""
        return False

    async def _call(self, operation: Declaration, arguments: tuple[Any, ...]) -> Any:
        answer = await self._answer(operation, arguments)
        if operation is _PURGE:
            answer = [*answer, *await self._purge_others(*arguments)]
        return answer

    async def _purge_others(
        self, scope: Scope, ids: Sequence[str], texts: Sequence[str] | None
    ) -> list[Trace]:
        """Erase in the stand-ins too, which no deletion reaches by itself, and in the log of replayed writes."""
        found: list[Trace] = []
        for part in self._parts[1:]:
            store, place = cast("Store", part), f"fallback {part.part}"
            try:
                await store.write([Delete(scope=scope, ids=tuple(ids))], now=datetime.now(UTC))
                inside = await store.purge(scope, ids, texts=texts)
            except MemwellError as error:
                inside = [Trace(place="store", state="pending", detail=str(error))]
            found += [replace(trace, place=f"{place}: {trace.place}") for trace in inside]
        if self._replay is not None:
            found += await self._replay.purge(scope.tenant_id, ids, texts)
        return found

    async def _answer(self, operation: Declaration, arguments: tuple[Any, ...]) -> Any:
        try:
            return await self._breakers[0].run(
                lambda: self._on_first(operation, arguments), name=self.inner.part
            )
        except Unavailable as error:
            failure = error
        if self._replay is not None:
            self._replay.expect_entries()
            if operation is _WRITE:
                return await self._replay.record(
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
        if self._replay is not None:
            await self._replay.catch_up()
        return await call(self.inner, operation, arguments)

    async def _on_others(
        self, operation: Declaration, arguments: tuple[Any, ...], failure: Unavailable
    ) -> Any:
        for part, guard in zip(self._parts[1:], self._breakers[1:], strict=True):
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
        raise ConfigError("only the writes of stores can be replayed; omit `replay=`", part=Fallback.part)
    require_same_mode([first, *others, *([replay] if replay else [])], part=Fallback.part)
    for port, names in _SAME.items():
        for name in names if isinstance(first, port) else ():
            values = {getattr(part, name) for part in (first, *others)}
            if len(values) > 1:
                raise ConfigError(
                    f"the parts differ in `{name}`: {', '.join(sorted(map(str, values)))}", part=Fallback.part
                )
