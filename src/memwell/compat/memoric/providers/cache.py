"""Caches: Redis, Memcached, and one in memory, over memwell's key-value parts.

Values are what JSON holds, times and bytes; they come back as what they were, tuples as lists. Failures raise memwell's
errors.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from memwell.compat.memoric.providers._runner import answers, run
from memwell.compat.memoric.providers.interfaces import CacheProvider
from memwell.errors import ConfigError, InvalidInput
from memwell.ports import KeyValue
from memwell.registry import open_keyvalue
from memwell.urls import Url

__all__ = ["InMemoryCacheProvider", "MemcachedCacheProvider", "RedisCacheProvider"]

_TIME, _BYTES = "$datetime", "$bytes"


class _Cache(CacheProvider):
    """Over a key-value part."""

    _part: KeyValue

    def get(self, key: str) -> Any:
        """See `CacheProvider.get`."""
        value = run(self._part, self._part.get(key))
        return None if value is None else json.loads(value, object_hook=_restored)

    def set(self, key: str, value: Any, ttl: float | None = None) -> bool:
        """See `CacheProvider.set`. Raises `InvalidInput` for a value that cannot be kept."""
        try:
            data = json.dumps(value, default=_kept, ensure_ascii=False).encode()
        except (TypeError, ValueError) as error:
            raise InvalidInput(f"the cache keeps what JSON holds, times and bytes: {error}") from error
        run(self._part, self._part.set(key, data, ttl=ttl))
        return True

    def delete(self, key: str) -> bool:
        """See `CacheProvider.delete`."""
        return run(self._part, self._part.delete(key))

    def increment(self, key: str, amount: int = 1, ttl: float | None = None) -> int:
        """See `CacheProvider.increment`. A new counter lives for `ttl` seconds, or for good."""
        return run(self._part, self._part.increment(key, amount, ttl=ttl))

    def exists(self, key: str) -> bool:
        """See `CacheProvider.exists`."""
        return run(self._part, self._part.get(key)) is not None

    def health_check(self) -> bool:
        """See `CacheProvider.health_check`."""
        return answers(self._part)

    def close(self) -> None:
        """Close the connections."""
        run(self._part, self._part.close())


class InMemoryCacheProvider(_Cache):
    """In the memory of this process, for development and tests."""

    def __init__(self) -> None:
        self._part = open_keyvalue("memory://")


class RedisCacheProvider(_Cache):
    """A cache in Redis.

    The keys in Redis are the prefix and the key given. Without arguments, `REDIS_HOST` and `REDIS_PASSWORD` are used.
    Values come back with their types, whatever `decode_responses` says.
    """

    def __init__(
        self,
        host: str | None = None,
        port: int = 6379,
        db: int = 0,
        password: str | None = None,
        prefix: str = "memoric:",
        decode_responses: bool = True,  # noqa: ARG002  # an argument of Memoric's
        *,
        ssl: bool = False,
    ) -> None:
        try:
            from memwell.compat.memoric.providers.redis_keys import RedisKeys
        except ImportError as error:
            raise ConfigError("Redis needs its package; run: pip install 'memwell[redis]'") from error
        name = host or os.environ.get("REDIS_HOST") or "localhost"
        secret = password or os.environ.get("REDIS_PASSWORD")
        login = f":{quote(secret, safe='')}@" if secret else ""
        scheme = "rediss" if ssl else "redis"
        url = f"{scheme}://{login}{name}:{port}/{db}?prefix={quote(prefix, safe='')}"
        self._part = self._keys = RedisKeys.from_url(Url.parse(url))

    def set_with_expiry(self, key: str, value: Any, seconds: float) -> bool:
        """Store a value that expires."""
        return self.set(key, value, ttl=seconds)

    def get_ttl(self, key: str) -> float | None:
        """Seconds for which the key is still there; `None` for one without expiry, and for a missing one."""
        return run(self._keys, self._keys.ttl(key))


class MemcachedCacheProvider(_Cache):
    """Memcached, which may drop values at any time."""

    def __init__(self, host: str = "localhost", port: int = 11211, prefix: str = "memoric:") -> None:
        self._part = open_keyvalue(f"memcached://{host}:{port}?prefix={quote(prefix, safe='')}")


def _kept(value: Any) -> Any:
    if isinstance(value, datetime):
        return {_TIME: value.isoformat()}
    if isinstance(value, bytes):
        return {_BYTES: base64.b64encode(value).decode()}
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"not a {type(value).__name__}")


def _restored(found: dict[str, Any]) -> Any:
    if found.keys() == {_TIME}:
        return datetime.fromisoformat(found[_TIME])
    return base64.b64decode(found[_BYTES]) if found.keys() == {_BYTES} else found
