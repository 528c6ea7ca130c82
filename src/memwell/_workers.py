"""Worker threads for what calls compute, so that the event loop stays free.

`Workers.run(coroutine)` runs a coroutine in a thread. Blocking parts are called in that thread too (`inline`). What
suspends is awaited on the event loop (`on_loop`), and the coroutine continues in a thread with the result. So a call
over blocking parts takes a single hop, and one over suspending parts leaves the loop free between its queries::

    async def answer():
        rows = await on_loop(lambda: connection.fetch(query))  # on the loop
        return rank(rows)                                      # in a thread

    await workers.run(answer())

Calls that take some milliseconds of Python (`brief`) take turns, one at a time in the whole process (`memwell._turns`).
"""

from __future__ import annotations

import contextvars
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from memwell import _bridge
from memwell._forks import fork_safe
from memwell._turns import Steps, aside

if TYPE_CHECKING:
    import asyncio

__all__ = ["LONG", "THREADS", "Workers", "home", "in_worker", "inline", "on_loop"]

T = TypeVar("T")

THREADS: Final = max(2, min(8, os.cpu_count() or 2))
"""One per processor, within limits: more of them would compete with the event loop."""
LONG: Final = 0.005
"""Seconds after which an operation is long, so that others have their turn meanwhile. A recall takes half of that."""


class _Here(threading.local):
    call: _Call[Any] | None = None
    """The call whose coroutine runs in this thread."""


_here = _Here()


class Workers:
    """Threads that run coroutines. A forked child starts its own."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._dismissed = False
        self._hire()
        fork_safe(self._hire)

    def _hire(self) -> None:
        from concurrent.futures import ThreadPoolExecutor

        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix=self._name)
        self._steps = Steps(self._pool)

    async def run(self, coroutine: Coroutine[Any, Any, T], *, brief: bool = False) -> T:
        """The result of a coroutine, run in a thread with the caller's context variables. If the caller is cancelled,
        the coroutine ends at its next operation of a part. `brief`: it takes some milliseconds, and its turn.
        """
        call, threads = _Call(coroutine), self._steps if brief else self._pool
        resume: Callable[[], Any] = partial(coroutine.send, None)
        try:
            while not call.done:
                step = partial(call.step, resume)
                request = step() if self._dismissed else await _bridge.hop(threads, step)
                if brief:
                    self._steps.fetched()
                if request is not None:
                    resume = await _resumed(coroutine, request)
        except BaseException:
            call.cancel()
            raise
        return call.result

    def dismiss(self) -> None:
        """Let the threads end when they have done what they were given. What else comes runs on the loop: it finds its
        parts closed.
        """
        self._dismissed = True
        self._pool.shutdown(wait=False)


def in_worker() -> bool:
    """Whether this thread runs a coroutine of `Workers.run`."""
    return _here.call is not None


def home() -> asyncio.AbstractEventLoop | None:
    """The event loop that `Workers.run` was called on, for the coroutine in this thread; elsewhere `None`."""
    return None if _here.call is None else _here.call.loop


async def on_loop(call: Callable[[], Awaitable[T]]) -> T:
    """The result of `call`, awaited on the event loop that `Workers.run` was called on; elsewhere awaited here."""
    return await (call() if _here.call is None else _Request(call))


async def inline(call: Callable[[], Awaitable[T]], *, long: bool = False) -> T:
    """Run a blocking part's operation in this worker thread. `long`: it takes longer than `LONG`. Raises if the caller
    was cancelled.
    """
    worker = _here.call
    if worker is not None and worker.cancelled:
        raise _Cancelled
    _here.call = None  # a part may have a loop of its own
    try:
        with aside() if long else nullcontext():
            return await call()
    finally:
        _here.call = worker


class _Cancelled(BaseException):
    """Ends a coroutine whose caller was cancelled. No caller sees it."""


class _Request(Generic[T]):
    """Something that a coroutine in a thread wants to have awaited on the loop."""

    __slots__ = ("call",)

    def __init__(self, call: Callable[[], Awaitable[T]]) -> None:
        self.call = call

    def __await__(self) -> Generator[_Request[T], T, T]:
        return (yield self)


class _Call(Generic[T]):
    """One coroutine on its way through threads."""

    result: T

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self.done = self.cancelled = False
        self.loop = _bridge.running()
        self._coroutine = coroutine
        self._context = contextvars.copy_context()
        self._running = threading.Lock()

    def step(self, resume: Callable[[], Any]) -> _Request[Any] | None:
        """Run the coroutine until it wants something from the loop, which is returned, or ends."""
        with self._running:
            found = None if self.cancelled else self._context.run(self._resume, resume)
            if self.cancelled:
                self._coroutine.close()
            return found

    def _resume(self, resume: Callable[[], Any]) -> _Request[Any] | None:
        _here.call = self
        try:
            found = resume()
        except StopIteration as end:
            self.result, self.done = end.value, True
            return None
        finally:
            _here.call = None
        if isinstance(found, _Request):
            return found
        self._coroutine.close()
        raise RuntimeError("a part that calls itself blocking suspended; it must set `blocking = False`")

    def cancel(self) -> None:
        """End the coroutine: now if it waits, else at the end of its step."""
        self.cancelled = True
        if self._running.acquire(blocking=False):
            try:
                self._coroutine.close()
            finally:
                self._running.release()


async def _resumed(coroutine: Coroutine[Any, Any, Any], request: _Request[Any]) -> Callable[[], Any]:
    """Await what was requested; returns what lets the coroutine continue with its result or failure."""
    try:
        found = await request.call()
    except BaseException as error:  # noqa: BLE001  the coroutine handles it, or raises it
        return partial(coroutine.throw, error)
    return partial(coroutine.send, found)
