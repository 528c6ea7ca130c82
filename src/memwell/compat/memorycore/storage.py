"""MemoryCore's storage over memwell: one memory is one record, and the tenant is memwell's tenant.

`category`, `tags` and `importance` are the record's own fields; `custom_fields` are its metadata. A custom field named
`user_id`, `agent_id`, `session_id` or `namespace` is the owner, so that memories of other interfaces keep theirs.
"""

from __future__ import annotations

import builtins
from collections.abc import AsyncIterator, Mapping
from typing import Any, ClassVar, Final

from memwell.compat.labels import between, label_of, level_of
from memwell.compat.memorycore.core.embedding import EmbeddingService
from memwell.compat.memorycore.core.memory import (
    IMPORTANCE,
    RELATIONSHIPS,
    Memory,
    MemoryMetadata,
    MemoryRelationship,
    MemoryVersion,
)
from memwell.compat.memorycore.core.storage import SearchResult, StorageBackend, check_page
from memwell.compat.memorycore.errors import InvalidQueryError, StorageOperationError, translated
from memwell.errors import NotFound
from memwell.fields import NARROWING
from memwell.memory import AsyncMemory
from memwell.types import Record

__all__ = ["MemwellStorage"]

_PAGE: Final = 200


class MemwellStorage(StorageBackend):
    """Memories in any store of memwell. It closes the memory that it is given."""

    embeds: ClassVar[bool] = True

    def __init__(self, memory: AsyncMemory, *, versioning: bool = True) -> None:
        self.memory = memory
        self._versioning = versioning

    async def save(self, memory: Memory) -> Memory:
        """Store a memory, or update the one with its id, and its links. Raises `StorageError`; `StorageConflictError`
        if the one that is stored has another version.
        """
        async with translated("save"):
            found = await self._find(memory.id, memory.tenant_id)
            if found is None:
                await self.memory.remember(memory.content, id=memory.id, on_echo="store", **_given(memory))
            else:
                await self._update(memory, _of(found))
            await self._link(memory, found)
        stored = await self.get(memory.id, memory.tenant_id)
        assert stored is not None
        return stored

    async def get(self, memory_id: str, tenant_id: str) -> Memory | None:
        """The memory with its earlier versions; `None` if there is none."""
        async with translated("get"):
            found = await self._find(memory_id, tenant_id)
            if found is None:
                return None
            versions = await self.memory.history(memory_id, tenant_id=tenant_id) if self._versioning else []
        memory = _of(found)
        older = [one for one in versions if not one.current]
        changed = {one.record.version: list(one.changed) for one in versions}
        memory.versions = [
            MemoryVersion(
                one.record.version,
                one.record.updated_at,
                one.content,
                changed.get(one.record.version + 1, []),
            )
            for one in sorted(older, key=lambda one: one.record.version)
        ]
        return memory

    async def delete(self, memory_id: str, tenant_id: str) -> bool:
        """Whether there was one to delete."""
        async with translated("delete"):
            return bool(await self.memory.forget([memory_id], tenant_id=tenant_id))

    async def search(self, *_: Any, **__: Any) -> builtins.list[SearchResult]:
        """Not offered: memwell searches by the question's words, too, and makes the vector itself."""
        raise StorageOperationError("search by a vector alone is not offered; use search_text")

    async def search_text(
        self,
        query: str,
        embedding: EmbeddingService | None,  # noqa: ARG002  # memwell makes the vector
        tenant_id: str,
        limit: int,
        filters: Mapping[str, Any] | None = None,
    ) -> builtins.list[SearchResult]:
        """The memories that answer a question best, as memwell recalls them."""
        async with translated("search", InvalidQueryError):
            hits = await self.memory.recall(query, limit=limit, where=_where(filters), tenant_id=tenant_id)
        return [SearchResult(_of(hit.record), hit.score, {"terms": list(hit.why.terms)}) for hit in hits]

    async def list(
        self, tenant_id: str, limit: int = 100, offset: int = 0, filters: Mapping[str, Any] | None = None
    ) -> builtins.list[Memory]:
        """Memories, the newest first."""
        found: list[Memory] = []
        check_page(limit, offset)
        async with translated("list", InvalidQueryError):
            found = [_of(record) async for record in self._walk(tenant_id, filters, offset + limit)]
        return found[offset:]

    async def count(self, tenant_id: str) -> int:
        """How many memories there are."""
        async with translated("count"):
            return await self.memory.count(tenant_id=tenant_id)

    async def related(self, memory_id: str, tenant_id: str, depth: int = 1) -> builtins.list[Memory]:
        """The memories that a memory is linked to, in either direction."""
        async with translated("get_related"):
            found = await self.memory.related(memory_id, depth=depth, tenant_id=tenant_id)
        return [_of(one.record) for one in found]

    async def relate(self, memory: Memory, link: MemoryRelationship) -> None:
        """Store one link of a memory."""
        async with translated("relate"):
            await self.memory.relate(
                memory.id,
                link.target_id,
                link.relationship_type,
                strength=link.strength,
                tenant_id=memory.tenant_id,
            )

    async def close(self) -> None:
        """Close the memory."""
        await self.memory.close()

    async def health_check(self) -> bool:
        """Whether every part answers."""
        return (await self.memory.health()).ok

    async def _find(self, memory_id: str, tenant_id: str) -> Record | None:
        try:
            return await self.memory.get(memory_id, tenant_id=tenant_id)
        except NotFound:
            return None

    async def _walk(
        self, tenant_id: str, filters: Mapping[str, Any] | None, wanted: int
    ) -> AsyncIterator[Record]:
        cursor = None
        while wanted > 0:
            size = min(wanted, _PAGE)
            page = await self.memory.list(
                limit=size, cursor=cursor, where=_where(filters), tenant_id=tenant_id
            )
            for record in page.records:
                yield record
            cursor, wanted = page.cursor, wanted - len(page.records)
            if cursor is None:
                return

    async def _update(self, memory: Memory, stored: Memory) -> None:
        """Write what differs, so that what MemoryCore has no word for stays as it is."""
        new, old = (
            {**_given(memory), "content": memory.content},
            {**_given(stored), "content": stored.content},
        )
        changed = {name: value for name, value in new.items() if name not in NARROWING and value != old[name]}
        if "expires_at" in changed and changed["expires_at"] is None:
            changed = {**changed, "clear": ["expires_at"]}
            del changed["expires_at"]
        if changed:
            await self.memory.update(
                memory.id, tenant_id=memory.tenant_id, expected_version=memory.version, **changed
            )

    async def _link(self, memory: Memory, found: Record | None) -> None:
        stored = () if found is None else tuple((link.target, link.kind) for link in found.links)
        for link in memory.relationships:
            if (link.target_id, link.relationship_type) not in stored:
                await self.relate(memory, link)


