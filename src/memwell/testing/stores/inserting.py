"""Inserts: what is stored, what counts as a duplicate, and which record owns an id."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from memwell.errors import Conflict, EmbeddingError
from memwell.ports import Embedding, Insert
from memwell.testing.samples import START, UNICODE, direction, embedding, passages
from memwell.testing.stores._harness import Harness, StoreSuite
from memwell.types import Scope, Version

__all__ = ["Inserting"]

ANN, BOB = Scope(user_id="ann"), Scope(user_id="bob")
FULL: dict[str, Any] = {
    "kind": "fact",
    "metadata": {
        "n": 1,
        "f": 1.5,
        "t": "x",
        "b": True,
        "none": None,
        "list": [1, "2", None],
        "deep": {"k": {}},
    },
    "tags": ("work", "travel"),
    "category": "c",
    "importance": 0.25,
    "tier": "long",
    "source": "mail",
}


class Inserting(StoreSuite):
    """Part of `StoreConformance`."""

    def test_a_record_comes_back_field_by_field(self, harness: Harness) -> None:
        scope = self.owner(user_id="u", agent_id="a", session_id="s", namespace="n")
        given = harness.new("all of it", "full", ttl=60, scope=scope, **FULL)
        stored = harness.write(Insert(record=given, named=True))[0]
        assert stored == given
        assert harness.one("full", scope=scope) == given

    def test_a_record_of_content_alone_has_the_defaults(self, harness: Harness) -> None:
        given = harness.new("just this", "a")
        harness.write(Insert(record=given))
        assert harness.one("a") == given

    def test_unicode_comes_back_as_it_was(self, harness: Harness) -> None:
        for content in UNICODE:
            metadata = {"text": content, "nested": {content[:20]: [content]}}
            id = f"ид-🐢 {content[:20]}"
            harness.insert(content, id, metadata=metadata, tags=(content[:20],))
            found = harness.one(id)
            assert (found.content, found.metadata, found.tags) == (content, metadata, (content[:20],))

    def test_a_content_of_one_megabyte_comes_back(self, harness: Harness) -> None:
        content = ("word " * 25 + "żółw\n") * 7500
        harness.insert(content, "big")
        assert harness.one("big").content == content

    def test_later_changes_of_what_was_handed_in_change_nothing(self, harness: Harness) -> None:
        harness.needs("vectors")
        metadata: dict[str, Any] = {"k": [1], "deep": {"x": 1}}
        vectors = direction(0)[None, :].copy()
        harness.insert("text", "a", metadata=metadata, embedding=Embedding(model="m", vectors=vectors))
        metadata["k"].append(2)
        metadata["deep"]["x"] = 9
        vectors[:] = 0
        assert harness.one("a").metadata == {"k": [1], "deep": {"x": 1}}
        assert np.array_equal(harness.embeddings("a", model="m")["a"].vectors, direction(0)[None, :])

    def test_what_came_back_cannot_be_changed(self, harness: Harness) -> None:
        stored: Any = harness.insert("text", "a", metadata={"k": [1], "deep": {"x": 1}})
        read: Any = harness.one("a")
        for found in (stored, read, *harness.scan()):
            with pytest.raises(TypeError, match="read-only"):
                found.metadata["new"] = True
            with pytest.raises(TypeError, match="read-only"):
                found.metadata["k"].append(3)
            with pytest.raises(TypeError, match="read-only"):
                found.metadata["deep"].update(x=2)
        assert harness.one("a").metadata == {"k": [1], "deep": {"x": 1}}

    # --------------------------------------------------------------------------------------- duplicates

    def test_the_same_again_reinforces_and_gives_the_stored_record(self, harness: Harness) -> None:
        first = harness.insert("tea, no sugar", category="taste")
        harness.advance(60)
        again = harness.insert("tea, no sugar", category="taste")
        assert (again.id, again.reinforced, again.created_at) == (first.id, 1, first.created_at)
        assert (again.version, again.updated_at) == (first.version, first.updated_at)
        assert harness.scan() == [again]

    def test_what_differs_in_owner_or_meaning_is_no_duplicate(self, harness: Harness) -> None:
        base: dict[str, Any] = {
            "content": "tea, no sugar",
            "scope": ANN,
            "category": "taste",
            "tags": ("x",),
            "metadata": {"k": 1, "l": [1, 2]},
        }
        others: list[dict[str, Any]] = [
            {},
            {"content": "tea, no Sugar"},
            {"scope": BOB},
            {"scope": Scope()},
            {"scope": Scope(user_id="ann", session_id="s")},
            {"scope": Scope(user_id="ann", agent_id="s")},
            {"scope": Scope(user_id="ann", tenant_id="other")},
            {"kind": "fact"},
            {"category": "food"},
            {"category": None},
            {"tags": ("x", "y")},
            {"tags": ("y", "x")},
            {"metadata": {}},
            {"metadata": {"k": "1", "l": [1, 2]}},
            {"metadata": {"k": True, "l": [1, 2]}},
            {"metadata": {"k": 1, "l": [2, 1]}},
            {"metadata": {"k": 1, "l": [1, 2], "m": None}},
        ]
        if "namespace" in self.owners:
            others.append({"scope": Scope(user_id="ann", namespace="s")})
        for other in others:
            assert harness.insert(**(base | other)).reinforced == 0, other
        for other in others:
            assert harness.insert(**(base | other)).reinforced == 1, other

    def test_what_differs_only_beside_the_meaning_is_a_duplicate(self, harness: Harness) -> None:
        first = harness.insert("tea", metadata={"a": 1, "b": 2})
        others: list[dict[str, Any]] = [
            {"importance": 0.9},
            {"tier": "short"},
            {"source": "mail"},
            {"metadata": {"b": 2, "a": 1}},
        ]
        for count, other in enumerate(others, 1):
            again = harness.insert("tea", **({"metadata": {"a": 1, "b": 2}} | other))
            assert (again.id, again.reinforced) == (first.id, count), other
            assert (again.importance, again.tier, again.source) == (first.importance, None, None)

    def test_the_later_expiry_wins_and_none_is_the_latest(self, harness: Harness) -> None:
        for ttl, expected in ((100, 100), (200, 200), (50, 200), (None, None), (300, None)):
            stored = harness.insert("short-lived", ttl=ttl)
            gained = None if stored.expires_at is None else (stored.expires_at - START).total_seconds()
            assert gained == expected
        assert harness.scan()[0].expires_at is None

    def test_an_expired_record_is_not_reinforced(self, harness: Harness) -> None:
        first = harness.insert("short-lived", ttl=10)
        harness.advance(10)
        again = harness.insert("short-lived")
        assert again.reinforced == 0
        assert again.id != first.id

    def test_a_named_insert_is_a_duplicate_only_of_its_own_id(self, harness: Harness) -> None:
        harness.insert("tea", "a")
        other = harness.insert("tea", "b")
        same = harness.insert("tea", "a")
        assert (other.id, other.reinforced) == ("b", 0)
        assert (same.id, same.reinforced) == ("a", 1)

    def test_a_dated_insert_is_a_duplicate_only_of_the_same_moment(self, harness: Harness) -> None:
        first = harness.insert("rain", dated=True)
        harness.advance(1)
        later = harness.insert("rain", dated=True)
        again = harness.insert("rain", dated=True)
        assert later.id != first.id
        assert (again.id, again.reinforced) == (later.id, 1)

    def test_duplicates_inside_one_batch_are_found(self, harness: Harness) -> None:
        first, second, third = harness.write(*(harness.insertion("tea") for _ in range(3)))
        assert first.id == second.id == third.id
        assert third.reinforced == 2
        assert harness.count() == 1

    def test_duplicates_predicts_which_inserts_reinforce(self, harness: Harness) -> None:
        if not harness.foretells:
            pytest.skip("the store does not implement `duplicates`")
        harness.insert("tea", "a")
        harness.insert("old", ttl=1)
        harness.advance(1)
        asked = [
            harness.insertion("tea"),
            harness.insertion("tea", "a"),
            harness.insertion("tea", "b"),
            harness.insertion("tea", dated=True),
            harness.insertion("coffee"),
            harness.insertion("old"),
        ]
        assert harness.duplicates(*asked) == [True, True, False, False, False, False]
        assert harness.duplicates() == []
        assert harness.count() == 1

    def test_reinforcing_adds_vectors_only_where_there_were_none(self, harness: Harness) -> None:
        harness.needs("vectors")
        harness.insert("tea", "a")
        again = harness.insert("tea", "a", embedding=embedding(10))
        assert again.embedded
        assert harness.one("a").embedded
        harness.insert("tea", "a", embedding=embedding(70))
        assert np.allclose(harness.embeddings("a")["a"].vectors, direction(10))

    def test_a_duplicate_leaves_no_older_version(self, harness: Harness) -> None:
        harness.needs("history")
        harness.insert("tea", "a")
        harness.insert("tea", "a")
        assert len(harness.history("a")) == 1

    def test_what_was_forgotten_is_no_duplicate(self, harness: Harness) -> None:
        harness.insert("tea", "a")
        harness.delete("a")
        assert harness.insert("tea", "a").reinforced == 0

    def test_what_was_updated_is_a_duplicate_of_its_new_content_only(self, harness: Harness) -> None:
        harness.insert("tea", "a")
        harness.update("a", content="coffee")
        assert harness.insert("coffee").id == "a"
        assert harness.insert("tea").reinforced == 0

    # ---------------------------------------------------------------------------------------------- ids

    def test_an_id_taken_by_another_memory_is_a_conflict(self, harness: Harness) -> None:
        before = harness.insert("tea", "a", scope=ANN)
        for scope in (ANN, BOB):
            with pytest.raises(Conflict, match="'a'"):
                harness.insert("coffee", "a", scope=scope)
        assert harness.scan() == [before]

    def test_another_tenant_may_use_the_same_id(self, harness: Harness) -> None:
        harness.insert("tea", "a")
        harness.insert("coffee", "a", scope=Scope(tenant_id="other"))
        assert harness.one("a").content == "tea"
        assert harness.one("a", scope=Scope(tenant_id="other")).content == "coffee"

    def test_the_id_of_an_expired_record_is_free_and_nothing_is_inherited(self, harness: Harness) -> None:
        harness.insert("friend", "b")
        harness.insert("old secret", "a", ttl=10)
        harness.update("a", content="older secret")
        harness.touch("a", 5)
        if harness.can("links"):
            harness.link("a", "b")
            harness.link("b", "a")
        harness.advance(10)
        fresh = harness.insert("new", "a")
        assert harness.one("a") == fresh
        assert (fresh.access_count, fresh.links, fresh.version) == (0, (), 1)
        assert harness.one("b").links == ()
        if harness.can("history"):
            assert [version.record.content for version in harness.history("a")] == ["new"]

    def test_vectors_of_an_expired_record_are_not_inherited(self, harness: Harness) -> None:
        harness.needs("vectors")
        harness.insert("old", "a", ttl=10, embedding=embedding(0))
        harness.advance(10)
        assert not harness.insert("new", "a").embedded
        assert harness.embeddings("a") == {}

    # ------------------------------------------------------------------------------------------ vectors

    def test_a_record_with_vectors_says_so(self, harness: Harness) -> None:
        harness.needs("vectors")
        assert harness.insert("tea", "a", embedding=embedding(10)).embedded
        assert not harness.insert("coffee", "b").embedded
        assert [found.embedded for found in harness.get("a", "b")] == [True, False]

    def test_vectors_come_back_with_their_passages(self, harness: Harness) -> None:
        harness.needs("vectors")
        given = passages("one two three four", 10, 50, 130)
        harness.insert("one two three four", "a", embedding=given)
        harness.insert("short", "b", embedding=embedding(20))
        harness.insert("none", "c")
        found = harness.embeddings("a", "b", "c", "missing")
        assert found.keys() == {"a", "b"}
        assert found["a"].spans == given.spans
        assert np.array_equal(found["a"].vectors, given.vectors)
        assert found["a"].vectors.dtype == np.float32
        assert found["a"].model == given.model
        assert found["b"].spans == ()

    def test_vectors_of_another_dimension_are_refused(self, harness: Harness) -> None:
        harness.needs("vectors")
        harness.insert("tea", "a", embedding=embedding(10))
        short = Embedding(model=embedding(0).model, vectors=np.ones((1, 3), dtype=np.float32))
        with pytest.raises(EmbeddingError, match="dimension"):
            harness.insert("coffee", "b", embedding=short)
        with pytest.raises(EmbeddingError, match="dimension"):
            harness.embed("a", "tea", short)
        with pytest.raises(EmbeddingError, match="dimension"):
            harness.update("a", content="coffee", embedding=short)
        assert harness.ids() == ["a"]
        assert harness.one("a").content == "tea"

    def test_older_versions_can_be_stored_along(self, harness: Harness) -> None:
        harness.needs("history")
        harness.insert("one", "a")
        harness.advance(5)
        harness.update("a", content="two")
        harness.advance(5)
        last = harness.update("a", category="c")
        versions = harness.history("a")
        harness.delete("a")
        past: tuple[Version, ...] = tuple(version for version in versions if not version.current)
        harness.write(Insert(record=last, named=True, dated=True, past=past))
        again = harness.history("a")
        assert [(v.version, v.record.content) for v in again] == [(1, "one"), (2, "two"), (3, "two")]
        assert [v.changed_at for v in again] == [v.changed_at for v in versions]

    def test_noted_recalls_can_be_stored_along(self, harness: Harness) -> None:
        given = harness.new("tea", "a", access_count=7, last_accessed_at=START)
        stored = harness.write(Insert(record=given))[0]
        assert stored == harness.one("a") == given
