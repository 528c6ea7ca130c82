"""Keys and values in Redis 6.2 or later, shared by processes and machines.

`redis://user:password@host:port/db`, `rediss://…`, `…?sentinel=NAME` and `…?cluster=true`, with the options of
`memwell.backends.redis.settings`. Keys are `<prefix>kv:<key>`; nothing else is ever touched.

Each operation is one command or one script, and so atomic. `set_many` and `get_many` are several commands in few round
trips: other processes may see a part of them, and a failure may leave a part. A time to live is rounded up to
milliseconds and runs on the server's clock. A write whose connection breaks raises `Unavailable`, and its outcome is
unknown; only reads are repeated. After a failover the last writes may be missing, because Redis answers before it sends
them to replicas.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any, Self

from memwell.backends.redis import Clients, Script, Settings, together, translate, twice
from memwell.backends.redis.connections import AsyncClient
from memwell.backends.redis.memory import refuse_full
from memwell.errors import MemwellError
from memwell.ports import KeyValue
from memwell.ports.counters import check_step
from memwell.urls import Url

__all__ = ["RedisKeyValue"]

LONGEST = 2**53
"""Milliseconds of the longest time to live, some 285,000 years: Redis refuses what ends beyond 64 bits."""

_REPLACE = Script("""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[3] == '' then redis.call('SET', KEYS[1], ARGV[2])
else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return 1
""")
_DELETE = Script("""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
""")
_COUNT_FOR_A_WHILE = Script("""
local absent = redis.call('EXISTS', KEYS[1]) == 0
redis.call('INCRBY', KEYS[1], ARGV[1])
if absent then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return redis.call('GET', KEYS[1])
""")


class RedisKeyValue(KeyValue):
    """Values under a key prefix of one Redis. See the module for its guarantees."""

    part = "redis"

    def __init__(self, settings: Settings | None = None, *, client: AsyncClient | None = None) -> None:
        """`client`, if passed, is used instead of one created from the settings, and stays open."""
        settings = settings or Settings()
        self._clients = Clients(settings, client)
        self._prefix = f"{settings.prefix}kv:".encode()

    @classmethod
    def from_url(cls, url: Url) -> Self:
        """See `Settings.from_url`."""
        return cls(Settings.from_url(url))

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        client = await self._clients.get()

        async def read() -> list[Any]:
            if len(keys) == 1:
                return [await client.get(self._name(keys[0]))]
            return await together(client, [("GET", self._name(key)) for key in keys])

        values = await twice(read)
        return {key: value for key, value in zip(keys, values, strict=True) if value is not None}

    async def _set_many(self, values: Mapping[str, bytes], ttl: float | None) -> None:
        client, life = await self._clients.get(), _life(ttl)
        if len(values) == 1:
            [(key, value)] = values.items()
            await client.set(self._name(key), value, px=life)
            return
        ending = () if life is None else ("PX", life)
        commands = [("SET", self._name(key), value, *ending) for key, value in values.items()]
        await together(client, commands)

    async def _add(self, key: str, value: bytes, ttl: float | None) -> bool:
        client = await self._clients.get()
        return bool(await client.set(self._name(key), value, px=_life(ttl), nx=True))

    async def _replace(self, key: str, value: bytes, expected: bytes, ttl: float | None) -> bool:
        client, life = await self._clients.get(), _life(ttl)
        return bool(await _REPLACE.run(client, [self._name(key)], expected, value, life or b""))

    async def _increment(self, key: str, by: int, ttl: float | None) -> int:
        client, step, life = await self._clients.get(), check_step(by), _life(ttl)
        if life is None:
            return int(await client.incrby(self._name(key), step))
        # The script answers with text, as Lua's numbers have 53 bits.
        return int(await _COUNT_FOR_A_WHILE.run(client, [self._name(key)], step, life))

    async def _delete(self, key: str, expected: bytes | None) -> bool:
        client = await self._clients.get()
        if expected is None:
            return bool(await client.delete(self._name(key)))
        return bool(await _DELETE.run(client, [self._name(key)], expected))

    async def _ping(self) -> None:
        client = await self._clients.get()
        await client.exists(self._prefix)
        await refuse_full(client, self.part)

    async def _close(self) -> None:
        await self._clients.close()

    def _name(self, key: str) -> bytes:
        return self._prefix + key.encode()

    def _translate(self, error: Exception, operation: str) -> MemwellError:
        return translate(error, self.part, operation)


def _life(ttl: float | None) -> int | None:
    return None if ttl is None else min(ceil(ttl * 1000), LONGEST) if ttl < LONGEST else LONGEST
