"""Providers around a provider: answers that are kept for a while, and metadata in versions."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

from memwell.compat.memory_providers.base import MemoryProvider, closed
from memwell.errors import ConfigError

__all__ = ["CachedProvider", "VersionedProvider"]


class CachedProvider:
    """A provider whose answers are kept for `ttl` seconds, at most `capacity` of them.

    A write of a user through it drops the user's answers; one by another way is seen after `ttl` seconds at the latest.
    """

    def __init__(self, provider: MemoryProvider, *, ttl: float = 60.0, capacity: int = 1000) -> None:
        if not ttl > 0 or capacity < 1:
            raise ConfigError("ttl is more than 0 and capacity 1 or more")
        self.provider, self._ttl, self._capacity = provider, ttl, capacity
        self._answers: dict[tuple[str, str, int], tuple[float, list[dict[str, Any]]]] = {}
        self._writes = 0

    async def remember(self, user_id: str, content: str, metadata: dict[str, Any] | None = None) -> str:
        """Store a memory, and forget the user's answers."""
        try:
            return await self.provider.remember(user_id, content, metadata)
        finally:
            self._drop(user_id)

    async def recall(self, user_id: str, query: str, limit: int = 10) -> list[dict[str, Any]]:
        """The kept answer, if it is not too old."""
        key = (str(user_id), query, limit)
        until, kept = self._answers.get(key, (0.0, []))
        if until <= time.monotonic():
            writes = self._writes
            kept = await self.provider.recall(user_id, query, limit)
            if writes == self._writes:  # else it may be of before the write
                self._keep(key, kept)
        return deepcopy(kept)

    async def delete(self, user_id: str, memory_id: str) -> bool:
        """Delete a memory, and forget the user's answers."""
        try:
            return await self.provider.delete(user_id, memory_id)
        finally:
            self._drop(user_id)

    async def list_memories(self, user_id: str, limit: int = 100, offset: int = 0) -> list[dict[str, Any]]:
        """The provider's list; it is not kept."""
        return await self.provider.list_memories(user_id, limit, offset)

    async def health_check(self) -> dict[str, Any]:
        """That of the provider."""
        return await self.provider.health_check()

    async def close(self) -> None:
        """Close the provider."""
        await closed(self.provider)

    def _keep(self, key: tuple[str, str, int], answer: list[dict[str, Any]]) -> None:
        self._answers.pop(key, None)
        while len(self._answers) >= self._capacity:
            del self._answers[next(iter(self._answers))]
        self._answers[key] = (time.monotonic() + self._ttl, answer)

    def _drop(self, user_id: str) -> None:
        self._writes += 1
        for key in [key for key in self._answers if key[0] == str(user_id)]:
            del self._answers[key]


class VersionedProvider:
    """A provider whose metadata have a version: what was stored in an older form is read in the present one.

    `upgrades`: one function for each step, metadata of version n → of version n + 1, from version 1 on. What is
    stored has the number in `schema_version`; what has none is of version 1. Nothing stored is changed.
    """

    def __init__(
        self,
        provider: MemoryProvider,
        upgrades: Sequence[Callable[[dict[str, Any]], dict[str, Any]]],
        *,
        key: str = "schema_version",
    ) -> None:
        self.provider, self._upgrades, self._key = provider, list(upgrades), key

    @property
    def version(self) -> int:
        """The present version."""
        return len(self._upgrades) + 1

    async def remember(self, user_id: str, content: str, metadata: dict[str, Any] | None = None) -> str:
        """Store a memory with metadata of the present version."""
        return await self.provider.remember(user_id, content, {**(metadata or {}), self._key: self.version})

    async def recall(self, user_id: str, query: str, limit: int = 10) -> list[dict[str, Any]]:
        """The provider's answer, its metadata in the present form."""
        return [self._present(one) for one in await self.provider.recall(user_id, query, limit)]

    async def delete(self, user_id: str, memory_id: str) -> bool:
        """As the provider does."""
        return await self.provider.delete(user_id, memory_id)

    async def list_memories(self, user_id: str, limit: int = 100, offset: int = 0) -> list[dict[str, Any]]:
        """The provider's list, its metadata in the present form."""
        return [self._present(one) for one in await self.provider.list_memories(user_id, limit, offset)]

    async def health_check(self) -> dict[str, Any]:
        """That of the provider, with `schema_version`."""
        return {**await self.provider.health_check(), "schema_version": self.version}

    async def close(self) -> None:
        """Close the provider."""
        await closed(self.provider)

    def _present(self, memory: dict[str, Any]) -> dict[str, Any]:
        metadata = dict(memory.get("metadata") or {})
        stored = metadata.get(self._key, 1)
        if not isinstance(stored, int) or not 1 <= stored <= self.version:
            raise ConfigError(
                f"memory {memory['id']} has {self._key} {stored!r}; this program knows 1 to {self.version}"
            )
        for upgrade in self._upgrades[stored - 1 :]:
            metadata = upgrade(metadata)
        return {**memory, "metadata": {**metadata, self._key: self.version}}
