"""CachedStore: the whole suites, and that an answer from memory is always the one the store would give."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from memwell.errors import ConfigError, EmbeddingError, NotSupported, Unavailable
from memwell.filters import parse
from memwell.ports.store.search import Search
from memwell.registry import open_store
from memwell.testing import run
from memwell.testing.flaky import Faults, Flaky
from memwell.testing.samples import START, direction, embedding
from memwell.testing.services import Service
from memwell.testing.stores import Harness
from memwell.types import Scope
from memwell.wrappers.cached_store import CachedStore

ANN, BOB, BEE = Scope(user_id="ann"), Scope(user_id="bob"), Scope(tenant_id="bee", user_id="ann")


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Harness]:
    store = CachedStore(open_store(f"sqlite:///{tmp_path / 'store.db'}"))
    yield Harness(store)
    run(store, store.close())


@pytest.fixture
def other(harness: Harness, tmp_path: Path) -> Iterator[Harness]:
    """The same records, as another process has them."""
    store = open_store(f"sqlite:///{tmp_path / 'store.db'}")
    yield Harness(store)
    run(store, store.close())


def hits(harness: Harness) -> int:
    assert isinstance(harness.store, CachedStore)
    return harness.store.hits


def test_the_same_search_is_answered_from_memory(harness: Harness) -> None:
    harness.insert("an apple", "a", embedding=embedding(0))
    first = harness.search("apple", vector=direction(0))
    harness.advance(20)
    assert harness.search("apple", vector=direction(0)) is first
    assert hits(harness) == 1


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
def test_whatever_is_asked_differently_is_asked_again(harness: Harness, changed: dict[str, Any]) -> None:
    harness.insert("an apple", "a", embedding=embedding(0))
    harness.search("apple", vector=direction(0))
    harness.search(**({"words": "apple", "vector": direction(0)} | changed))
    assert hits(harness) == 0


def test_operands_of_filters_are_distinguished_by_type(harness: Harness) -> None:
    harness.insert("an apple", "one", metadata={"n": 1})
    harness.insert("an apple", "true", metadata={"n": True})
    harness.insert("an apple", "text", metadata={"n": "1"})
    for value, id in ((1, "one"), (True, "true"), ("1", "text")):
        assert harness.found("apple", where={"n": value}) == {id}


CHANGES: dict[str, Callable[[Harness], object]] = {
    "insert": lambda harness: harness.insert("apple juice", "new", scope=ANN),
    "update": lambda harness: harness.update("a", content="a banana"),
    "delete": lambda harness: harness.delete("a"),
    "link": lambda harness: harness.link("a", "b"),
    "vectors": lambda harness: harness.embed("a", "an apple", embedding(50)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("who", ["itself", "another process"])
def test_a_write_is_seen_by_the_next_search(
    harness: Harness, other: Harness, who: str, change: Callable[[Harness], object]
) -> None:
    harness.insert("an apple", "a", scope=ANN, embedding=embedding(0))
    harness.insert("apple pie", "b", scope=ANN)
    for scope in (ANN, Scope()):
        harness.search("apple", vector=direction(0), scope=scope)
    change(harness if who == "itself" else other)
    for scope in (ANN, Scope()):
        found = harness.search("apple", vector=direction(0), scope=scope)
        assert _reported(found) == _reported(other.search("apple", vector=direction(0), scope=scope))
    assert hits(harness) == 0


def _reported(found: Any) -> list[Any]:
    return sorted((found.ids[c.key], tuple(c.matches), c.cosine) for c in found.candidates)


def test_only_answers_for_the_owner_written_to_go(harness: Harness, other: Harness) -> None:
    for scope in (ANN, BOB, BEE):
        harness.insert("an apple", scope=scope)
        harness.search("apple", scope=scope)
    other.insert("apple pie", "new", scope=ANN)
    for scope in (BOB, BEE):
        harness.search("apple", scope=scope)
    assert hits(harness) == 2
    harness.search("apple", scope=ANN)
    assert hits(harness) == 2


def test_an_answer_ends_with_the_first_record_that_expires(harness: Harness) -> None:
    harness.insert("an apple", "short", ttl=60)
    harness.insert("an apple a day", "long", ttl=100)
    for seconds, ids in ((0, {"short", "long"}), (59, {"short", "long"}), (1, {"long"}), (40, set())):
        harness.advance(seconds)
        assert harness.found("apple") == ids
    assert hits(harness) == 1


def test_a_search_of_an_earlier_moment_gets_no_later_answer(harness: Harness) -> None:
    harness.insert("an apple", "a", ttl=60)
    harness.advance(60)
    assert harness.found("apple") == set()
    harness.advance(-30)
    assert harness.found("apple") == {"a"}


def test_an_answer_lives_no_longer_than_its_ttl(harness: Harness) -> None:
    harness.insert("an apple", "a")
    harness.search("apple")
    harness.advance(299)
    harness.search("apple")
    harness.advance(1)
    harness.search("apple")
    assert hits(harness) == 1


def test_owners_with_very_many_short_lives_are_not_cached(harness: Harness) -> None:
    harness.write(*(harness.insertion(f"apple {n}", f"r{n}", ttl=100 + n / 10) for n in range(300)))
    for _ in range(2):
        harness.search("apple")
    assert hits(harness) == 0


def test_recalls_may_be_asked_for_and_are_never_stale(harness: Harness) -> None:
    harness.insert("an apple", "a")
    where = {"access_count": {"$gte": 1}}
    assert harness.found("apple", where=where) == set()
    harness.touch("a")
    assert harness.found("apple", where=where) == {"a"}


def test_the_least_recently_used_go_first() -> None:
    harness = Harness(CachedStore(open_store("memory://"), capacity=2))
    harness.insert("an apple", scope=ANN)
    harness.insert("an apple", scope=BOB)
    for scope in (ANN, BOB):
        harness.search("apple", scope=scope)
    harness.search("apple", scope=ANN)
    harness.search("apple", scope=BEE)
    harness.search("apple", scope=ANN)
    assert hits(harness) == 2
    harness.search("apple", scope=BOB)
    assert hits(harness) == 2


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
    harness = Harness(CachedStore(store))
    harness.insert("an apple", "a")

    def meanwhile() -> None:
        harness.insert("apple pie", "b")
        harness.search("pie")

    store.meanwhile = meanwhile
    assert harness.found("apple") == {"a"}
    assert harness.found("apple") == {"a", "b"}


def test_answers_that_differ_from_usual_are_not_kept() -> None:
    class Noting(type(open_store("memory://"))):  # type: ignore[misc]
        async def _search(self, search: Search) -> Any:
            return replace(await super()._search(search), notes=("the index is down",))

    harness = Harness(CachedStore(Noting()))
    harness.insert("an apple", "a")
    for _ in range(2):
        assert harness.search("apple").notes == ("the index is down",)
    assert hits(harness) == 0


def test_when_the_changes_cannot_be_read_the_store_is_asked() -> None:
    faults = Faults()
    harness = Harness(CachedStore(Flaky(open_store("memory://"), faults)))
    harness.insert("an apple", "a")
    harness.search("apple")
    faults.fail(Unavailable("busy"), on="position")
    assert harness.found("apple") == {"a"}
    assert hits(harness) == 0
    harness.search("apple")
    assert hits(harness) == 1


def test_trimmed_changes_make_it_forget_everything(harness: Harness, other: Harness) -> None:
    harness.insert("an apple", "a")
    harness.search("apple")
    faults = Faults()
    harness.store.inner = Flaky(harness.store.inner, faults)  # type: ignore[attr-defined]
    faults.fail(NotSupported("trimmed"), on="changes")
    other.insert("apple pie", "b")
    assert harness.found("apple") == {"a", "b"}


def test_it_follows_a_model_that_comes_to_serve(harness: Harness) -> None:
    harness.insert("an apple", "a", embedding=embedding(0))
    harness.embed("a", "an apple", embedding(0, model="new"))
    harness.search("apple", vector=direction(0))
    assert harness.run(harness.store.serve("new")) == 0
    with pytest.raises(EmbeddingError):
        harness.search("apple", vector=direction(0))


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
    harness = Harness(CachedStore(open_store("memory://")))
    harness.insert("an apple", "a", category="x")
    search = Search(scope=Scope(), now=START, terms=("appl",), where=parse({"category": "x"}))
    assert run(harness.store, harness.store.search(search)) is run(
        harness.store, harness.store.search(search)
    )


def test_a_server_that_lost_its_last_writes_leaves_nothing_stale(redis_url: str, redis: Service) -> None:
    harness = Harness(CachedStore(open_store(redis_url)))
    for number in range(3):
        harness.insert(f"apple {number}", f"a{number}")
    assert harness.found("apple") == {"a0", "a1", "a2"}
    prefix = redis_url.partition("prefix=")[2]
    with Redis.from_url(redis.url) as client:
        client.delete(*client.scan_iter(f"*{prefix}*"))
    harness.insert("apple", "b0")
    assert harness.found("apple") == {"b0"}
    harness.insert("apple juice", "b1")
    harness.insert("apple pie", "b2")  # the change sequence has come as far as it was before
    assert harness.found("apple") == {"b0", "b1", "b2"}
    harness.run(harness.store.close())
