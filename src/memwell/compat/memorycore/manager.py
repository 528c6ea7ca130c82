"""`MemoryManager`: checks what it is given, has it stored and found, tells subscribers, and counts."""

from __future__ import annotations

import asyncio
import builtins
import itertools
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from memwell.compat.memorycore.changes import Change, keep_version, may_pass, works
from memwell.compat.memorycore.core.embedding import EmbeddingService
from memwell.compat.memorycore.core.memory import Memory, MemoryMetadata, MemoryRelationship
from memwell.compat.memorycore.core.storage import SearchResult, StorageBackend, check_page
from memwell.compat.memorycore.errors import (
    InvalidMemoryError,
    InvalidQueryError,
    StorageConflictError,
    StorageConnectionError,
    StorageNotFoundError,
)
from memwell.compat.memorycore.events.bus import EventBus
from memwell.compat.memorycore.events.memory_events import (
    MemoryCreatedEvent,
    MemoryDeletedEvent,
    MemoryEvent,
    MemorySearchedEvent,
    MemoryUpdatedEvent,
)
from memwell.compat.memorycore.observability import MetricsCollector, correlation_id, log
from memwell.compat.memorycore.settings import Settings
from memwell.compat.memorycore.storage import MemwellStorage
from memwell.resilience.retry import Retry

__all__ = ["MemoryManager"]

T = TypeVar("T")
_CHANGES: Final = 5
"""Attempts at a change by id while others change the same memory."""


