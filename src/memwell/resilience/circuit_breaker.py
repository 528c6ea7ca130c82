"""The circuit breaker: stops calling a backend that keeps failing, and probes it again after a pause."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Literal, TypeAlias, TypeVar

from memwell.errors import BackendError, ConfigError, Corrupt, MemwellError, Unavailable
from memwell.resilience.retry import Call, Errors, guarded_by

__all__ = ["CircuitBreaker", "blames_backend"]

log = logging.getLogger("memwell.resilience.decorators")

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])
State: TypeAlias = Literal["closed", "open", "half_open"]


def blames_backend(error: Exception) -> bool:
    """Whether an error speaks of the backend, not of what was asked of it or of one damaged record."""
    if not isinstance(error, MemwellError):
        return True
    return isinstance(error, Unavailable | BackendError) and not isinstance(error, Corrupt)


class CircuitBreaker:
    """Stops calling a backend that fails, and asks it now and then whether it is back.

    - *closed*: calls go through. `failure_threshold` failures without a success between them, all within `window`
      seconds, open it.
    - *open*: calls raise `Unavailable` at once, with `retry_after`.
    - *half-open*, after `recovery_timeout` seconds: one call goes through as a probe, others are still refused. If it
      succeeds the breaker closes, else it is open again for as long. If it has not ended after as long again, another
      one goes through.

    A failure is an `expected_exception` that speaks of the backend (`blames_backend`); an answer such as `NotFound` is
    a success. Calls that began before the breaker changed its state no longer change it. One breaker may guard several
    functions and parts that stand on the same service. Safe for threads and tasks; a forked child goes on with its own.
    """

    def __init__(
        self,
        *,
        failure_threshold: int = 5,
        recovery_timeout: float = 60.0,
        expected_exception: Errors = Exception,
        window: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if failure_threshold < 1 or recovery_timeout < 0 or window <= 0:
            raise ConfigError("failure_threshold is at least 1, recovery_timeout 0 or more, window over 0")
        self._threshold, self._rest, self._window = failure_threshold, recovery_timeout, window
        self._expected, self._clock = expected_exception, clock
        self._pid, self._lock = os.getpid(), threading.Lock()
        self._failures: deque[float] = deque(maxlen=failure_threshold)
        self._opened: float | None = None
        self._probe: float | None = None
        """When the probe that is under way began."""
        self._era = 0
        """Counts the changes of state, so that late results are recognised."""

    @property
    def state(self) -> State:
        """`closed`, `open`, or `half_open` when a probe may go through or is under way."""
        with self._alone():
            if self._opened is None:
                return "closed"
            return "half_open" if self._probe is not None or self._remaining() <= 0 else "open"

    @property
    def failures(self) -> int:
        """Failures that count now; 0 unless closed."""
        with self._alone():
            oldest = self._clock() - self._window
            return sum(at > oldest for at in self._failures)

    def reset(self) -> None:
        """Close it and forget all failures."""
        with self._alone():
            self._close()

    def __call__(self, function: F) -> F:
        """Decorate a function or coroutine function."""
        return guarded_by(function, self)

    async def run(self, call: Call[T], *, name: str, blocking: bool = False) -> T:  # noqa: ARG002  alike in both gears
        """The result of the call. Raises `Unavailable`, `unsent`, while the breaker is open."""
        era = self._admit(name)
        try:
            result = await call()
        except Exception as error:
            self._settle(era, failed=isinstance(error, self._expected) and blames_backend(error))
            raise
        except BaseException:  # cancelled or interrupted: no verdict, and the next call may probe
            self._settle(era, failed=None)
            raise
        self._settle(era, failed=False)
        return result

    def _alone(self) -> threading.Lock:
        if self._pid != os.getpid():  # a fork may have copied a lock that nobody will release
            self._pid, self._lock = os.getpid(), threading.Lock()
        return self._lock

    def _admit(self, name: str) -> int:
        with self._alone():
            if self._opened is None:
                return self._era
            left = self._remaining()
            if left <= 0 and not self._probed():
                self._probe = self._clock()
                return self._era
        raise Unavailable(
            f"{name} failed too often and is not called for now; try again later",
            retry_after=left if left > 0 else None,
            unsent=True,
        )

    def _settle(self, era: int, *, failed: bool | None) -> None:
        with self._alone():
            if era != self._era:
                return
            self._probe = None
            if failed is None:
                return
            if not failed:
                self._close()
                return
            now = self._clock()
            self._failures.append(now)
            full = len(self._failures) == self._threshold and now - self._failures[0] < self._window
            if full or self._opened is not None:
                self._opened, self._era = now, self._era + 1
                self._failures.clear()
                log.warning("a circuit breaker has opened for %g seconds", self._rest)

    def _close(self) -> None:
        if self._opened is not None:
            self._era += 1
            log.info("a circuit breaker has closed")
        self._opened, self._probe = None, None
        self._failures.clear()

    def _probed(self) -> bool:
        """Whether a probe is under way that need not be taken for lost."""
        if self._probe is None:
            return False
        return self._rest == 0 or self._clock() - self._probe < self._rest

    def _remaining(self) -> float:
        """Seconds until a probe may go through."""
        return 0 if self._opened is None else self._opened + self._rest - self._clock()
