"""Clients of network services, one for each event loop.

A client's connections belong to the event loop they were made on. A part may see several: of the synchronous `Memory`,
of tests, of a forked child. The child makes its own and leaves those of its parent alone.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

__all__ = ["Clients"]

C = TypeVar("C")

PATIENCE: Final = 5.0
"""Seconds that closing waits for another loop, which may itself wait for who closes."""


class Clients(Generic[C]):
    """One client for each event loop, made when first asked for there."""

    def __init__(self, make: Callable[[], C], close: Callable[[C], Awaitable[object]]) -> None:
        self._make, self._release = make, close
        self._made: dict[asyncio.AbstractEventLoop, C] = {}
        self._pid = os.getpid()
        self._inherited: list[object] = []

    def here(self) -> C:
        """The client of the running loop. Those of loops that are closed are given up."""
        loop = asyncio.get_running_loop()
        self._leave_to_parent()
        if loop not in self._made:
            for other in [known for known in self._made if known.is_closed()]:
                self._made.pop(other, None)
            self._made[loop] = self._make()
        return self._made[loop]

    async def close(self) -> None:
        """Close what was made, on the loop it was made on where that still runs."""
        here = asyncio.get_running_loop()
        self._leave_to_parent()
        made, self._made = self._made, {}
        for loop, client in made.items():
            if loop is here:
                await self._release(client)
            elif loop.is_running():
                there = asyncio.run_coroutine_threadsafe(self._released(client), loop)
                done, _ = await asyncio.wait({asyncio.wrap_future(there)}, timeout=PATIENCE)
                for future in done:
                    future.result()

    def _leave_to_parent(self) -> None:
        """In a forked child: keep what the parent made, for even to collect it would close the parent's connections."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._inherited.append(self._made)
            self._made = {}

    async def _released(self, client: C) -> None:
        await self._release(client)
