"""Scopes: no filter, id, relationship or cursor reaches a record outside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from memwell.errors import NotFound
from memwell.testing.samples import embedding
from memwell.testing.stores._harness import Harness, StoreSuite
from memwell.types import Scope

__all__ = ["Scopes"]

ANN, BOB = Scope(user_id="ann"), Scope(user_id="bob")
OTHER = Scope(tenant_id="other")
SCOPES = (
    Scope(user_id="u"),
    Scope(agent_id="u"),
    Scope(session_id="u"),
    Scope(namespace="u"),
    Scope(tenant_id="u"),
    Scope(user_id="u", session_id="s"),
    Scope(user_id="u", agent_id="a", session_id="s", namespace="n"),
    Scope(),
)


class Scopes(StoreSuite):
    """Part of `StoreConformance`."""

    def test_each_scope_sees_exactly_what_it_should(self, harness: Harness) -> None:
        scopes = [scope for scope in SCOPES if "namespace" in self.owners or scope.namespace is None]
        for number, scope in enumerate(scopes):
            harness.insert(f"apple {number}", f"r{number}", scope=scope)
        for scope in (*scopes, Scope(user_id="nobody"), Scope(session_id="s"), Scope(tenant_id="none")):
            expected = [f"r{n}" for n, owner in enumerate(scopes) if scope.sees(owner)]
            assert harness.ids(scope=scope) == expected
            assert harness.count(scope=scope) == len(expected)
            assert [r.id for r in harness.get(*(f"r{n}" for n in range(8)), scope=scope)] == expected
            if harness.store.capabilities.lexical:
                assert harness.found("apple", scope=scope) == set(expected)

    def test_no_filter_leads_out_of_the_scope(self, harness: Harness) -> None:
        harness.insert("apple", "bobs", scope=BOB, metadata={"user_id": "ann", "tenant_id": "default"})
        harness.insert("apple", "others", scope=OTHER, metadata={"user_id": "ann", "tenant_id": "default"})
        wheres: list[dict[str, Any]] = [
            {"user_id": "bob"},
            {"$or": [{"user_id": "bob"}, {"user_id": "ann"}]},
            {"$not": {"user_id": "ann"}},
            {"user_id": {"$in": ["bob", None]}},
            {"id": "bobs"},
            {"metadata.user_id": "ann"},
            {"$or": [{}, {"user_id": "bob"}]},
        ]
        for where in wheres:
            assert harness.ids(where, scope=ANN) == []
            assert harness.count(where, scope=ANN) == 0
            if harness.can("lexical"):
                assert harness.found("apple", where=where, scope=ANN) == set()
            assert harness.delete(scope=ANN, where=where) == []
        assert harness.ids() == ["bobs"]

    def test_no_id_leads_out_of_the_scope(self, harness: Harness) -> None:
        harness.needs("history", "links", "vectors")
        harness.insert("mine", "a", scope=ANN)
        harness.insert("bob's", "b", scope=BOB, embedding=embedding(0))
        harness.link("b", "a")
        calls: list[Callable[[], object]] = [
            lambda: harness.update("b", scope=ANN, content="stolen"),
            lambda: harness.history("b", scope=ANN),
            lambda: harness.link("b", "a", scope=ANN),
            lambda: harness.link("a", "b", scope=ANN),
            lambda: harness.unlink("b", "a", scope=ANN),
        ]
        for call in calls:
            with pytest.raises(NotFound):
                call()
        assert harness.get("b", scope=ANN) == []
        assert harness.delete("b", scope=ANN) == []
        assert harness.embeddings("b", scope=ANN) == {}
        assert harness.links("b", scope=ANN) == set()
        assert harness.one("b").content == "bob's"

    def test_a_relationship_is_shown_only_to_who_sees_both_ends(self, harness: Harness) -> None:
        harness.needs("links")
        for id, scope in (("a", ANN), ("b", ANN), ("c", BOB), ("d", BOB)):
            harness.insert(f"apple {id}", id, scope=scope)
        for source, target in (("a", "b"), ("a", "c"), ("c", "a"), ("c", "d"), ("b", "d")):
            harness.link(source, target)
        again = harness.insertion("apple a", scope=ANN)
        records = [
            *harness.get("a", scope=ANN),
            *harness.scan({"id": "a"}, scope=ANN),
            *([harness.history("a", ANN)[-1].record] if harness.can("history") else []),
            harness.update("a", scope=ANN, importance=0.9),
            harness.update("a", scope=ANN, importance=0.9),
            *harness.write(again),
        ]
        assert {record.id for record in records} == {"a"}
        assert [[link.target for link in record.links] for record in records] == [["b"]] * len(records)
        assert [(r.id, [link.target for link in r.links]) for r in harness.scan(scope=ANN, order="id")] == [
            ("a", ["b"]),
            ("b", []),
        ]
        assert harness.links("a", "b", scope=ANN) == {("a", "b", "related")}
        assert harness.links("a", "b", "c", incoming=True, scope=ANN) == {("a", "b", "related")}
        found = harness.search("apple", scope=ANN).incoming if harness.store.capabilities.lexical else None
        assert {source for source, _ in found or ()} <= {"a", "b"}
        assert sorted(link.target for link in harness.one("a").links) == ["b", "c"]
        assert harness.links("a", incoming=True) == {("c", "a", "related")}

    def test_a_walk_cannot_be_started_outside_the_scope(self, harness: Harness) -> None:
        for id, scope in (("a", ANN), ("b", BOB), ("c", ANN), ("d", BOB)):
            harness.insert(f"text {id}", id, scope=scope)
        assert [r.id for r in harness.scan(scope=ANN, order="id", after=("b", "b"))] == ["c"]
