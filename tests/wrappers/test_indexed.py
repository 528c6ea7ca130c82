"""A store with an index: equal in every answer, whatever happens to either, and each change delivered once."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.processes import Script
from tests.wrappers.durable import DIMENSION, Durable, Suspending

from memwell import AsyncMemory, ConfigError, Hit, Memory, NewMemory, NotSupported
from memwell.errors import EmbeddingError
from memwell.followers import Follower, follower, lease
from memwell.followers.index_projection import follower_of
from memwell.followers.index_projection.points import key_of, name_of
from memwell.indexes.exact import Exact
from memwell.ports import Embed, Embedding, Point, Store
from memwell.registry import open_store
from memwell.testing import run
from memwell.testing.memory import Words
from memwell.testing.samples import MODEL
from memwell.testing.stores import Harness
from memwell.wrappers import indexed
from memwell.wrappers.indexed import Indexed

HERE = Path(__file__).parent


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "memory.db"


@pytest.fixture
def index(tmp_path: Path) -> Durable:
    return Durable(tmp_path / "index.db")


def opened(path: Path, index: Any, **options: Any) -> Memory:
    return Memory(
        f"sqlite:///{path}", embedder=options.pop("embedder", None) or Words(), index=index, **options
    )


def following(store: Store, index: Any, model: str, clock: Any = None) -> Follower:
    return follower_of(store, index, model, clock)[0]


NEIGHBOURS = "neighbouring turns of the conversation share words with the question"


def answers(hits: list[Hit]) -> list[tuple[str, float]]:
    return [(hit.record.id, hit.score) for hit in hits]


def alike(found: list[tuple[str, float]], expected: list[tuple[str, float]]) -> bool:
    """The same ids in the same order, with scores that differ by one in the sixth digit at most: rounding alone would
    tell two apart that lie on either side of a half."""
    return [id for id, _ in found] == [id for id, _ in expected] and all(
        abs(one - other) <= 1e-6 for (_, one), (_, other) in zip(found, expected, strict=True)
    )


def notes(hits: list[Hit]) -> str:
    return " ".join(note for hit in hits for note in hit.why.notes)


def names(index: Durable) -> set[str]:
    return {key_of(name)[1] for name in run(index, index.ids(limit=100_000))}


TALK = [
    NewMemory(content=f"{fruit} {colour} number{n}", id=f"t{n:03}", session_id=f"s{n % 7}", metadata={"n": n})
    for n, (fruit, colour) in enumerate(
        (fruit, colour)
        for fruit in ("apple", "pear", "plum", "cherry", "quince")
        for colour in ("red", "green", "blue", "old", "ripe", "sweet", "sour", "big")
    )
]


# ------------------------------------------------------------------------------------------------ alike


def test_scores_are_those_of_the_store_alone(path: Path, index: Durable) -> None:
    with opened(path, index) as memory:
        memory.remember(TALK, user_id="ann")
        asked: list[dict[str, Any]] = [
            {},
            {"where": {"n": {"$lt": 9}}},
            {"user_id": "ann"},
            {"user_id": "bob"},
        ]
        found = [answers(memory.recall("ripe pear", limit=5, **options)) for options in asked]
    with opened(path, None) as memory:
        again = [answers(memory.recall("ripe pear", limit=5, **options)) for options in asked]
        assert all(map(alike, found, again))
    assert found[0]


def test_a_filter_on_what_no_index_has_is_answered_by_the_store(path: Path, index: Durable) -> None:
    with opened(path, index) as memory:
        memory.remember(TALK)
        hits = memory.recall("ripe fruit", where={"content": {"$contains": "plum"}}, mode="semantic")
        assert {hit.content.split()[0] for hit in hits} == {"plum"}


def test_tenants_and_ids_with_slashes_never_share_a_point() -> None:
    keys = [("a", "b/c"), ("a/b", "c"), ("a%2Fb", "c"), ("a%", "x"), ("a%25", "x")]
    assert len({name_of(*key) for key in keys}) == len(keys)
    assert [key_of(name_of(*key)) for key in keys] == keys


# ---------------------------------------------------------------------------------------- one delivery


def test_each_change_is_delivered_once_and_a_second_life_delivers_nothing(path: Path, index: Durable) -> None:
    with opened(path, index) as memory:
        memory.remember(TALK)
        memory.remember("one more", id="x")
        memory.forget("t003")
    expected = Counter([f"default/{item.id}" for item in TALK] + ["default/x"])
    assert Counter(id for what, id in index.delivered if what == "put") == expected
    assert [id for what, id in index.delivered if what == "delete"] == ["default/t003"]
    index.forget_deliveries()
    with opened(path, index) as memory:
        memory.recall("apple")
        memory.remember("fresh", id="y")
    assert index.delivered == [("put", "default/y")]


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[4])
from tests.wrappers.durable import Durable
from memwell import Memory
from memwell.testing.memory import Words

name, store, index = sys.argv[1:4]
durable = Durable(Path(index))
durable.delay = 0.002
memory = Memory(f"sqlite:///{store}", embedder=Words(), index=durable)
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[5])):
    record = memory.remember(f"apple {name} {number}", id=f"{name}{number}")
    print(record.id, flush=True)
    if number % 7 == 0:
        memory.recall("apple")
memory.recall("apple")
memory.close()
"""


