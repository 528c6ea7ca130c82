"""Decorators for unreliable calls: retries, circuit breakers, timeouts, fallbacks.

Each works on functions and on coroutine functions, and keeps them what they are::

    @retry_with_backoff(max_attempts=3)
    def fetch(): ...

    breaker = CircuitBreaker(failure_threshold=5, recovery_timeout=60)

    @breaker
    async def answer(): ...

A plain function that returns an awaitable (many clients have such methods) raises `ConfigError` when it is called:
wrap it in `async def`.

The wrappers around parts (`memwell.wrappers`) use the same code. Of memwell's own errors, only `transient` ones are
retried, and only those that blame the backend open a breaker: never a missing record or bad input.
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
from memwell.resilience.calls import Errors, apply, reject_awaitable
from memwell.resilience.circuit_breaker import CircuitBreaker
from memwell.resilience.retry import Retry, is_transient
from memwell.resilience.timeout import Timeout

__all__ = [
    "CircuitBreaker",
    "create_resilient_caller",
    "fallback",
    "retry_with_backoff",
    "with_timeout",
]

log = logging.getLogger("memwell.resilience.decorators")

F = TypeVar("F", bound=Callable[..., Any])
_REPLACEABLE = (Unavailable, BackendError, EmbeddingError)


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
    """A decorator that retries failed calls; see `Retry` for the waits and limits (all times are in seconds).

    It retries after `exceptions`, except memwell's own errors that are not transient. `on_retry` is called with the
    error and the number of the failed attempt, counted from 1. `sleep` replaces the wait between attempts. Both may be
    coroutine functions if the decorated function is one.
    """
    retry = Retry(
        max_attempts=max_attempts,
        initial_delay=initial_delay,
        max_delay=max_delay,
        exponential_base=exponential_base,
        max_retry_after=max_retry_after,
        deadline=deadline,
        should_retry=lambda error: isinstance(error, exceptions) and is_transient(error),
        on_retry=on_retry,
        clock=clock,
        sleep=sleep,
        random=random,
    )
    return lambda function: apply(retry, function)


def with_timeout(seconds: float) -> Callable[[F], F]:
    """A decorator that raises `TimedOut`, which is also a `TimeoutError`, when a call takes longer than `seconds`.

    A coroutine is cancelled. A plain function runs in a thread and continues there, because Python cannot stop it. At
    most 32 calls of one function run at once; further calls wait, and the wait counts towards their timeout. No
    signals are used, so it works in every thread.
    """

    def decorate(function: F) -> F:
        return apply(Timeout(seconds, name=getattr(function, "__name__", "timeout")), function)

    return decorate


def fallback(replacement: Callable[..., Any], *, exceptions: Errors = (Exception,)) -> Callable[[F], F]:
    """A decorator that returns `replacement(*args, **kwargs)` when the function raises one of `exceptions`.

    Memwell's errors that the caller caused (bad input, a missing record, a conflict) are still raised. The replacement
    of a coroutine function may be one too. Each failure is logged as a warning.
    """

    def decorate(function: F) -> F:
        return _with_fallback(function, replacement, exceptions)

    return decorate


def create_resilient_caller(
    *,
    max_retries: int = 3,
    circuit_failure_threshold: int = 5,
    timeout_seconds: float = 30.0,
    breaker: CircuitBreaker | None = None,
) -> Callable[[F], F]:
    """A decorator with all three: up to `max_retries` attempts, each with a timeout, behind one circuit breaker.

    All functions decorated by one caller share its breaker; pass `breaker` to read its state. A plain function that
    timed out continues in its thread while the next attempt runs, so it must be safe to call twice.
    """
    shared = breaker or CircuitBreaker(failure_threshold=circuit_failure_threshold)
    retry, timeout = retry_with_backoff(max_attempts=max_retries), with_timeout(timeout_seconds)
    return lambda function: shared(retry(timeout(function)))


def _with_fallback(function: F, replacement: Callable[..., Any], exceptions: Errors) -> F:
    name = getattr(function, "__name__", type(function).__name__)

    def replaces(error: Exception) -> bool:
        foreign = not isinstance(error, MemwellError)
        if isinstance(error, exceptions) and (foreign or isinstance(error, _REPLACEABLE)):
            log.warning("%s failed (%s); using the fallback for this call", name, type(error).__name__)
            return True
        return False

    if _bridge.is_async(function):

        @functools.wraps(function)
        async def async_wrapper(*args: Any, **kwargs: Any) -> Any:
            try:
                return await function(*args, **kwargs)
            except Exception as error:
                if not replaces(error):
                    raise
            result = replacement(*args, **kwargs)
            return await result if inspect.isawaitable(result) else result

        return cast("F", async_wrapper)

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return reject_awaitable(function(*args, **kwargs), name)
        except Exception as error:
            if not replaces(error):
                raise
        return reject_awaitable(replacement(*args, **kwargs), getattr(replacement, "__name__", name))

    return cast("F", wrapper)
