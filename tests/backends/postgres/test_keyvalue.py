"""The PostgreSQL key-value: the shared suite, several processes on one server, expiry, a server that dies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from tests.processes import PROCESSES

from memwell.backends.postgres import Settings
from memwell.backends.postgres.keyvalue import PostgresKeyValue
from memwell.errors import ConfigError, Unavailable
from memwell.ports import KeyValue
from memwell.registry import Url, open_keyvalue
from memwell.testing import race, run, services
from memwell.testing.keyvalue import KeyValueConformance
from memwell.testing.keyvalue.conditions import Conditions

MANY = 4


class Clock:
    """Time that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def opened(url: str, clock: Callable[[], float] | None = None) -> PostgresKeyValue:
    return PostgresKeyValue(Settings.from_url(Url.parse(url)), clock=clock)


@pytest.fixture
def part(postgres_url: str, clock: Clock) -> Iterator[PostgresKeyValue]:
    part = opened(postgres_url, clock)
    yield part
    run(part, part.close())


def rows(url: str) -> int:
    base, _, schema = url.partition("?schema=")
    with psycopg.connect(base) as connection:
        found = connection.execute(f"SELECT count(*) FROM {schema}.memwell_keyvalue".encode()).fetchone()
    return found[0] if found else 0


class TestPostgresKeyValue(KeyValueConformance):
    @pytest.fixture
    def keyvalue(self, part: PostgresKeyValue) -> KeyValue:
        return part

    @pytest.fixture
    def advance(self, clock: Clock) -> Callable[[float], None]:
        return clock.advance


class TestBehindAPooler(Conditions):
    """Every call in a transaction of its own that sets the session up, without prepared statements."""

    @pytest.fixture
    def postgres_url(self, postgres_url: str) -> str:
        return f"{postgres_url}&prepare=false"

    @pytest.fixture
    def keyvalue(self, part: PostgresKeyValue) -> KeyValue:
        return part


def test_values_counters_and_expiries_outlive_the_server() -> None:
    with services.postgres(durable=False) as server:
        part = open_keyvalue(server.url)
        run(part, part.set("key", b"value"))
        run(part, part.increment("count", 2**40))
        run(part, part.set("long", b"1", ttl=3600))
        server.kill()
        with pytest.raises(Unavailable):
            run(part, part.get("key"))
        server.start()
        found = run(part, part.get_many(["key", "long"]))
        assert found == {"key": b"value", "long": b"1"}
        assert run(part, part.increment("count")) == 2**40 + 1
        run(part, part.close())


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_server_that_came_again_between_two_calls_is_not_noticed(end: str) -> None:
    with services.postgres(durable=False) as server:
        part = open_keyvalue(server.url)
        race(part, [lambda: part.increment("count")] * 8)
        getattr(server, end)()
        server.start()
        assert sorted(race(part, [lambda: part.increment("count")] * 4)) == [9, 10, 11, 12]
        run(part, part.close())


def test_the_clock_is_the_servers(postgres_url: str) -> None:
    part = opened(postgres_url)
    run(part, part.set("key", b"x", ttl=3600))
    base, _, schema = postgres_url.partition("?schema=")
    with psycopg.connect(base, autocommit=True) as raw:
        left = f"SELECT extract(epoch FROM expires_at - now()) FROM {schema}.memwell_keyvalue"
        row = raw.execute(left.encode()).fetchone()
        assert row
        assert 3500 < row[0] <= 3600
        raw.execute(f"UPDATE {schema}.memwell_keyvalue SET expires_at = now() - interval '1 second'".encode())
    assert run(part, part.get("key")) is None
    assert run(part, part.replace("key", b"y", expected=b"x")) is False
    assert run(part, part.add("key", b"y")) is True
    run(part, part.close())


def test_a_ttl_of_ages_is_for_good(part: PostgresKeyValue, clock: Clock) -> None:
    run(part, part.set("key", b"x", ttl=1e300))
    clock.advance(1e9)
    assert run(part, part.get("key")) == b"x"


def test_writes_sweep_a_few_expired_rows_each(
    part: PostgresKeyValue, clock: Clock, postgres_url: str
) -> None:
    run(part, part.set_many({f"short {number}": b"x" for number in range(100)}, ttl=1))
    clock.advance(2)
    run(part, part.set("key", b"x"))
    left = [rows(postgres_url)]
    for _ in range(10):
        run(part, part.set("key", b"x"))
    assert 1 < left[0] < 101
    assert rows(postgres_url) == 1


