"""Fallback: the suites, who answers when the first is away, and that what was written meanwhile gets there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.embedders import services
from tests.embedders.services import KEY, serving

from memwell import Memory
from memwell.backends.memory.log import MemoryLog
from memwell.backends.memory.store import MemoryStore
from memwell.embedders.hashing import Hashing
from memwell.embedders.openai import OpenAI
from memwell.errors import (
    BackendError,
    ConfigError,
    Conflict,
    Corrupt,
    InvalidInput,
    MemwellError,
    NotFound,
    Unavailable,
)
from memwell.indexes.exact import Exact
from memwell.ports import (
    Delete,
    Embed,
    Entry,
    Insert,
    Log,
    SetLink,
    Touch,
    Unlink,
    Update,
)
from memwell.records.operations import pack, unpack
from memwell.registry import open_keyvalue, open_log, open_store
from memwell.testing import run
from memwell.testing.flaky import Faults, Flaky
from memwell.testing.samples import ANYBODY, START, embedding, record
from memwell.testing.stores import Harness
from memwell.testing.stores._harness import everything
from memwell.types import Link, Scope, Version
from memwell.wrappers.fallback import REFUSED, REPLAY, Fallback
from memwell.wrappers.threaded import threaded


class Pair:
    """A store and its fallback, with faults for either and seconds that pass when told to."""

    def __init__(self, log: Log | None = None) -> None:
        self.faults, self.second_faults, self.seconds = Faults(), Faults(), 0.0
        self.first, self.second = Harness(open_store("memory://")), Harness(open_store("memory://"))
        self.together = self.again(log)

    def again(self, log: Log | None) -> Harness:
        store = Fallback(
            Flaky(self.first.store, self.faults),
            Flaky(self.second.store, self.second_faults),
            replay=log,
            clock=lambda: self.seconds,
        )
        return Harness(store)

    @property
    def state(self) -> tuple[bool, int]:
        store = self.together.store
        assert isinstance(store, Fallback)
        return store.degraded, store.answering

    def away(self) -> None:
        self.faults.down = Unavailable("no route")

    def back(self) -> None:
        self.faults.down = None
        self.seconds += 5


# -------------------------------------------------------------------------------------------------- reads


def test_reads_go_to_the_next_and_say_so() -> None:
    pair = Pair()
    pair.first.insert("tea in the first", "a")
    pair.second.insert("tea in the second", "b")
    assert pair.together.found("tea") == {"a"}
    assert pair.state == (False, 0)
    pair.away()
    found = pair.together.search("tea")
    assert set(found.ids.values()) == {"b"}
    assert any("fallback flaky" in note and "no route" in note for note in found.notes)
    assert pair.together.ids() == ["b"]
    assert pair.state == (True, 1)


def test_a_part_that_is_away_is_asked_again_after_a_while_only() -> None:
    pair = Pair()
    pair.away()
    for _ in range(3):
        pair.together.count()
    assert pair.faults.calls == ["count"]
    pair.faults.down = None
    pair.together.count()
    assert pair.faults.calls == ["count"]
    pair.seconds = 5
    pair.first.insert("tea", "a")
    assert pair.together.count() == 1
    assert pair.state == (False, 0)


@pytest.mark.parametrize("error", [NotFound("no"), InvalidInput("no"), Conflict("no"), Corrupt("no")])
def test_only_unavailability_leads_further(error: MemwellError) -> None:
    pair = Pair()
    pair.faults.fail(error)
    with pytest.raises(type(error)):
        pair.together.count()
    assert pair.second_faults.calls == []


def test_when_all_are_away_the_first_failure_is_raised() -> None:
    pair = Pair()
    pair.away()
    pair.second_faults.down = Unavailable("neither")
    with pytest.raises(Unavailable, match="no route"):
        pair.together.count()


def test_hits_of_a_memory_name_the_fallback() -> None:
    pair = Pair()
    pair.second.insert("tea with milk", "b")
    pair.away()
    with Memory(pair.together.store, embedder=None) as memory:
        (hit,) = memory.recall("tea")
        assert any("fallback" in note for note in hit.why.notes)
        with pytest.raises(Unavailable, match="only it takes `write`"):
            memory.remember("coffee")


def test_an_embedder_stands_in_for_one_that_has_never_answered() -> None:
    with serving(services.openai) as service:
        away = OpenAI("test", key=KEY, base_url="http://127.0.0.1:9/v1", attempts=1)
        there = OpenAI("test", key=KEY, base_url=f"{service.url}/v1")
        part = Fallback(away, there)
        assert part.dimension is None
        run(part, part.prepare())
        assert part.dimension == services.DIMENSION
        assert run(part, part.embed(["tea"])).shape == (1, services.DIMENSION)
        run(part, part.close())


# ------------------------------------------------------------------------------------------- read-only


def test_writes_are_refused_while_degraded() -> None:
    pair = Pair()
    pair.away()
    with pytest.raises(Unavailable, match="only it takes `write`") as caught:
        pair.together.insert("tea", "a")
    assert not caught.value.unsent
    with pytest.raises(Unavailable) as caught:
        pair.together.insert("tea", "a")
    assert (caught.value.unsent, caught.value.retry_after) == (True, 5)
    assert pair.second.count() == 0
    pair.back()
    assert pair.together.insert("tea", "a").reinforced == 0


def test_the_change_sequence_is_the_first_parts_alone() -> None:
    pair = Pair()
    pair.second.insert("tea", "a")
    pair.away()
    for call in (lambda: pair.together.changes(), lambda: pair.together.run(pair.together.store.position())):
        with pytest.raises(Unavailable):
            call()


def test_keys_are_read_from_the_next_and_not_written() -> None:
    faults, second = Faults(), open_keyvalue("memory://")
    part = Fallback(Flaky(open_keyvalue("memory://"), faults), second)
    run(second, second.set("key", b"old"))
    faults.down = Unavailable("away")
    assert run(part, part.get("key")) == b"old"
    for call in (part.set("key", b"new"), part.increment("count"), part.delete("key")):
        with pytest.raises(Unavailable):
            run(part, call)


# ---------------------------------------------------------------------------------------------- replay


def test_writes_go_to_the_next_and_are_replayed_in_order() -> None:
    pair = Pair(log := open_log("memory://"))
    for each in (pair.first, pair.second):
        each.insert("tea", "a", embedding=embedding(0))
        each.insert("gone", "g")
    pair.away()
    harness = pair.together
    harness.update("a", content="tea with milk", embedding=embedding(10))
    harness.update("a", category="drinks")
    kept = harness.insert("coffee", "b", metadata={"at": "now", "n": [1, None]}, tags=("x",), ttl=100)
    harness.link("b", "a", kind="extends", strength=0.5)
    harness.embed("b", "coffee", embedding(20))
    harness.touch("a", 2)
    assert harness.delete("g") == ["g"]
    harness.insert("old", "o", at=START - timedelta(days=9))
    harness.delete(where={"created_at": {"$lt": START - timedelta(days=1)}})
    assert harness.ids() == ["a", "b"]
    assert pair.first.one("a").content == "tea"
    assert len(run(log, log.read(REPLAY))) == 9
    pair.back()
    assert harness.one("b") == pair.first.one("b")
    assert pair.first.one("b").scope == kept.scope
    assert pair.state == (False, 0)
    assert everything(pair.first) == everything(pair.second)
    assert run(log, log.read(REPLAY)) == []


def test_nothing_else_reaches_the_first_before_the_replay() -> None:
    pair = Pair(open_log("memory://"))
    pair.away()
    pair.together.insert("tea", "a")
    pair.back()
    pair.faults.calls.clear()
    pair.together.update("a", content="tea with milk")
    writes = [call for call in pair.faults.calls if call == "write"]
    assert len(writes) == 2
    assert pair.first.one("a").version == 2


def test_what_the_first_refuses_is_put_aside(caplog: pytest.LogCaptureFixture) -> None:
    pair = Pair(log := open_log("memory://"))
    for each in (pair.first, pair.second):
        each.insert("tea", "a")
    pair.away()
    pair.together.update("a", content="tea with milk", expected_version=1)
    pair.together.insert("coffee", "b")
    pair.first.update("a", content="tea with lemon")
    pair.back()
    assert pair.together.one("a").content == "tea with lemon"
    assert pair.first.ids() == ["a", "b"]
    assert "refused" in caplog.text
    (refused,) = run(log, log.read(REFUSED))
    ((operation,), now) = unpack(refused.data)
    assert (operation.changes, now) == ({"content": "tea with milk"}, START)  # type: ignore[union-attr]


def test_a_write_whose_answer_was_lost_is_not_carried_out_twice() -> None:
    pair = Pair(open_log("memory://"))
    pair.faults.fail(Unavailable("cut off"), on="write", lost=True)
    pair.together.insert("tea", "a")
    pair.back()
    assert pair.together.one("a").reinforced == 0
    assert pair.first.one("a").reinforced == 0


def test_a_replay_that_is_cut_short_is_continued() -> None:
    pair = Pair(log := open_log("memory://"))
    pair.away()
    for number in range(5):
        pair.together.insert(f"text {number}", f"r{number}")
    pair.back()
    pair.faults.fail(Unavailable("cut off"), on="write", lost=True)
    assert pair.together.count() == 5
    assert pair.state == (True, 1)
    pair.together.insert("text 5", "r5")
    pair.back()
    assert pair.together.count() == 6
    assert [found.reinforced for found in pair.first.scan()] == [0] * 6
    assert run(log, log.read(REPLAY)) == []


def test_another_process_replays_what_this_one_noted(tmp_path: Path) -> None:
    log = open_log(f"sqlite:///{tmp_path / 'log.db'}")
    pair = Pair(log)
    pair.away()
    pair.together.insert("tea", "a")
    pair.back()
    assert pair.again(log).one("a").content == "tea"
    assert pair.first.ids() == ["a"]


def test_of_two_processes_one_replays(tmp_path: Path) -> None:
    log = open_log("memory://")
    pair = Pair(log)
    pair.away()
    pair.together.insert("tea", "a")
    pair.back()
    claim = pair.first.store.claim("replay of a fallback", "somebody", seconds=1e9, now=START)
    assert run(pair.first.store, claim) == 0
    assert pair.together.ids() == ["a"], "the fallback answers until the other has replayed"
    assert pair.first.ids() == []


def test_what_another_process_noted_in_the_same_outage_comes_before_anything_else(tmp_path: Path) -> None:
    log = open_log(f"sqlite:///{tmp_path / 'log.db'}")
    pair = Pair(log)
    other = pair.again(log)
    assert (pair.together.count(), other.count()) == (0, 0), "both have found the log empty"
    pair.away()
    other.count()
    pair.together.insert("tea", "a")
    pair.back()
    assert other.ids() == ["a"]
    assert pair.first.ids() == ["a"]


class Meanwhile(MemoryLog):
    """Something happens just after the log has been read, or before something is added to it."""

    def __init__(self) -> None:
        super().__init__()
        self.after_read: Callable[[], object] | None = None
        self.waits = 0
        """How often the next addition lets others go first."""

    async def _read(self, stream: str, after: str | None, limit: int) -> list[Entry]:
        found = await super()._read(stream, after, limit)
        happens, self.after_read = self.after_read, None
        if happens is not None:
            happens()
        return found

    async def _append(self, stream: str, data: Sequence[bytes]) -> list[str]:
        waits, self.waits = self.waits, 0
        for _ in range(waits):
            await asyncio.sleep(0)
        return await super()._append(stream, data)


def test_what_is_noted_just_when_the_log_was_found_empty_is_replayed() -> None:
    pair = Pair(log := Meanwhile())
    log.after_read = lambda: pair.together.insert("tea", "a")
    assert pair.together.count() == 0
    assert len(run(log, log.read(REPLAY))) == 1
    pair.back()
    assert pair.together.ids() == ["a"]
    assert pair.first.ids() == ["a"]


def test_nobody_reaches_the_first_while_a_new_process_replays() -> None:
    pair = Pair(log := Meanwhile())
    pair.away()
    pair.together.insert("tea", "a")
    pair.back()
    fresh = pair.again(log)
    seen: list[list[str]] = []
    log.after_read = lambda: setattr(log, "after_read", lambda: seen.append(fresh.ids()))
    fresh.count()
    assert seen == [["a"]], "the second answered, which has it"


def test_a_first_that_is_full_puts_nothing_aside(caplog: pytest.LogCaptureFixture) -> None:
    pair = Pair(log := open_log("memory://"))
    pair.away()
    pair.together.insert("tea", "a")
    pair.together.insert("coffee", "b")
    pair.back()
    pair.faults.fail(BackendError("the disk is full"), on="write")
    assert pair.together.ids() == ["a", "b"]
    assert pair.state == (True, 1)
    assert "the disk is full" in caplog.text
    assert len(run(log, log.read(REPLAY))) == 2
    pair.back()
    assert pair.together.ids() == ["a", "b"]
    assert (pair.first.ids(), pair.state) == (["a", "b"], (False, 0))
    assert run(log, log.read(REFUSED)) == []


class OnALoop(MemoryStore):
    blocking = False


def test_writes_at_once_are_replayed_in_the_order_in_which_the_next_took_them() -> None:
    first, second, log, faults = OnALoop(), OnALoop(), Meanwhile(), Faults()
    log.blocking = False
    together = Fallback(Flaky(first, faults), second, replay=log, recovery_timeout=0)

    async def play() -> None:
        faults.down = Unavailable("no route")
        await together.write([Insert(record=record("tea", id="a"))], now=START)
        log.waits = 5
        changes = [Update(scope=ANYBODY, id="a", changes={"content": text}) for text in ("milk", "lemon")]
        await asyncio.gather(*(together.write([change], now=START) for change in changes))
        faults.down = None
        await together.count(ANYBODY, now=START)
        (one,), (other,) = [await store.get(ANYBODY, ["a"], now=START) for store in (first, second)]
        assert (one.content, one.version) == (other.content, other.version)

    asyncio.run(play())


# ------------------------------------------------------------------------------------------- made wrong


def test_parts_that_do_not_fit_are_refused() -> None:
    store, log = open_store("memory://"), open_log("memory://")
    with pytest.raises(ConfigError, match="second"):
        Fallback(store)
    with pytest.raises(ConfigError, match="threaded"):
        Fallback(store, threaded(open_store("memory://")))
    with pytest.raises(ConfigError, match="only the writes of stores"):
        Fallback(open_keyvalue("memory://"), open_keyvalue("memory://"), replay=log)
    with pytest.raises(ConfigError, match="dimension"):
        Fallback(Exact(3), Exact(4))
    with pytest.raises(ConfigError, match="model"):
        Fallback(Hashing(dimension=64), Hashing(dimension=128))


def test_closing_closes_all_parts_but_the_log() -> None:
    parts, log = (open_store("memory://"), open_store("memory://")), open_log("memory://")
    together = Fallback(*parts, replay=log)
    run(together, together.close())
    assert [part.closed for part in parts] == [True, True]
    assert not log.closed


# ------------------------------------------------------------------------------------ writes as bytes


def test_every_operation_comes_back_as_it_was() -> None:
    scope = Scope(tenant_id="t", user_id="ann", namespace="n")
    kept = record("żółw", id="a", scope=scope, tags=("x", "y"), metadata={"n": [1, None, {"k": 2.5}]}, ttl=9)
    past = (Version(record=kept, changed_at=START, changed=("content",)),)
    given: list[Any] = [
        Insert(record=kept, named=True, dated=True, past=past),
        Insert(record=kept),
        Insert(record=kept, overwrite=("importance", "expires_at")),
        Update(scope=scope, id="a", changes={"tags": ("z",), "expires_at": START, "metadata": {"at": 1}}),
        Update(scope=ANYBODY, id="a", changes={"category": None}, expected_version=3),
        Delete(scope=scope, ids=("a", "b"), where={"$or": [{"created_at": {"$lt": START}}, {"n": [1]}]}),
        Delete(scope=scope),
        SetLink(scope=scope, source="a", link=Link(target="b", kind="k", strength=0.25, created_at=START)),
        Unlink(scope=scope, source="a", target="b", kind="k"),
        Touch(tenant_id="t", accesses={"a": (2, START)}),
    ]
    assert unpack(pack(given, START)) == (given, START)
    ((embed,), _) = unpack(pack([Embed(tenant_id="t", id="a", content="c", embedding=embedding(30))], START))
    assert isinstance(embed, Embed)
    assert embed.embedding.vectors.tobytes() == embedding(30).vectors.tobytes()


@pytest.mark.parametrize("data", [b"", b"\xff", b"{}", b'{"now": 1, "operations": [["Drop", {}]]}'])
def test_what_is_no_write_is_corrupt(data: bytes) -> None:
    with pytest.raises(Corrupt):
        unpack(data)
