"""Threads for calls that somebody may stop waiting for.

A thread cannot be stopped from outside. So a call that takes too long is left alone in its thread, which serves again
when the call ends after all. The threads are daemons: one that hangs for ever does not keep the process from ending,
as those of `concurrent.futures` would.
"""

from __future__ import annotations

import contextvars
import functools
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, Final, TypeAlias, TypeVar

from memwell.errors import TimedOut

__all__ = ["Workers"]

T = TypeVar("T")
Job: TypeAlias = tuple["Future[Any]", Callable[[], Any]]

MOST: Final = 32


class Workers:
    """At most `most` threads, started when needed. A call that finds all of them busy waits for one within its limit.

    Safe for threads; a forked child starts its own.
    """

    def __init__(self, name: str, most: int = MOST) -> None:
        self._name, self._most = name, most
        self._count = 0
        self._hire()

    def run(self, call: Callable[[], T], seconds: float) -> T:
        """The result of a call made in a thread, with the caller's context variables.

        Raises `TimedOut` when it takes longer: `unsent` if it had not begun and never will; else it goes on.
        """
        if self._pid != os.getpid():  # a fork copies the threads' book-keeping without the threads
            self._hire()
        future: Future[T] = Future()
        self._jobs.put((future, functools.partial(contextvars.copy_context().run, call)))
        self._wake()
        try:
            return future.result(seconds)
        except TimeoutError as error:
            if future.done():  # the call itself raised it, or ended this very moment
                return future.result()
            if future.cancel():
                raise TimedOut(f"no thread was free for {seconds:g} seconds", unsent=True) from error
            raise TimedOut(f"it took longer than {seconds:g} seconds and goes on in its thread") from error
        except BaseException:  # an interrupt of the wait: what has not begun never will
            future.cancel()
            raise

    def close(self) -> None:
        """Let the threads end when they have done what they were given. A later call starts others."""
        for _ in range(self._count):
            self._jobs.put(None)
        self._hire()  # a thread that was free will not serve again, so nobody may count on it

    def __del__(self) -> None:
        self.close()

    def _hire(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._free = threading.Semaphore(0)
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._count = 0

    def _wake(self) -> None:
        """Start a thread unless one is free or there are enough."""
        if self._free.acquire(blocking=False):
            return
        with self._lock:
            if self._count == self._most:
                return
            self._count += 1
        arguments = (self._jobs, self._free)
        try:
            threading.Thread(target=_work, args=arguments, name=f"memwell-{self._name}", daemon=True).start()
        except RuntimeError:  # this process may have no more; the call waits for one of those there are
            with self._lock:
                self._count -= 1


def _work(jobs: SimpleQueue[Job | None], free: threading.Semaphore) -> None:
    """Knows the queue, not the `Workers`, so that these can be collected when nobody needs them any more.

    A thread says that it is free before it hands over its result, so that whoever got that finds it free.
    """
    while (job := jobs.get()) is not None:
        future, call = job
        if not future.set_running_or_notify_cancel():
            free.release()
            continue
        try:
            result = call()
        except BaseException as error:  # noqa: BLE001  whoever waits is told
            free.release()
            future.set_exception(error)
        else:
            free.release()
            future.set_result(result)
            del result
        del job, future, call
