"""CachedStore: the whole suites, and that an answer from memory is always the one the store would give."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from memwell import Memory
from memwell.errors import ConfigError, EmbeddingError, NotSupported, Unavailable
from memwell.filters import parse
from memwell.ports import Store
from memwell.ports.store.search import Search
from memwell.registry import open_store
from memwell.testing import run
from memwell.testing.flaky import Faults, Flaky
from memwell.testing.memory import MemoryConformance
from memwell.testing.samples import START, direction, embedding
from memwell.testing.services import Service
from memwell.testing.stores import Driven, StoreConformance
from memwell.types import Scope
from memwell.wrappers.cached_store import CachedStore
from memwell.wrappers.threaded import threaded

ANN, BOB, BEE = Scope(user_id="ann"), Scope(user_id="bob"), Scope(tenant_id="bee", user_id="ann")


class TestCachedStore(StoreConformance):
    many = 2_000

    @pytest.fixture(params=["blocking", "asynchronous"])
    def store(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
        inner = open_store(f"sqlite:///{tmp_path / 'store.db'}")
        part = CachedStore(inner if request.param == "blocking" else threaded(inner))
        yield part
        run(part, part.close())


class Caching(Memory):
    """A memory over a store with a cache, which it closes."""

    def __init__(self, url: str, **options: Any) -> None:
        self.store = CachedStore(open_store(url))
        super().__init__(self.store, **options)

    def close(self) -> None:
        super().close()
        run(self.store, self.store.close())


class TestMemoryOnACachedStore(MemoryConformance):
    @pytest.fixture
    def opening(self) -> type[Memory]:
        return Caching


@pytest.fixture
def driven(tmp_path: Path) -> Iterator[Driven]:
    store = CachedStore(open_store(f"sqlite:///{tmp_path / 'store.db'}"))
    yield Driven(store)
    run(store, store.close())


@pytest.fixture
def other(driven: Driven, tmp_path: Path) -> Iterator[Driven]:
    """The same records, as another process has them."""
    store = open_store(f"sqlite:///{tmp_path / 'store.db'}")
    yield Driven(store)
    run(store, store.close())


def hits(driven: Driven) -> int:
    assert isinstance(driven.store, CachedStore)
    return driven.store.hits


def test_the_same_search_is_answered_from_memory(driven: Driven) -> None:
    driven.insert("an apple", "a", embedding=embedding(0))
    first = driven.search("apple", vector=direction(0))
    driven.advance(20)
    assert driven.search("apple", vector=direction(0)) is first
    assert hits(driven) == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"words": "apple pie"},
        {"vector": direction(10)},
        {"vector": None},
        {"where": {"category": "x"}},
        {"scope": ANN},
        {"scope": Scope(session_id="s")},
        {"pool": 3},
        {"created_until": START + timedelta(days=1)},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_whatever_is_asked_differently_is_asked_anew(driven: Driven, changed: dict[str, Any]) -> None:
    driven.insert("an apple", "a", embedding=embedding(0))
    driven.search("apple", vector=direction(0))
    driven.search(**({"words": "apple", "vector": direction(0)} | changed))
    assert hits(driven) == 0


def test_operands_of_filters_are_told_apart_by_type(driven: Driven) -> None:
    driven.insert("an apple", "one", metadata={"n": 1})
    driven.insert("an apple", "true", metadata={"n": True})
    driven.insert("an apple", "text", metadata={"n": "1"})
    for value, id in ((1, "one"), (True, "true"), ("1", "text")):
        assert driven.found("apple", where={"n": value}) == {id}


CHANGES: dict[str, Callable[[Driven], object]] = {
    "insert": lambda driven: driven.insert("apple juice", "new", scope=ANN),
    "update": lambda driven: driven.update("a", content="a banana"),
    "delete": lambda driven: driven.delete("a"),
    "link": lambda driven: driven.link("a", "b"),
    "vectors": lambda driven: driven.embed("a", "an apple", embedding(50)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("who", ["itself", "another process"])
def test_a_write_is_seen_by_the_next_search(
    driven: Driven, other: Driven, who: str, change: Callable[[Driven], object]
) -> None:
    driven.insert("an apple", "a", scope=ANN, embedding=embedding(0))
    driven.insert("apple pie", "b", scope=ANN)
    for scope in (ANN, Scope()):
        driven.search("apple", vector=direction(0), scope=scope)
    change(driven if who == "itself" else other)
    for scope in (ANN, Scope()):
        found = driven.search("apple", vector=direction(0), scope=scope)
        assert _told(found) == _told(other.search("apple", vector=direction(0), scope=scope))
    assert hits(driven) == 0


def _told(found: Any) -> list[Any]:
    return sorted((found.ids[c.key], tuple(c.matches), c.cosine) for c in found.candidates)


def test_only_answers_for_the_owner_written_to_go(driven: Driven, other: Driven) -> None:
    for scope in (ANN, BOB, BEE):
        driven.insert("an apple", scope=scope)
        driven.search("apple", scope=scope)
    other.insert("apple pie", "new", scope=ANN)
    for scope in (BOB, BEE):
        driven.search("apple", scope=scope)
    assert hits(driven) == 2
    driven.search("apple", scope=ANN)
    assert hits(driven) == 2


def test_an_answer_ends_with_the_first_record_that_expires(driven: Driven) -> None:
    driven.insert("an apple", "short", ttl=60)
    driven.insert("an apple a day", "long", ttl=100)
    for seconds, ids in ((0, {"short", "long"}), (59, {"short", "long"}), (1, {"long"}), (40, set())):
        driven.advance(seconds)
        assert driven.found("apple") == ids
    assert hits(driven) == 1


def test_a_search_of_an_earlier_moment_gets_no_later_answer(driven: Driven) -> None:
    driven.insert("an apple", "a", ttl=60)
    driven.advance(60)
    assert driven.found("apple") == set()
    driven.advance(-30)
    assert driven.found("apple") == {"a"}


def test_an_answer_lives_no_longer_than_its_ttl(driven: Driven) -> None:
    driven.insert("an apple", "a")
    driven.search("apple")
    driven.advance(299)
    driven.search("apple")
    driven.advance(1)
    driven.search("apple")
    assert hits(driven) == 1


def test_owners_with_very_many_short_lives_are_not_cached(driven: Driven) -> None:
    driven.write(*(driven.insertion(f"apple {n}", f"r{n}", ttl=100 + n / 10) for n in range(300)))
    for _ in range(2):
        driven.search("apple")
    assert hits(driven) == 0


def test_recalls_may_be_asked_for_and_are_never_stale(driven: Driven) -> None:
    driven.insert("an apple", "a")
    where = {"access_count": {"$gte": 1}}
    assert driven.found("apple", where=where) == set()
    driven.touch("a")
    assert driven.found("apple", where=where) == {"a"}


def test_the_least_recently_used_go_first() -> None:
    driven = Driven(CachedStore(open_store("memory://"), capacity=2))
    driven.insert("an apple", scope=ANN)
    driven.insert("an apple", scope=BOB)
    for scope in (ANN, BOB):
        driven.search("apple", scope=scope)
    driven.search("apple", scope=ANN)
    driven.search("apple", scope=BEE)
    driven.search("apple", scope=ANN)
    assert hits(driven) == 2
    driven.search("apple", scope=BOB)
    assert hits(driven) == 2


def test_what_was_written_during_a_search_is_not_hidden_by_its_answer(tmp_path: Path) -> None:
    """The answer of a search that began before a write must not be kept as if it were of after."""

    class Slow(type(open_store("memory://"))):  # type: ignore[misc]
        async def _search(self, search: Search) -> Any:
            found = await super()._search(search)
            if self.meanwhile is not None:
                meanwhile, self.meanwhile = self.meanwhile, None
                meanwhile()
            return found

        meanwhile: Callable[[], object] | None = None

    store = Slow()
    driven = Driven(CachedStore(store))
    driven.insert("an apple", "a")

    def meanwhile() -> None:
        driven.insert("apple pie", "b")
        driven.search("pie")

    store.meanwhile = meanwhile
    assert driven.found("apple") == {"a"}
    assert driven.found("apple") == {"a", "b"}


def test_answers_that_differ_from_usual_are_not_kept() -> None:
    class Noting(type(open_store("memory://"))):  # type: ignore[misc]
        async def _search(self, search: Search) -> Any:
            return replace(await super()._search(search), notes=("the index is down",))

    driven = Driven(CachedStore(Noting()))
    driven.insert("an apple", "a")
    for _ in range(2):
        assert driven.search("apple").notes == ("the index is down",)
    assert hits(driven) == 0


def test_when_the_changes_cannot_be_read_the_store_is_asked() -> None:
    faults = Faults()
    driven = Driven(CachedStore(Flaky(open_store("memory://"), faults)))
    driven.insert("an apple", "a")
    driven.search("apple")
    faults.fail(Unavailable("busy"), on="position")
    assert driven.found("apple") == {"a"}
    assert hits(driven) == 0
    driven.search("apple")
    assert hits(driven) == 1


def test_trimmed_changes_make_it_forget_everything(driven: Driven, other: Driven) -> None:
    driven.insert("an apple", "a")
    driven.search("apple")
    faults = Faults()
    driven.store.inner = Flaky(driven.store.inner, faults)  # type: ignore[attr-defined]
    faults.fail(NotSupported("trimmed"), on="changes")
    other.insert("apple pie", "b")
    assert driven.found("apple") == {"a", "b"}


def test_it_follows_a_model_that_comes_to_serve(driven: Driven) -> None:
    driven.insert("an apple", "a", embedding=embedding(0))
    driven.embed("a", "an apple", embedding(0, model="new"))
    driven.search("apple", vector=direction(0))
    assert driven.run(driven.store.serve("new")) == 0
    with pytest.raises(EmbeddingError):
        driven.search("apple", vector=direction(0))


def test_a_store_that_cannot_tell_its_changes_is_refused() -> None:
    class Silent(type(open_store("memory://"))):  # type: ignore[misc]
        @property
        def capabilities(self) -> Any:
            return replace(super().capabilities, changes=False)

    with pytest.raises(NotSupported, match="changes"):
        CachedStore(Silent())
    for options in ({"capacity": 0}, {"ttl": 0}):
        with pytest.raises(ConfigError):
            CachedStore(open_store("memory://"), **options)  # type: ignore[arg-type]


def test_filters_of_nodes_are_read() -> None:
    driven = Driven(CachedStore(open_store("memory://")))
    driven.insert("an apple", "a", category="x")
    search = Search(scope=Scope(), now=START, terms=("appl",), where=parse({"category": "x"}))
    assert run(driven.store, driven.store.search(search)) is run(driven.store, driven.store.search(search))


def test_a_server_that_lost_its_last_writes_leaves_nothing_stale(redis_url: str, redis: Service) -> None:
    driven = Driven(CachedStore(open_store(redis_url)))
    for number in range(3):
        driven.insert(f"apple {number}", f"a{number}")
    assert driven.found("apple") == {"a0", "a1", "a2"}
    prefix = redis_url.partition("prefix=")[2]
    with Redis.from_url(redis.url) as client:
        client.delete(*client.scan_iter(f"*{prefix}*"))
    driven.insert("apple", "b0")
    assert driven.found("apple") == {"b0"}
    driven.insert("apple juice", "b1")
    driven.insert("apple pie", "b2")  # the change sequence has come as far as it was before
    assert driven.found("apple") == {"b0", "b1", "b2"}
    driven.run(driven.store.close())
