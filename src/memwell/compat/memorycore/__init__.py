"""MemoryCore's interface over memwell: a manager, metadata, versions, relationships, events, and an MCP server.

`memorycore.factory`, `memorycore.core.memory` and `memorycore.events.memory_events` are the modules of the same names
here. `python -m memwell.compat.memorycore.server` is the MCP server.
"""

from __future__ import annotations

from memwell.compat.memorycore.core.embedding import EmbeddingService
from memwell.compat.memorycore.core.memory import Memory, MemoryMetadata
from memwell.compat.memorycore.core.storage import SearchResult, StorageBackend
from memwell.compat.memorycore.events.bus import EventBus
from memwell.compat.memorycore.factory import create_memory_manager
from memwell.compat.memorycore.manager import MemoryManager
from memwell.compat.memorycore.settings import Settings

__all__ = [
    "EmbeddingService",
    "EventBus",
    "Memory",
    "MemoryManager",
    "MemoryMetadata",
    "SearchResult",
    "Settings",
    "StorageBackend",
    "create_memory_manager",
]