def test_sweep_removes_all_that_has_expired_and_nothing_else(
    part: PostgresKeyValue, clock: Clock, postgres_url: str
) -> None:
    run(part, part.set_many({f"short {number}": b"x" for number in range(12_345)}, ttl=1))
    run(part, part.set_many({"long": b"x", "longer": b"x"}, ttl=3))
    run(part, part.set("key", b"x"))
    clock.advance(2)
    assert run(part, part.sweep()) == 12_345
    assert run(part, part.sweep()) == 0
    assert rows(postgres_url) == 3


def test_expired_keys_are_written_again_by_the_statement_that_sweeps(
    part: PostgresKeyValue, clock: Clock
) -> None:
    values = {f"key {number}": b"old" for number in range(10)}
    run(part, part.set_many(values, ttl=1))
    clock.advance(2)
    run(part, part.set_many(dict.fromkeys(values, b"new")))
    assert run(part, part.get_many(values)) == dict.fromkeys(values, b"new")


def test_sets_of_the_same_keys_in_any_order_do_not_block_each_other(
    part: PostgresKeyValue, clock: Clock
) -> None:
    keys = [f"key {number}" for number in range(200)]

    def call(number: int) -> Callable[[], Any]:
        order = keys if number % 2 else keys[::-1]
        return lambda: part.set_many(dict.fromkeys(order, b"%d" % number), ttl=1)

    for _ in range(5):
        race(part, [call(number) for number in range(8)])
        clock.advance(2)
    race(part, [call(number) for number in range(8)])
    assert len(set(run(part, part.get_many(keys)).values())) == 1


def test_without_tables_and_without_leave_to_make_them_the_command_is_named(postgres_url: str) -> None:
    part = open_keyvalue(f"{postgres_url}&migrate=off")
    with pytest.raises(ConfigError, match="memwell db migrate"):
        run(part, part.get("key"))
    run(part, part.close())


def _race(url: str, start: Any, number: int, results: Any) -> None:
    part = open_keyvalue(url)
    start.wait()
    won = [name for name in range(30) if run(part, part.add(f"lock {name}", b"%d" % number))]
    counts = [run(part, part.increment("count")) for _ in range(200)]
    removed = sum(run(part, part.delete(f"token {name}", expected=b"t")) for name in range(30))
    replaced = sum(
        run(part, part.replace(f"once {name}", b"%d" % number, expected=b"0")) for name in range(30)
    )
    run(part, part.close())
    results.put((won, counts, removed, replaced))


def test_processes_that_race_on_one_server_lose_nothing(postgres_url: str) -> None:
    start, results = PROCESSES.Barrier(MANY + 1), PROCESSES.SimpleQueue()
    workers = [
        PROCESSES.Process(target=_race, args=(postgres_url, start, number + 1, results))
        for number in range(MANY)
    ]
    for worker in workers:
        worker.start()
    part = open_keyvalue(postgres_url)
    run(part, part.set_many({f"token {name}": b"t" for name in range(30)}))
    run(part, part.set_many({f"once {name}": b"0" for name in range(30)}))
    start.wait()
    outcomes = [results.get() for _ in workers]
    for worker in workers:
        worker.join()
    assert sorted(name for won, _, _, _ in outcomes for name in won) == list(range(30))
    assert sorted(n for _, counts, _, _ in outcomes for n in counts) == list(range(1, 200 * MANY + 1))
    assert sum(removed for _, _, removed, _ in outcomes) == 30
    assert sum(replaced for _, _, _, replaced in outcomes) == 30
    assert run(part, part.get("count")) == b"%d" % (200 * MANY)
    run(part, part.close())


def _first(url: str, start: Any, results: Any) -> None:
    part = open_keyvalue(url)
    start.wait()
    results.put(run(part, part.increment("count")))
    run(part, part.close())


def test_processes_that_start_at_once_on_an_empty_database_share_one_table(postgres_url: str) -> None:
    start, results = PROCESSES.Barrier(MANY), PROCESSES.SimpleQueue()
    workers = [PROCESSES.Process(target=_first, args=(postgres_url, start, results)) for _ in range(MANY)]
    for worker in workers:
        worker.start()
    assert sorted(results.get() for _ in workers) == list(range(1, MANY + 1))
    for worker in workers:
        worker.join()
