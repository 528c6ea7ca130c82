"""A store with an index when Redis loses its last writes: the index, which has seen them, is built anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.wrappers.durable import Durable

from memwell import Memory, NewMemory
from memwell.followers.index_projection.points import key_of
from memwell.indexes.exact import Exact
from memwell.ports import VectorIndex
from memwell.registry import open_store
from memwell.testing import run
from memwell.testing.memory import Words
from memwell.testing.services.redis_server import RedisServer
from memwell.testing.services.redis_topologies import call
from memwell.wrappers import indexed
from memwell.wrappers.cached_store import CachedStore


@pytest.fixture
def forgetful() -> Iterator[RedisServer]:
    """A server that keeps what `SAVE` saved, and nothing else."""
    with RedisServer(settings={"appendonly": "no"}) as server:
        yield server


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call feeds the index to the end, however slow the machine is."""
    monkeypatch.setattr(indexed, "BUDGET", 60.0)


def opened(server: RedisServer, index: VectorIndex) -> Memory:
    return Memory(server.url, embedder=Words(), index=index)


OTHERS = {f"leek{number}" for number in range(40)}
KEPT = {"apple", "pear", "plum", *OTHERS}


def lose(server: RedisServer, memory: Memory) -> None:
    """Some records are kept, and of three changes to them nothing but what the index has seen."""
    memory.remember([NewMemory(content=fruit, id=fruit) for fruit in ("apple", "pear", "plum")])
    memory.remember([NewMemory(content=f"kale kale kale {id}", id=id) for id in sorted(OTHERS)])
    assert memory.doctor().ok
    call(server, "SAVE")
    memory.update("apple", content="cherry")
    memory.forget("pear")
    memory.remember("quince", id="quince")
    assert memory.recall("cherry", mode="semantic", limit=1)[0].record.id == "apple"
    server.kill()
    server.start()


def names(index: VectorIndex) -> set[str]:
    return {key_of(name)[1] for name in run(index, index.ids(limit=1000))}


@pytest.mark.parametrize("meanwhile", [0, 2, 3, 4], ids="{}-written-since".format)
@pytest.mark.parametrize("whose", ["this", "next"])
@pytest.mark.parametrize("kind", ["lasting", "in-process"])
def test_an_index_that_saw_what_redis_lost_is_built_again(
    forgetful: RedisServer, tmp_path: Path, kind: str, whose: str, meanwhile: int
) -> None:
    index = Durable(tmp_path / "index.db") if kind == "lasting" else Exact(Durable(tmp_path / "x").dimension)
    memory = opened(forgetful, index)
    lose(forgetful, memory)
    if whose == "next":
        memory.close()
        memory = opened(forgetful, index)
    with Memory(forgetful.url, embedder=Words()) as other:
        for number in range(meanwhile):
            other.remember(f"fig{number}", id=f"fig{number}")
    with memory:
        assert memory.recall("pear", mode="semantic", limit=1)[0].record.id == "pear"
        assert memory.recall("apple", mode="semantic", limit=1)[0].record.id == "apple"
        assert names(index) == KEPT | {f"fig{number}" for number in range(meanwhile)}
        assert memory.doctor().ok


@pytest.mark.parametrize("meanwhile", [0, 5], ids="{}-written-since".format)
def test_a_position_that_went_back_tells_of_a_loss_where_the_server_does_not(
    forgetful: RedisServer, tmp_path: Path, meanwhile: int
) -> None:
    index = Durable(tmp_path / "index.db")
    with opened(forgetful, index) as memory:
        lose(forgetful, memory)
        call(forgetful, "HDEL", "memwell:{memwell:}meta", "lineage")  # as if the server had never told it
        with Memory(forgetful.url, embedder=Words()) as other:
            other.remember([NewMemory(content=f"fig{n}", id=f"fig{n}") for n in range(meanwhile)])
        assert memory.recall("pear", mode="semantic", limit=1)[0].record.id == "pear"
        assert names(index) == KEPT | {f"fig{number}" for number in range(meanwhile)}


def test_who_was_up_to_date_before_the_loss_notices_what_others_fed_and_redis_lost(
    forgetful: RedisServer, tmp_path: Path
) -> None:
    index = Durable(tmp_path / "index.db")
    with opened(forgetful, index) as early:
        with opened(forgetful, Durable(tmp_path / "index.db")) as other:
            early.remember([NewMemory(content=fruit, id=fruit) for fruit in ("apple", "pear")])
            early.recall("apple")
            call(forgetful, "SAVE")
            other.forget("pear")
            forgetful.kill()
            forgetful.start()
        assert early.recall("pear", mode="semantic", limit=1)[0].record.id == "pear"
        assert names(index) == {"apple", "pear"}


def test_a_cache_of_answers_starts_over_when_redis_has_lost_writes(forgetful: RedisServer) -> None:
    store = CachedStore(open_store(forgetful.url))
    with Memory(store, embedder=None) as memory:
        memory.remember("apple pie", id="pie")
        call(forgetful, "SAVE")
        memory.remember("apple juice", id="juice")
        assert {hit.record.id for hit in memory.recall("apple")} == {"pie", "juice"}
        forgetful.kill()
        forgetful.start()
        with Memory(forgetful.url, embedder=None) as other:
            other.remember("apple tart", id="tart")
        assert {hit.record.id for hit in memory.recall("apple")} == {"pie", "tart"}
    run(store, store.close())
