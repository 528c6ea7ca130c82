"""What one interface writes, all others read, with user, tags, category, importance, time and metadata intact."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from memwell import AsyncMemory, Memory
from memwell.compat.labels import level_of
from memwell.compat.memoric import Memoric
from memwell.compat.memory_drivers.memwell_driver import MemwellDriver
from memwell.compat.memory_providers import MemwellProvider
from memwell.compat.memorycore import MemoryManager, MemoryMetadata, Settings
from memwell.compat.memorycore.storage import MemwellStorage
from memwell.ports import Store
from memwell.registry import open_store

FACT = {
    "content": "Ana drinks green tea",
    "user": "ana",
    "tags": ["drink", "tea"],
    "category": "food",
    "importance": 0.8,
    "metadata": {"cups": 3, "when": {"day": "monday"}},
}
GIVEN = {**FACT["metadata"], "category": "food", "importance": "high", "tags": FACT["tags"]}  # type: ignore[dict-item]
FOUND = ("importance", "topic", "entities", "tier")
"""What may stand in the metadata besides: a word for the importance, and what Memoric adds."""
BARE = {name: value for name, value in GIVEN.items() if name != "tags"}


def from_metadata(
    content: str, user: str, metadata: dict[str, Any], at: datetime, **given: Any
) -> dict[str, Any]:
    rest = {**metadata, **given}
    importance = rest.pop("importance")
    return {
        "content": content,
        "user": user,
        "tags": rest.pop("tags"),
        "category": rest.pop("category"),
        "importance": level_of(importance) if isinstance(importance, str) else importance,
        "metadata": rest,
        "at": at,
    }


def memwell_write(url: str) -> str:
    with Memory(url, embedder=None) as memory:
        return memory.remember(
            FACT["content"],  # type: ignore[arg-type]
            user_id="ana",
            tags=FACT["tags"],  # type: ignore[arg-type]
            category="food",
            importance=0.8,
            metadata=FACT["metadata"],  # type: ignore[arg-type]
        ).id


def memwell_read(url: str) -> dict[str, Any]:
    with Memory(url, embedder=None) as memory:
        hit = memory.recall("tea", user_id="ana")[0].record
    given = {"tags": list(hit.tags), "category": hit.category, "importance": hit.importance}
    return from_metadata(
        hit.content, str(hit.scope.user_id), hit.to_dict()["metadata"], hit.created_at, **given
    )


def drivers_write(url: str) -> str:
    driver = MemwellDriver(Memory(url, embedder=None))
    stored = driver.store("ana", "Ana drinks green tea", tags=["drink", "tea"], metadata=BARE)
    driver.close()
    return str(stored["id"])


def drivers_read(url: str) -> dict[str, Any]:
    driver = MemwellDriver(Memory(url, embedder=None))
    found = driver.recall("ana", query="tea")[0]
    driver.close()
    memory, at = found["memory"], datetime.fromisoformat(found["created_at"])
    return from_metadata(memory["content"], found["user_id"], memory["metadata"], at, tags=memory["tags"])


def providers_write(url: str) -> str:
    async def main() -> str:
        provider = MemwellProvider(url, embedder=None)
        id = await provider.remember("ana", "Ana drinks green tea", GIVEN)
        await provider.close()
        return id

    return asyncio.run(main())


def providers_read(url: str) -> dict[str, Any]:
    async def main() -> dict[str, Any]:
        provider = MemwellProvider(url, embedder=None)
        found = (await provider.recall("ana", "tea"))[0]
        await provider.close()
        at = datetime.fromisoformat(found["created_at"])
        return from_metadata(found["content"], found["user_id"], found["metadata"], at)

    return asyncio.run(main())


def managed(url: str) -> MemoryManager:
    return MemoryManager(
        MemwellStorage(AsyncMemory(url, embedder=None)), settings=Settings(storage_backend="memory")
    )


def memorycore_write(url: str) -> str:
    async def main() -> str:
        async with managed(url) as manager:
            custom = {**FACT["metadata"], "user_id": "ana"}  # type: ignore[dict-item]
            metadata = MemoryMetadata("food", ["drink", "tea"], "high", custom)
            return (await manager.save("Ana drinks green tea", metadata)).id

    return asyncio.run(main())


def memorycore_read(url: str) -> dict[str, Any]:
    async def main() -> dict[str, Any]:
        async with managed(url) as manager:
            found = (await manager.search("tea"))[0].memory
        known, fields = found.metadata, dict(found.metadata.custom_fields)
        given = {"tags": known.tags, "category": known.category, "importance": known.importance}
        return from_metadata(found.content, fields.pop("user_id"), fields, found.created_at, **given)

    return asyncio.run(main())


def memoric(url: str) -> Memoric:
    return Memoric(overrides={"database": {"dsn": url}, "integrations": {"embedder": None}})


def memoric_write(url: str) -> str:
    with memoric(url) as m:
        return str(m.save(user_id="ana", content="Ana drinks green tea", metadata=GIVEN))


def memoric_read(url: str) -> dict[str, Any]:
    with memoric(url) as m:
        found = m.retrieve(user_id="ana", query="tea")[0]
    return from_metadata(found["content"], found["user_id"], found["metadata"], found["created_at"])


WRITERS = {
    "memwell": memwell_write,
    "drivers": drivers_write,
    "providers": providers_write,
    "memorycore": memorycore_write,
    "memoric": memoric_write,
}
READERS = {
    "memwell": memwell_read,
    "drivers": drivers_read,
    "providers": providers_read,
    "memorycore": memorycore_read,
    "memoric": memoric_read,
}


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a store that all interfaces share. The one in memory is the same at every opening."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/a.db"
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    shared = open_store("memory://")

    async def stays(_: Store) -> None:
        """What `close` does here."""

    monkeypatch.setattr(type(shared), "from_url", lambda _: shared)
    monkeypatch.setattr(type(shared), "close", stays)
    return "memory://"


@pytest.mark.parametrize("writer", WRITERS)
def test_what_one_interface_writes_all_others_read(writer: str, url: str) -> None:
    before = datetime.now(UTC)
    assert WRITERS[writer](url)
    for reader, read in READERS.items():
        found = read(url)
        assert before <= found.pop("at") <= datetime.now(UTC), reader
        found["metadata"] = {k: v for k, v in found["metadata"].items() if k not in FOUND}
        assert found == FACT, reader
