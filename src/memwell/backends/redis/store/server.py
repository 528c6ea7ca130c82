"""The Redis of a store: its keys, its commands, and checks of the server.

A store has sixteen keys that share a hash tag, so that every script names the keys it uses, and a Cluster keeps the
store on one shard.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, Final, TypeVar

import redis.cluster
import redis.exceptions

from memwell.backends.redis import Script, SyncClients
from memwell.backends.redis.errors import broke
from memwell.backends.redis.memory import evicting
from memwell.errors import ConfigError
from memwell.types import Problem

T = TypeVar("T")

__all__ = ["TABLES", "Server", "in_parts"]

TABLES: Final[dict[str, bytes]] = {
    "meta": b"hash",
    "records": b"hash",
    "words": b"hash",
    "marks": b"hash",
    "links": b"hash",
    "sources": b"hash",
    "access": b"hash",
    "history": b"hash",
    "vectors": b"hash",
    "models": b"hash",
    "followers": b"hash",
    "owners": b"zset",
    "ages": b"zset",
    "expiring": b"zset",
    "embedded": b"zset",
    "changes": b"stream",
}
"""Table → its type in Redis. By record name (`rows.name_of`) unless said otherwise:

`records` rows · `words` what a corpus holds · `marks` digest → names · `links` going out · `sources` ids that point
here · `access` recalls · `history` name and number → older version · `vectors` model and key → float32 · `models` →
dimension · `followers` of the changes · `owners` tenant, user and id, in this order · `ages` key (its score) ·
`expiring` by moment · `embedded` model and name · `changes` the change sequence · `meta` its ends, the last key given,
the model that serves, and which server that was
"""

_OF_EACH: Final = {"records": "HLEN", "words": "HLEN", "owners": "ZCARD", "ages": "ZCARD"}
"""Tables with one entry of each record, and the command that counts them."""
_NUMBER: Final = {table: number for number, table in enumerate(TABLES, 1)}
_READ: Final = Script("""
local found, at = {}, 1
while at <= #ARGV do
  local words = {ARGV[at], KEYS[tonumber(ARGV[at + 1])]}
  local count = tonumber(ARGV[at + 2])
  for n = at + 3, at + 2 + count do words[#words + 1] = ARGV[n] end
  found[#found + 1] = redis.call(unpack(words))
  at = at + 3 + count
end
return found
""")
"""ARGV: for each command its name, the number of its table, the number of words, and the words."""
_RESTORE: Final = Script("""
local meta, ages, changes, models, embedded = unpack(KEYS)
if redis.call('HEXISTS', meta, 'format') == 1 then return 0 end
local newest = redis.call('ZREVRANGE', ages, 0, 0, 'WITHSCORES')[2]
if not newest then return 0 end
local entry = redis.call('XREVRANGE', changes, '+', '-', 'COUNT', 1)[1]
local seq = entry and tonumber(string.match(entry[1], '^%d+')) or 0
seq = string.format('%.0f', math.max(seq + 2^32, tonumber(ARGV[1])))
redis.call('DEL', changes)
redis.call('HSET', meta, 'format', '1', 'key', newest, 'seq', seq, 'floor', seq, 'commit', '')
local most = 0
for _, model in ipairs(redis.call('HKEYS', models)) do
  local having = redis.call('ZLEXCOUNT', embedded, '[' .. model .. '\\0', '(' .. model .. '\\1')
  if having > most then
    most = having
    redis.call('HSET', meta, 'serving', model)
  end
end
return 1
""")
"""Restore the lost table `meta`; 1 if it was lost. The model with most vectors serves. ARGV: a position that no
follower can have reached."""

_AT_ONCE: Final = 2_000
"""Maximum number of fields in one command, because the server does nothing else meanwhile."""
_FORMAT: Final = b"1"


class Server:
    """The keys of one store and the synchronous client that reaches them. Threads may share it."""

    def __init__(self, clients: SyncClients, *, durable: bool | None = None) -> None:
        self.clients = clients
        self.timeout = clients.settings.timeout
        prefix = clients.settings.prefix
        self._head = f"{prefix}{{{prefix or 'memwell'}}}".encode()
        self._keys = [self._head + table.encode() for table in TABLES]
        self._asserted = durable
        self._durable: bool | None = None
        self._ready = False
        self.opened: Callable[[], None] = lambda: None
        """Called once, after it was seen that a store lives there."""
        self.stored = False
        """Whether this process has seen that something is stored."""
        self.crowded = 0
        """For how many more writes to expect concurrent writers."""

    def key(self, table: str) -> bytes:
        """The key of a table, or any other key of the store."""
        return self._head + table.encode()

    def client(self) -> Any:
        """The client. The first call checks that the server is usable for a store. Raises `ConfigError`."""
        client = self.clients.get()
        if not self._ready:
            self._inspect(client)
            self._ready = True
            self.opened()
        return client

    def command(self, *words: Any) -> Any:
        """Run a read command on a table: its name, the table, further arguments."""
        name, table, *rest = words
        return _twice(lambda: self.client().execute_command(name, self.key(table), *rest))

    def atomically(self, *commands: Sequence[Any]) -> list[Any]:
        """Run read commands (see `command`) as of one moment and in one round trip.

        By a script: a server whose memory is full refuses MULTI.
        """
        words: list[Any] = []
        for name, table, *rest in commands:
            words += (name, _NUMBER[table], len(rest), *rest)
        return list(self.run(_READ, *words))

    def read(self, table: str, fields: Sequence[bytes]) -> list[bytes | None]:
        """The values of fields of a hash; `None` for missing ones."""
        found: list[bytes | None] = []
        for part in in_parts(fields, _AT_ONCE):
            found += self.command("HMGET", table, *part)
        return found

    def run(self, script: Script, *arguments: Any) -> Any:
        """Run a script that may run twice; its KEYS are the tables in their order."""
        return _twice(lambda: self.run_once(script, *arguments))

    def run_once(self, script: Script, *arguments: Any, more: Sequence[bytes] = ()) -> Any:
        """Run a script once; its KEYS are the tables in their order, then `more`."""
        return script.run_sync(self.client(), [*self._keys, *more], *arguments)

    def members(self, table: str, head: bytes) -> Iterable[bytes]:
        """The members of a sorted set of equal scores that begin with `head`, in order. Members that are added or
        removed meanwhile may be missing or included.
        """
        first = b"[" + head
        while True:
            found = self.command("ZRANGEBYLEX", table, first, after_all(head), "LIMIT", 0, _AT_ONCE)
            yield from found
            if len(found) < _AT_ONCE:
                return
            first = b"(" + found[-1]

    @property
    def durable(self) -> bool:
        """Whether the server writes each command to disk before it answers; False if that cannot be found out."""
        if self._asserted is not None:
            return self._asserted
        if self._durable is None:
            try:
                client = self.clients.get()
                said = client.config_get("append*", **self._shard(client))
            except redis.exceptions.ResponseError:  # the user may not ask
                said = {}
            except (redis.exceptions.RedisError, OSError):
                return False  # ask again when it can be reached
            self._durable = (_text(said, "appendonly"), _text(said, "appendfsync")) == ("yes", "always")
        return self._durable

    def _inspect(self, client: Any) -> None:
        if _decodes(client):
            raise ConfigError(
                "the client must return bytes: create it without decode_responses", part="redis"
            )
        if reason := evicting(self.memory()):
            raise ConfigError(reason, part="redis")
        pipeline = client.pipeline(transaction=False)
        for key in self._keys:
            pipeline.execute_command("TYPE", key)
        for key, expected, found in zip(self._keys, TABLES.values(), pipeline.execute(), strict=True):
            if found not in (b"none", expected):
                raise ConfigError(
                    f"the key {key.decode()!r} belongs to another program; give the store its own prefix",
                    part="redis",
                )
        if (form := client.hget(self.key("meta"), "format")) not in (None, _FORMAT):
            raise ConfigError(
                f"this store has the format {form.decode()}; open it with a newer memwell", part="redis"
            )
        self.stored = form is not None

    def lost(self) -> Problem | None:
        """The problem if tables were deleted or evicted, otherwise `None`."""
        form, rows, *sizes = self.atomically(
            ("HGET", "meta", "format"),
            ("ZCARD", "ages"),
            *((size, table) for table, size in _OF_EACH.items()),
        )
        if form is None and rows:
            detail = f"the table meta is gone, as by eviction, while {rows} memories are there; run `memwell repair`"
            return Problem(kind="lost", detail=detail)
        if form is None and self.stored:
            detail = "all memories are gone: the keys were deleted or evicted; restore a backup of this Redis"
            return Problem(kind="lost", detail=detail, repairable=False)
        self.stored = self.stored or form is not None
        gone = [table for table, size in zip(_OF_EACH, sizes, strict=True) if size == 0 < max(sizes)]
        if not gone:
            return None
        remedy = "restore a backup of this Redis" if "records" in gone else "run `memwell repair`"
        detail = f"the table {gone[0]} is gone, as by eviction, while there are others; {remedy}"
        return Problem(kind="lost", detail=detail, repairable="records" not in gone)

    def restore(self) -> None:
        """Restore the table `meta` if it was lost. Followers then read the whole store again, and the model with most
        vectors serves."""
        keys = [self.key(table) for table in ("meta", "ages", "changes", "models", "embedded")]
        _RESTORE.run_sync(self.client(), keys, time.time_ns() // 1000)

    def memory(self) -> dict[str, Any]:
        """The server's `INFO memory` (see `memwell.backends.redis.memory`); empty if the user may not read it."""
        client = self.clients.get()
        try:
            found: dict[str, Any] = client.info("memory", **self._shard(client))
        except redis.exceptions.ResponseError:
            return {}
        return found

    def kept_on_disk(self) -> str:
        """Where the server may still have deleted values, and until when, by its `INFO persistence`."""
        client = self.clients.get()
        try:
            found: dict[str, Any] = client.info("persistence", **self._shard(client))
        except redis.exceptions.ResponseError:
            return (
                "the server does not say how it persists: its files, replicas and backups may still hold it"
            )
        log = int(found.get("aof_enabled", 0) or 0)
        where = "its append-only file until the next rewrite (BGREWRITEAOF), " if log else ""
        return f"gone from memory; {where}its dump until the next one (BGSAVE), and backups of both"

    def _shard(self, client: Any) -> dict[str, Any]:
        """Arguments that select the node of the store in a Cluster."""
        if not isinstance(client, redis.cluster.RedisCluster):
            return {}
        return {"target_nodes": client.get_node_from_key(self.key("meta"))}


def _twice(call: Callable[[], T]) -> T:
    """Run a read and return its result; repeat it once over a new connection if the connection broke."""
    try:
        return call()
    except redis.exceptions.ConnectionError as error:
        if not broke(error):
            raise
    return call()


def after_all(head: bytes) -> bytes:
    """The end of the range of members that begin with `head`, which ends with NUL."""
    return b"(" + head[:-1] + b"\1" if head else b"+"


def in_parts(items: Iterable[Any], size: int) -> Iterable[list[Any]]:
    """The items in lists of `size`."""
    rest = iter(items)
    while part := list(islice(rest, size)):
        yield part


def _decodes(client: Any) -> bool:
    encoder = client.get_encoder()
    return bool(encoder.decode_responses)


def _text(said: dict[Any, Any], name: str) -> str:
    value = said.get(name, said.get(name.encode(), ""))
    return value.decode() if isinstance(value, bytes) else str(value)
