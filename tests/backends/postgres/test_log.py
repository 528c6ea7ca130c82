"""The PostgreSQL log: the shared suite, several processes on one server, months, a server that dies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from tests.processes import PROCESSES

from memwell.backends.postgres import Settings
from memwell.backends.postgres.log import PostgresLog
from memwell.errors import Unavailable
from memwell.ports import Log
from memwell.registry import Url, open_log
from memwell.testing import run, services
from memwell.testing.logs import LogConformance

MANY = 4


def opened(url: str, clock: Callable[[], float] | None = None) -> PostgresLog:
    return PostgresLog(Settings.from_url(Url.parse(url)), clock=clock)


def query(url: str, text: str) -> list[Any]:
    base, _, schema = url.partition("?schema=")
    with psycopg.connect(base, autocommit=True, options=f"-c search_path={schema}") as connection:
        return connection.execute(text.encode()).fetchall()


class TestPostgresLog(LogConformance):
    @pytest.fixture
    def log(self, postgres_url: str) -> Iterator[Log]:
        part = open_log(postgres_url)
        yield part
        run(part, part.close())


def test_behind_a_pooler_every_call_has_a_transaction_of_its_own(postgres_url: str) -> None:
    """It sets the session up, without prepared statements."""
    log, suite = open_log(f"{postgres_url}&prepare=false"), LogConformance()
    try:
        suite.test_calls_at_once_lose_nothing_and_keep_each_call_together(log)
        suite.test_random_operations_equal_a_list(log)
    finally:
        run(log, log.close())


def test_streams_outlive_the_server_and_positions_grow_on() -> None:
    with services.postgres(durable=False) as server:
        part = open_log(server.url)
        before = run(part, part.append("s", [b"one", b"two"]))
        run(part, part.append("t", [b"kept"]))
        run(part, part.trim("s"))
        server.kill()
        with pytest.raises(Unavailable):
            run(part, part.append("s", [b"lost"]))
        server.start()
        after = run(part, part.append("s", [b"three"]))
        assert after[0] > before[-1]
        assert [entry.data for entry in run(part, part.read("s", after=before[-1]))] == [b"three"]
        assert [entry.data for entry in run(part, part.read("t"))] == [b"kept"]
        run(part, part.close())


def test_an_entry_bears_the_time_of_the_clock_to_the_microsecond(postgres_url: str) -> None:
    part = opened(postgres_url, lambda: 1_700_000_000.123457)
    run(part, part.append("s", [b"x"]))
    assert run(part, part.read("s"))[0].at == datetime(2023, 11, 14, 22, 13, 20, 123_457, tzinfo=UTC)
    run(part, part.close())


def test_entries_are_kept_by_month_and_what_has_no_month_in_the_default(postgres_url: str) -> None:
    now = datetime.now(UTC)
    for at in (now.timestamp(), 1_700_000_000.0):
        part = opened(postgres_url, lambda at=at: at)
        run(part, part.append("s", [b"x"]))
        run(part, part.close())
    tables = query(postgres_url, "SELECT tableoid::regclass::text FROM memwell_log_entries ORDER BY position")
    assert tables == [(f"memwell_log_entries_{now:%Y_%m}",), ("memwell_log_entries_default",)]


def test_a_page_of_a_long_stream_is_read_from_the_index_of_each_month(postgres_url: str) -> None:
    part = open_log(postgres_url)
    run(part, part.append("s", [b"x"] * 5000))
    read = "SELECT * FROM memwell_log_entries WHERE stream = 1 AND position > 2500 ORDER BY position LIMIT 10"
    plan = "\n".join(line for (line,) in query(postgres_url, f"EXPLAIN {read}"))
    assert "Index Scan" in plan
    assert "Seq Scan" not in plan
    assert "Sort\n" not in plan
    run(part, part.close())


def test_nobody_sees_a_position_before_all_lower_ones(postgres_url: str) -> None:
    """An append that has not committed yet holds back those to the same stream, and no others."""
    part = open_log(postgres_url)
    run(part, part.append("s", [b"one"]))
    base, _, schema = postgres_url.partition("?schema=")

    async def scene() -> None:
        options = f"-c search_path={schema}"
        async with await psycopg.AsyncConnection.connect(base, options=options) as slow:
            await slow.execute(
                "WITH s AS (UPDATE memwell_log_streams SET last = last + 1 WHERE name = 's' RETURNING *)"
                " INSERT INTO memwell_log_entries SELECT id, last, now(), 'two' FROM s"
            )
            fast = asyncio.create_task(part.append("s", [b"three"]))
            await part.append("other", [b"x"])
            assert [entry.data for entry in await part.read("s")] == [b"one"]
            assert not fast.done()
            await slow.commit()
        await fast
        assert [entry.data for entry in await part.read("s")] == [b"one", b"two", b"three"]

    run(part, scene())
    run(part, part.close())


def _write(url: str, start: Any, writer: int, results: Any) -> None:
    part = open_log(url)
    start.wait()
    results.put([run(part, part.append("s", [b"%d %d" % (writer, n), b"-"])) for n in range(150)])
    run(part, part.close())


def test_processes_that_append_to_one_stream_lose_nothing_and_a_reader_sees_all(postgres_url: str) -> None:
    start, results = PROCESSES.Barrier(MANY + 1), PROCESSES.SimpleQueue()
    workers = [
        PROCESSES.Process(target=_write, args=(postgres_url, start, number, results))
        for number in range(MANY)
    ]
    for worker in workers:
        worker.start()
    part = open_log(postgres_url)

    async def follow() -> list[tuple[str, bytes]]:
        seen: list[tuple[str, bytes]] = []
        while len(seen) < MANY * 300:
            page = await part.read("s", after=seen[-1][0] if seen else None, limit=50)
            seen += [(entry.position, entry.data) for entry in page]
        return seen

    start.wait()
    seen = run(part, follow())
    given = [results.get() for _ in workers]
    for worker in workers:
        worker.join()
    assert [at for at, _ in seen] == sorted(at for calls in given for call in calls for at in call)
    assert [data for _, data in seen[1::2]] == [b"-"] * (MANY * 150)
    for writer in range(MANY):
        own = [data for _, data in seen if data.startswith(b"%d " % writer)]
        assert own == [b"%d %d" % (writer, number) for number in range(150)]
    run(part, part.close())
