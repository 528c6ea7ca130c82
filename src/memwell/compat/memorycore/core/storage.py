"""The interface of a storage. Implement it to plug in a storage of your own."""

from __future__ import annotations

import builtins
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any, ClassVar

from memwell._dataclasses import dataclass
from memwell.compat.memorycore.core.embedding import EmbeddingService
from memwell.compat.memorycore.core.memory import Memory
from memwell.compat.memorycore.errors import InvalidQueryError

__all__ = ["SearchResult", "StorageBackend", "check_page"]


@dataclass
class SearchResult:
    """A memory that was found, and how well it fits, 0..1."""

    memory: Memory
    score: float
    metadata: dict[str, Any] = field(default_factory=dict)


def check_page(limit: object, offset: object = 0) -> None:
    """Raise `InvalidQueryError` unless these are whole numbers, of 1 or more and of 0 or more."""
    for name, number, least in (("limit", limit, 1), ("offset", offset, 0)):
        if isinstance(number, bool) or not isinstance(number, int) or number < least:
            raise InvalidQueryError(f"{name} is a whole number of {least} or more, not {number!r:.60}")


class StorageBackend(ABC):
    """Keeps memories. All methods see one tenant only."""

    embeds: ClassVar[bool] = False
    """Whether it makes vectors itself; otherwise it is handed memories with their `embedding`."""

    async def initialize(self) -> None:  # noqa: B027  # a storage may have nothing to do
        """Get ready; called once, before anything else."""

    @abstractmethod
    async def save(self, memory: Memory) -> Memory:
        """Store a memory, or replace the one with its id, and return it as stored."""

    @abstractmethod
    async def get(self, memory_id: str, tenant_id: str) -> Memory | None:
        """The memory; `None` if there is none, or it is expired."""

    @abstractmethod
    async def delete(self, memory_id: str, tenant_id: str) -> bool:
        """Whether there was one to delete."""

    @abstractmethod
    async def search(
        self, embedding: Sequence[float], tenant_id: str, limit: int, filters: Mapping[str, Any] | None = None
    ) -> builtins.list[SearchResult]:
        """The memories nearest to a vector, best first."""

    @abstractmethod
    async def list(
        self, tenant_id: str, limit: int = 100, offset: int = 0, filters: Mapping[str, Any] | None = None
    ) -> builtins.list[Memory]:
        """Memories, the newest first."""

    @abstractmethod
    async def count(self, tenant_id: str) -> int:
        """How many memories there are."""

    async def close(self) -> None:  # noqa: B027  # a storage may have nothing to do
        """Give back what it holds."""

    async def health_check(self) -> bool:
        """Whether it works."""
        await self.count("default")
        return True

    async def search_text(
        self,
        query: str,
        embedding: EmbeddingService,
        tenant_id: str,
        limit: int,
        filters: Mapping[str, Any] | None = None,
    ) -> builtins.list[SearchResult]:
        """The memories that fit a question best. A storage that searches by words, too, overrides it."""
        return await self.search(await embedding.embed(query), tenant_id, limit, filters)
