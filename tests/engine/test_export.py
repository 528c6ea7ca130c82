"""Exports that overlap, that meet writers, a full disk and damaged rows: what is under the name is whole."""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from memwell import BackendError, InvalidInput, Memory, NewMemory, Unavailable
from memwell.testing.memory import Words


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(f"sqlite:///{tmp_path / 'memory.db'}", embedder=Words()) as opened:
        yield opened


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "backup.jsonl"


def fill(memory: Memory, count: int = 250) -> None:
    memory.remember([NewMemory(content=f"apple {number}", id=f"m{number:03}") for number in range(count)])


def imported(path: Path) -> dict[str, str]:
    """What comes out of an export: id → content."""
    with Memory("memory://", embedder=None) as other:
        other.import_(path)
        return {record.id: record.content for record in other.list(limit=1000)}


def test_a_second_export_to_the_same_file_is_refused_while_the_first_runs(memory: Memory, path: Path) -> None:
    fill(memory)
    path.write_text("the backup of yesterday")
    failures: list[BaseException] = []

    def again(done: int, total: int) -> None:
        del done, total
        if not failures:
            thread = threading.Thread(target=second)
            thread.start()
            thread.join()

    def second() -> None:
        try:
            memory.export(path)
        except BaseException as error:  # noqa: BLE001  looked at below
            failures.append(error)

    assert memory.export(path, progress=again) == 250
    (failure,) = failures
    assert isinstance(failure, Unavailable)
    assert "another export" in str(failure)
    assert len(imported(path)) == 250


def test_what_is_forgotten_or_changed_while_an_export_runs_is_not_in_it_as_it_was(
    memory: Memory, path: Path
) -> None:
    fill(memory)

    def meanwhile(done: int, total: int) -> None:
        del total
        if done == 100:
            memory.forget("m003")
            memory.update("m004", content="a pear")

    memory.export(path, progress=meanwhile)
    assert "m003" not in path.read_text()
    found = imported(path)
    assert found.keys() == {f"m{number:03}" for number in range(250)} - {"m003"}
    assert found["m004"] == "a pear"


def test_an_unfinished_export_of_another_or_an_older_store_is_not_continued(
    memory: Memory, path: Path, tmp_path: Path
) -> None:
    fill(memory, 30)
    memory.export(path)
    lines = path.read_bytes().splitlines(keepends=True)
    partial = path.with_name(path.name + ".part")
    header = json.loads(lines[0])
    for position in (10**9, -1, None, "7"):
        partial.write_bytes(
            json.dumps(header | {"position": position}).encode() + b"\n" + b"".join(lines[1:5])
        )
        memory.forget("m000")
        memory.remember("apple 0", id="m000")
        assert memory.export(path) == 30
    with Memory(f"sqlite:///{tmp_path / 'other.db'}", embedder=None) as other:
        other.remember([f"filler {number}" for number in range(60)])
        partial.write_bytes(b"".join(lines[:5]))
        assert other.export(path) == 60
    assert "apple" not in path.read_text()


