"""A batch is one transaction: applied in order, all or nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from memwell.errors import Conflict, EmbeddingError, MemwellError, NotFound
from memwell.ports import Delete, Embed, Embedding, Operation, Recode, SetLink, Touch, Unlink, Update
from memwell.testing.samples import ANYBODY, START, embedding
from memwell.testing.stores._harness import Harness, StoreSuite, everything, populate
from memwell.types import Link, Record

__all__ = ["Batches"]


def _missing(_: Harness) -> Operation:
    return Update(scope=ANYBODY, id="missing", changes={"content": "x"})


def _stale(_: Harness) -> Operation:
    return Update(scope=ANYBODY, id="a", changes={"content": "x"}, expected_version=9)


def _taken(harness: Harness) -> Operation:
    return harness.insertion("somebody else", "b")


def _unlinkable(_: Harness) -> Operation:
    return SetLink(scope=ANYBODY, source="a", link=Link(target="missing"))


def _narrow(_: Harness) -> Operation:
    vectors = np.ones((1, 3), dtype=np.float32)
    return Embed(tenant_id="default", id="a", content="x", embedding=Embedding(model="new", vectors=vectors))


Failing = Callable[[Harness], Operation]
FAILURES: list[tuple[Failing, type[MemwellError]]] = [
    (_missing, NotFound),
    (_stale, Conflict),
    (_taken, Conflict),
    (_unlinkable, NotFound),
    (_narrow, EmbeddingError),
]


class Batches(StoreSuite):
    """Part of `StoreConformance`."""

    def test_an_empty_write_does_nothing(self, harness: Harness) -> None:
        assert harness.write() == []
        assert harness.count() == 0

    def test_each_operation_has_its_result_in_order(self, harness: Harness) -> None:
        harness.needs("vectors", "links")
        results = harness.write(
            harness.insertion("one", "a"),
            harness.insertion("two", "b"),
            Update(scope=ANYBODY, id="a", changes={"category": "c"}),
            SetLink(scope=ANYBODY, source="a", link=Link(target="b")),
            Touch(tenant_id="default", accesses={"a": (1, START)}),
            Embed(tenant_id="default", id="a", content="one", embedding=embedding(0)),
            Embed(tenant_id="default", id="a", content="other", embedding=embedding(0)),
            Unlink(scope=ANYBODY, source="a", target="b"),
            Delete(scope=ANYBODY, ids=("b", "missing")),
        )
        assert [type(result) for result in results[:3]] == [Record] * 3
        assert [result.id for result in results[:3]] == ["a", "b", "a"]
        assert results[2].version == 2
        assert results[3:] == [None, None, True, False, 1, ["b"]]

    def test_a_recoded_record_is_the_same_in_another_form(self, harness: Harness) -> None:
        """Its words and duplicates are those of the new form; links, vectors, times and numbers of versions stay."""
        harness.needs("vectors", "links", "history", "lexical")
        harness.insert("apple", "a", embedding=embedding(0), metadata={"k": 1})
        harness.insert("target", "b")
        harness.write(
            SetLink(scope=ANYBODY, source="a", link=Link(target="b")),
            Update(scope=ANYBODY, id="a", changes={"category": "c"}),
        )
        before = harness.one("a")
        position = harness.run(harness.store.position()) if harness.can("changes") else 0
        forms = {1: ("pear one", {"k": 2}), 2: ("pear two", {"k": 3})}
        stale = Recode(tenant_id="default", id="a", content="apple", version=1, forms=forms)
        other = replace(stale, content="pear", version=2)
        assert harness.write(stale, other, replace(stale, version=2)) == [False, False, True]
        after = harness.one("a")
        assert after == replace(before, content="pear two", metadata={"k": 3})
        past = harness.history("a")
        assert [(v.version, v.record.content, v.record.metadata["k"], v.changed) for v in past] == [
            (1, "pear one", 2, ()),
            (2, "pear two", 3, ("category",)),
        ]
        assert harness.found("apple") == set()
        assert harness.found("pear") == {"a"}
        assert harness.embeddings("a").keys() == {"a"}
        if harness.can("changes"):
            assert [change.id for change in harness.changes(position)] == ["a"]

    def test_operations_see_those_before_them(self, harness: Harness) -> None:
        harness.write(
            harness.insertion("one", "a"),
            Update(scope=ANYBODY, id="a", changes={"content": "two"}, expected_version=1),
            Delete(scope=ANYBODY, ids=("a",)),
            harness.insertion("three", "a"),
        )
        assert harness.one("a").content == "three"
        assert harness.one("a").version == 1

    def test_a_failing_last_operation_leaves_nothing(self, harness: Harness) -> None:
        harness.needs("atomic_batches", "vectors", "links", "history")
        populate(harness)
        before = everything(harness)
        for failing, error in FAILURES:
            self._fail(harness, failing, error)
            assert everything(harness) == before, failing.__name__
            assert harness.found("apple") == {"a"}
            assert harness.found("new") == set()

    def test_a_large_batch_that_fails_leaves_nothing(self, harness: Harness) -> None:
        harness.needs("atomic_batches")
        harness.insert("apple", "a")
        for size in (60, min(1_100, self.plenty)):
            inserts = [harness.insertion(f"text {number}", f"r{number}") for number in range(size)]
            with pytest.raises(NotFound):
                harness.write(*inserts, _missing(harness))
            assert harness.ids() == ["a"], size
            assert harness.get("r0", f"r{size - 1}") == []

    @pytest.mark.parametrize("spoilt", [None, _missing, _stale])
    def test_many_updates_at_once_are_those_one_by_one(
        self, harness: Harness, spoilt: Failing | None
    ) -> None:
        ids = ["a", *(f"r{number:02}" for number in range(29))]
        harness.write(*(harness.insertion(f"text {id}", id, importance=0.5) for id in ids))
        harness.touch("r03")
        changes: list[dict[str, Any]] = [
            {"tier": "mid"},
            {"importance": 0.25, "tags": ("x",)},
            {"importance": 0.5},
            {"content": "new"},
            {},
        ]
        updates = [
            Update(scope=ANYBODY, id=id, changes=changes[number % 5], expected_version=1)
            for number, id in enumerate(ids)
        ]
        again = Update(scope=ANYBODY, id="a", changes={"category": "again"}, expected_version=2)
        before = harness.get(*ids)
        if spoilt is not None:
            harness.needs("atomic_batches")
            with pytest.raises((NotFound, Conflict)):
                harness.write(*updates, spoilt(harness))
            assert harness.get(*ids) == before
            return
        results = harness.write(*updates, again)
        for number, (old, new) in enumerate(zip(before, results, strict=False)):
            for name, value in changes[number % 5].items():
                assert getattr(new, name) == value
            assert new.version == (1 if number % 5 in (2, 4) else 2), number
            assert (new.id, new.created_at) == (old.id, old.created_at)
        assert harness.get(*ids) == [results[-1], *results[1:-1]]
        if harness.store.capabilities.history:
            past = [harness.history(id) for id in ids]
            assert [len(versions) for versions in past] == [
                record.version for record in [results[-1], *results[1:-1]]
            ]
            assert [versions[0].record.importance for versions in past] == [0.5] * 30
        harness.needs("lexical")
        assert harness.found("new") == {id for number, id in enumerate(ids) if number % 5 == 3}

    def _fail(self, harness: Harness, failing: Failing, error: type[MemwellError]) -> None:
        """A batch of everything that fails at its end."""
        with pytest.raises(error):
            harness.write(
                harness.insertion("new one", "n", embedding=embedding(30)),
                harness.insertion("apple", "a", category="fruit"),
                harness.insertion("with another model", "m", embedding=embedding(30, model="new")),
                Update(
                    scope=ANYBODY, id="a", changes={"content": "x", "category": "y"}, embedding=embedding(1)
                ),
                Delete(scope=ANYBODY, ids=("c",)),
                SetLink(scope=ANYBODY, source="b", link=Link(target="a", strength=0.1)),
                Unlink(scope=ANYBODY, source="a", target="b"),
                Touch(tenant_id="default", accesses={"a": (4, START)}),
                failing(harness),
            )

    def test_a_failed_batch_does_not_settle_the_dimension_of_a_model(self, harness: Harness) -> None:
        harness.needs("atomic_batches", "vectors")
        wide = Embedding(model="fresh", vectors=np.ones((1, 12), dtype=np.float32))
        with pytest.raises(NotFound):
            harness.write(harness.insertion("x", "x", embedding=wide), _missing(harness))
        harness.insert("y", "y", embedding=embedding(0, model="fresh"))
        assert harness.embeddings("y", model="fresh").keys() == {"y"}