def started(name: str, path: Path, index: Durable, count: int) -> Script:
    return Script(WRITER, name, path, index.path, HERE, count)


def let_go(process: Script) -> None:
    process.stdin.write("go\n")
    process.stdin.flush()


def test_two_processes_on_one_file_and_one_index_deliver_nothing_twice(path: Path, index: Durable) -> None:
    processes = [started(name, path, index, 60) for name in ("ann", "bob")]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        let_go(process)
    for process in processes:
        process.communicate(timeout=120)
        assert process.returncode == 0
    with opened(path, index) as memory:
        memory.remember("the last", id="last")
        memory.recall("apple")
        assert memory.doctor().ok
    expected = {f"default/{name}{number}" for name in ("ann", "bob") for number in range(60)}
    assert Counter(index.delivered) == Counter(("put", id) for id in expected | {"default/last"})


@pytest.mark.parametrize("seed", range(4))
def test_a_killed_process_loses_nothing(path: Path, index: Durable, seed: int, monkeypatch: Any) -> None:
    monkeypatch.setattr(lease, "LEASE", 0.2)
    chance, known = random.Random(seed), set[str]()
    for life in range(3):
        with started(f"life{seed}{life}n", path, index, 400) as process:
            assert process.stdout.readline() == "ready\n"
            let_go(process)
            for _ in range(chance.randrange(1, 60)):
                known.add(process.stdout.readline().strip())
            time.sleep(chance.random() * 0.02)
            process.send_signal(signal.SIGKILL)
    later = lambda: datetime.now(UTC) + timedelta(minutes=1)  # noqa: E731  the right of the dead has ended
    store = open_store(f"sqlite:///{path}")
    projection = following(store, index, "words", later)
    assert run(store, projection.catch_up())
    stored = {record.id for record, _ in run(store, store.embedded("words", limit=10_000))}
    assert known <= stored
    assert names(index) == stored
    run(store, store.close())
    with opened(path, index, clock=later) as memory:
        assert memory.doctor().ok


# ------------------------------------------------------------------------------------- an index that fails


