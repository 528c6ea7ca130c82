"""Keys and values in memcached: fast, and lost with its process. For caches and counters that may be lost.

`memcached://host:port`, with the options `prefix` (`memwell:`), `pool` (maximum number of connections, 16; further
calls wait for one), `timeout` and `connect_timeout` (5 seconds each).

*Keys.* memcached takes 250 bytes without spaces. A key that fits is used unchanged, after the prefix; any other is
replaced by its SHA-256 with a mark. Every item contains its key, which is compared when the item is read.

*Expiry.* memcached counts whole seconds. So every item contains its own time of expiry in microseconds, by the clocks
of the clients, which must agree; memcached itself drops the item a little later. A time to live may be longer than 30
days.

*Atomicity.* `add`, `replace`, `increment` and `delete` read an item and write it back only if it has not changed
meanwhile (CAS); otherwise they start over. One of several concurrent calls always succeeds. So counters may go below
zero, which memcached's own cannot. `set_many` and `get_many` are several commands; a failure may leave a part.

*Losses.* memcached drops items silently when its memory is full and when it ends: a lock may be lost that way. A write
whose connection breaks raises `Unavailable`, and its outcome is unknown; only reads are repeated.
"""

from __future__ import annotations

import itertools
import re
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from math import ceil, inf
from random import uniform
from threading import BoundedSemaphore
from typing import Any, Final, NamedTuple, Self

from pymemcache import exceptions as native
from pymemcache.client.base import PooledClient

from memwell._forks import fork_safe, leave_to_parent
from memwell.errors import BackendError, ConfigError, Corrupt, InvalidInput, MemwellError, Unavailable
from memwell.ports import KeyValue
from memwell.ports.counters import added
from memwell.urls import Url

__all__ = ["MemcachedKeyValue"]

PORT: Final = 11211
LONGEST_NAME: Final = 250
AT_ONCE: Final = 100
"""Keys of one command at most."""
RELATIVE: Final = 30 * 86_400
"""Seconds of life above which memcached takes a number for a date."""
LATEST: Final = 2**31 - 1
"""The last date it understands."""
SLACK: Final = 2
"""Whole seconds that memcached keeps an item longer than we do."""
OVERHEAD: Final = 128
"""Bytes that an item needs beside its name and value."""
SPINS: Final = 4
"""Attempts at once; afterwards each waits a little, so that the others get through."""

_PLAIN = re.compile(rb"[!-~]+")
_HEAD = struct.Struct(">BdH")
_FORM = 1
_OPTIONS = ("prefix", "pool", "timeout", "connect_timeout")


class _Item(NamedTuple):
    value: bytes
    expiry: float
    cas: bytes


