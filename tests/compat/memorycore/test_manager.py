"""MemoryCore's interface: what its documents promise beyond their examples, and what another storage gets."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from memwell import AsyncMemory
from memwell.compat.memorycore import (
    EmbeddingService,
    Memory,
    MemoryManager,
    MemoryMetadata,
    SearchResult,
    Settings,
    StorageBackend,
    create_memory_manager,
)
from memwell.compat.memorycore.errors import (
    EmbeddingDimensionError,
    InvalidMemoryError,
    InvalidQueryError,
    MemoryCoreError,
    StorageConflictError,
    StorageConnectionError,
    StorageNotFoundError,
    ValidationError,
)
from memwell.compat.memorycore.factory import create_embedding_service, serve_ports
from memwell.compat.memorycore.observability import configure_logging
from memwell.compat.memorycore.storage import MemwellStorage
from memwell.errors import ConfigError
from memwell.testing.services.service import free_port

SETTINGS = Settings(storage_backend="memory", embedding_provider="none", retry_initial_delay=0.0)


def manage(*settings: Settings) -> Any:
    """Run a coroutine function with a manager for each of the settings."""

    def run(use: Any) -> None:
        async def main() -> None:
            managers = [await create_memory_manager(one) for one in settings or (SETTINGS,)]
            try:
                await use(*managers)
            finally:
                for one in managers:
                    await one.close()

        asyncio.run(main())

    return run


def test_a_memory_has_all_its_parts() -> None:
    @manage()
    async def use(manager: MemoryManager) -> None:
        metadata = MemoryMetadata(
            category="infra", tags=[" DB ", "prod", "db"], importance="high", custom_fields={"port": 5432}
        )
        saved = await manager.save("  PostgreSQL is at 10.0.0.5  ", metadata, ttl_days=2)
        assert (saved.content, saved.metadata) == ("PostgreSQL is at 10.0.0.5", metadata)
        assert saved.metadata.tags == ["db", "prod"]
        assert saved.expires_at is not None
        assert timedelta(days=1.9) < saved.expires_at - datetime.now(UTC) <= timedelta(days=2)
        assert await manager.get(saved.id) == saved
        json.dumps(saved.to_dict())

        newer = MemoryMetadata(category="network")
        changed = await manager.update(saved.id, metadata=newer)
        assert (changed.version, changed.metadata, changed.content) == (2, newer, saved.content)
        changed.content = "PostgreSQL moved to 10.0.0.6"
        changed.set_ttl(30)
        again = await manager.update(memory=changed)
        assert [(one.version, one.content) for one in again.versions] == [
            (1, saved.content),
            (2, saved.content),
        ]
        assert again.versions[0].changed_fields != []
        assert again.expires_at == changed.expires_at
        with pytest.raises(InvalidMemoryError, match="nothing to change"):
            await manager.update(saved.id)
        with pytest.raises(StorageNotFoundError, match="no memory 'nobody'"):
            await manager.update("nobody", content="x")


def test_searches_and_lists_are_narrowed_by_tenant_category_tags_importance_and_fields() -> None:
    @manage()
    async def use(manager: MemoryManager) -> None:
        for number in range(5):
            await manager.save(
                f"tea number {number}",
                MemoryMetadata(
                    category="even" if number % 2 == 0 else "odd",
                    tags=["all", f"t{number}"],
                    importance=("low", "medium", "high")[number % 3],
                    custom_fields={"rank": number},
                ),
            )
        await manager.save("tea of others", tenant_id="others")
        for filters, numbers in (
            ({}, "01234"),
            ({"category": "even"}, "024"),
            ({"tags": ["all", "T3"]}, "3"),
            ({"tags": "t1"}, "1"),
            ({"importance": "high"}, "2"),
            ({"importance": "low"}, "03"),
            ({"rank": 4}, "4"),
            ({"category": None}, "01234"),
        ):
            found = {one.memory.content[-1] for one in await manager.search("tea", filters=filters)}
            listed = {one.content[-1] for one in await manager.list(filters=filters)}
            assert found == listed == set(numbers), filters
        assert [one.content[-1] for one in await manager.list(limit=2, offset=1)] == ["3", "2"]
        assert await manager.list(limit=10, offset=5) == []
        assert [await manager.count(), await manager.count("others")] == [5, 1]
        other = (await manager.list("others"))[0]
        assert await manager.get(other.id) is None
        assert [await manager.delete(other.id), await manager.delete(other.id, "others")] == [False, True]


def test_links_are_stored_before_the_next_operation_and_a_refused_one_is_reported_once() -> None:
    @manage()
    async def use(manager: MemoryManager) -> None:
        first, second = [await manager.save(text) for text in ("the plan of May", "the plan of June")]
        second.add_relationship(first.id, "extends", 0.5)
        second.add_relationship(first.id, "contradicts")
        stored = await manager.get(second.id)
        assert stored is not None
        assert {one.relationship_type for one in stored.relationships} >= {"contradicts"}
        assert [one.id for one in await manager.get_related(first.id)] == [second.id]
        second.add_relationship("nobody")
        with pytest.raises(StorageNotFoundError):
            await manager.count()
        assert await manager.count() == 2
        for target, kind, strength in (
            (first.id, "likes", 1.0),
            (first.id, "related", 2.0),
            (second.id, "related", 1),
        ):
            with pytest.raises(InvalidMemoryError):
                second.add_relationship(target, kind, strength)


def test_events_are_typed_and_a_failing_handler_harms_nobody() -> None:
    @manage()
    async def use(manager: MemoryManager) -> None:
        seen: list[Any] = []

        async def note(event: Any) -> None:
            seen.append(event)

        def fail(event: Any) -> None:
            raise RuntimeError("handler")

        manager.event_bus.subscribe("memory.*", fail)
        manager.event_bus.subscribe("memory.*", note)
        manager.event_bus.subscribe("memory.deleted", print)
        manager.event_bus.unsubscribe("memory.deleted", print)
        saved = await manager.save("green tea")
        await manager.update(saved.id, content="black tea")
        await manager.search("tea")
        await manager.delete(saved.id)
        await manager.event_bus.close()
        assert [one.event_type for one in seen] == [
            "memory.created",
            "memory.updated",
            "memory.searched",
            "memory.deleted",
        ]
        assert (seen[0].memory.id, seen[1].previous_version, seen[2].result_count) == (saved.id, 1, 1)
        assert (seen[2].query, seen[3].memory_id, seen[3].tenant_id) == ("tea", saved.id, "default")
        assert (
            len({one.event_id for one in seen}) == len({one.metadata["correlation_id"] for one in seen}) == 4
        )


def test_bad_input_is_refused_with_a_code() -> None:
    @manage(replace(SETTINGS, max_memory_size=10))
    async def use(manager: MemoryManager) -> None:
        for content in ("", "  ", "é" * 6, 5):
            with pytest.raises(InvalidMemoryError) as raised:
                await manager.save(content)  # type: ignore[arg-type]
            assert raised.value.error_code == "INVALID_MEMORY"
        for query, limit in (("", 1), ("x", 0)):
            with pytest.raises(InvalidQueryError) as refused:
                await manager.search(query, limit=limit)
            assert refused.value.error_code == "INVALID_QUERY"
        for content, options in (
            ("\ud800", {}),
            ("x", {"metadata": {"category": "a"}}),
            ("x", {"ttl_days": float("inf")}),
            ("x", {"ttl_days": 1e9}),
            ("x", {"ttl_days": "5"}),
        ):
            with pytest.raises(InvalidMemoryError):
                await manager.save(content, **options)  # type: ignore[arg-type]
        for metadata in (
            {"importance": "critical"},
            {"importance": []},
            {"tags": "one"},
            {"tags": None},
            {"category": ""},
            {"custom_fields": None},
        ):
            with pytest.raises(InvalidMemoryError):
                MemoryMetadata(**metadata)  # type: ignore[arg-type]
        for filters in ({"importance": 5}, {"importance": "urgent"}, {"tags": [5]}, {"tags": 5}, ["tags"]):
            for find in (
                lambda given: manager.search("x", filters=given),
                lambda given: manager.list(filters=given),
            ):
                with pytest.raises(InvalidQueryError):
                    await find(filters)
        with pytest.raises(InvalidQueryError):
            await manager.search("x", limit=10**6)
        with pytest.raises(ValidationError):
            manager.event_bus.subscribe("memory.created", None)  # type: ignore[arg-type]
        with pytest.raises(MemoryCoreError):
            await manager.list(limit=0)
        assert await manager.count() == 0


def test_what_others_changed_meanwhile_is_not_overwritten() -> None:
    @manage()
    async def use(manager: MemoryManager) -> None:
        saved = await manager.save("the old text", MemoryMetadata(category="old"))
        mine = await manager.get(saved.id)
        assert mine is not None
        get, between = manager.storage.get, [lambda: manager.update(saved.id, content="the new text")]

        async def interrupted(memory_id: str, tenant_id: str) -> Memory | None:
            found = await get(memory_id, tenant_id)
            if between:
                await between.pop()()
            return found

        manager.storage.get = interrupted  # type: ignore[method-assign]
        changed = await manager.update(saved.id, metadata=MemoryMetadata(category="new"))
        assert (changed.content, changed.metadata.category, changed.version) == ("the new text", "new", 3)
        mine.set_ttl(3)
        with pytest.raises(StorageConflictError, match="version 3 is stored, this is 1") as raised:
            await manager.update(memory=mine, content="mine")
        assert raised.value.error_code == "STORAGE_CONFLICT"
        assert mine.content == "the old text"

    @manage()
    async def cancel(manager: MemoryManager) -> None:
        first, second = [await manager.save(text) for text in ("one", "two")]
        second.add_relationship(first.id)
        storage: Any = manager.storage
        relate = storage.relate

        async def cancelled(*_: Any) -> None:
            raise asyncio.CancelledError

        storage.relate = cancelled
        with pytest.raises(asyncio.CancelledError):
            await manager.count()
        storage.relate = relate
        assert [one.id for one in await manager.get_related(second.id)] == [first.id]


class Vowels(EmbeddingService):
    """Counts vowels; fails as often as told."""

    failures = 0

    async def embed(self, text: str) -> list[float]:
        if self.failures:
            self.failures -= 1
            raise RuntimeError("the model is away")
        return [float(text.count(vowel)) for vowel in "aeiou"]

    def get_dimension(self) -> int:
        return 5


class Shelf(StorageBackend):
    """A storage of somebody else's; away as often as told."""

    def __init__(self) -> None:
        self.kept: dict[str, Memory] = {}
        self.away = 0

    async def save(self, memory: Memory) -> Memory:
        if self.away:
            self.away -= 1
            raise StorageConnectionError("away")
        self.kept[memory.id] = replace(memory)
        return replace(memory)

    async def get(self, memory_id: str, tenant_id: str) -> Memory | None:
        found = self.kept.get(memory_id)
        return replace(found) if found and found.tenant_id == tenant_id else None

    async def delete(self, memory_id: str, tenant_id: str) -> bool:
        return self.kept.pop(memory_id, None) is not None

    async def search(
        self, embedding: Sequence[float], tenant_id: str, limit: int, filters: Mapping[str, Any] | None = None
    ) -> list[SearchResult]:
        def nearness(memory: Memory) -> float:
            return sum(a * b for a, b in zip(embedding, memory.embedding or [0.0] * 5, strict=True))

        found = sorted(self.kept.values(), key=nearness, reverse=True)[:limit]
        return [SearchResult(one, nearness(one)) for one in found]

    async def list(
        self, tenant_id: str, limit: int = 100, offset: int = 0, filters: Mapping[str, Any] | None = None
    ) -> list[Memory]:
        return [*self.kept.values()][offset : offset + limit]

    async def count(self, tenant_id: str) -> int:
        return len(self.kept)


