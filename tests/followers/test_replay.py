"""The replay of a fallback: a process that is killed or paused in the middle neither loses nor overwrites anything."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.followers.rig import Halting
from tests.processes import Script

from memwell.errors import Unavailable
from memwell.followers.replay import LEASE, REFUSED, REPLAY, Replay
from memwell.ports import Insert, Log, Operation, Update
from memwell.registry import open_log, open_store
from memwell.testing import run
from memwell.testing.samples import ANYBODY, START, Clock, record
from memwell.testing.stores import Harness


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Harness]:
    harness = Harness(open_store(f"sqlite:///{tmp_path / 'store.db'}"))
    yield harness
    run(harness.store, harness.store.close())


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    log = open_log(f"sqlite:///{tmp_path / 'log.db'}")
    yield log
    run(log, log.close())


def recorded(store: Harness, log: Log, *operations: Operation) -> None:
    async def elsewhere() -> None:
        return None

    replay = Replay(store.store, log)
    for operation in operations:
        run(store.store, replay.record(elsewhere, [operation], START))


def waiting(log: Log, stream: str = REPLAY) -> int:
    return len(run(log, log.read(stream)))


KILLED = """
import sys
from pathlib import Path
from memwell.followers import replay
from memwell.registry import open_log, open_store
from memwell.testing import run
from tests.followers.rig import Halting
replay.LEASE = 0.2
folder = Path(sys.argv[1])
def told(): print("writing", flush=True)
store = Halting(open_store(f"sqlite:///{folder / 'store.db'}"), told)
run(store, replay.Replay(store, open_log(f"sqlite:///{folder / 'log.db'}")).catch_up())
"""


@pytest.mark.parametrize("seed", range(3))
def test_a_process_killed_while_it_replays_loses_nothing_and_makes_nothing_twice(
    store: Harness, log: Log, tmp_path: Path, seed: int
) -> None:
    inserts = [Insert(record=record(f"text {n}", id=f"r{n:02}"), named=True) for n in range(40)]
    recorded(store, log, *inserts, Update(scope=ANYBODY, id="r00", changes={"category": "x"}))
    with Script(KILLED, tmp_path) as process:
        for _ in range(random.Random(seed).randrange(1, 35)):
            assert process.stdout.readline() == "writing\n"
        process.kill()
    assert waiting(log)
    later = Clock(datetime.now(UTC))
    later.advance(minutes=2)
    run(store.store, Replay(store.store, log, later).catch_up())
    assert waiting(log) == waiting(log, REFUSED) == 0
    found = {found.id: found.reinforced for found in store.scan(limit=100)}
    assert found == {f"r{n:02}": 0 for n in range(40)}
    assert store.one("r00").category == "x"


class Paused:
    """A process that halts in the middle of its first write."""

    def __init__(self, store: Harness, log: Log, clock: Clock) -> None:
        self.halted, self.go = threading.Event(), threading.Event()
        self.result: Any = "done"
        halting = Halting(store.store, self._halt)
        self._replay = Replay(halting, log, clock)
        self._thread = threading.Thread(target=self._work)
        self._thread.start()
        assert self.halted.wait(30)

    def _halt(self) -> None:
        self.halted.set()
        assert self.go.wait(30)

    def _work(self) -> None:
        try:
            run(self._replay._store, self._replay.catch_up())
        except Unavailable as error:
            self.result = error

    def goes_on(self) -> None:
        self.go.set()
        self._thread.join()


def test_a_process_that_was_overtaken_overwrites_nothing(store: Harness, log: Log) -> None:
    clock = Clock(datetime.now(UTC))
    store.insert("tea", "a")
    recorded(
        store,
        log,
        Update(scope=ANYBODY, id="a", changes={"content": "milk"}),
        Insert(record=record("coffee", id="b"), named=True),
    )
    paused = Paused(store, log, clock)
    other = Replay(store.store, log, clock)
    with pytest.raises(Unavailable, match="being replayed"):
        run(store.store, other.catch_up())
    clock.advance(LEASE)
    run(store.store, other.catch_up())
    assert store.one("a").content == "milk"
    store.update("a", content="water")
    store.delete("b")
    paused.goes_on()
    assert paused.result == "done", "there is nothing left to replay"
    assert store.one("a").content == "water"
    assert store.ids() == ["a"]
    assert waiting(log) == waiting(log, REFUSED) == 0


def test_a_process_that_was_overtaken_leaves_the_rest_to_who_replays_now(store: Harness, log: Log) -> None:
    clock = Clock(datetime.now(UTC))
    store.insert("tea", "a")
    recorded(store, log, Update(scope=ANYBODY, id="a", changes={"content": "milk"}))
    first = Paused(store, log, clock)
    clock.advance(LEASE)
    second = Paused(store, log, clock)
    store.update("a", content="water")
    first.goes_on()
    assert isinstance(first.result, Unavailable)
    assert store.one("a").content == "water"
    assert waiting(log) == 1
    second.goes_on()
    assert second.result == "done"
    assert store.one("a").content == "milk", "no one had replayed it yet"
    assert waiting(log) == waiting(log, REFUSED) == 0
