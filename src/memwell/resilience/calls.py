"""What retries, timeouts and circuit breakers share: decorating a function with one of them.

Each is an object with `async run(call, *, name, blocking)`. With `blocking=True` the coroutine never suspends: it runs
without an event loop, and its waits block the thread.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeAlias, TypeVar, cast

from memwell import _bridge
from memwell.errors import ConfigError

__all__ = ["Call", "Errors", "Policy", "apply", "reject_awaitable"]

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])
Call: TypeAlias = Callable[[], Awaitable[T]]
Errors: TypeAlias = type[Exception] | tuple[type[Exception], ...]


class Policy(Protocol):
    """How calls are made: with retries, within a time limit, through a circuit breaker."""

    async def run(self, call: Call[T], *, name: str, blocking: bool) -> T:
        """Make the call and return its result."""
        ...


def apply(policy: Policy, function: F) -> F:
    """Wrap the function so that each call runs under the policy. A coroutine function stays one; any other function
    needs no event loop.
    """
    name = getattr(function, "__name__", type(function).__name__)

    if _bridge.is_async(function):

        @functools.wraps(function)
        async def async_wrapper(*args: Any, **kwargs: Any) -> Any:
            return await policy.run(lambda: function(*args, **kwargs), name=name, blocking=False)

        return cast("F", async_wrapper)

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        async def call() -> Any:
            return reject_awaitable(function(*args, **kwargs), name)

        return _bridge.drive(policy.run(call, name=name, blocking=True))

    return cast("F", wrapper)


def reject_awaitable(result: T, name: str) -> T:
    """The result of a plain function. Raises `ConfigError` if it is an awaitable: the work would happen later, outside
    the policy.
    """
    if not (hasattr(type(result), "__await__") or inspect.isgenerator(result)) or not inspect.isawaitable(
        result
    ):
        return result
    if inspect.iscoroutine(result):
        result.close()
    raise ConfigError(f"{name} returns an awaitable but is not a coroutine function; wrap it in `async def`")
