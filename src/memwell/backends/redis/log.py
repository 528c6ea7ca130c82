"""Streams in Redis 6.2 or later, shared by processes and machines.

`redis://user:password@host:port/db`, `rediss://…`, `…?sentinel=NAME` and `…?cluster=true`, with the options of
`memwell.backends.redis.settings`. A stream is the Redis stream `<prefix>log:<name>`; nothing else is ever touched.

An append is one atomic script: all entries or none. Positions are the ids that Redis assigns, milliseconds and a
number, in fixed width so that their order as text is their order. They grow even when the server's clock goes back. An
emptied stream is kept, because it holds the last position; so give Redis a `maxmemory-policy` that does not evict. A
write whose connection breaks raises `Unavailable`, and its outcome is unknown; only reads are repeated. After a
failover the last entries may be missing, because Redis answers before it sends them to replicas.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from memwell.backends.redis import Clients, Script, Settings, translate, twice
from memwell.backends.redis.connections import AsyncClient
from memwell.backends.redis.memory import refuse_full
from memwell.errors import Corrupt, InvalidInput, InvalidQuery, MemwellError
from memwell.ports import Entry, Log
from memwell.urls import Url

__all__ = ["RedisLog"]

MOST = 1_000_000
"""Entries of one append at most: Redis takes 1,048,576 arguments."""
_LAST = 2**64 - 1
_FORM = re.compile(r"([0-9]{20})-([0-9]{20})", re.ASCII)
_START = datetime(1970, 1, 1, tzinfo=UTC)
_FIELD = b"d"

_APPEND = Script("""
local ids = {}
for i = 1, #ARGV do ids[i] = redis.call('XADD', KEYS[1], '*', 'd', ARGV[i]) end
return ids
""")
_APPEND_IF = Script("""
if redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', 1)[1] then return false end
local ids = {}
for i = 2, #ARGV do ids[i - 1] = redis.call('XADD', KEYS[1], '*', 'd', ARGV[i]) end
return ids
""")


class RedisLog(Log):
    """Streams under a key prefix of one Redis. See the module for its guarantees."""

    part = "redis"

    def __init__(self, settings: Settings | None = None, *, client: AsyncClient | None = None) -> None:
        """`client`, if passed, is used instead of one created from the settings, and stays open."""
        settings = settings or Settings()
        self._clients = Clients(settings, client)
        self._prefix = f"{settings.prefix}log:".encode()

    @classmethod
    def from_url(cls, url: Url) -> Self:
        """See `Settings.from_url`."""
        return cls(Settings.from_url(url))

    async def _append(self, stream: str, entries: Sequence[bytes]) -> list[str]:
        if len(entries) > MOST:
            raise InvalidInput(f"an append to Redis has at most {MOST:,} entries; append them in several")
        client = await self._clients.get()
        return [_position(id) for id in await _APPEND.run(client, [self._name(stream)], *entries)]

    async def _append_if(self, stream: str, entries: Sequence[bytes], last: str | None) -> list[str] | None:
        if len(entries) >= MOST:
            raise InvalidInput(f"an append to Redis has fewer than {MOST:,} entries; append them in several")
        following = (0, 0) if last is None else _next(_id(last))
        client = await self._clients.get()
        first = "{}-{}".format(*min(following, (_LAST, _LAST)))
        ids = await _APPEND_IF.run(client, [self._name(stream)], first, *entries)
        return None if ids is None else [_position(id) for id in ids]

    async def _remove(self, stream: str, positions: Sequence[str]) -> int:
        ids = ["{}-{}".format(*_id(position)) for position in positions]
        client, name = await self._clients.get(), self._name(stream)
        return sum([int(await client.xdel(name, *ids[at : at + 1000])) for at in range(0, len(ids), 1000)])

    async def _read(self, stream: str, after: str | None, limit: int) -> list[Entry]:
        start = (0, 0) if after is None else _next(_id(after))
        if start > (_LAST, _LAST):
            return []
        client = await self._clients.get()
        first, most = "{}-{}".format(*start), min(limit, 2**62)
        rows = await twice(lambda: client.xrange(self._name(stream), first, "+", most))
        return [_entry(id, fields) for id, fields in rows]

    async def _last(self, stream: str) -> Entry | None:
        client = await self._clients.get()
        rows = await twice(lambda: client.xrevrange(self._name(stream), "+", "-", 1))
        return _entry(*rows[0]) if rows else None

    async def _trim(self, stream: str, keep: int, through: str | None) -> int:
        first = (_LAST + 1, 0) if through is None else _next(_id(through))
        client, name = await self._clients.get(), self._name(stream)
        if first > (_LAST, _LAST):
            return int(await client.xtrim(name, maxlen=min(keep, 2**62), approximate=False))
        return int(await client.xtrim(name, minid="{}-{}".format(*first), approximate=False))

    async def _ping(self) -> None:
        client = await self._clients.get()
        await client.exists(self._prefix)
        await refuse_full(client, self.part)

    async def _close(self) -> None:
        await self._clients.close()

    def _name(self, stream: str) -> bytes:
        return self._prefix + stream.encode()

    def _translate(self, error: Exception, operation: str) -> MemwellError:
        return translate(error, self.part, operation)


def _position(id: bytes) -> str:
    time, _, number = id.decode().partition("-")
    return f"{int(time):020d}-{int(number):020d}"


def _id(position: str) -> tuple[int, int]:
    """Time and number. Raises `InvalidQuery` for a text that is not a position."""
    found = _FORM.fullmatch(position) if isinstance(position, str) else None
    if found is None or int(found[1]) > _LAST or int(found[2]) > _LAST:
        raise InvalidQuery(
            f"{position!r} is not a position of this log; pass one that `append` or `read` returned"
        )
    return int(found[1]), int(found[2])


def _next(id: tuple[int, int]) -> tuple[int, int]:
    time, number = id
    return (time + 1, 0) if number == _LAST else (time, number + 1)


def _entry(id: bytes, fields: dict[bytes, Any]) -> Entry:
    if set(fields) != {_FIELD}:
        raise Corrupt(
            "the stream holds an entry that memwell did not write; give every program its own prefix"
        )
    position = _position(id)
    at = _START + timedelta(milliseconds=_id(position)[0])
    return Entry(position=position, at=at, data=fields[_FIELD])
