"""Versions, relationships, the change sequence, sweeping, the doctor, opening and closing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from memwell.capabilities import Capabilities
from memwell.errors import Closed, Conflict, NotFound
from memwell.ports import Delete, Store, Update
from memwell.ports.store.search import Search
from memwell.testing._run import race, run
from memwell.testing.samples import ANYBODY, START, embedding
from memwell.testing.stores._harness import Harness, StoreSuite
from memwell.types import Link, Record, Scope

__all__ = ["Keeping"]

OTHER = Scope(tenant_id="other")


class Keeping(StoreSuite):
    """Part of `StoreConformance`."""

    # -------------------------------------------------------------------------------------------- history

    def test_history_tells_every_version_and_what_it_changed(self, harness: Harness) -> None:
        harness.needs("history")
        harness.insert("one", "a", tags=("x",))
        harness.advance(10)
        harness.update("a", content="two")
        harness.advance(10)
        harness.update("a", category="c", content="three")
        versions = harness.history("a")
        assert [version.version for version in versions] == [1, 2, 3]
        assert [version.record.content for version in versions] == ["one", "two", "three"]
        assert [version.changed for version in versions] == [(), ("content",), ("category", "content")]
        assert [version.current for version in versions] == [False, False, True]
        ends = [START + timedelta(seconds=s) for s in (10, 20, 20)]
        assert [version.changed_at for version in versions] == ends
        assert versions[-1].record == harness.one("a")
        assert versions[0].record.tags == ("x",)

    def test_older_versions_are_whole(self, harness: Harness) -> None:
        harness.needs("history")
        scope = self.owner(user_id="u", agent_id="a", session_id="s", namespace="n")
        fields: dict[str, Any] = {
            "metadata": {"k": [1, 0.1 + 0.2, None]},
            "tags": ("y", "x"),
            "category": "c",
            "importance": 1 / 3,
            "kind": "fact",
            "tier": "long",
            "source": "mail",
        }
        first = harness.insert("one", "a", scope=scope, ttl=900, **fields)
        harness.advance(1)
        emptied: dict[str, Any] = dict.fromkeys(("category", "tier", "source", "expires_at"))
        second = harness.update(
            "a", content="two", metadata={}, tags=(), importance=0.5, kind="memory", **emptied
        )
        harness.advance(1)
        third = harness.update("a", content="three", **fields)
        versions = [version.record for version in harness.history("a")]
        assert [versions[0], versions[1], versions[2]] == [first, second, third]

    def test_history_of_what_was_never_changed_is_one_version(self, harness: Harness) -> None:
        harness.needs("history")
        record = harness.insert("one", "a")
        (version,) = harness.history("a")
        assert (version.record, version.current, version.changed) == (record, True, ())
        assert version.changed_at == record.updated_at

    def test_history_of_what_is_not_there_is_not_found(self, harness: Harness) -> None:
        harness.needs("history")
        harness.insert("one", "a", ttl=10)
        for id, scope in (("missing", ANYBODY), ("a", OTHER)):
            with pytest.raises(NotFound):
                harness.history(id, scope)
        harness.advance(10)
        with pytest.raises(NotFound):
            harness.history("a")

    # ------------------------------------------------------------------------------------- relationships

    def test_relationships_are_found_from_both_ends(self, harness: Harness) -> None:
        harness.needs("links")
        _letters(harness, "abc")
        harness.link("a", "b", "extends")
        harness.link("a", "c")
        harness.link("b", "a")
        assert harness.links("a") == {("a", "b", "extends"), ("a", "c", "related")}
        assert harness.links("a", incoming=True) == {("b", "a", "related")}
        both = harness.links("a", "b")
        assert both == {("a", "b", "extends"), ("a", "c", "related"), ("b", "a", "related")}
        assert harness.links("missing") == harness.links() == set()

    def test_a_record_carries_its_outgoing_relationships(self, harness: Harness) -> None:
        harness.needs("links")
        _letters(harness, "ab")
        harness.advance(5)
        harness.link("a", "b", "extends", 0.25)
        (link,) = harness.one("a").links
        assert (link.target, link.kind, link.strength, link.created_at) == ("b", "extends", 0.25, harness.now)
        assert harness.one("b").links == ()
        assert harness.one("a").version == 1

    def test_strength_and_date_are_returned_from_both_ends(self, harness: Harness) -> None:
        harness.needs("links")
        _letters(harness, "abc")
        expected = []
        for source, target, strength in (("a", "b", 0.25), ("c", "b", 0.75)):
            harness.advance(5)
            harness.link(source, target, strength=strength)
            expected.append((source, Link(target=target, strength=strength, created_at=harness.now)))
        assert harness.full_links("b", incoming=True) == expected
        assert harness.full_links("a", "c") == expected
        assert [link for id in "ac" for link in harness.one(id).links] == [link for _, link in expected]
        assert harness.full_links("b") == harness.full_links("a", "c", incoming=True) == []

    def test_the_same_again_changes_the_strength_and_keeps_the_date(self, harness: Harness) -> None:
        harness.needs("links")
        _letters(harness, "ab")
        harness.link("a", "b", strength=0.5)
        harness.advance(5)
        harness.link("a", "b", strength=0.75)
        harness.link("a", "b", "extends")
        strengths = {link.kind: (link.strength, link.created_at) for link in harness.one("a").links}
        assert strengths == {"related": (0.75, START), "extends": (1.0, harness.now)}

    def test_both_ends_of_a_relationship_must_be_there(self, harness: Harness) -> None:
        harness.needs("links")
        _letters(harness, "ab")
        harness.insert("old", "old", ttl=1)
        harness.insert("foreign", "foreign", scope=OTHER)
        harness.advance(1)
        for source, target in (
            ("a", "missing"),
            ("missing", "a"),
            ("a", "old"),
            ("old", "a"),
            ("a", "foreign"),
        ):
            with pytest.raises(NotFound):
                harness.link(source, target)
        assert harness.one("a").links == ()

    def test_relationships_are_removed_by_kind_or_all(self, harness: Harness) -> None:
        harness.needs("links")
        _letters(harness, "ab")
        for kind in ("x", "y", "z"):
            harness.link("a", "b", kind)
        harness.link("b", "a", "x")
        assert harness.unlink("a", "b", "x") == 1
        assert harness.unlink("a", "b", "x") == 0
        assert harness.unlink("a", "b") == 2
        assert harness.links("a", "b") == {("b", "a", "x")}

    def test_relationships_outlive_an_update(self, harness: Harness) -> None:
        harness.needs("links")
        _letters(harness, "ab")
        harness.link("a", "b")
        assert len(harness.update("a", content="changed").links) == 1
        harness.update("b", content="changed")
        assert harness.links("a") == {("a", "b", "related")}

    # ------------------------------------------------------------------------------------------- changes

    def test_the_change_sequence_tells_what_happened_to_whom(self, harness: Harness) -> None:
        harness.needs("changes")
        harness.insert("one", "a")
        harness.insert("two", "b", scope=OTHER)
        start = harness.changes()[-1].seq
        harness.update("a", content="three")
        harness.delete("b", scope=OTHER)
        found = harness.changes(start)
        assert [(c.kind, c.tenant_id, c.id) for c in found] == [
            ("put", "default", "a"),
            ("delete", "other", "b"),
        ]
        assert [c.seq for c in found] == sorted({c.seq for c in found})
        assert harness.changes(found[-1].seq) == []

    def test_following_the_change_sequence_in_small_steps_ends_at_the_same_records(
        self, harness: Harness
    ) -> None:
        harness.needs("changes")
        harness.write(*(harness.insertion(f"text {n}", f"r{n:02}") for n in range(40)))
        harness.write(Delete(scope=ANYBODY, ids=tuple(f"r{n:02}" for n in range(37))))
        harness.insert("again", "r00")
        harness.update("r38", content="changed")
        mirrored: set[str] = set()
        at = 0
        while found := harness.changes(at, limit=3):
            assert len(found) <= 3
            for change in found:
                (mirrored.add if change.kind == "put" else mirrored.discard)(change.id)
            at = found[-1].seq
        assert mirrored == set(harness.ids()) == {"r00", "r37", "r38", "r39"}

    def test_a_write_that_changes_nothing_tells_nothing(self, harness: Harness) -> None:
        harness.needs("changes")
        harness.insert("one", "a")
        at = harness.changes()[-1].seq
        harness.update("a", content="one")
        harness.delete("missing")
        harness.unlink("a", "a")
        assert harness.changes(at) == []

    # ------------------------------------------------------------------------------------------ sweeping

    def test_sweeping_removes_the_expired_of_every_tenant_with_all_that_hangs_on_them(
        self, harness: Harness
    ) -> None:
        harness.needs("vectors", "links")
        harness.insert("stays", "stays")
        harness.insert("goes", "goes", ttl=10, embedding=embedding(0))
        harness.insert("goes too", "too", ttl=10, scope=OTHER)
        harness.insert("later", "later", ttl=100)
        harness.link("stays", "goes")
        harness.update("goes", category="c")
        assert _sweep(harness) == 0
        harness.advance(10)
        assert _sweep(harness) == 2
        assert _sweep(harness) == 0
        assert harness.ids() == ["later", "stays"]
        assert harness.one("stays").links == ()
        assert harness.stats().expired == 0
        assert harness.embeddings("goes") == {}
        assert harness.check().ok

    # ---------------------------------------------------------------------------------------- the doctor

    def test_a_sound_store_is_found_sound_and_repair_changes_nothing(self, harness: Harness) -> None:
        if type(harness.store)._check is Store._check:
            pytest.skip("the store does not check itself")
        harness.insert("one", "a", embedding=embedding(0))
        harness.insert("two", "b", scope=OTHER)
        harness.update("a", content="three")
        harness.insert("four", "a2")
        if harness.can("links"):
            harness.link("a", "a2")
        before = harness.scan()
        report = harness.check()
        assert (report.ok, report.problems, report.checked, report.repaired) == (True, (), 3, 0)
        repaired = harness.check(repair=True)
        assert (repaired.ok, repaired.repaired) == (True, 0)
        assert harness.scan() == before

    # ------------------------------------------------------------------------------------------ its life

    def test_capabilities_are_read_from_the_instance(self, store: Store) -> None:
        assert isinstance(store.capabilities, Capabilities)
        assert store.capabilities == store.capabilities

    def test_an_open_store_answers_a_ping(self, harness: Harness) -> None:
        harness.run(harness.store.ping())

    def test_closing_twice_is_fine_and_every_other_call_is_refused(self, store: Store) -> None:
        harness = Harness(store)
        harness.insert("one", "a")
        run(store, store.close())
        run(store, store.close())
        calls: list[Callable[[], Awaitable[object]]] = [
            store.ping,
            lambda: store.write([harness.insertion("x")], now=START),
            lambda: store.write([], now=START),
            lambda: store.get(ANYBODY, ["a"], now=START),
            lambda: store.scan(ANYBODY, now=START),
            lambda: store.count(ANYBODY, now=START),
            lambda: store.duplicates([], now=START),
            lambda: store.search(Search(scope=ANYBODY, now=START)),
            lambda: store.actors(ANYBODY),
            lambda: store.history(ANYBODY, "a", now=START),
            lambda: store.links(ANYBODY, ["a"], incoming=False),
            lambda: store.embeddings(ANYBODY, ["a"], "m"),
            lambda: store.unembedded("m", limit=1),
            lambda: store.changes(0, limit=1),
            lambda: store.sweep(START),
            lambda: store.stats(ANYBODY, now=START),
            lambda: store.check(),
        ]
        for call in calls:
            with pytest.raises(Closed):
                run(store, call())

    def test_concurrent_writers_lose_nothing(self, harness: Harness) -> None:
        def writer(name: int) -> Callable[[], Awaitable[list[Any]]]:
            inserts = [harness.insertion(f"text {name}", f"w{name:02}"), harness.insertion("shared")]
            return lambda: harness.store.write(inserts, now=START)

        results = race(harness.store, [writer(name) for name in range(8)])
        assert harness.ids(where={"content": {"$ne": "shared"}}) == [f"w{n:02}" for n in range(8)]
        shared: list[Record] = harness.scan({"content": "shared"})
        assert [found.reinforced for found in shared] == [7]
        assert {result[1].id for result in results} == {shared[0].id}

    def test_of_concurrent_updates_of_one_version_exactly_one_succeeds(self, harness: Harness) -> None:
        harness.insert("zero", "a")

        async def attempt(number: int) -> bool:
            change = Update(scope=ANYBODY, id="a", changes={"content": f"{number}"}, expected_version=1)
            try:
                await harness.store.write([change], now=START)
            except Conflict:
                return False
            return True

        calls: list[Callable[[], Awaitable[bool]]] = [lambda n=n: attempt(n) for n in range(8)]  # type: ignore[misc]
        assert sum(race(harness.store, calls)) == 1
        assert harness.one("a").version == 2


def _letters(harness: Harness, ids: str) -> None:
    """A record for each letter."""
    for id in ids:
        harness.insert(f"text {id}", id)


def _sweep(harness: Harness) -> int:
    """How many went."""
    return harness.run(harness.store.sweep(harness.now))
