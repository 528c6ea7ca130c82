"""One SQLite file under many threads: transactions, group commit, closing, reading only, errors, migrations."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.processes import PROCESSES

from memwell.backends.sqlite.connect import WAL_PAGES, connections
from memwell.backends.sqlite.database import Database, translate
from memwell.backends.sqlite.migrations.runner import statements
from memwell.errors import BackendError, Closed, ConfigError, Corrupt, InvalidInput, MemwellError, Unavailable

TABLE = ["CREATE TABLE entry (id INTEGER PRIMARY KEY, text TEXT UNIQUE)"]


@pytest.fixture(params=["file", ":memory:"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    made = Database(":memory:" if request.param == ":memory:" else tmp_path / "a.db")
    made.migrate("test", TABLE)
    yield made
    made.close()


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "a.db", timeout=10)
    made.migrate("test", TABLE)
    yield made
    made.close()


def texts(database: Database) -> list[str]:
    return [text for (text,) in database.read().execute("SELECT text FROM entry ORDER BY id")]


def inserting(text: str) -> Callable[[sqlite3.Connection], str]:
    def job(connection: sqlite3.Connection) -> str:
        connection.execute("INSERT INTO entry (text) VALUES (?)", (text,))
        return text

    return job


def queued(database: Database, count: int) -> None:
    """Return when so many callers wait for the turn."""
    while len(database._queue._waiting) < count:
        os.sched_yield()


class Crowd:
    """Jobs submitted by as many threads while this one holds the turn, so that they meet in one commit."""

    def __init__(self, database: Database, jobs: list[Callable[[sqlite3.Connection], Any]]) -> None:
        self.futures: list[Future[Any]] = []
        with ThreadPoolExecutor(len(jobs)) as threads, database.transaction():
            for count, job in enumerate(jobs, 1):
                self.futures.append(threads.submit(database.submit, job))
                queued(database, count)

    def outcomes(self) -> list[Any]:
        return [future.exception() or future.result() for future in self.futures]


# ------------------------------------------------------------------------------------------------ transactions


def test_a_transaction_commits_at_its_end(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute("INSERT INTO entry (text) VALUES ('one')")
    assert texts(database) == ["one"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_any_exception_rolls_back_and_frees_the_turn(database: Database, error: type[BaseException]) -> None:
    with pytest.raises(error), database.transaction() as connection:
        _throw(error(inserting("one")(connection)))
    with pytest.raises(error):
        database.submit(lambda connection: inserting("two")(connection) and _throw(error()))
    database.submit(inserting("three"))
    assert texts(database) == ["three"]


def _throw(error: BaseException) -> None:
    raise error


def test_a_transaction_in_a_transaction_is_refused_at_once(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute("INSERT INTO entry (text) VALUES ('one')")
        with pytest.raises(Unavailable, match="busy"), database.transaction():
            pass
        with pytest.raises(Unavailable, match="busy"):
            database.submit(inserting("two"))
    assert texts(database) == ["one"]


def test_a_reader_does_not_wait_and_sees_only_what_is_committed(file: Database) -> None:
    with file.transaction() as connection:
        connection.execute("INSERT INTO entry (text) VALUES ('one')")
        assert texts(file) == []
    assert texts(file) == ["one"]


def test_a_glance_neither_waits_for_a_writer_nor_opens_a_connection_while_there_is_none(
    file: Database,
) -> None:
    def count(connection: sqlite3.Connection) -> int:
        return int(connection.execute("SELECT count(*) FROM entry").fetchone()[0])

    def elsewhere() -> tuple[int, bool]:
        before = len(connections)
        return file.glance(count), len(connections) > before

    with ThreadPoolExecutor(1) as other:
        with file.transaction() as connection:
            connection.execute("INSERT INTO entry (text) VALUES ('one')")
            assert file.glance(count) == 0
        assert other.submit(elsewhere).result() == (1, False)
        with pytest.raises(sqlite3.OperationalError):
            file.glance(lambda connection: connection.execute("nonsense"))
        with file.transaction():
            assert other.submit(elsewhere).result() == (1, True)


def test_a_reader_refuses_to_write(file: Database) -> None:
    with pytest.raises(sqlite3.OperationalError) as caught:
        file.read().execute("INSERT INTO entry (text) VALUES ('one')")
    assert isinstance(translate(caught.value, "sqlite", "write"), BackendError)


def test_each_thread_reads_by_a_connection_of_its_own(file: Database) -> None:
    with ThreadPoolExecutor(1) as other:
        theirs = other.submit(file.read).result()
        assert theirs is other.submit(file.read).result()
    assert file.read() is file.read()
    assert file.read() is not theirs


def test_a_thread_that_ends_takes_its_connection_along(file: Database) -> None:
    file.read()
    before = len(connections)
    for _ in range(20):
        thread = threading.Thread(target=file.read)
        thread.start()
        thread.join()
    gc.collect()
    assert len(connections) <= before


def test_setup_is_called_for_every_connection(tmp_path: Path) -> None:
    def setup(connection: sqlite3.Connection) -> None:
        connection.create_function("twice", 1, lambda x: 2 * x, deterministic=True)

    database = Database(tmp_path / "a.db", setup=setup)
    assert database.read().execute("SELECT twice(2)").fetchone() == (4,)
    assert database.submit(lambda connection: connection.execute("SELECT twice(3)").fetchone()) == (6,)
    with ThreadPoolExecutor(1) as other:
        assert other.submit(lambda: database.read().execute("SELECT twice(4)").fetchone()).result() == (8,)
    database.close()


def test_the_log_is_moved_into_the_file_now_and_then_and_not_earlier(file: Database) -> None:
    main, page = Path(file.path), "x" * 4096
    for number in range(3000):
        file.submit(inserting(f"{number} {page}"))
        if main.stat().st_size > 200_000:
            break
    assert main.stat().st_size > 200_000
    assert Path(f"{file.path}-wal").stat().st_size == pytest.approx(WAL_PAGES * 4120, rel=0.05)


@pytest.mark.parametrize(("durability", "synchronous"), [("normal", 1), ("full", 2)])
def test_durability_is_what_was_asked(tmp_path: Path, durability: Any, synchronous: int) -> None:
    database = Database(tmp_path / "a.db", durability=durability)
    with database.transaction() as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (synchronous,)
    assert database.read().execute("PRAGMA journal_mode").fetchone() == ("wal",)
    database.close()
    with pytest.raises(ConfigError, match="durability"):
        Database(tmp_path / "a.db", durability="extreme")  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------ group commit


def test_jobs_that_wait_share_one_commit(tmp_path: Path) -> None:
    ran: list[str] = []
    database = Database(tmp_path / "a.db", setup=lambda c: c.set_trace_callback(ran.append))
    database.migrate("test", TABLE)
    ran.clear()
    crowd = Crowd(database, [inserting(f"job {number}") for number in range(8)])
    assert crowd.outcomes() == [f"job {number}" for number in range(8)]
    assert ran.count("COMMIT") == 2
    assert ran.count("SAVEPOINT memwell_job") == 7
    assert texts(database) == [f"job {number}" for number in range(8)]
    database.close()


def test_a_job_alone_needs_no_savepoint(tmp_path: Path) -> None:
    ran: list[str] = []
    database = Database(tmp_path / "a.db", setup=lambda c: c.set_trace_callback(ran.append))
    database.migrate("test", TABLE)
    ran.clear()
    database.submit(inserting("one"))
    assert ran == ["BEGIN IMMEDIATE", "INSERT INTO entry (text) VALUES ('one')", "COMMIT"]
    database.close()


@pytest.mark.parametrize("failing", [0, 3, 7])
def test_a_failing_job_undoes_only_itself(database: Database, failing: int) -> None:
    def fail(connection: sqlite3.Connection) -> None:
        inserting("half done")(connection)
        raise ValueError("this one")

    jobs: list[Callable[[sqlite3.Connection], Any]] = [inserting(f"job {number}") for number in range(8)]
    jobs[failing] = fail
    outcomes = Crowd(database, jobs).outcomes()
    assert isinstance(outcomes.pop(failing), ValueError)
    assert outcomes == [f"job {number}" for number in range(8) if number != failing]
    assert texts(database) == outcomes


def test_a_statement_that_fails_undoes_only_its_job(database: Database) -> None:
    outcomes = Crowd(database, [inserting("same") for _ in range(6)]).outcomes()
    assert outcomes[0] == "same"
    assert {type(outcome) for outcome in outcomes[1:]} == {sqlite3.IntegrityError}
    assert texts(database) == ["same"]


def test_a_failing_commit_fails_every_caller(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.db", setup=lambda c: _run(c, "PRAGMA foreign_keys=1"))
    database.migrate(
        "test",
        [*TABLE, "CREATE TABLE child (entry INTEGER REFERENCES entry (id) DEFERRABLE INITIALLY DEFERRED)"],
    )
    orphan = lambda connection: connection.execute("INSERT INTO child VALUES (99)").rowcount  # noqa: E731
    outcomes = Crowd(database, [inserting("one"), orphan, inserting("two")]).outcomes()
    assert [type(outcome) for outcome in outcomes] == [sqlite3.IntegrityError] * 3
    assert len({id(outcome) for outcome in outcomes}) == 3
    assert {outcome.sqlite_errorcode & 0xFF for outcome in outcomes} == {sqlite3.SQLITE_CONSTRAINT}
    assert texts(database) == []
    assert database.submit(inserting("three")) == "three"
    database.close()


def _run(connection: sqlite3.Connection, statement: str) -> None:
    connection.execute(statement)


def test_an_interrupt_in_a_shared_commit_reaches_its_thread_and_the_others_may_try_again(
    database: Database,
) -> None:
    outcomes = Crowd(
        database,
        [inserting("one"), inserting("two"), lambda _: _throw(KeyboardInterrupt()), inserting("three")],
    ).outcomes()
    assert isinstance(outcomes[0], KeyboardInterrupt)
    assert [type(outcome) for outcome in outcomes[1:]] == [Unavailable] * 3
    assert texts(database) == []
    assert database.submit(inserting("four")) == "four"


def test_a_full_disk_in_a_shared_commit_fails_every_caller(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.db", setup=lambda c: _run(c, "PRAGMA max_page_count=12"))
    database.migrate("test", TABLE)
    outcomes = Crowd(database, [inserting("one"), inserting("x" * 100_000), inserting("two")]).outcomes()
    full = [outcome for outcome in outcomes if isinstance(outcome, sqlite3.Error)]
    assert full
    for error in full:
        reported = translate(error, "sqlite", "write")
        assert isinstance(reported, BackendError)
        assert "disk is full" in str(reported)
    assert texts(database) == [outcome for outcome in outcomes if isinstance(outcome, str)]
    database.submit(inserting("three"))
    database.close()


def test_a_caller_that_waits_too_long_gets_an_error_and_leaves_the_queue(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.db", timeout=0.05)
    database.migrate("test", TABLE)
    with ThreadPoolExecutor(2) as others, database.transaction():
        with pytest.raises(Unavailable, match="another thread"):
            others.submit(database.submit, inserting("late")).result()
        with pytest.raises(Unavailable, match="another thread"):
            others.submit(database.transaction().__enter__).result()
    database.submit(inserting("next"))
    assert texts(database) == ["next"]
    database.close()


def test_transactions_and_jobs_take_turns_without_loss(file: Database) -> None:
    def work(writer: int) -> None:
        for number in range(60):
            if number % 3:
                file.submit(inserting(f"{writer} {number}"))
            else:
                with file.transaction() as connection:
                    inserting(f"{writer} {number}")(connection)
            assert f"{writer} {number}" in texts(file)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    assert sorted(texts(file)) == sorted(f"{w} {n}" for w in range(8) for n in range(60))


def test_ctrl_c_at_any_moment_neither_keeps_the_turn_nor_loses_what_was_acknowledged(file: Database) -> None:
    stop = threading.Event()
    acknowledged: list[str] = []

    def work(writer: int) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            with contextlib.suppress(Unavailable):  # the thread that was to commit it was interrupted
                acknowledged.append(file.submit(inserting(f"{writer} {number}")))

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    gc.collect()
    gc.disable()  # a signal within the finaliser of some other test's rubbish says nothing about this one
    before = signal.signal(signal.SIGALRM, interrupt)
    others = [threading.Thread(target=work, args=(writer,)) for writer in range(3)]
    for other in others:
        other.start()
    interrupted = 0
    try:
        for number in range(400):
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0001 + number % 37 * 0.00005)
                for step in range(40):
                    acknowledged.append(file.submit(inserting(f"main {number} {step}")))
                    file.glance(lambda connection: connection.execute("SELECT 1").fetchone())
                    with file.transaction() as connection:
                        inserting(f"main {number} {step} too")(connection)
            except KeyboardInterrupt:
                interrupted += 1
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.signal(signal.SIGALRM, before)
        gc.enable()
        stop.set()
    for other in others:
        other.join(timeout=20)
        assert not other.is_alive()
    assert interrupted > 50
    assert set(acknowledged) <= set(texts(file))
    assert file._queue.holder is None
    assert not file._queue._waiting


# ----------------------------------------------------------------------------------------------------- closing


def test_closing_twice_is_fine_and_every_use_afterwards_is_refused(database: Database) -> None:
    database.close()
    database.close()
    assert database.closed
    for use in (database.read, database.transaction().__enter__, lambda: database.submit(inserting("one"))):
        with pytest.raises(Closed):
            use()


def test_closing_leaves_one_file(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.db")
    database.migrate("test", TABLE)
    database.submit(inserting("one"))
    texts(database)
    database.close()
    assert [path.name for path in tmp_path.iterdir()] == ["a.db"]


def test_closing_while_others_work_lets_them_end(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.db")
    database.migrate("test", TABLE)
    acknowledged: list[str] = []

    def write(writer: int) -> None:
        for number in range(100_000):
            acknowledged.append(database.submit(inserting(f"{writer} {number}")))
            database.read().execute("SELECT count(*) FROM entry").fetchone()

    with ThreadPoolExecutor(4) as threads:
        futures = [threads.submit(write, writer) for writer in range(4)]
        while len(acknowledged) < 100:
            os.sched_yield()
        database.close()
        assert {type(future.exception()) for future in futures} == {Closed}
    raw = sqlite3.connect(tmp_path / "a.db")
    assert {text for (text,) in raw.execute("SELECT text FROM entry")} == set(acknowledged)
    raw.close()


def test_a_transaction_under_way_outlives_close(file: Database) -> None:
    with ThreadPoolExecutor(1) as other, file.transaction() as connection:
        other.submit(file.close).result()
        connection.execute("INSERT INTO entry (text) VALUES ('one')")
    raw = sqlite3.connect(file.path)
    assert raw.execute("SELECT text FROM entry").fetchall() == [("one",)]
    raw.close()


# ----------------------------------------------------------------------------------------- opening and errors


def test_a_path_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere/a\.db.*create its folder"):
        Database(tmp_path / "nowhere" / "a.db")
    with pytest.raises(ConfigError, match=str(tmp_path)):
        Database(tmp_path)


@pytest.mark.parametrize(
    "name", ["with space.db", "żółw.db", "100%25.db", "a?mode=ro.db", "a#b.db", "'q'.db"]
)
def test_a_file_may_have_any_name(tmp_path: Path, name: str) -> None:
    database = Database(tmp_path / name)
    database.migrate("test", TABLE)
    database.submit(inserting("one"))
    assert texts(database) == ["one"]
    database.close()
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["\ud800.db", "a\0b.db"])
def test_a_name_that_no_file_can_have_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be the path of a file"):
        Database(name)


def test_a_file_that_is_no_database_is_corrupt(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(b"certainly not a database " * 200)
    with pytest.raises(Corrupt, match=r"a\.db"):
        Database(tmp_path / "a.db")


def test_damaged_pages_are_corrupt(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.db")
    database.migrate("test", TABLE)
    for number in range(2000):
        database.submit(inserting(f"{number} {'x' * 50}"))
    database.close()
    with (tmp_path / "a.db").open("r+b") as file:
        file.seek(4096 * 5)
        file.write(os.urandom(4096 * 20))
    database = Database(tmp_path / "a.db")
    with pytest.raises(sqlite3.DatabaseError) as caught:
        texts(database)
    assert isinstance(translate(caught.value, "sqlite", "read"), Corrupt)
    database.close()


def test_a_file_locked_by_another_process_is_unavailable(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.db", timeout=0.05)
    database.migrate("test", TABLE)
    raw = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    raw.execute("BEGIN IMMEDIATE")
    for write in (database.transaction().__enter__, lambda: database.submit(inserting("one"))):
        with pytest.raises(sqlite3.OperationalError) as caught:
            write()
        reported = translate(caught.value, "sqlite", "set")
        assert isinstance(reported, Unavailable)
        assert reported.transient
        assert (reported.part, reported.operation) == ("sqlite", "set")
    assert texts(database) == []
    raw.execute("COMMIT")
    raw.close()
    assert database.submit(inserting("one")) == "one"
    database.close()


PRIMARY = sorted(
    {
        getattr(sqlite3, name)
        for name in dir(sqlite3)
        if name.startswith("SQLITE_") and name.count("_") == 1 and isinstance(getattr(sqlite3, name), int)
    }
)


@pytest.mark.parametrize("code", PRIMARY)
def test_every_native_error_becomes_one_of_ours_that_says_what_to_do(code: int) -> None:
    for error in (sqlite3.OperationalError("native"), sqlite3.DatabaseError("native")):
        for extended in (code, code | 7 << 8):
            error.sqlite_errorcode = extended
            reported = translate(error, "sqlite", "get", path="x.db")
            assert isinstance(reported, MemwellError)
            assert reported.transient is isinstance(reported, Unavailable)
            assert "native" in str(reported)
            assert "x.db" in str(reported)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (sqlite3.SQLITE_BUSY, Unavailable),
        (sqlite3.SQLITE_LOCKED, Unavailable),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, Unavailable),
        (sqlite3.SQLITE_FULL, BackendError),
        (sqlite3.SQLITE_IOERR_WRITE, BackendError),
        (sqlite3.SQLITE_READONLY_DBMOVED, BackendError),
        (sqlite3.SQLITE_CORRUPT_INDEX, Corrupt),
        (sqlite3.SQLITE_NOTADB, Corrupt),
        (sqlite3.SQLITE_CANTOPEN, BackendError),
        (sqlite3.SQLITE_CONSTRAINT_UNIQUE, BackendError),
        (sqlite3.SQLITE_TOOBIG, InvalidInput),
    ],
)
def test_the_table_of_errors(code: int, kind: type[MemwellError]) -> None:
    error = sqlite3.OperationalError("native")
    error.sqlite_errorcode = code
    assert type(translate(error, "sqlite", "get")) is kind


def test_a_connection_closed_under_way_is_closed(file: Database) -> None:
    connection = file.read()
    connection.close()
    with pytest.raises(sqlite3.ProgrammingError) as caught:
        connection.execute("SELECT 1")
    assert isinstance(translate(caught.value, "sqlite", "get"), Closed)


# ------------------------------------------------------------------------------------------------- reading only


def test_a_read_only_database_reads_and_refuses_to_write(tmp_path: Path) -> None:
    writer = Database(tmp_path / "a.db")
    writer.migrate("test", TABLE)
    writer.submit(inserting("one"))
    reader = Database(tmp_path / "a.db", readonly=True)
    assert reader.readonly
    reader.migrate("test", TABLE)
    assert texts(reader) == ["one"]
    for write in (reader.transaction().__enter__, lambda: reader.submit(inserting("two"))):
        with pytest.raises(BackendError, match="read-only"):
            write()
    writer.submit(inserting("two"))
    assert texts(reader) == ["one", "two"]
    reader.close()
    writer.close()


def test_reading_only_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"a\.db"):
        Database(tmp_path / "a.db", readonly=True)
    assert list(tmp_path.iterdir()) == []


UNPRIVILEGED = """
import os, sys
from pathlib import Path
from memwell.errors import BackendError
from memwell.backends.sqlite.database import Database
folder = Path(sys.argv[1])
database = Database(folder / "a.db")
database.migrate("test", ["CREATE TABLE entry (id INTEGER PRIMARY KEY, text TEXT)"])
database.submit(lambda c: c.execute("INSERT INTO entry (text) VALUES ('one')") and None)
database.close()
os.chmod(folder / "a.db", int(sys.argv[2], 8))
os.chmod(folder, 0o555)
for parent in folder.parents:
    if parent.stat().st_uid == os.getuid() and not parent.stat().st_mode & 1:
        os.chmod(parent, parent.stat().st_mode | 0o111)
