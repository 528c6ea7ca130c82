"""The loops that carry a call through a bad moment: `Retry`, `CircuitBreaker`, `Limit`.

`memwell.resilience` makes decorators of them, `memwell.wrappers` parts. Each loop is one coroutine; where nothing may
suspend (`blocking`), it runs without an event loop and its waits block the thread. Time, waiting and chance come in
as arguments (`clock`, `sleep`, `random`), for tests.
"""

from __future__ import annotations

import functools
import inspect
import logging
import os
import random as chance
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Literal, Protocol, TypeAlias, TypeVar, cast

from memwell import _bridge
from memwell.errors import BackendError, ConfigError, Corrupt, MemwellError, TimedOut, Unavailable
from memwell.workers import Workers

__all__ = [
    "CircuitBreaker",
    "Errors",
    "Limit",
    "Retry",
    "blames_backend",
    "guarded_by",
    "plain",
    "transient",
]

log = logging.getLogger("memwell.resilience")

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])
Call: TypeAlias = Callable[[], Awaitable[T]]
Errors: TypeAlias = type[Exception] | tuple[type[Exception], ...]
State: TypeAlias = Literal["closed", "open", "half_open"]


def transient(error: Exception) -> bool:
    """Whether the same call may succeed later: what memwell's own errors say of themselves; any other might."""
    return error.transient if isinstance(error, MemwellError) else True


def blames_backend(error: Exception) -> bool:
    """Whether an error speaks of the backend, not of what was asked of it or of one damaged record."""
    if not isinstance(error, MemwellError):
        return True
    return isinstance(error, Unavailable | BackendError) and not isinstance(error, Corrupt)


class Retry:
    """The loop that tries again: exponential backoff with full jitter [1], within a number of attempts and a time.

    After the n-th failure it waits a random time up to `initial_delay * exponential_base ** (n - 1)`, at most
    `max_delay`; when the error has a `retry_after`, that long more. It gives up, raising the last error, after
    `max_attempts`, when `worth(error)` is false, when the error asks to wait for more than `max_retry_after` seconds
    (nobody is held up for a day because a server says so), or when the wait would end after `deadline` seconds in all.

    [1] M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """

    def __init__(
        self,
        *,
        max_attempts: int = 3,
        initial_delay: float = 1.0,
        max_delay: float = 60.0,
        exponential_base: float = 2.0,
        max_retry_after: float = 60.0,
        deadline: float | None = None,
        worth: Callable[[Exception], bool] = transient,
        on_retry: Callable[[Exception, int], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
        random: Callable[[], float] = chance.random,
    ) -> None:
        if max_attempts < 1 or exponential_base < 1 or min(initial_delay, max_delay, max_retry_after) < 0:
            raise ConfigError("max_attempts and exponential_base are at least 1, and delays at least 0")
        self._attempts, self._deadline, self._patience = max_attempts, deadline, max_retry_after
        self._first, self._longest, self._base = initial_delay, max_delay, exponential_base
        self._worth, self._on_retry = worth, on_retry
        self._clock, self._sleep, self._random = clock, sleep, random

    async def run(
        self, call: Call[T], *, name: str, blocking: bool, worth: Callable[[Exception], bool] | None = None
    ) -> T:
        """The result of the call, made as often as needed."""
        started, attempt = self._clock(), 1
        while True:
            try:
                return await call()
            except Exception as error:
                wait = self._wait(error, attempt, started) if (worth or self._worth)(error) else None
                if wait is None:
                    if attempt > 1:
                        error.add_note(f"{name} was tried {attempt} times")
                    raise
                log.debug(
                    "%s failed (attempt %d), again in %.2f s: %s", name, attempt, wait, type(error).__name__
                )
                if self._on_retry is not None:
                    await _done(self._on_retry(error, attempt))
            await self._rest(wait, blocking)
            attempt += 1

    def _wait(self, error: Exception, attempt: int, started: float) -> float | None:
        """Seconds to wait after a failed attempt; `None` to give up."""
        if attempt >= self._attempts:
            return None
        asked = max(0.0, getattr(error, "retry_after", None) or 0.0)
        if asked > self._patience:
            return None
        most = min(self._longest, self._first * self._base ** min(attempt - 1, 64))
        wait = most * self._random() + asked
        late = self._deadline is not None and self._clock() - started + wait > self._deadline
        return None if late else wait

    async def _rest(self, seconds: float, blocking: bool) -> None:
        if self._sleep is None:
            await _bridge.pause(seconds, blocking=blocking)
            return
        await _done(self._sleep(seconds))


async def _done(answer: object) -> None:
    """Await what a coroutine function gave."""
    if inspect.isawaitable(answer):
        await answer


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


class Limit:
    """The time limit of a call: a coroutine is cancelled, a blocking call left alone in its thread."""

    def __init__(self, seconds: float, *, name: str = "limit") -> None:
        if not 0 < seconds < float("inf"):
            raise ConfigError("a time limit is a finite number of seconds over 0")
        self.seconds = seconds
        self._workers = Workers(name)

    async def run(self, call: Call[T], *, name: str, blocking: bool, seconds: float | None = None) -> T:
        """The result of the call. Raises `TimedOut` when it takes longer than the limit, or than `seconds`."""
        limit = self.seconds if seconds is None else seconds
        try:
            if not blocking:
                return await _bridge.within(limit, call)
            started = cast("Callable[[], Coroutine[Any, Any, T]]", call)
            return self._workers.run(lambda: _bridge.drive(started()), limit)
        except TimedOut as error:
            if not error.operation:
                error.operation = name
            raise

    def close(self) -> None:
        """Let the threads end when they have done what they were given."""
        self._workers.close()


def plain(answer: T, name: str) -> T:
    """The answer of a function that is none of coroutines. Raises `ConfigError` for an awaitable: what comes of it, and
    when, would pass every guard by.
    """
    if not inspect.isawaitable(answer):
        return answer
    if inspect.iscoroutine(answer):
        answer.close()
    raise ConfigError(
        f"{name} answers with an awaitable, but is no coroutine function; wrap it in `async def`"
    )


class _Loop(Protocol):
    async def run(self, call: Call[T], *, name: str, blocking: bool) -> T: ...


def guarded_by(function: F, loop: _Loop) -> F:
    """The function, its calls made by the loop: a coroutine function stays one, any other needs no event loop."""
    name = getattr(function, "__name__", type(function).__name__)

    if _bridge.is_async(function):

        @functools.wraps(function)
        async def later(*args: Any, **kwargs: Any) -> Any:
            return await loop.run(lambda: function(*args, **kwargs), name=name, blocking=False)

        return cast("F", later)

    @functools.wraps(function)
    def now(*args: Any, **kwargs: Any) -> Any:
        async def call() -> Any:
            return plain(function(*args, **kwargs), name)

        return _bridge.drive(loop.run(call, name=name, blocking=True))

    return cast("F", now)