class MemcachedKeyValue(KeyValue):
    """Values under a prefix of one memcached. See the module for what it promises. `clock` gives seconds since 1970.

    `client`, if given, is a pymemcache client that threads may share, without `serde` and `key_prefix`, and stays open.
    """

    part = "memcached"
    blocking = True

    def __init__(
        self,
        host: str = "localhost",
        port: int = PORT,
        *,
        prefix: str = "memwell:",
        pool: int = 16,
        timeout: float = 5.0,
        connect_timeout: float = 5.0,
        client: Any = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not re.fullmatch(r"[!-~]{0,180}", prefix):
            raise ConfigError("a prefix for memcached is up to 180 printable ASCII characters without spaces")
        if pool < 1 or timeout <= 0 or connect_timeout <= 0:
            raise ConfigError("pool is 1 or more; timeout and connect_timeout are over 0")
        self._server = (host, port)
        self._timeouts = {"timeout": timeout, "connect_timeout": connect_timeout}
        self._pool, self._patience = pool, timeout
        self._prefix = prefix.encode()
        self._clock = clock
        self._given = client
        self._own: tuple[Any, BoundedSemaphore] | None = None
        self._reset()
        fork_safe(self._reset)
        self._largest: int | None = None

    @classmethod
    def from_url(cls, url: Url) -> Self:
        """`memcached://host:port` with the options of the module."""
        place = url.place()
        if place.user or place.password or place.path:
            raise ConfigError("a memcached URL has a host and a port, no login and no path")
        host, port = place.host(PORT)
        made = cls(
            host,
            port,
            prefix=url.take("prefix", "memwell:") or "",
            pool=url.whole("pool", 16, least=1),
            timeout=url.number("timeout", 5.0),
            connect_timeout=url.number("connect_timeout", 5.0),
        )
        url.done(*_OPTIONS)
        return made

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        now, names, found = self._clock(), [self._name(key) for key in keys], {}
        with self._client() as client:
            for at in range(0, len(names), AT_ONCE):
                found.update(self._gets_many(client, names[at : at + AT_ONCE]))
        items = {key: _item(key, found[name]) for key, name in zip(keys, names, strict=True) if name in found}
        return {key: item.value for key, item in items.items() if item.expiry > now}

    def _gets_many(self, client: Any, names: Sequence[bytes]) -> dict[bytes, tuple[bytes, bytes]]:
        """Items by name; asked again where an idle connection had been cut, until one of the pool is whole."""
        for _ in range(self._pool):
            try:
                return dict(client.gets_many(names))
            except (native.MemcacheUnexpectedCloseError, ConnectionResetError, BrokenPipeError):
                continue  # the pool has dropped that connection
        return dict(client.gets_many(names))

    async def _set_many(self, values: Mapping[str, bytes], ttl: float | None) -> None:
        expiry = self._expiry(ttl)
        with self._client() as client:
            items = [
                (self._name(key), self._packed(client, key, value, expiry)) for key, value in values.items()
            ]
            for at in range(0, len(items), AT_ONCE):
                if failed := client.set_many(dict(items[at : at + AT_ONCE]), self._until(expiry)):
                    raise BackendError(f"memcached did not store {len(failed)} of the values", part=self.part)

    async def _add(self, key: str, value: bytes, ttl: float | None) -> bool:
        return self._change(key, lambda item: None if item else (value, self._expiry(ttl)))

    async def _replace(self, key: str, value: bytes, expected: bytes, ttl: float | None) -> bool:
        def change(item: _Item | None) -> tuple[bytes, float] | None:
            return (value, self._expiry(ttl)) if item and item.value == expected else None

        return self._change(key, change)

    async def _increment(self, key: str, by: int, ttl: float | None) -> int:
        total = 0

        def change(item: _Item | None) -> tuple[bytes, float]:
            nonlocal total
            total = added(item and item.value, by)
            return b"%d" % total, item.expiry if item else self._expiry(ttl)

        self._change(key, change)
        return total

    async def _delete(self, key: str, expected: bytes | None) -> bool:
        def change(item: _Item | None) -> tuple[bytes, float] | None:
            return (b"", -inf) if item and expected in (None, item.value) else None

        return self._change(key, change)

    async def _ping(self) -> None:
        with self._client() as client:
            client.version()

    async def _close(self) -> None:
        own, self._own = self._own, None
        if own is not None:
            own[0].close()

    def _change(self, key: str, change: Callable[[_Item | None], tuple[bytes, float] | None]) -> bool:
        """Replace the item by what `change` returns for it, and start over if another client changes it meanwhile.
        `change` gets `None` when the item is absent or has expired; it returns `None` to change nothing, and an expiry
        of minus infinity to remove the item. Returns whether anything was written.
        """
        name = self._name(key)
        for wait in _waits():
            time.sleep(wait)
            with self._client() as client:
                value, cas = client.gets(name)
                held = None if cas is None else _item(key, (value, cas))
                put = change(held if held and held.expiry > self._clock() else None)
                if put is None:
                    return False
                packed, until = self._packed(client, key, *put), self._until(put[1])
                if (
                    client.add(name, packed, until)
                    if held is None
                    else client.cas(name, packed, held.cas, until)
                ):
                    return True
        return False  # never reached: the attempts do not end

    @contextmanager
    def _client(self) -> Iterator[Any]:
        """A client whose connections no other process has; waits while as many threads as `pool` have one."""
        if self._given:
            yield self._given
            return
        client, places = self._pooled()
        if not places.acquire(timeout=self._patience):
            raise Unavailable(
                "all connections are in use; try again, or raise the option pool", part=self.part, unsent=True
            )
        try:
            yield client
        finally:
            places.release()

    def _pooled(self) -> tuple[Any, BoundedSemaphore]:
        with self._lock:
            if self._own is None:
                made = PooledClient(self._server, no_delay=True, default_noreply=False, **self._timeouts)
                self._own = made, BoundedSemaphore(self._pool)
            return self._own

    def _reset(self) -> None:
        leave_to_parent(self._own)
        self._lock, self._own = threading.Lock(), None

    def _name(self, key: str) -> bytes:
        name = self._prefix + b"k:" + key.encode()
        if len(name) <= LONGEST_NAME and _PLAIN.fullmatch(name):
            return name
        return self._prefix + b"h:" + sha256(key.encode()).hexdigest().encode()

    def _expiry(self, ttl: float | None) -> float:
        return inf if ttl is None else self._clock() + ttl

    def _until(self, expiry: float) -> int:
        """When memcached may drop the item: seconds from now on, a date, 0 for never, or -1 for at once."""
        if expiry == -inf:
            return -1
        life = expiry - self._clock() + SLACK
        if life <= RELATIVE:
            return max(ceil(life), 1)
        date = expiry + 86_400  # whatever memcached's clock says
        return ceil(date) if date < LATEST else 0

    def _packed(self, client: Any, key: str, value: bytes, expiry: float) -> bytes:
        """The item. Refused here when it is too large, since memcached would forget the value it has as well."""
        known = key.encode()
        head = _HEAD.pack(_FORM, expiry, len(known)) + known
        if self._largest is None:
            self._largest = int(client.stats("settings").get(b"item_size_max", 2**20))
        most = self._largest - OVERHEAD - LONGEST_NAME - len(head)
        if len(value) > most:
            raise InvalidInput(
                f"a value of {len(value):,} bytes is too large; this memcached takes {most:,}: store less, or start it "
                "with a larger -I",
                part=self.part,
            )
        return head + value

    def _translate(self, error: Exception, operation: str) -> MemwellError:
        if isinstance(error, ConnectionRefusedError):
            return Unavailable(
                f"memcached cannot be reached; try again ({error})",
                part=self.part,
                operation=operation,
                unsent=True,
            )
        for kind, (mine, advice) in _TABLE.items():
            if isinstance(error, kind):
                return mine(
                    f"{advice} ({type(error).__name__}: {error})", part=self.part, operation=operation
                )
        return super()._translate(error, operation)


def _waits() -> Iterator[float]:
    """Seconds to wait before each attempt, without end."""
    for attempt in itertools.count():
        yield 0 if attempt < SPINS else uniform(0, 0.001 * min(attempt, 20))  # noqa: S311  no secret


def _item(key: str, found: tuple[bytes, bytes]) -> _Item:
    packed, cas = found
    known = key.encode()
    try:
        form, expiry, size = _HEAD.unpack_from(packed)
    except struct.error:
        form, expiry, size = 0, 0.0, 0
    end = _HEAD.size + size
    if form != _FORM or packed[_HEAD.size : end] != known:
        raise Corrupt(
            "the key holds what memwell did not write there; give every program a prefix of its own",
            part="memcached",
        )
    return _Item(packed[end:], expiry, cas)


_TABLE: dict[type[Exception], tuple[type[MemwellError], str]] = {
    native.MemcacheUnexpectedCloseError: (Unavailable, "memcached closed the connection; try again"),
    native.MemcacheServerError: (
        BackendError,
        "memcached failed to store the value; look at its memory (-m) and try again",
    ),
    native.MemcacheError: (BackendError, "memcached did not understand; is it memcached, 1.4 or later?"),
    TimeoutError: (Unavailable, "memcached did not answer in time; try again, or raise the option timeout"),
    OSError: (Unavailable, "memcached cannot be reached; try again"),
}
"""From special to general."""
