"""The interface of a driver. Derive from it to plug in a driver of your own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["BaseMemoryDriver"]


class BaseMemoryDriver(ABC):
    """Memories of users, and knowledge that all of them share.

    A memory is a dict: `id`, `memory` (`content`, `tags`, `metadata`), `user_id`, `conversation_id` and `created_at`
    (ISO 8601). Knowledge has `category` instead of the user, and its title and `doc_id` in the metadata.
    """

    @abstractmethod
    def recall(
        self,
        user_id: str,
        conversation_id: str | None = None,
        query: str | None = None,
        top_k: int = 10,
        use_vector: bool = True,
        exclude_tags: list[str] | None = None,
    ) -> list[dict[str, Any]]:
        """A user's memories that answer the query best; without a query, or with `use_vector=False`, the newest."""

    @abstractmethod
    def recall_global_knowledge(
        self, query: str, top_k: int = 5, category: str | None = None
    ) -> list[dict[str, Any]]:
        """The knowledge that answers the query best, of one category or of all."""

    @abstractmethod
    def store(
        self,
        user_id: str,
        content: str,
        conversation_id: str | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Store a memory of a user, and return it."""

    @abstractmethod
    def store_global_knowledge(
        self,
        content: str,
        category: str,
        title: str | None = None,
        doc_id: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Store knowledge for all users, and return it. Knowledge with the same `doc_id` is replaced."""

    @abstractmethod
    def delete(self, memory_id: str, user_id: str | None = None) -> bool:
        """Delete a memory, with a user only if it is that user's; whether there was one."""

    @abstractmethod
    def health_check(self) -> dict[str, Any]:
        """`status` (healthy or unhealthy), `driver`, `connected`, and `error` if it fails."""

    def store_many(self, memories: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Store several memories, each with the arguments of `store`, and return them."""
        return [self.store(**memory) for memory in memories]

    def close(self) -> None:  # noqa: B027  # a driver may hold nothing
        """Give back what it holds."""
