"""MirroredStore: the suite with every mirror compared after each test, and mirrors that are down, slow or emptied."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from memwell import Memory
from memwell.errors import BackendError, ConfigError, NotSupported, Unavailable
from memwell.registry import open_store
from memwell.testing import run
from memwell.testing.flaky import Faults, Flaky
from memwell.testing.samples import ANYBODY, START, direction, embedding, passages
from memwell.testing.stores import Harness
from memwell.testing.stores._harness import everything, populate
from memwell.types import Scope
from memwell.wrappers.mirrored_store import MirroredStore
from memwell.wrappers.threaded import threaded


class Trio:
    """A first store with two mirrors, of which `b` fails on command."""

    def __init__(self, **options: Any) -> None:
        self.faults, self.seconds = Faults(), 0.0
        self.a, self.b = Harness(open_store("memory://")), Harness(open_store("memory://"))
        self.first = Harness(open_store("memory://"))
        self.all = self.again(**options)

    def again(self, **options: Any) -> Harness:
        mirrors = {"a": self.a.store, "b": Flaky(self.b.store, self.faults)}
        options = {"clock": lambda: START, "monotonic": lambda: self.seconds} | options
        return Harness(MirroredStore(self.first.store, mirrors, **options))

    @property
    def store(self) -> MirroredStore:
        assert isinstance(self.all.store, MirroredStore)
        return self.all.store

    def lag(self) -> dict[str, int]:
        return run(self.store, self.store.lag())

    def verify(self, *, repair: bool = False) -> Any:
        return run(self.store, self.store.verify(repair=repair))

    def b_comes_back(self) -> None:
        self.faults.down = None
        self.seconds += 5


def contents(harness: Harness) -> Any:
    """All that a mirror has to have: everything but recalls, which come along with the next change."""
    found = everything(harness)
    found["records"] = [replace(r, access_count=0, last_accessed_at=None) for r in found["records"]]
    found["history"] = {
        id: [replace(v, record=replace(v.record, access_count=0, last_accessed_at=None)) for v in versions]
        for id, versions in found["history"].items()
    }
    return found | {"unembedded": sorted(found["unembedded"])}


# ----------------------------------------------------------------------------------------------- following


def test_a_mirror_holds_everything_that_the_first_holds() -> None:
    trio = Trio()
    populate(trio.all)
    trio.all.insert("one two three", "long", embedding=passages("one two three", 0, 90, 170), ttl=100)
    trio.all.insert("again", "again", scope=Scope(tenant_id="t", user_id="u"))
    trio.all.insert("again", scope=Scope(tenant_id="t", user_id="u"))
    trio.all.update("a", content="apple pie", embedding=embedding(40))
    trio.all.link("long", "a", kind="extends", strength=0.3)
    trio.all.unlink("a", "b")
    assert contents(trio.first) == contents(trio.a) == contents(trio.b)
    assert trio.a.one("again", Scope(tenant_id="t")).reinforced == 1
    assert trio.a.found("pie", vector=direction(40)) == trio.first.found("pie", vector=direction(40))
    assert trio.lag() == {"a": 0, "b": 0}


def test_what_is_forgotten_or_expires_goes_everywhere() -> None:
    trio = Trio()
    trio.all.insert("tea", "a", ttl=10)
    trio.all.insert("milk", "b")
    trio.all.delete("b")
    assert run(trio.store, trio.store.holding(ANYBODY, ["a", "b"])) == {"a": ["a"], "b": ["a"]}
    trio.all.advance(10)
    assert trio.all.run(trio.store.sweep(trio.all.now)) == 1
    assert run(trio.store, trio.store.holding(ANYBODY, ["a", "b"])) == {"a": [], "b": []}


def test_without_waiting_mirrors_follow_when_asked() -> None:
    trio = Trio(wait=False)
    trio.all.insert("tea", "a")
    trio.all.insert("milk", "b")
    assert trio.a.count() == 0
    assert trio.lag() == {"a": 2, "b": 2}
    assert run(trio.store, trio.store.follow()) == {"a": True, "b": True}
    assert trio.lag() == {"a": 0, "b": 0}
    assert contents(trio.a) == contents(trio.first)


def test_a_move_to_another_model_reaches_the_mirrors() -> None:
    trio = Trio()
    trio.all.insert("tea", "a", embedding=embedding(0))
    trio.all.insert("milk", "b", embedding=embedding(50))
    for id, content in (("a", "tea"), ("b", "milk")):
        trio.all.embed(id, content, embedding(90, model="new"))
    assert trio.all.run(trio.store.serve("new")) == 0
    for mirror in (trio.a, trio.b):
        assert mirror.run(mirror.store.serving()) == "new"
        assert mirror.found("tea", vector=direction(90), model="new") == {"a", "b"}
    assert trio.verify().ok


# ------------------------------------------------------------------------------------ mirrors that are down


def test_a_mirror_that_is_down_fails_no_write_and_loses_nothing(caplog: pytest.LogCaptureFixture) -> None:
    trio = Trio()
    trio.all.insert("tea", "a")
    trio.faults.down = Unavailable("no route")
    trio.all.insert("milk", "b")
    trio.all.update("a", content="tea with milk")
    assert "mirror b lags behind" in caplog.text
    assert contents(trio.a) == contents(trio.first)
    assert trio.lag() == {"a": 0, "b": 2}
    trio.b_comes_back()
    trio.all.insert("coffee", "c")
    assert contents(trio.b) == contents(trio.first)


def test_a_mirror_that_is_down_is_left_alone_for_a_while() -> None:
    trio = Trio()
    trio.faults.down = Unavailable("no route")
    for number in range(4):
        trio.all.insert(f"text {number}", f"r{number}")
    assert len(trio.faults.calls) == 1


def test_the_backlog_outlives_the_process() -> None:
    trio = Trio()
    trio.all.insert("tea", "a")
    trio.faults.down = Unavailable("no route")
    trio.all.delete("a")
    trio.all.insert("milk", "b")
    trio.faults.down = None
    trio.all = trio.again()
    assert run(trio.store, trio.store.follow()) == {"a": True, "b": True}
    assert contents(trio.b) == contents(trio.first)


def test_what_was_forgotten_while_a_mirror_is_down_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    trio = Trio()
    trio.all.insert("a secret", "a")
    trio.faults.down = Unavailable("no route")
    assert trio.all.delete("a") == ["a"]
    assert "still in the mirror b" in caplog.text
    assert run(trio.store, trio.store.holding(ANYBODY, ["a"])) == {"a": [], "b": None}
    trio.faults.down = None
    assert run(trio.store, trio.store.holding(ANYBODY, ["a"])) == {"a": [], "b": ["a"]}
    trio.b_comes_back()
    run(trio.store, trio.store.follow())
    assert run(trio.store, trio.store.holding(ANYBODY, ["a"])) == {"a": [], "b": []}


@pytest.mark.parametrize("lost", [False, True])
def test_a_copy_that_was_cut_short_is_made_again(lost: bool) -> None:
    trio = Trio()
    trio.all.insert("tea", "a", embedding=embedding(0))
    trio.faults.fail(Unavailable("cut off"), on="write", lost=lost)
    trio.all.update("a", category="x")
    trio.b_comes_back()
    trio.all.insert("milk", "b")
    assert contents(trio.b) == contents(trio.first)


def test_a_mirror_with_a_full_disk_fails_no_write_either() -> None:
    trio = Trio()
    trio.faults.fail(BackendError("the disk is full"), on="write")
    assert trio.all.insert("tea", "a").id == "a"
    assert trio.lag() == {"a": 0, "b": 1}


# ------------------------------------------------------------------------------------ verify and fill anew


def test_verify_lists_what_differs_and_repair_mends_it() -> None:
    trio = Trio()
    for id in "abcd":
        trio.all.insert(f"text {id}", id, embedding=embedding(0))
    assert trio.verify().ok
    trio.b.delete("a")
    trio.b.update("b", content="tampered")
    trio.b.insert("only here", "x")
    trio.b.embed("c", "text c", embedding(77))
    report = trio.verify()
    assert [(problem.id, problem.detail) for problem in report.problems] == [
        ("a", "b: missing"),
        ("b", "b: differs"),
        ("c", "b: differs"),
        ("x", "b: only there"),
    ]
    assert (report.ok, report.checked, report.repaired) == (False, 8, 0)
    mended = trio.verify(repair=True)
    assert (mended.ok, mended.repaired) == (True, 4)
    assert contents(trio.b) == contents(trio.first)
    assert trio.all.check().ok


def test_a_mirror_that_cannot_be_compared_is_reported() -> None:
    trio = Trio()
    trio.all.insert("tea", "a")
    trio.faults.down = Unavailable("no route")
    report = trio.all.check()
    assert not report.ok
    assert [(problem.kind, problem.repairable) for problem in report.problems] == [("mirror", False)]


def test_a_mirror_that_was_emptied_is_filled_again() -> None:
    trio = Trio()
    for number in range(5):
        trio.all.insert(f"text {number}", f"r{number}", embedding=embedding(number))
    trio.all.link("r0", "r4")
    trio.b = Harness(open_store("memory://"))
    trio.all = trio.again()
    trio.faults.fail(Unavailable("cut off"), on="write")
    trio.all.insert("six", "r5")
    assert trio.b.count() == 0
    trio.b_comes_back()
    trio.all.insert("seven", "r6")
    assert contents(trio.b) == contents(trio.first)


def test_a_mirror_whose_changes_were_trimmed_is_filled_again() -> None:
    trio = Trio()
    trio.all.insert("tea", "a")
    trio.all.insert("milk", "b")
    trio.faults.down = Unavailable("no route")
    trio.all.delete("a")
    trio.all.insert("coffee", "c")
    trio.b_comes_back()
    gone = Faults()
    trio.first = Harness(Flaky(trio.first.store, gone))
    trio.all = trio.again()
    gone.fail(NotSupported("trimmed"), on="changes", times=2)
    run(trio.store, trio.store.follow())
    assert contents(trio.a) == contents(trio.b) == contents(trio.first)


def test_one_process_at_a_time_delivers_to_a_mirror() -> None:
    trio = Trio(wait=False)
    trio.all.insert("tea", "a")
    other = trio.again()
    claim = trio.first.store.claim("mirror a", "somebody else", seconds=60, now=START)
    run(trio.first.store, claim)
    assert isinstance(other.store, MirroredStore)
    assert run(other.store, other.store.follow()) == {"a": False, "b": True}
    assert trio.a.count() == 0


def test_threads_that_write_at_once_leave_equal_copies() -> None:
    trio = Trio()
    start = threading.Barrier(4)

    def work(name: int) -> None:
        mine = Harness(trio.store)
        start.wait()
        for number in range(20):
            mine.insert(f"text {name} {number}", f"r{name}-{number}")
            mine.update(f"r{name}-{number}", category="x")

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work, name) for name in range(4)]:
            done.result()
    run(trio.store, trio.store.follow())
    assert contents(trio.a) == contents(trio.b) == contents(trio.first)


def test_a_memory_stands_on_it_and_its_doctor_compares() -> None:
    trio = Trio()
    with Memory(trio.store, embedder=None) as memory:
        kept = memory.remember("tea with milk")
        memory.update(kept.id, content="tea with lemon")
        assert memory.doctor().ok
        trio.b.delete(kept.id)
        assert not memory.doctor().ok
        assert memory.repair().ok
    assert trio.b.ids() == [kept.id]


def test_what_cannot_be_mirrored_is_refused() -> None:
    store = open_store("memory://")
    with pytest.raises(ConfigError, match="at least one"):
        MirroredStore(store, {})
    with pytest.raises(ConfigError, match="threaded"):
        MirroredStore(store, {"a": threaded(open_store("memory://"))})
    together = MirroredStore(store, {"a": (copy := open_store("memory://"))})
    run(together, together.close())
    assert (store.closed, copy.closed) == (True, True)
