"""Clients of redis-py, one for each event loop or process: made when first asked for, shared by the parts that connect
in the same way, closed with the last of them.

A client that was passed in is used as it is, stays open, and must come from the loop it is used on.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import redis.exceptions

from memwell._forks import fork_safe, leave_to_parent
from memwell.backends.redis.connections import AsyncClient, SyncClient, async_client, release, sync_client
from memwell.backends.redis.settings import Settings
from memwell.backends.sharing import Shared, Used
from memwell.errors import Closed, ConfigError

__all__ = ["Clients", "SyncClients"]

LEAST = (6, 2)


class _Async(Used):
    """The client of one loop, and whether its server was looked at."""

    def __init__(self, client: AsyncClient) -> None:
        super().__init__()
        self.client = client
        self.checked = False

    async def get(self) -> AsyncClient:
        if not self.checked:
            await _check(self.client)
            self.checked = True
        return self.client


class _Sync(Used):
    """The synchronous client of a process, made when first asked for."""

    def __init__(self, make: Callable[[], SyncClient]) -> None:
        super().__init__()
        self._make = make
        self._client: SyncClient | None = None
        self._checked = self._closed = False
        self._reset()
        fork_safe(self._reset)

    def get(self) -> SyncClient:
        client = self._client or self._made()
        if not self._checked:
            _refuse_old(_version(lambda: client.info("server")))
            self._checked = True
        return client

    def close(self) -> None:
        with self._lock:
            client, self._client, self._closed = self._client, None, True
        if client is not None:
            client.close()

    def _made(self) -> SyncClient:
        made = self._make()  # outside the lock: that of a Cluster connects
        with self._lock:
            if self._client is None and not self._closed:
                self._client = made
            client = self._client
        if client is not made:  # another thread was faster, or closed the part
            made.close()
        if client is None:
            raise Closed("the part was closed", part="redis")
        return client

    def _reset(self) -> None:
        self._lock = threading.RLock()  # a signal handler may call while its own thread does


_async: Final[Shared[_Async]] = Shared()
"""By event loop and settings."""
_sync: Final[Shared[_Sync]] = Shared()
"""By settings."""


class Clients:
    """The asyncio clients of one part."""

    def __init__(self, settings: Settings, client: AsyncClient | None = None) -> None:
        self.settings = settings
        self._connection = _without_prefix(settings)
        self._given = None if client is None else _Async(client)
        self._own: dict[asyncio.AbstractEventLoop, _Async] = {}
        fork_safe(self._reset)

    async def get(self) -> AsyncClient:
        """The client of the running loop. Raises `ConfigError` for a server that is too old."""
        return await (self._given or self._joined()).get()

    async def close(self) -> None:
        """Leave the clients of this loop and of others that still run; those without other users are closed."""
        here = asyncio.get_running_loop()
        for loop in list(self._own):
            used = self._own.pop(loop, None)
            if used is None or not _async.leave((loop, self._connection), used, self):
                continue
            if loop is here:
                await release(used.client)
            elif loop.is_running():
                await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(release(used.client), loop))

    def _joined(self) -> _Async:
        loop = asyncio.get_running_loop()
        found = self._own.get(loop)
        if found is None:
            for other in list(self._own):
                if other.is_closed() and (unused := self._own.pop(other, None)):
                    _async.leave((other, self._connection), unused, self)
            key = (loop, self._connection)
            found = self._own[loop] = _async.join(key, self, lambda: _Async(async_client(self.settings)))
        return found

    def _reset(self) -> None:
        leave_to_parent(self._own)  # their event loop's poll set is the parent's too
        self._own = {}


class SyncClients:
    """The synchronous client of one part, for all threads; a forked child makes its own."""

    def __init__(self, settings: Settings, client: SyncClient | None = None) -> None:
        self.settings = settings
        self._connection = _without_prefix(settings)
        self._given = None if client is None else _Sync(lambda: client)
        self._own: _Sync | None = None
        fork_safe(self._reset)

    def get(self) -> SyncClient:
        """The client of this process. Raises `ConfigError` for a server that is too old."""
        return (self._given or self._own or self._joined()).get()

    def close(self) -> None:
        """Leave the client; without other users it is closed."""
        used, self._own = self._own, None
        if used is not None and _sync.leave(self._connection, used, self):
            used.close()

    def _joined(self) -> _Sync:
        # Threads that come at once join the same one.
        used = _sync.join(self._connection, self, lambda: _Sync(lambda: sync_client(self.settings)))
        self._own = used
        return used

    def _reset(self) -> None:
        leave_to_parent(self._own)
        self._own = None


def _without_prefix(settings: Settings) -> Settings:
    """What matters for a connection: parts with equal ones share it."""
    return replace(settings, prefix="")


async def _check(client: AsyncClient) -> None:
    try:
        found: dict[str, Any] = await client.info("server")
    except redis.exceptions.NoPermissionError:
        return
    _refuse_old(str(found.get("redis_version", "")))


def _version(ask: Callable[[], dict[str, Any]]) -> str:
    try:
        return str(ask().get("redis_version", ""))
    except redis.exceptions.NoPermissionError:
        return ""


def _refuse_old(version: str) -> None:
    """A server that does not give its version is trusted."""
    numbers = re.match(r"(\d+)\.(\d+)", version)
    if numbers and (int(numbers[1]), int(numbers[2])) < LEAST:
        raise ConfigError(f"this is Redis {version}; memwell needs 6.2 or later", part="redis")
