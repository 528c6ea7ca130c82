"""The `KeyValue` port: small values under text keys, with expiry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from memwell.errors import InvalidInput
from memwell.ports.base import Port
from memwell.ports.declaration import Effect, operation, required

__all__ = ["KeyValue", "check_key", "check_ttl", "check_value"]


class KeyValue(Port):
    """Small values under text keys, with expiry: caches, counters, locks, context."""

    @operation(Effect.READS, hook="_get_many")
    async def get(self, key: str) -> bytes | None:
        """The value, or `None` when it is missing or has expired."""
        return (await self._get_many([check_key(key)])).get(key)

    @operation(Effect.READS)
    async def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """The values present among the keys."""
        wanted = [check_key(key) for key in keys]
        return await self._get_many(wanted) if wanted else {}

    @operation(Effect.WRITES, hook="_set_many")
    async def set(self, key: str, value: bytes, *, ttl: float | None = None) -> None:
        """Store a value for `ttl` seconds (over 0), or for good. Replaces value and expiry."""
        await self._set_many({check_key(key): check_value(value)}, check_ttl(ttl))

    @operation(Effect.WRITES)
    async def set_many(self, values: Mapping[str, bytes], *, ttl: float | None = None) -> None:
        """Store several values with one expiry."""
        if values:
            await self._set_many({check_key(k): check_value(v) for k, v in values.items()}, check_ttl(ttl))

    @operation(Effect.CONDITIONAL)
    async def add(self, key: str, value: bytes, *, ttl: float | None = None) -> bool:
        """Store only if the key is absent; whether it was. Of several callers at once exactly one succeeds."""
        return await self._add(check_key(key), check_value(value), check_ttl(ttl))

    @operation(Effect.CONDITIONAL)
    async def replace(self, key: str, value: bytes, *, expected: bytes, ttl: float | None = None) -> bool:
        """Store a value and its expiry only if the key holds exactly `expected`, atomically; whether it did."""
        return await self._replace(check_key(key), check_value(value), check_value(expected), check_ttl(ttl))

    @operation(Effect.CONDITIONAL)
    async def increment(self, key: str, by: int = 1, *, ttl: float | None = None) -> int:
        """Add to a counter and return its new value, atomically. An absent counter starts at 0 and takes the
        `ttl`; an existing one keeps its expiry. A value that is not a counter raises `InvalidInput`.
        """
        return await self._increment(check_key(key), by, check_ttl(ttl))

    @operation(Effect.WRITES, conditional=lambda _key, expected: expected is not None)
    async def delete(self, key: str, *, expected: bytes | None = None) -> bool:
        """Remove a key; with `expected`, only if it holds exactly that value, atomically. Whether it was
        removed.
        """
        return await self._delete(check_key(key), None if expected is None else check_value(expected))

    @required
    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        raise NotImplementedError

    @required
    async def _set_many(self, values: Mapping[str, bytes], ttl: float | None) -> None:
        raise NotImplementedError

    @required
    async def _add(self, key: str, value: bytes, ttl: float | None) -> bool:
        raise NotImplementedError

    @required
    async def _replace(self, key: str, value: bytes, expected: bytes, ttl: float | None) -> bool:
        raise NotImplementedError

    @required
    async def _increment(self, key: str, by: int, ttl: float | None) -> int:
        raise NotImplementedError

    @required
    async def _delete(self, key: str, expected: bytes | None) -> bool:
        raise NotImplementedError


def check_key(key: str) -> str:
    """The key or stream name itself. Raises `InvalidInput` for what none can be."""
    try:
        size = len(key.encode()) if isinstance(key, str) else 0
    except UnicodeEncodeError:
        size = 0
    if not 0 < size <= 1024 or "\0" in key:
        raise InvalidInput("a key is 1 to 1024 bytes of UTF-8 text without NUL")
    return key


def check_value(value: bytes) -> bytes:
    """The value itself. Raises `InvalidInput` for anything but bytes."""
    if not isinstance(value, bytes):
        raise InvalidInput(f"a value is bytes, not {type(value).__name__}")
    return value


def check_ttl(ttl: float | None) -> float | None:
    """The time to live itself. Raises `InvalidInput` for anything but a finite number over 0, or `None`."""
    if ttl is None:
        return None
    if isinstance(ttl, bool) or not isinstance(ttl, int | float) or not 0 < ttl < float("inf"):
        raise InvalidInput("ttl is a finite number of seconds over 0")
    return ttl
