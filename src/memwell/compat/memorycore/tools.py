"""The tools of MemoryCore's MCP server."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final, Literal

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import Field

from memwell.compat.memorycore.core.memory import Memory, MemoryMetadata
from memwell.compat.memorycore.errors import MemoryCoreError
from memwell.compat.memorycore.factory import create_memory_manager, serve_ports
from memwell.compat.memorycore.manager import MemoryManager
from memwell.compat.memorycore.observability import log
from memwell.compat.memorycore.settings import Settings
from memwell.errors import ConfigError

__all__ = ["create_server"]

_READS: Final = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_WRITES: Final = ToolAnnotations(destructive_hint=False, open_world_hint=False)
_DELETES: Final = ToolAnnotations(destructive_hint=True, idempotent_hint=True, open_world_hint=False)

Limit = Annotated[int, Field(ge=1, le=100)]


class Tools:
    """One method for each tool. The manager is made by the first call of one."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._lock = settings, asyncio.Lock()
        self._made: MemoryManager | None = None

    async def save_memory(
        self,
        content: str,
        category: str = "general",
        tags: list[str] | None = None,
        importance: Literal["low", "medium", "high"] = "medium",
        ttl_days: float | None = None,
    ) -> dict[str, Any]:
        """Save something worth remembering: a fact, a decision, a preference."""
        metadata = MemoryMetadata(category=category, tags=tags or [], importance=importance)
        saved = await (await self._manager()).save(content, metadata, ttl_days=ttl_days)
        return {"success": True, "memory_id": saved.id, "message": "Memory saved"}

    async def recall_memory(
        self, query: str, limit: Limit = 10, category: str | None = None, tags: list[str] | None = None
    ) -> dict[str, Any]:
        """Find the memories that answer a question best, best first."""
        filters = {"category": category, "tags": tags}
        results = await (await self._manager()).search(query, limit=limit, filters=filters)
        memories = [{**_shown(one.memory), "score": round(one.score, 4)} for one in results]
        return {"success": True, "count": len(memories), "memories": memories}

    async def search_memories(
        self, query: str, limit: Limit = 10, category: str | None = None, tags: list[str] | None = None
    ) -> dict[str, Any]:
        """The same as recall_memory."""
        return await self.recall_memory(query, limit, category, tags)

    async def get_memory(self, memory_id: str) -> dict[str, Any]:
        """One memory by its id, with its earlier versions and links."""
        memory = await (await self._manager()).get(memory_id)
        if memory is None:
            return {"success": False, "error": f"there is no memory {memory_id!r}"}
        return {"success": True, "memory": memory.to_dict()}

    async def update_memory(self, memory_id: str, content: str) -> dict[str, Any]:
        """Replace the text of a memory; the text before is kept as a version."""
        memory = await (await self._manager()).update(memory_id, content=content)
        return {"success": True, "memory_id": memory.id, "version": memory.version}

    async def delete_memory(self, memory_id: str) -> dict[str, Any]:
        """Delete a memory for good."""
        deleted = await (await self._manager()).delete(memory_id)
        return {"success": deleted, "message": "Memory deleted" if deleted else "There is no such memory"}

    async def list_memories(
        self, limit: Limit = 20, offset: Annotated[int, Field(ge=0)] = 0
    ) -> dict[str, Any]:
        """Memories, the newest first."""
        memories = await (await self._manager()).list(limit=limit, offset=offset)
        return {"success": True, "count": len(memories), "memories": [_shown(one) for one in memories]}

    async def close(self) -> None:
        """Close the manager, if one was made."""
        if self._made is not None:
            await self._made.close()

    async def _manager(self) -> MemoryManager:
        async with self._lock:
            if self._made is None:
                self._made = await create_memory_manager(self._settings)
                try:
                    serve_ports(self._made)
                except ConfigError as error:  # a second server on this machine works without them
                    log.warning("%s", error)
        return self._made


def create_server(settings: Settings) -> MCPServer[Any]:
    """The server, with all tools."""
    tools = Tools(settings)

    @asynccontextmanager
    async def lifespan(_: MCPServer[Any]) -> AsyncIterator[None]:
        yield
        await tools.close()

    server: MCPServer[Any] = MCPServer(
        "memorycore", instructions="Memories that last from one session to the next.", lifespan=lifespan
    )
    for tool, hints in (
        (tools.save_memory, _WRITES),
        (tools.recall_memory, _READS),
        (tools.search_memories, _READS),
        (tools.get_memory, _READS),
        (tools.update_memory, _WRITES),
        (tools.delete_memory, _DELETES),
        (tools.list_memories, _READS),
    ):
        server.add_tool(_reporting(tool), annotations=hints)
    return server


def _reporting(tool: Callable[..., Awaitable[dict[str, Any]]]) -> Callable[..., Awaitable[dict[str, Any]]]:
    """A tool whose errors reach the model in their own words, which say what to do."""

    @functools.wraps(tool)
    async def reporting(*given: Any, **named: Any) -> dict[str, Any]:
        try:
            return await tool(*given, **named)
        except (MemoryCoreError, ConfigError) as error:
            raise ToolError(error.message) from error

    return reporting


def _shown(memory: Memory) -> dict[str, Any]:
    return {
        "id": memory.id,
        "content": memory.content,
        "category": memory.metadata.category,
        "tags": memory.metadata.tags,
        "created_at": memory.created_at.isoformat(),
    }
