"""The Redis log: the shared suite, several processes, a clock that goes back, its quirks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis as native
from redis import asyncio as native_asyncio
from tests.processes import PROCESSES

from memwell.backends.redis import Settings
from memwell.backends.redis.keyvalue import RedisKeyValue
from memwell.backends.redis.log import RedisLog
from memwell.errors import BackendError, Corrupt, InvalidQuery, Unavailable
from memwell.ports import Log
from memwell.registry import Url, open_log
from memwell.testing import run
from memwell.testing.logs import LogConformance
from memwell.testing.services import RedisServer, Service

MANY = 4
LAST = f"{2**64 - 1:020d}"


class TestRedisLog(LogConformance):
    @pytest.fixture
    def log(self, redis_url: str) -> Iterator[Log]:
        part = open_log(redis_url)
        assert isinstance(part, RedisLog)
        yield part
        run(part, part.close())


@pytest.fixture
def log(redis_url: str) -> Iterator[Log]:
    part = open_log(redis_url)
    yield part
    run(part, part.close())


@pytest.fixture
def raw(redis: Service) -> Iterator[native.Redis]:
    client = native.Redis.from_url(redis.url)
    yield client
    client.close()


def name(redis_url: str, stream: str) -> str:
    return f"{redis_url.rpartition('=')[2]}log:{stream}"


def test_an_entry_tells_its_milliseconds(log: Log) -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    run(log, log.append("s", [b"x"]))
    entry = run(log, log.read("s"))[0]
    assert before <= entry.at <= datetime.now(UTC) + timedelta(milliseconds=1)
    assert int(entry.position[:20]) == round(entry.at.timestamp() * 1000)


def test_positions_grow_although_the_clock_of_the_server_went_back(
    log: Log, redis_url: str, raw: native.Redis
) -> None:
    future = 2**43  # in the year 2248
    raw.xadd(name(redis_url, "s"), {"d": b"ahead"}, id=f"{future}-5")
    given = run(log, log.append("s", [b"one", b"two"]))
    assert given == [f"{future:020d}-{number:020d}" for number in (6, 7)]
    run(log, log.trim("s"))
    after = run(log, log.append("s", [b"three"]))
    assert after > given[-1:]
    assert [entry.data for entry in run(log, log.read("s", after=given[-1]))] == [b"three"]


def test_the_last_number_of_a_millisecond_is_trimmed_like_any_other(
    log: Log, redis_url: str, raw: native.Redis
) -> None:
    stream = name(redis_url, "s")
    for id in (f"7-{2**64 - 2}", f"7-{2**64 - 1}", "8-0"):
        raw.xadd(stream, {"d": id}, id=id)
    positions = [entry.position for entry in run(log, log.read("s"))]
    assert positions == sorted(positions)
    assert run(log, log.trim("s", through=positions[1])) == 2
    assert [entry.data for entry in run(log, log.read("s"))] == [b"8-0"]
    assert run(log, log.read("s", after=f"{LAST}-{LAST}")) == []
    assert run(log, log.trim("s", through=f"{LAST}-{LAST}")) == 1


@pytest.mark.parametrize("position", ["1-1", f"{2**64:020d}-{0:020d}", f"{'9' * 20}-{'9' * 20}", "1" * 41])
def test_what_redis_never_gave_is_no_position(log: Log, position: str) -> None:
    with pytest.raises(InvalidQuery):
        run(log, log.read("s", after=position))
    with pytest.raises(InvalidQuery):
        run(log, log.trim("s", through=position))


def test_a_foreign_entry_or_value_is_reported(log: Log, redis_url: str, raw: native.Redis) -> None:
    raw.xadd(name(redis_url, "s"), {"other": "x"})
    with pytest.raises(Corrupt, match="prefix"):
        run(log, log.read("s"))
    raw.set(name(redis_url, "t"), "x")
    with pytest.raises(BackendError, match="prefix"):
        run(log, log.append("t", [b"x"]))
    assert raw.get(name(redis_url, "t")) == b"x"


def test_a_batch_that_is_refused_leaves_nothing() -> None:
    with RedisServer(durable=False, settings={"maxmemory": "2mb"}) as server:
        part = open_log(server.url)

        async def fill() -> None:
            for _ in range(100):
                await part.append("s", [b"x" * 10_000] * 10)

        with pytest.raises(BackendError, match="maxmemory"):
            run(part, fill())
        raw = native.Redis.from_url(server.url)
        assert raw.xlen("memwell:log:s") % 10 == 0
        raw.close()
        run(part, part.close())


def test_a_log_and_a_keyvalue_share_one_prefix(redis_url: str) -> None:
    url = Url.parse(redis_url)
    settings = Settings.from_url(url)
    log, keyvalue = RedisLog(settings), RedisKeyValue(settings)
    run(log, log.append("same", [b"x"]))
    run(keyvalue, keyvalue.set("same", b"y"))
    assert run(log, log.read("same"))[0].data == b"x"
    assert run(keyvalue, keyvalue.get("same")) == b"y"
    run(log, log.close())
    run(keyvalue, keyvalue.close())


def test_a_client_handed_in_works_and_stays_open(redis: Service) -> None:
    async def main() -> None:
        client = native_asyncio.Redis.from_url(redis.url)
        part = RedisLog(Settings(prefix="handed:"), client=client)
        await part.append("s", [b"x"])
        await part.close()
        assert await client.xlen("handed:log:s") == 1
        await client.aclose()

    asyncio.run(main())


def test_entries_survive_a_killed_server() -> None:
    with RedisServer() as server:
        part = open_log(server.url)
        given = run(part, part.append("s", [b"one", b"two"]))
        run(part, part.trim("s"))
        server.kill()
        with pytest.raises(Unavailable):
            run(part, part.append("s", [b"lost"]))
        server.start()
        after = run(part, part.append("s", [b"three"]))
        assert after > given[-1:]
        assert [entry.data for entry in run(part, part.read("s"))] == [b"three"]
        run(part, part.close())


def _write(url: str, start: Any, writer: int, results: Any) -> None:
    part = open_log(url)
    start.wait()
    results.put([run(part, part.append("s", [b"%d %d" % (writer, n)])) for n in range(150)])
    run(part, part.close())


def test_processes_that_append_to_one_stream_lose_nothing(redis_url: str, log: Log) -> None:
    start, results = PROCESSES.Barrier(MANY), PROCESSES.SimpleQueue()
    workers = [
        PROCESSES.Process(target=_write, args=(redis_url, start, number, results)) for number in range(MANY)
    ]
    for worker in workers:
        worker.start()
    given = [results.get() for _ in workers]
    for worker in workers:
        worker.join()
    entries = run(log, log.read("s", limit=10_000))
    assert [entry.position for entry in entries] == sorted(p for some in given for ps in some for p in ps)
    for writer in range(MANY):
        own = [entry.data for entry in entries if entry.data.startswith(b"%d " % writer)]
        assert own == [b"%d %d" % (writer, number) for number in range(150)]
