"""Updating, deleting, counting recalls, adding vectors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from memwell.errors import Conflict, NotFound
from memwell.ports import Delete, Touch, Update
from memwell.testing.samples import ANYBODY, START, direction, embedding
from memwell.testing.stores._harness import Harness, StoreSuite, populate
from memwell.types import Scope

__all__ = ["Changing"]

ANN, BOB = Scope(user_id="ann"), Scope(user_id="bob")
OTHER = Scope(tenant_id="other")


class Changing(StoreSuite):
    """Part of `StoreConformance`."""

    # -------------------------------------------------------------------------------------------- updates

    def test_an_update_makes_a_new_version(self, harness: Harness) -> None:
        before = harness.insert("tea", "a", tags=("x",), metadata={"k": 1})
        harness.advance(60)
        found = harness.update("a", content="coffee", importance=0.9)
        assert found == harness.one("a")
        assert (found.content, found.importance, found.version) == ("coffee", 0.9, 2)
        assert (found.created_at, found.updated_at) == (before.created_at, harness.now)
        assert (found.tags, found.metadata) == (("x",), {"k": 1})

    def test_every_field_can_be_changed_and_emptied(self, harness: Harness) -> None:
        harness.insert("tea", "a", category="c", source="s", tags=("t",), metadata={"k": 1})
        changes: list[tuple[str, Any]] = [
            ("content", "other"),
            ("metadata", {"new": [1, {"x": None}]}),
            ("metadata", {}),
            ("tags", ("y", "z")),
            ("tags", ("z", "y")),
            ("tags", ()),
            ("category", "d"),
            ("category", None),
            ("importance", 0.0),
            ("kind", "fact"),
            ("tier", "long"),
            ("tier", None),
            ("source", None),
            ("expires_at", START.replace(year=2030)),
            ("expires_at", None),
        ]
        before = harness.one("a")
        for version, (name, value) in enumerate(changes, 2):
            before = replace(before, version=version, **{name: value})
            assert harness.update("a", **{name: value}) == before
            assert harness.one("a") == before

    def test_an_update_without_a_difference_writes_nothing(self, harness: Harness) -> None:
        before = harness.insert("tea", "a", tags=("x",), metadata={"k": [1]}, category="c")
        harness.advance(60)
        found = harness.update("a", content="tea", tags=("x",), metadata={"k": [1]}, category="c")
        assert found == before
        assert harness.one("a") == before
        if harness.can("history"):
            assert len(harness.history("a")) == 1

    def test_the_expected_version_is_compared_first(self, harness: Harness) -> None:
        harness.insert("tea", "a")
        harness.update("a", content="coffee", expected_version=1)
        for expected in (0, 1, 3):
            with pytest.raises(Conflict, match="version 2"):
                harness.update("a", content="coffee", expected_version=expected)
        assert harness.one("a").version == 2

    def test_of_two_updates_of_one_version_in_a_batch_the_second_is_a_conflict(
        self, harness: Harness
    ) -> None:
        harness.insert("tea", "a")
        with pytest.raises(Conflict):
            harness.write(
                Update(scope=ANYBODY, id="a", changes={"content": "b"}, expected_version=1),
                Update(scope=ANYBODY, id="a", changes={"content": "c"}, expected_version=1),
            )
        assert harness.one("a").content == "tea"

    def test_what_is_missing_expired_or_not_in_scope_cannot_be_updated(self, harness: Harness) -> None:
        harness.insert("tea", "a", scope=ANN, ttl=10)
        for id, scope in (("missing", ANYBODY), ("a", BOB), ("a", OTHER)):
            with pytest.raises(NotFound):
                harness.update(id, scope=scope, content="x")
        harness.advance(10)
        with pytest.raises(NotFound):
            harness.update("a", content="x")

    def test_updated_at_never_runs_backwards(self, harness: Harness) -> None:
        first = harness.insert("tea", "a")
        harness.advance(-3600)
        assert harness.update("a", content="coffee").updated_at == first.updated_at

    def test_vectors_are_kept_until_the_content_changes(self, harness: Harness) -> None:
        harness.needs("vectors")
        harness.insert("tea", "a", embedding=embedding(10))
        assert harness.update("a", category="c").embedded
        assert harness.embeddings("a").keys() == {"a"}
        assert not harness.update("a", content="coffee").embedded
        assert harness.embeddings("a") == {}
        assert harness.update("a", content="water", embedding=embedding(50)).embedded
        assert np.allclose(harness.embeddings("a")["a"].vectors, direction(50))

    def test_new_content_drops_the_vectors_of_every_model(self, harness: Harness) -> None:
        harness.needs("vectors")
        harness.insert("tea", "a", embedding=embedding(10))
        harness.embed("a", "tea", embedding(10, model="second"))
        harness.update("a", content="coffee", embedding=embedding(20))
        assert harness.embeddings("a").keys() == {"a"}
        assert harness.embeddings("a", model="second") == {}

    def test_an_expiry_can_be_moved_and_lifted(self, harness: Harness) -> None:
        harness.insert("tea", "a", ttl=10)
        harness.update("a", expires_at=None)
        harness.advance(20)
        assert harness.ids() == ["a"]

    # -------------------------------------------------------------------------------------------- deletes

    def test_ids_that_are_not_there_are_left_out_of_the_answer(self, harness: Harness) -> None:
        for id in ("a", "b", "c"):
            harness.insert(f"text {id}", id)
        assert harness.delete("a", "missing", "c") == ["a", "c"]
        assert harness.delete("a") == []
        assert harness.ids() == ["b"]

    def test_no_ids_are_not_all_ids(self, harness: Harness) -> None:
        harness.insert("tea", "a")
        harness.insert("coffee", "b")
        for where in (None, {}, {"id": "a"}):
            assert harness.write(Delete(scope=ANYBODY, ids=(), where=where)) == [[]]
        assert harness.get() == []
        assert harness.ids() == ["a", "b"]

    def test_an_id_asked_twice_is_removed_once(self, harness: Harness) -> None:
        harness.insert("tea", "a")
        harness.insert("coffee", "b")
        assert harness.write(Delete(scope=ANYBODY, ids=("a", "b", "a"))) == [["a", "b"]]
        assert harness.count() == 0

    def test_a_filter_chooses_what_is_deleted(self, harness: Harness) -> None:
        for number in range(6):
            harness.insert(f"text {number}", f"r{number}", metadata={"n": number})
        assert harness.delete(where={"n": {"$gte": 4}}) == ["r4", "r5"]
        assert harness.delete("r0", "r1", where={"n": 1}) == ["r1"]
        assert harness.delete("r0", where={"n": 1}) == []
        assert harness.delete(where={"n": 99}) == []
        assert harness.ids() == ["r0", "r2", "r3"]

    def test_a_scope_alone_deletes_all_of_it_and_nothing_else(self, harness: Harness) -> None:
        harness.insert("one", "a", scope=ANN)
        harness.insert("two", "b", scope=BOB)
        harness.insert("three", "c", scope=OTHER)
        assert harness.delete(scope=ANN) == ["a"]
        assert harness.delete() == ["b"]
        assert harness.ids(scope=OTHER) == ["c"]

    def test_what_has_expired_is_deleted_with_the_rest(self, harness: Harness) -> None:
        for id, ttl in (("a", 10), ("b", 10), ("c", 10), ("d", None)):
            harness.insert(f"text {id}", id, scope=ANN, ttl=ttl)
        harness.insert("bob's", "e", scope=BOB, ttl=10)
        harness.advance(10)
        assert harness.delete("a", scope=ANN) == ["a"]
        assert harness.delete(scope=ANN, where={"id": {"$in": ["a", "b"]}}) == ["b"]
        assert harness.delete(scope=ANN) == ["c", "d"]
        assert harness.stats().expired == 1

    def test_purging_reads_back_what_was_deleted_and_names_what_is_there_again(
        self, harness: Harness
    ) -> None:
        harness.insert("one", "a", scope=ANN)
        harness.insert("two", "b", scope=ANN)
        harness.delete("a", "b", scope=ANN)

        def states() -> dict[str, str]:
            found = harness.run(harness.store.purge(ANN, ["a", "b"], texts=["one", "two"]))
            return {trace.place: trace.state for trace in found}

        assert states()["rows"] == "gone"
        assert "pending" not in states().values()
        harness.insert("three", "a", scope=ANN)
        assert states()["rows"] == "returned"
        assert "pending" not in states().values()

    def test_everything_that_hangs_on_a_record_goes_with_it(self, harness: Harness) -> None:
        harness.needs("vectors", "links", "history")
        populate(harness)
        assert harness.delete("a") == ["a"]
        assert harness.embeddings("a") == {}
        assert harness.links("b", "c") == {("c", "b", "related")}
        assert harness.links("b", "c", incoming=True) == {("c", "b", "related")}
        assert harness.one("b").links == ()
        assert harness.found("apple") == set()
        with pytest.raises(NotFound):
            harness.history("a")
        fresh = harness.insert("apple", "a")
        assert (fresh.access_count, fresh.last_accessed_at, fresh.embedded) == (0, None, False)
        assert harness.one("a") == fresh
        assert len(harness.history("a")) == 1
        assert harness.links("a") == harness.links("a", incoming=True) == set()
        assert harness.embeddings("a") == {}
        assert harness.check().ok

    # ------------------------------------------------------------------------------------ recalls, vectors

    def test_recalls_are_counted_and_dated(self, harness: Harness) -> None:
        before = harness.insert("tea", "a")
        harness.advance(5)
        harness.touch("a", 2)
        harness.advance(5)
        harness.touch("a", 3)
        found = harness.one("a")
        assert (found.access_count, found.last_accessed_at) == (5, harness.now)
        assert (found.version, found.updated_at) == (before.version, before.updated_at)

    def test_a_recall_noted_late_does_not_turn_the_time_back(self, harness: Harness) -> None:
        harness.insert("tea", "a")
        harness.touch("a")
        harness.advance(-60)
        harness.touch("a")
        assert harness.one("a").access_count == 2
        assert harness.one("a").last_accessed_at == START

    def test_recalls_of_unknown_records_are_skipped(self, harness: Harness) -> None:
        harness.insert("tea", "a")
        harness.write(Touch(tenant_id="default", accesses={"missing": (1, START), "a": (1, START)}))
        harness.touch("a", tenant_id="other")
        assert harness.one("a").access_count == 1

    def test_recalls_outlive_an_update(self, harness: Harness) -> None:
        harness.insert("tea", "a")
        harness.touch("a", 4)
        assert harness.update("a", content="coffee").access_count == 4
        assert harness.one("a").access_count == 4

    def test_vectors_are_taken_only_for_the_content_as_it_stands(self, harness: Harness) -> None:
        harness.needs("vectors")
        harness.insert("tea", "a")
        assert harness.embed("a", "coffee", embedding(0)) is False
        assert harness.embed("missing", "tea", embedding(0)) is False
        assert harness.embed("a", "tea", embedding(0), tenant_id="other") is False
        assert harness.embeddings("a") == {}
        assert harness.embed("a", "tea", embedding(0)) is True
        assert harness.one("a").embedded
        assert harness.one("a").version == 1

    def test_vectors_of_a_model_are_replaced_and_those_of_another_stand_beside(
        self, harness: Harness
    ) -> None:
        harness.needs("vectors")
        harness.insert("tea", "a", embedding=embedding(10))
        harness.embed("a", "tea", embedding(20))
        harness.embed("a", "tea", embedding(30, model="second"))
        assert np.allclose(harness.embeddings("a")["a"].vectors, direction(20))
        assert np.allclose(harness.embeddings("a", model="second")["a"].vectors, direction(30))
        assert harness.embeddings("a", model="third") == {}

    def test_records_without_vectors_are_listed_oldest_first(self, harness: Harness) -> None:
        harness.needs("vectors")
        for number, id in enumerate(("c", "b", "a", "d")):
            vectors = embedding(0) if id == "b" else None
            harness.insert(f"text {number}", id, embedding=vectors, scope=OTHER if id == "d" else ANYBODY)
            harness.advance(1)
        assert harness.unembedded() == ["c", "a", "d"]
        assert harness.unembedded(limit=2) == ["c", "a"]
        assert harness.unembedded("another") == ["c", "b", "a", "d"]
        harness.embed("c", "text 0", embedding(0))
        assert harness.unembedded() == ["a", "d"]
        harness.update("b", content="changed")
        assert set(harness.unembedded()) == {"a", "d", "b"}
