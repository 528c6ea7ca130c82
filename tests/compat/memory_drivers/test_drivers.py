"""The Memory Driver System's document runs, and its drivers do what it says, on PostgreSQL, Redis and SQLite."""

from __future__ import annotations

import os
import runpy
import threading
from abc import ABC
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.backends.automem.wire import TOKEN, AutoMemWire
from tests.indexes.wire.base import serving

from memwell import Memory
from memwell.compat.memory_drivers import (
    BaseMemoryDriver,
    MemoryDriverManager,
    get_memory_driver,
    set_memory_driver,
)
from memwell.compat.memory_drivers.drivers import HybridDriver, PineconeDriver, SQLiteDriver
from memwell.compat.memory_drivers.memwell_driver import MemwellDriver
from memwell.compat.memory_drivers.migrate import main as migrate
from memwell.errors import InvalidInput, MemwellError, Unavailable


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(MemoryDriverManager, "_drivers", {})
    for name in ("MEMORY_DRIVER", "MEMORY_CACHE_TTL", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    yield
    MemoryDriverManager.reset_cache()


@pytest.fixture(params=["pgvector", "redis", "sqlite"])
def driver_name(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A driver whose backend runs here, named in the environment."""
    name: str = request.param
    if name == "pgvector":
        monkeypatch.setenv("DATABASE_URL", request.getfixturevalue("postgres_url"))
    elif name == "redis":
        monkeypatch.setenv("REDIS_URL", request.getfixturevalue("redis_url"))
    monkeypatch.setenv("MEMORY_DRIVER", name.upper())
    return name


def test_the_document_runs(driver_name: str) -> None:
    class Settings:
        MEMORY_DRIVER: str = os.getenv("MEMORY_DRIVER", "automem").lower()

    assert driver_name == Settings.MEMORY_DRIVER

    # Get the configured driver (singleton)
    driver = get_memory_driver()
    assert driver is get_memory_driver()

    # Recall user memories
    memories = driver.recall(
        user_id="user123",
        conversation_id="conv456",
        query="previous conversations",
        top_k=10,
        use_vector=True,
    )

    # Recall global knowledge
    knowledge = driver.recall_global_knowledge(query="company policies", top_k=5, category="policies")
    assert memories == knowledge == []

    # Store a memory
    stored = driver.store(
        user_id="user123",
        content="User said hello",
        conversation_id="conv456",
        tags=["user", "greeting"],
    )

    # Store global knowledge
    driver.store_global_knowledge(
        content="Company policy document",
        category="policies",
        title="Remote Work Policy",
        doc_id="POL-001",
    )

    # Delete a memory
    assert driver.delete(memory_id="mem123", user_id="user123") is False

    # Health check
    status = driver.health_check()
    assert (status["status"], status["driver"], status["connected"]) == ("healthy", driver_name, True)

    # Explicitly switch to a different driver
    assert set_memory_driver(driver_name) is driver

    memories = driver.recall(user_id="user123", query="hello")
    assert [memory.pop("score") > 0 for memory in memories] == [True]
    assert memories == [stored]
    assert stored == {
        "id": stored["id"],
        "memory": {"content": "User said hello", "tags": ["user", "greeting"], "metadata": {}},
        "user_id": "user123",
        "conversation_id": "conv456",
        "created_at": stored["created_at"],
    }


def test_what_is_recalled_is_the_users_the_conversations_and_without_excluded_tags(driver_name: str) -> None:
    driver = get_memory_driver()
    for user, conversation, content, tags in (
        ("a", "1", "tea in the morning", ["drink"]),
        ("a", "2", "tea in the evening", ["drink", "late"]),
        ("a", "1", "yes", None),
        ("a", "1", "yes", None),
        ("b", "1", "tea at night", ["drink"]),
    ):
        driver.store(user, content, conversation, tags)

    def contents(**options: Any) -> list[str]:
        return [one["memory"]["content"] for one in driver.recall("a", **options)]

    assert sorted(contents(query="tea", top_k=2)) == ["tea in the evening", "tea in the morning"]
    assert contents(query="tea", conversation_id="2") == ["tea in the evening"]
    assert contents(query="tea", exclude_tags=["late", "other"], top_k=1) == ["tea in the morning"]
    assert contents() == contents(query="anything", use_vector=False)
    assert contents(top_k=3) == ["yes", "yes", "tea in the evening"]
    assert contents(conversation_id="1", exclude_tags=["drink"]) == ["yes", "yes"]
    theirs = driver.recall("b")[0]["id"]
    assert [driver.delete(theirs, "a"), driver.delete(theirs, "b"), driver.delete(theirs)] == [
        True - 1,
        True,
        False,
    ]
    with pytest.raises(InvalidInput):
        driver.store("a", "")


def test_knowledge_is_everybodys_and_replaced_by_its_doc_id(driver_name: str) -> None:
    driver = get_memory_driver()
    driver.store("a", "my own note about remote work", metadata={"category": "policies"})
    first = driver.store_global_knowledge(
        "Remote work: two days", "policies", "Remote work", "POL-1", {"by": "hr"}
    )
    assert (first["category"], first["memory"]["metadata"]) == (
        "policies",
        {"title": "Remote work", "doc_id": "POL-1", "category": "policies", "by": "hr"},
    )
    threads = [
        threading.Thread(
            target=driver.store_global_knowledge,
            args=(f"Remote work: {n} days", "policies"),
            kwargs={"doc_id": "POL-1"},
        )
        for n in (3, 4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    driver.store_global_knowledge("Remote work is allowed abroad", "law")
    found = driver.recall_global_knowledge("remote work")
    assert len(found) == 2
    assert {one["category"] for one in found} == {"policies", "law"}
    by_category = driver.recall_global_knowledge("remote work", category="policies")
    assert [
        one["memory"]["content"] in ("Remote work: 3 days", "Remote work: 4 days") for one in by_category
    ] == [True]


def test_metadata_come_back_as_given_and_are_memwells_fields() -> None:
    driver = SQLiteDriver("sqlite:///a.db", embedder=None)
    given = {"category": "food", "importance": "high", "role": "user", "n": [1, {"a": None}]}
    stored = driver.store("7", "likes bread", metadata=given)
    assert stored["memory"]["metadata"] == given
    record = driver.memory.get(stored["id"])
    assert (record.category, record.importance, record.scope.user_id) == ("food", 0.8, "7")
    odd = {"category": "", "importance": True, "tags": ["not", "mine"]}
    stored = driver.store("7", "drinks tea", tags=["mine"], metadata=odd)
    assert (stored["memory"]["tags"], stored["memory"]["metadata"]) == (["mine"], odd)
    with pytest.raises(InvalidInput, match="metadata is a dict, not str"):
        driver.store("7", "x", metadata="abc")  # type: ignore[arg-type]
    batch = driver.store_many([{"user_id": "7", "content": f"note {n}"} for n in range(3)])
    assert [one["memory"]["content"] for one in batch] == ["note 0", "note 1", "note 2"]
    driver.close()


def test_a_memory_has_one_owner_whatever_names_it() -> None:
    driver = SQLiteDriver("sqlite:///owners.db", embedder=None)
    number: Any = 7
    driver.store(number, "green tea", conversation_id=number)
    for query in (None, "", "tea"):
        assert len(driver.recall(number, number, query)) == len(driver.recall("7", "7", query)) == 1
    for nobody in (None, "", b"7", ["7"], True):
        for call in (
            driver.recall,
            lambda user: driver.store(user, "x"),
            lambda user: driver.recall("7", user),
        ):
            if nobody is not None or call is driver.recall:
                with pytest.raises(InvalidInput, match="_id is a text that is not empty"):
                    call(nobody)
    with pytest.raises(InvalidInput, match="exclude_tags is a list"):
        driver.recall("7", exclude_tags="late")  # type: ignore[arg-type]
    driver.close()


def test_knowledge_is_replaced_as_a_whole_and_only_by_a_doc_id() -> None:
    driver = SQLiteDriver("sqlite:///knowledge.db", embedder=None)
    driver.store_global_knowledge("Tea at four", "law", "Tea", "T-1", {"tags": ["old"], "importance": "high"})
    found = driver.store_global_knowledge("Tea at five", "law", doc_id="T-1")
    assert found["memory"] == {
        "content": "Tea at five",
        "tags": [],
        "metadata": {"title": None, "doc_id": "T-1", "category": "law"},
    }
    for text in ("one", "two"):
        driver.store_global_knowledge(f"note {text}", "notes", doc_id="")
    assert len(driver.recall_global_knowledge("note", category="notes")) == 2
    driver.close()


class Mine(BaseMemoryDriver, ABC):
    def recall(self, user_id: str, **kwargs: Any) -> list[dict[str, Any]]:  # type: ignore[override]
        return [{"user_id": user_id, **kwargs}]

    def recall_global_knowledge(self, query: str, **kwargs: Any) -> list[dict[str, Any]]:  # type: ignore[override]
        return []

    def store(self, user_id: str, content: str, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        return {"content": content}

    def store_global_knowledge(self, content: str, category: str, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        return {}

    def delete(self, memory_id: str, user_id: str | None = None) -> bool:
        return True

    def health_check(self) -> dict[str, Any]:
        return {"status": "healthy"}


def test_drivers_are_registered_chosen_switched_and_named_in_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    manager = MemoryDriverManager
    manager.register_driver("Custom", Mine)
    monkeypatch.setenv("MEMORY_DRIVER", "cusTOM")
    first = get_memory_driver()
    assert isinstance(first, Mine)
    assert first is manager.get_driver("CUSTOM") is set_memory_driver("custom")
    assert first.store_many([{"user_id": "a", "content": "x"}]) == [{"content": "x"}]
    sqlite = set_memory_driver("SQLite")
    assert get_memory_driver() is sqlite is not first
    with pytest.raises(ValueError, match="Failed to initialize driver 'pgvector': set DATABASE_URL"):
        set_memory_driver("pgvector")
    assert get_memory_driver() is sqlite
    with pytest.raises(
        ValueError, match=r"Memory driver 'xyz' not found\. Available drivers: automem, custom, hybrid"
    ):
        manager.get_driver("xyz")
    with pytest.raises(ValueError, match="a driver is named by a text, not ''"):
        set_memory_driver("")
    for wrong in (object, Mine(), "Mine"):
        with pytest.raises(ValueError, match="must inherit from BaseMemoryDriver"):
            manager.register_driver("wrong", wrong)  # type: ignore[arg-type]
    manager.reset_cache()
    assert get_memory_driver() is not first


def test_a_hybrid_reads_from_the_next_and_keeps_a_copy(tmp_path: Path, redis_url: str) -> None:
    files = [f"sqlite:///{tmp_path}/{name}.db" for name in ("first", "copy")]
    driver = HybridDriver([files[0], files[1]], copies=[files[1]], embedder=None)
    driver.store("a", "kept twice")
    driver.close()
    copy = SQLiteDriver(files[1], embedder=None)
    assert [one["memory"]["content"] for one in copy.recall("a", query="twice")] == ["kept twice"]
    copy.close()

    away = "redis://127.0.0.1:1/0?prefix=x:"
    driver = HybridDriver([away, files[1]], embedder=None)
    assert [one["memory"]["content"] for one in driver.recall("a", query="twice")] == ["kept twice"]
    with pytest.raises(MemwellError):
        driver.store("a", "lost")
    assert [one["memory"]["content"] for one in driver.recall("a")] == ["kept twice"]
    driver.close()
    mixed = HybridDriver([files[1], redis_url], embedder=None)
    assert mixed.health_check()["status"] == "healthy"
    mixed.close()


def test_answers_are_kept_and_never_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMORY_CACHE_TTL", "60")
    monkeypatch.setenv("MEMORY_DATABASE", "sqlite:///cached.db")
    driver = set_memory_driver("sqlite")
    assert isinstance(driver, MemwellDriver)
    driver.store("a", "green tea")
    for _ in range(3):
        assert len(driver.recall("a", query="tea")) == 1
    other = Memory("sqlite:///cached.db", embedder=None)
    other.remember("black tea", user_id="a")
    other.close()
    assert len(driver.recall("a", query="tea")) == 2
    monkeypatch.setenv("MEMORY_CACHE_TTL", "soon")
    MemoryDriverManager.reset_cache()
    with pytest.raises(ValueError, match="MEMORY_CACHE_TTL='soon' is no number of seconds"):
        set_memory_driver("sqlite")


def test_an_index_service_needs_its_url(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MemwellError, match="set PINECONE_URL"):
        PineconeDriver()
    monkeypatch.setenv("WEAVIATE_URL", "exact://points?dimension=8")
    with pytest.raises(ValueError, match="weaviate"):
        set_memory_driver("weaviate").recall("a", query="x")


def test_a_service_that_is_away_is_an_error_and_unhealthy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1")
    driver = set_memory_driver("redis")
    health = driver.health_check()
    assert (health["status"], health["connected"], bool(health["error"])) == ("unhealthy", False, True)
    with pytest.raises(Unavailable):
        driver.recall("a")


def test_the_database_is_migrated_and_memories_are_copied_and_compared(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert migrate([]) == 2
    assert "set DATABASE_URL" in capsys.readouterr().err
    monkeypatch.setenv("DATABASE_URL", postgres_url)
    assert [migrate([]), migrate(["status"])] == [0, 0]
    source = set_memory_driver("sqlite")
    for number in range(7):
        source.store("a", f"note {number}", tags=["t"], metadata={"n": number})
    source.store_global_knowledge("policy", "law", doc_id="1")
    capsys.readouterr()
    for _ in range(2):
        assert migrate(["copy", "sqlite", "pgvector"]) == 0
        assert capsys.readouterr().out == "8 memories are the same in pgvector\n"
    target = set_memory_driver("pgvector")
    assert sorted(one["memory"]["metadata"]["n"] for one in target.recall("a")) == [*range(7)]
    changed = target.recall("a")[0]["id"]
    assert isinstance(target, MemwellDriver)
    target.memory.update(changed, content="otherwise")
    assert migrate(["copy", "sqlite", "pgvector"]) == 1
    assert changed in capsys.readouterr().err
    assert migrate(["copy", "sqlite", "nowhere"]) == 1
    assert migrate(["fresh", "--yes"]) == 0
    assert set_memory_driver("pgvector").recall("a") == []


def test_the_agents_of_the_example_use_the_driver_that_serves(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MEMORY_DRIVER", "sqlite")
    example = Path(__file__).parents[3] / "examples" / "memory_drivers" / "agents.py"
    runpy.run_path(str(example), run_name="__main__")
    assert capsys.readouterr().out == (
        "past: ['I moved to Lisbon in May']\nknown: ['Museums in Lisbon are free on Sundays']\n"
    )


def test_the_address_of_automem_is_a_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOMEM_URL", "localhost:8001")
    with pytest.raises(
        ValueError, match="AUTOMEM_URL is a URL such as http://localhost:8001, not 'localhost:8001'"
    ):
        get_memory_driver()


def test_the_default_driver_keeps_users_apart_in_automem(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(AutoMemWire()) as wire:
        monkeypatch.setenv("AUTOMEM_URL", wire.url)
        monkeypatch.setenv("AUTOMEM_API_TOKEN", TOKEN)
        driver = get_memory_driver()
        assert driver.health_check()["driver"] == "automem"
        mine = driver.store("ana", "green tea " * 300, "c1", tags=["user"])
        driver.store("bo", "black tea", "c1")
        driver.store_global_knowledge("tea is served at four", "Policies", doc_id="T-1")
        wire.embed()
        found = driver.recall("ana", "c1", "tea")
        assert [(one["id"], one["memory"]["content"]) for one in found] == [(mine["id"], "green tea " * 300)]
        assert [one["category"] for one in driver.recall_global_knowledge("tea")] == ["Policies"]
        assert [driver.delete(mine["id"], "bo"), driver.delete(mine["id"], "ana")] == [False, True]
        MemoryDriverManager.reset_cache()
