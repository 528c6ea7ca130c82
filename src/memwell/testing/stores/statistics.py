"""Counts of a scope, without what has expired."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from memwell.errors import NotFound
from memwell.testing.samples import START, embedding
from memwell.testing.stores._harness import Harness, StoreSuite
from memwell.types import Scope

__all__ = ["Statistics"]

ANN, BOB = Scope(user_id="ann"), Scope(user_id="bob")


class Statistics(StoreSuite):
    """Part of `StoreConformance`."""

    def test_statistics_count_what_the_scope_sees(self, harness: Harness) -> None:
        ann = Scope(user_id="ann", session_id="s1")
        harness.insert("one", "a", scope=ann, category="x", kind="fact")
        harness.advance(5)
        harness.insert("two", "b", scope=Scope(user_id="ann", session_id="s2"), category="x")
        harness.insert("three", "c", scope=Scope(user_id="bob"), ttl=100)
        harness.insert("four", "d", scope=Scope(tenant_id="other"))
        harness.update("a", importance=0.1)
        if harness.can("links"):
            harness.link("a", "b")
        stats = harness.stats()
        assert (stats.records, stats.users, stats.sessions, stats.expired) == (3, 2, 2, 0)
        assert dict(stats.by_kind) == {"memory": 2, "fact": 1}
        assert dict(stats.by_category) == {"x": 2}
        expected = (int(harness.can("history")), int(harness.can("links")), 3)
        assert (stats.versions, stats.links, stats.unembedded) == expected
        assert (stats.oldest, stats.newest) == (START, harness.now)
        assert harness.stats(ann).records == 1
        harness.advance(100)
        assert (harness.stats().records, harness.stats().expired) == (2, 1)

    @pytest.mark.parametrize("other", [BOB, Scope(tenant_id="other", user_id="ann")], ids=["user", "tenant"])
    def test_nothing_of_others_and_nothing_expired_is_counted(self, harness: Harness, other: Scope) -> None:
        harness.needs("vectors", "links", "history")
        self._fill(harness, ANN, "ann", START)
        alone = harness.stats(ANN)
        assert (alone.records, alone.versions, alone.links, alone.unembedded, alone.expired) == (
            2,
            1,
            1,
            1,
            0,
        )
        assert dict(alone.embedded) == {"suite": 1, "second": 1}
        self._fill(harness, other, "bob", START - timedelta(days=1))
        self._fill(harness, other, "far", START + timedelta(days=1))
        self._fill(harness, ANN, "old", START - timedelta(days=2), ttl=2 * 86_400 + 10)
        harness.advance(5)
        self._fill(harness, ANN, "new", harness.now, ttl=5)
        harness.advance(5)
        stats = harness.stats(ANN)
        for name in ("records", "sessions", "users", "versions", "links", "unembedded", "oldest", "newest"):
            assert getattr(stats, name) == getattr(alone, name), name
        for name in ("by_kind", "by_category", "embedded"):
            assert dict(getattr(stats, name)) == dict(getattr(alone, name)), name
        assert stats.expired == 4
        assert harness.stats(other).expired == 0
        assert harness.stats(other).records == 4

    def test_a_session_that_two_users_share_is_counted_once(self, harness: Harness) -> None:
        for user in ("ann", "bob"):
            for session in ("s", "t"):
                scope = Scope(user_id=user, session_id=session)
                harness.insert(f"{user} in {session}", scope=scope)
        assert (harness.stats().users, harness.stats().sessions) == (2, 2)
        assert harness.stats(Scope(session_id="s")).users == 2

    def test_statistics_of_an_empty_store_are_zeros(self, harness: Harness) -> None:
        for scope in (Scope(), ANN):
            stats = harness.stats(scope)
            assert (stats.records, stats.users, stats.sessions) == (0, 0, 0)
            assert (stats.versions, stats.links, stats.expired, stats.unembedded) == (0, 0, 0, 0)
            assert (stats.oldest, stats.newest) == (None, None)
            assert (dict(stats.by_kind), dict(stats.by_category), dict(stats.embedded)) == ({}, {}, {})
            harness.insert("of another", scope=BOB)
            harness.delete(scope=BOB)

    def test_every_call_returns_a_record_until_its_last_microsecond(self, harness: Harness) -> None:
        harness.insert("short-lived apple", "a", ttl=10, embedding=embedding(0))
        harness.insert("apple", "b", embedding=embedding(0))
        for seconds, there in ((9.999999, True), (0.000001, False), (0.000001, False)):
            harness.advance(seconds)
            ids = ["a", "b"] if there else ["b"]
            assert [found.id for found in harness.get("a", "b")] == ids
            for where in (None, {}, {"expires_at": {"$exists": True}}, {"$not": {"category": "x"}}):
                expected = [id for id in ids if id == "a" or not where or "expires_at" not in where]
                assert harness.ids(where) == expected
                assert harness.count(where) == len(expected)
                if harness.store.capabilities.lexical:
                    assert harness.found("apple", where=where) == set(expected)
                if harness.store.capabilities.vectors:
                    assert set(harness.cosines(embedding(0).vectors[0], where=where)) == set(expected)
            stats = harness.stats()
            assert (stats.records, stats.expired) == (len(ids), 2 - len(ids))
            if harness.foretells:
                assert harness.duplicates(harness.insertion("short-lived apple")) == [there]
            calls: list[Callable[[], object]] = []
            if harness.can("history"):
                calls.append(lambda: harness.history("a"))
            if harness.can("links"):
                calls += [lambda: harness.link("a", "b"), lambda: harness.link("b", "a")]
            calls.append(lambda: harness.update("a", importance=0.9))
            if there:
                assert harness.run(harness.store.sweep(harness.now)) == 0
            for call in calls:
                if there:
                    call()
                else:
                    with pytest.raises(NotFound):
                        call()
        assert harness.run(harness.store.sweep(harness.now)) == 1

    def _fill(
        self, harness: Harness, scope: Scope, name: str, at: datetime, ttl: float | None = None
    ) -> None:
        """Two linked records, one with an older version, one with vectors of two models."""
        owner = Scope(tenant_id=scope.tenant_id, user_id=scope.user_id, session_id=name)
        fields: dict[str, Any] = {"scope": owner, "kind": name, "category": name, "at": at, "ttl": ttl}
        harness.insert(f"text {name}", f"{name} 1", embedding=embedding(0), **fields)
        harness.insert(f"more {name}", f"{name} 2", **fields)
        harness.update(f"{name} 1", scope=scope, importance=0.9)
        harness.link(f"{name} 1", f"{name} 2", scope=scope)
        harness.embed(f"{name} 1", f"text {name}", embedding(0, model="second"), tenant_id=scope.tenant_id)
