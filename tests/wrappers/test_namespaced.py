"""Namespaced parts: each passes its suite as if it were alone, and reaches nothing of the others."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from memwell import Memory
from memwell.errors import ConfigError, InvalidInput, NotFound, NotSupported
from memwell.indexes.exact import Exact
from memwell.ports import Point, Store
from memwell.registry import open_keyvalue, open_log, open_store
from memwell.testing import run
from memwell.testing.samples import MODEL, direction, embedding
from memwell.testing.stores import Harness
from memwell.testing.stores.change_feed import ChangeFeed
from memwell.testing.stores.changing import Changing
from memwell.testing.stores.feeding import Feeding
from memwell.testing.stores.filtering import Filtering
from memwell.testing.stores.inserting import Inserting
from memwell.testing.stores.keeping import Keeping
from memwell.testing.stores.overlooked import Overlooked
from memwell.testing.stores.reading import Reading
from memwell.testing.stores.scopes import Scopes
from memwell.testing.stores.searching import Searching
from memwell.testing.stores.statistics import Statistics
from memwell.types import Scope
from memwell.wrappers.namespaced import NamespacedIndex, NamespacedKeyValue, NamespacedLog
from memwell.wrappers.namespaced_store import NamespacedStore

EVERYBODYS = pytest.mark.xfail(
    strict=True,
    raises=NotSupported,
    reason="it moves the whole store to another model, which is refused here",
)


def _declined(suite: type, *names: str) -> Any:
    """A class decorator that marks tests of a suite as `EVERYBODYS`."""

    def decline(cls: type) -> type:
        for name in names:
            method = getattr(suite, name)

            def test(self: Any, *args: Any, _method: Any = method, **kwargs: Any) -> None:
                _method(self, *args, **kwargs)

            setattr(cls, name, EVERYBODYS(functools.wraps(method)(test)))
        return cls

    return decline


class Confined(
    Inserting,
    Changing,
    Reading,
    Statistics,
    Scopes,
    Filtering,
    Searching,
    Keeping,
    ChangeFeed,
    Feeding,
    Overlooked,
):
    """The suite without what only the store inside can get wrong: exact values, large ones, whole batches."""


@_declined(
    Confined,
    "test_a_model_serves_once_every_record_has_its_vectors",
    "test_searches_use_the_model_that_serves",
    "test_expired_records_count_until_they_are_swept",
    "test_a_number_of_records_may_be_left_behind",
    "test_writes_with_the_old_model_are_stored_and_reported_after_the_cut_over",
    "test_an_empty_store_moves_at_once_and_still_takes_what_comes_first",
    "test_vectors_of_a_model_are_dropped_but_not_of_the_one_that_serves",
)
class TestStore(Confined):
    many, plenty = 500, 300
    owners = ("tenant_id", "user_id", "agent_id", "session_id")

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        part = NamespacedStore(open_store(f"sqlite:///{tmp_path / 'store.db'}"), namespace="mine")
        yield part
        run(part, part.close())

    def test_random_filters_find_what_the_definition_says(self, harness: Harness) -> None:
        """Of a record as it is shown; but filters see the namespace that is stored, as the module says."""
        harness.insert("tea", "a")
        assert harness.ids({"namespace": "mine"}) == ["a"]


# -------------------------------------------------------------------------------------------- apart


@pytest.mark.parametrize("fixed", [{"tenant_id": "acme"}, {"namespace": "acme"}, {"user_id": "acme"}])
def test_stores_of_two_owners_reach_nothing_of_each_other(fixed: dict[str, str]) -> None:
    inner = open_store("memory://")
    mine, whole = Harness(NamespacedStore(inner, **fixed)), Harness(inner)
    name, _ = next(iter(fixed.items()))
    foreign = Scope(**{name: "other"})
    whole.insert("tea of another", "foreign", scope=foreign, embedding=embedding(0))
    mine.insert("tea", "a", embedding=embedding(0))
    mine.update("a", category="x")
    shown = mine.one("a")
    assert getattr(shown.scope, name) == getattr(Scope(), name)
    assert mine.ids() == ["a"]
    assert mine.get("foreign") == []
    assert mine.found("tea", vector=direction(0)) == {"a"}
    assert (mine.count(), mine.stats().records) == (1, 1)
    assert mine.embeddings("a", "foreign").keys() == {"a"}
    mine.touch("foreign")
    assert mine.embed("foreign", "tea of another", embedding(90)) is False
    assert mine.delete() == ["a"]
    (left,) = whole.scan(scope=foreign)
    assert (left.id, left.access_count) == ("foreign", 0)
    with pytest.raises(NotFound):
        mine.history("foreign")
    for call in (lambda: mine.scan(scope=foreign), lambda: mine.insert("x", "x", scope=foreign)):
        with pytest.raises(InvalidInput, match="acme"):
            call()


def test_the_owner_may_be_named_and_is_shown_then() -> None:
    inner = open_store("memory://")
    mine = Harness(NamespacedStore(inner, tenant_id="acme", user_id="ann"))
    scope = Scope(tenant_id="acme", user_id="ann")
    kept = mine.insert("tea", "a", scope=scope)
    assert kept.scope == scope
    assert mine.one("a", scope).scope == scope
    assert [version.record.scope for version in mine.history("a", scope)] == [scope]
    assert mine.one("a").scope == Scope()
    assert Harness(inner).one("a", scope).scope == scope


def test_listings_of_every_tenant_show_ones_own() -> None:
    inner = open_store("memory://")
    whole, mine = Harness(inner), Harness(NamespacedStore(inner, tenant_id="acme"))
    for number in range(30):
        whole.insert(f"other {number}", f"o{number:02}", embedding=embedding(0))
        whole.insert(f"bare {number}", f"b{number:02}")
    for number in range(3):
        mine.insert(f"mine {number}", f"m{number}", embedding=embedding(number))
        mine.insert(f"plain {number}", f"p{number}")
    assert mine.unembedded(limit=2) == ["p0", "p1"]
    assert mine.unembedded() == ["p0", "p1", "p2"]
    pages = run(mine.store, mine.store.embedded(MODEL, limit=2))
    assert [record.id for record, _ in pages] == ["m0", "m1"]
    rest = run(mine.store, mine.store.embedded(MODEL, after=("acme", "m1"), limit=2))
    assert [record.id for record, _ in rest] == ["m2"]
    assert [change.id for change in mine.changes(limit=4)] == ["m0", "p0", "m1", "p1"]
    assert {change.tenant_id for change in mine.changes()} == {"acme"}


def test_a_duplicate_is_one_of_ones_own() -> None:
    inner = open_store("memory://")
    mine = Harness(NamespacedStore(inner, namespace="mine"))
    Harness(inner).insert("tea", "a")
    assert mine.insert("tea").reinforced == 0
    assert mine.duplicates(mine.insertion("tea")) == [True]
    assert mine.insert("tea").reinforced == 1


def test_keys_and_streams_are_apart_and_long_ones_too() -> None:
    inner = open_keyvalue("memory://")
    one, other = NamespacedKeyValue(inner, "one"), NamespacedKeyValue(inner, "other")
    for key in ("key", "k" * 1024, "é" * 512):
        run(one, one.set(key, b"1"))
        assert run(other, other.get(key)) is None
        assert run(one, one.get_many([key, "missing"])) == {key: b"1"}
        assert run(other, other.add(key, b"2"))
        assert run(one, one.get(key)) == b"1"
    assert run(inner, inner.get("one:key")) == b"1"
    streams = open_log("memory://")
    first, second = NamespacedLog(streams, "one"), NamespacedLog(streams, "other")
    run(first, first.append("s", [b"1"]))
    assert run(second, second.read("s")) == []
    assert [entry.data for entry in run(streams, streams.read("one:s"))] == [b"1"]
    assert run(second, second.trim("s")) == 0


def test_points_are_apart() -> None:
    inner = Exact(4)
    inner.identity = "file"
    one, other = NamespacedIndex(inner, "one"), NamespacedIndex(inner, "one-more")
    vector = direction(0)[:4]
    run(one, one.upsert([Point(id="a", vector=vector, fields={"kind": "x", "metadata": {"n": 1}})]))
    run(other, other.upsert([Point(id=id, vector=vector, fields={}) for id in "abc"]))
    assert [match.id for match in run(one, one.search(vector, limit=5))] == ["a"]
    assert [match.id for match in run(one, one.search(vector, limit=5, where={"n": 1, "kind": "x"}))] == ["a"]
    assert run(other, other.ids(limit=2)) == ["a", "b"]
    assert [run(part, part.count()) for part in (one, other, inner)] == [1, 3, 4]
    run(other, other.clear())
    assert [run(part, part.count()) for part in (one, other, inner)] == [1, 0, 1]
    assert (one.identity, other.identity) == ("file#one", "file#one-more")


def test_a_whole_memory_stands_on_it_beside_another_tenant() -> None:
    inner = open_store("memory://")
    Harness(inner).insert("tea of another", "foreign", scope=Scope(tenant_id="foreign"))
    with Memory(NamespacedStore(inner, tenant_id="acme"), embedder=None) as memory:
        kept = memory.remember("tea with milk")
        assert [hit.content for hit in memory.recall("tea")] == ["tea with milk"]
        assert memory.get(kept.id) == kept
        with pytest.raises(InvalidInput):
            memory.recall("tea", tenant_id="foreign")


@pytest.mark.parametrize("name", ["", "a:b", "a#b", "a b", "é", "x" * 101, None])
def test_a_namespace_has_a_plain_name(name: Any) -> None:
    with pytest.raises(ConfigError):
        NamespacedKeyValue(open_keyvalue("memory://"), name)


def test_a_store_is_confined_to_something() -> None:
    with pytest.raises(ConfigError, match="tenant_id"):
        NamespacedStore(open_store("memory://"))
