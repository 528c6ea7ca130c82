"""Blocking parts off the event loop: every operation runs in a thread, with the caller's context variables.

Reads and writes have separate pools, so that a write that waits for another process's lock holds up no search. The
read pool has as many threads as the machine has processors, within limits: more threads would compete with the event
loop.

A call that runs in a worker thread already (`memwell._workers`) uses a blocking part in that thread, and a suspending
one on the event loop. Other calls have their turn during an operation that took long the last two times, as those of a
model or a service do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from memwell import _bridge, _workers
from memwell._forks import fork_safe
from memwell.ports import Declaration, Port, call
from memwell.wrappers.base import Wrapper

__all__ = ["Anchored", "Threaded", "anchored", "threaded"]

P = TypeVar("P", bound=Port)
T = TypeVar("T")
_WRITERS = 8
"""Enough that concurrent writers meet in one group commit."""


class _Pools:
    """The threads of one wrapped part."""

    def __init__(self, inner: Port) -> None:
        self.inner = inner
        self._took: dict[str, tuple[float, float]] = {}
        """Name of an operation → the seconds that it took in a worker thread the last two times."""
        self._hire()
        fork_safe(self._hire)

    def _hire(self) -> None:
        part = self.inner.part
        self.readers = ThreadPoolExecutor(_workers.THREADS, thread_name_prefix=f"memwell-{part}-read")
        self.writers = ThreadPoolExecutor(_WRITERS, thread_name_prefix=f"memwell-{part}-write")

    async def call(self, operation: Declaration, arguments: tuple[Any, ...]) -> Any:
        """Run an operation of the inner part to its end in a thread."""
        return await self._run(lambda: call(self.inner, operation, arguments), writes=operation.writes)

    async def call_here(self, operation: Declaration, arguments: tuple[Any, ...]) -> Any:
        """Run an operation of the inner part in this worker thread."""
        name, begun = operation.name, time.monotonic()
        took = self._took.get(name, (0.0, 0.0))
        try:
            return await _workers.inline(
                lambda: call(self.inner, operation, arguments), long=min(took) > _workers.LONG
            )
        finally:
            self._took[name] = took[1], time.monotonic() - begun

    async def close(self) -> None:
        try:
            await self._run(self.inner.close, writes=True)
        finally:
            self.dismiss()

    async def _run(self, work: Callable[[], Coroutine[Any, Any, T]], *, writes: bool) -> T:
        pool = self.writers if writes else self.readers
        return await _bridge.hop(pool, lambda: _bridge.drive(work()))

    def dismiss(self) -> None:
        """Let the threads end when they have done what they were given."""
        self.readers.shutdown(wait=False)
        self.writers.shutdown(wait=False)


class Threaded(Wrapper):
    """A blocking part, off the loop. `threaded(part)` makes one where it is needed."""

    part = "threaded"
    _pools: _Pools

    def __new__(cls, part: P) -> P:  # type: ignore[misc]
        wrapper = cls._wrap(part)
        wrapper._pools = _Pools(part)
        return wrapper  # type: ignore[no-any-return]

    @property
    def blocking(self) -> bool:  # type: ignore[override]
        """Never."""
        return False

    async def _call(self, operation: Declaration, arguments: tuple[Any, ...]) -> Any:
        if _workers.in_worker():
            return await self._pools.call_here(operation, arguments)
        return await self._pools.call(operation, arguments)

    async def _close(self) -> None:
        await self._pools.close()

    def dismiss(self) -> None:
        """Let the threads end without closing the part inside, which may not be ours to close."""
        self._pools.dismiss()


def threaded(part: P) -> P:
    """The part off the event loop; one that never blocks comes back as it is."""
    return Threaded(part) if part.blocking else part


class Anchored(Wrapper):
    """A suspending part, always on its event loop. `anchored(part)` makes one where it is needed."""

    part = "anchored"

    def __new__(cls, part: P) -> P:  # type: ignore[misc]
        return cls._wrap(part)  # type: ignore[no-any-return]

    async def _call(self, operation: Declaration, arguments: tuple[Any, ...]) -> Any:
        if operation.hook in self.inner.unanchored:
            return await call(self.inner, operation, arguments)
        return await _workers.on_loop(lambda: call(self.inner, operation, arguments))


def anchored(part: P) -> P:
    """The part as worker threads may call it: on the event loop if it suspends, else in their thread."""
    return Threaded(part) if part.blocking else Anchored(part)
