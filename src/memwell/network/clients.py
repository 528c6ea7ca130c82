"""Clients of network services, one per event loop.

A client's connections belong to the event loop on which they were opened, and a part may be used on several: that of
the synchronous `Memory`, those of tests. A client is closed with the part, or before its loop ends (`asyncio.run` and
the synchronous `Memory` shut down their loops' asynchronous generators, one of which holds the client). A forked child
opens its own and does not touch those of its parent.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Final, Generic, TypeVar

from memwell._forks import fork_safe, leave_to_parent

__all__ = ["Clients"]

C = TypeVar("C")

CLOSE_TIMEOUT: Final = 5.0
"""Seconds that closing waits for another loop; that loop may itself be waiting for us."""


class Clients(Generic[C]):
    """One client per event loop, created by `make` on first use there."""

    def __init__(self, make: Callable[[], C], close: Callable[[C], Awaitable[object]]) -> None:
        self._make, self._close_client = make, close
        self._open: dict[asyncio.AbstractEventLoop, C] = {}
        self._holders: dict[asyncio.AbstractEventLoop, AsyncGenerator[C, None]] = {}
        fork_safe(self._reset)

    def current(self) -> C:
        """The client of the running loop. Clients of closed loops are dropped."""
        loop = asyncio.get_running_loop()
        if loop not in self._open:
            for other in [known for known in self._open if known.is_closed()]:
                self._open.pop(other, None)
                self._holders.pop(other, None)
            holder = self._holding(self._make())
            self._open[loop], self._holders[loop] = _begun(holder), holder
        return self._open[loop]

    async def close(self) -> None:
        """Close each client, on its own loop if that is still running."""
        current = asyncio.get_running_loop()
        holders, self._open, self._holders = self._holders, {}, {}
        for loop, holder in holders.items():
            if loop is current:
                await holder.aclose()
            elif loop.is_running():
                closing = asyncio.run_coroutine_threadsafe(_closed(holder), loop)
                done, _ = await asyncio.wait({asyncio.wrap_future(closing)}, timeout=CLOSE_TIMEOUT)
                for future in done:
                    future.result()

    def _reset(self) -> None:
        leave_to_parent((self._open, self._holders))
        self._open, self._holders = {}, {}

    async def _holding(self, client: C) -> AsyncGenerator[C, None]:
        try:
            yield client
        finally:
            await self._close_client(client)


def _begun(holder: AsyncGenerator[C, None]) -> C:
    """The client of a holder that begins: the loop knows it from then on."""
    try:
        holder.__anext__().send(None)
    except StopIteration as first:
        client: C = first.value
        return client
    raise RuntimeError("the holder of a client waits for something before it has one")


async def _closed(holder: AsyncGenerator[C, None]) -> None:
    await holder.aclose()
