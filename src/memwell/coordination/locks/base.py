"""What locks of both kinds share: entering with patience, knowing when one is lost, renewal, leaving."""

from __future__ import annotations

import logging
import math
import os
import random as chance
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from secrets import token_hex
from types import TracebackType
from typing import Final, Self

from memwell import _bridge
from memwell.errors import Conflict, InvalidInput, MemwellError, Unavailable
from memwell.ports.keyvalue import check_key

__all__ = ["Lock", "SyncLock", "uptime"]

log = logging.getLogger("memwell.coordination.locks")

DRIFT: Final = 0.01
"""Share of the ttl by which clocks may differ meanwhile."""
GRAIN: Final = 0.002
"""Seconds besides, for servers that expire by the millisecond."""
SHORTEST, LONGEST = 0.01, 0.5
"""Seconds between attempts: at most the one after the first, growing to the other."""


def uptime() -> float:
    """Seconds on a clock that never goes back, and that counts while the machine sleeps where there is one."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


class Lock(ABC):
    """A lock to be entered with `async with`, which gives the lock itself; see `memwell.coordination.locks`."""

    token: int | None = None
    """Larger than that of every earlier holder of the name; `None` where there is none (`redlock`)."""

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
            raise InvalidInput("the ttl of a lock is a finite number of seconds, at least 0.01")
        if wait is not None and (
            isinstance(wait, bool) or not isinstance(wait, int | float) or not wait >= 0
        ):
            raise InvalidInput("wait is a number of seconds, 0 or more, or None for as long as it takes")
        self.ttl, self._wait, self._renewing = ttl, wait, renew
        self._blocking, self._clock, self._random = blocking, clock, random
        self._value = b""
        self._until: float | None = None
        self._pid = 0
        self._guard = threading.Lock()
        self._entering = False
        self._gone: Exception | str | None = None
        self._stop: Callable[[], None] | None = None

    @property
    def lost(self) -> bool:
        """Whether the lock is not held, or not for sure: expired by our clock, taken away, or another process's."""
        return self._gone is not None or self.remaining <= 0

    @property
    def remaining(self) -> float:
        """Seconds for which it is surely held still, if it is not renewed."""
        if self._until is None or self._gone is not None or self._pid != os.getpid():
            return 0.0
        return max(0.0, self._until - self._clock())

    def check(self) -> None:
        """Return if the lock is held. Raises `Conflict` if it was lost: stop, and undo what must not be half done."""
        if self.lost:
            raise self._loss()

    async def renew(self) -> None:
        """Hold the lock for another `ttl` from now. Raises `Conflict` if it was lost, `Unavailable` if nobody knows;
        then it is held for as long as before."""
        self.check()
        value = self._value
        until = await self._extend()
        with self._guard:
            if self._value is not value or self._until is None:  # left meanwhile
                raise self._loss()
            if until is None:
                self._gone = "somebody else has taken it, or the key-value has forgotten it"
                raise self._loss()
            self._until = until

    async def __aenter__(self) -> Self:
        with self._guard:
            if self._until is not None or self._entering:
                raise InvalidInput(
                    f"this lock on {self.name!r} is held or being entered already; make one for each holder"
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
                    f"the lock {self.name!r} was held by others for {self._wait:g} seconds; try again",
                    part="lock",
                    operation="enter",
                    retry_after=self.ttl,
                    unsent=True,
                )
            await _bridge.pause(min(left, self._pause(attempt)), blocking=self._blocking)
            attempt += 1
        self._until, self._pid, self._gone = until, os.getpid(), None
        if self._renewing:
            self._stop = _bridge.repeat(self._renew_quietly, self.ttl / 3, blocking=self._blocking)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stop:
            self._stop()
            self._stop = None
        if self._pid != os.getpid():  # a fork: the lock is the parent's to release
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
        """Try once: until when it is held, by our clock; `None` if others have it. Leaves nothing behind when it
        raises."""

    @abstractmethod
    async def _extend(self) -> float | None:
        """Hold it for another ttl: until when; `None` if it is ours no longer."""

    @abstractmethod
    async def _drop(self) -> bool | None:
        """Release it. Whether it was ours until now; `None` if nobody can tell. Raises nothing of memwell's."""

    def _valid(self, asked: float) -> float:
        """Until when a key surely lives that was asked for with our ttl at this moment."""
        return asked + self.ttl - (self.ttl * DRIFT + GRAIN)

    def _pause(self, attempt: int) -> float:
        return self._random() * min(LONGEST, SHORTEST * 2.0 ** min(attempt, 16))

    def _loss(self) -> Conflict:
        why = self._gone or (
            "it is not held" if self._until is None else "it was not released or renewed in time"
        )
        loss = Conflict(f"the lock {self.name!r} is lost: {why}", part="lock", operation="check")
        if isinstance(why, Exception):
            loss.__cause__ = why
        return loss

    async def _renew_quietly(self) -> bool:
        """Whether to go on renewing. What fails for the moment is tried again until the lock has expired."""
        try:
            await self.renew()
        except Conflict:
            return False
        except MemwellError as error:
            log.warning("the lock %r could not be renewed: %s", self.name, error)
        return not self.lost


class SyncLock:
    """A lock to be entered with `with`, which gives the lock itself; see `memwell.coordination.locks`."""

    def __init__(self, lock: Lock, *, blocking: bool) -> None:
        self._lock, self._blocking = lock, blocking

    @property
    def name(self) -> str:
        """What is locked."""
        return self._lock.name

    @property
    def token(self) -> int | None:
        """As `Lock.token`."""
        return self._lock.token

    @property
    def lost(self) -> bool:
        """As `Lock.lost`."""
        return self._lock.lost

    @property
    def remaining(self) -> float:
        """As `Lock.remaining`."""
        return self._lock.remaining

    def check(self) -> None:
        """As `Lock.check`."""
        self._lock.check()

    def renew(self) -> None:
        """As `Lock.renew`."""
        _bridge.complete(self._lock.renew(), blocking=self._blocking)

    def __enter__(self) -> Self:
        _bridge.complete(self._lock.__aenter__(), blocking=self._blocking)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _bridge.complete(self._lock.__aexit__(kind, error, trace), blocking=self._blocking)