def test_a_storage_and_a_model_of_ones_own_plug_in() -> None:
    async def main() -> None:
        shelf, vowels = Shelf(), Vowels()
        manager = MemoryManager(shelf, vowels, SETTINGS)
        shelf.away, vowels.failures = 2, 2
        first = await manager.save("aaa")
        assert first.embedding == [3.0, 0.0, 0.0, 0.0, 0.0]
        vowels.failures = 99
        unembedded = await manager.save("eee")
        assert unembedded.embedding is None
        assert (await manager.health_check())["status"] == "degraded"
        vowels.failures = 0
        assert [one.memory.content for one in await manager.search("a", limit=1)] == ["aaa"]
        changed = await manager.update(first.id, content="aaai")
        assert [(one.version, one.content) for one in changed.versions] == [(1, "aaa")]
        changed.add_relationship(unembedded.id)
        assert [one.content for one in await manager.get_related(first.id)] == ["eee"]
        assert (await manager.health_check())["status"] == "healthy"
        shelf.away = 9
        with pytest.raises(StorageConnectionError):
            await manager.save("lost")

    asyncio.run(main())


def test_memories_of_other_interfaces_keep_what_this_one_has_no_word_for(tmp_path: Path) -> None:
    async def main() -> None:
        memory = AsyncMemory(tmp_path / "a.db", embedder=None)
        record = await memory.remember(
            "Ana drinks tea", user_id="ana", importance=0.62, metadata={"cups": 3}, tags=["tea"]
        )
        manager = MemoryManager(MemwellStorage(memory), settings=SETTINGS)
        seen = await manager.get(record.id)
        assert seen is not None
        assert seen.metadata == MemoryMetadata("general", ["tea"], "medium", {"cups": 3, "user_id": "ana"})
        await manager.update(record.id, content="Ana drinks coffee")
        stored = await memory.get(record.id, user_id="ana")
        assert (stored.importance, stored.metadata, stored.category) == (0.62, {"cups": 3}, None)
        mine = await manager.save(
            "Bo drinks milk", MemoryMetadata(custom_fields={"user_id": "bo", "cups": 1})
        )
        assert (await memory.get(mine.id, user_id="bo")).metadata == {"cups": 1}
        await manager.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("STORAGE_BACKEND", "mongo", "chromadb, faiss, memory or a URL"),
        ("EMBEDDING_PROVIDER", "mine", "chromadb, openai"),
        ("OBSERVABILITY_METRICS_PORT", "many", "not a number"),
        ("OBSERVABILITY_HEALTH_PORT", "70000", "0 to 65535"),
        ("ENABLE_VERSIONING", "perhaps", "true or false"),
        ("DEFAULT_TTL_DAYS", "inf", "more than 0"),
        ("RETRY_INITIAL_DELAY", "-1", "0 or more"),
        ("STORAGE_COLLECTION_NAME", "../others", "letters, digits"),
    ],
)
def test_a_wrong_setting_is_refused_at_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=message) as raised:
        Settings.load(tmp_path / ".env")
    assert name in str(raised.value)


