"""`MemoryAPI` is alike in memory, in a file, on PostgreSQL, and on Redis with PostgreSQL."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from tests.indexes.wire.base import serving
from tests.indexes.wire.pinecone import KEY, PineconeWire
from tests.processes import PROCESSES

from memwell import ConfigError, Conflict, EmbeddingError, InvalidInput, Runs, Unavailable, _bridge
from memwell.compat.memory_adapters import api as module
from memwell.compat.memory_adapters.adapter import EmbeddedMemoryAdapter, RedisMemoryAdapter
from memwell.compat.memory_adapters.api import MemoryAPI
from memwell.compat.memory_adapters.over_runs import RunsAdapter
from memwell.coordination.locks import lock_sync
from memwell.registry import open_keyvalue
from memwell.testing.services import Service
from memwell.testing.services import redis as start_redis


def utc(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    assert moment.utcoffset() is not None
    return moment.astimezone(UTC)


# ------------------------------------------------------------------------------------------------ context


def test_contexts_and_events_have_the_shapes_of_the_layer(api: MemoryAPI) -> None:
    assert api.get_context("user") is None
    assert api.get_events("user") == []
    assert api.clear_context("user") is False
    before = datetime.now(UTC)
    assert api.set_context("user", {"step": 1, "tags": ["a", None]}, ttl=3600) is True
    for number in range(3):
        assert api.append_event("user", {"number": number}) is True
    assert api.set_context("user", {"step": 2}) is True
    context = api.get_context("user")
    assert context is not None
    assert context.keys() == {"data", "created_at", "context_id"}
    assert (context["data"], context["context_id"]) == ({"step": 2}, "user")
    assert abs((utc(context["created_at"]) - before).total_seconds()) < 60
    events = api.get_events("user")
    assert [event["event"]["number"] for event in events] == [0, 1, 2]
    assert all(event.keys() == {"event", "timestamp", "event_id"} for event in events)
    assert len({event["event_id"] for event in events}) == 3
    assert utc(events[0]["timestamp"]) <= utc(events[2]["timestamp"])
    assert api.append_event("audit-only", {"a": 1})
    assert api.get_context_keys() == ["audit-only", "user"]
    assert api.get_context_keys("u*") == ["user"]
    assert api.clear_context("user") is True
    assert api.get_events("user") == []


def test_an_event_leaves_the_expiry_of_a_redis_key_alone(
    redis_config: dict[str, Any], redis: Service
) -> None:
    import redis as driver

    key = f"{redis_config['key_prefix']}context:user"
    with MemoryAPI(redis_config) as api, driver.Redis(port=redis.port) as client:
        api.set_context("user", {"step": 1}, ttl=3600)
        client.expire(key, 1000)
        api.append_event("user", {"n": 1})
        assert 990 <= client.ttl(key) <= 1000
        assert len(api.get_events("user")) == 1
        client.expireat(key, 1)
        assert api.get_context("user") is None
        assert api.get_events("user") == []
        api.append_event("user", {"n": 2})
        assert [event["event"] for event in api.get_events("user")] == [{"n": 2}]


def test_an_event_leaves_the_expiry_of_a_row_alone(
    postgres_config: dict[str, Any], postgres: Service
) -> None:
    options = f"-c search_path={postgres_config['schema']}"
    with MemoryAPI(None, postgres_config) as api:
        api.set_context("user", {"step": 1}, ttl=3600)
        with psycopg.connect(postgres.url, autocommit=True, options=options) as connection:
            expiry = "SELECT expires_at, ttl_seconds FROM memory_context"
            before = connection.execute(expiry).fetchone()
            api.append_event("user", {"n": 1})
            assert connection.execute(expiry).fetchone() == before
            assert len(api.get_events("user")) == 1
            connection.execute("UPDATE memory_context SET expires_at = now() - interval '1 second'")
            assert api.get_context("user") is None
            assert api.get_events("user") == []
            assert api.get_context_keys() == []
            assert api.clear_context("user") is False
            api.append_event("user", {"n": 2})
            assert [event["event"] for event in api.get_events("user")] == [{"n": 2}]
            assert connection.execute("SELECT count(*) FROM memory_events").fetchone() == (1,)


def append_many(options: dict[str, Any], name: str) -> None:
    with MemoryAPI(**options) as api:
        for number in range(20):
            assert api.append_event("shared", {"from": name, "number": number})
            assert api.set_context("shared", {"last": name}, ttl=1000)


@pytest.mark.parametrize("options", ["postgres", "redis+postgres"], indirect=True)
def test_events_of_two_processes_all_survive(options: dict[str, Any]) -> None:
    with ProcessPoolExecutor(2, mp_context=PROCESSES) as pool:  # both create the tables, too
        list(pool.map(append_many, [options] * 2, ["a", "b"]))
    with MemoryAPI(**options) as api:
        events = [event["event"] for event in api.get_events("shared")]
    for name in ("a", "b"):
        assert [e["number"] for e in events if e["from"] == name] == list(range(20))


# ------------------------------------------------------------------------------------------------ history


def test_flow_runs_task_outputs_and_audit_entries_have_the_shapes_of_the_layer(api: MemoryAPI) -> None:
    assert api.read_flow_run_history("flow") == []
    for run, status in (("r1", "started"), ("r2", "started"), ("r1", "completed")):
        assert api.write_flow_run_history("flow", run, {"status": status}) is True
    found = api.read_flow_run_history("flow")
    assert [(run["run_id"], run["data"]["status"]) for run in found] == [
        ("r1", "completed"),
        ("r2", "started"),
        ("r1", "started"),
    ]
    assert found[0].keys() == {"flow_id", "run_id", "data", "created_at", "updated_at"}
    assert [run["data"]["status"] for run in api.read_flow_run_history("flow", "r1", limit=1)] == [
        "completed"
    ]

    assert api.read_task_output("task") is None
    assert api.write_task_output("task", {"data": [1, 2]}, {"model": "small"}) is True
    assert api.write_task_output("task", {"data": [1, 2, 3]}) is True
    output = api.read_task_output("task")
    assert output is not None
    assert output.keys() == {"task_id", "output", "metadata", "created_at", "updated_at"}
    assert (output["output"], output["metadata"]) == ({"data": [1, 2, 3]}, {})
    assert utc(output["created_at"]) < utc(output["updated_at"])

    assert api.write_audit_entry("task", "t1", "created", {"by": "ana"}) is True
    assert api.write_audit_entry("flow", "f1", "created") is True
    assert [entry["entity_id"] for entry in api.read_audit_log()] == ["f1", "t1"]
    [entry] = api.read_audit_log("task", "t1")
    assert entry.keys() == {"entity_type", "entity_id", "action", "data", "created_at"}
    assert (entry["action"], entry["data"]) == ("created", {"by": "ana"})


def test_every_write_can_be_audited(options: dict[str, Any]) -> None:
    with MemoryAPI(**options, audit=True) as api:
        api.set_context("user", {})
        api.append_event("user", {})
        api.clear_context("user")
        api.clear_context("user")  # which does nothing
        api.write_flow_run_history("flow", "run", {})
        api.write_task_output("task", {})
        api.index_embedding("doc", [1, 0, 0])
        api.delete_embedding("doc")
        found = [
            (entry["entity_type"], entry["entity_id"], entry["action"]) for entry in api.read_audit_log()
        ]
    assert found[::-1] == [
        ("context", "user", "set"),
        ("context", "user", "append_event"),
        ("context", "user", "clear"),
        ("flow_run", "flow", "write"),
        ("task_output", "task", "write"),
        ("embedding", "doc", "index"),
        ("embedding", "doc", "delete"),
    ]


# ------------------------------------------------------------------------------------------------ embeddings

POINTS = {"a": [1.0, 0.0, 0.0], "b": [2.0, 2.0, 0.0], "c": [0.0, 0.0, 0.5]}
QUERY = [1.0, 0.5, 0.0]
SCORES: dict[str, Callable[[Any, Any], Any]] = {
    "cosine": lambda p, q: p @ q / np.linalg.norm(p) / np.linalg.norm(q),
    "dotproduct": lambda p, q: p @ q,
    "euclidean": lambda p, q: 1 - np.sum((p - q) ** 2) / 2,
}


@pytest.mark.parametrize("options", ["memory", "postgres"], indirect=True)
@pytest.mark.parametrize("metric", SCORES)
def test_embeddings_are_found_by_each_metric_filter_and_namespace(
    options: dict[str, Any], metric: str
) -> None:
    def made(namespace: str) -> MemoryAPI:
        return MemoryAPI(
            **{**options, "vector_config": {"dimension": 3, "metric": metric, "namespace": namespace}}
        )

    with made("mine") as api, made("other") as other:
        other.index_embedding("a", [1, 0, 0], {"kind": "other"})
        for number, (name, vector) in enumerate(POINTS.items()):
            assert api.index_embedding(name, [9, 9, 9], {"old": True}) is True
            assert api.index_embedding(name, vector, {"number": number, "kind": "doc"}) is True
        found = api.query_embeddings(QUERY)
        score = SCORES[metric]
        expected = {name: float(score(np.array(v), np.array(QUERY))) for name, v in POINTS.items()}
        assert [doc["id"] for doc in found] == sorted(expected, key=lambda name: -expected[name])
        assert {doc["id"]: doc["score"] for doc in found} == pytest.approx(expected, abs=1e-5)
        assert {doc["id"]: doc["metadata"]["number"] for doc in found} == {"a": 0, "b": 1, "c": 2}
        assert len(api.query_embeddings(QUERY, top_k=2)) == 2
        one = api.query_embeddings(QUERY, 10, {"kind": "doc", "number": 2, "old": None})
        assert [doc["id"] for doc in one] == ["c"]
        assert api.query_embeddings(QUERY, filter_metadata={"number": "2"}) == []
        assert api.get_memory_stats()["adapters"]["vector"]["total_embeddings"] == 3
        assert api.delete_embedding("a") is True
        assert api.delete_embedding("a") is False
        assert [doc["id"] for doc in api.query_embeddings([2, 2, 0], top_k=1)] == ["b"]
        assert other.query_embeddings([1, 0, 0])[0]["metadata"] == {"kind": "other"}


def test_embeddings_in_a_file_are_there_for_the_next_process(tmp_path: Path) -> None:
    for _ in range(2):
        with MemoryAPI(vector_config={"dimension": 3}, path=tmp_path / "agents.db") as api:
            found = api.query_embeddings([1, 0, 0])
            api.index_embedding("a", [1, 0, 0], {"kind": "doc"})
            api.write_task_output("task", {"ok": True})
    assert [(doc["id"], doc["metadata"]) for doc in found] == [("a", {"kind": "doc"})]
    with Runs(tmp_path / "agents.db") as runs:  # plain memwell over the same file
        output = runs.get_output("task")
        assert output is not None
        assert output.output == {"ok": True}


def test_a_file_serves_two_at_once_and_its_index_the_first_that_uses_it(tmp_path: Path) -> None:
    options: dict[str, Any] = {"vector_config": {"dimension": 3}, "path": tmp_path / "agents.db"}
    with MemoryAPI(**options) as first, MemoryAPI(**options) as second:
        assert first.index_embedding("a", [1, 0, 0])
        assert second.connect() is True
        assert second.set_context("user", {"step": 1})
        assert first.get_context_keys() == ["user"]
        assert second.get_memory_stats()["adapters"]["vector"]["total_embeddings"] is None
        with pytest.raises(ConfigError, match="open"):
            second.index_embedding("b", [0, 1, 0])


@pytest.fixture
def pinecone(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("PINECONE_API_KEY", KEY)
    with serving(PineconeWire(3)) as wire:
        yield wire.url.replace("http://", "pinecone://")


@pytest.mark.parametrize("keeper", ["path", "redis_config", "postgres_config"])
def test_an_index_service_nominates_and_the_metadata_is_kept_by_what_is_configured(
    keeper: str, pinecone: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    kept = tmp_path / "agents.db" if keeper == "path" else request.getfixturevalue(keeper)
    options: dict[str, Any] = {"vector_config": {"backend": "pinecone", "dimension": 3, "url": pinecone}}
    with MemoryAPI(**options, **{keeper: kept}) as api:
        assert api.index_embedding("a", [1, 0, 0], {"kind": "doc"})
    with MemoryAPI(**options, **{keeper: kept}) as api:
        [found] = api.query_embeddings([1, 0, 0], filter_metadata={"kind": "doc"})
        assert (found["id"], found["metadata"]) == ("a", {"kind": "doc"})
        assert api.delete_embedding("a")
        assert api.query_embeddings([1, 0, 0]) == []
    lost = MemoryAPI(**options)
    with pytest.raises(ConfigError, match="outlives this process"):
        lost.query_embeddings([1, 0, 0])


# ------------------------------------------------------------------------------------------------ locks


def test_a_lock_excludes_others_until_it_is_left(api: MemoryAPI) -> None:
    with api.acquire_lock("critical", timeout=30):
        with pytest.raises(Unavailable, match="still held"), api.acquire_lock("critical", blocking_timeout=0):
            raise AssertionError("two holders")
        with api.acquire_lock("another", blocking_timeout=0):
            pass
    with api.acquire_lock("critical", blocking_timeout=0):
        pass


@pytest.mark.parametrize("options", ["sqlite", "redis+postgres"], indirect=True)
def test_a_lock_that_expired_is_not_released_for_its_new_holder(api: MemoryAPI) -> None:
    assert isinstance(api.redis_adapter, RunsAdapter)
    keyvalue = api.redis_adapter.parts.keyvalue
    first, new = api.acquire_lock("critical"), api.acquire_lock("critical", blocking_timeout=0)
    first.__enter__()
    _bridge.complete(keyvalue.delete("lock:critical"), blocking=keyvalue.blocking)  # as if it had expired
    new.__enter__()
    with pytest.raises(Conflict, match="lost"):
        first.__exit__(None, None, None)
    with pytest.raises(Unavailable), api.acquire_lock("critical", blocking_timeout=0):
        raise AssertionError("the lock of the new holder was released")
    new.__exit__(None, None, None)


def test_with_several_servers_a_majority_of_them_grants_the_lock(tmp_path: Path) -> None:
    config = {"lock_servers": [f"sqlite:///{tmp_path}/{name}.db" for name in "abc"]}
    api = MemoryAPI(adapters={"redis": RedisMemoryAdapter(config)})
    servers = {name: open_keyvalue(config["lock_servers"]["abc".index(name)]) for name in "ab"}
    with lock_sync(servers["a"], "job"):
        with api.acquire_lock("job", blocking_timeout=0):
            pass
        with (
            lock_sync(servers["b"], "job"),
            pytest.raises(Unavailable),
            api.acquire_lock("job", blocking_timeout=0),
        ):
            raise AssertionError("two of three servers are held by others")
    for server in servers.values():
        _bridge.complete(server.close(), blocking=True)
    api.disconnect()


# ------------------------------------------------------------------------------------------------ failures


def test_redis_that_is_down_degrades_the_rest_and_loses_nothing(
    postgres_config: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with start_redis() as server:
        config = {"host": "127.0.0.1", "port": server.port}
        api = MemoryAPI(config, postgres_config, {"dimension": 3})
        assert api.connect() is True
        assert api.set_context("user", {"step": 1}, ttl=3600)
        assert api.append_event("user", {"n": 1})
        server.kill()
        assert api.connect() is False
        assert "cannot connect" in caplog.text
        health = api.health_check()
        assert health["overall_status"] == "degraded"
        assert {role: each["status"] for role, each in health["adapters"].items()} == {
            "redis": "unhealthy",
            "postgres": "healthy",
            "vector": "healthy",
        }
        assert "Redis" in health["adapters"]["redis"]["error"]
        assert api.get_memory_stats()["adapters"]["redis"]["used_memory"] is None
        with caplog.at_level(logging.ERROR):
            assert api.set_context("user", {"step": 2}) is False
            assert api.append_event("user", {"n": 2}) is False
        assert "not stored" in caplog.text
        for read in (lambda: api.get_context("user"), lambda: api.get_events("user")):
            with pytest.raises(Unavailable):
                read()
        with pytest.raises(Unavailable), api.acquire_lock("x", blocking_timeout=0):
            raise AssertionError("a lock without a server")
        assert api.write_task_output("task", {"ok": True}) is True
        server.start()
        assert api.connect() is True
        assert api.health_check()["overall_status"] == "healthy"
        context = api.get_context("user")
        assert context is not None
        assert context["data"] == {"step": 1}
        assert [event["event"] for event in api.get_events("user")] == [{"n": 1}]
        api.disconnect()


WRONG: list[tuple[Callable[[MemoryAPI], Any], type[Exception], str]] = [
    (lambda api: api.set_context("", {}), InvalidInput, "context_id"),
    (lambda api: api.set_context("c", "text"), InvalidInput, "is a dict"),
    (lambda api: api.set_context("c", {}, ttl=-1), InvalidInput, "ttl"),
    (lambda api: api.append_event("c", {"at": datetime.now(UTC)}), InvalidInput, "isoformat"),
    (lambda api: api.read_flow_run_history("f", limit=0), InvalidInput, "limit"),
    (lambda api: api.read_flow_run_history("f", limit="5"), InvalidInput, "limit"),
    (lambda api: api.read_audit_log(limit=None), InvalidInput, "limit"),
    (lambda api: api.write_audit_entry("", "1", "x"), InvalidInput, "entity_type"),
    (lambda api: api.index_embedding("a", [1, 0]), EmbeddingError, "dimension 3"),
    (lambda api: api.index_embedding("a", [1, 0, float("nan")]), EmbeddingError, "NaN"),
    (lambda api: api.index_embedding("a", "text"), EmbeddingError, "list of numbers"),
    (lambda api: api.query_embeddings([1, 0, 0], top_k=0), InvalidInput, "top_k"),
    (lambda api: api.acquire_lock("x", timeout=0), InvalidInput, "ttl of a lock"),
]


@pytest.mark.parametrize("options", ["memory", "postgres"], indirect=True)
def test_a_wrong_argument_is_refused(api: MemoryAPI) -> None:
    for call, error, words in WRONG:
        with pytest.raises(error, match=words):
            call(api)
    assert api.get_context_keys() == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"redis_config": {"hots": "x"}}, "redis_config has no key hots; it has: host, port"),
        ({"redis_config": "redis://localhost"}, "redis_config is a dict"),
        ({"redis_config": {"host": 3}}, "host is a text"),
        ({"redis_config": {"port": "abc"}}, "not a number from 1 to 65535"),
        ({"postgres_config": {"schema": "a-b"}}, "schema"),
        ({"postgres_config": {"migrate": "no"}}, "'auto' or 'off'"),
        ({"vector_config": {"backend": "pinecnoe"}}, "unknown backend 'pinecnoe'; known are"),
        ({"vector_config": {"metric": "l2"}}, "known are cosine, euclidean, dotproduct"),
        ({"vector_config": {"dimension": 0}}, "dimension"),
        ({"vector_config": {"backend": "postgres"}}, "needs postgres_config"),
        ({"adapters": {"cache": EmbeddedMemoryAdapter()}}, "no role 'cache'"),
        ({"adapters": {"vector": EmbeddedMemoryAdapter()}}, "must inherit from EmbeddingAdapter"),
    ],
)
def test_a_wrong_configuration_is_refused_at_once(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        MemoryAPI(**options)


def test_missing_tables_are_named_where_none_may_be_created(postgres_config: dict[str, Any]) -> None:
    api = MemoryAPI(None, {**postgres_config, "migrate": "off"})
    assert api.connect() is False
    assert "psql -f" in api.health_check()["adapters"]["postgres"]["error"]
    with MemoryAPI(None, postgres_config):
        assert api.connect() is True
    api.disconnect()


# ------------------------------------------------------------------------------------------------ instances


def test_an_own_adapter_takes_its_role() -> None:
    class Loud(EmbeddedMemoryAdapter):
        name = "loud"

        def set_context(self, context_id: str, context_data: Any, ttl: float | None) -> None:
            super().set_context(context_id.upper(), context_data, ttl)

    with MemoryAPI(adapters={"redis": Loud()}) as api:
        api.set_context("user", {})
        assert api.get_context_keys() == ["USER"]
        assert api.health_check()["adapters"]["redis"]["adapter"] == "loud"


def test_a_process_has_one_instance_if_it_wants() -> None:
    assert module.get_global_memory_api() is None
    made = module.initialize_memory_api(vector_config={"dimension": 3})
    try:
        assert module.get_global_memory_api() is made
        assert made.health_check()["overall_status"] == "healthy"
    finally:
        module.set_global_memory_api(None)
    assert module.get_global_memory_api() is None
