"""SPEC-020's interface: its blocks run, and its providers do what it says, on PostgreSQL, Redis and in memory."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from tests.backends.mem0.wire import KEY, SECRET, SeedWire
from tests.indexes.wire.base import serving

from memwell.compat.memory_providers import (
    CachedProvider,
    MemoryConfig,
    MemoryProvider,
    MemoryProviderFactory,
    MemoryRecord,
    MemwellProvider,
    MockMemoryProvider,
    PostgresMemoryProvider,
    ProviderChain,
    VersionedProvider,
    get_provider,
    reset_providers,
)
from memwell.compat.memory_providers.api import get_current_user_id, get_memory_provider, router
from memwell.compat.memory_providers.chain import Rule
from memwell.errors import BackendError, ConfigError, InvalidInput, NotSupported, TimedOut, Unavailable

Use = Callable[[Any], Coroutine[Any, Any, None]]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(MemoryProviderFactory, "_made_by", {})
    for name in ("MEMORY_PROVIDER", "DATABASE_URL", "OPENAI_API_KEY", "MEMORY_RECALL_LIMIT"):
        monkeypatch.delenv(name, raising=False)


def served(make: Callable[[], Any], use: Use) -> None:
    async def main() -> None:
        provider = make()
        try:
            await use(provider)
        finally:
            await provider.close()

    asyncio.run(main())


@pytest.mark.parametrize("name", ["native", "redis", "mock"])
def test_every_provider_does_the_same(
    name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "native":
        monkeypatch.setenv("DATABASE_URL", request.getfixturevalue("postgres_url"))
    elif name == "redis":
        monkeypatch.setenv("REDIS_URL", request.getfixturevalue("redis_url"))
    monkeypatch.setenv("MEMORY_PROVIDER", name.upper())

    async def use(provider: MemwellProvider) -> None:
        assert isinstance(provider, MemoryProvider)
        given = {"category": "food", "importance": "low", "tags": ["tea"], "n": [1, None]}
        first = await provider.remember("a", "green tea", given)
        more = [{"user_id": "a", "content": f"note {n}", "context_id": "c"} for n in range(4)]
        await provider.remember_many([*more, {"user_id": "b", "content": "black tea"}])
        found = await provider.recall("a", "tea", limit=1)
        record = MemoryRecord(**found[0])
        assert (record.id, record.user_id, record.content, record.metadata) == (
            first,
            "a",
            "green tea",
            given,
        )
        assert record.similarity_score is not None
        assert 0 < record.similarity_score <= 1
        assert [one["content"] for one in await provider.list_memories("a")][-1] == "green tea"
        page = await provider.list_memories("a", limit=2, offset=1)
        assert [one["content"] for one in page] == ["note 2", "note 1"]
        assert [one["metadata"] for one in page] == [{"session_id": "c"}] * 2
        assert await provider.list_memories("a", offset=5) == []
        many = await provider.recall_many("a", ["tea", "note"], limit=1)
        assert [one[0]["content"][:4] for one in many] == ["gree", "note"]
        assert [await provider.delete("b", first), await provider.delete("a", first)] == [False, True]
        assert (await provider.health_check())["healthy"]
        for wrong in (
            lambda: provider.remember("", "x"),
            lambda: provider.remember("a", ""),
            lambda: provider.recall("", "x"),
            lambda: provider.list_memories("a", offset=-1),
            lambda: provider.list_memories("a", limit="5"),  # type: ignore[arg-type]
            lambda: provider.remember(["a"], "x"),  # type: ignore[arg-type]
            lambda: provider.remember("a", "x", "metadata"),  # type: ignore[arg-type]
        ):
            with pytest.raises(InvalidInput):
                await wrong()

    served(MemoryProviderFactory.create_provider, use)


def test_the_native_provider_takes_a_session_factory_and_an_openai_client(postgres_url: str) -> None:
    address = postgres_url.replace("postgresql://", "postgresql+asyncpg://")
    url = SimpleNamespace(render_as_string=lambda hide_password: address if not hide_password else "***")
    factory = SimpleNamespace(kw={"bind": SimpleNamespace(url=url)})
    asked: list[Any] = []

    async def create(model: str, input: list[str]) -> Any:
        asked.append((model, input))
        return SimpleNamespace(data=[SimpleNamespace(embedding=[1.0, float(len(text))]) for text in input])

    client = SimpleNamespace(embeddings=SimpleNamespace(create=create))

    async def use(provider: PostgresMemoryProvider) -> None:
        await provider.remember("a", "four")
        assert [one["content"] for one in await provider.recall("a", "five")] == ["four"]
        assert ("text-embedding-ada-002", ["four"]) in asked
        health = await provider.health_check()
        assert (health["database_connection"], health["pgvector_available"]) == ("healthy", True)
        assert health["total_memories"] == 1

    served(lambda: PostgresMemoryProvider(factory, client), use)
    with pytest.raises(ConfigError, match="URL of a database"):
        PostgresMemoryProvider(object())


def test_the_factory_names_what_there_is_and_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    create = MemoryProviderFactory.create_provider
    with pytest.raises(ValueError, match=r"'nosuch'\. Available: elasticsearch, http, mock, native"):
        create("nosuch")
    for name, variable in (("native", "DATABASE_URL"), ("pinecone", "PINECONE_URL")):
        with pytest.raises(ConfigError, match=variable):
            create(name)
    MemoryProviderFactory.register("Mine", MockMemoryProvider)
    monkeypatch.setenv("MEMORY_PROVIDER", "MINE")
    assert isinstance(create(), MockMemoryProvider)
    assert get_provider() is get_provider("mine") is not get_provider("mock")
    asyncio.run(reset_providers())
    assert MemoryConfig.PROVIDER_TYPE == "MINE"
    assert (MemoryConfig.DEFAULT_RECALL_LIMIT, MemoryConfig.MEM0_BASE_URL) == (10, "http://localhost:8001")
    monkeypatch.setenv("MEMORY_RECALL_LIMIT", "ten")
    with pytest.raises(ConfigError, match="MEMORY_RECALL_LIMIT='ten'"):
        _ = MemoryConfig.DEFAULT_RECALL_LIMIT
    assert not hasattr(MemoryConfig, "NOSUCH")


class Stub:
    """A provider that fails as often as it is given errors, and counts what it was asked."""

    def __init__(self, *failures: Exception) -> None:
        self.failures, self.asked = list(failures), 0

    def _next(self) -> None:
        self.asked += 1
        if self.failures:
            raise self.failures.pop(0)

    async def remember(self, user_id: str, content: str, metadata: dict[str, Any] | None = None) -> str:
        self._next()
        return "id"

    async def recall(self, user_id: str, query: str, limit: int = 10) -> list[dict[str, Any]]:
        self._next()
        return [{"id": str(self.asked), "metadata": {"v": 1}}]

    async def delete(self, user_id: str, memory_id: str) -> bool:
        self._next()
        return memory_id == "mine"

    async def list_memories(self, user_id: str, limit: int = 100, offset: int = 0) -> list[dict[str, Any]]:
        self._next()
        return []

    async def health_check(self) -> dict[str, Any]:
        return {"healthy": not self.failures}


def test_a_chain_asks_the_next_when_one_is_away() -> None:
    async def main() -> None:
        first, second = Stub(*[Unavailable("away") for _ in range(100)]), Stub()
        chain = ProviderChain({"first": first, "second": second}, initial_delay=0.0)
        assert await chain.remember("a", "x") == "id"
        assert (first.asked, second.asked) == (3, 1)
        for _ in range(4):
            await chain.remember("a", "x")
        assert first.asked == 5  # then it is left alone
        assert chain.statistics()["first"]["left_alone"] == ["remember"]
        assert (await chain.health_check())["status"] == "degraded"
        assert await chain.delete("a", "mine")
        with pytest.raises(Unavailable):
            await chain.delete("a", "other")

        for error in (InvalidInput("wrong"), TimedOut("slow")):
            one, other = Stub(error), Stub()
            with pytest.raises(type(error)):
                await ProviderChain({"one": one, "other": other}).remember("a", "x")
            assert (one.asked, other.asked) == (1, 0)
        broken, other = Stub(BackendError("full")), Stub()
        await ProviderChain({"broken": broken, "other": other}).recall("a", "x")
        assert (broken.asked, other.asked) == (1, 1)

        odd: Any = Stub(*[RuntimeError("Failed to recall memories: no route") for _ in range(9)])
        good = Stub()
        odd.health_check = lambda: odd.list_memories("a")
        chain = ProviderChain({"odd": odd, "good": good}, initial_delay=0.0)
        assert await chain.remember("a", "x") == "id"
        assert len(await chain.recall("a", "x")) == 1
        assert await chain.delete("a", "mine")
        health = await chain.health_check()
        assert (health["status"], "no route" not in str(health)) == ("degraded", False)
        both = {name: Stub(*[Unavailable(name) for _ in range(9)]) for name in ("one", "two")}
        with pytest.raises(Unavailable, match="one"):
            await ProviderChain(both, initial_delay=0.0).recall("a", "x")

    asyncio.run(main())


def test_a_provider_that_hangs_is_left_after_the_time_of_the_rule() -> None:
    class Hanging(Stub):
        closed = False

        async def recall(self, user_id: str, query: str, limit: int = 10) -> list[dict[str, Any]]:
            self.asked += 1
            await asyncio.sleep(60)
            return []

        remember = recall  # type: ignore[assignment]

        async def close(self) -> None:
            self.closed = True

    async def main() -> None:
        hanging: Any = Hanging()
        other = Stub()
        rules = {"recall": Rule("priority", 2, 0.01), "remember": Rule("priority", 3, 0.01)}
        chain = ProviderChain({"hanging": hanging, "other": other}, None, rules=rules, initial_delay=0.0)
        assert len(await chain.recall("a", "x")) == 1
        assert hanging.asked == 2
        with pytest.raises(TimedOut):
            await chain.remember("a", "x")
        assert (hanging.asked, other.asked) == (3, 1)
        counted = chain.statistics()
        assert [(one["calls"], one["failures"]) for one in counted.values()] == [(3, 3), (1, 0)]
        await VersionedProvider(CachedProvider(chain), []).close()
        assert hanging.closed
        with pytest.raises(ConfigError, match="there is no operation forget"):
            ProviderChain({"one": other}, rules={"forget": Rule("priority", 1, 1.0)})

    asyncio.run(main())


@pytest.mark.parametrize(
    ("strategy", "asked"),
    [
        ("priority", [4, 0]),
        ("round_robin", [2, 2]),
        ("health", [1, 4]),
        ("performance", [0, 4]),
        ("hybrid", [1, 4]),
    ],
)
def test_a_strategy_says_who_is_asked_first(strategy: Any, asked: list[int]) -> None:
    async def main() -> None:
        fails = strategy in ("health", "hybrid")
        stubs = Stub(*[BackendError("full")] * fails), Stub()
        chain = ProviderChain({"one": stubs[0], "two": stubs[1]}, strategy)
        if strategy == "performance":
            chain.metrics["one"].seconds.append(10.0)
        for _ in range(4):
            await chain.list_memories("a")
        assert [stub.asked for stub in stubs] == asked

    asyncio.run(main())
    with pytest.raises(ConfigError, match="a strategy is one of"):
        ProviderChain({"one": Stub()}, "fastest")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="at least one"):
        ProviderChain({})


def test_answers_are_kept_until_a_write_or_their_time() -> None:
    async def main() -> None:
        stub = Stub()
        cached = CachedProvider(stub, ttl=0.2, capacity=2)
        answers = [await cached.recall("a", "x") for _ in range(3)]
        assert [one[0]["id"] for one in answers] == ["1", "1", "1"]
        answers[0][0]["metadata"]["v"] = "changed"
        assert (await cached.recall("a", "x"))[0] == {"id": "1", "metadata": {"v": 1}}
        await cached.remember("b", "y")
        assert (await cached.recall("a", "x"))[0]["id"] == "1"
        await cached.delete("a", "z")
        assert (await cached.recall("a", "x"))[0]["id"] == "4"
        await asyncio.sleep(0.25)
        assert (await cached.recall("a", "x"))[0]["id"] == "5"
        for query in "12":
            await cached.recall("a", query)
        assert (await cached.recall("a", "x"))[0]["id"] == "8"

        slow, gate = Stub(), asyncio.Event()

        async def recall(user_id: str, query: str, limit: int = 10) -> list[dict[str, Any]]:
            answer = await Stub.recall(slow, user_id, query, limit)
            await gate.wait()
            return answer

        slow.recall = recall  # type: ignore[method-assign]
        cached = CachedProvider(slow)
        asking = asyncio.create_task(cached.recall("a", "x"))
        await asyncio.sleep(0)
        await cached.remember("a", "y")
        gate.set()
        assert (await asking)[0]["id"] == "1"
        assert (await cached.recall("a", "x"))[0]["id"] != "1"

    asyncio.run(main())
    with pytest.raises(ConfigError):
        CachedProvider(Stub(), ttl=0)


def test_older_metadata_are_read_in_the_present_form() -> None:
    async def use(plain: MockMemoryProvider) -> None:
        old = VersionedProvider(plain, [])
        new = VersionedProvider(
            plain,
            [
                lambda m: {"topics": [m["topic"]]},
                lambda m: {**m, "topics": [topic.upper() for topic in m["topics"]]},
            ],
        )
        await plain.remember("a", "before versions", {"topic": "one"})
        await old.remember("a", "first version", {"topic": "two"})
        await new.remember("a", "third version", {"topics": ["3"]})
        found = {one["content"]: one["metadata"] for one in await new.list_memories("a")}
        assert [found[text]["topics"] for text in found] == [["3"], ["TWO"], ["ONE"]]
        assert {one["schema_version"] for one in found.values()} == {3}
        assert (await new.recall("a", "third", limit=1))[0]["metadata"]["topics"] == ["3"]
        with pytest.raises(ConfigError, match="this program knows 1 to 1"):
            await old.list_memories("a")
        assert (await new.health_check())["schema_version"] == 3

    served(MockMemoryProvider, use)


def test_the_router_serves_the_user_who_asks_and_leaks_nothing(caplog: pytest.LogCaptureFixture) -> None:
    app, user = FastAPI(), "ana"
    app.include_router(router)
    provider: Any = MockMemoryProvider()
    app.dependency_overrides[get_memory_provider] = lambda: provider
    with TestClient(app) as client:
        assert client.post("/memory/remember", json={"content": "x"}).status_code == 401
        assert client.get("/memory/health").json()["healthy"] is True
        app.dependency_overrides[get_current_user_id] = lambda: user
        stored = client.post("/memory/remember", json={"content": "green tea", "metadata": {"n": 1}}).json()
        assert stored["status"] == "stored"
        found = client.post("/memory/recall", json={"query": "tea"}).json()
        assert (found["count"], found["memories"][0]["metadata"]) == (1, {"n": 1})
        user = "bo"
        assert client.post("/memory/recall", json={"query": "tea"}).json() == {"memories": [], "count": 0}
        path = f"/memory/memories/{stored['memory_id']}"
        assert client.delete(path).status_code == 404
        user = "ana"
        assert client.get("/memory/memories", params={"limit": 5}).json()["count"] == 1
        assert [client.delete(path).status_code, client.delete(path).status_code] == [200, 404]
        for body in ({}, {"query": ""}, {"query": "x", "limit": 0}):
            assert client.post("/memory/recall", json=body).status_code == 422
        assert client.post("/memory/remember", json={"content": "x" * 2_000_000}).status_code == 422
        for hostile in (
            b'{"query": "\\ud800"}',
            b'{"query": "x", "limit": NaN}',
            b'{"query": "x", "limit": 1e999}',
            b'{"query": "x", "limit": ' + b"9" * 4000 + b"}",
            b'{"query": ["secret \\ud800"]}',
            b'{"query": ' + b"[" * 100_000,
            b'{"query": "\xff"}',
        ):
            answer = client.post(
                "/memory/recall", content=hostile, headers={"content-type": "application/json"}
            )
            assert answer.status_code in (400, 422), hostile[:40]
            assert "secret" not in answer.text
        away: Any = Stub()
        away.health_check = lambda: Stub(RuntimeError("secret host")).list_memories("a")
        provider = ProviderChain({"away": away})
        assert client.get("/memory/health").json()["providers"] == {"away": {"healthy": False}}
        provider = away
        answer = client.get("/memory/health")
        assert (answer.status_code, "secret" in answer.text) == (500, False)

        for error, status in ((Unavailable("secret host"), 503), (RuntimeError("secret host"), 500)):
            provider = Stub(error)
            answer = client.post("/memory/recall", json={"query": "x"})
            assert answer.status_code == status
            assert "secret" not in answer.text
            assert answer.json()["detail"]["request_id"] in caplog.text
            assert "secret host" in caplog.text


def test_threads_share_one_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMORY_PROVIDER", "mock")
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(get_provider())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(one) for one in found}) == 1
    asyncio.run(reset_providers())


def test_the_http_provider_signs_its_users_and_says_what_mem0_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = SeedWire()
    gateway.documented = True
    with serving(gateway) as wire:
        monkeypatch.setenv("MEM0_BASE_URL", wire.url)
        monkeypatch.setenv("MEM0_API_KEY", KEY)
        monkeypatch.setenv("MEM0_HMAC_SECRET", SECRET)

        async def use(provider: MemwellProvider) -> None:
            memory_id = await provider.remember("ana", "green tea", {"category": "drink"})
            found = await provider.recall("ana", "tea", limit=1)
            assert [(one["id"], one["content"]) for one in found] == [(memory_id, "green tea")]
            assert found[0]["metadata"]["category"] == "drink"
            health = await provider.health_check()
            assert (health["healthy"], health["provider"], health["endpoint"]) == (
                True,
                "Mem0HttpMemoryProvider",
                wire.url,
            )
            with pytest.raises(NotSupported):
                await provider.list_memories("ana")

        served(lambda: MemoryProviderFactory.create_provider("http"), use)
    served(lambda: MemoryProviderFactory.create_provider("HTTP"), _unreachable)


async def _unreachable(provider: MemwellProvider) -> None:
    health = await provider.health_check()
    assert (health["healthy"], bool(health["error"])) == (False, True)
    with pytest.raises(Unavailable):
        await provider.recall("ana", "tea")
