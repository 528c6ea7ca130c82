"""A store with mirrors: `MirroredStore(first, {"copy": second})` is a `Store` whose writes reach the others too.

The first store is the truth: it answers every call, and a write has happened when it is committed there. The mirrors
follow its change sequence (`memwell.followers`), each at its own pace: a mirror that is down fails no write and loses
nothing. With `wait` (the default) a write brings the mirrors up to date before it returns, unless one is down or
another process is delivering to it; without, `follow()` does. A mirror that failed is not called for
`recovery_timeout` seconds.

A mirror holds each record with its id, versions, counts, links and older versions, and its vectors of the model that
serves. Recalls (`Touch`) are no changes; they arrive with the record's next change. The first store keeps the position
of each mirror under its name: give a store that begins empty a new name. A mirror is rebuilt when it was emptied or has
lost writes, when the first store has lost writes, and when the changes it needs were trimmed.

What was forgotten is forgotten in a mirror as soon as it can be reached; `holding(scope, ids)` tells which still have
it. `lag()` tells how many positions each is behind; `verify()` compares every record and, with `repair`, mends.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from memwell.errors import ConfigError, MemwellError, Unavailable
from memwell.followers import Follower
from memwell.followers.keys import NEVER_EXPIRED
from memwell.followers.replica import Replica
from memwell.ports import Declaration, Delete, Operation, Store, declared, unsupported
from memwell.resilience.circuit_breaker import CircuitBreaker
from memwell.types import Problem, Report, Scope, Trace
from memwell.wrappers.base import StoreWrapper, close_all, require_same_mode

__all__ = ["MirroredStore"]

log = logging.getLogger("memwell.mirror")

_WRITE: Final = declared(Store.write)
_LEASE: Final = 30.0
"""Seconds. A batch of a distant mirror may take longer than one of an index."""


class MirroredStore(StoreWrapper):
    """See the module."""

    part = "mirrored"

    def __init__(
        self,
        first: Store,
        mirrors: Mapping[str, Store],
        *,
        wait: bool = True,
        recovery_timeout: float = 5.0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if not mirrors:
            raise ConfigError("give at least one mirror by name", part=self.part)
        if not first.capabilities.changes:
            raise unsupported(first.part, "changes", "mirrors follow them; use another first store")
        require_same_mode([first, *mirrors.values()], part=self.part)
        self.inner = first
        self._wait = wait
        self._replicas = {name: Replica(first, store) for name, store in mirrors.items()}
        self._followers = {
            name: Follower(first, replica, name=f"mirror {name}", clock=clock, lease=_LEASE)
            for name, replica in self._replicas.items()
        }
        self._breakers = {
            name: CircuitBreaker(failure_threshold=1, recovery_timeout=recovery_timeout, clock=monotonic)
            for name in mirrors
        }

    async def follow(self) -> dict[str, bool]:
        """Bring the mirrors up to date. Returns which of them are; what fails is logged."""
        return {name: await self._caught_up(name) for name in self._replicas}

    async def lag(self) -> dict[str, int]:
        """How many positions of the change sequence each mirror is behind."""
        return {name: await follower.lag() for name, follower in self._followers.items()}

    async def holding(self, scope: Scope, ids: Sequence[str]) -> dict[str, list[str] | None]:
        """Which of these records each mirror has (also expired ones); `None` for a mirror that cannot be asked."""
        found: dict[str, list[str] | None] = {}
        for name, replica in self._replicas.items():
            try:
                records = await replica.store.get(scope, ids, now=NEVER_EXPIRED)
            except MemwellError as error:
                log.debug("the mirror %s cannot be asked: %s", name, error)
                found[name] = None
            else:
                found[name] = [record.id for record in records]
        return found

    async def verify(self, *, repair: bool = False) -> Report:
        """Compare every record of every mirror with the first store; with `repair`, copy what differs.

        Writes that happen meanwhile may show as differences; those are mended by the next `follow`.
        """
        problems: list[Problem] = []
        checked = repaired = 0
        for name, replica in self._replicas.items():
            try:
                await self._followers[name].catch_up()
                count, wrong = await replica.compare()
                checked += count
                if repair and wrong:
                    await replica.copy(wrong)
                    _, left = await replica.compare()
                    repaired += len(wrong.keys() - left.keys())
                    wrong = {key: what for key, what in left.items() if key in wrong}
            except MemwellError as error:
                problems.append(
                    Problem(kind="mirror", detail=f"{name} cannot be compared: {error}", repairable=False)
                )
                continue
            problems += [
                Problem(kind="mirror", detail=f"{name}: {what}", id=id)
                for (_, id), what in sorted(wrong.items())
            ]
        return Report(ok=not problems, checked=checked, problems=tuple(problems), repaired=repaired)

    async def _call(self, operation: Declaration, arguments: tuple[Any, ...]) -> Any:
        answer = await super()._call(operation, arguments)
        if operation.feeds and self._wait:
            up_to_date = await self.follow()
            if operation is _WRITE:
                _warn_of_forgotten(arguments[0], up_to_date)
        return answer

    async def _purge(self, scope: Scope, ids: Sequence[str], texts: Sequence[str] | None) -> list[Trace]:
        found: list[Trace] = await super()._purge(scope, ids, texts)
        for name, replica in self._replicas.items():
            place = f"mirror {name}"
            if not await self._caught_up(name):
                detail = "could not be updated; it may still hold what was erased"
                found.append(Trace(place=place, state="pending", detail=detail))
                continue
            try:
                inside = await replica.store.purge(scope, ids, texts=texts)
            except MemwellError as error:
                inside = [Trace(place="store", state="pending", detail=str(error))]
            found += [replace(trace, place=f"{place}: {trace.place}") for trace in inside]
        return found

    async def _check(self, repair: bool) -> Report:
        report = await super()._check(repair)
        mirrors = await self.verify(repair=repair)
        return replace(
            report,
            ok=report.ok and mirrors.ok,
            problems=(*report.problems, *mirrors.problems),
            repaired=report.repaired + mirrors.repaired,
        )

    async def _caught_up(self, name: str) -> bool:
        try:
            return await self._breakers[name].run(self._followers[name].catch_up, name=name)
        except MemwellError as error:
            if not (isinstance(error, Unavailable) and error.unsent):
                log.warning("the mirror %s lags behind: %s", name, error)
            return False

    async def _close(self) -> None:
        await close_all([self.inner, *(replica.store for replica in self._replicas.values())])


def _warn_of_forgotten(operations: Sequence[Operation], up_to_date: Mapping[str, bool]) -> None:
    late = ", ".join(name for name, done in up_to_date.items() if not done)
    if late and any(isinstance(operation, Delete) for operation in operations):
        log.warning("what was forgotten is still in the mirror %s, until it can be updated again", late)
