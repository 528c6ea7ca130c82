"""Key-value parts and logs with copies: writes go to the first part, then to every mirror.

`MirroredKeyValue(first, {"copy": second}, backlog=log)` and `MirroredLog(first, {"copy": second})` are a `KeyValue`
and a `Log`. The first part answers every call; a write has happened once the first part has it. A mirror that is down
fails no write: what it misses is recorded in the `backlog`, a log (the first one itself for a `MirroredLog`, unless
another is given), and delivered before anything newer once the mirror is back. After a failure a mirror is left alone
for `recovery_timeout` seconds. `lag()` returns how many writes wait for each mirror.

- A mirror gets the value that the first part has at the time of delivery, so that repeated and late deliveries end at
  the same value. The time to live is that of the write; an existing counter keeps its own, as in the first part. If a
  process dies between the first part and the mirror, or two processes write one key at once, the mirror may hold the
  older value until the key is written again. Use a mirror to continue after a loss, not to compare.
- Entries of a log arrive at least once, those of one writer in order, with the mirror's own positions and times. An
  entry that is removed from the first log is found in a mirror by its bytes.

`MirroredStore` follows the first store's change sequence instead, and loses nothing.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeAlias

from memwell import _bridge
from memwell.errors import ConfigError, MemwellError
from memwell.ports import Declaration, Entry, KeyValue, Log, Port, declared
from memwell.resilience.circuit_breaker import CircuitBreaker
from memwell.types import Trace
from memwell.wrappers.base import KeyValueWrapper, LogWrapper, close_all, require_same_mode

__all__ = ["MirroredKeyValue", "MirroredLog"]

log = logging.getLogger("memwell.mirror")

_Put: TypeAlias = Callable[[KeyValue, Mapping[str, bytes], float | None], Awaitable[None]]

_BATCH: Final = 200
_INCREMENT: Final = declared(KeyValue.increment)


class _Mirror:
    """One mirror and its backlog. `deliver(entry)` writes an entry to the mirror."""

    def __init__(
        self, name: str, backlog: Log, deliver: Callable[[Any], Awaitable[None]], breaker: CircuitBreaker
    ) -> None:
        self._name, self._backlog, self._deliver, self._breaker = name, backlog, deliver, breaker
        self._stream = f"memwell:mirror:{name}"
        self._recorded, self._delivered = 1, 0
        """How much may have been recorded in the backlog, and how much of it is delivered; equal when nothing waits."""

    async def take(self, entry: Any) -> None:
        """Deliver an entry after those that wait, or record it in the backlog."""
        try:
            await self._breaker.run(lambda: self._deliver_all(entry), name=self._name)
        except MemwellError as error:
            log.warning("a write waits for the mirror %s: %s", self._name, error)
            await self._backlog.append(self._stream, [json.dumps(entry).encode()])
            self._recorded += 1

    async def lag(self) -> int:
        """How many entries wait."""
        count, after = 0, None
        while entries := await self._backlog.read(self._stream, after=after, limit=_BATCH):
            count, after = count + len(entries), entries[-1].position
        return count

    async def _deliver_all(self, entry: Any) -> None:
        while self._delivered != self._recorded:
            recorded = self._recorded  # what is recorded from now on may be missing in what is read next
            entries = await self._backlog.read(self._stream, limit=_BATCH)
            for waiting in entries:
                await self._deliver(json.loads(waiting.data))
                await self._backlog.trim(self._stream, through=waiting.position)
            if not entries:
                self._delivered = recorded
        await self._deliver(entry)


def _mirrors(
    parts: Mapping[str, Port],
    backlog: Log,
    deliver: Callable[[Any, Any], Awaitable[None]],
    recovery_timeout: float,
    clock: Callable[[], float],
) -> dict[str, _Mirror]:
    if not parts:
        raise ConfigError("give at least one mirror by name", part="mirrored")

    def made(name: str, part: Port) -> _Mirror:
        breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=recovery_timeout, clock=clock)
        return _Mirror(name, backlog, lambda entry: deliver(part, entry), breaker)

    return {name: made(name, part) for name, part in parts.items()}


class MirroredKeyValue(KeyValueWrapper):
    """A key-value part with copies. `clock` gives seconds; times to live of waiting writes are counted by it."""

    part = "mirrored"

    def __init__(
        self,
        first: KeyValue,
        mirrors: Mapping[str, KeyValue],
        *,
        backlog: Log,
        recovery_timeout: float = 5.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        require_same_mode([first, *mirrors.values(), backlog], part=self.part)
        self.inner = first
        self._parts = (first, *mirrors.values())
        self._clock = clock
        self._counting = _bridge.PerLoopLock(blocking=first.blocking)
        self._mirrors = _mirrors(mirrors, backlog, self._deliver, recovery_timeout, clock)

    async def lag(self) -> dict[str, int]:
        """How many writes wait for each mirror."""
        return {name: await mirror.lag() for name, mirror in self._mirrors.items()}

    async def _call(self, operation: Declaration, arguments: tuple[Any, ...]) -> Any:
        answer = await super()._call(operation, arguments)
        if operation.writes and answer is not False:  # `False`: nothing was added, replaced or deleted
            first, last = arguments[0], arguments[-1]
            keys = list(first) if isinstance(first, Mapping) else [first]
            until = self._clock() + last if isinstance(last, int | float) else None
            entry = {"keys": keys, "until": until, "counter": operation is _INCREMENT}
            for mirror in self._mirrors.values():
                await mirror.take(entry)
        return answer

    async def _deliver(self, mirror: KeyValue, entry: Any) -> None:
        """Write to a mirror the values that the first part has now."""
        if not entry.get("counter"):
            await self._give(mirror, entry, _set)
            return
        async with self._counting:
            await self._give(mirror, entry, _count)

    async def _give(self, mirror: KeyValue, entry: Any, put: _Put) -> None:
        keys, until = entry["keys"], entry["until"]
        values = await self.inner.get_many(keys)
        ttl = None if until is None else until - self._clock()
        if ttl is None or ttl > 0:
            await put(mirror, values, ttl)
        for key in keys:
            if key not in values:
                await mirror.delete(key)

    async def _close(self) -> None:
        await close_all(self._parts)


async def _set(mirror: KeyValue, values: Mapping[str, bytes], ttl: float | None) -> None:
    await mirror.set_many(values, ttl=ttl)


async def _count(mirror: KeyValue, values: Mapping[str, bytes], ttl: float | None) -> None:
    """Add what is missing: an existing counter keeps its time to live, which cannot be read."""
    for key, value in values.items():
        try:
            step = int(value) - int(await mirror.get(key) or 0)
        except ValueError:
            await mirror.set(key, value, ttl=ttl)
        else:
            await mirror.increment(key, step, ttl=ttl)


class MirroredLog(LogWrapper):
    """A log with copies."""

    part = "mirrored"

    def __init__(
        self,
        first: Log,
        mirrors: Mapping[str, Log],
        *,
        backlog: Log | None = None,
        recovery_timeout: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        backlog = backlog or first
        require_same_mode([first, *mirrors.values(), backlog], part=self.part)
        self.inner = first
        self._parts = (first, *mirrors.values())
        self._mirrors = _mirrors(mirrors, backlog, _entries_to, recovery_timeout, clock)

    async def lag(self) -> dict[str, int]:
        """How many writes wait for each mirror."""
        return {name: await mirror.lag() for name, mirror in self._mirrors.items()}

    async def _append(self, stream: str, entries: Sequence[bytes]) -> list[str]:
        positions = await super()._append(stream, entries)
        await self._pass_on(_appended(stream, entries))
        return positions

    async def _append_if(self, stream: str, entries: Sequence[bytes], last: str | None) -> list[str] | None:
        positions = await super()._append_if(stream, entries, last)
        if positions is not None:
            await self._pass_on(_appended(stream, entries))
        return positions

    async def _remove(self, stream: str, positions: Sequence[str]) -> int:
        wanted = set(positions)
        digests = [_digest(e.data) async for e in _entries(self.inner, stream) if e.position in wanted]
        gone = await super()._remove(stream, positions)
        if digests:
            await self._pass_on({"stream": stream, "removed": digests})
        return gone

    async def _purge(self, texts: Sequence[str] | None) -> list[Trace]:
        found: list[Trace] = await super()._purge(texts)
        for part in self._parts[1:]:
            found += [replace(t, place=f"mirror: {t.place}") for t in await part.purge(texts=texts)]
        return found

    async def _trim(self, stream: str, keep: int, through: str | None) -> int:
        gone = await super()._trim(stream, keep, through)
        if gone:
            await self._pass_on({"stream": stream, "gone": gone})
        return gone

    async def _pass_on(self, entry: Mapping[str, Any]) -> None:
        for mirror in self._mirrors.values():
            await mirror.take(entry)

    async def _close(self) -> None:
        await close_all(self._parts)


async def _entries_to(mirror: Log, entry: Any) -> None:
    """Append to a mirror, drop as many of its oldest entries as the first log has dropped, or those with these
    digests."""
    stream = entry["stream"]
    if "removed" in entry:
        digests = set(entry["removed"])
        gone = [e.position async for e in _entries(mirror, stream) if _digest(e.data) in digests]
        await mirror.remove(stream, gone)
        return
    if "data" in entry:
        await mirror.append(stream, [base64.b64decode(each) for each in entry["data"]])
        return
    oldest = await mirror.read(stream, limit=entry["gone"])
    if oldest:
        await mirror.trim(stream, through=oldest[-1].position)


def _appended(stream: str, entries: Sequence[bytes]) -> dict[str, Any]:
    return {"stream": stream, "data": [base64.b64encode(each).decode() for each in entries]}


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def _entries(part: Log, stream: str) -> AsyncIterator[Entry]:
    after: str | None = None
    while page := await part.read(stream, after=after, limit=_BATCH):
        for entry in page:
            yield entry
        after = page[-1].position
