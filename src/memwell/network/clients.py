"""Clients of network services, one per event loop.

A client's connections belong to the event loop on which they were opened, and a part may be used on several: that of
the synchronous `Memory`, those of tests. A forked child opens its own and does not touch those of its parent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
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
        fork_safe(self._reset)

    def current(self) -> C:
        """The client of the running loop. Clients of closed loops are dropped."""
        loop = asyncio.get_running_loop()
        if loop not in self._open:
            for other in [known for known in self._open if known.is_closed()]:
                self._open.pop(other, None)
            self._open[loop] = self._make()
        return self._open[loop]

    async def close(self) -> None:
        """Close each client, on its own loop if that is still running."""
        current = asyncio.get_running_loop()
        clients, self._open = self._open, {}
        for loop, client in clients.items():
            if loop is current:
                await self._close_client(client)
            elif loop.is_running():
                closing = asyncio.run_coroutine_threadsafe(self._closed(client), loop)
                done, _ = await asyncio.wait({asyncio.wrap_future(closing)}, timeout=CLOSE_TIMEOUT)
                for future in done:
                    future.result()

    def _reset(self) -> None:
        leave_to_parent(self._open)
        self._open = {}

    async def _closed(self, client: C) -> None:
        await self._close_client(client)
