"""The Redis key-value: the shared suite over every way to come to a Redis, several processes, its quirks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis as native
from redis import asyncio as native_asyncio
from tests.processes import PROCESSES

from memwell.backends.redis import Settings
from memwell.backends.redis.keyvalue import RedisKeyValue
from memwell.errors import BackendError, ConfigError, InvalidInput, Unavailable
from memwell.ports import KeyValue
from memwell.registry import open_keyvalue
from memwell.testing import run
from memwell.testing.keyvalue import KeyValueConformance
from memwell.testing.services import RedisServer, Service

MANY = 4


class RealTime(KeyValueConformance):
    ttl = 0.2

    @pytest.fixture
    def advance(self) -> Callable[[float], None]:
        return time.sleep


class TestRedisKeyValue(RealTime):
    @pytest.fixture
    def keyvalue(self, redis_url: str) -> Iterator[KeyValue]:
        part = open_keyvalue(redis_url)
        assert isinstance(part, RedisKeyValue)
        yield part
        run(part, part.close())


def test_a_client_handed_in_works_and_stays_open(redis: Service) -> None:
    async def main() -> None:
        client = native_asyncio.Redis.from_url(redis.url)
        part = RedisKeyValue(Settings(prefix="handed:"), client=client)
        await part.set("key", b"value")
        await part.close()
        assert await client.get("handed:kv:key") == b"value"
        await client.aclose()

    asyncio.run(main())


def test_every_key_begins_with_the_prefix(redis_url: str, redis: Service) -> None:
    part = open_keyvalue(redis_url)
    prefix = redis_url.rpartition("=")[2]
    run(part, part.set_many({"a": b"1", "b": b"2"}))
    run(part, part.increment("n", ttl=60))
    raw = native.Redis.from_url(redis.url)
    assert sorted(raw.scan_iter(f"{prefix}*")) == [f"{prefix}kv:{key}".encode() for key in "abn"]
    raw.close()
    run(part, part.close())


def test_parts_of_two_prefixes_and_of_two_databases_are_apart(redis: Service) -> None:
    parts = [open_keyvalue(redis.url + end) for end in ("?prefix=one:", "?prefix=two:", "/5?prefix=one:")]
    for number, part in enumerate(parts):
        run(part, part.set("key", b"%d" % number))
    assert [run(part, part.get("key")) for part in parts] == [b"0", b"1", b"2"]
    for part in parts:
        run(part, part.close())


def test_a_ttl_is_rounded_up_to_milliseconds(redis_url: str, redis: Service) -> None:
    part = open_keyvalue(redis_url)
    run(part, part.set("key", b"1", ttl=1e-9))
    run(part, part.set("long", b"1", ttl=3600.0001))
    raw = native.Redis.from_url(redis.url)
    assert 3_599_000 < raw.pttl(redis_url.rpartition("=")[2] + "kv:long") <= 3_600_001
    raw.close()
    run(part, part.close())


def test_what_another_program_keeps_under_a_key_of_ours_is_reported_and_stays(
    redis_url: str, redis: Service
) -> None:
    part = open_keyvalue(redis_url)
    raw = native.Redis.from_url(redis.url)
    name = redis_url.rpartition("=")[2] + "kv:key"
    raw.rpush(name, "x")
    for call in (
        lambda: part.get("key"),
        lambda: part.get_many(["key", "other"]),
        lambda: part.increment("key"),
        lambda: part.increment("key", ttl=1),
        lambda: part.replace("key", b"1", expected=b"x"),
        lambda: part.delete("key", expected=b"x"),
    ):
        with pytest.raises(BackendError, match="its own prefix"):
            run(part, call())
    assert raw.lrange(name, 0, -1) == [b"x"]
    raw.close()
    run(part, part.close())


def test_errors_in_scripts_are_reported_like_those_of_commands(redis_url: str) -> None:
    part = open_keyvalue(redis_url)
    run(part, part.set("key", b"text"))
    with pytest.raises(InvalidInput, match="not a counter"):
        run(part, part.increment("key", ttl=5))
    run(part, part.set("key", b"%d" % (2**63 - 1)))
    with pytest.raises(InvalidInput, match="64 bits"):
        run(part, part.increment("key", ttl=5))
    run(part, part.close())


def test_scripts_are_loaded_again_after_the_server_forgot_them(redis_url: str, redis: Service) -> None:
    part = open_keyvalue(redis_url)
    raw = native.Redis.from_url(redis.url)
    for _ in range(2):
        run(part, part.set("key", b"1"))
        assert run(part, part.delete("key", expected=b"1")) is True
        raw.script_flush()
    raw.close()
    run(part, part.close())


def test_a_killed_server_is_unavailable_and_a_restarted_one_has_kept_all() -> None:
    with RedisServer() as server:
        part = open_keyvalue(server.url)
        run(part, part.set("key", b"value"))
        server.kill()
        with pytest.raises(Unavailable):
            run(part, part.get("key"))
        with pytest.raises(Unavailable):
            run(part, part.ping())
        server.start()
        assert run(part, part.get("key")) == b"value"
        run(part, part.close())


def test_a_wrong_password_is_a_configuration_error_without_the_password() -> None:
    with RedisServer(durable=False, password="s3cr3t") as server:
        good = open_keyvalue(f"{server.url}/2")
        run(good, good.set("key", b"1"))
        assert run(good, good.get("key")) == b"1"
        run(good, good.close())
        bad = open_keyvalue(server.url.replace("s3cr3t", "wr0ng"))
        with pytest.raises(ConfigError) as caught:
            run(bad, bad.ping())
        assert "wr0ng" not in str(caught.value)
        run(bad, bad.close())


def test_a_call_that_timed_out_is_not_done_again() -> None:
    with RedisServer(durable=False) as server:
        hasty, patient = open_keyvalue(f"{server.url}?timeout=0.3"), open_keyvalue(server.url)
        run(hasty, hasty.increment("count"))
        raw = native.Redis.from_url(server.url)
        raw.execute_command("CLIENT", "PAUSE", 900, "ALL")
        with pytest.raises(Unavailable, match="in time"):
            run(hasty, hasty.increment("count"))
        assert run(patient, patient.increment("other")) == 1  # waits until the pause is over
        assert run(patient, patient.get("count")) in (b"1", b"2")
        raw.close()
        for part in (hasty, patient):
            run(part, part.close())


def _race(url: str, start: Any, number: int, results: Any) -> None:
    part = open_keyvalue(url)
    start.wait()
    won = [name for name in range(30) if run(part, part.add(f"lock {name}", b"%d" % number))]
    counts = [run(part, part.increment("count")) for _ in range(200)]
    brief = [run(part, part.increment("brief", ttl=60)) for _ in range(100)]
    removed = sum(run(part, part.delete(f"token {name}", expected=b"t")) for name in range(30))
    swapped = sum(run(part, part.replace(f"swap {name}", b"new", expected=b"t")) for name in range(30))
    run(part, part.close())
    results.put((won, counts, brief, removed, swapped))


def test_processes_that_race_lose_nothing(redis_url: str) -> None:
    part = open_keyvalue(redis_url)
    run(part, part.set_many({f"{kind} {name}": b"t" for kind in ("token", "swap") for name in range(30)}))
    start, results = PROCESSES.Barrier(MANY), PROCESSES.SimpleQueue()
    workers = [
        PROCESSES.Process(target=_race, args=(redis_url, start, number, results)) for number in range(MANY)
    ]
    for worker in workers:
        worker.start()
    won, counts, brief, removed, swapped = zip(*[results.get() for _ in workers], strict=True)
    for worker in workers:
        worker.join()
    assert sorted(name for names in won for name in names) == list(range(30))
    assert sorted(n for some in counts for n in some) == list(range(1, 200 * MANY + 1))
    assert sorted(n for some in brief for n in some) == list(range(1, 100 * MANY + 1))
    assert sum(removed) == sum(swapped) == 30
    run(part, part.close())
