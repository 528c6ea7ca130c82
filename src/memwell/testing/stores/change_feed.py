"""The change sequence reports every change of a record, in order."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from memwell.errors import NotFound, NotSupported
from memwell.ports import Change, Delete, Embed, Insert, Update
from memwell.testing.samples import ANYBODY, START, embedding, passages
from memwell.testing.stores._harness import Harness, StoreSuite
from memwell.types import Scope

__all__ = ["ChangeFeed"]

OTHER = Scope(tenant_id="other")


class ChangeFeed(StoreSuite):
    """Part of `StoreConformance`."""

    def test_every_change_of_a_record_is_reported(self, harness: Harness) -> None:
        harness.needs("changes", "vectors", "links")
        harness.insert("old", "old", ttl=5)
        harness.insert("apple", "a")
        harness.insert("short-lived", "s", ttl=20)
        harness.insert("foreign", "f", scope=OTHER, ttl=20)
        harness.advance(10)
        put, gone = ("put", "default", "a"), ("delete", "default", "s")
        steps: list[tuple[str, Callable[[], object], set[tuple[str, str, str]]]] = [
            ("an insert", lambda: harness.insert("pear", "b"), {("put", "default", "b")}),
            (
                "an insert over an expired id",
                lambda: harness.insert("new", "old"),
                {("put", "default", "old")},
            ),
            (
                "an insert of another tenant",
                lambda: harness.insert("x", "a", scope=OTHER),
                {("put", "other", "a")},
            ),
            ("an insert that reinforces", lambda: harness.insert("apple"), {put}),
            ("an insert that moves the expiry", lambda: harness.insert("apple", "a", ttl=900), {put}),
            ("vectors", lambda: harness.embed("a", "apple", embedding(0)), {put}),
            ("other vectors", lambda: harness.embed("a", "apple", embedding(9)), {put}),
            (
                "vectors of another model",
                lambda: harness.embed("a", "apple", embedding(0, model="second")),
                {put},
            ),
            ("a new content", lambda: harness.update("a", content="apple pie"), {put}),
            *(
                (f"a new {name}", lambda name=name, value=value: harness.update("a", **{name: value}), {put})
                for name, value in (
                    ("metadata", {"k": 1}),
                    ("tags", ("t",)),
                    ("category", "c"),
                    ("kind", "fact"),
                    ("tier", "long"),
                    ("source", "mail"),
                    ("importance", 0.9),
                    ("expires_at", START.replace(year=2040)),
                    ("expires_at", None),
                )
            ),
            ("a relationship", lambda: harness.link("a", "b"), {put}),
            ("its strength", lambda: harness.link("a", "b", strength=0.5), {put}),
            ("its end", lambda: harness.unlink("a", "b"), {put}),
            ("a sweep", lambda: self._sweep_after(harness, 10), {gone, ("delete", "other", "f")}),
            ("a delete", lambda: harness.delete("b"), {("delete", "default", "b")}),
            (
                "a delete by filter",
                lambda: harness.delete(where={"id": "old"}),
                {("delete", "default", "old")},
            ),
            ("a delete of a scope", lambda: harness.delete(scope=OTHER), {("delete", "other", "a")}),
        ]
        for name, step, expected in steps:
            at = harness.run(harness.store.position())
            step()
            reported = {(c.kind, c.tenant_id, c.id) for c in harness.changes(at)}
            assert reported >= expected, f"{name} is not reported"
            assert harness.run(harness.store.position()) > at, f"{name} does not move the position"

    def test_changes_are_reported_in_order(self, harness: Harness) -> None:
        harness.needs("changes")
        names = ["c", "a", "d", "b"]
        harness.write(*(harness.insertion(f"text {id}", id) for id in names))
        assert [change.id for change in harness.changes()] == names
        at = harness.changes()[-1].seq
        harness.write(
            Update(scope=ANYBODY, id="d", changes={"category": "x"}),
            Delete(scope=ANYBODY, ids=("a",)),
            harness.insertion("again", "a"),
            Update(scope=ANYBODY, id="c", changes={"category": "x"}),
            Delete(scope=ANYBODY, ids=("b",)),
        )
        found = harness.changes(at)
        assert [change.seq for change in found] == sorted({change.seq for change in found})
        last = {change.id: change.seq for change in found}
        assert [(change.kind, change.id) for change in found if change.seq == last[change.id]] == [
            ("put", "d"),
            ("put", "a"),
            ("put", "c"),
            ("delete", "b"),
        ]
        one_by_one: list[Change] = []
        while some := harness.changes(one_by_one[-1].seq if one_by_one else at, limit=1):
            one_by_one += some
        assert one_by_one == found

    def test_a_write_that_failed_tells_nothing(self, harness: Harness) -> None:
        harness.needs("changes", "atomic_batches")
        harness.insert("apple", "a")
        at = harness.run(harness.store.position())
        with pytest.raises(NotFound):
            harness.write(
                harness.insertion("pear", "b"),
                Update(scope=ANYBODY, id="a", changes={"content": "x"}),
                Delete(scope=ANYBODY, ids=("a",)),
                Update(scope=ANYBODY, id="missing", changes={"content": "x"}),
            )
        assert harness.changes(at) == []
        harness.insert("plum", "c")
        assert [change.id for change in harness.changes(at)] == ["c"]

    def test_no_change_is_skipped_silently(self, harness: Harness) -> None:
        harness.needs("changes")
        harness.run(harness.store.claim("slow", "holder", seconds=60, now=harness.now))
        ids = [f"r{number:04}" for number in range(2_100)]
        for first in range(0, len(ids), 700):
            harness.write(*(harness.insertion(f"text {id}", id) for id in ids[first : first + 700]))
        at, met = 0, list[str]()
        for limit in (1, 999, 300, 5_000, 1):
            try:
                found = harness.changes(at, limit=limit)
            except NotSupported:  # said aloud: a follower starts again
                return
            met += [change.id for change in found]
            at = found[-1].seq if found else at
        assert met == ids
        assert harness.run(harness.store.position()) == at

    # ------------------------------------------------------------------------------------------ vectors

    def test_passages_come_back_however_their_vectors_came(self, harness: Harness) -> None:
        harness.needs("vectors")
        text = "one two three four"
        given = passages(text, 10, 50, 130)
        harness.insert(text, "inserted", embedding=given)
        harness.insert("before", "updated", embedding=embedding(0))
        harness.update("updated", content=text, embedding=given)
        harness.insert(text, "embedded", category="e")
        assert harness.embed("embedded", text, given)
        harness.insert(text, "reinforced", category="r")
        harness.insert(text, "reinforced", category="r", embedding=given)
        harness.insert(text, "replaced", category="x", embedding=embedding(0))
        assert harness.embed("replaced", text, given)
        ids = ("inserted", "updated", "embedded", "reinforced", "replaced")
        found = harness.embeddings(*ids)
        for id in ids:
            assert found[id].spans == given.spans, id
            assert found[id].vectors.tobytes() == given.vectors.tobytes(), id
        every = harness.run(harness.store.embedded(given.model, limit=10))
        assert {record.id: e.spans for record, e in every} == dict.fromkeys(ids, given.spans)
        assert harness.embed("inserted", text, embedding(20))
        assert harness.embeddings("inserted")["inserted"].spans == ()

    def test_embedded_gives_every_record_with_vectors_once_by_tenant_and_id(self, harness: Harness) -> None:
        if not harness.store.capabilities.changes:
            harness.needs("vectors")
        names = [
            ("b", "2"),
            ("a", "9"),
            ("b", "10"),
            ("default", "A"),
            ("a", "é"),
            ("default", "a"),
            ("B", "0"),
        ]
        inserts = [
            Insert(
                record=harness.new(f"text {id}", id, scope=Scope(tenant_id=tenant, user_id="u")),
                embedding=embedding(number),
                named=True,
            )
            for number, (tenant, id) in enumerate(names)
        ]
        without = [harness.insertion("without", "z", scope=Scope(tenant_id=tenant)) for tenant in ("a", "b")]
        other = Embed(tenant_id="a", id="z", content="without", embedding=embedding(0, model="second"))
        harness.write(*inserts, *without, other)
        for limit in (1, 2, 3, 100):
            met: list[tuple[str, str]] = []
            after: tuple[str, str] | None = None
            for _ in range(10):
                page = harness.run(harness.store.embedded(embedding(0).model, after=after, limit=limit))
                assert len(page) <= limit
                for record, found in page:
                    after = (record.scope.tenant_id, record.id)
                    met.append(after)
                    number = names.index(after)
                    assert found.vectors.tobytes() == embedding(number).vectors.tobytes()
                    assert record == harness.one(record.id, record.scope)
            assert met == sorted(names)
        assert [r.id for r, _ in harness.run(harness.store.embedded("second", limit=9))] == ["z"]
        assert harness.run(harness.store.embedded("unknown", limit=9)) == []

    def _sweep_after(self, harness: Harness, seconds: float) -> None:
        harness.advance(seconds)
        assert harness.run(harness.store.sweep(harness.now)) == 2