def _given(memory: Memory) -> dict[str, Any]:
    """The arguments of `remember` for a memory."""
    custom = memory.metadata.custom_fields
    return {
        "category": memory.metadata.category,
        "tags": memory.metadata.tags,
        "importance": level_of(memory.metadata.importance),
        "metadata": {name: value for name, value in custom.items() if name not in NARROWING},
        "expires_at": memory.expires_at,
        "tenant_id": memory.tenant_id,
        **{name: custom[name] for name in NARROWING if custom.get(name) is not None},
    }


def _of(record: Record) -> Memory:
    """The memory that a record is, without its earlier versions."""
    owner = {name: getattr(record.scope, name) for name in NARROWING}
    links = [
        MemoryRelationship(link.target, link.kind, link.strength)
        for link in record.links
        if link.kind in RELATIONSHIPS
    ]
    return Memory(
        content=record.content,
        id=record.id,
        tenant_id=record.scope.tenant_id,
        metadata=MemoryMetadata(
            category=record.category or "general",
            tags=list(record.tags),
            importance=label_of(record.importance, IMPORTANCE),
            custom_fields={
                **record.metadata,
                **{name: value for name, value in owner.items() if value is not None},
            },
        ),
        created_at=record.created_at,
        updated_at=record.updated_at,
        expires_at=record.expires_at,
        relationships=links,
        version=record.version,
    )


def _where(filters: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """memwell's filter: equal category and importance, all of the tags, equal custom fields."""
    if not isinstance(filters, Mapping | None):
        raise InvalidQueryError(f"filters is a dict, not {filters!r:.60}")
    conditions: list[dict[str, Any]] = []
    for name, value in (filters or {}).items():
        if value is None:
            continue
        if name == "tags":
            tags = [value] if isinstance(value, str) else value
            if not isinstance(tags, list | tuple) or not all(isinstance(tag, str) for tag in tags):
                raise InvalidQueryError(f"the filter tags is a list of texts, not {value!r:.60}")
            conditions += [{"tags": {"$contains": tag.strip().lower()}} for tag in tags]
        elif name == "importance":
            conditions.append({"importance": between(value, IMPORTANCE)})
        elif name == "category":
            conditions.append({"category": value})
        else:
            conditions.append({name if name in NARROWING else f"metadata.{name}": value})
    return {"$and": conditions} if conditions else None
