"""The interface of a provider: what a memory is, what every provider can do, and how it fails."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from pydantic import BaseModel

from memwell.errors import MemwellError, NotFound, Unavailable

__all__ = [
    "MemoryNotFoundError",
    "MemoryProvider",
    "MemoryProviderConnectionError",
    "MemoryProviderError",
    "MemoryRecord",
    "closed",
]

MemoryProviderError = MemwellError
"""Any failure of a provider: memwell's own errors, which say what to do."""
MemoryNotFoundError = NotFound
MemoryProviderConnectionError = Unavailable


class MemoryRecord(BaseModel):
    """One memory, as every provider gives it. `similarity_score` is from 0 to 1, of what `recall` found."""

    id: str
    user_id: str
    content: str
    metadata: dict[str, Any] | None = None
    created_at: datetime
    updated_at: datetime | None = None
    embedding: list[float] | None = None
    similarity_score: float | None = None


@runtime_checkable
class MemoryProvider(Protocol):
    """Memories of users. Recalled and listed memories are dicts with the fields of `MemoryRecord`, times as text."""

    async def remember(self, user_id: str, content: str, metadata: dict[str, Any] | None = None) -> str:
        """Store a memory and return its id."""
        ...

    async def recall(self, user_id: str, query: str, limit: int = 10) -> list[dict[str, Any]]:
        """The user's memories that answer the query best, best first."""
        ...

    async def delete(self, user_id: str, memory_id: str) -> bool:
        """Delete a memory of the user; whether there was one."""
        ...

    async def list_memories(self, user_id: str, limit: int = 100, offset: int = 0) -> list[dict[str, Any]]:
        """The user's memories, the newest first."""
        ...

    async def health_check(self) -> dict[str, Any]:
        """`healthy`, `provider`, and `error` if it is not."""
        ...


async def closed(provider: object) -> None:
    """Close a provider; those that hold nothing need have no `close`."""
    close = getattr(provider, "close", None)
    if close is not None:
        await close()
