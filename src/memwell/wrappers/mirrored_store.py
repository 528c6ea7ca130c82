"""A store with copies: `MirroredStore(first, {"copy": second})` is a `Store` whose writes call the others too.

The first store is the truth: it answers every call, and a write has happened when it is committed there. The mirrors
follow its change sequence, each at its own pace, with its position kept in the first store (`claim`, `advance`): so a
mirror that is down fails no write and loses nothing, whoever dies, and of several processes one feeds a mirror at a
time. With `wait` (the default) a write brings the mirrors abreast before it returns, unless one is down or fed by
somebody else just now; without, `follow()` does, whenever it is called. A mirror that failed is left alone for
`recovery_timeout` seconds.

A mirror holds each record with its id, versions, counts, relationships and older versions, and its vectors of the
model that serves. Recalls (`Touch`) are no changes; they come along with the record's next change. The names of
mirrors are kept with their positions: give a store that begins empty a new name. One that was emptied, or that lags so
far that the changes it needs were trimmed, is filled anew.

What was forgotten is forgotten in a mirror as soon as it can be reached; `holding(scope, ids)` tells which still have
it. `lag()` tells how many changes each is behind; `verify()` compares every record and, with `repair`, mends.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from memwell.errors import ConfigError, MemwellError, Unavailable
from memwell.followers.replica import EVER, Replica
from memwell.ports import Declaration, Delete, Operation, Store, declared, unsupported
from memwell.resilience.circuit_breaker import CircuitBreaker
from memwell.types import Problem, Report, Scope
from memwell.wrappers.base import StoreWrapper, close_all, require_same_mode

__all__ = ["MirroredStore"]

log = logging.getLogger("memwell.mirror")

_WRITE: Final = declared(Store.write)


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
        self._copies = {name: Replica(name, first, store, clock) for name, store in mirrors.items()}
        self._guards = {
            name: CircuitBreaker(failure_threshold=1, recovery_timeout=recovery_timeout, clock=monotonic)
            for name in mirrors
        }

    async def follow(self) -> dict[str, bool]:
        """Bring the mirrors abreast; which of them are. What fails is logged."""
        return {name: await self._followed(name) for name in self._copies}

    async def lag(self) -> dict[str, int]:
        """How many positions of the change sequence each mirror is behind."""
        return {name: await copy.behind() for name, copy in self._copies.items()}

    async def holding(self, scope: Scope, ids: Sequence[str]) -> dict[str, list[str] | None]:
        """Which of these records each mirror has (also expired ones); `None` for a mirror that cannot be asked."""
        found: dict[str, list[str] | None] = {}
        for name, copy in self._copies.items():
            try:
                records = await copy.store.get(scope, ids, now=EVER)
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
        for name, copy in self._copies.items():
            try:
                await copy.feed()
                count, wrong = await copy.compared()
                checked += count
                if repair and wrong:
                    await copy.put(wrong)
                    _, left = await copy.compared()
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
            abreast = await self.follow()
            if operation is _WRITE:
                _tell_of_forgotten(arguments[0], abreast)
        return answer

    async def _check(self, repair: bool) -> Report:
        report = await super()._check(repair)
        mirrors = await self.verify(repair=repair)
        return replace(
            report,
            ok=report.ok and mirrors.ok,
            problems=(*report.problems, *mirrors.problems),
            repaired=report.repaired + mirrors.repaired,
        )

    async def _followed(self, name: str) -> bool:
        copy, guard = self._copies[name], self._guards[name]
        try:
            return await guard.run(copy.feed, name=name)
        except MemwellError as error:
            if not (isinstance(error, Unavailable) and error.unsent):
                log.warning("the mirror %s lags behind: %s", name, error)
            return False

    async def _close(self) -> None:
        await close_all([self.inner, *(copy.store for copy in self._copies.values())])


def _tell_of_forgotten(operations: Sequence[Operation], abreast: Mapping[str, bool]) -> None:
    late = ", ".join(name for name, done in abreast.items() if not done)
    if late and any(isinstance(operation, Delete) for operation in operations):
        log.warning("what was forgotten is still in the mirror %s, until it can be fed again", late)
