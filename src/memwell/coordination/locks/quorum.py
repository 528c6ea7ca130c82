"""Redlock: a lock on a majority of several independent key-values.

The algorithm is S. Sanfilippo's, https://redis.io/docs/latest/develop/use/patterns/distributed-locks/ : note the time;
add the key on all servers, each with a short timeout. The lock is held if a majority added it and time is left: the ttl
less the time it took and less the clock drift (1 % and 2 ms). Otherwise delete the key everywhere and try again after a
random pause.
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
    """A lock that survives the failure of a minority of the key-values; otherwise like `lock`.

    The key-values must be independent, not replicas of each other, and durable; one that has lost its data must stay
    offline for one ttl. Five survive the failure of two; without a majority, entering raises `Unavailable`. Each has
    `timeout` seconds to answer (default: a twentieth of the ttl, at most 1), so that one that is down costs little
    time; blocking parts use their own timeouts.

    There is no fencing token, because the counters of several servers have no common order. If a resource needs one,
    use `lock` on a durable key-value.
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
    """Like `redlock`, for `with`."""
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
                "redlock needs at least one key-value, and each only once; use an odd number, such as 3 or 5"
            )
        self._key = f"lock:{name}"
        self._quorum = len(self._parts) // 2 + 1
        self._timeout = min(self.ttl / 20, 1.0) if timeout is None else timeout
        self._acquired: tuple[KeyValue, ...] = ()
        """The key-values that added our key, or may have."""

    async def _take(self) -> float | None:
        try:
            requested = self._clock()
            answers = await self._all(
                self._parts, lambda part: part.add(self._key, self._value, ttl=self.ttl)
            )
            until = self._valid_until(requested)
            if answers.count(True) >= self._quorum and until > self._clock():
                pairs = zip(self._parts, answers, strict=True)
                self._acquired = tuple(part for part, added in pairs if added is not False)
                return until
        except BaseException:
            await self._release_all()
            raise
        await self._release_all()
        self._require_quorum(answers)
        return None

    async def _extend(self) -> float | None:
        requested = self._clock()
        answers = await self._all(
            self._acquired,
            lambda part: part.replace(self._key, self._value, expected=self._value, ttl=self.ttl),
        )
        until = self._valid_until(requested)
        if answers.count(True) >= self._quorum and until > self._clock():
            return until
        if len(answers) - answers.count(False) < self._quorum:
            return None
        raise Unavailable("too few key-values answered in time; try again", part="redlock", operation="renew")

    async def _drop(self) -> bool | None:
        answers = await self._release_all()
        failures = [answer for answer in answers if isinstance(answer, Exception)]
        if failures:
            log.warning("the lock %r could not be released everywhere: %s", self.name, failures[0])
        deleted = [
            answer for part, answer in zip(self._parts, answers, strict=True) if part in self._acquired
        ]
        if deleted.count(True) >= self._quorum:
            return True
        return False if len(deleted) - deleted.count(False) < self._quorum else None

    async def _release_all(self) -> list[bool | Exception]:
        """Delete our key everywhere, also where no answer came."""
        return await self._all(self._parts, lambda part: part.delete(self._key, expected=self._value))

    async def _all(
        self, parts: Sequence[KeyValue], request: Callable[[KeyValue], Awaitable[T]]
    ) -> list[T | Exception]:
        calls = [functools.partial(self._one, part, request) for part in parts]
        answers = await _bridge.gather(calls, blocking=self._blocking)
        for answer in answers:
            if isinstance(answer, Exception) and not isinstance(answer, MemwellError):
                raise answer
        return answers

    async def _one(self, part: KeyValue, request: Callable[[KeyValue], Awaitable[T]]) -> T:
        if part.blocking:
            return await request(part)
        return await _bridge.within(self._timeout, lambda: request(part))

    def _require_quorum(self, answers: Sequence[bool | Exception]) -> None:
        """Raise if too many key-values failed for waiting to help."""
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
