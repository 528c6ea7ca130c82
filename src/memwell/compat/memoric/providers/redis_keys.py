"""Keys of Redis directly behind the prefix, and how long they live."""

from __future__ import annotations

from memwell.backends.redis.keyvalue import RedisKeyValue
from memwell.backends.redis.settings import Settings
from memwell.ports import Effect, operation

__all__ = ["RedisKeys"]


class RedisKeys(RedisKeyValue):
    """`<prefix><key>`, without more."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._prefix = settings.prefix.encode()

    @operation(Effect.READS)
    async def ttl(self, key: str) -> float | None:
        """Seconds that the key has left; `None` if it has no expiry, or is not there."""
        client = await self._clients.get()
        left = int(await client.pttl(self._name(key)))
        return left / 1000 if left >= 0 else None
