"""Blocking parts off the event loop: every hook runs in a thread, context variables kept.

Reads and writes have pools of their own: a write that waits for another process's lock never holds up a
search. The read pool is as wide as the machine, since more threads in CPU-bound searches would only make the
event loop wait longer for its turn.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast

from memwell import _bridge
from memwell.capabilities import Capabilities
from memwell.errors import MemwellError
from memwell.ports import Embedder, KeyValue, Log, Port, Store, VectorIndex
from memwell.wrappers.base import forwarding

__all__ = [
    "Threaded",
    "ThreadedEmbedder",
    "ThreadedIndex",
    "ThreadedKeyValue",
    "ThreadedLog",
    "ThreadedStore",
    "threaded",
]

P = TypeVar("P", bound=Port)
_READERS = max(2, min(8, os.cpu_count() or 2))
_WRITERS = 8
"""Enough that concurrent writers meet in one group commit."""
_WRITES = frozenset(
    {
        "_write",
        "_sweep",
        "_check",
        "_upsert",
        "_delete",
        "_clear",
        "_set_many",
        "_add",
        "_increment",
        "_append",
        "_trim",
    }
)


class _Pools:
    """The threads of one wrapped part."""

    def __init__(self, inner: Port) -> None:
        self.inner = inner
        self._hire()

    def _hire(self) -> None:
        part = self.inner.part
        self.readers = ThreadPoolExecutor(_READERS, thread_name_prefix=f"memwell-{part}-read")
        self.writers = ThreadPoolExecutor(_WRITERS, thread_name_prefix=f"memwell-{part}-write")
        self._pid = os.getpid()

    async def call(self, hook: str, *arguments: Any) -> Any:
        """Run a hook of the inner part to its end in a thread."""
        if self._pid != os.getpid():  # a fork copies the pools without their threads
            self._hire()
        pool = self.writers if hook in _WRITES else self.readers
        method: Callable[..., Coroutine[Any, Any, Any]] = getattr(self.inner, hook)
        return await _bridge.hop(pool, lambda: _bridge.drive(method(*arguments)))

    async def close(self) -> None:
        try:
            await self.call("close")
        finally:
            self.dismiss()

    def dismiss(self) -> None:
        """Let the threads end when they have done what they were given."""
        self.readers.shutdown(wait=False)
        self.writers.shutdown(wait=False)


async def _hop(self: Any, hook: str, arguments: tuple[Any, ...]) -> Any:
    return await self._pools.call(hook, *arguments)


_in_a_thread = forwarding(_hop)


class Threaded(Port):
    """What the wrappers below share."""

    blocking = False
    _pools: _Pools

    def __init__(self, inner: Port) -> None:
        self._pools = _Pools(inner)
        self.inner = inner

    async def _close(self) -> None:
        await self._pools.close()

    def dismiss(self) -> None:
        """Let the threads end without closing the part inside, which may not be ours to close."""
        self._pools.dismiss()

    def _translate(self, error: Exception, operation: str) -> MemwellError:
        return self.inner._translate(error, operation)


@_in_a_thread
class ThreadedStore(Threaded, Store):
    """A blocking store, off the loop."""

    part = "threaded"

    @property
    def capabilities(self) -> Capabilities:
        """Those of the wrapped store."""
        return cast("Store", self.inner).capabilities


@_in_a_thread
class ThreadedIndex(Threaded, VectorIndex):
    """A blocking vector index, off the loop."""

    part = "threaded"

    def __init__(self, inner: VectorIndex) -> None:
        super().__init__(inner)
        self.dimension = inner.dimension


@_in_a_thread
class ThreadedEmbedder(Threaded, Embedder):
    """A blocking embedder, off the loop."""

    part = "threaded"

    def __init__(self, inner: Embedder) -> None:
        super().__init__(inner)

    @property
    def model(self) -> str:  # type: ignore[override]
        """The wrapped embedder's."""
        return cast("Embedder", self.inner).model

    @property
    def dimension(self) -> int:  # type: ignore[override]
        """The wrapped embedder's."""
        return cast("Embedder", self.inner).dimension

    @property
    def window(self) -> int | None:  # type: ignore[override]
        """The wrapped embedder's."""
        return cast("Embedder", self.inner).window

    def spans(self, text: str) -> list[tuple[int, int]]:
        """The wrapped embedder's."""
        return cast("Embedder", self.inner).spans(text)


@_in_a_thread
class ThreadedKeyValue(Threaded, KeyValue):
    """A blocking key-value part, off the loop."""

    part = "threaded"


@_in_a_thread
class ThreadedLog(Threaded, Log):
    """A blocking log, off the loop."""

    part = "threaded"


_WRAPPERS: Sequence[tuple[type[Port], Callable[[Any], Port]]] = (
    (Store, ThreadedStore),
    (VectorIndex, ThreadedIndex),
    (Embedder, ThreadedEmbedder),
    (KeyValue, ThreadedKeyValue),
    (Log, ThreadedLog),
)


def threaded(part: P) -> P:
    """The part off the event loop; one that never blocks comes back as it is."""
    if not part.blocking:
        return part
    for port, wrapper in _WRAPPERS:
        if isinstance(part, port):
            return cast("P", wrapper(part))
    raise TypeError(f"{type(part).__name__} is none of the five ports")
