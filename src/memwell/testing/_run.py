"""How the suites run a part's coroutines: straight through where it never suspends, else on one event
loop."""

from __future__ import annotations

import asyncio
import atexit
import functools
import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast

from memwell._bridge import drive
from memwell.ports import Port

__all__ = ["race", "run"]

T = TypeVar("T")


def run(part: Port, call: Awaitable[T]) -> T:
    """The coroutine's result. A part that suspends meets the same event loop at every call, as its
    connections need."""
    coroutine = cast("Coroutine[Any, Any, T]", call)
    return drive(coroutine) if part.blocking else _runner().run(coroutine)


def race(part: Port, calls: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
    """The results of calls made at once: each in a thread of its own, or together on the event loop."""
    if not part.blocking:

        async def together() -> list[T]:
            return list(await asyncio.gather(*(call() for call in calls)))

        return _runner().run(together())
    start = threading.Barrier(len(calls))

    def one(call: Callable[[], Awaitable[T]]) -> T:
        start.wait()
        return drive(cast("Coroutine[Any, Any, T]", call()))

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(one, calls))


@functools.cache
def _runner() -> asyncio.Runner:
    runner = asyncio.Runner()
    atexit.register(runner.close)
    return runner
