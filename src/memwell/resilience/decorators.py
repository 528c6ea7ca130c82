"""Calls that outlive a bad moment: retries, circuit breakers, time limits, fallbacks; for functions and coroutines.

Each is a decorator that leaves a function a function and a coroutine function one::

    @retry_with_backoff(max_attempts=3)
    def ask(): ...

    guard = CircuitBreaker(failure_threshold=5, recovery_timeout=60)

    @guard
    async def answer(): ...

A function that gives an awaitable without being a coroutine function (many clients have such methods) is refused with
`ConfigError` when it is called: wrap it in `async def`.

The wrappers around parts (`memwell.wrappers`) run the same loops. Of memwell's own errors those are tried again that
are `transient`, and those count against a backend that speak of it: never a missing record or bad input.
"""

from __future__ import annotations

import functools
import inspect
import logging
import random as chance
import time
from collections.abc import Callable
from typing import Any, TypeVar, cast

from memwell import _bridge
from memwell.errors import BackendError, EmbeddingError, MemwellError, Unavailable
from memwell.resilience.circuit_breaker import CircuitBreaker
from memwell.resilience.retry import Errors, Limit, Retry, guarded_by, plain, transient

__all__ = [
    "CircuitBreaker",
    "create_resilient_caller",
    "fallback",
    "retry_with_backoff",
    "with_timeout",
]

log = logging.getLogger("memwell.resilience.decorators")

F = TypeVar("F", bound=Callable[..., Any])
_DEGRADING = (Unavailable, BackendError, EmbeddingError)


def retry_with_backoff(
    *,
    max_attempts: int = 3,
    initial_delay: float = 1.0,
    max_delay: float = 60.0,
    exponential_base: float = 2.0,
    exceptions: Errors = (Exception,),
    on_retry: Callable[[Exception, int], object] | None = None,
    max_retry_after: float = 60.0,
    deadline: float | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] | None = None,
    random: Callable[[], float] = chance.random,
) -> Callable[[F], F]:
    """A decorator that tries again, as `Retry` tells: after `exceptions`, but for memwell's own that are not transient,
    and for those that ask to wait for more than `max_retry_after` seconds.

    `on_retry` is called with the error and the number of the attempt that failed, from 1. `sleep` stands for the wait
    between attempts; both may be coroutine functions where the decorated function is one.
    """
    loop = Retry(
        max_attempts=max_attempts,
        initial_delay=initial_delay,
        max_delay=max_delay,
        exponential_base=exponential_base,
        max_retry_after=max_retry_after,
        deadline=deadline,
        worth=lambda error: isinstance(error, exceptions) and transient(error),
        on_retry=on_retry,
        clock=clock,
        sleep=sleep,
        random=random,
    )
    return lambda function: guarded_by(function, loop)


def with_timeout(seconds: float) -> Callable[[F], F]:
    """A decorator that raises `TimedOut`, which is also a `TimeoutError`, when a call takes longer.

    A coroutine is cancelled. Any other function runs in a thread, from whichever thread it is called, and goes on
    there: Python cannot stop it. At most 32 calls of one function run at once; more wait for their turn, within their
    limit. No signals are used.
    """

    def decorate(function: F) -> F:
        return guarded_by(function, Limit(seconds, name=getattr(function, "__name__", "limit")))

    return decorate


def fallback(replacement: Callable[..., Any], *, exceptions: Errors = (Exception,)) -> Callable[[F], F]:
    """A decorator that answers with `replacement(*args, **kwargs)` when the function fails with one of `exceptions`.

    Memwell's errors that are the caller's own doing (bad input, a missing record, a conflict) are raised as they are.
    The replacement of a coroutine function may be one too. What failed is logged as a warning.
    """

    def decorate(function: F) -> F:
        return _replaced(function, replacement, exceptions)

    return decorate


def create_resilient_caller(
    *,
    max_retries: int = 3,
    circuit_failure_threshold: int = 5,
    timeout_seconds: float = 30.0,
    breaker: CircuitBreaker | None = None,
) -> Callable[[F], F]:
    """A decorator with all three: a time limit for each of up to `max_retries` attempts, and a circuit breaker around.

    All functions decorated by one caller share its breaker; hand one in to read its state. A plain function that took
    too long goes on in its thread while the next attempt is made: it must be one that may be called twice.
    """
    guard = breaker or CircuitBreaker(failure_threshold=circuit_failure_threshold)
    retry, limit = retry_with_backoff(max_attempts=max_retries), with_timeout(timeout_seconds)
    return lambda function: guard(retry(limit(function)))


def _replaced(function: F, replacement: Callable[..., Any], exceptions: Errors) -> F:
    name = getattr(function, "__name__", type(function).__name__)

    def degraded(error: Exception) -> bool:
        foreign = not isinstance(error, MemwellError)
        if isinstance(error, exceptions) and (foreign or isinstance(error, _DEGRADING)):
            log.warning("%s failed and is replaced for this call: %s", name, type(error).__name__)
            return True
        return False

    if _bridge.is_async(function):

        @functools.wraps(function)
        async def later(*args: Any, **kwargs: Any) -> Any:
            try:
                return await function(*args, **kwargs)
            except Exception as error:
                if not degraded(error):
                    raise
            answer = replacement(*args, **kwargs)
            return await answer if inspect.isawaitable(answer) else answer

        return cast("F", later)

    @functools.wraps(function)
    def now(*args: Any, **kwargs: Any) -> Any:
        try:
            return plain(function(*args, **kwargs), name)
        except Exception as error:
            if not degraded(error):
                raise
        return plain(replacement(*args, **kwargs), getattr(replacement, "__name__", name))

    return cast("F", now)
