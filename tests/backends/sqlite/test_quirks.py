"""What only a file can suffer: read-only, full, old, new, damaged, tampered with, killed, forked, shared."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.processes import Script

from memwell import Memory, NewMemory
from memwell.errors import BackendError, ConfigError, Corrupt, MemwellError, NotSupported
from memwell.registry import open_keyvalue, open_log, open_store
from memwell.testing.memory import Words
from memwell.testing.samples import Clock
from memwell.testing.stores import Harness
from memwell.wrappers.threaded import threaded

SECRET = "xyzzyplugh"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "memory.db"


@pytest.fixture
def memory(path: Path) -> Iterator[Memory]:
    opened = open_memory(path)
    yield opened
    opened.close()


def open_memory(path: Path, options: str = "", **more: Any) -> Memory:
    more.setdefault("clock", Clock())
    return Memory(f"sqlite:///{path}{options}", embedder=Words(), **more)


def tamper(path: Path, *statements: str) -> None:
    with sqlite3.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


# ------------------------------------------------------------------------------------------- read-only files


def test_a_read_only_memory_is_read_and_every_write_says_why_it_cannot(path: Path) -> None:
    with open_memory(path) as memory:
        memory.remember("apple", id="a")
    before = path.read_bytes()
    clock = Clock()
    with open_memory(path, "?mode=ro", clock=clock) as memory:
        for _ in range(3):
            assert [hit.record.id for hit in memory.recall("apple")] == ["a"]
            clock.advance(hours=1)
        assert (memory.count(), memory.doctor().ok, memory.health().ok) == (1, True, True)
        assert memory.stats().records == 1
        calls: list[Callable[[], object]] = [
            lambda: memory.remember("pear"),
            lambda: memory.update("a", content="pear"),
            lambda: memory.forget("a"),
        ]
        for call in calls:
            with pytest.raises(BackendError, match="read-only"):
                call()
    assert path.read_bytes() == before


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_a_file_without_the_right_to_write_is_opened_for_reading(path: Path) -> None:
    with open_memory(path) as memory:
        memory.remember("apple", id="a")
    path.chmod(0o444)
    with open_memory(path) as memory:
        assert memory.get("a").content == "apple"
        with pytest.raises(BackendError, match="read-only"):
            memory.remember("pear")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        open_memory(tmp_path / "nowhere" / "memory.db")


# ------------------------------------------------------------------------------------------------ full disks


def fill(memory: Memory) -> int:
    """Write until it fails; how many were acknowledged."""
    for number in range(10_000):
        try:
            memory.remember(f"text {number} " + "x" * 2000, id=f"r{number}")
        except BackendError as error:
            return number if "full" in str(error) else -1
    raise AssertionError("it never failed")


def test_a_full_disk_is_reported_and_what_was_acknowledged_stays(path: Path) -> None:
    with open_memory(path) as memory:
        memory.remember("before", id="before")
        writer = memory._memory._engine.parts.store._database._writer  # type: ignore[attr-defined]
        writer.execute("PRAGMA max_page_count = 200")
        count = fill(memory)
        assert 0 < count < 1000
        assert memory.count() == count + 1
        with pytest.raises(BackendError, match="full"):
            memory.remember([f"batch {n} " + "x" * 2000 for n in range(50)])
        assert memory.count() == count + 1
        writer.execute("PRAGMA max_page_count = 100000")
        assert memory.remember("room again " + "x" * 2000).version == 1
        assert memory.doctor().ok


def test_a_file_that_may_not_grow_fails_cleanly(path: Path) -> None:
    script = """
        import resource, signal, sys
        from memwell import Memory, BackendError
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        memory = Memory(f"sqlite:///{sys.argv[1]}", embedder=None)
        memory.remember("first", id="first")
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))
        done = 0
        try:
            for done in range(10_000):
                memory.remember("x" * 5000, id=f"r{done}")
        except BackendError as error:
            print(done)
            assert memory.count() == done + 1, memory.count()
            memory.close()
            sys.exit(0)
        sys.exit("it never failed")
    """
    done = child(script, path)
    assert done.returncode == 0, done.stderr
    with open_memory(path) as memory:
        assert memory.count() == int(done.stdout) + 1
        assert memory.doctor().ok


def child(script: str, *arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own."""
    command = [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)


