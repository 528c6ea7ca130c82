"""From synchronous code to coroutines: the only file of the core that imports asyncio, and only when a loop is needed.

Two gears. `drive` sends once into a coroutine whose parts never suspend (SQLite, in-memory, local models): no
loop, no thread, some microseconds. `Loop` keeps one event loop in a daemon thread for parts that do suspend; it
survives a fork (the child starts its own), Ctrl-C (the waiting call is cancelled), a loop already running in the
calling thread (notebooks) and interpreter shutdown.
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

__all__ = [
    "Loop",
    "PerLoopLock",
    "complete",
    "drive",
    "gather",
    "hop",
    "is_async",
    "later",
    "pause",
    "repeat",
    "within",
]

T = TypeVar("T")

PATIENCE = 5.0
"""Seconds that an interrupted call may take to end."""


def drive(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never suspends and return its result. Raises `RuntimeError` if it suspends after all."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    coroutine.close()
    raise RuntimeError("a part that calls itself blocking suspended; it must set `blocking = False`")


class Loop:
    """An event loop in a background thread, started at the first call of each process."""

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
        """Run a coroutine on the loop and wait for it. An interrupt of the wait cancels it, and waits some seconds
        until it has ended: nothing goes on behind the back of who was told that the call is over.
        """
        if self._thread is threading.current_thread():
            coroutine.close()
            raise RuntimeError(
                "the synchronous Memory was called from its own event loop; use AsyncMemory there"
            )
        import asyncio
        from concurrent.futures import wait

        context = contextvars.copy_context()
        loop = self._running()
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
        """Stop the loop and its thread; what still runs beside is cancelled. Twice is fine; a forked child has nothing
        to stop.
        """
        with self._lock:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is not None and thread is not None:
            import asyncio

            asyncio.run_coroutine_threadsafe(_wind_up(), loop)
            thread.join(timeout=5)
            if not thread.is_alive():
                loop.close()

    def _running(self) -> asyncio.AbstractEventLoop:
        import asyncio

        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._loop.run_forever, name="memwell-loop", daemon=True
                )
                self._thread.start()
            return self._loop


async def _wind_up() -> None:
    """Cancel every other task of the running loop, let them end, and stop it."""
    import asyncio

    loop = asyncio.get_running_loop()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await loop.shutdown_asyncgens()
    loop.call_soon(loop.stop)


async def hop(executor: Executor, call: Callable[[], T]) -> T:
    """Run a blocking call in an executor's thread, with the caller's context variables (correlation ids survive)."""
    import asyncio

    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(executor, context.run, call)


def later(awaitable: Awaitable[Any], keep: set[Any]) -> None:
    """Run an awaitable beside the caller, keeping a reference in `keep` until it is done."""
    import asyncio

    task = asyncio.ensure_future(awaitable)
    keep.add(task)
    task.add_done_callback(keep.discard)


async def pause(seconds: float, *, blocking: bool) -> None:
    """Wait: in the calling thread where nothing may suspend, else on the event loop."""
    if blocking:
        time.sleep(seconds)  # noqa: ASYNC251  no loop runs in this gear
    else:
        import asyncio

        await asyncio.sleep(seconds)


async def within(seconds: float, call: Callable[[], Awaitable[T]]) -> T:
    """The result of a call that is cancelled when it takes longer. Raises `TimedOut` then."""
    import asyncio

    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            return await call()
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise TimedOut(f"it took longer than {seconds:g} seconds and was cancelled") from error


async def gather(calls: Sequence[Callable[[], Awaitable[T]]], *, blocking: bool) -> list[T | Exception]:
    """What each call gives or raises, in order: one after the other where nothing may suspend, else all at once."""
    if blocking:
        return [await _outcome(call) for call in calls]
    import asyncio

    return list(await asyncio.gather(*(_outcome(call) for call in calls)))


class PerLoopLock:
    """What one caller at a time may have: one thread where nothing may suspend, else one task of each event loop.

    ::

        async with turn:
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
    """Make a call every so many seconds beside the caller, until it gives False or what is returned here is called."""
    if blocking:
        stopped = threading.Event()

        def beside() -> None:
            while not stopped.wait(every) and drive(call()):
                pass

        threading.Thread(target=beside, name="memwell-repeat", daemon=True).start()
        return stopped.set

    async def on_the_loop() -> None:
        import asyncio

        going = True
        while going:
            await asyncio.sleep(every)
            going = await call()

    def stop() -> None:
        for task in tasks:
            task.cancel()

    tasks: set[Any] = set()
    later(on_the_loop(), tasks)
    return stop


def complete(coroutine: Coroutine[Any, Any, T], *, blocking: bool) -> T:
    """The result of a coroutine for who cannot await: driven here where nothing suspends, else on one loop that all
    such callers of the process share."""
    return drive(coroutine) if blocking else _shared().run(coroutine)


@functools.cache
def _shared() -> Loop:
    return Loop()


async def _outcome(call: Callable[[], Awaitable[T]]) -> T | Exception:
    try:
        return await call()
    except Exception as error:  # noqa: BLE001  handed to the caller
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
    """Whether calling gives a coroutine."""
    import inspect

    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)
