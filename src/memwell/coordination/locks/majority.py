"""Redlock: a lock in the majority of several independent key-values.

The algorithm is S. Sanfilippo's, https://redis.io/docs/latest/develop/use/patterns/distributed-locks/ : note the time;
ask all for the key, each with a short limit; the lock is held if a majority gave it and time is left, which is the ttl
less the time it took and less a drift of clocks (1 % and 2 ms); else give all of it back and try again after a random
pause.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from memwell import _bridge
from memwell.coordination.locks.base import Lock, SyncLock, log, uptime
from memwell.errors import InvalidInput, MemwellError, Unavailable
from memwell.ports import KeyValue

__all__ = ["redlock", "redlock_sync"]

T = TypeVar("T")


def redlock(
    keyvalues: Sequence[KeyValue],
    name: str,
    *,
    ttl: float = 30.0,
    wait: float | None = None,
    renew: bool = False,
    timeout: float | None = None,
    clock: Callable[[], float] = uptime,
) -> Lock:
    """A lock that outlives the death of a minority of the key-values; entered and left as that of `lock`.

    The key-values must be independent of each other, not replicas, and each must keep what it has acknowledged, or stay
    away for a ttl after it lost it. Five outlive the death of two; with a majority gone, entering raises `Unavailable`.
    Each has `timeout` seconds to answer (a twentieth of the ttl, at most 1), so that a dead one costs little of the
    ttl; blocking parts keep their own time limits.

    There is no fencing token: counters of a majority do not make one order. Where a resource needs one, use `lock` on a
    key-value that loses nothing.
    """
    options = {"ttl": ttl, "wait": wait, "renew": renew, "clock": clock}
    return _Redlock(keyvalues, name, timeout=timeout, blocking=False, **options)


def redlock_sync(
    keyvalues: Sequence[KeyValue],
    name: str,
    *,
    ttl: float = 30.0,
    wait: float | None = None,
    renew: bool = False,
    timeout: float | None = None,
    clock: Callable[[], float] = uptime,
) -> SyncLock:
    """As `redlock`, to be entered with `with`."""
    blocking = all(keyvalue.blocking for keyvalue in keyvalues)
    options = {"ttl": ttl, "wait": wait, "renew": renew, "clock": clock}
    return SyncLock(
        _Redlock(keyvalues, name, timeout=timeout, blocking=blocking, **options), blocking=blocking
    )


class _Redlock(Lock):
    def __init__(
        self, keyvalues: Sequence[KeyValue], name: str, *, timeout: float | None, **options: Any
    ) -> None:
        super().__init__(name, **options)
        self._parts = tuple(keyvalues)
        if len({id(part) for part in self._parts}) != len(self._parts) or not self._parts:
            raise InvalidInput(
                "redlock needs key-values, each of them once; an odd number is best, such as 3 or 5"
            )
        self._key = f"lock:{name}"
        self._quorum = len(self._parts) // 2 + 1
        self._timeout = min(self.ttl / 20, 1.0) if timeout is None else timeout
        self._won: tuple[KeyValue, ...] = ()
        """Those that gave us the key, or may have."""

    async def _take(self) -> float | None:
        try:
            asked = self._clock()
            answers = await self._all(
                self._parts, lambda part: part.add(self._key, self._value, ttl=self.ttl)
            )
            until = self._valid(asked)
            if answers.count(True) >= self._quorum and until > self._clock():
                self._won = tuple(p for p, got in zip(self._parts, answers, strict=True) if got is not False)
                return until
        except BaseException:
            await self._give_back()
            raise
        await self._give_back()
        self._need_majority(answers)
        return None

    async def _extend(self) -> float | None:
        asked = self._clock()
        answers = await self._all(
            self._won, lambda part: part.replace(self._key, self._value, expected=self._value, ttl=self.ttl)
        )
        until = self._valid(asked)
        if answers.count(True) >= self._quorum and until > self._clock():
            return until
        if len(answers) - answers.count(False) < self._quorum:
            return None
        raise Unavailable("too few key-values answered in time; try again", part="redlock", operation="renew")

    async def _drop(self) -> bool | None:
        answers = await self._give_back()
        failures = [answer for answer in answers if isinstance(answer, Exception)]
        if failures:
            log.warning("the lock %r could not be released everywhere: %s", self.name, failures[0])
        held = [gone for part, gone in zip(self._parts, answers, strict=True) if part in self._won]
        if held.count(True) >= self._quorum:
            return True
        return False if len(held) - held.count(False) < self._quorum else None

    async def _give_back(self) -> list[bool | Exception]:
        """From all, also from those whose answer did not come."""
        return await self._all(self._parts, lambda part: part.delete(self._key, expected=self._value))

    async def _all(
        self, parts: Sequence[KeyValue], ask: Callable[[KeyValue], Awaitable[T]]
    ) -> list[T | Exception]:
        calls = [functools.partial(self._asked, part, ask) for part in parts]
        answers = await _bridge.gather(calls, blocking=self._blocking)
        for answer in answers:
            if isinstance(answer, Exception) and not isinstance(answer, MemwellError):
                raise answer
        return answers

    async def _asked(self, part: KeyValue, ask: Callable[[KeyValue], Awaitable[T]]) -> T:
        if part.blocking:
            return await ask(part)
        return await _bridge.within(self._timeout, lambda: ask(part))

    def _need_majority(self, answers: Sequence[bool | Exception]) -> None:
        """Raise if so many key-values failed that waiting will not help."""
        failures = [answer for answer in answers if isinstance(answer, Exception)]
        if len(self._parts) - len(failures) >= self._quorum:
            return
        for failure in failures:
            if isinstance(failure, MemwellError) and not failure.transient:
                raise failure
        raise Unavailable(
            f"redlock needs {self._quorum} of {len(self._parts)} key-values; {len(failures)} failed: {failures[0]}",
            part="redlock",
            operation="enter",
            retry_after=self.ttl,
        ) from failures[0]
