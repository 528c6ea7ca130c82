"""Updates, deletes, recalls noted, vectors added."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from memwell.errors import Conflict, NotFound
from memwell.ports import Touch, Update
from memwell.testing.samples import ANYBODY, START, direction, embedding
from memwell.testing.stores._harness import Driven, StoreSuite, populate
from memwell.types import Scope

__all__ = ["Changing"]

ANN, BOB = Scope(user_id="ann"), Scope(user_id="bob")
OTHER = Scope(tenant_id="other")


class Changing(StoreSuite):
    """Part of `StoreConformance`."""

    # -------------------------------------------------------------------------------------------- updates

    def test_an_update_makes_a_new_version(self, driven: Driven) -> None:
        before = driven.insert("tea", "a", tags=("x",), metadata={"k": 1})
        driven.advance(60)
        found = driven.update("a", content="coffee", importance=0.9)
        assert found == driven.one("a")
        assert (found.content, found.importance, found.version) == ("coffee", 0.9, 2)
        assert (found.created_at, found.updated_at) == (before.created_at, driven.now)
        assert (found.tags, found.metadata) == (("x",), {"k": 1})

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("content", "other"),
            ("metadata", {"new": [1, {"x": None}]}),
            ("metadata", {}),
            ("tags", ("y", "z")),
            ("tags", ()),
            ("category", "d"),
            ("category", None),
            ("importance", 0.0),
            ("kind", "fact"),
            ("tier", "long"),
            ("source", None),
            ("expires_at", START.replace(year=2030)),
        ],
    )
    def test_every_field_can_be_changed_and_emptied(self, driven: Driven, name: str, value: Any) -> None:
        driven.insert("tea", "a", category="c", source="s", tags=("t",), metadata={"k": 1})
        assert getattr(driven.update("a", **{name: value}), name) == value
        assert getattr(driven.one("a"), name) == value

    def test_an_update_without_a_difference_writes_nothing(self, driven: Driven) -> None:
        before = driven.insert("tea", "a", tags=("x",), metadata={"k": [1]}, category="c")
        driven.advance(60)
        found = driven.update("a", content="tea", tags=("x",), metadata={"k": [1]}, category="c")
        assert found == before
        assert driven.one("a") == before
        assert len(driven.history("a")) == 1

    def test_the_expected_version_is_compared_first(self, driven: Driven) -> None:
        driven.insert("tea", "a")
        driven.update("a", content="coffee", expected_version=1)
        for expected in (0, 1, 3):
            with pytest.raises(Conflict, match="version 2"):
                driven.update("a", content="coffee", expected_version=expected)
        assert driven.one("a").version == 2

    def test_of_two_updates_of_one_version_in_a_batch_the_second_is_a_conflict(self, driven: Driven) -> None:
        driven.insert("tea", "a")
        with pytest.raises(Conflict):
            driven.write(
                Update(scope=ANYBODY, id="a", changes={"content": "b"}, expected_version=1),
                Update(scope=ANYBODY, id="a", changes={"content": "c"}, expected_version=1),
            )
        assert driven.one("a").content == "tea"

    def test_what_is_missing_expired_or_not_in_scope_cannot_be_updated(self, driven: Driven) -> None:
        driven.insert("tea", "a", scope=ANN, ttl=10)
        for id, scope in (("missing", ANYBODY), ("a", BOB), ("a", OTHER)):
            with pytest.raises(NotFound):
                driven.update(id, scope=scope, content="x")
        driven.advance(10)
        with pytest.raises(NotFound):
            driven.update("a", content="x")

    def test_updated_at_never_runs_backwards(self, driven: Driven) -> None:
        first = driven.insert("tea", "a")
        driven.advance(-3600)
        assert driven.update("a", content="coffee").updated_at == first.updated_at

    def test_vectors_are_kept_until_the_content_changes(self, driven: Driven) -> None:
        driven.needs("vectors")
        driven.insert("tea", "a", embedding=embedding(10))
        assert driven.update("a", category="c").embedded
        assert driven.embeddings("a").keys() == {"a"}
        assert not driven.update("a", content="coffee").embedded
        assert driven.embeddings("a") == {}
        assert driven.update("a", content="water", embedding=embedding(50)).embedded
        assert np.allclose(driven.embeddings("a")["a"].vectors, direction(50))

    def test_new_content_drops_the_vectors_of_every_model(self, driven: Driven) -> None:
        driven.needs("vectors")
        driven.insert("tea", "a", embedding=embedding(10))
        driven.embed("a", "tea", embedding(10, model="second"))
        driven.update("a", content="coffee", embedding=embedding(20))
        assert driven.embeddings("a").keys() == {"a"}
        assert driven.embeddings("a", model="second") == {}

    def test_an_expiry_can_be_moved_and_lifted(self, driven: Driven) -> None:
        driven.insert("tea", "a", ttl=10)
        driven.update("a", expires_at=None)
        driven.advance(20)
        assert driven.ids() == ["a"]

    # -------------------------------------------------------------------------------------------- deletes

    def test_ids_that_are_not_there_are_left_out_of_the_answer(self, driven: Driven) -> None:
        for id in ("a", "b", "c"):
            driven.insert(f"text {id}", id)
        assert driven.delete("a", "missing", "c") == ["a", "c"]
        assert driven.delete("a") == []
        assert driven.ids() == ["b"]

    def test_a_filter_chooses_what_is_deleted(self, driven: Driven) -> None:
        for number in range(6):
            driven.insert(f"text {number}", f"r{number}", metadata={"n": number})
        assert driven.delete(where={"n": {"$gte": 4}}) == ["r4", "r5"]
        assert driven.delete("r0", "r1", where={"n": 1}) == ["r1"]
        assert driven.delete(where={"n": 99}) == []
        assert driven.ids() == ["r0", "r2", "r3"]

    def test_a_scope_alone_deletes_all_of_it_and_nothing_else(self, driven: Driven) -> None:
        driven.insert("one", "a", scope=ANN)
        driven.insert("two", "b", scope=BOB)
        driven.insert("three", "c", scope=OTHER)
        assert driven.delete(scope=ANN) == ["a"]
        assert driven.delete() == ["b"]
        assert driven.ids(scope=OTHER) == ["c"]

    def test_many_ids_are_deleted_at_once(self, driven: Driven) -> None:
        driven.write(*(driven.insertion(f"text {n}", f"r{n:04}") for n in range(1500)))
        assert len(driven.delete(*(f"r{n:04}" for n in range(1499)))) == 1499
        assert driven.ids() == ["r1499"]

    def test_everything_that_hangs_on_a_record_goes_with_it(self, driven: Driven) -> None:
        driven.needs("vectors", "links", "history")
        populate(driven)
        assert driven.delete("a") == ["a"]
        assert driven.embeddings("a") == {}
        assert driven.links("b", "c") == {("c", "b", "related")}
        assert driven.links("b", "c", incoming=True) == {("c", "b", "related")}
        assert driven.one("b").links == ()
        assert driven.found("apple") == set()
        with pytest.raises(NotFound):
            driven.history("a")
        fresh = driven.insert("apple", "a")
        assert (fresh.access_count, fresh.last_accessed_at, fresh.embedded) == (0, None, False)
        assert len(driven.history("a")) == 1
        assert driven.links("a") == driven.links("a", incoming=True) == set()
        assert driven.embeddings("a") == {}
        assert driven.check().ok

    # ------------------------------------------------------------------------------------ recalls, vectors

    def test_recalls_are_counted_and_dated(self, driven: Driven) -> None:
        before = driven.insert("tea", "a")
        driven.advance(5)
        driven.touch("a", 2)
        driven.advance(5)
        driven.touch("a", 3)
        found = driven.one("a")
        assert (found.access_count, found.last_accessed_at) == (5, driven.now)
        assert (found.version, found.updated_at) == (before.version, before.updated_at)

    def test_a_recall_noted_late_does_not_turn_the_time_back(self, driven: Driven) -> None:
        driven.insert("tea", "a")
        driven.touch("a")
        driven.advance(-60)
        driven.touch("a")
        assert driven.one("a").access_count == 2
        assert driven.one("a").last_accessed_at == START

    def test_recalls_of_unknown_records_are_skipped(self, driven: Driven) -> None:
        driven.insert("tea", "a")
        driven.write(Touch(tenant_id="default", accesses={"missing": (1, START), "a": (1, START)}))
        driven.touch("a", tenant_id="other")
        assert driven.one("a").access_count == 1

    def test_recalls_outlive_an_update(self, driven: Driven) -> None:
        driven.insert("tea", "a")
        driven.touch("a", 4)
        assert driven.update("a", content="coffee").access_count == 4
        assert driven.one("a").access_count == 4

    def test_vectors_are_taken_only_for_the_content_as_it_stands(self, driven: Driven) -> None:
        driven.needs("vectors")
        driven.insert("tea", "a")
        assert driven.embed("a", "coffee", embedding(0)) is False
        assert driven.embed("missing", "tea", embedding(0)) is False
        assert driven.embed("a", "tea", embedding(0), tenant_id="other") is False
        assert driven.embeddings("a") == {}
        assert driven.embed("a", "tea", embedding(0)) is True
        assert driven.one("a").embedded
        assert driven.one("a").version == 1

    def test_vectors_of_a_model_are_replaced_and_those_of_another_stand_beside(self, driven: Driven) -> None:
        driven.needs("vectors")
        driven.insert("tea", "a", embedding=embedding(10))
        driven.embed("a", "tea", embedding(20))
        driven.embed("a", "tea", embedding(30, model="second"))
        assert np.allclose(driven.embeddings("a")["a"].vectors, direction(20))
        assert np.allclose(driven.embeddings("a", model="second")["a"].vectors, direction(30))
        assert driven.embeddings("a", model="third") == {}

    def test_records_without_vectors_are_listed_oldest_first(self, driven: Driven) -> None:
        driven.needs("vectors")
        for number, id in enumerate(("c", "b", "a", "d")):
            vectors = embedding(0) if id == "b" else None
            driven.insert(f"text {number}", id, embedding=vectors, scope=OTHER if id == "d" else ANYBODY)
            driven.advance(1)
        assert driven.unembedded() == ["c", "a", "d"]
        assert driven.unembedded(limit=2) == ["c", "a"]
        assert driven.unembedded("another") == ["c", "b", "a", "d"]
        driven.embed("c", "text 0", embedding(0))
        assert driven.unembedded() == ["a", "d"]
        driven.update("b", content="changed")
        assert set(driven.unembedded()) == {"a", "d", "b"}
