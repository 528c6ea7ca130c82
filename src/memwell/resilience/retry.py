"""The loops that carry a call through a bad moment: `Retry` and `Limit`; `memwell.resilience.circuit_breaker` has a
third.

`memwell.resilience.decorators` makes decorators of them, `memwell.wrappers` parts. Each loop is one coroutine; where
nothing may suspend (`blocking`), it runs without an event loop and its waits block the thread. Time, waiting and
chance come in as arguments (`clock`, `sleep`, `random`), for tests.
"""

from __future__ import annotations

import functools
import inspect
import logging
import random as chance
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol, TypeAlias, TypeVar, cast

from memwell import _bridge
from memwell.errors import ConfigError, MemwellError, TimedOut
from memwell.resilience.workers import Workers

__all__ = [
    "Call",
    "Errors",
    "Limit",
    "Retry",
    "guarded_by",
    "plain",
    "transient",
]

log = logging.getLogger("memwell.resilience.decorators")

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])
Call: TypeAlias = Callable[[], Awaitable[T]]
Errors: TypeAlias = type[Exception] | tuple[type[Exception], ...]


def transient(error: Exception) -> bool:
    """Whether the same call may succeed later: what memwell's own errors say of themselves; any other might."""
    return error.transient if isinstance(error, MemwellError) else True


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
