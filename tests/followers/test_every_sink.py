"""Whatever happens to a process while it delivers, a sink ends up with what the store holds: killed, paused past its
lease, overtaken, or behind a store that trimmed or lost its changes."""

from __future__ import annotations

import random
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.followers.rig import Halting, Rig
from tests.processes import Script

from memwell.errors import Unavailable
from memwell.followers import follower, lease
from memwell.testing import run
from memwell.testing.flaky import Faults, Flaky
from memwell.testing.samples import Clock

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["index", "replica"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(request.param, tmp_path)
    yield rig
    rig.close()


def script(code: str, rig: Rig, *arguments: str) -> Script:
    return Script(PREAMBLE + code, ROOT, rig.kind, rig.folder, *arguments)


PREAMBLE = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.followers.rig import Halting, Rig
from memwell.followers import lease
from memwell.testing import run
rig = Rig(sys.argv[2], Path(sys.argv[3]))
"""

# ------------------------------------------------------------------------------------------------- killed

WRITER = """
lease.LEASE = 0.2
follower = rig.follower()
print("ready", flush=True)
for number in range(400):
    rig.insert(f"apple {sys.argv[4]} {number}", f"{sys.argv[4]}{number}")
    print(f"{sys.argv[4]}{number}", flush=True)
    if number % 5 == 4:
        rig.update(f"{sys.argv[4]}{number - 1}", "pear")
        rig.harness.delete(f"{sys.argv[4]}{number - 2}")
    run(rig.store, follower.catch_up())
"""


@pytest.mark.parametrize("seed", range(2))
def test_a_process_killed_while_it_delivers_loses_nothing(rig: Rig, seed: int) -> None:
    chance = random.Random(seed)
    for life in range(2):
        with script(WRITER, rig, f"life{life}n") as process:
            for _ in range(chance.randrange(5, 40)):
                assert process.stdout.readline()
            time.sleep(chance.random() * 0.02)
            process.send_signal(signal.SIGKILL)
    later = rig.follower(
        lambda: datetime.now(UTC) + timedelta(minutes=1)
    )  # the leases of the dead have expired
    assert run(rig.store, later.catch_up())
    assert rig.delivered() == rig.stored() != {}


# ---------------------------------------------------------------------------------- paused past the lease


def test_what_a_paused_process_writes_late_is_put_right(rig: Rig) -> None:
    clock, halted, go = Clock(datetime.now(UTC)), threading.Event(), threading.Event()
    other = rig.follower(clock)
    assert run(rig.store, other.catch_up())
    rig.insert("apple", "a")

    def halt() -> None:
        halted.set()
        assert go.wait(30)

    paused = rig.follower(clock, Halting(rig.target, halt))
    results: list[bool] = []
    thread = threading.Thread(target=lambda: results.append(run(rig.store, paused.catch_up())))
    thread.start()
    assert halted.wait(30)
    rig.update("a", "pear")
    assert not run(rig.store, other.catch_up()), "the lease is held"
    clock.advance(lease.LEASE)
    assert run(rig.store, other.catch_up()), "the lease has expired"
    assert rig.delivered() == {"a": "pear"}
    go.set()
    thread.join()
    assert results == [False]
    assert rig.delivered() == {"a": "apple"}, "stale"
    assert run(rig.store, paused.catch_up())
    assert rig.delivered() == {"a": "pear"}


LATECOMER = """
def halt():
    print("ready", flush=True)
    sys.stdin.readline()

def die():
    os.kill(os.getpid(), signal.SIGKILL)

follower = rig.follower(target=Halting(rig.target, halt, die))
run(rig.store, follower.catch_up(rebuild=sys.argv[4] == "rebuilding"))
"""


@pytest.mark.parametrize("how", ["following", "rebuilding"])
@pytest.mark.parametrize("healer", ["who took over", "a newcomer"])
def test_what_a_process_wrote_late_before_it_was_killed_is_put_right(rig: Rig, how: str, healer: str) -> None:
    clock, writes = Clock(datetime.now(UTC)), list[int]()
    target = Halting(rig.target, lambda: writes.append(1))
    other = rig.follower(clock, target)
    for name in "xyz":
        rig.insert(f"plum {name}", name)
    assert run(rig.store, other.catch_up())
    rig.insert("apple", "a")
    with script(LATECOMER, rig, how) as late:
        assert late.stdin is not None
        assert late.stdout is not None
        assert late.stdout.readline() == "ready\n"
        rig.update("a", "pear")
        clock.advance(lease.LEASE + 60)  # its own clock has gone on a little
        assert run(rig.store, other.catch_up())
        late.stdin.write("go\n")
        late.stdin.flush()
    assert late.returncode == -signal.SIGKILL
    assert rig.delivered()["a"] == "apple", "stale"
    if healer == "a newcomer":
        other = rig.follower(clock, target)
        assert run(rig.store, other.catch_up()), "too early: something may still come"
        assert rig.delivered()["a"] == "apple"
    clock.advance(lease.LATE)
    assert run(rig.store, other.catch_up())
    assert rig.delivered() == rig.stored() == {"a": "pear", "x": "plum", "y": "plum", "z": "plum"}
    writes.clear()
    clock.advance(lease.LATE)
    assert run(rig.store, other.catch_up())
    assert writes == []


@pytest.mark.parametrize("rebuild", [False, True])
def test_what_was_delivered_in_time_is_never_delivered_again(rig: Rig, rebuild: bool) -> None:
    clock, writes = Clock(datetime.now(UTC)), list[int]()
    target = Halting(rig.target, lambda: writes.append(1))
    following = rig.follower(clock, target)
    for name in "abc":
        rig.insert("apple", name)
        assert run(rig.store, following.catch_up(rebuild=rebuild))
    writes.clear()
    for again in (following, rig.follower(clock, target)):
        clock.advance(lease.LATE * 2)
        assert run(rig.store, again.catch_up())
    assert writes == []


# ----------------------------------------------------------------------------------------------- rebuilds


def test_a_rebuild_cut_short_is_finished_by_the_next_process(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "BATCH", 8)
    for number in range(10):
        rig.insert(f"apple {number}", f"a{number}")
    first = rig.follower()
    assert run(rig.store, first.catch_up())
    for number in range(10):
        rig.update(f"a{number}", "pear") if number % 2 else rig.harness.delete(f"a{number}")
    assert not run(rig.store, first.catch_up(0, rebuild=True))
    assert rig.delivered() != rig.stored()
    second = rig.follower(lambda: datetime.now(UTC) + timedelta(minutes=1))
    assert run(rig.store, second.catch_up())
    assert rig.delivered() == rig.stored()
    assert run(rig.store, first.catch_up())


def test_a_rebuild_that_failed_in_the_middle_goes_on(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower, "BATCH", 4)
    faults = Faults()
    for number in range(10):
        rig.insert(f"apple {number}", f"a{number}")
    following = rig.follower(target=Flaky(rig.target, faults))
    faults.fail(Unavailable("cut off"), on="upsert" if rig.kind == "index" else "write")
    with pytest.raises(Unavailable):
        run(rig.store, following.catch_up(rebuild=True))
    assert run(rig.store, following.catch_up())
    assert rig.delivered() == rig.stored()


def test_a_sink_whose_changes_were_trimmed_is_rebuilt(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.insert("apple", "kept")
    rig.insert("apple", "gone")
    following = rig.follower()
    assert run(rig.store, following.catch_up())
    for name, value in {"_KEPT": 2, "_WAITED": 4}.items():
        monkeypatch.setattr(f"memwell.backends.sqlite.store.followers.{name}", value)
    rig.harness.delete("gone")
    rig.update("kept", "pear")
    for number in range(8):
        rig.insert(f"plum {number}", f"p{number}")
    rig.harness.run(rig.store.sweep(rig.harness.now))
    for again in (following, rig.follower()):
        assert run(rig.store, again.catch_up())
        assert rig.delivered() == rig.stored()
        assert "gone" not in rig.delivered()


# --------------------------------------------------------------------------------- positions that went back


def restore(path: Path, backup: Path) -> None:
    """Put a database back to an earlier state, as a failover without the last writes does."""
    with closing(sqlite3.connect(backup)) as earlier, closing(sqlite3.connect(path)) as now:
        earlier.backup(now)


def saved(path: Path) -> Path:
    backup = path.with_suffix(".backup")
    restore(backup, path)
    return backup


@pytest.mark.parametrize("since", [0, 1, 5])
def test_a_sink_that_has_seen_what_the_store_lost_is_rebuilt(rig: Rig, since: int) -> None:
    following = rig.follower()
    rig.insert("apple", "a")
    assert run(rig.store, following.catch_up())
    path = rig.folder / "store.db"
    backup = saved(path)
    rig.update("a", "pear")
    rig.insert("plum", "lost")
    rig.insert("plum 2", "lost too")
    assert run(rig.store, following.catch_up())
    restore(path, backup)
    for number in range(since):
        rig.insert(f"plum {number}", f"new{number}")
        if number < 2:
            assert run(rig.store, following.catch_up())
    assert run(rig.store, following.catch_up())
    assert rig.delivered() == rig.stored() == {"a": "apple"} | {f"new{n}": "plum" for n in range(since)}


def test_a_replica_that_has_lost_writes_itself_is_rebuilt(tmp_path: Path) -> None:
    rig, faults = Rig("replica", tmp_path), Faults()
    following = rig.follower(target=Flaky(rig.target, faults))
    rig.insert("apple", "a")
    assert run(rig.store, following.catch_up())
    backup = saved(tmp_path / "replica.db")
    rig.update("a", "pear")
    rig.insert("plum", "b")
    assert run(rig.store, following.catch_up())
    restore(tmp_path / "replica.db", backup)
    faults.fail(Unavailable("the connection was cut by the failover"), on="write")
    rig.insert("plum c", "c")
    with pytest.raises(Unavailable):
        run(rig.store, following.catch_up())
    assert run(rig.store, following.catch_up())
    assert rig.delivered() == rig.stored() == {"a": "pear", "b": "plum", "c": "plum"}
    rig.close()


def test_records_that_only_a_new_mirror_has_are_left_there(tmp_path: Path) -> None:
    """Whoever names the stores the wrong way round loses nothing; `verify` lists them."""
    rig = Rig("replica", tmp_path)
    from memwell.testing.stores import Harness

    Harness(rig.target).insert("plum", "full")
    rig.insert("apple", "a")
    assert run(rig.store, rig.follower().catch_up())
    assert rig.delivered() == {"a": "apple", "full": "plum"}
    rig.close()


# ------------------------------------------------------------------------------------------- at the same time


def test_threads_that_write_and_deliver_at_once_leave_nothing_behind(rig: Rig) -> None:
    following, start = rig.follower(), threading.Barrier(4)

    def work(name: int) -> None:
        start.wait()
        for number in range(10):
            rig.insert(f"apple {name} {number}", f"r{name}-{number}")
            run(rig.store, following.catch_up())

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rig.delivered() == rig.stored()
    assert len(rig.stored()) == 40
    assert run(rig.store, following.lag()) == 0


def test_a_forked_child_is_another_holder(tmp_path: Path) -> None:
    import os

    if not hasattr(os, "fork"):
        pytest.skip("this system does not fork")
    rig = Rig("index", tmp_path)
    held: Any = lease.Lease(rig.store, "a follower", Clock(datetime.now(UTC)))
    assert run(rig.store, held.claim())
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = int(run(rig.store, held.claim()))
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert run(rig.store, held.advance(7, release=True))
    rig.close()
