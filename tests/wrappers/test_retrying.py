"""Retrying: what is tried again, and that a write whose answer was lost happens once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from memwell.errors import BackendError, Conflict, InvalidInput, MemwellError, NotFound, Unavailable
from memwell.ports import Delete, Embed, Insert, KeyValue, Log, SetLink, Store, Touch, Unlink, Update
from memwell.registry import open_keyvalue, open_log, open_store
from memwell.testing import run
from memwell.testing.flaky import Faults, Flaky
from memwell.testing.samples import ANYBODY, MODEL, START, embedding, record
from memwell.types import Link, Record
from memwell.wrappers.retrying import Retrying
from memwell.wrappers.threaded import threaded

LOST = Unavailable("the connection was cut")


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def store(faults: Faults, slept: list[float]) -> Store:
    return Retrying(Flaky(open_store("memory://"), faults), sleep=slept.append, random=lambda: 1.0)


def write(store: Store, *operations: Any) -> list[Any]:
    return run(store, store.write(operations, now=START))


def insert(content: str, id: str, **options: Any) -> Insert:
    return Insert(record=record(content, id=id), **options)


def stored(store: Store, *ids: str) -> list[Record]:
    return run(store, store.get(ANYBODY, ids, now=START))


def test_a_call_is_repeated_with_growing_waits(store: Store, faults: Faults, slept: list[float]) -> None:
    faults.fail(Unavailable("busy"), times=2, on="count")
    faults.fail(Unavailable("slow down", retry_after=3), on="count")
    assert run(store, store.count(ANYBODY, now=START)) == 0
    assert slept == [0.1, 0.2, 3.4]
    assert faults.calls == ["count"] * 4


def test_a_backend_that_asks_to_wait_for_long_is_not_waited_for(faults: Faults, slept: list[float]) -> None:
    part = Retrying(Flaky(open_keyvalue("memory://"), faults), deadline=None, sleep=slept.append)
    faults.fail(Unavailable("tomorrow", retry_after=86_400))
    with pytest.raises(Unavailable, match="tomorrow"):
        run(part, part.get("key"))
    assert (faults.calls, slept) == (["get_many"], [])


def test_it_ends_after_five_attempts(store: Store, faults: Faults) -> None:
    faults.down = Unavailable("gone")
    with pytest.raises(Unavailable, match="gone"):
        write(store, insert("tea", "a", named=True))
    assert faults.calls[0] == "write"
    assert len(faults.calls) == 5


@pytest.mark.parametrize("error", [BackendError("full"), NotFound("no"), Conflict("no"), InvalidInput("no")])
def test_what_is_not_transient_is_raised_at_once(store: Store, faults: Faults, error: MemwellError) -> None:
    faults.fail(error)
    with pytest.raises(type(error)):
        run(store, store.count(ANYBODY, now=START))
    assert faults.calls == ["count"]


def test_in_both_modes_it_waits_in_its_own_way(faults: Faults, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[bool] = []

    async def pause(seconds: float, *, blocking: bool) -> None:
        waits.append(blocking)

    monkeypatch.setattr("memwell._bridge.pause", pause)
    for part in (open_keyvalue("memory://"), threaded(open_keyvalue("memory://"))):
        retrying = Retrying(Flaky(part, faults))
        faults.fail(Unavailable("busy"))
        assert run(retrying, retrying.get("key")) is None
        run(retrying, retrying.close())
    assert waits == [True, False]


def test_a_retry_on_a_loop_lets_other_tasks_run(faults: Faults) -> None:
    part = Retrying(Flaky(threaded(open_keyvalue("memory://")), faults), initial_delay=0.001)
    faults.fail(Unavailable("busy"), times=3)
    ran: list[int] = []

    async def other() -> None:
        for number in range(3):
            await asyncio.sleep(0)
            ran.append(number)

    async def play() -> None:
        await asyncio.gather(part.get("key"), other())
        await part.close()

    asyncio.run(play())
    assert ran == [0, 1, 2]


# -------------------------------------------------------------------------------- writes with a lost answer


def test_an_insert_whose_answer_was_lost_is_not_reinforced(store: Store, faults: Faults) -> None:
    faults.fail(LOST, on="write", lost=True)
    (kept,) = write(store, insert("tea", "a"))
    assert (kept.id, kept.reinforced) == ("a", 0)
    assert stored(store, "a") == [kept]


def test_an_insert_that_did_not_happen_is_sent_again(store: Store, faults: Faults) -> None:
    faults.fail(LOST, on="write")
    (kept,) = write(store, insert("tea", "a"))
    assert (kept.id, kept.reinforced) == ("a", 0)
    assert faults.calls.count("write") == 2


def test_nothing_is_looked_up_when_it_is_certain_that_nothing_happened(store: Store, faults: Faults) -> None:
    faults.fail(Unavailable("stopped", unsent=True), on="write")
    write(store, insert("tea", "a"))
    assert faults.calls == ["write", "write"]


def test_a_named_insert_that_was_there_before_loses_no_other_operation(store: Store, faults: Faults) -> None:
    write(store, insert("tea", "a", named=True))
    faults.fail(LOST, on="write")
    results = write(store, insert("tea", "a", named=True), insert("milk", "b"))
    assert [kept.id for kept in results] == ["a", "b"]
    assert [kept.content for kept in stored(store, "a", "b")] == ["tea", "milk"]


@pytest.mark.parametrize("lost", [False, True])
def test_a_duplicate_takes_over_what_it_should_whether_or_not_the_answer_was_lost(
    store: Store, faults: Faults, lost: bool
) -> None:
    write(store, insert("tea", "a", named=True))
    faults.fail(LOST, on="write", lost=lost)
    again = record("tea", id="a", importance=0.9)
    (kept,) = write(store, Insert(record=again, named=True, overwrite=("importance",)))
    assert (kept.importance, kept.version, kept.reinforced) == (0.9, 2, 1)
    assert stored(store, "a") == [kept]


def test_an_update_of_an_expected_version_does_not_conflict_with_itself(store: Store, faults: Faults) -> None:
    write(store, insert("tea", "a"))
    faults.fail(LOST, on="write", lost=True)
    change = Update(scope=ANYBODY, id="a", changes={"content": "milk"}, expected_version=1)
    (kept,) = write(store, change)
    assert (kept.content, kept.version) == ("milk", 2)


def test_the_update_of_somebody_else_is_still_a_conflict(store: Store, faults: Faults) -> None:
    write(store, insert("tea", "a"))
    write(store, Update(scope=ANYBODY, id="a", changes={"content": "coffee"}))
    faults.fail(LOST, on="write")
    with pytest.raises(Conflict):
        write(store, Update(scope=ANYBODY, id="a", changes={"content": "milk"}, expected_version=1))


@pytest.mark.parametrize("lost", [False, True])
def test_what_is_deleted_and_put_again_in_one_write_is_there_afterwards(
    store: Store, faults: Faults, lost: bool
) -> None:
    write(store, insert("tea", "a", named=True))
    faults.fail(LOST, on="write", lost=lost)
    gone, kept = write(store, Delete(scope=ANYBODY, ids=("a",)), insert("tea", "a", named=True))
    assert (gone, kept.reinforced) == (["a"], 0)
    assert stored(store, "a") == [kept]


@pytest.mark.parametrize("lost", [False, True])
def test_every_operation_happens_once_and_has_its_result(store: Store, faults: Faults, lost: bool) -> None:
    for id in "abc":
        write(store, insert(f"text {id}", id))
    write(store, SetLink(scope=ANYBODY, source="a", link=Link(target="c")))
    faults.fail(LOST, on="write", lost=lost)
    results = write(
        store,
        insert("new", "n"),
        Update(scope=ANYBODY, id="a", changes={"category": "x"}),
        SetLink(scope=ANYBODY, source="a", link=Link(target="b")),
        Unlink(scope=ANYBODY, source="a", target="c"),
        Touch(tenant_id="default", accesses={"a": (2, START)}),
        Embed(tenant_id="default", id="a", content="text a", embedding=embedding(0)),
        Delete(scope=ANYBODY, ids=("c",)),
        insert("named", "m", named=True),
    )
    assert len(results) == 8
    assert [results[0].id, results[7].id] == ["n", "m"]
    a, n, m = stored(store, "a", "c", "n", "m")
    assert (a.category, a.version, a.access_count, [link.target for link in a.links]) == ("x", 2, 2, ["b"])
    assert (n.reinforced, m.reinforced) == (0, 0)
    assert run(store, store.embeddings(ANYBODY, ["a"], MODEL)).keys() == {"a"}


def test_a_lookup_that_fails_is_tried_again_too(store: Store, faults: Faults) -> None:
    faults.fail(LOST, on="write", lost=True)
    faults.fail(Unavailable("busy"), on="get", times=2)
    (kept,) = write(store, insert("tea", "a"))
    assert kept.reinforced == 0


# ---------------------------------------------------------------------------- what must not be done twice


@pytest.mark.parametrize(
    "call",
    [
        lambda part: part.increment("count"),
        lambda part: part.add("new", b"1"),
        lambda part: part.replace("there", b"2", expected=b"1"),
        lambda part: part.delete("there", expected=b"1"),
    ],
    ids=["increment", "add", "replace", "compare and delete"],
)
def test_what_would_count_or_deny_itself_is_repeated_only_when_it_did_not_happen(
    faults: Faults, call: Callable[[KeyValue], Any]
) -> None:
    part = Retrying(Flaky(open_keyvalue("memory://"), faults), sleep=lambda _: None)
    run(part, part.set("there", b"1"))
    faults.fail(LOST, lost=True)
    with pytest.raises(Unavailable):
        run(part, call(part))
    run(part, part.delete("new"))
    run(part, part.delete("count"))
    run(part, part.set("there", b"1"))
    faults.fail(Unavailable("stopped", unsent=True))
    assert run(part, call(part))


def test_entries_of_a_log_are_appended_once(faults: Faults) -> None:
    part: Log = Retrying(Flaky(open_log("memory://"), faults), sleep=lambda _: None)
    faults.fail(LOST, lost=True)
    with pytest.raises(Unavailable):
        run(part, part.append("stream", [b"one"]))
    faults.fail(Unavailable("stopped", unsent=True))
    run(part, part.append("stream", [b"two"]))
    assert [entry.data for entry in run(part, part.read("stream"))] == [b"one", b"two"]


def test_a_plain_set_is_repeated(faults: Faults) -> None:
    part = Retrying(Flaky(open_keyvalue("memory://"), faults), sleep=lambda _: None)
    faults.fail(LOST, lost=True)
    run(part, part.set("key", b"1"))
    assert run(part, part.get("key")) == b"1"
