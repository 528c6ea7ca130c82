"""The SQLite log: the shared suite, several processes on one file, reopening."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.processes import PROCESSES

from memwell.backends.sqlite.keyvalue import SqliteKeyValue
from memwell.backends.sqlite.log import SqliteLog
from memwell.ports import Log
from memwell.testing import run
from memwell.testing.logs import LogConformance

MANY = 4


class TestSqliteLog(LogConformance):
    @pytest.fixture(params=["file", ":memory:"])
    def log(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Log]:
        part = SqliteLog(request.param if request.param == ":memory:" else tmp_path / "log.db")
        yield part
        run(part, part.close())


def test_positions_grow_on_after_a_full_trim_and_a_reopening(tmp_path: Path) -> None:
    first = SqliteLog(tmp_path / "log.db")
    before = run(first, first.append("s", [b"one", b"two"]))
    run(first, first.trim("s"))
    run(first, first.close())
    second = SqliteLog(tmp_path / "log.db")
    after = run(second, second.append("s", [b"three"]))
    assert after[0] > before[-1]
    assert [entry.data for entry in run(second, second.read("s", after=before[-1]))] == [b"three"]
    run(second, second.close())


def test_an_emptied_stream_leaves_no_row(tmp_path: Path) -> None:
    part = SqliteLog(tmp_path / "log.db")
    run(part, part.append("s", [b"x"]))
    run(part, part.trim("s"))
    with sqlite3.connect(tmp_path / "log.db") as raw:
        assert raw.execute("SELECT count(*) FROM memwell_log_stream").fetchone() == (0,)
    raw.close()
    run(part, part.close())


def test_an_entry_bears_the_time_of_the_clock_to_the_microsecond() -> None:
    part = SqliteLog(":memory:", clock=lambda: 1_700_000_000.123457)
    run(part, part.append("s", [b"x"]))
    assert run(part, part.read("s"))[0].at == datetime(2023, 11, 14, 22, 13, 20, 123_457, tzinfo=UTC)
    run(part, part.close())


def test_a_log_and_a_keyvalue_share_one_file(tmp_path: Path) -> None:
    log, keyvalue = SqliteLog(tmp_path / "one.db"), SqliteKeyValue(tmp_path / "one.db")
    run(log, log.append("s", [b"x"]))
    run(keyvalue, keyvalue.set("key", b"y"))
    assert len(run(log, log.read("s"))) == 1
    run(log, log.close())
    assert run(keyvalue, keyvalue.get("key")) == b"y"
    run(keyvalue, keyvalue.close())


def _write(path: Path, start: Any, writer: int, results: Any) -> None:
    part = SqliteLog(path)
    start.wait()
    results.put([run(part, part.append("s", [b"%d %d" % (writer, n)])) for n in range(150)])
    run(part, part.close())


def test_processes_that_append_to_one_file_lose_nothing(tmp_path: Path) -> None:
    start, results = PROCESSES.Barrier(MANY), PROCESSES.SimpleQueue()
    workers = [
        PROCESSES.Process(target=_write, args=(tmp_path / "log.db", start, number, results))
        for number in range(MANY)
    ]
    for worker in workers:
        worker.start()
    given = [results.get() for _ in workers]
    for worker in workers:
        worker.join()
    part = SqliteLog(tmp_path / "log.db")
    entries = run(part, part.read("s", limit=10_000))
    assert [entry.position for entry in entries] == sorted(p for some in given for ps in some for p in ps)
    for writer in range(MANY):
        own = [entry.data for entry in entries if entry.data.startswith(b"%d " % writer)]
        assert own == [b"%d %d" % (writer, number) for number in range(150)]
    run(part, part.close())
