"""Every code block of Memoric's document runs, with only the import root changed, and so do its examples.

The smallest completions: `...` in vectors is the rest of 1,536 numbers, `results` is what the search found,
`TooManyAttempts`, `requests` and `unstable_api` are given, the host of Redis, its port and the DSN are those of the
servers of the tests, and the custom store does what its comments stand for.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.compat.memoric.services import PineconeCloud, openai_service
from tests.embedders.services import KEY as OPENAI_KEY
from tests.embedders.services import Service, serving
from tests.indexes.wire import base
from tests.indexes.wire.pinecone import KEY

import memwell.compat.memoric
from memwell import Keyring, compat
from memwell.compat.memoric import Memoric, Memory
from memwell.testing.services import Service as Server

EXAMPLES = Path(__file__).parents[3] / "examples" / "memoric"


@pytest.fixture
def pinecone(monkeypatch: pytest.MonkeyPatch) -> Iterator[PineconeCloud]:
    with base.serving(PineconeCloud("my-vectors", dimension=1536)) as cloud:
        monkeypatch.setenv("PINECONE_API_KEY", KEY)
        monkeypatch.setenv("PINECONE_ENVIRONMENT", "us-east-1-aws")
        monkeypatch.setenv("PINECONE_CONTROLLER_HOST", cloud.url)
        yield cloud


@pytest.fixture
def openai(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    with serving(openai_service) as service:
        monkeypatch.setenv("OPENAI_API_KEY", OPENAI_KEY)
        monkeypatch.setenv("OPENAI_BASE_URL", f"{service.url}/v1")
        yield service


def test_vector_stores(pinecone: PineconeCloud) -> None:
    from memwell.compat.memoric.providers.vector_stores import PineconeVectorStore

    vector_store = PineconeVectorStore(
        index_name="my-vectors",
        dimension=1536,  # OpenAI embedding size
    )

    # Store vector
    vector_store.upsert(
        id="mem_123",
        vector=[0.1, 0.2, *[0.0] * 1534],  # 1536 dimensions
        metadata={"user_id": "alice", "content": "..."},
    )

    # Search similar vectors
    results = vector_store.search(vector=[0.15, 0.18, *[0.0] * 1534], top_k=10, filter={"user_id": "alice"})
    assert [(one["id"], one["metadata"]["content"]) for one in results] == [("mem_123", "...")]
    assert results[0]["score"] == pytest.approx(0.975, abs=0.01)
    vector_store.close()


def test_cache(redis: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    from memwell.compat.memoric.providers.cache import RedisCacheProvider

    class TooManyAttempts(Exception):
        pass

    results = [{"id": "mem_123", "score": 0.9}]
    cache = RedisCacheProvider(host="localhost", port=redis.port, prefix="memoric:")

    # Cache query results
    cache.set("search_results_123", results, ttl=300)  # 5 min TTL
    assert cache.get("search_results_123") == results
    assert 299 < (cache.get_ttl("search_results_123") or 0) <= 300

    # Rate limiting
    cache.delete("login_attempts:user_123")

    def log_in() -> None:
        attempts = cache.increment("login_attempts:user_123")
        if attempts > 5:
            raise TooManyAttempts()

    for _ in range(5):
        log_in()
    with pytest.raises(TooManyAttempts):
        log_in()
    cache.close()


def test_resilience() -> None:
    from memwell.compat.memoric.utils.resilience import CircuitBreaker, retry_with_backoff

    answers = iter([OSError("away"), SimpleNamespace(json=lambda: {"data": 1})])

    def get(url: str) -> Any:
        answer = next(answers)
        if isinstance(answer, OSError):
            raise answer
        return answer

    requests = SimpleNamespace(get=get)
    unstable_api = SimpleNamespace(call=lambda: "called")

    # Retry on transient failures
    @retry_with_backoff(max_attempts=3, initial_delay=0.001)
    def call_external_api() -> Any:
        return requests.get("https://api.example.com").json()

    # Circuit breaker for persistent failures
    breaker = CircuitBreaker(failure_threshold=5, recovery_timeout=60)

    @breaker
    def call_unreliable_service() -> Any:
        return unstable_api.call()

    assert (call_external_api(), call_unreliable_service()) == ({"data": 1}, "called")


def test_quick_start_without_services() -> None:
    from memwell.compat.memoric import Memoric

    # Just works with SQLite (no external services needed)
    m = Memoric()
    m.save(user_id="alice", content="Hello world")
    memories = m.retrieve(user_id="alice")
    assert [memory["content"] for memory in memories] == ["Hello world"]
    m.close()


def test_quick_start_for_production(
    pinecone: PineconeCloud, postgres_url: str, redis: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    from memwell.compat.memoric import Memoric
    from memwell.compat.memoric.providers.cache import RedisCacheProvider
    from memwell.compat.memoric.providers.vector_stores import PineconeVectorStore

    monkeypatch.setenv("MEMORIC_ENCRYPTION_KEY", Keyring.generate())

    # Core Memoric with PostgreSQL
    m = Memoric(overrides={"database": {"dsn": postgres_url}, "privacy": {"encrypt_content": True}})

    # Vector search with Pinecone
    vector_store = PineconeVectorStore(index_name="prod-vectors")

    # Caching with Redis
    cache = RedisCacheProvider(host="127.0.0.1", port=redis.port)

    # Use them together
    m.save(user_id="alice", content="Hello world")
    assert [memory["content"] for memory in m.retrieve(user_id="alice", query="hello")] == ["Hello world"]
    assert [vector_store.health_check(), cache.health_check()] == [True, True]
    assert [made["name"] for made in pinecone.created] == ["prod-vectors"]
    for part in (m, vector_store, cache):
        part.close()


def test_an_own_provider_is_used_like_a_built_in_one() -> None:
    from memwell.compat.memoric.providers.interfaces import EmbeddingProvider, VectorStoreProvider

    class MyCustomVectorStore(VectorStoreProvider):
        def __init__(self) -> None:
            self.held: dict[str, tuple[Any, Any]] = {}

        def upsert(self, *, id, vector, metadata=None):  # type: ignore[no-untyped-def]
            self.held[id] = (vector, metadata)
            return True

        def search(self, *, vector, top_k=10, filter=None):  # type: ignore[no-untyped-def]
            found = [
                {"id": id, "score": sum(a * b for a, b in zip(vector, own, strict=True)), "metadata": known}
                for id, (own, known) in self.held.items()
                if all(known.get(key) == value for key, value in (filter or {}).items())
            ]
            return sorted(found, key=lambda one: -one["score"])[:top_k]

        # Implement other required methods...
        def delete(self, id):  # type: ignore[no-untyped-def]
            return self.held.pop(id, None) is not None

        def get(self, id):  # type: ignore[no-untyped-def]
            return self.held.get(id)

        def health_check(self):  # type: ignore[no-untyped-def]
            return True

    class Feelings(EmbeddingProvider):
        def embed(self, text: str) -> list[float]:
            return [float("glad" in text or "happy" in text), float("sad" in text)]

        def embed_batch(self, texts: Any) -> list[list[float]]:
            return [self.embed(text) for text in texts]

        @property
        def dimension(self) -> int:
            return 2

    store = MyCustomVectorStore()
    with Memory(user_id="ana", vector_store=store, embedding=Feelings()) as memory:
        glad = memory.add("Ana is glad", thread_id="t", importance="high")
        memory.add("Ana is sad")
        found = memory.search("who seems happy?")
        assert (found[0]["id"], found[0]["relevance"] >= 0.6) == (glad, True)
        assert memory.delete(glad)
        assert store.get(str(glad)) is None
        assert [row["content"] for row in memory.search("Ana", min_relevance=0.1)] == ["Ana is sad"]
        assert memory.clear() == 1
        assert store.held == {}
    with pytest.raises(TypeError, match="abstract"):
        VectorStoreProvider()  # type: ignore[abstract]


def test_the_root_of_the_document_works_once_it_is_installed() -> None:
    compat.install("memoric")
    try:
        import memoric  # type: ignore[import-not-found]
        from memoric.providers.cache import InMemoryCacheProvider  # type: ignore[import-not-found]

        assert memoric.Memoric is Memoric
        assert sys.modules["memoric"] is memwell.compat.memoric
        assert InMemoryCacheProvider().increment("n") == 1
    finally:
        compat.uninstall()


def test_the_minimal_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLES / "minimal_agent.py"), run_name="__main__")
    answers, rest = capsys.readouterr().out.split("Related history:")
    assert answers.splitlines() == ["answer: Alice is allergic to peanuts", "answer: I do not know yet."]
    assert "Current conversation:\nUser: What is Alice allergic to?" in rest
    assert "tiers: {'short_term': 6, 'mid_term': 0, 'long_term': 0}" in rest


def test_the_example_with_openai_runs(openai: Service, capsys: pytest.CaptureFixture[str]) -> None:
    openai.plan.extend(["503"])
    runpy.run_path(str(EXAMPLES / "production_agent.py"), run_name="__main__")
    assert capsys.readouterr().out.splitlines() == [
        "context: ['Alice keeps bees in her garden']",
        "reply: 1 notes, in short.",
        "topics: ['garden', 'have?', 'short.']",
    ]
    assert {path for path, _, _ in openai.requests} == {"/v1/embeddings", "/v1/chat/completions"}


def test_the_example_with_the_full_stack_runs(
    pinecone: PineconeCloud,
    openai: Service,
    redis: Server,
    postgres_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in {
        "REDIS_HOST": "127.0.0.1",
        "REDIS_PORT": str(redis.port),
        "DATABASE_URL": postgres_url,
        "MEMORIC_ENCRYPTION_KEY": Keyring.generate(),
    }.items():
        monkeypatch.setenv(name, value)
    runpy.run_path(str(EXAMPLES / "production_with_providers.py"), run_name="__main__")
    assert capsys.readouterr().out.splitlines() == [
        "healthy: True True",
        *["found: Alice lives in Lisbon"] * 3,
        "refused: too many searches; try again in a minute",
        "others: ['Bob lives in Oslo']",
    ]
