"""Every Python block of MemoryCore's README runs, with the import root alone changed."""

from __future__ import annotations

import asyncio
import runpy
from pathlib import Path

import pytest

from memwell.compat.memorycore.core.memory import MemoryMetadata
from memwell.compat.memorycore.events.memory_events import MemoryCreatedEvent
from memwell.compat.memorycore.factory import create_memory_manager
from memwell.compat.memorycore.manager import MemoryManager


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    values = {
        "STORAGE_BACKEND": "chromadb",
        "STORAGE_PATH": "./memorycore_db",
        "STORAGE_COLLECTION_NAME": "memories",
        "EMBEDDING_PROVIDER": "chromadb",
        "EMBEDDING_MODEL_NAME": "all-MiniLM-L6-v2",
        "OBSERVABILITY_LOG_LEVEL": "INFO",
        "OBSERVABILITY_LOG_FORMAT": "json",
        "OBSERVABILITY_ENABLE_METRICS": "true",
        "OBSERVABILITY_METRICS_PORT": "9090",
        "TENANT_ID": "default",
        "DEFAULT_TTL_DAYS": "30",
        "ENABLE_VERSIONING": "true",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def test_basic_operations(capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> None:
        # Create manager (auto-configures from environment)
        manager = await create_memory_manager()

        # Save a memory
        memory = await manager.save(
            content="Production database is at 10.0.0.5:5432",
            metadata=MemoryMetadata(
                category="infrastructure", tags=["database", "production"], importance="high"
            ),
            ttl_days=90,
        )

        # Search memories
        results = await manager.search(query="production database connection", limit=5)

        for result in results:
            print(f"{result.score:.3f}: {result.memory.content}")

        await advanced(manager, memory.id)
        await manager.close()

    async def advanced(manager: MemoryManager, memory_id: str) -> None:
        seen = []

        def on_memory_created(event: MemoryCreatedEvent) -> None:
            seen.append(event.memory.content)

        manager.event_bus.subscribe("memory.created", on_memory_created)

        # Updates automatically create versions
        updated = await manager.update(memory_id=memory_id, content="Updated database IP: 10.0.0.6:5432")
        print(f"Current version: {updated.version}")
        print(f"Version history: {len(updated.versions)} versions")
        assert [one.content for one in updated.versions] == ["Production database is at 10.0.0.5:5432"]

        schema_v1 = await manager.save(content="Database schema v1")
        schema_v2 = await manager.save(content="Database schema v2")

        # Link memories
        schema_v2.add_relationship(target_id=schema_v1.id, relationship_type="supersedes", strength=1.0)
        assert [one.id for one in await manager.get_related(schema_v2.id)] == [schema_v1.id]
        assert [one.memory.id for one in await manager.search("database schema")][:1] == [schema_v2.id]
        await manager.event_bus.close()
        assert seen == ["Database schema v1", "Database schema v2"]

    asyncio.run(main())
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].endswith(": Production database is at 10.0.0.5:5432")
    assert printed[1:] == ["Current version: 2", "Version history: 1 versions"]


def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    example = Path(__file__).parents[3] / "examples" / "memorycore" / "basic_usage.py"
    runpy.run_path(str(example), run_name="__main__")
    printed = capsys.readouterr().out
    assert "version 2; before: The production database is at 10.0.0.5:5432" in printed
    assert "created: The replica of the database is at 10.0.0.7:5432" in printed
