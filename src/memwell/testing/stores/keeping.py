"""Versions, relationships, the change sequence, sweeping, the doctor, the life of a store."""

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
from memwell.testing.stores._harness import Driven, StoreSuite
from memwell.types import Record, Scope

__all__ = ["Keeping"]

OTHER = Scope(tenant_id="other")


class Keeping(StoreSuite):
    """Part of `StoreConformance`."""

    # -------------------------------------------------------------------------------------------- history

    def test_history_tells_every_version_and_what_it_changed(self, driven: Driven) -> None:
        driven.needs("history")
        driven.insert("one", "a", tags=("x",))
        driven.advance(10)
        driven.update("a", content="two")
        driven.advance(10)
        driven.update("a", category="c", content="three")
        told = driven.history("a")
        assert [version.version for version in told] == [1, 2, 3]
        assert [version.record.content for version in told] == ["one", "two", "three"]
        assert [version.changed for version in told] == [(), ("content",), ("category", "content")]
        assert [version.current for version in told] == [False, False, True]
        ends = [START + timedelta(seconds=s) for s in (10, 20, 20)]
        assert [version.changed_at for version in told] == ends
        assert told[-1].record == driven.one("a")
        assert told[0].record.tags == ("x",)

    def test_history_of_what_was_never_changed_is_one_version(self, driven: Driven) -> None:
        record = driven.insert("one", "a")
        (version,) = driven.history("a")
        assert (version.record, version.current, version.changed) == (record, True, ())
        assert version.changed_at == record.updated_at

    def test_history_of_what_is_not_there_is_not_found(self, driven: Driven) -> None:
        driven.insert("one", "a", ttl=10)
        for id, scope in (("missing", ANYBODY), ("a", OTHER)):
            with pytest.raises(NotFound):
                driven.history(id, scope)
        driven.advance(10)
        with pytest.raises(NotFound):
            driven.history("a")

    # ------------------------------------------------------------------------------------- relationships

    def test_relationships_are_found_from_both_ends(self, driven: Driven) -> None:
        driven.needs("links")
        _letters(driven, "abc")
        driven.link("a", "b", "extends")
        driven.link("a", "c")
        driven.link("b", "a")
        assert driven.links("a") == {("a", "b", "extends"), ("a", "c", "related")}
        assert driven.links("a", incoming=True) == {("b", "a", "related")}
        both = driven.links("a", "b")
        assert both == {("a", "b", "extends"), ("a", "c", "related"), ("b", "a", "related")}
        assert driven.links("missing") == driven.links() == set()

    def test_a_record_carries_its_outgoing_relationships(self, driven: Driven) -> None:
        driven.needs("links")
        _letters(driven, "ab")
        driven.advance(5)
        driven.link("a", "b", "extends", 0.25)
        (link,) = driven.one("a").links
        assert (link.target, link.kind, link.strength, link.created_at) == ("b", "extends", 0.25, driven.now)
        assert driven.one("b").links == ()
        assert driven.one("a").version == 1

    def test_the_same_again_changes_the_strength_and_keeps_the_date(self, driven: Driven) -> None:
        driven.needs("links")
        _letters(driven, "ab")
        driven.link("a", "b", strength=0.5)
        driven.advance(5)
        driven.link("a", "b", strength=0.75)
        driven.link("a", "b", "extends")
        strengths = {link.kind: (link.strength, link.created_at) for link in driven.one("a").links}
        assert strengths == {"related": (0.75, START), "extends": (1.0, driven.now)}

    def test_both_ends_of_a_relationship_must_be_there(self, driven: Driven) -> None:
        _letters(driven, "ab")
        driven.insert("old", "old", ttl=1)
        driven.insert("foreign", "foreign", scope=OTHER)
        driven.advance(1)
        for source, target in (
            ("a", "missing"),
            ("missing", "a"),
            ("a", "old"),
            ("old", "a"),
            ("a", "foreign"),
        ):
            with pytest.raises(NotFound):
                driven.link(source, target)
        assert driven.one("a").links == ()

    def test_relationships_are_removed_by_kind_or_all(self, driven: Driven) -> None:
        driven.needs("links")
        _letters(driven, "ab")
        for kind in ("x", "y", "z"):
            driven.link("a", "b", kind)
        driven.link("b", "a", "x")
        assert driven.unlink("a", "b", "x") == 1
        assert driven.unlink("a", "b", "x") == 0
        assert driven.unlink("a", "b") == 2
        assert driven.links("a", "b") == {("b", "a", "x")}

    def test_relationships_outlive_an_update(self, driven: Driven) -> None:
        driven.needs("links")
        _letters(driven, "ab")
        driven.link("a", "b")
        assert len(driven.update("a", content="changed").links) == 1
        driven.update("b", content="changed")
        assert driven.links("a") == {("a", "b", "related")}

    # ------------------------------------------------------------------------------------------- changes

    def test_the_change_sequence_tells_what_happened_to_whom(self, driven: Driven) -> None:
        driven.needs("changes")
        driven.insert("one", "a")
        driven.insert("two", "b", scope=OTHER)
        start = driven.changes()[-1].seq
        driven.update("a", content="three")
        driven.delete("b", scope=OTHER)
        found = driven.changes(start)
        assert [(c.kind, c.tenant_id, c.id) for c in found] == [
            ("put", "default", "a"),
            ("delete", "other", "b"),
        ]
        assert [c.seq for c in found] == sorted({c.seq for c in found})
        assert driven.changes(found[-1].seq) == []

    def test_following_the_change_sequence_in_small_steps_ends_at_the_same_records(
        self, driven: Driven
    ) -> None:
        driven.needs("changes")
        driven.write(*(driven.insertion(f"text {n}", f"r{n:02}") for n in range(40)))
        driven.write(Delete(scope=ANYBODY, ids=tuple(f"r{n:02}" for n in range(37))))
        driven.insert("again", "r00")
        driven.update("r38", content="changed")
        mirrored: set[str] = set()
        at = 0
        while found := driven.changes(at, limit=3):
            assert len(found) <= 3
            for change in found:
                (mirrored.add if change.kind == "put" else mirrored.discard)(change.id)
            at = found[-1].seq
        assert mirrored == set(driven.ids()) == {"r00", "r37", "r38", "r39"}

    def test_a_write_that_changes_nothing_tells_nothing(self, driven: Driven) -> None:
        driven.needs("changes")
        driven.insert("one", "a")
        at = driven.changes()[-1].seq
        driven.update("a", content="one")
        driven.delete("missing")
        driven.unlink("a", "a")
        assert driven.changes(at) == []

    # ------------------------------------------------------------------------------------------ sweeping

    def test_sweeping_removes_the_expired_of_every_tenant_with_all_that_hangs_on_them(
        self, driven: Driven
    ) -> None:
        driven.needs("vectors", "links")
        driven.insert("stays", "stays")
        driven.insert("goes", "goes", ttl=10, embedding=embedding(0))
        driven.insert("goes too", "too", ttl=10, scope=OTHER)
        driven.insert("later", "later", ttl=100)
        driven.link("stays", "goes")
        driven.update("goes", category="c")
        assert _sweep(driven) == 0
        driven.advance(10)
        assert _sweep(driven) == 2
        assert _sweep(driven) == 0
        assert driven.ids() == ["later", "stays"]
        assert driven.one("stays").links == ()
        assert driven.stats().expired == 0
        assert driven.embeddings("goes") == {}
        assert driven.check().ok

    def test_many_expired_records_are_swept_at_once(self, driven: Driven) -> None:
        driven.write(*(driven.insertion(f"text {n}", f"r{n}", ttl=1) for n in range(2500)))
        driven.advance(1)
        assert _sweep(driven) == 2500

    # ---------------------------------------------------------------------------------------- the doctor

    def test_a_sound_store_is_found_sound_and_repair_changes_nothing(self, driven: Driven) -> None:
        driven.insert("one", "a", embedding=embedding(0))
        driven.insert("two", "b", scope=OTHER)
        driven.update("a", content="three")
        driven.link("a", "a2" if driven.get("a2") else driven.insert("four", "a2").id)
        before = driven.scan()
        report = driven.check()
        assert (report.ok, report.problems, report.checked, report.repaired) == (True, (), 3, 0)
        repaired = driven.check(repair=True)
        assert (repaired.ok, repaired.repaired) == (True, 0)
        assert driven.scan() == before

    # ------------------------------------------------------------------------------------------ its life

    def test_capabilities_are_read_from_the_instance(self, store: Store) -> None:
        assert isinstance(store.capabilities, Capabilities)
        assert store.capabilities == store.capabilities

    def test_an_open_store_answers_a_ping(self, driven: Driven) -> None:
        driven.run(driven.store.ping())

    def test_closing_twice_is_fine_and_every_other_call_is_refused(self, store: Store) -> None:
        driven = Driven(store)
        driven.insert("one", "a")
        run(store, store.close())
        run(store, store.close())
        calls: list[Callable[[], Awaitable[object]]] = [
            store.ping,
            lambda: store.write([driven.insertion("x")], now=START),
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

    def test_concurrent_writers_lose_nothing(self, driven: Driven) -> None:
        def writer(name: int) -> Callable[[], Awaitable[list[Any]]]:
            inserts = [driven.insertion(f"text {name}", f"w{name:02}"), driven.insertion("shared")]
            return lambda: driven.store.write(inserts, now=START)

        results = race(driven.store, [writer(name) for name in range(8)])
        assert driven.ids(where={"content": {"$ne": "shared"}}) == [f"w{n:02}" for n in range(8)]
        shared: list[Record] = driven.scan({"content": "shared"})
        assert [found.reinforced for found in shared] == [7]
        assert {result[1].id for result in results} == {shared[0].id}

    def test_of_concurrent_updates_of_one_version_exactly_one_succeeds(self, driven: Driven) -> None:
        driven.insert("zero", "a")

        async def attempt(number: int) -> bool:
            change = Update(scope=ANYBODY, id="a", changes={"content": f"{number}"}, expected_version=1)
            try:
                await driven.store.write([change], now=START)
            except Conflict:
                return False
            return True

        calls: list[Callable[[], Awaitable[bool]]] = [lambda n=n: attempt(n) for n in range(8)]  # type: ignore[misc]
        assert sum(race(driven.store, calls)) == 1
        assert driven.one("a").version == 2


def _letters(driven: Driven, ids: str) -> None:
    """A record for each letter."""
    for id in ids:
        driven.insert(f"text {id}", id)


def _sweep(driven: Driven) -> int:
    """How many went."""
    return driven.run(driven.store.sweep(driven.now))
