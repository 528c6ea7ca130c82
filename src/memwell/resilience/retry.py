"""Retries with exponential backoff.

`memwell.resilience.decorators` offers them as a decorator, `memwell.wrappers.retrying` as a part.
"""

from __future__ import annotations

import inspect
import logging
import random as chance
import time
from collections.abc import Callable
from typing import TypeVar

from memwell import _bridge
from memwell.errors import ConfigError, MemwellError
from memwell.resilience.calls import Call

__all__ = ["Retry", "is_transient"]

log = logging.getLogger("memwell.resilience.decorators")

T = TypeVar("T")


def is_transient(error: Exception) -> bool:
    """Whether the same call may succeed later. Memwell's errors say so themselves; any other error counts as
    transient.
    """
    return error.transient if isinstance(error, MemwellError) else True


class Retry:
    """Retries failed calls: exponential backoff with full jitter [1], limited in attempts and in time.

    After the n-th failure it waits a random time up to `initial_delay * exponential_base ** (n - 1)` seconds, at most
    `max_delay`, plus the error's `retry_after` if it has one. It gives up and raises the last error

    - after `max_attempts`,
    - if `should_retry(error)` is false,
    - if the error's `retry_after` is longer than `max_retry_after` seconds, or
    - if the wait would end more than `deadline` seconds after the first attempt began.

    `clock`, `sleep` and `random` can be replaced in tests.

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
        should_retry: Callable[[Exception], bool] = is_transient,
        on_retry: Callable[[Exception, int], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
        random: Callable[[], float] = chance.random,
    ) -> None:
        if max_attempts < 1 or exponential_base < 1 or min(initial_delay, max_delay, max_retry_after) < 0:
            raise ConfigError("max_attempts and exponential_base must be at least 1, delays at least 0")
        self._max_attempts, self._deadline, self._max_retry_after = max_attempts, deadline, max_retry_after
        self._initial_delay, self._max_delay, self._base = initial_delay, max_delay, exponential_base
        self._should_retry, self._on_retry = should_retry, on_retry
        self._clock, self._sleep, self._random = clock, sleep, random

    async def run(
        self,
        call: Call[T],
        *,
        name: str,
        blocking: bool,
        should_retry: Callable[[Exception], bool] | None = None,
    ) -> T:
        """The result of the call, made as often as needed. `should_retry` overrides that of the constructor."""
        retryable = should_retry or self._should_retry
        started, attempt = self._clock(), 1
        while True:
            try:
                return await call()
            except Exception as error:
                wait = self._wait(error, attempt, started) if retryable(error) else None
                if wait is None:
                    if attempt > 1:
                        error.add_note(f"{name} was tried {attempt} times")
                    raise
                kind = type(error).__name__
                log.debug("%s failed (attempt %d, %s), retrying in %.2f s", name, attempt, kind, wait)
                if self._on_retry is not None:
                    await _await_if_needed(self._on_retry(error, attempt))
            await self._pause(wait, blocking)
            attempt += 1

    def _wait(self, error: Exception, attempt: int, started: float) -> float | None:
        """Seconds to wait after a failed attempt; `None` to give up."""
        if attempt >= self._max_attempts:
            return None
        retry_after = max(0.0, getattr(error, "retry_after", None) or 0.0)
        if retry_after > self._max_retry_after:
            return None
        longest = min(self._max_delay, self._initial_delay * self._base ** min(attempt - 1, 64))
        wait = longest * self._random() + retry_after
        too_late = self._deadline is not None and self._clock() - started + wait > self._deadline
        return None if too_late else wait

    async def _pause(self, seconds: float, blocking: bool) -> None:
        if self._sleep is None:
            await _bridge.pause(seconds, blocking=blocking)
        else:
            await _await_if_needed(self._sleep(seconds))


async def _await_if_needed(result: object) -> None:
    if inspect.isawaitable(result):
        await result
