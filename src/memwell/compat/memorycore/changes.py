"""What the manager does to a memory before it is stored, and which failures it tries again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from memwell.compat.memorycore.core.memory import Memory, MemoryMetadata
from memwell.compat.memorycore.errors import (
    InvalidMemoryError,
    MemoryCoreError,
    StorageConflictError,
    StorageConnectionError,
)
from memwell.compat.memorycore.observability import log

__all__ = ["Change", "keep_version", "may_pass", "works"]


class Change:
    """What `MemoryManager.update` was given: new values for the memory of an id, or a whole memory that was changed."""

    def __init__(
        self,
        memory_id: str | None,
        content: str | None,
        metadata: MemoryMetadata | None,
        memory: Memory | None,
    ) -> None:
        wanted = memory.id if memory is not None else memory_id
        if wanted is None:
            raise InvalidMemoryError("update needs memory_id= or memory=")
        if memory is None and content is None and metadata is None:
            raise InvalidMemoryError(
                "update needs content=, metadata= or memory=: there is nothing to change"
            )
        self.id = wanted
        self._content, self._metadata, self._memory = content, metadata, memory

    def made_to(self, stored: Memory) -> Memory:
        """The memory as it is to be stored; the caller's own stays as it is.

        Raises `StorageConflictError` if the caller's is of another version than the stored one.
        """
        base = self._memory or stored
        if base.version != stored.version:
            raise StorageConflictError(
                f"memory {self.id!r} was changed by another: version {stored.version} is stored, this is "
                f"{base.version}; get it again",
                details={"memory_id": self.id},
            )
        return replace(
            base,
            content=base.content if self._content is None else self._content,
            metadata=base.metadata if self._metadata is None else self._metadata,
        )


def keep_version(changed: Memory, stored: Memory) -> None:
    """Keep the stored text among the versions of a memory whose storage keeps none itself."""
    new, changed.content = changed.content, stored.content
    changed.versions, changed.version = list(stored.versions), stored.version
    changed.create_version(["content", "metadata"])
    changed.content = new


def may_pass(error: Exception) -> bool:
    """Whether trying again may help: not for what the caller or the storage refuses."""
    if isinstance(error, StorageConnectionError):
        return True
    return not isinstance(error, MemoryCoreError | ValueError | TypeError)


async def works(check: Callable[[], Awaitable[bool]]) -> bool:
    """What a health check says; one that fails says no, and the log why."""
    try:
        return await check()
    except Exception as error:  # noqa: BLE001  # whatever fails, it is not healthy
        log.warning("a health check failed: %s", error)
        return False