def test_a_file_gives_settings_the_environment_wins_and_a_typo_is_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / ".env"
    file.write_text(
        'STORAGE_BACKEND="faiss"\nexport TENANT_ID=file # mine\nOTHER=1\nOBSERVABILITY_LOG_LEVEL=debug\n'
    )
    monkeypatch.setenv("TENANT_ID", "environment")
    found = Settings.load(file)
    assert (found.storage_backend, found.tenant_id, found.observability_log_level) == (
        "faiss",
        "environment",
        "DEBUG",
    )
    file.write_text("STORAGE_BAKEND=faiss\n")
    with pytest.raises(ConfigError, match="STORAGE_BAKEND; did you mean STORAGE_BACKEND"):
        Settings.load(file)
    file.write_bytes(
        b"\xef\xbb\xbfstorage_backend=faiss\r\nENABLE_VERSIONING=off # none\r\nEMBEDDING_API_KEY='sk-1'\r\n"
    )
    found = Settings.load(file)
    assert (found.storage_backend, found.enable_versioning, found.embedding_api_key) == (
        "faiss",
        False,
        "sk-1",
    )
    assert "sk-1" not in repr(found)
    for wrong in (b"STORAGE_BACKEND: faiss\n", b"STORAGE_BACKEND faiss\n", b"TENANT_ID='open\n"):
        file.write_bytes(b"OTHER=1\n" + wrong)
        with pytest.raises(ConfigError, match=r"line 2 of .* is not of the form NAME=value"):
            Settings.load(file)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read as UTF-8"):
        Settings.load(file)


