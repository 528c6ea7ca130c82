"""A provider over memwell, and those of the backends that the architecture names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from memwell import AsyncMemory
from memwell.compat.shapes import arguments_of, id_of, metadata_of
from memwell.errors import ConfigError, InvalidInput
from memwell.ports.store import Store
from memwell.registry import open_store
from memwell.types import NewMemory, Record

__all__ = ["MemwellProvider", "MockMemoryProvider", "PostgresMemoryProvider"]

_PAGE: Final = 500
_MODEL: Final = "text-embedding-ada-002"


class MemwellProvider:
    """A provider over a store, which it closes. `name` is what `health_check` calls it."""

    name: ClassVar[str] = "MemwellProvider"

    def __init__(self, store: str | Store, **options: Any) -> None:
        """`store`: a URL or a store; `options`: those of `AsyncMemory`, such as `embedder`."""
        self.store = open_store(store) if isinstance(store, str) else store
        self.memory = AsyncMemory(self.store, **options)

    async def remember(
        self,
        user_id: str,
        content: str,
        metadata: dict[str, Any] | None = None,
        *,
        context_id: str | None = None,
    ) -> str:
        """Store a memory, of a conversation if `context_id` is given, and return its id. Raises `InvalidInput`."""
        new = {"user_id": user_id, "content": content, "metadata": metadata, "context_id": context_id}
        return (await self.remember_many([new]))[0]

    async def remember_many(self, memories: Sequence[Mapping[str, Any]]) -> list[str]:
        """Store several memories, each with the arguments of `remember`, in one transaction; their ids."""
        records = await self.memory.remember([_new(**memory) for memory in memories], on_echo="store")
        return [record.id for record in records]

    async def recall(
        self, user_id: str, query: str, limit: int = 10, *, context_id: str | None = None
    ) -> list[dict[str, Any]]:
        """The user's memories that answer the query best, best first."""
        hits = await self.memory.recall(query, limit=limit, **_owner(user_id, context_id))
        return [_shaped(hit.record, hit.score) for hit in hits]

    async def recall_many(
        self, user_id: str, queries: Sequence[str], limit: int = 10
    ) -> list[list[dict[str, Any]]]:
        """The answers to several queries, in their order."""
        return [await self.recall(user_id, query, limit) for query in queries]

    async def delete(self, user_id: str, memory_id: str) -> bool:
        """Delete a memory of the user; whether there was one."""
        return bool(await self.memory.forget([memory_id], **_owner(user_id)))

    async def list_memories(self, user_id: str, limit: int = 100, offset: int = 0) -> list[dict[str, Any]]:
        """The user's memories, the newest first. Raises `InvalidInput` for a negative offset."""
        if not (_is_count(limit, 1) and _is_count(offset, 0)):
            raise InvalidInput(f"limit is 1 or more and offset 0 or more, not {limit!r} and {offset!r}")
        owner = _owner(user_id)
        found: list[Record] = []
        cursor = None
        while len(found) < limit + offset:
            size = min(_PAGE, limit + offset - len(found))
            page = await self.memory.list(limit=size, cursor=cursor, **owner)
            found += page.records
            if (cursor := page.cursor) is None:
                break
        return [_shaped(record) for record in found[offset:]]

    async def health_check(self) -> dict[str, Any]:
        """`healthy`, `provider`, `response_time_ms`, and of a healthy one `total_memories` where they are counted."""
        health = await self.memory.health()
        found: dict[str, Any] = {
            "healthy": health.ok,
            "provider": self.name,
            "response_time_ms": 1000 * health.seconds,
        }
        if not health.ok:
            wrong = {part: state for part, state in health.parts.items() if state != "ok"}
            return {**found, "error": "; ".join(f"{part}: {state}" for part, state in wrong.items())}
        return found

    async def close(self) -> None:
        """Close the memory and its store."""
        await self.memory.close()
        await self.store.close()


class PostgresMemoryProvider(MemwellProvider):
    """PostgreSQL, with pgvector where the server has it.

    - `session_factory`: a URL, or SQLAlchemy's session factory, engine or URL object, whose address is taken;
    - `openai_client`: an `openai.AsyncOpenAI`; without one memwell's own embedder is used, or words alone.
    """

    name = "PostgresMemoryProvider"

    def __init__(self, session_factory: Any, openai_client: Any = None, *, embedder: Any = "auto") -> None:
        model = embedder if openai_client is None else _openai(openai_client)
        super().__init__(_address(session_factory), embedder=model)

    async def health_check(self) -> dict[str, Any]:
        """As of every provider, with `database_connection`, `total_memories` and `pgvector_available`."""
        found = await super().health_check()
        if not found["healthy"]:
            return found
        return {
            **found,
            "database_connection": "healthy",
            "total_memories": await self.memory.count(),
            "pgvector_available": self.store.capabilities.vectors,
        }


class MockMemoryProvider(MemwellProvider):
    """For tests: in memory, by words alone, and gone with the process."""

    name = "MockMemoryProvider"

    def __init__(self) -> None:
        super().__init__("memory://", embedder=None)

    async def health_check(self) -> dict[str, Any]:
        """As of every provider, with `total_memories`."""
        return {**await super().health_check(), "total_memories": await self.memory.count()}


def _new(
    user_id: str, content: str, metadata: Mapping[str, Any] | None = None, context_id: str | None = None
) -> NewMemory:
    return NewMemory(
        content=content,
        created_at=datetime.now(UTC),
        **_owner(user_id, context_id),
        **arguments_of(metadata),
    )


def _owner(user_id: object, context_id: object = None) -> dict[str, Any]:
    """The scope of a user's memories, in one conversation or in all."""
    return {
        "user_id": id_of("user_id", user_id),
        "session_id": None if context_id is None else id_of("context_id", context_id),
    }


def _is_count(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _shaped(record: Record, score: float | None = None) -> dict[str, Any]:
    """The dict of a record. Metadata are `None` where there are none."""
    return {
        "id": record.id,
        "user_id": record.scope.user_id,
        "content": record.content,
        "metadata": metadata_of(record) or None,
        "created_at": record.created_at.isoformat(),
        "updated_at": record.updated_at.isoformat(),
        "similarity_score": score,
    }


def _address(source: Any) -> str:
    """The URL of a database, however it was given. Raises `ConfigError`."""
    for name in ("kw", "bind", "engine", "url"):
        inner = source.get("bind") if isinstance(source, dict) else getattr(source, name, None)
        source = source if inner is None else inner
    text = source.render_as_string(hide_password=False) if hasattr(source, "render_as_string") else source
    if not isinstance(text, str) or not text.startswith(("postgres", "sqlite", "memory", "redis")):
        raise ConfigError(
            "the native provider needs the URL of a database, as in postgresql://user@host/name"
        )
    scheme, colon, rest = text.partition(":")
    return f"{scheme.partition('+')[0]}{colon}{rest}"


def _openai(client: Any) -> Any:
    async def embed(texts: Sequence[str]) -> list[list[float]]:
        answer = await client.embeddings.create(model=_MODEL, input=list(texts))
        return [one.embedding for one in answer.data]

    embed.model = f"openai/{_MODEL}"  # type: ignore[attr-defined]
    return embed
