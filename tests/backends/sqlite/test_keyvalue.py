"""The SQLite key-value: the shared suite, several processes on one file, reopening, expiry in the table."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.processes import PROCESSES

from memwell.backends.sqlite.keyvalue import SqliteKeyValue
from memwell.errors import ConfigError, Corrupt
from memwell.ports import KeyValue
from memwell.testing import run
from memwell.testing.keyvalue import KeyValueConformance
from memwell.testing.keyvalue.conditions import Conditions

MANY = 6


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


class TestSqliteKeyValue(KeyValueConformance):
    @pytest.fixture
    def keyvalue(self, tmp_path: Path, clock: Clock) -> Iterator[KeyValue]:
        part = SqliteKeyValue(tmp_path / "kv.db", clock=clock)
        yield part
        run(part, part.close())

    @pytest.fixture
    def advance(self, clock: Clock) -> Callable[[float], None]:
        return clock.advance


class TestInMemory(Conditions):
    """What may come between two calls; its statements are those of a file."""

    @pytest.fixture
    def keyvalue(self, clock: Clock) -> Iterator[KeyValue]:
        part = SqliteKeyValue(":memory:", clock=clock)
        yield part
        run(part, part.close())

    @pytest.fixture
    def advance(self, clock: Clock) -> Callable[[float], None]:
        return clock.advance


def test_values_counters_and_expiries_survive_reopening(tmp_path: Path, clock: Clock) -> None:
    first = SqliteKeyValue(tmp_path / "kv.db", clock=clock)
    run(first, first.set("key", b"value"))
    run(first, first.increment("count", 2**40))
    run(first, first.set("short", b"1", ttl=10))
    run(first, first.close())
    second = SqliteKeyValue(tmp_path / "kv.db", clock=clock)
    assert run(second, second.get_many(["key", "short"])) == {"key": b"value", "short": b"1"}
    assert run(second, second.increment("count")) == 2**40 + 1
    clock.advance(10)
    assert run(second, second.get("short")) is None
    run(second, second.close())


def test_writes_sweep_a_few_expired_rows_each(tmp_path: Path, clock: Clock) -> None:
    part = SqliteKeyValue(tmp_path / "kv.db", clock=clock)
    run(part, part.set_many({f"short {number}": b"x" for number in range(100)}, ttl=1))
    clock.advance(2)
    run(part, part.set("key", b"x"))
    raw = sqlite3.connect(tmp_path / "kv.db")
    left = [raw.execute("SELECT count(*) FROM memwell_keyvalue").fetchone()[0]]
    for _ in range(10):
        run(part, part.set("key", b"x"))
    left.append(raw.execute("SELECT count(*) FROM memwell_keyvalue").fetchone()[0])
    assert 1 < left[0] < 101
    assert left[1] == 1
    raw.close()
    run(part, part.close())


def test_sweep_removes_all_that_has_expired_and_nothing_else(tmp_path: Path, clock: Clock) -> None:
    part = SqliteKeyValue(tmp_path / "kv.db", clock=clock)
    run(part, part.set_many({f"short {number}": b"x" for number in range(2345)}, ttl=1))
    run(part, part.set("long", b"x", ttl=3))
    run(part, part.set("key", b"x"))
    clock.advance(2)
    assert run(part, part.sweep()) == 2345
    assert run(part, part.sweep()) == 0
    assert run(part, part.get_many(["long", "key"])) == {"long": b"x", "key": b"x"}
    run(part, part.close())


def test_a_file_that_is_no_database_is_corrupt(tmp_path: Path) -> None:
    (tmp_path / "kv.db").write_bytes(b"this is not a database, not at all" * 100)
    with pytest.raises(Corrupt, match=r"kv\.db"):
        SqliteKeyValue(tmp_path / "kv.db")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        SqliteKeyValue(tmp_path / "nowhere" / "kv.db")


def _race(path: Path, start: Any, number: int, results: Any) -> None:
    part = SqliteKeyValue(path)
    start.wait()
    won = [name for name in range(30) if run(part, part.add(f"lock {name}", b"%d" % number))]
    counts = [run(part, part.increment("count")) for _ in range(200)]
    removed = sum(run(part, part.delete(f"token {name}", expected=b"t")) for name in range(30))
    run(part, part.close())
    results.put((won, counts, removed))


def test_processes_that_race_on_one_file_lose_nothing(tmp_path: Path) -> None:
    part = SqliteKeyValue(tmp_path / "kv.db")
    run(part, part.set_many({f"token {name}": b"t" for name in range(30)}))
    start, results = PROCESSES.Barrier(MANY), PROCESSES.SimpleQueue()
    workers = [
        PROCESSES.Process(target=_race, args=(tmp_path / "kv.db", start, number, results))
        for number in range(MANY)
    ]
    for worker in workers:
        worker.start()
    outcomes = [results.get() for _ in workers]
    for worker in workers:
        worker.join()
    assert sorted(name for won, _, _ in outcomes for name in won) == list(range(30))
    assert sorted(count for _, counts, _ in outcomes for count in counts) == list(range(1, 200 * MANY + 1))
    assert sum(removed for _, _, removed in outcomes) == 30
    assert run(part, part.get("count")) == b"%d" % (200 * MANY)
    run(part, part.close())
