"""Threads for calls with a timeout.

A thread cannot be stopped from outside, so a call that takes too long continues in its thread; the thread is reused
when the call ends. The threads are daemons: unlike those of `concurrent.futures`, a hanging one does not keep the
process from exiting.
"""

from __future__ import annotations

import contextvars
import functools
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, Final, TypeAlias, TypeVar

from memwell._forks import fork_safe
from memwell.errors import TimedOut

__all__ = ["Workers"]

T = TypeVar("T")
Job: TypeAlias = tuple["Future[Any]", Callable[[], Any]]

MAX_THREADS: Final = 32


class Workers:
    """Up to `max_threads` threads, started when needed. If all are busy, a call waits for one within its timeout.

    Safe for threads; a forked child starts its own.
    """

    def __init__(self, name: str, max_threads: int = MAX_THREADS) -> None:
        self._name, self._max_threads = name, max_threads
        self._reset()
        fork_safe(self._reset)

    def run(self, call: Callable[[], T], seconds: float) -> T:
        """Run the call in a thread, with the caller's context variables, and return its result.

        Raises `TimedOut` after `seconds`: with `unsent=True` if the call never began; otherwise it continues.
        """
        future: Future[T] = Future()
        self._jobs.put((future, functools.partial(contextvars.copy_context().run, call)))
        self._ensure_thread()
        try:
            return future.result(seconds)
        except TimeoutError as error:
            if future.done():  # the call itself raised it, or has just ended
                return future.result()
            if future.cancel():
                raise TimedOut(f"no thread was free for {seconds:g} seconds", unsent=True) from error
            raise TimedOut(
                f"the call took longer than {seconds:g} seconds and continues in its thread"
            ) from error
        except BaseException:  # interrupted while waiting: do not start the call later
            future.cancel()
            raise

    def close(self) -> None:
        """Let the threads end after the calls they have accepted. A later call starts new threads."""
        for _ in range(self._count):
            self._jobs.put(None)
        self._reset()  # the old threads are ending and must not be counted as free

    def __del__(self) -> None:
        self.close()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._free = threading.Semaphore(0)
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._count = 0

    def _ensure_thread(self) -> None:
        """Start a thread unless one is free or the maximum is reached."""
        if self._free.acquire(blocking=False):
            return
        with self._lock:
            if self._count == self._max_threads:
                return
            self._count += 1
        arguments = (self._jobs, self._free)
        try:
            threading.Thread(target=_work, args=arguments, name=f"memwell-{self._name}", daemon=True).start()
        except RuntimeError:  # the process can start no more threads; wait for one of the existing ones
            with self._lock:
                self._count -= 1


def _work(jobs: SimpleQueue[Job | None], free: threading.Semaphore) -> None:
    """The loop of a thread. It refers to the queue, not to `Workers`, so that an unused `Workers` can be collected.

    The thread marks itself free before it publishes its result, so that the caller's next call can reuse it.
    """
    while (job := jobs.get()) is not None:
        future, call = job
        if not future.set_running_or_notify_cancel():
            free.release()
            continue
        try:
            result = call()
        except BaseException as error:  # noqa: BLE001  raised again in the waiting thread
            free.release()
            future.set_exception(error)
        else:
            free.release()
            future.set_result(result)
            del result
        del job, future, call