def test_while_the_index_is_down_the_store_answers_and_says_so(
    path: Path, index: Durable, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(path, index) as memory:
        memory.remember(TALK)
        expected = answers(memory.recall("ripe pear"))
        index.stop()
        hits = memory.recall("ripe pear")
        assert alike(answers(hits), expected)
        assert "the index was stopped" in notes(hits)
        assert memory.remember("written meanwhile", id="x").embedded
        memory.forget("t001")
        asked = index.asked
        for _ in range(20):
            assert "unavailable" in notes(memory.recall("written meanwhile"))
        assert index.asked == asked
        index.start()
        monkeypatch.setattr(indexed, "PAUSE", 0.0)
        memory._memory._engine.parts.store._again = 0.0  # type: ignore[attr-defined]
        hits = memory.recall("written meanwhile")
        assert hits[0].record.id == "x"
        assert notes(hits) == ""
        assert names(index) == {item.id for item in TALK} - {"t001"} | {"x"}
        assert memory.doctor().ok


def test_an_index_that_comes_back_empty_is_built_again(path: Path, index: Durable) -> None:
    words = Words()
    with opened(path, index, embedder=words) as memory:
        memory.remember(TALK)
    texts = len(words.texts)
    index.start(empty=True)
    with opened(path, index, embedder=words) as memory:
        memory.recall("apple")
        assert names(index) == {item.id for item in TALK}
        index.start(empty=True)  # while it is open
        assert len(memory.recall("green pear", mode="semantic")) == 10
        memory.recall("pear")
        assert names(index) == {item.id for item in TALK}
    assert len(words.texts) <= texts + 3  # the questions


class Unlisted(Durable):
    """Whoever lists it reads it whole, as many services do."""

    async def _ids(self, after: str | None, limit: int) -> list[str]:
        raise AssertionError("listed")


def test_neither_a_start_nor_a_search_lists_the_index(path: Path, tmp_path: Path) -> None:
    index = Unlisted(tmp_path / "index.db")
    for _ in range(2):
        with opened(path, index) as memory:
            memory.remember(TALK, user_id="ann")
            assert memory.recall("ripe pear", user_id="ann", mode="semantic")
            assert not memory.recall("ripe pear", user_id="bob")
            asked = index.asked
            assert not memory.recall("ripe pear", user_id="bob")
            assert (
                index.asked == asked + 1
            )  # what it does not find there, nor does the store, is no reason to look


def test_an_index_with_points_of_another_model_is_built_again(
    path: Path, index: Durable, tmp_path: Path
) -> None:
    with opened(tmp_path / "other.db", index, embedder=Words(model="other")) as memory:
        memory.remember([NewMemory(content=f"noise {n}", id=f"t{n:03}") for n in range(30)])
    with opened(path, index) as memory:
        memory.remember(TALK)
        assert memory.doctor().ok
    assert names(index) == {item.id for item in TALK}


def test_a_build_cut_short_is_finished_by_the_next_process(
    path: Path, index: Durable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "BATCH", 8)
    with opened(path, None) as memory:
        memory.remember(TALK)
    store = open_store(f"sqlite:///{path}")
    first = following(store, index, "words")
    assert not run(store, first.catch_up(0, rebuild=True))
    assert 0 < len(names(index)) < len(TALK)
    second = following(store, index, "words", lambda: datetime.now(UTC) + timedelta(minutes=1))
    assert run(store, second.catch_up())
    assert names(index) == {item.id for item in TALK}
    assert run(store, first.catch_up())
    run(store, store.close())


def test_a_record_that_the_index_refuses_does_not_hold_up_the_others(path: Path, index: Durable) -> None:
    index.refuses = "bad"
    with opened(path, index) as memory:
        memory.remember(
            [
                NewMemory(content=f"apple {n}", id=f"a{n}", category="good" if n != 3 else "bad")
                for n in range(9)
            ]
        )
        memory.remember("pear", id="p")
        assert {hit.record.id for hit in memory.recall("apple", limit=9)} == {f"a{n}" for n in range(9)}
        report = memory.doctor()
        assert [(p.id, p.detail) for p in report.problems] == [("a3", "missing from the index")]


# ------------------------------------------------------------------------------------------- a backlog


def test_a_search_finds_what_the_index_lacks_and_says_so(path: Path, index: Durable) -> None:
    with opened(path, index) as memory:
        memory.remember(TALK, user_id="ann")
        store = open_store(f"sqlite:///{path}")
        claimed = run(
            store, store.claim(f"{index.identity} words", "other", seconds=60, now=datetime.now(UTC))
        )
        assert claimed
        memory.remember("violet kohlrabi", id="fresh", user_id="ann")
        memory.update("t000", content="a yellow banana", user_id="ann")
        hits = memory.recall("violet kohlrabi", mode="semantic", user_id="ann")
        assert hits[0].record.id == "fresh"
        assert "the index lacks 2 records" in notes(hits)
        assert memory.recall("yellow banana", mode="semantic")[0].record.id == "t000"
        memory.remember("for bob", user_id="bob")
        assert "lacks" not in notes(memory.recall("for bob", mode="semantic", user_id="nobody"))
        assert run(store, store.advance(f"{index.identity} words", "other", claimed, release=True))
        assert notes(memory.recall("violet kohlrabi")) == ""
        run(store, store.close())


def test_a_long_backlog_is_delivered_a_little_with_every_call(
    path: Path, index: Durable, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (follower, indexed):
        monkeypatch.setattr(module, "BATCH", 16)
    monkeypatch.setattr(indexed, "BUDGET", 0.0)
    with opened(path, index) as memory:
        memory.remember("first", id="first")
        with opened(path, None) as other:
            other.remember(TALK)
        hits = memory.recall("ripe pear")
        assert "not up to date" in notes(hits)
        with opened(path, None) as other:
            assert alike(answers(hits), answers(other.recall("ripe pear")))
        left = [len(TALK) - len(names(index))]
        while left[-1] > 0:
            memory.recall("ripe pear")
            left.append(len(TALK) + 1 - len(names(index)))
            assert left[-2] - left[-1] in (3, 4, 5)
        assert {note for hit in memory.recall("ripe pear") for note in hit.why.notes} <= {NEIGHBOURS}


def test_on_a_loop_the_rest_of_a_backlog_is_delivered_in_the_background(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "BATCH", 10)
    monkeypatch.setattr(indexed, "BUDGET", 0.0)
    index = Suspending(tmp_path / "index.db")

    async def main() -> None:
        async with AsyncMemory(f"sqlite:///{path}", embedder=Words(), index=index) as memory:
            await memory.remember(TALK)
            for _ in range(1000):
                if len(index.delivered) == len(TALK):
                    break
                await asyncio.sleep(0.005)
            assert len(index.delivered) == len(TALK)

    asyncio.run(main())


# --------------------------------------------------------------------------------------- doctor, repair


def test_the_doctor_compares_both_sides_and_repair_builds_the_index_again(path: Path, index: Durable) -> None:
    words = Words()
    with opened(path, index, embedder=words) as memory:
        memory.remember(TALK)
        kept = run(index, index.vectors(["default/t005"]))["default/t005"]
        run(index, index.delete(["default/t001"]))
        run(index, index.upsert([Point(id="default/t002", vector=-kept, fields={"metadata": {}})]))
        run(index, index.upsert([Point(id="default/ghost", vector=kept, fields={"metadata": {}})]))
        report = memory.doctor()
        assert {(p.id, p.detail) for p in report.problems} == {
            ("t001", "missing from the index"),
            ("t002", "the index holds another vector"),
            ("ghost", "only in the index"),
        }
        texts = len(words.texts)
        assert memory.repair().ok
        assert memory.doctor().ok
        assert len(words.texts) == texts
        assert names(index) == {item.id for item in TALK}


def test_a_doctor_without_the_index_says_so(path: Path, index: Durable) -> None:
    with opened(path, index) as memory:
        memory.remember("apple")
        index.stop()
        report = memory.doctor()
        assert not report.ok
        assert "the index was stopped" in report.problems[0].detail
        assert not report.problems[0].repairable


# --------------------------------------------------------------------------------------------- assembly


def test_an_index_of_another_dimension_is_refused_when_opened(path: Path) -> None:
    with pytest.raises(ConfigError, match="dimension"):
        Memory(f"sqlite:///{path}", embedder=Words(dimension=8), index=Exact(9))


def test_a_store_without_changes_takes_no_index() -> None:
    store = open_store("memory://")
    store.__class__ = type("Mute", (store.__class__,), {"capabilities": property(lambda _: _mute())})
    with pytest.raises(NotSupported, match="changes"):
        Indexed(store, Exact(8), model=MODEL)


def _mute() -> Any:
    from memwell.capabilities import Capabilities

    return Capabilities()


def test_only_the_index_of_the_serving_model_is_updated(path: Path, tmp_path: Path) -> None:
    old, new = Durable(tmp_path / "old.db"), Durable(tmp_path / "new.db")
    with opened(path, old) as memory:
        memory.remember("apple", id="a")
    with opened(path, new, embedder=Words(model="new")) as memory:
        memory.remember("pear", id="b")
        with pytest.raises(EmbeddingError, match="reembed"):
            memory.recall("pear")
        assert names(new) == set()
    store = open_store(f"sqlite:///{path}")
    harness = Harness(store)
    assert harness.write(Embed(tenant_id="default", id="a", content="apple", embedding=_wide("new")))
    assert run(store, store.serve("new")) == 0
    run(store, store.close())
    with opened(path, new, embedder=Words(model="new")) as memory:
        assert memory.recall("pear")[0].record.id == "b"
        assert names(new) == {"a", "b"}


def _wide(model: str) -> Any:
    return Embedding(model=model, vectors=np.eye(1, DIMENSION, dtype=np.float32))


def test_a_failing_update_never_fails_the_write(path: Path, index: Durable) -> None:
    index.stop()
    with opened(path, index) as memory:
        assert memory.remember("apple", id="a").embedded
        assert memory.forget("a") == ["a"]