if os.getuid() == 0:
    os.setuid(65534)
database = Database(folder / "a.db")
print(database.readonly, database.read().execute("SELECT text FROM entry").fetchall())
try:
    database.submit(lambda c: None)
except BackendError as error:
    print(error)
"""


@pytest.mark.parametrize("mode", ["444", "666"])
def test_a_file_in_a_folder_that_cannot_be_written_is_opened_for_reading(tmp_path: Path, mode: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", UNPRIVILEGED, str(folder), mode], capture_output=True, text=True, check=False
    )
    folder.chmod(0o755)
    assert done.stderr == ""
    first, second = done.stdout.splitlines()
    assert first == "True [('one',)]"
    assert "read-only" in second


# --------------------------------------------------------------------------------------------------- migrations


def test_scripts_are_run_once_each_and_in_order(tmp_path: Path) -> None:
    scripts = ["CREATE TABLE a (x)", "INSERT INTO a VALUES (1); INSERT INTO a VALUES (2);"]
    database = Database(tmp_path / "a.db")
    database.migrate("one", scripts[:1])
    database.migrate("one", scripts)
    database.migrate("one", scripts)
    database.migrate("two", ["INSERT INTO a VALUES (3)"])
    database.close()
    database = Database(tmp_path / "a.db")
    database.migrate("one", [*scripts, "INSERT INTO a VALUES (4)"])
    assert database.read().execute("SELECT x FROM a ORDER BY x").fetchall() == [(1,), (2,), (3,), (4,)]
    recorded = (
        database.read().execute("SELECT component, number FROM memwell_migrations ORDER BY 1, 2").fetchall()
    )
    assert recorded == [("one", 1), ("one", 2), ("one", 3), ("two", 1)]
    database.close()


def test_a_failing_script_leaves_nothing_behind(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.db")
    with pytest.raises(BackendError):
        database.migrate("one", ["CREATE TABLE a (x)", "CREATE TABLE b (x); INSERT INTO nowhere VALUES (1)"])
    names = database.read().execute("SELECT name FROM sqlite_master").fetchall()
    assert names == []
    database.migrate("one", ["CREATE TABLE a (x)"])
    database.close()


def test_a_file_of_a_newer_version_is_refused_with_the_remedy(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.db")
    database.migrate("one", ["CREATE TABLE a (x)", "CREATE TABLE b (x)"])
    with pytest.raises(ConfigError, match=r"newer memwell.*pip install -U memwell"):
        database.migrate("one", ["CREATE TABLE a (x)"])
    database.close()


def test_a_read_only_file_of_an_older_version_is_refused_with_the_remedy(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.db")
    database.migrate("one", ["CREATE TABLE a (x)"])
    database.close()
    database = Database(tmp_path / "a.db", readonly=True)
    with pytest.raises(ConfigError, match="open it once where it can be written"):
        database.migrate("one", ["CREATE TABLE a (x)", "CREATE TABLE b (x)"])
    database.close()


def test_a_changed_script_is_noticed_by_its_checksum(tmp_path: Path) -> None:
    for name in ("first", "again"):
        database = Database(tmp_path / "a.db")
        database.migrate("one", ["CREATE TABLE a (x);\r\n" if name == "again" else "CREATE TABLE a (x);\n"])
        database.close()
    database = Database(tmp_path / "a.db")
    with pytest.raises(ConfigError, match=r"migration 1 of one.*memwell export"):
        database.migrate("one", ["CREATE TABLE a (x, y);"])
    database.close()


@pytest.mark.parametrize("readonly", [False, True])
def test_a_file_without_checksums_is_adopted(tmp_path: Path, readonly: bool) -> None:
    with sqlite3.connect(tmp_path / "a.db") as connection:
        connection.execute("CREATE TABLE a (x)")
        connection.execute(
            "CREATE TABLE memwell_migrations (component TEXT NOT NULL, number INTEGER NOT NULL,"
            " applied_at TEXT NOT NULL, PRIMARY KEY (component, number)) WITHOUT ROWID"
        )
        connection.execute("INSERT INTO memwell_migrations VALUES ('one', 1, '2026-01-01')")
    connection.close()
    database = Database(tmp_path / "a.db", readonly=readonly)
    database.migrate("one", ["CREATE TABLE a (x)"])
    rows = database.read().execute("SELECT * FROM memwell_migrations").fetchall()
    assert [len(row) for row in rows] == [3 if readonly else 4]
    if not readonly:
        assert rows[0][2] == "2026-01-01"
        with pytest.raises(ConfigError, match="migration 1"):
            database.migrate("one", ["CREATE TABLE b (x)"])
    database.close()


def test_statements_are_distinguished_despite_triggers_texts_and_comments() -> None:
    trigger = "CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM b; DELETE FROM c; END;"
    script = f"CREATE TABLE a (x DEFAULT ';'); -- one; two\n/* three; */ {trigger}\n\n;SELECT 1"
    found = list(statements(script))
    assert [line.split()[-1] for line in found] == ["';');", "END;", "1;"]
    assert trigger in found[1]


def _start(path: Path, start: Any, results: Any) -> None:
    start.wait()
    database = Database(path)
    database.migrate("one", ["CREATE TABLE a (x)", "INSERT INTO a VALUES (1)"])
    results.put(database.read().execute("SELECT count(*) FROM a").fetchone()[0])
    database.close()


def test_any_number_of_processes_may_create_one_file_at_once(tmp_path: Path) -> None:
    start, results = PROCESSES.Barrier(6), PROCESSES.SimpleQueue()
    workers = [PROCESSES.Process(target=_start, args=(tmp_path / "a.db", start, results)) for _ in range(6)]
    for worker in workers:
        worker.start()
    assert [results.get() for _ in workers] == [1] * 6
    for worker in workers:
        worker.join()
