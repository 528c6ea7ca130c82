"""Runs coroutines from synchronous code. The only file of the core that imports asyncio, and only if a loop is needed.

There are two modes. `drive` runs a coroutine whose parts never suspend (SQLite, in-memory, local models): no loop, no
thread, a few microseconds. `Loop` keeps one event loop in a daemon thread for parts that do suspend. It survives forks
(the child starts its own), Ctrl-C (the waiting call is cancelled), a loop that already runs in the calling thread
(notebooks) and interpreter shutdown.
"""

from __future__ import annotations

import contextvars
import functools
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

from memwell._forks import fork_safe, leave_to_parent
from memwell.errors import TimedOut

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Executor

    from memwell._turns import Steps

__all__ = [
    "Loop",
    "PerLoopLock",
    "awaited",
    "complete",
    "drive",
    "gather",
    "hop",
    "is_async",
    "later",
    "pause",
    "repeat",
    "running",
    "soon",
    "within",
]

T = TypeVar("T")

PATIENCE = 5.0
"""Seconds that an interrupted call has to end."""


def drive(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never suspends and return its result. Raises `RuntimeError` if it does suspend."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    coroutine.close()
    raise RuntimeError("a part that calls itself blocking suspended; it must set `blocking = False`")


class Loop:
    """An event loop in a background thread, started by the first call in each process."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._reset()
        fork_safe(self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        if self._loop is not None:
            leave_to_parent(self._loop)
        self._loop, self._thread = None, None

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and return its result. If the wait is interrupted, the coroutine is cancelled
        and gets some seconds to end, so that nothing continues after the call has raised.
        """
        if self._thread is threading.current_thread():
            coroutine.close()
            raise RuntimeError(
                "the synchronous Memory was called from its own event loop; use AsyncMemory there"
            )
        import asyncio
        from concurrent.futures import wait

        context = contextvars.copy_context()
        loop = self.running()
        started: list[asyncio.Task[T]] = []
        future = asyncio.run_coroutine_threadsafe(_within(context, coroutine, started), loop)
        try:
            return future.result()
        except BaseException:
            if not future.done():
                future.cancel()
                wait([asyncio.run_coroutine_threadsafe(_ended(started), loop)], timeout=PATIENCE + 1)
            raise

    def stop(self) -> None:
        """Stop the loop and its thread; cancel what still runs there. May be called twice."""
        with self._lock:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is not None and thread is not None:
            import asyncio

            asyncio.run_coroutine_threadsafe(_shut_down(), loop)
            thread.join(timeout=5)
            if not thread.is_alive():
                loop.close()

    def running(self) -> asyncio.AbstractEventLoop:
        """The loop, started if it was not."""
        import asyncio

        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._loop.run_forever, name="memwell-loop", daemon=True
                )
                self._thread.start()
            return self._loop


async def _shut_down() -> None:
    """Cancel all other tasks of the running loop, wait for them, and stop it."""
    import asyncio

    loop = asyncio.get_running_loop()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await loop.shutdown_asyncgens()
    loop.call_soon(loop.stop)


def running() -> asyncio.AbstractEventLoop:
    """The event loop that runs in this thread. Raises `RuntimeError` if there is none."""
    import asyncio

    return asyncio.get_running_loop()


async def hop(executor: Executor | Steps, call: Callable[[], T]) -> T:
    """Run a blocking call in an executor's thread, with the caller's context variables (correlation ids survive)."""
    import asyncio

    context = contextvars.copy_context()
    return await asyncio.wrap_future(executor.submit(context.run, call))


def later(awaitable: Awaitable[Any], keep: set[Any]) -> asyncio.Future[Any]:
    """Run an awaitable in the background; `keep` holds a reference to it until it is done. Returns its task."""
    import asyncio

    task = asyncio.ensure_future(awaitable)
    keep.add(task)
    task.add_done_callback(keep.discard)
    return task


