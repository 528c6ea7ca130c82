"""A driver over memwell: users are users, conversations sessions, and knowledge is of the kind `knowledge`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from memwell import Memory, _bridge
from memwell.compat.memory_drivers.base import BaseMemoryDriver
from memwell.compat.shapes import arguments_of, id_of, metadata_of
from memwell.errors import Conflict, InvalidInput, NotFound
from memwell.fields import FIELDS
from memwell.ports.store import Store
from memwell.types import NewMemory, Record

__all__ = ["KNOWLEDGE", "MemwellDriver"]

KNOWLEDGE: Final = "knowledge"
_SHARED: Final = {"kind": KNOWLEDGE, "user_id": {"$exists": False}}
_REPLACED: Final = {name: FIELDS[name].default for name in ("importance", "tags")}
"""What knowledge has that its new form does not say."""


class MemwellDriver(BaseMemoryDriver):
    """The driver over a `Memory`, which it closes, with the store that was opened for it."""

    name: ClassVar[str] = "memwell"

    def __init__(self, memory: Memory, store: Store | None = None) -> None:
        self.memory, self._store = memory, store

    def recall(
        self,
        user_id: str,
        conversation_id: str | None = None,
        query: str | None = None,
        top_k: int = 10,
        use_vector: bool = True,
        exclude_tags: list[str] | None = None,
    ) -> list[dict[str, Any]]:
        """See `BaseMemoryDriver.recall`. What `query` finds has a `score`, 0..1. Raises memwell's errors."""
        where = {"$not": {"$or": _having(exclude_tags)}} if exclude_tags else None
        owner = _owner(user_id, conversation_id)
        if not use_vector or query is None or query == "":
            found = self.memory.list(where=where, limit=top_k, **owner)
            return [_memory(record) for record in found.records]
        hits = self.memory.recall(query, where=where, limit=top_k, **owner)
        return [{**_memory(hit.record), "score": hit.score} for hit in hits]

    def recall_global_knowledge(
        self, query: str, top_k: int = 5, category: str | None = None
    ) -> list[dict[str, Any]]:
        """See `BaseMemoryDriver.recall_global_knowledge`."""
        where = _SHARED if category is None else {**_SHARED, "category": category}
        hits = self.memory.recall(query, where=where, limit=top_k)
        return [{**_knowledge(hit.record), "score": hit.score} for hit in hits]

    def store(
        self,
        user_id: str,
        content: str,
        conversation_id: str | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """See `BaseMemoryDriver.store`. Raises `InvalidInput` for what cannot be stored."""
        return self.store_many(
            [
                {
                    "user_id": user_id,
                    "content": content,
                    "conversation_id": conversation_id,
                    "tags": tags,
                    "metadata": metadata,
                }
            ]
        )[0]

    def store_many(self, memories: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Store several memories in one transaction, and return them."""
        records = self.memory.remember([_new(**memory) for memory in memories], on_echo="store")
        return [_memory(record) for record in records]

    def store_global_knowledge(
        self,
        content: str,
        category: str,
        title: str | None = None,
        doc_id: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """See `BaseMemoryDriver.store_global_knowledge`. Knowledge without a `doc_id` is always new."""
        named = {"title": title, "doc_id": doc_id}
        rest = {**(metadata or {}), **{name: value for name, value in named.items() if value is not None}}
        given = {**_REPLACED, **arguments_of(rest, "category"), "category": category}
        if doc_id is None or doc_id == "":
            new = NewMemory(content=content, kind=KNOWLEDGE, created_at=datetime.now(UTC), **given)
            return _knowledge(self.memory.remember(new, on_echo="store"))
        return _knowledge(self._put(_id_of(doc_id), content, given))

    def delete(self, memory_id: str, user_id: str | None = None) -> bool:
        """See `BaseMemoryDriver.delete`."""
        owner = None if user_id is None else id_of("user_id", user_id)
        return bool(self.memory.forget([memory_id], user_id=owner))

    def health_check(self) -> dict[str, Any]:
        """See `BaseMemoryDriver.health_check`. `response_time_ms` is how long it took."""
        health = self.memory.health()
        found = {
            "status": "healthy" if health.ok else "unhealthy",
            "driver": self.name,
            "connected": health.ok,
            "response_time_ms": 1000 * health.seconds,
        }
        wrong = {part: state for part, state in health.parts.items() if state != "ok"}
        return {**found, "error": f"{wrong}"} if wrong else found

    def close(self) -> None:
        """Close the memory, and its store."""
        self.memory.close()
        if self._store is not None:
            _bridge.complete(self._store.close(), blocking=self._store.blocking)

    def _put(self, id: str, content: str, given: Mapping[str, Any]) -> Record:
        """Store knowledge under its id, or replace what is there; of two processes at once, the later wins."""
        try:
            return self.memory.update(id, content=content, **given)
        except NotFound:
            try:
                new = NewMemory(content=content, id=id, kind=KNOWLEDGE, **given)
                return self.memory.remember(new, on_echo="store")
            except Conflict:
                return self.memory.update(id, content=content, **given)


def _new(
    user_id: str,
    content: str,
    conversation_id: str | None = None,
    tags: Sequence[str] | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> NewMemory:
    """A turn that is said twice is two memories: its time tells them apart."""
    return NewMemory(
        content=content,
        created_at=datetime.now(UTC),
        tags=() if tags is None else tags,
        **_owner(user_id, conversation_id),
        **arguments_of(metadata, "tags"),
    )


def _owner(user_id: object, conversation_id: object) -> dict[str, Any]:
    """The scope of a user's memories, in one conversation or in all."""
    return {
        "user_id": id_of("user_id", user_id),
        "session_id": None if conversation_id is None else id_of("conversation_id", conversation_id),
    }


def _id_of(doc_id: str) -> str:
    """The id of the memory that keeps a document."""
    if not isinstance(doc_id, str) or len(doc_id) > 200:
        return "doc:" + hashlib.sha256(str(doc_id).encode()).hexdigest()
    return f"doc:{doc_id}"


def _having(tags: Sequence[str]) -> list[dict[str, Any]]:
    if isinstance(tags, str):
        raise InvalidInput(f"exclude_tags is a list of texts, such as ['work'], not {tags!r:.60}")
    return [{"tags": {"$contains": tag}} for tag in tags]


def _memory(record: Record) -> dict[str, Any]:
    return {
        "id": record.id,
        "memory": {
            "content": record.content,
            "tags": list(record.tags),
            "metadata": metadata_of(record, "tags", "session_id"),
        },
        "user_id": record.scope.user_id,
        "conversation_id": record.scope.session_id,
        "created_at": record.created_at.isoformat(),
    }


def _knowledge(record: Record) -> dict[str, Any]:
    known = dict.fromkeys(("title", "doc_id"))
    return {
        "id": record.id,
        "memory": {
            "content": record.content,
            "tags": list(record.tags),
            "metadata": {**known, "category": record.category, **metadata_of(record, "tags", "kind")},
        },
        "category": record.category,
        "created_at": record.created_at.isoformat(),
    }
