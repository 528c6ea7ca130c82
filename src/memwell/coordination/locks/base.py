"""What both kinds of lock share: waiting to enter, noticing a loss, renewing, leaving."""

from __future__ import annotations

import logging
import math
import os
import random as chance
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from secrets import token_hex
from types import TracebackType
from typing import Final, Self

from memwell import _bridge
from memwell._forks import ForkSafeLock
from memwell.errors import Conflict, InvalidInput, MemwellError, Unavailable
from memwell.ports.keyvalue import check_key

__all__ = ["Lock", "SyncLock", "uptime"]

log = logging.getLogger("memwell.coordination.locks")

DRIFT: Final = 0.01
"""Fraction of the ttl by which clocks may drift apart."""
RESOLUTION: Final = 0.002
"""Seconds on top of that, for servers that count expiry in milliseconds."""
FIRST_PAUSE, MAX_PAUSE = 0.01, 0.5
"""Longest pause in seconds after the first attempt, and after any later one."""


def uptime() -> float:
    """Seconds of a monotonic clock; where the system has one, a clock that counts while the machine sleeps."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


class Lock(ABC):
    """A lock for `async with`, which returns the lock itself; see `memwell.coordination.locks`."""

    token: int | None = None
    """Fencing token: larger than that of every earlier holder of the name; `None` for `redlock`."""

    def __init__(
        self,
        name: str,
        *,
        ttl: float,
        wait: float | None,
        renew: bool,
        blocking: bool,
        clock: Callable[[], float],
        random: Callable[[], float] = chance.random,
    ) -> None:
        self.name = check_key(name)
        if isinstance(ttl, bool) or not isinstance(ttl, int | float) or not math.isfinite(ttl) or ttl < 0.01:
            raise InvalidInput("the ttl of a lock must be a finite number of seconds, at least 0.01")
        if wait is not None and (
            isinstance(wait, bool) or not isinstance(wait, int | float) or not wait >= 0
        ):
            raise InvalidInput("wait must be a number of seconds, at least 0, or None to wait without limit")
        self.ttl, self._wait, self._renewing = ttl, wait, renew
        self._blocking, self._clock, self._random = blocking, clock, random
        self._value = b""
        self._until: float | None = None
        self._pid = 0
        self._guard = ForkSafeLock()
        self._entering = False
        self._loss_cause: Exception | str | None = None
        self._stop: Callable[[], None] | None = None

    @property
    def lost(self) -> bool:
        """Whether the lock is no longer certainly held: expired by our clock, taken by another holder, or held by the
        parent process."""
        return self._loss_cause is not None or self.remaining <= 0

    @property
    def remaining(self) -> float:
        """Seconds for which the lock is certainly held, unless it is renewed."""
        if self._until is None or self._loss_cause is not None or self._pid != os.getpid():
            return 0.0
        return max(0.0, self._until - self._clock())

    def check(self) -> None:
        """Raises `Conflict` if the lock was lost: stop, and undo what must not be left half done."""
        if self.lost:
            raise self._loss()

    async def renew(self) -> None:
        """Hold the lock for another `ttl` from now. Raises `Conflict` if it was lost, and `Unavailable` if that is
        unknown; the time until which it is held is then unchanged."""
        self.check()
        value = self._value
        until = await self._extend()
        with self._guard:
            if self._value is not value or self._until is None:  # left meanwhile
                raise self._loss()
            if until is None:
                self._loss_cause = "another holder has it, or the key-value has lost it"
                raise self._loss()
            self._until = until

    async def __aenter__(self) -> Self:
        with self._guard:
            if self._until is not None or self._entering:
                raise InvalidInput(
                    f"this lock on {self.name!r} is already held or being entered; create one for each holder"
                )
            self._entering = True
        try:
            await self._enter()
        finally:
            self._entering = False
        return self

    async def _enter(self) -> None:
        began, attempt = self._clock(), 0
        while True:
            self._value = token_hex(16).encode()
            until = await self._take()
            if until is not None:
                break
            left = math.inf if self._wait is None else began + self._wait - self._clock()
            if left <= 0:
                raise Unavailable(
                    f"the lock {self.name!r} was still held by another caller after {self._wait:g} seconds; try again",
                    part="lock",
                    operation="enter",
                    retry_after=self.ttl,
                    unsent=True,
                )
            await _bridge.pause(min(left, self._pause(attempt)), blocking=self._blocking)
            attempt += 1
        self._until, self._pid, self._loss_cause = until, os.getpid(), None
        if self._renewing:
            self._stop = _bridge.repeat(self._renew_quietly, self.ttl / 3, blocking=self._blocking)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stop:
            self._stop()
            self._stop = None
        if self._pid != os.getpid():  # after a fork, only the parent releases the lock
            return
        lost, loss = self.lost, self._loss()
        try:
            ours = await self._drop()
        finally:
            with self._guard:
                self._until = None
        if error is None and (ours is False or (ours is None and lost)):
            raise loss

    @abstractmethod
    async def _take(self) -> float | None:
        """Try once to acquire the lock. Returns until when it is held, by our clock; `None` if it is taken. If it
        raises, it leaves no key behind."""

    @abstractmethod
    async def _extend(self) -> float | None:
        """Hold it for another ttl. Returns until when; `None` if it is no longer ours."""

    @abstractmethod
    async def _drop(self) -> bool | None:
        """Release it. Returns whether it was ours until now; `None` if that is unknown. Never raises a
        `MemwellError`."""

    def _valid_until(self, requested: float) -> float:
        """Until when a key certainly exists that was requested with our ttl at this time."""
        return requested + self.ttl - (self.ttl * DRIFT + RESOLUTION)

    def _pause(self, attempt: int) -> float:
        return self._random() * min(MAX_PAUSE, FIRST_PAUSE * 2.0 ** min(attempt, 16))

    def _loss(self) -> Conflict:
        cause = self._loss_cause or (
            "it is not held" if self._until is None else "it was not released or renewed in time"
        )
        loss = Conflict(f"the lock {self.name!r} is lost: {cause}", part="lock", operation="check")
        if isinstance(cause, Exception):
            loss.__cause__ = cause
        return loss

    async def _renew_quietly(self) -> bool:
        """Renew without raising; returns whether to continue. Failures are retried until the lock has expired."""
        try:
            await self.renew()
        except Conflict:
            return False
        except MemwellError as error:
            log.warning("the lock %r could not be renewed: %s", self.name, error)
        return not self.lost


class SyncLock:
    """A lock for `with`, which returns the lock itself; see `memwell.coordination.locks`."""

    def __init__(self, lock: Lock, *, blocking: bool) -> None:
        self._lock, self._blocking = lock, blocking

    @property
    def name(self) -> str:
        """The name of the lock."""
        return self._lock.name

    @property
    def token(self) -> int | None:
        """See `Lock.token`."""
        return self._lock.token

    @property
    def lost(self) -> bool:
        """See `Lock.lost`."""
        return self._lock.lost

    @property
    def remaining(self) -> float:
        """See `Lock.remaining`."""
        return self._lock.remaining

    def check(self) -> None:
        """See `Lock.check`."""
        self._lock.check()

    def renew(self) -> None:
        """See `Lock.renew`."""
        _bridge.complete(self._lock.renew(), blocking=self._blocking)

    def __enter__(self) -> Self:
        _bridge.complete(self._lock.__aenter__(), blocking=self._blocking)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _bridge.complete(self._lock.__aexit__(kind, error, trace), blocking=self._blocking)
