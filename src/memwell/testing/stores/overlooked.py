"""What adapters overlook: rare fields and options, imports, links of a record to itself, filters over long pages."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from memwell.errors import NotFound
from memwell.ports import Insert, SetLink, Touch
from memwell.records.revisions import stored_versions
from memwell.testing.samples import ANYBODY, START, embedding, passages
from memwell.testing.stores._harness import Harness, StoreSuite
from memwell.types import Link, Scope

__all__ = ["Overlooked"]

ANN, BOB = Scope(user_id="ann"), Scope(user_id="bob")


class Overlooked(StoreSuite):
    """Part of `StoreConformance`."""

    # -------------------------------------------------------------------------------------------- records

    def test_large_counters_and_empty_values_come_back(self, harness: Harness) -> None:
        given = harness.new(
            "tea",
            "a",
            metadata={"list": [], "map": {}, "text": "", "null": None},
            tags=("x", "y", "x"),
            access_count=70_000,
            last_accessed_at=START + timedelta(microseconds=1),
            reinforced=70_000,
            version=70_000,
            **dict.fromkeys(("category", "tier", "source"), ""),
        )
        assert harness.write(Insert(record=given, named=True)) == [given]
        assert harness.one("a") == given
        for name in ("category", "tier", "source"):
            assert harness.ids({name: ""}) == harness.ids({name: {"$exists": True}}) == ["a"]
        assert harness.ids({"list": []}) == harness.ids({"map": {"$eq": {}}}) == ["a"]
        assert harness.stats().versions == 0, "none of the older versions is stored"
        again = harness.insert("tea", "a", category="", metadata=given.metadata, tags=given.tags)
        assert (again.reinforced, again.version) == (70_001, 70_000)

    def test_a_duplicate_takes_over_the_fields_that_the_insert_overwrites(self, harness: Harness) -> None:
        first = harness.insert("tea", "a", importance=0.25, tier="short", embedding=embedding(0))
        harness.advance(5)
        names = ("importance", "source", "tier")
        more = Insert(
            record=harness.new("tea", importance=0.75, source="mail", tier="short"), overwrite=names
        )
        (found,) = harness.write(more)
        expected = replace(
            first, importance=0.75, source="mail", version=2, reinforced=1, updated_at=harness.now
        )
        assert found == harness.one("a") == expected
        harness.advance(5)
        (found,) = harness.write(replace(more, overwrite=("importance",)))
        assert found == harness.one("a") == replace(expected, reinforced=2)
        other = Insert(record=harness.new("coffee", "b", importance=0.5), overwrite=names)
        assert harness.write(other)[0].version == 1
        if harness.can("history"):
            assert [version.changed for version in harness.history("a")] == [(), ("importance", "source")]
            assert harness.history("a")[0].record.importance == 0.25
            assert harness.stats().versions == 1

    def test_two_records_may_come_to_hold_the_same(self, harness: Harness) -> None:
        harness.insert("tea", "a")
        harness.insert("coffee", "b")
        assert harness.update("b", content="tea").version == 2
        assert harness.count({"content": "tea"}) == 2
        assert harness.insert("tea").id in ("a", "b")
        harness.delete("a")
        assert harness.insert("tea").id == "b"
        harness.delete("b")
        assert harness.insert("tea").reinforced == 0

    def test_a_filter_holds_over_pages_of_which_it_leaves_little(self, harness: Harness) -> None:
        harness.write(*(harness.insertion(f"text {n}", f"r{n:04}", metadata={"n": n}) for n in range(700)))
        chosen = [f"r{n:04}" for n in (0, 1, 340, 341, 342, 699)]
        where = {"n": {"$in": [int(id[1:]) for id in chosen]}}
        for order in ("id", "created_at", "importance"):
            assert harness.walk(2, where=where, order=order) == chosen
            assert harness.walk(2, where=where, order=order, descending=True) == chosen[::-1]

    def test_recalls_of_many_records_are_counted_one_by_one(self, harness: Harness) -> None:
        ids = [f"r{number:04}" for number in range(min(1_100, self.plenty))]
        harness.write(*(harness.insertion(f"text {id}", id) for id in ids))
        noted = {id: (n % 7 + 1, START + timedelta(microseconds=n)) for n, id in enumerate(ids)}
        harness.write(Touch(tenant_id="default", accesses=noted | {"missing": (1, START)}))
        found = {r.id: (r.access_count, r.last_accessed_at) for r in harness.scan(limit=len(ids), order="id")}
        assert found == noted

    # ---------------------------------------------------------------------------------------------- scopes

    def test_every_part_of_a_scope_is_a_wall_for_every_call(self, harness: Harness) -> None:
        for name in sorted({*self.owners} - {"tenant_id"}):
            mine, theirs = Scope(**{name: "mine"}), Scope(**{name: "theirs"})
            for scope, id in ((mine, f"{name} a"), (mine, f"{name} b"), (Scope(), f"{name} c")):
                harness.insert(f"text {id}", id, scope=scope, embedding=embedding(0))
            a, b, c = (f"{name} {letter}" for letter in "abc")
            calls: list[Any] = [lambda scope, a=a: harness.update(a, scope=scope, importance=0.9)]
            if harness.can("history"):
                calls.append(lambda scope, a=a: harness.history(a, scope))
            if harness.can("links"):
                harness.link(a, b)
                calls.append(lambda scope, a=a, b=b: harness.link(a, b, scope=scope))
                calls.append(lambda scope, a=a, b=b: harness.unlink(a, b, scope=scope))
                assert harness.links(a, b, scope=theirs) == set()
                assert harness.links(a, b, incoming=True, scope=theirs) == set()
            for call in calls:
                with pytest.raises(NotFound):
                    call(theirs)
                call(mine)
            if harness.can("vectors"):
                assert harness.embeddings(a, b, c, scope=theirs) == {}
                assert set(harness.embeddings(a, b, c, scope=mine)) == {a, b}
            assert harness.delete(a, b, c, scope=theirs) == []
            assert harness.delete(a, c, scope=mine) == [a]

    # --------------------------------------------------------------------------------------- relationships

    def test_a_relationship_keeps_the_date_that_it_was_given(self, harness: Harness) -> None:
        harness.needs("links")
        harness.insert("tea", "a")
        harness.insert("coffee", "b")
        old = START - timedelta(days=400, microseconds=7)
        for strength in (0.5, 0.25):
            link = Link(target="b", strength=strength, created_at=old if strength == 0.5 else None)
            harness.write(SetLink(scope=ANYBODY, source="a", link=link))
            expected = Link(target="b", strength=strength, created_at=old)
            assert harness.one("a").links == (expected,)
            assert harness.full_links("b", incoming=True) == [("a", expected)]
            harness.advance(5)

    def test_records_may_be_related_in_several_ways_and_to_themselves(self, harness: Harness) -> None:
        harness.needs("links")
        for id in "ab":
            harness.insert(f"apple {id}", id)
        for source, target, kind in (("a", "a", "self"), ("a", "b", "x"), ("a", "b", "y"), ("b", "a", "x")):
            harness.link(source, target, kind)
        itself, forth, back = ("a", "a", "self"), {("a", "b", "x"), ("a", "b", "y")}, ("b", "a", "x")
        assert harness.links("a") == {itself, *forth}
        assert harness.links("a", incoming=True) == {itself, back}
        assert harness.links("b", incoming=True) == forth
        assert harness.links("a", "b", "a", incoming=True) == {itself, back, *forth}
        assert harness.stats().links == 4
        if harness.can("lexical"):
            found = harness.search("apple").incoming
            if found is not None:
                assert {(source, link.target, link.kind) for source, link in found} == {itself, back, *forth}
        assert harness.unlink("a", "a") == 1
        assert harness.delete("b") == ["b"]
        assert harness.links("a") == harness.links("a", incoming=True) == set()

    def test_relationships_of_the_expired_are_returned_until_a_sweep(self, harness: Harness) -> None:
        harness.needs("links")
        harness.insert("tea", "a")
        harness.insert("coffee", "old", ttl=10)
        harness.link("a", "old")
        harness.link("old", "a")
        harness.advance(10)
        forth, back = ("a", "old", "related"), ("old", "a", "related")
        for ids in (("a",), ("a", "old")):
            assert forth in harness.links(*ids)
            assert back in harness.links(*ids, incoming=True)
        assert harness.links("old") == {back}
        assert harness.one("a").links == ()
        assert harness.run(harness.store.sweep(harness.now)) == 1
        assert harness.links("a", "old") == harness.links("a", "old", incoming=True) == set()

    # --------------------------------------------------------------------------------------------- vectors

    def test_any_number_of_passages_comes_back_and_may_be_replaced(self, harness: Harness) -> None:
        harness.needs("vectors")
        text = " ".join(f"word{number}" for number in range(300))
        harness.insert(text, "a")
        for count in (300, 1, 12):
            given = passages(text, *(number % 360 for number in range(count)))
            assert harness.embed("a", text, given) is True
            assert harness.embed("a", text, given) is True, "the same vectors again"
            found = harness.embeddings("a")["a"]
            assert (found.spans, found.vectors.tobytes()) == (given.spans, given.vectors.tobytes())
        assert harness.embed("a", text.upper(), embedding(0)) is False
        assert harness.embed("a", text + " ", embedding(0)) is False

    def test_vectors_outlive_every_change_but_that_of_the_content(self, harness: Harness) -> None:
        harness.needs("vectors")
        harness.insert("tea", "a", embedding=embedding(10))
        harness.embed("a", "tea", embedding(20, model="second"))
        changes: dict[str, Any] = {
            "kind": "fact",
            "category": "c",
            "tags": ("t",),
            "metadata": {"k": 1},
            "importance": 0.9,
            "tier": "long",
            "source": "mail",
            "expires_at": START.replace(year=2040),
        }
        for name, value in changes.items():
            assert harness.update("a", **{name: value}).embedded, name
        assert harness.embeddings("a").keys() == harness.embeddings("a", model="second").keys() == {"a"}
        assert harness.unembedded() == harness.unembedded("second") == []

    # --------------------------------------------------------------------------------------------- history

    def test_an_import_keeps_what_each_version_changed(self, harness: Harness) -> None:
        harness.needs("history")
        harness.insert("one", "a")
        for changes in ({"content": "two"}, {"category": "c", "tags": ("t",)}, {"content": "three"}):
            harness.advance(5)
            harness.update("a", **changes)
        versions, last = harness.history("a"), harness.one("a")
        harness.delete("a")
        harness.write(Insert(record=last, named=True, dated=True, past=tuple(stored_versions(versions))))
        assert harness.history("a") == versions
        assert harness.stats().versions == 3
        harness.advance(5)
        harness.update("a", importance=0.75)
        assert [version.changed for version in harness.history("a")] == [
            *(version.changed for version in versions),
            ("importance",),
        ]

    def test_speakers_who_came_or_went_are_noticed(self, harness: Harness) -> None:
        for name in ("Ana", "Bob"):
            for number in range(4):
                harness.insert(
                    f"{name}: I saw {number} boats", f"{name} {number}", scope=replace(ANN, session_id="talk")
                )
            expected = {"ana"} if name == "Ana" else {"ana", "bob"}
            assert harness.run(harness.store.actors(ANN)) in (expected, frozenset())
        harness.delete(*(f"Ana {number}" for number in range(4)))
        assert harness.run(harness.store.actors(ANN)) in ({"bob"}, frozenset())
        assert harness.run(harness.store.actors(BOB)) == frozenset()