class MemoryManager:
    """Memories of tenants: save, get, search, update, list, delete, count, and those they are linked to.

    `tenant_id=None` means the tenant of the settings. `create_memory_manager` makes one from the environment.
    """

    def __init__(
        self,
        storage: StorageBackend,
        embedding: EmbeddingService | None = None,
        settings: Settings | None = None,
        event_bus: EventBus | None = None,
        metrics: MetricsCollector | None = None,
    ) -> None:
        self.storage, self.embedding = storage, embedding
        self.settings = settings or Settings()
        self.event_bus = event_bus or EventBus()
        self.metrics = metrics or MetricsCollector(enabled=False)
        self.on_close: list[Callable[[], Awaitable[None] | None]] = []
        """Called by `close`, last."""
        self._unstored: list[tuple[Memory, MemoryRelationship]] = []
        self._retry = Retry(
            max_attempts=self.settings.retry_max_attempts,
            initial_delay=self.settings.retry_initial_delay,
            max_delay=self.settings.retry_max_delay,
            exponential_base=self.settings.retry_exponential_base,
            should_retry=may_pass,
        )

    async def initialize(self) -> None:
        """Get the storage ready."""
        await self.storage.initialize()

    async def save(
        self,
        content: str,
        metadata: MemoryMetadata | None = None,
        tenant_id: str | None = None,
        generate_embedding: bool = True,
        ttl_days: float | None = None,
    ) -> Memory:
        """Store a memory. If no vector can be made, it is stored without one.

        Raises `InvalidMemoryError` for an empty or too long content.
        """
        tenant = tenant_id or self.settings.tenant_id
        with self.metrics.operation("save", tenant):
            memory = Memory(content=content, metadata=metadata or MemoryMetadata(), tenant_id=tenant)
            self._check_size(content)
            days = self.settings.default_ttl_days if ttl_days is None else ttl_days
            if days is not None:
                memory.set_ttl(days)
            if generate_embedding:
                await self._embed(memory)
            saved = self._known(await self._stored(lambda: self.storage.save(memory)))
            await self._publish(MemoryCreatedEvent(memory=saved, tenant_id=tenant))
            return saved

    async def get(self, memory_id: str, tenant_id: str | None = None) -> Memory | None:
        """The memory with its earlier versions; `None` if the tenant has none with this id."""
        tenant = tenant_id or self.settings.tenant_id
        with self.metrics.operation("get", tenant):
            found = await self._stored(lambda: self.storage.get(memory_id, tenant))
            return None if found is None or found.is_expired() else self._known(found)

    async def update(
        self,
        memory_id: str | None = None,
        content: str | None = None,
        metadata: MemoryMetadata | None = None,
        tenant_id: str | None = None,
        *,
        memory: Memory | None = None,
    ) -> Memory:
        """Change a memory's content or metadata, or store a whole `memory` that was changed. The text before is kept
        as a version.

        Raises `StorageNotFoundError` if the tenant has no such memory, and `StorageConflictError` if `memory` was
        changed by another since it was got. A change by id is made to what is stored.
        """
        change = Change(memory_id, content, metadata, memory)
        tenant = tenant_id or (memory.tenant_id if memory else self.settings.tenant_id)
        with self.metrics.operation("update", tenant):
            for attempt in itertools.count(1):
                try:
                    saved, previous = await self._changed(change, tenant)
                    break
                except StorageConflictError:
                    if memory is not None or attempt == _CHANGES:
                        raise
            await self._publish(MemoryUpdatedEvent(memory=saved, previous_version=previous, tenant_id=tenant))
            return saved

    async def _changed(self, change: Change, tenant: str) -> tuple[Memory, int]:
        """The memory as it is stored after a change, and the version before."""
        stored = await self._stored(lambda: self.storage.get(change.id, tenant))
        if stored is None or stored.is_expired():
            raise StorageNotFoundError(f"there is no memory {change.id!r}", details={"memory_id": change.id})
        changed = change.made_to(stored)
        self._check_size(changed.content)
        if not self.storage.embeds and self.settings.enable_versioning:
            keep_version(changed, stored)
        await self._embed(changed)
        return self._known(await self._stored(lambda: self.storage.save(changed))), stored.version

    async def delete(self, memory_id: str, tenant_id: str | None = None) -> bool:
        """Delete a memory; whether the tenant had one with this id."""
        tenant = tenant_id or self.settings.tenant_id
        with self.metrics.operation("delete", tenant):
            deleted = await self._stored(lambda: self.storage.delete(memory_id, tenant))
            if deleted:
                await self._publish(MemoryDeletedEvent(memory_id=memory_id, tenant_id=tenant))
            return deleted

    async def search(
        self,
        query: str,
        tenant_id: str | None = None,
        limit: int = 10,
        filters: Mapping[str, Any] | None = None,
    ) -> builtins.list[SearchResult]:
        """The memories that answer a question best, best first, with scores from 0 to 1.

        `filters`: `category`, `tags` (all of them), `importance`, and names of custom fields. Raises
        `InvalidQueryError` for an empty question.
        """
        tenant = tenant_id or self.settings.tenant_id
        with self.metrics.operation("search", tenant):
            if not isinstance(query, str) or not query.strip():
                raise InvalidQueryError("a query is a text that is not empty")
            check_page(limit)
            service = self.embedding
            if service is None and not self.storage.embeds:
                raise InvalidQueryError("this storage searches by vectors: give the manager embedding=")
            found = await self._stored(
                lambda: self.storage.search_text(query, service, tenant, limit, filters)  # type: ignore[arg-type]
            )
            results = [result for result in found if not result.memory.is_expired()]
            for result in results:
                self._known(result.memory)
            await self._publish(MemorySearchedEvent(query=query, result_count=len(results), tenant_id=tenant))
            return results

    async def list(
        self,
        tenant_id: str | None = None,
        limit: int = 100,
        offset: int = 0,
        filters: Mapping[str, Any] | None = None,
    ) -> builtins.list[Memory]:
        """A tenant's memories, the newest first."""
        tenant = tenant_id or self.settings.tenant_id
        with self.metrics.operation("list", tenant):
            check_page(limit, offset)
            found = await self._stored(lambda: self.storage.list(tenant, limit, offset, filters))
            return [self._known(memory) for memory in found if not memory.is_expired()]

    async def count(self, tenant_id: str | None = None) -> int:
        """How many memories a tenant has."""
        tenant = tenant_id or self.settings.tenant_id
        with self.metrics.operation("count", tenant):
            count = await self._stored(lambda: self.storage.count(tenant))
            self.metrics.counted(tenant, count)
            return count

    async def get_related(self, memory_id: str, tenant_id: str | None = None) -> builtins.list[Memory]:
        """The memories that a memory is linked to. In a storage of your own: those that its links name."""
        tenant = tenant_id or self.settings.tenant_id
        with self.metrics.operation("get_related", tenant):
            if isinstance(storage := self.storage, MemwellStorage):
                return await self._stored(lambda: storage.related(memory_id, tenant))
            memory = await self._stored(lambda: self.storage.get(memory_id, tenant))
            links = [] if memory is None else memory.relationships
            found = [await self.storage.get(link.target_id, tenant) for link in links]
            return [one for one in found if one is not None]

    async def health_check(self) -> dict[str, Any]:
        """`status` (healthy, degraded, unhealthy), `components` and `timestamp`."""
        storage = await works(self.storage.health_check)
        embedding = await works(self.embedding.health_check) if self.embedding else True
        status = "unhealthy" if not storage else "healthy" if embedding else "degraded"
        word = {True: "healthy", False: "unhealthy"}
        return {
            "status": status,
            "components": {"storage": word[storage], "embedding": word[embedding]},
            "timestamp": datetime.now(UTC).isoformat(),
        }

    async def close(self) -> None:
        """Store the links that are left, wait for handlers, and close the storage."""
        await self._store_links()
        await self.event_bus.close()
        await self.storage.close()
        while self.on_close:
            ended = self.on_close.pop()()
            if ended is not None:
                await ended

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _known(self, memory: Memory) -> Memory:
        """A memory that is handed out: links added to it are stored before the next operation."""
        memory.on_link = lambda memory, link: self._unstored.append((memory, link))
        return memory

    async def _store_links(self) -> None:
        """Store what `Memory.add_relationship` added. A link that is refused is dropped, and the error raised once."""
        while self._unstored:
            memory, link = self._unstored.pop(0)
            try:
                if isinstance(self.storage, MemwellStorage):
                    await self.storage.relate(memory, link)
                else:
                    await self.storage.save(memory)
            except (StorageConnectionError, asyncio.CancelledError):
                self._unstored.insert(0, (memory, link))
                raise

    async def _stored(self, call: Callable[[], Awaitable[T]]) -> T:
        """The result of a call of the storage, tried again where a failure may pass."""
        await self._store_links()
        return await self._retry.run(call, name="storage", blocking=False)

    async def _embed(self, memory: Memory) -> None:
        if self.storage.embeds or self.embedding is None:
            return
        service = self.embedding
        try:
            memory.embedding = await self._retry.run(
                lambda: service.embed(memory.content), name="embedding", blocking=False
            )
            self.metrics.embedded(ok=True)
        except Exception as error:  # noqa: BLE001  # a model of the user's may raise anything
            memory.embedding = None
            self.metrics.embedded(ok=False)
            log.warning("memory %s is stored without a vector: %s", memory.id, error)

    async def _publish(self, event: MemoryEvent) -> None:
        event.metadata["correlation_id"] = correlation_id()
        await self.event_bus.publish(event)

    def _check_size(self, content: str) -> None:
        size = len(content.encode(errors="surrogatepass"))  # what is no text is refused where it is stored
        if size > self.settings.max_memory_size:
            raise InvalidMemoryError(
                f"content has {size} bytes; MAX_MEMORY_SIZE is {self.settings.max_memory_size}",
                details={"bytes": size},
            )
