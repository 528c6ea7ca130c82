"""What happens to memories, as MemoryCore tells it."""

from __future__ import annotations

import uuid
from dataclasses import field
from datetime import UTC, datetime
from typing import Any, ClassVar

from memwell._dataclasses import dataclass
from memwell.compat.memorycore.core.memory import Memory

__all__ = [
    "MemoryCreatedEvent",
    "MemoryDeletedEvent",
    "MemoryEvent",
    "MemorySearchedEvent",
    "MemoryUpdatedEvent",
]


@dataclass(kw_only=True)
class MemoryEvent:
    """The base of all."""

    event_type: ClassVar[str] = "memory.event"
    event_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    timestamp: datetime = field(default_factory=lambda: datetime.now(UTC))
    tenant_id: str = "default"
    metadata: dict[str, Any] = field(default_factory=dict)
    """`correlation_id`: the operation in which it happened."""

    @property
    def name(self) -> str:
        """Its type."""
        return self.event_type


@dataclass(kw_only=True)
class MemoryCreatedEvent(MemoryEvent):
    """A memory was saved."""

    event_type: ClassVar[str] = "memory.created"
    memory: Memory


@dataclass(kw_only=True)
class MemoryUpdatedEvent(MemoryEvent):
    """A memory was changed."""

    event_type: ClassVar[str] = "memory.updated"
    memory: Memory
    previous_version: int


@dataclass(kw_only=True)
class MemoryDeletedEvent(MemoryEvent):
    """A memory was deleted."""

    event_type: ClassVar[str] = "memory.deleted"
    memory_id: str


@dataclass(kw_only=True)
class MemorySearchedEvent(MemoryEvent):
    """A search was answered."""

    event_type: ClassVar[str] = "memory.searched"
    query: str
    result_count: int
