"""Clusters and summaries through the public API, on every backend."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memwell import Cluster, Corrupt, InvalidInput, Memory, NotFound
from memwell.testing.memory import Words
from memwell.testing.samples import Clock

TEXTS = {
    "walk": "the small dog runs along the river",
    "ball": "the small dog runs after the ball",
    "vet": "the small dog runs from the vet",
    "rent": "rent is due on monday morning",
    "raise": "rent is due on tuesday morning",
    "boat": "a blue boat with two sails",
}
Opened = Callable[..., Memory]


def noted(memory: Memory, **owner: Any) -> Memory:
    for id, text in TEXTS.items():
        memory.remember(text, id=id, **(owner or {"user_id": "ana"}))
    return memory


def groups(found: Sequence[Cluster]) -> list[set[str]]:
    return [set(one.memory_ids) for one in found]


DOG, RENT, BOAT = {"walk", "ball", "vet"}, {"rent", "raise"}, {"boat"}


def test_by_topic_and_category_of_each_user(opened: Opened, clock: Clock) -> None:
    memory = opened()
    given = {
        "a": {"category": "Work", "metadata": {"topic": "Launch"}, "user_id": "ana"},
        "b": {"category": "work", "metadata": {"topic": "launch "}, "user_id": "ana"},
        "c": {"category": "work", "metadata": {"topic": "hiring"}, "user_id": "ana"},
        "d": {"category": "work", "metadata": {"topic": "launch"}, "user_id": "bob"},
        "e": {"user_id": "ana"},
        "f": {"user_id": "ana", "session_id": "s"},
    }
    text = {"e": "Ana is allergic to nuts", "f": "My flight to Tokyo leaves soon"}
    for id, more in given.items():
        clock.advance(1)
        memory.remember(text.get(id, f"note {id}"), id=id, **more)  # type: ignore[arg-type]
    found = memory.clusters(user_id="ana")
    assert [(one.label, one.memory_ids, one.user_id) for one in found] == [("launch", ("a", "b"), "ana")]
    assert (found[0].topic, found[0].category, found[0].size) == ("launch", "work", 2)
    assert found[0].summary == "note a\nnote b"
    assert (found[0].created_at, found[0].updated_at) == (
        memory.get("a").created_at,
        memory.get("b").created_at,
    )
    every = memory.clusters(by="topic+category", min_size=1)
    assert [(one.label, one.user_id, one.size) for one in every] == [
        ("work / launch", "ana", 2), ("health / allergy", "ana", 1), ("travel / flight", "ana", 1),
        ("work / hiring", "ana", 1), ("work / launch", "bob", 1),
    ]  # fmt: skip
    assert memory.rebuild_clusters(by="topic+category") == 5
    assert groups(memory.clusters(by="category", category="WORK", user_id="ana")) == [{"a", "b", "c"}]
    assert groups(memory.clusters(topic="flight", min_size=1)) == [{"f"}]
    assert groups(memory.clusters(min_size=1, session_id="s", user_id="ana")) == [{"f"}]
    assert len(memory.clusters(min_size=1, limit=2)) == 2
    assert memory.scoped(user_id="bob").clusters() == []


@pytest.mark.parametrize("embedder", [None, Words(dimension=512)])
def test_by_vectors_and_by_terms(opened: Opened, embedder: Any) -> None:
    memory = noted(opened(embedder=embedder))
    for id, text in TEXTS.items():
        memory.remember(text, id=f"bob-{id}", user_id="bob")
    found = memory.clusters(by="vectors", min_size=1, user_id="ana")
    assert groups(found) == [DOG, RENT, BOAT]
    assert memory.rebuild_clusters() == 6
    assert [one.id for one in memory.clusters(by="vectors", min_size=1, user_id="ana")] == [
        one.id for one in found
    ]
    assert groups(memory.clusters(by="vectors", threshold=1.0, user_id="ana")) == []


def test_stored_clusters_follow_what_happens_to_their_memories(
    opened: Opened, url: str, clock: Clock
) -> None:
    memory = noted(opened(embedder=Words(dimension=512)))
    memory.rebuild_clusters(user_id="ana")
    built = clock()
    clock.advance(10)
    memory.remember("the small dog runs and runs", id="new", user_id="ana")
    memory.remember("quite another thing", id="other", user_id="ana")
    memory.update("vet", content="a blue boat with three sails")
    memory.forget("raise", user_id="ana")
    found = memory.clusters(by="vectors", min_size=1, user_id="ana")
    assert groups(found) == [{"walk", "ball", "new"}, {"boat", "vet"}, {"other"}, {"rent"}] or groups(found) == [
        {"walk", "ball", "new"}, {"boat", "vet"}, {"rent"}, {"other"},
    ]  # fmt: skip
    assert {one.built_at for one in found if "other" not in one.memory_ids} == {built}
    if url != "memory://":
        again = opened(embedder=Words(dimension=512))
        assert again.clusters(by="vectors", min_size=1, user_id="ana") == found
    memory.forget(everything=True)
    assert memory.clusters(by="vectors", min_size=1) == []
    assert memory.rebuild_clusters() == 0


def test_an_erased_memory_is_named_nowhere(tmp_path: Path) -> None:
    file = tmp_path / "clusters.db"
    with noted(Memory(file, embedder=Words())) as memory:
        memory.rebuild_clusters()
        receipt = memory.erase("walk", reason="asked to", user_id="ana")
        assert ("clusters", "gone") in {(trace.place, trace.state) for trace in receipt.traces}
        found = memory.clusters(by="vectors", min_size=1, user_id="ana")
        assert "walk" not in {id for one in found for id in one.memory_ids}
        assert not [one for one in found if "river" in one.summary]


def test_damaged_clusters_say_what_to_do_and_are_erased_all_the_same(tmp_path: Path) -> None:
    file = tmp_path / "clusters.db"
    with noted(Memory(file, embedder=Words())) as memory:
        memory.rebuild_clusters()
    with sqlite3.connect(file) as connection:
        assert connection.execute("UPDATE memwell_log_item SET data = x'00'").rowcount == 1
    connection.close()
    with Memory(file, embedder=Words()) as memory:
        with pytest.raises(Corrupt, match="rebuild_clusters"):
            memory.clusters(by="vectors", user_id="ana")
        assert memory.erase("walk", reason="asked to").complete
        assert memory.rebuild_clusters() > 0
        assert memory.clusters(by="vectors", user_id="ana")


def test_building_at_once_leaves_one_whole_result(opened: Opened) -> None:
    memory = noted(opened(embedder=Words(dimension=512)))
    with ThreadPoolExecutor(4) as pool:
        assert {*pool.map(lambda _: memory.rebuild_clusters(user_id="ana"), range(8))} == {3}
    assert groups(memory.clusters(by="vectors", min_size=1, user_id="ana")) == [DOG, RENT, BOAT]


WORD = st.sampled_from("ant bee cat dog elk fox gnu hen".split())
SAID = st.lists(st.lists(WORD, min_size=1, max_size=4).map(" ".join), unique=True, min_size=1, max_size=20)


@settings(max_examples=40, deadline=None)
@given(
    said=SAID, seed=st.integers(0, 99), threshold=st.sampled_from([0.3, 0.5, 0.7, 1.0]), vectors=st.booleans()
)
def test_clusters_are_a_partition_whatever_the_order(
    said: list[str], seed: int, threshold: float, vectors: bool
) -> None:
    def partition(texts: Sequence[str]) -> set[frozenset[str]]:
        embedder = Words(dimension=512) if vectors else None
        with Memory("memory://", embedder=embedder) as memory:
            by_id = {record.id: record.content for record in memory.remember(texts, user_id="ana")}
            for way in ("topic", "category", "topic+category"):
                found = memory.clusters(by=way, min_size=1)  # type: ignore[arg-type]
                assert sorted(id for one in found for id in one.memory_ids) == sorted(by_id)
            made = memory.clusters(by="vectors", min_size=1, threshold=threshold)
            assert sorted(id for one in made for id in one.memory_ids) == sorted(by_id)
            assert memory.rebuild_clusters(threshold=threshold) == len(made)
            assert memory.rebuild_clusters(threshold=threshold) == len(made)
            stored = memory.clusters(by="vectors", min_size=1, threshold=threshold)
            assert [(one.id, one.memory_ids) for one in stored] == [(one.id, one.memory_ids) for one in made]
            return {frozenset(by_id[id] for id in one.memory_ids) for one in made}

    assert partition(said) == partition(random.Random(seed).sample(said, len(said)))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"by": "words"}, "by is one of topic, category"),
        ({"min_size": 0}, "min_size is a whole number from 1"),
        ({"threshold": 0.5}, "threshold is for by='vectors'"),
        ({"by": "vectors", "threshold": 0}, "a cosine over 0"),
        ({"topic": 7}, "topic is a text"),
    ],
)
def test_bad_arguments_of_clusters(given: Any, message: str) -> None:
    with Memory("memory://", embedder=None) as memory, pytest.raises(InvalidInput, match=message):
        memory.clusters(**given)


# ---------------------------------------------------------------------------------------------- summaries


def test_a_summary_of_a_conversation_names_its_sources(opened: Opened, clock: Clock) -> None:
    memory = opened(embedder=Words())
    ids = []
    for number in range(4):
        clock.advance(1)
        said = memory.remember(f"On day {number} we saw the blue boat.", user_id="ana", session_id="trip")
        ids.append(said.id)
    memory.remember("no conversation", user_id="ana")
    (summary,) = memory.summarise(user_id="ana", characters=60)
    assert (summary.kind, summary.session_id, len(summary.content) <= 60) == ("summary", "trip", True)
    assert {link.target for link in summary.links if link.kind == "derived_from"} == {*ids}
    assert [one.id for one in memory.related(ids[0], kind="derived_from")] == [summary.id]
    assert memory.get(ids[0]) is not None
    assert {hit.id for hit in memory.recall("blue boat", user_id="ana")} >= {ids[0], summary.id}
    assert memory.summarise(session_id="trip", user_id="ana") == []
    clock.advance(1)
    later = memory.remember("Then we saw a red boat.", user_id="ana", session_id="trip")
    (more,) = memory.summarise(session_id="trip", user_id="ana", originals="hide")
    assert [link.target for link in more.links if link.kind == "derived_from"] == [later.id]
    assert "summary" not in {one.topic for one in memory.clusters(min_size=1)}
    hits = {hit.id for hit in memory.recall("red boat", user_id="ana")}
    assert more.id in hits
    assert later.id not in hits


def test_a_summary_of_a_cluster(opened: Opened) -> None:
    memory = noted(opened(embedder=Words(dimension=512)))
    cluster = memory.clusters(by="vectors", user_id="ana")[0]
    said: list[list[str]] = []

    async def model(texts: Sequence[str], characters: int) -> str:
        said.append(list(texts))
        return f"{len(texts)} notes on a dog"

    (summary,) = memory.summarise(cluster.memory_ids, summariser=model, originals="hide", user_id="ana")
    assert summary.content == "3 notes on a dog"
    assert sorted(said[0]) == sorted(TEXTS[id] for id in DOG)
    assert {*summary.metadata["sources"]} == DOG
    assert memory.summarise(cluster.memory_ids, summariser=model, originals="hide")[0].id == summary.id
    assert [hit.id for hit in memory.recall("small dog runs", user_id="ana")] == [summary.id]
    memory.summarise(["rent", "raise"], originals="forget", user_id="ana")
    assert memory.count(where={"id": {"$in": ["rent", "raise"]}}) == 0
    with pytest.raises(NotFound, match="rent"):
        memory.summarise(["rent", "boat"])
    with pytest.raises(NotFound):
        memory.scoped(user_id="bob").summarise(["boat"])


def test_the_receipt_of_a_source_names_the_summary_that_quotes_it(tmp_path: Path) -> None:
    with noted(Memory(tmp_path / "clusters.db", embedder=None)) as memory:
        (summary,) = memory.summarise(["walk", "boat"], user_id="ana")
        receipt = memory.erase("walk", reason="asked to", user_id="ana")
        (trace,) = [trace for trace in receipt.remaining if trace.place == "summaries"]
        assert summary.id in trace.detail
        both = memory.erase(["boat", summary.id], reason="asked to", user_id="ana")
        assert "summaries" not in {trace.place for trace in both.traces}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "takes an owner"),
        ({"ids": "boat"}, "a list of ids"),
        ({"user_id": "ana", "characters": 3}, "characters is a whole number of 20"),
        ({"user_id": "ana", "originals": "burn"}, "originals is keep, hide, forget"),
        ({"user_id": "ana", "summariser": 7}, "summariser is a function"),
    ],
)
def test_bad_arguments_of_summarise(given: Any, message: str) -> None:
    with Memory("memory://", embedder=None) as memory, pytest.raises(InvalidInput, match=message):
        memory.summarise(**given)
