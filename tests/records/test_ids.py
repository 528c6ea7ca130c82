"""Ids are UUIDv7, unique, and ordered by time over threads and forks."""

from __future__ import annotations

import os
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from memwell.records import ids
from memwell.records.ids import new_id


def test_an_id_is_a_uuid_of_version_7_with_the_time_in_front() -> None:
    before = time.time_ns() // 1_000_000
    found = uuid.UUID(new_id())
    after = time.time_ns() // 1_000_000
    assert (found.version, found.variant) == (7, uuid.RFC_4122)
    assert before <= found.int >> 80 <= after + 1


def test_ids_ascend_even_within_a_millisecond() -> None:
    made = [new_id() for _ in range(20_000)]
    assert made == sorted(set(made))
    assert all(uuid.UUID(id).version == 7 for id in made)


def test_ids_ascend_when_the_clock_is_turned_back(monkeypatch: pytest.MonkeyPatch) -> None:
    first = new_id()
    real = time.time_ns
    monkeypatch.setattr(ids.time, "time_ns", lambda: real() - 3_600_000_000_000)
    made = [first, *(new_id() for _ in range(1000))]
    assert made == sorted(set(made))
    assert all((u := uuid.UUID(id)).version == 7 and u.variant == uuid.RFC_4122 for id in made)


def test_threads_never_make_the_same_id() -> None:
    with ThreadPoolExecutor(8) as threads:
        made = [
            id for some in threads.map(lambda _: [new_id() for _ in range(2000)], range(8)) for id in some
        ]
    assert len(set(made)) == 16_000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_makes_other_ids() -> None:
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(write, "\n".join(new_id() for _ in range(50)).encode())
        os._exit(0)
    mine = {new_id() for _ in range(50)}
    os.waitpid(pid, 0)
    theirs = set(os.read(read, 10_000).decode().split("\n"))
    os.close(read)
    os.close(write)
    assert len(theirs) == 50
    assert not mine & theirs