def test_backends_keep_their_memories_apart_by_name_and_over_restarts(tmp_path: Path) -> None:
    for backend in ("chromadb", "faiss"):
        place = str(tmp_path / f"{backend} in a folder? #1 100%25")
        one = Settings(storage_backend=backend, storage_path=place, retry_initial_delay=0.0)
        two = replace(one, storage_collection_name="other", enable_versioning=False)

        @manage(one, two)
        async def fill(first: MemoryManager, second: MemoryManager) -> None:
            await first.save("The cat sleeps on the sofa")
            saved = await second.save("Paris is in France")
            assert (await second.update(saved.id, content="Paris is in Europe")).versions == []

        @manage(one, two)
        async def look(first: MemoryManager, second: MemoryManager) -> None:
            assert [each.memory.content[:7] for each in await first.search("a pet")] == ["The cat"]
            assert [each.memory.content for each in await second.search("capital")] == ["Paris is in Europe"]

    assert sorted(each.name for each in tmp_path.iterdir()) == [
        f"{backend} in a folder? #1 100%25" for backend in ("chromadb", "faiss")
    ]
    openai = replace(one, embedding_provider="openai", embedding_api_key="sk-1")
    for model, dimension in (("all-MiniLM-L6-v2", 1536), ("text-embedding-3-large", 3072)):
        service = asyncio.run(create_embedding_service(replace(openai, embedding_model_name=model)))
        assert service.get_dimension() == dimension
    with pytest.raises(EmbeddingDimensionError, match="384 numbers; EMBEDDING_DIMENSION is 12"):
        manage(replace(one, embedding_dimension=12))(None)


