"""The circuit breaker: stops calling a backend that keeps failing, and tries it again after a pause."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Literal, TypeAlias, TypeVar

from memwell._forks import fork_safe
from memwell.errors import BackendError, ConfigError, Corrupt, MemwellError, Unavailable
from memwell.resilience.calls import Call, Errors, apply

__all__ = ["CircuitBreaker", "blames_backend"]

log = logging.getLogger("memwell.resilience.decorators")

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])
State: TypeAlias = Literal["closed", "open", "half_open"]


def blames_backend(error: Exception) -> bool:
    """Whether the backend is at fault, rather than the caller's input or one damaged record."""
    if not isinstance(error, MemwellError):
        return True
    return isinstance(error, Unavailable | BackendError) and not isinstance(error, Corrupt)


class CircuitBreaker:
    """Stops calling a backend that keeps failing, and checks from time to time whether it has recovered.

    - *closed*: calls go through. The breaker opens after `failure_threshold` failures in a row within `window` seconds.
    - *open*: calls raise `Unavailable` at once, with `retry_after`.
    - *half-open*, after `recovery_timeout` seconds: one call goes through as a probe; others are still refused. If the
      probe succeeds, the breaker closes; if it fails, the breaker stays open for another `recovery_timeout`. If the
      probe takes longer than that, a second one may start.

    A failure is an `expected_exception` for which `blames_backend` is true; an error such as `NotFound` counts as a
    success. Calls that began before a change of state do not affect the new state. Functions and parts that use the
    same service may share one breaker. Safe for threads and tasks; a forked child has its own copy.
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
            raise ConfigError(
                "failure_threshold must be at least 1, recovery_timeout at least 0, window above 0"
            )
        self._threshold, self._recovery, self._window = failure_threshold, recovery_timeout, window
        self._expected, self._clock = expected_exception, clock
        self._reset_lock()
        fork_safe(self._reset_lock)
        self._failures: deque[float] = deque(maxlen=failure_threshold)
        self._opened: float | None = None
        self._probe: float | None = None
        """When the current probe began."""
        self._generation = 0
        """Counts changes of state, so that results of earlier calls are ignored."""

    @property
    def state(self) -> State:
        """`closed`, `open`, or `half_open` if a probe may start or is running."""
        with self._lock:
            if self._opened is None:
                return "closed"
            return "half_open" if self._probe is not None or self._remaining() <= 0 else "open"

    @property
    def failures(self) -> int:
        """Number of recent failures that count towards the threshold; 0 unless closed."""
        with self._lock:
            oldest = self._clock() - self._window
            return sum(at > oldest for at in self._failures)

    def reset(self) -> None:
        """Close the breaker and forget all failures."""
        with self._lock:
            self._close()

    def __call__(self, function: F) -> F:
        """Decorate a function or coroutine function."""
        return apply(self, function)

    async def run(self, call: Call[T], *, name: str, blocking: bool = False) -> T:  # noqa: ARG002  the same in both modes
        """The result of the call. Raises `Unavailable` with `unsent=True` while the breaker is open."""
        generation = self._admit(name)
        try:
            result = await call()
        except Exception as error:
            self._record(generation, failed=isinstance(error, self._expected) and blames_backend(error))
            raise
        except BaseException:  # cancelled or interrupted says nothing of the backend; the next call may probe
            self._record(generation, failed=None)
            raise
        self._record(generation, failed=False)
        return result

    def _reset_lock(self) -> None:
        self._lock = threading.Lock()

    def _admit(self, name: str) -> int:
        with self._lock:
            if self._opened is None:
                return self._generation
            left = self._remaining()
            if left <= 0 and not self._is_probing():
                self._probe = self._clock()
                return self._generation
        raise Unavailable(
            f"{name} failed too often and is not called for now (its circuit breaker is open); try again later",
            retry_after=left if left > 0 else None,
            unsent=True,
        )

    def _record(self, generation: int, *, failed: bool | None) -> None:
        with self._lock:
            if generation != self._generation:
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
                self._opened, self._generation = now, self._generation + 1
                self._failures.clear()
                log.warning("a circuit breaker has opened for %g seconds", self._recovery)

    def _close(self) -> None:
        if self._opened is not None:
            self._generation += 1
            log.info("a circuit breaker has closed")
        self._opened, self._probe = None, None
        self._failures.clear()

    def _is_probing(self) -> bool:
        """Whether a probe is running and has not taken too long yet."""
        if self._probe is None:
            return False
        return self._recovery == 0 or self._clock() - self._probe < self._recovery

    def _remaining(self) -> float:
        """Seconds until a probe may start."""
        return 0 if self._opened is None else self._opened + self._recovery - self._clock()