@pytest.mark.parametrize("line", [b'{"record": {}}\n', b'{"record": 7}\n', b"[" * 100_000 + b"\n", b"[]\n"])
def test_an_unfinished_export_is_continued_before_its_first_bad_line(
    memory: Memory, path: Path, line: bytes
) -> None:
    fill(memory, 30)
    memory.export(path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.with_name(path.name + ".part").write_bytes(b"".join(lines[:10]) + line + b"".join(lines[12:]))
    assert memory.export(path) == 30
    assert len(imported(path)) == 30


def test_an_export_to_a_full_disk_leaves_the_last_backup_and_is_continued(memory: Memory, path: Path) -> None:
    resource = pytest.importorskip("resource")
    fill(memory, 20)
    memory.export(path)
    before = path.read_bytes()
    fill(memory, 250)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, hard))
    try:
        with pytest.raises(BackendError, match="free some space"):
            memory.export(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before
    assert memory.export(path) == 250
    assert len(imported(path)) == 250


def test_the_target_of_an_export_is_no_folder(memory: Memory, tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="is a folder"):
        memory.export(tmp_path)


def test_damaged_memories_are_left_out_of_an_export_and_named(
    memory: Memory, path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fill(memory, 30)
    for id in ("m007", "m008"):
        memory.update(id, content="a pear of " + id)
    with sqlite3.connect(tmp_path / "memory.db") as connection:
        connection.execute("UPDATE records SET content = CAST(x'ff00fe' AS TEXT) WHERE id = 'm003'")
        connection.execute("UPDATE records SET metadata = '{' WHERE id = 'm004'")
        key = "(SELECT key FROM records WHERE id = 'm007')"
        connection.execute(f"UPDATE history SET record = '{{' WHERE key = {key}")
        connection.execute(f"UPDATE vectors SET data = zeroblob(3) WHERE id & 4095 = {key}")
    connection.close()
    with caplog.at_level(logging.WARNING, "memwell"):
        assert memory.export(path) == 28
    assert "'m003', 'm004'" in caplog.text
    assert "'m007'" in caplog.text
    assert "doctor" in caplog.text
    found = imported(path)
    assert found.keys() == {f"m{number:03}" for number in range(30)} - {"m003", "m004"}
    assert found["m007"] == "a pear of m007"
    assert json.loads(path.read_bytes().splitlines()[-1])["skipped"] == ["m003", "m004"]


def test_an_unfinished_export_of_another_scope_stays(memory: Memory, path: Path) -> None:
    partial = path.with_name(path.name + ".part")
    partial.write_text('{"memwell":"export","form":1,"scope":{"tenant_id":"other"}}\n')
    before: Any = partial.read_bytes()
    with pytest.raises(InvalidInput, match="another scope"):
        memory.export(path)
    assert partial.read_bytes() == before


def test_an_export_into_a_folder_that_is_not_there_says_so(memory: Memory, tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="create the folder"):
        memory.export(tmp_path / "nowhere" / "backup.jsonl")


@pytest.mark.parametrize("name", ["memory.db", "memory.db-wal", "memory.db-shm", "link", "pipe"])
def test_an_export_replaces_no_database_and_no_device(memory: Memory, tmp_path: Path, name: str) -> None:
    memory.remember("apple")
    (tmp_path / "link").symlink_to(tmp_path / "memory.db")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BackendError, match="name another file"):
        memory.export(tmp_path / name)
    assert memory.health().ok
    assert not list(tmp_path.glob("*.part"))


def test_an_export_through_a_symbolic_link_writes_the_file_that_it_names(
    memory: Memory, path: Path, tmp_path: Path
) -> None:
    fill(memory, 3)
    link = tmp_path / "latest"
    link.symlink_to(path)
    assert memory.export(link) == 3
    assert link.is_symlink()
    assert len(imported(path)) == 3


class Cut(Exception):
    """Ends an export."""


def cut_short(memory: Memory, path: Path, *, vectors: bool = True) -> None:
    """An export that ends after its first 100 memories."""

    def end(done: int, total: int) -> None:
        del done, total
        raise Cut

    with pytest.raises(Cut):
        memory.export(path, vectors=vectors, progress=end)


@pytest.mark.parametrize("vectors", [True, False])
def test_an_export_continues_none_that_was_asked_for_other_vectors(
    memory: Memory, path: Path, vectors: bool
) -> None:
    fill(memory)
    cut_short(memory, path, vectors=not vectors)
    assert memory.export(path, vectors=vectors) == 250
    assert path.read_text().count('"vectors":[') == (250 if vectors else 0)


def test_an_export_of_a_store_without_a_change_sequence_is_not_continued(
    tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Memory(f"sqlite:///{tmp_path / 'memory.db'}", embedder=None) as memory:
        store = memory._memory._engine.store
        monkeypatch.setattr(type(store), "capabilities", replace(store.capabilities, changes=False))
        fill(memory)
        cut_short(memory, path)
        memory.forget("m003")
        assert memory.export(path) == 249
    assert "m003" not in path.read_text()


def test_an_export_whose_partial_file_was_taken_away_gives_its_name_to_no_other(
    memory: Memory, path: Path
) -> None:
    fill(memory)
    partial = path.with_name(path.name + ".part")

    def clean_up(done: int, total: int) -> None:
        if done == total:
            partial.unlink()
            partial.write_bytes(b"the unfinished export of somebody else")

    with pytest.raises(Unavailable, match="removed or replaced"):
        memory.export(path, progress=clean_up)
    assert not path.exists()


def test_an_export_counts_the_whole_store_once_however_many_pages_it_has(
    memory: Memory, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(memory)
    store = memory._memory._engine.store
    counts: list[str] = []
    for name in ("_count", "_stats"):
        original = getattr(store, name)

        async def counted(*arguments: Any, name: str = name, original: Any = original) -> Any:
            counts.append(name)
            return await original(*arguments)

        monkeypatch.setattr(store, name, counted)
    memory.export(path)
    assert counts == ["_count", "_stats"]