# -------------------------------------------------------------------------------------- other versions' files


def test_every_file_tells_which_migrations_it_has_seen(memory: Memory, path: Path) -> None:
    del memory
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT component, number FROM memwell_migrations").fetchall()
    connection.close()
    assert ("store", 1) in rows


def test_a_file_of_an_older_version_is_brought_up_to_date(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from memwell.backends.sqlite.store import store

    with open_memory(path) as memory:
        memory.remember("apple", id="a")
    scripts = store._scripts()
    newer = [*scripts, "CREATE TABLE later (x); INSERT INTO later SELECT count(*) FROM records;"]
    monkeypatch.setattr(store, "_scripts", lambda: newer)
    with pytest.raises(ConfigError, match="older version and read-only"):
        open_memory(path, "?mode=ro")
    for _ in range(2):
        with open_memory(path) as memory:
            assert memory.get("a").content == "apple"
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT x FROM later").fetchall() == [(1,)]
        last = connection.execute("SELECT max(number) FROM memwell_migrations WHERE component = 'store'")
        assert last.fetchone() == (len(newer),)
    connection.close()
    monkeypatch.setattr(store, "_scripts", lambda: scripts)
    with pytest.raises(ConfigError, match=r"newer memwell.*upgrade"):
        open_memory(path)


# ---------------------------------------------------------------------------------------------- damaged files


@pytest.mark.parametrize(
    "content", [b"not a database, but long enough to have a header" * 40, b"SQLite format 3\0" + b"x" * 5000]
)
def test_what_is_no_database_is_corrupt(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(Corrupt, match=r"memory\.db"):
        open_memory(path)
    assert path.read_bytes() == content


def test_damaged_pages_are_reported_and_never_answered_with_wrong_records(path: Path) -> None:
    with open_memory(path) as memory:
        memory.remember([NewMemory(content=f"text {n} " + "y" * 500, id=f"r{n}") for n in range(200)])
    whole = path.read_bytes()
    reported = [damaged_page_is_reported(path, whole, page) for page in range(1, len(whole) // 4096, 3)]
    assert sum(reported) > 10


def damaged_page_is_reported(path: Path, whole: bytes, page: int) -> bool:
    damaged = bytearray(whole)
    damaged[page * 4096 : page * 4096 + 300] = bytes(range(256)) + b"z" * 44
    path.write_bytes(bytes(damaged))
    for side in ("-wal", "-shm"):
        Path(f"{path}{side}").unlink(missing_ok=True)
    try:
        with open_memory(path) as memory:
            found = memory.list(limit=1000)
            assert all(record.content == f"text {record.id[1:]} " + "y" * 500 for record in found)
            return not memory.doctor().ok
    except MemwellError:
        return True


@pytest.mark.parametrize(
    "damage",
    [
        "metadata = '{broken'",
        "tags = 'x'",
        "tags = '7'",
        "metadata = '[1]'",
        "created_at = 'soon'",
        "created_at = 9000000000000000000",
        "importance = 'high'",
        "content = x'00ff'",
    ],
)
def test_a_corrupt_row_is_reported_by_name_and_harms_no_other(
    memory: Memory, path: Path, damage: str
) -> None:
    memory.remember([NewMemory(content=f"text {id}", id=id) for id in "abc"])
    tamper(path, f"UPDATE records SET {damage} WHERE id = 'b'")
    with pytest.raises(Corrupt, match=r"'b'.*doctor"):
        memory.get("b")
    assert memory.get("a").content == "text a"
    report = memory.doctor()
    assert not report.ok
    assert [(problem.kind, problem.id) for problem in report.problems] == [("corrupt", "b")]
    assert not memory.repair().ok
    memory.forget("b")
    assert memory.doctor().ok


# ------------------------------------------------------------------------------------------------- the doctor

TAMPERING = {
    "lexemes": "UPDATE records SET lexemes = 'wrong words' WHERE id = 'a'",
    "signals": "UPDATE records SET signals = 'x' WHERE id = 'a'",
    "digest": "UPDATE records SET digest = 5 WHERE id = 'a'",
    "vectors": "UPDATE vectors SET data = zeroblob(3) WHERE id & 255 = (SELECT key FROM records WHERE id = 'a')",
    "embedded": "UPDATE records SET embedded = 0 WHERE id = 'a'",
    "links": "INSERT INTO links SELECT key, 99, 'related', 1, 0 FROM records WHERE id = 'a'",
    "history": "INSERT INTO history VALUES (99, 1, 0, '[]', '{}')",
    "access": "INSERT INTO access VALUES (99, 1, 0)",
}


@pytest.mark.parametrize("kind", TAMPERING)
def test_what_does_not_agree_with_the_rows_is_found_and_mended(memory: Memory, path: Path, kind: str) -> None:
    memory.remember([NewMemory(content=f"apple {id}", id=id) for id in "ab"])
    memory.recall("apple")
    tamper(path, TAMPERING[kind])
    report = memory.doctor()
    assert not report.ok
    assert kind in {problem.kind for problem in report.problems}
    assert all(problem.repairable for problem in report.problems)
    repaired = memory.repair()
    assert repaired.ok
    assert repaired.repaired > 0
    assert memory.doctor().ok
    assert {hit.record.id for hit in memory.recall("apple", mode="lexical")} == {"a", "b"}
    assert {hit.record.id for hit in memory.recall("apple", mode="semantic")} == {"a", "b"}
    assert memory.get("a").embedded
    assert memory.remember("apple a", id="a").reinforced == 1


def test_vectors_that_are_not_of_unit_length_are_embedded_again(memory: Memory, path: Path) -> None:
    memory.remember("apple", id="a")
    tamper(path, "UPDATE vectors SET data = CAST(zeroblob(length(data) - 4) || x'0000c07f' AS BLOB)")
    assert {problem.kind for problem in memory.doctor().problems} >= {"vectors"}
    assert memory.repair().ok
    assert memory.doctor().ok
    assert [hit.record.id for hit in memory.recall("apple", mode="semantic")] == ["a"]
    assert memory.stats().embedded == {"words": 1}


def test_missing_vectors_are_reported_by_the_mark(memory: Memory, path: Path) -> None:
    memory.remember("apple", id="a")
    tamper(path, "DELETE FROM vectors")
    assert not memory.doctor().ok
    assert memory.repair().ok
    assert memory.stats().unembedded == 0


# ------------------------------------------------------------------------------------- deleted means deleted


@pytest.mark.parametrize("way", ["id", "where", "update then id", "expiry"])
def test_what_is_forgotten_leaves_no_trace_in_the_file(path: Path, way: str) -> None:
    clock = Clock()
    with open_memory(path, clock=clock) as memory:
        memory.remember([f"filler {n}" for n in range(50)])
        secret: dict[str, Any] = {
            "id": "secret",
            "category": SECRET + "1",
            "metadata": {SECRET + "2": SECRET + "3"},
            "tags": [SECRET + "4"],
            "source": SECRET + "5",
        }
        memory.remember(f"the word is {SECRET}", ttl=60 if way == "expiry" else None, **secret)
        memory.relate("secret", memory.list(limit=1, order="id", descending=False)[0].id, SECRET + "6")
        memory.recall(SECRET)
        assert SECRET.encode() in path.read_bytes() + Path(f"{path}-wal").read_bytes()
        if way == "update then id":
            memory.update("secret", content=f"again {SECRET}", metadata={"k": SECRET})
        if way == "where":
            memory.forget(where={"source": SECRET + "5"}, everything=True)
        elif way == "expiry":
            clock.advance(60)
            memory.sweep()
        else:
            memory.forget("secret")
        assert memory.doctor().ok
    with sqlite3.connect(path) as connection:
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    for file in path.parent.iterdir():
        assert SECRET.encode() not in file.read_bytes(), file.name


def test_what_is_forgotten_is_overwritten_in_the_file_even_without_vacuum(path: Path) -> None:
    with open_memory(path) as memory:
        memory.remember(["filler", f"the word is {SECRET}"])
        memory.forget(memory.recall(SECRET, mode="lexical")[0].record.id)
    assert SECRET.encode() not in path.read_bytes()
    assert not Path(f"{path}-wal").exists() or SECRET.encode() not in Path(f"{path}-wal").read_bytes()


# ------------------------------------------------------------------------- processes, forks, signals, loops

WRITER = """
    import sys
    from memwell import Memory
    memory = Memory(f"sqlite:///{sys.argv[1]}", embedder="hashing:?dimension=32")
    name = sys.argv[2]
    for number in range(60):
        memory.remember(f"apple {name} {number}", id=f"{name}{number:03}", user_id=name)
        if number % 10 == 0:
            assert memory.recall("apple", user_id=name, limit=100)
            memory.update(f"{name}{number:03}", category="c", expected_version=1)
    memory.close()
"""


def test_processes_that_write_at_once_lose_nothing(path: Path) -> None:
    running = [Script(textwrap.dedent(WRITER), path, name) for name in ("ann", "bob", "cat")]
    with Memory(f"sqlite:///{path}", embedder="hashing:?dimension=32") as memory:
        while any(process.poll() is None for process in running):
            seen = memory.count()
            assert len(memory.recall("apple", limit=200)) >= min(seen, 1)
        for process in running:
            assert process.wait() == 0
        assert memory.count() == 180
        assert len(memory.recall("apple", user_id="bob", limit=100)) == 60
        assert memory.count(where={"version": 2}) == 18
        assert memory.doctor().ok


def test_both_sides_of_a_fork_can_go_on_writing(path: Path) -> None:
    script = """
        import os, sys
        from memwell import Memory
        memory = Memory(f"sqlite:///{sys.argv[1]}", embedder="hashing:?dimension=32")
        memory.remember("apple before", id="before")
        assert memory.recall("apple")
        pid = os.fork()
        name = "parent" if pid else "child"
        for number in range(30):
            memory.remember(f"apple {name} {number}", id=f"{name}{number}")
            assert memory.recall(name)
        if pid == 0:
            memory.close()
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        assert memory.count() == 61, memory.count()
        assert len(memory.recall("child", mode="lexical", limit=50)) == 30
        assert memory.doctor().ok
        memory.close()
    """
    done = child(script, path)
    assert done.returncode == 0, done.stderr


LOOPED = """
    import os, sys
    from memwell import Memory
    from memwell.registry import open_store
    from memwell.wrappers.threaded import threaded
"""


def test_a_memory_on_a_background_loop_survives_a_fork(path: Path) -> None:
    script = (
        LOOPED
        + """
    memory = Memory(threaded(open_store(f"sqlite:///{sys.argv[1]}")), embedder=None)
    memory.remember("before")
    pid = os.fork()
    memory.remember("parent" if pid else "child")
    if pid == 0:
        os._exit(0 if memory.count() >= 2 else 3)
    assert os.waitpid(pid, 0)[1] == 0
    assert memory.count() == 3
    memory.close()
    """
    )
    done = child(script, path)
    assert done.returncode == 0, done.stderr


ENDLESS = """
    import sys
    from memwell import Memory, NewMemory
    from memwell.registry import open_store
    from memwell.wrappers.threaded import threaded
    store = open_store(f"sqlite:///{sys.argv[1]}")
    memory = Memory(store if sys.argv[2:] != ["loop"] else threaded(store), embedder=None)
    print("ready", flush=True)
    batch = 0
    try:
        while True:
            memory.remember([NewMemory(content=f"text {batch} {n}", id=f"{batch}-{n}") for n in range(500)])
            batch += 1
    except KeyboardInterrupt:
        assert memory.count() % 500 == 0, memory.count()
        memory.remember("after the interrupt", id="after")
        memory.close()
        print("clean", flush=True)
"""


@pytest.mark.parametrize("mode", ["caller", "loop"])
def test_ctrl_c_in_a_long_batch_leaves_the_file_sound_and_the_memory_usable(path: Path, mode: str) -> None:
    process = Script(textwrap.dedent(ENDLESS), path, mode)
    assert process.stdout.readline().strip() == "ready"
    with open_memory(path) as memory:
        deadline = time.monotonic() + 60
        while memory.count() < 1000 and time.monotonic() < deadline:
            pass
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60).strip() == "clean"
    with open_memory(path) as memory:
        assert memory.count() % 500 == 1
        assert memory.get("after").content == "after the interrupt"
        assert memory.doctor().ok


def test_a_memory_can_be_used_inside_a_running_loop(path: Path) -> None:
    async def notebook() -> None:
        with open_memory(path) as memory:
            record = memory.remember("apple")
            assert memory.recall("apple")[0].record.id == record.id
            await asyncio.sleep(0)
        store = threaded(open_store(f"sqlite:///{path}"))
        with Memory(store, embedder=None) as memory:
            assert memory.count() == 1
            await asyncio.sleep(0)
        await store.close()

    asyncio.run(notebook())


def test_options_of_the_url_are_checked(path: Path) -> None:
    for options in ("?durability=never", "?mode=rx", "?timeout=soon", "?colour=red", "?mode=ro&mode=rw"):
        with pytest.raises(ConfigError):
            open_store(f"sqlite:///{path}{options}")
    with pytest.raises(ConfigError, match="names a host"):
        open_store("sqlite://host/path.db")
    store = open_store(f"sqlite:///{path}?durability=full&timeout=2")
    assert store.capabilities.durable
    assert store.capabilities.multiprocess
    assert not open_store("sqlite://").capabilities.durable


def test_changes_are_trimmed_only_when_every_follower_has_passed_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memwell.backends.sqlite.store.followers._KEPT", 3)
    monkeypatch.setattr("memwell.backends.sqlite.store.followers._WAITED", 30)
    harness = Harness(open_store(f"sqlite:///{tmp_path / 'store.db'}"))

    def written(count: int) -> None:
        for number in range(count):
            harness.insert(f"text {number} {harness.run(harness.store.position())}")
        harness.run(harness.store.sweep(harness.now))

    written(10)
    with pytest.raises(NotSupported, match="trimmed"):
        harness.changes(6)
    assert len(harness.changes(7)) == 3
    harness.run(harness.store.claim("index", "ann", seconds=9, now=harness.now))
    harness.run(harness.store.advance("index", "ann", 10))
    written(20)
    assert len(harness.changes(10)) == 20
    written(20)
    with pytest.raises(NotSupported, match="trimmed"):
        harness.changes(10)
    assert len(harness.changes(20)) == 30
    harness.advance(31 * 86_400)
    harness.run(harness.store.sweep(harness.now))
    assert harness.run(harness.store.claim("index", "ann", seconds=9, now=harness.now)) == 0
    harness.run(harness.store.close())


@pytest.mark.parametrize("opener", [open_store, open_keyvalue, open_log])
def test_a_url_with_a_slash_and_no_file_is_refused(opener: Callable[[str], object]) -> None:
    with pytest.raises(ConfigError, match="names no file"):
        opener("sqlite:///")


def test_nothing_can_be_read_of_a_memory_that_is_new() -> None:
    with pytest.raises(ConfigError, match="mode=ro"):
        open_store("sqlite://?mode=ro")
