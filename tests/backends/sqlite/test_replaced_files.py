"""A database file that is deleted or replaced while it is open: nothing is acknowledged that is then lost."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from memwell import Memory, Unavailable
from memwell.backends.sqlite.keyvalue import SqliteKeyValue
from memwell.testing import run

WAYS: dict[str, Callable[[Path, Path], object]] = {
    "deleted": lambda path, _: path.unlink(),
    "moved": lambda path, _: path.rename(path.with_name("elsewhere.db")),
    "replaced": lambda path, other: other.replace(path),
    "folder moved": lambda path, _: path.parent.rename(path.parent.with_name("elsewhere")),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder" / "memory.db"


@pytest.fixture
def memory(path: Path, tmp_path: Path) -> Iterator[Memory]:
    with Memory(f"sqlite:///{tmp_path / 'other.db'}", embedder=None) as other:
        other.remember("another file")
    with Memory(f"sqlite:///{path}", embedder=None) as opened:
        opened.remember("apple", id="a")
        yield opened


@pytest.mark.parametrize("way", WAYS)
def test_writes_health_and_doctor_say_that_the_file_is_gone(
    memory: Memory, path: Path, tmp_path: Path, way: str
) -> None:
    WAYS[way](path, tmp_path / "other.db")
    for _ in range(2):
        with pytest.raises(Unavailable, match="open the memory again"):
            memory.remember("lost")
    health = memory.health()
    assert (health.status, health.ok) == ("unhealthy", False)
    assert "while it was open" in health.parts["store"]
    for call in (memory.doctor, memory.repair):
        with pytest.raises(Unavailable):
            call()


def test_a_new_thread_does_not_read_another_file_than_the_others(
    memory: Memory, path: Path, tmp_path: Path
) -> None:
    (tmp_path / "other.db").replace(path)
    found: list[object] = []

    def read() -> None:
        try:
            found.append(memory.list())
        except Unavailable as error:
            found.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    thread.join()
    assert isinstance(found[0], Unavailable)


def test_a_lost_write_ahead_log_is_noticed(memory: Memory, path: Path) -> None:
    memory.remember("pear")
    path.with_name("memory.db-wal").unlink()
    for call in (partial(memory.remember, "lost"), memory.doctor):
        with pytest.raises(Unavailable, match="write-ahead log"):
            call()
    assert "write-ahead log" in memory.health().parts["store"]


def test_opened_again_the_memory_goes_on(memory: Memory, path: Path) -> None:
    copy = path.with_name("copy.db")
    shutil.copy(path, copy)
    path.unlink()
    with pytest.raises(Unavailable):
        memory.remember("lost")
    copy.replace(path)
    memory.close()
    with Memory(f"sqlite:///{path}", embedder=None) as again:
        again.remember("pear")


def test_key_values_are_not_acknowledged_either(tmp_path: Path) -> None:
    part = SqliteKeyValue(tmp_path / "a.db")
    run(part, part.set("key", b"1"))
    (tmp_path / "a.db").unlink()
    with pytest.raises(Unavailable):
        run(part, part.increment("key"))
    with pytest.raises(Unavailable):
        run(part, part.ping())
    run(part, part.close())
