"""A Redis that has used up its memory, evicts keys, or has lost some."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
import redis as driver

from memwell import Memory
from memwell.backends.redis.store.server import TABLES
from memwell.errors import BackendError, Corrupt, NotSupported
from memwell.registry import open_keyvalue, open_log, open_store
from memwell.testing import run
from memwell.testing.samples import START, embedding
from memwell.testing.services import RedisServer, redis
from memwell.testing.services.redis_topologies import call
from memwell.testing.stores._harness import Harness


@pytest.fixture
def server() -> Iterator[RedisServer]:
    settings = {"maxmemory": "50mb", "maxmemory-policy": "noeviction"}
    with redis(durable=False, settings=settings) as made:
        yield made


def delete(url: str, table: str) -> None:
    """Delete a whole table, as eviction does."""
    server, _, prefix = url.partition("?prefix=")
    with driver.Redis.from_url(server) as client:
        assert client.delete(f"{prefix}{{{prefix}}}{table}") == 1


def opened(server: RedisServer) -> Memory:
    return Memory(server.url, embedder="hashing")


def test_a_full_memory_is_read_and_backed_up_and_health_tells_why_writes_fail(
    server: RedisServer, tmp_path: Path
) -> None:
    with opened(server) as memory:
        memory.remember([f"the number {n} is taken" for n in range(50)], user_id="ana")
    call(server, "CONFIG", "SET", "maxmemory", "1mb")
    with opened(server) as memory:
        assert memory.recall("number 7", user_id="ana")
        assert memory.count(user_id="ana") == memory.stats(user_id="ana").records == 50
        [page] = [memory.list(user_id="ana", limit=50)]
        assert memory.history(page[0].id, user_id="ana")
        assert memory.export(tmp_path / "backup.jsonl") == 50
        assert memory.doctor().ok
        health = memory.health()
        assert (health.ok, health.status) == (False, "degraded")
        assert "maxmemory" in health.parts["store"]
        with pytest.raises(BackendError, match="maxmemory") as failed:
            memory.remember("one more", user_id="ana")
        assert "evict" not in str(failed.value)
        assert memory.forget(page[0].id, user_id="ana") == [page[0].id]
    for part in (open_keyvalue(server.url), open_log(server.url)):
        with pytest.raises(BackendError, match="maxmemory"):
            run(part, part.ping())
        run(part, part.close())
    call(server, "CONFIG", "SET", "maxmemory", "50mb")
    with opened(server) as memory:
        assert memory.health().ok


def test_a_policy_that_is_set_later_is_noticed(server: RedisServer) -> None:
    with opened(server) as memory:
        memory.remember("tea")
        assert memory.health().ok
        call(server, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        assert "noeviction" in memory.health().parts["store"]
        report = memory.doctor()
        assert (report.ok, [problem.kind for problem in report.problems]) == (False, ["eviction"])
        call(server, "CONFIG", "SET", "maxmemory-policy", "noeviction")
        assert memory.health().ok
        assert memory.doctor().ok


def test_a_store_whose_keys_are_all_gone_says_so(server: RedisServer) -> None:
    with opened(server) as memory:
        memory.remember("tea")
        call(server, "FLUSHALL")
        health, report = memory.health(), memory.doctor()
        assert (health.status, report.ok, report.checked) == ("unhealthy", False, 0)
        assert "gone" in health.parts["store"]
        assert "gone" in report.problems[0].detail


@pytest.mark.parametrize("table", sorted(TABLES.keys() - {"access", "followers", "expiring", "changes"}))
def test_a_lost_table_is_a_problem(redis_url: str, table: str) -> None:
    part = open_store(redis_url)
    harness = Harness(part)
    harness.insert("tea", "a", embedding=embedding(0))
    harness.insert("coffee", "b")
    harness.update("a", importance=0.9)
    harness.link("a", "b")
    assert harness.check().ok
    delete(redis_url, table)
    report = harness.check()
    assert not report.ok
    assert harness.run(part.check(repair=True)).repaired or not any(p.repairable for p in report.problems)
    left = harness.check().problems
    assert {problem.kind for problem in left} <= {"history"}
    run(part, part.close())


def test_changes_that_are_gone_make_followers_start_over(redis_url: str) -> None:
    part = open_store(redis_url)
    harness = Harness(part)
    harness.insert("tea", "a")
    before = harness.run(part.position())
    harness.insert("coffee", "b")
    delete(redis_url, "changes")
    with pytest.raises(NotSupported, match="read the whole store again"):
        harness.run(part.changes(before, limit=10))
    run(part, part.close())


def test_without_its_counters_a_store_is_not_written_to_until_it_is_repaired(redis_url: str) -> None:
    part = open_store(redis_url)
    harness = Harness(part)
    for id in "abc":
        harness.insert(id, id, embedding=embedding(0))
    before = harness.run(part.position())
    delete(redis_url, "meta")
    with pytest.raises(Corrupt, match="memwell repair"):
        harness.insert("d", "d")
    with pytest.raises(Corrupt, match="memwell repair"):
        harness.run(part.ping())
    assert harness.ids() == ["a", "b", "c"]
    assert harness.run(part.check(repair=True)).ok
    assert harness.run(part.serving()) == "suite"
    harness.insert("d", "d")
    assert harness.run(part.position()) > before
    assert harness.ids() == ["a", "b", "c", "d"]
    assert harness.check().ok
    harness.run(part.sweep(START))
    run(part, part.close())


@pytest.mark.parametrize("table", ["records", "words", "owners", "ages"])
def test_health_tells_of_a_lost_table_and_no_empty_export_replaces_a_backup(
    redis_url: str, table: str, tmp_path: Path
) -> None:
    backup = tmp_path / "backup.jsonl"
    with Memory(redis_url, embedder=None) as memory:
        memory.remember(["tea", "coffee"])
        memory.export(backup)
    delete(redis_url, table)
    with Memory(redis_url, embedder=None) as memory:
        health = memory.health()
        assert (health.ok, health.status) == (False, "unhealthy")
        assert f"the table {table} is gone" in health.parts["store"]
        assert memory.doctor().problems[0].kind == "lost"
        refused = pytest.raises(Corrupt, match="is gone")
        with refused if table in ("records", "owners") else nullcontext():
            memory.export(backup)
        assert backup.read_bytes().count(b'"record":') == 2
        memory.repair()
        assert memory.health().ok
        assert memory.count() == (0 if table == "records" else 2)
