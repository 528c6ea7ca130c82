"""Ctrl-C at any line of a call: the memory goes on as if the call had not been made, or had been made in full."""

from __future__ import annotations

import linecache
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import psycopg
import pytest

from memwell import Memory, NewMemory
from memwell.backends.sqlite.database import Database

# An interrupt between the making of a coroutine and its `await` leaves it behind, which harms nothing.
pytestmark = pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")


def interrupted(call: Callable[[], Any], at: int) -> bool:
    """Whether the call was interrupted: at that line of memwell, counted from its start."""
    left = at

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        if "memwell" not in frame.f_code.co_filename:
            return None
        left -= event == "line"
        if left <= 0 and not _takes_no_signal(frame):
            sys.settrace(None)
            raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


def _takes_no_signal(frame: FrameType) -> bool:
    """Whether the line opens or ends a `with`, or opens a `try`, where Python takes no signal."""
    line = linecache.getline(frame.f_code.co_filename, frame.f_lineno)
    return line.lstrip().startswith(("with ", "try:"))


def found(memory: Memory, query: str) -> dict[str, float]:
    hits = memory.recall(query, user_id="ann", limit=1000)
    return {hit.record.id: round(hit.score, 4) for hit in hits}


@pytest.mark.parametrize("step", [61, 97])
@pytest.mark.parametrize("kind", ["file", "memory"])
def test_an_interrupted_recall_leaves_the_next_one_whole(tmp_path: Path, kind: str, step: int) -> None:
    url = "memory://" if kind == "memory" else f"sqlite:///{tmp_path}/a.db"
    with Memory(url, embedder="hashing") as memory:
        memory.remember([NewMemory(content=f"apple {n}", user_id="ann") for n in range(20)])
        at, again = 1, True
        while again:
            record = memory.remember(f"apple at {at}", user_id="ann")
            memory.update(record.id, content=f"pear at {at}")
            again = interrupted(lambda: memory.recall("apple pear", user_id="ann"), at)
            assert memory.get(record.id).version == 2
            assert record.id in found(memory, "apple pear")
            at += step
        assert at > 10 * step
        if kind == "file":
            with Memory(url, embedder="hashing") as other:
                assert found(memory, "apple pear 7") == found(other, "apple pear 7")


@pytest.mark.parametrize("kind", ["file", "memory"])
def test_a_first_recall_that_is_interrupted_leaves_the_next_one_whole(tmp_path: Path, kind: str) -> None:
    at, again = 1, True
    contents = [NewMemory(content=f"apple {n}", user_id="ann") for n in range(20)]
    while again:
        url = "memory://" if kind == "memory" else f"sqlite:///{tmp_path}/{at}.db"
        with Memory(url, embedder="hashing") as memory:
            memory.remember(contents)
            again = interrupted(lambda: memory.recall("apple", user_id="ann"), at)
            assert len(found(memory, "apple")) == 20
        at += 83


@pytest.mark.parametrize("kind", ["file", "memory"])
def test_an_interrupted_write_is_whole_or_not_there(tmp_path: Path, kind: str) -> None:
    url = "memory://" if kind == "memory" else f"sqlite:///{tmp_path}/a.db"
    with Memory(url, embedder="hashing") as memory:
        at, again = 1, True
        while again:
            pair = [NewMemory(content=f"{word} {at}", user_id="ann") for word in ("apple", "pear")]
            again = interrupted(lambda: memory.remember(pair), at)  # noqa: B023
            both = memory.count(where={"content": {"$in": [item.content for item in pair]}})
            assert both == 2 if not again else both in (0, 2)
            assert len(found(memory, "apple pear")) == memory.count()
            at += 29
        assert memory.doctor().ok


def test_a_read_that_was_interrupted_does_not_blind_the_thread(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.db")
    database.migrate("test", ["CREATE TABLE entry (id INTEGER PRIMARY KEY)"])
    database.read().execute("BEGIN")
    assert database.read().execute("SELECT count(*) FROM entry").fetchone() == (0,)
    database.submit(lambda connection: connection.execute("INSERT INTO entry VALUES (1)"))
    assert database.read().execute("SELECT count(*) FROM entry").fetchone() == (1,)
    database.close()


def test_an_interrupted_call_over_the_network_has_ended_when_that_is_reported(postgres_url: str) -> None:
    """Ctrl-C while the server waits for a lock, which is set free at once: the write does not happen after all."""
    with (
        Memory(postgres_url, embedder=None) as memory,
        psycopg.connect(postgres_url.partition("?")[0]) as other,
    ):
        memory.remember("before", user_id="ann")
        other.execute(f"LOCK TABLE {postgres_url.partition('schema=')[2]}.records IN ACCESS EXCLUSIVE MODE")
        stop = threading.Thread(target=_interrupt_when_waiting, args=[postgres_url, other.info.backend_pid])
        stop.start()
        with pytest.raises(KeyboardInterrupt):
            memory.remember("interrupted", user_id="ann")
        other.rollback()
        stop.join()
        assert [record.content for record in memory.list(user_id="ann").records] == ["before"]


def _interrupt_when_waiting(url: str, holder: int) -> None:
    """Ctrl-C for the main thread, once one of its statements waits for the connection that holds the lock."""
    waiting = "SELECT FROM pg_stat_activity WHERE %s = ANY (pg_blocking_pids(pid))"
    with psycopg.connect(url.partition("?")[0], autocommit=True) as watching:
        while watching.execute(waiting, [holder]).fetchone() is None:
            time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGINT)