async def pause(seconds: float, *, blocking: bool) -> None:
    """Sleep: in the calling thread if `blocking`, else on the event loop."""
    if blocking:
        time.sleep(seconds)  # noqa: ASYNC251  no loop runs in this mode
    else:
        import asyncio

        await asyncio.sleep(seconds)


async def within(seconds: float, call: Callable[[], Awaitable[T]]) -> T:
    """The result of a call. If it takes longer than `seconds`, it is cancelled, and `TimedOut` raised."""
    import asyncio

    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            return await call()
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise TimedOut(f"the call took longer than {seconds:g} seconds and was cancelled") from error


async def gather(calls: Sequence[Callable[[], Awaitable[T]]], *, blocking: bool) -> list[T | Exception]:
    """The result or exception of each call, in order. They run one after the other if `blocking`, else concurrently."""
    if blocking:
        return [await _outcome(call) for call in calls]
    import asyncio

    return list(await asyncio.gather(*(_outcome(call) for call in calls)))


async def awaited(found: Any, *, blocking: bool) -> Any:
    """What a function of the caller gave, awaited where it is awaitable. `blocking`: no event loop runs here, so that
    it runs on one of its own.
    """
    if not isinstance(found, Awaitable):
        return found
    waiting = _result(found)
    return complete(waiting, blocking=False) if blocking else await waiting


async def _result(found: Awaitable[T]) -> T:
    return await found


class PerLoopLock:
    """A lock held by one thread if `blocking`, else by one task of each event loop.

    ::

        async with lock:
            ...
    """

    def __init__(self, *, blocking: bool) -> None:
        self._blocking = blocking
        self._reset()
        fork_safe(self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._of_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()

    async def __aenter__(self) -> None:
        if self._blocking:
            self._lock.acquire()
        else:
            await self._here().acquire()

    async def __aexit__(self, *_: object) -> None:
        (self._lock if self._blocking else self._here()).release()

    def _here(self) -> asyncio.Lock:
        import asyncio

        with self._lock:
            return self._of_loops.setdefault(asyncio.get_running_loop(), asyncio.Lock())


def repeat(
    call: Callable[[], Coroutine[Any, Any, bool]], every: float, *, blocking: bool
) -> Callable[[], None]:
    """Call `call` every `every` seconds in the background until it returns False. Returns a function that stops it."""
    if blocking:
        stopped = threading.Event()

        def in_thread() -> None:
            while not stopped.wait(every) and drive(call()):
                pass

        threading.Thread(target=in_thread, name="memwell-repeat", daemon=True).start()
        return stopped.set

    async def on_loop() -> None:
        import asyncio

        going = True
        while going:
            await asyncio.sleep(every)
            going = await call()

    def stop() -> None:
        for task in tasks:
            task.cancel()

    tasks: set[Any] = set()
    later(on_loop(), tasks)
    return stop


def complete(coroutine: Coroutine[Any, Any, T], *, blocking: bool) -> T:
    """Run a coroutine from synchronous code: here if `blocking`, else on a loop that all such callers share."""
    return drive(coroutine) if blocking else _shared().run(coroutine)


def soon(call: Callable[[], object]) -> None:
    """Call a function on the loop that `complete` uses, without waiting for it."""
    _shared().running().call_soon_threadsafe(call)


@functools.cache
def _shared() -> Loop:
    return Loop()


async def _outcome(call: Callable[[], Awaitable[T]]) -> T | Exception:
    try:
        return await call()
    except Exception as error:  # noqa: BLE001  the caller gets it
        return error


async def _within(
    context: contextvars.Context, coroutine: Coroutine[Any, Any, T], started: list[asyncio.Task[T]]
) -> T:
    import asyncio

    task = asyncio.get_running_loop().create_task(coroutine, context=context)
    started.append(task)
    return await task


async def _ended(tasks: Sequence[asyncio.Task[Any]]) -> None:
    import asyncio

    if tasks:
        await asyncio.wait(tasks, timeout=PATIENCE)


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling it returns a coroutine."""
    import inspect

    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)
