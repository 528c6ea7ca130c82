"""Contexts, events and locks in Redis."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from memwell import _bridge
from memwell.backends.redis.keyvalue import RedisKeyValue
from memwell.backends.redis.log import RedisLog
from memwell.backends.redis.settings import Settings
from memwell.compat.memory_adapters.base import Json
from memwell.compat.memory_adapters.over_runs import Opened, RunsAdapter, close
from memwell.compat.memory_adapters.settings import REDIS, checked, redis_url
from memwell.coordination.locks import lock_sync, redlock_sync
from memwell.ports import Effect, KeyValue, operation
from memwell.registry import open_keyvalue

__all__ = ["RedisMemoryAdapter"]


class _Keys(RedisKeyValue):
    """Keys directly behind the prefix: `<key_prefix>context:<id>` and `<key_prefix>lock:<name>`."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._prefix = settings.prefix.encode()

    @operation(Effect.READS)
    async def info(self) -> dict[str, Any]:
        """What the server says about itself."""
        client = await self._clients.get()
        found: dict[str, Any] = await client.info()
        return found


class RedisMemoryAdapter(RunsAdapter):
    """See `settings.REDIS` for the configuration. A context is the key `<key_prefix>context:<id>`, which expires by
    itself; its events are the stream `<key_prefix>log:events:<id>`.

    With `lock_servers`, locks are taken on a majority of those servers (Redlock), otherwise on the server itself.
    """

    name = "redis"

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self.config = checked("redis_config", config, REDIS)
        self._settings = Settings.from_url(redis_url(self.config))
        self._servers: list[KeyValue] = []

    def _open(self) -> Opened:
        self._servers = [open_keyvalue(url) for url in self.config["lock_servers"] or ()]
        return Opened.of(_Keys(self._settings), RedisLog(self._settings))

    def disconnect(self) -> None:
        """See `BaseMemoryAdapter.disconnect`."""
        super().disconnect()
        servers, self._servers = self._servers, []
        for server in servers:
            close(server)

    def acquire_lock(
        self, lock_name: str, timeout: float, blocking_timeout: float | None
    ) -> AbstractContextManager[Any]:
        """See `ContextAdapter.acquire_lock`."""
        parts = self.parts  # which opens the servers of locks, too
        if not self._servers:
            return lock_sync(parts.keyvalue, lock_name, ttl=timeout, wait=blocking_timeout)
        return redlock_sync(self._servers, lock_name, ttl=timeout, wait=blocking_timeout)

    def health(self) -> Json:
        """See `BaseMemoryAdapter.health`."""
        self.connect()
        info = self._info()
        [(host, port), *_] = self._settings.hosts
        return {
            "host": host,
            "port": port,
            "db": self._settings.db,
            "version": info.get("redis_version"),
            "used_memory": info.get("used_memory"),
            "connected_clients": info.get("connected_clients"),
        }

    def stats(self) -> Json:
        """`used_memory` in bytes, and other numbers of the server."""
        info = self._info()
        names = ("used_memory", "used_memory_human", "connected_clients", "total_commands_processed")
        return {name: info.get(name) for name in names}

    def _info(self) -> dict[str, Any]:
        found: dict[str, Any] = _bridge.complete(self.parts.keyvalue.info(), blocking=False)
        return found