def test_metrics_and_health_are_served_and_log_lines_have_correlation_ids(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = free_port(), free_port()
    settings = replace(SETTINGS, observability_metrics_port=ports[0], observability_health_port=ports[1])
    root = logging.getLogger("memwell")
    monkeypatch.setattr(root, "handlers", [])
    level = root.level

    def read(port: int, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as answer:
            return str(answer.read().decode())

    async def main() -> None:
        manager = await create_memory_manager(settings)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", ports[0]))
            with pytest.raises(ConfigError, match=f"OBSERVABILITY_METRICS_PORT={ports[0]} cannot be used"):
                serve_ports(manager)
        assert "healthy" in await asyncio.to_thread(read, ports[1], "/health")
        manager.on_close.pop()()  # type: ignore[unused-coroutine]
        serve_ports(manager)
        with pytest.raises(ConfigError, match=f"{ports[0]} cannot .*{ports[1]} cannot be used"):
            serve_ports(manager)
        await manager.save("green tea")
        await manager.search("tea")
        await manager.count()
        with pytest.raises(StorageNotFoundError):
            await manager.update("nobody", content="x")
        metrics = await asyncio.to_thread(read, ports[0], "/metrics")
        for line in (
            'memorycore_memory_operations_total{operation="save",status="success",tenant_id="default"} 1.0',
            'memorycore_memory_operations_total{operation="update",status="error",tenant_id="default"} 1.0',
            'memorycore_memory_count{tenant_id="default"} 1.0',
            'memorycore_operation_duration_seconds_count{operation="search"} 1.0',
            'memorycore_search_operations_total{tenant_id="default"} 1.0',
        ):
            assert line in metrics
        health = json.loads(await asyncio.to_thread(read, ports[1], "/health"))
        assert (health["status"], health["components"]["storage"]) == ("healthy", "healthy")
        with pytest.raises(urllib.error.HTTPError, match="404"):
            await asyncio.to_thread(read, ports[1], "/secrets")
        await manager.close()
        with pytest.raises(OSError, match="refused"):
            await asyncio.to_thread(read, ports[0], "/metrics")

    try:
        configure_logging(settings)
        asyncio.run(main())
    finally:
        root.setLevel(level)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    operations = [line for line in lines if line["logger"] == "memwell.compat.memorycore"]
    assert [line["event"].split()[0] for line in operations] == ["save", "search", "count", "update"]
    assert len({line["correlation_id"] for line in operations} - {None}) == 4
