"""Records come back exactly as stored, and names that only look alike are different."""

from __future__ import annotations

import copy
import itertools
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import numpy as np

from memwell.ports import Delete, Embed, Insert, Operation, SetLink, Touch, Unlink, Update
from memwell.testing.samples import ANYBODY, LOOKALIKES, SEPARATED, START, embedding, passages, typed
from memwell.testing.stores._harness import Harness, StoreSuite
from memwell.types import Link, Scope

__all__ = ["Exactness"]

CONTENTS = (
    " leading", "trailing ", "two  spaces", "\ttab", "line\n", "\r\nline\r", "é", "e\u0301", "\u00c5", "\u212b", "ﬀ",
    "\ufeffmark", "a\u200bb", "a\u00a0b", "\x01\x7f", "\u2028", '"quoted"', "back\\slash", "%s {x} $1 :y ?", "NULL",
)  # fmt: skip
METADATA: dict[str, Any] = {
    "numbers": [0, 1, -1, 1.0, 0.1, 0.1 + 0.2, 1 / 3, 5e-324, 1e22, 1e300, 2**53 + 1, float(2**53), 2**63 - 1],
    "least": -(2**63),
    "others": [True, False, None, "", "1", "true", "null", " ", [], {}, [[]], {"": 0}, {"a.b": {"$c": None}}],
    "composed": {"é": 1, "e\u0301": 2, "Key": 3, "key": 4, " key": 5},
    "time": "2024-05-01T12:00:00+02:00",
}  # fmt: skip
IMPORTANCES = (0.0, 1 / 3, 0.1 + 0.2, 0.1, 1e-9, 0.7000000000000001, 1 - 2**-53, 1.0)


class Exactness(StoreSuite):
    """Part of `StoreConformance`."""

    # ------------------------------------------------------------------------------------------ values

    def test_content_comes_back_to_the_byte(self, harness: Harness) -> None:
        ids = [f"r{number:02}" for number in range(len(CONTENTS))]
        harness.write(*(harness.insertion(text, id) for text, id in zip(CONTENTS, ids, strict=True)))
        assert [found.content for found in harness.get(*ids)] == list(CONTENTS)
        for text, id in zip(CONTENTS, ids, strict=True):
            assert harness.update(id, content=f"{text}{text}").content == text + text
            assert harness.update(id, content=text).content == text
        assert [found.content for found in harness.scan(order="id")] == list(CONTENTS)

    def test_metadata_comes_back_value_by_value_with_its_types(self, harness: Harness) -> None:
        harness.insert("apple", "inserted", metadata=METADATA)
        harness.insert("pear", "updated", metadata={"old": 1})
        harness.update("updated", metadata=METADATA)
        for found in (*harness.get("inserted", "updated"), *harness.scan()):
            for key, value in METADATA.items():
                assert typed(found.metadata[key]) == typed(value), f"{key} of {found.id}"
            assert found.metadata.keys() == METADATA.keys()

    def test_tags_may_hold_any_text_and_keep_their_order(self, harness: Harness) -> None:
        tags = (*LOOKALIKES, "b", "a", "a,b", "a b", '"', "'", "{x}", "[1]", "\\", "a|b", "żółw 🐢", "\x1f")
        harness.insert("apple", "a", tags=tags)
        harness.insert("pear", "b")
        assert harness.one("a").tags == tags
        assert harness.update("b", tags=tags[::-1]).tags == harness.one("b").tags == tags[::-1]

    def test_importance_and_strength_keep_their_bits(self, harness: Harness) -> None:
        for number, value in enumerate(IMPORTANCES):
            harness.insert(f"text {number}", f"r{number}", importance=value)
            harness.insert(f"other {number}", f"u{number}")
            assert harness.update(f"u{number}", importance=value).importance == value
        expected = sorted((value, f"{kind}{n}") for n, value in enumerate(IMPORTANCES) for kind in "ru")
        assert [(found.importance, found.id) for found in harness.scan(order="importance")] == expected
        if harness.store.capabilities.links:
            for number, value in enumerate(IMPORTANCES):
                harness.link("r0", f"u{number}", strength=value)
            strengths = {link.target: link.strength for link in harness.one("r0").links}
            assert strengths == {f"u{number}": value for number, value in enumerate(IMPORTANCES)}
            assert {link.target: link.strength for _, link in harness.full_links("r0")} == strengths

    def test_every_time_keeps_its_microseconds(self, harness: Harness) -> None:
        odd = [START + timedelta(microseconds=n) for n in (123_457, 123_458, 999_999, 1_000_001)]
        harness.now = odd[0]
        harness.insert("apple", "a", expires_at=START.replace(year=9999, microsecond=1))
        harness.insert("pear", "b", at=START.replace(year=1969, microsecond=999_999))
        found = harness.one("a")
        assert (found.created_at, found.updated_at) == (odd[0], odd[0])
        assert found.expires_at == START.replace(year=9999, microsecond=1)
        assert harness.one("b").created_at == START.replace(year=1969, microsecond=999_999)
        harness.now = odd[1]
        harness.touch("a")
        assert harness.one("a").last_accessed_at == odd[1]
        assert harness.update("a", expires_at=odd[3]).updated_at == odd[1]
        assert harness.one("a").expires_at == odd[3]
        if harness.store.capabilities.history:
            assert harness.history("a")[0].changed_at == odd[1]
            assert harness.history("a")[0].record.updated_at == odd[0]
        if harness.store.capabilities.links:
            harness.now = odd[2]
            harness.link("a", "b")
            assert harness.one("a").links[0].created_at == odd[2]
            assert harness.full_links("b", incoming=True)[0][1].created_at == odd[2]
        assert harness.stats().oldest == START.replace(year=1969, microsecond=999_999)
        assert harness.stats().newest == odd[0]

    def test_arguments_are_not_modified(self, harness: Harness) -> None:
        harness.needs("vectors", "links")
        metadata = {"k": [1, {"deep": None}], "b": 1, "a": 2}
        where = {"$or": [{"k": {"$in": [1, None]}}, {"$not": {"b": {"$gt": 1}}}]}
        vectors = passages("apple pie", 0, 90)
        operations: list[Operation] = [
            Insert(
                record=harness.new("apple pie", "a", metadata=metadata, tags=("y", "x")), embedding=vectors
            ),
            Insert(record=harness.new("pear", "b")),
            Update(scope=ANYBODY, id="b", changes={"metadata": metadata, "tags": ("y", "x")}),
            SetLink(scope=ANYBODY, source="a", link=Link(target="b")),
            Touch(tenant_id="default", accesses={"a": (1, START), "missing": (2, START)}),
            Embed(tenant_id="default", id="b", content="pear", embedding=embedding(10)),
            Unlink(scope=ANYBODY, source="a", target="b"),
            Delete(scope=ANYBODY, ids=("missing", "b"), where=where),
        ]
        before = copy.deepcopy((metadata, where, [repr(asdict(operation)) for operation in operations]))
        rows = vectors.vectors.copy()
        harness.write(*operations)
        harness.scan(where)
        harness.count(where)
        harness.search("apple", vector=rows[0], where=where)
        assert (metadata, where, [repr(asdict(operation)) for operation in operations]) == before
        assert np.array_equal(vectors.vectors, rows)

    # ------------------------------------------------------------------------------------------- names

    def test_owners_are_compared_exactly(self, harness: Harness) -> None:
        for name in self.owners:
            self._compare_owners(harness, name)
            for text in ("default", *LOOKALIKES):
                harness.delete(scope=Scope(tenant_id=text))

    def _compare_owners(self, harness: Harness, name: str) -> None:
        scopes = {text: Scope(**{name: text}) for text in LOOKALIKES}
        harness.write(
            *(harness.insertion("apple", f"r{n}", scope=scope) for n, scope in enumerate(scopes.values()))
        )
        for number, (text, scope) in enumerate(scopes.items()):
            assert harness.ids(scope=scope) == [f"r{number}"], f"{name} {text!r}"
            assert harness.count(scope=scope) == harness.stats(scope).records == 1
            if harness.store.capabilities.lexical:
                assert harness.found("apple", scope=scope) == {f"r{number}"}
        for number, scope in enumerate(list(scopes.values())[::2]):
            assert harness.delete(scope=scope) == [f"r{2 * number}"]
        left = [harness.count(scope=scope) for scope in scopes.values()]
        assert left == [number % 2 for number in range(len(scopes))]

    def test_ids_are_compared_exactly_by_every_call(self, harness: Harness) -> None:
        there, away = LOOKALIKES[::2], LOOKALIKES[1::2]
        harness.write(*(harness.insertion(f"text {id}", id, embedding=embedding(0)) for id in there))
        assert [found.content for found in harness.get(*there)] == [f"text {id}" for id in there]
        assert harness.get(*away) == []
        assert harness.delete(*away) == []
        harness.write(Touch(tenant_id="default", accesses=dict.fromkeys(away, (1, harness.now))))
        if harness.can("vectors"):
            assert not any(harness.embed(id, f"text {id}", embedding(0)) for id in away)
        assert {found.access_count for found in harness.scan(limit=1000)} == {0}
        if harness.store.capabilities.vectors:
            assert set(harness.embeddings(*LOOKALIKES)) == set(there)
        assert harness.ids() == sorted(there)
        assert harness.delete(*there) == sorted(there)

    def test_names_with_separators_do_not_meet(self, harness: Harness) -> None:
        for first, second in itertools.pairwise(self.owners):
            scopes = [Scope(**{first: one, second: other}) for one, other in SEPARATED]
            found = harness.write(*(harness.insertion("apple", scope=scope) for scope in scopes))
            assert [record.reinforced for record in found] == [0] * len(scopes), f"{first} and {second}"
            for scope, record in zip(scopes, found, strict=True):
                assert harness.ids(scope=scope) == [record.id]
        ids = [(Scope(tenant_id=tenant), id) for tenant, id in SEPARATED]
        harness.write(*(harness.insertion(f"{n}", id, scope=scope) for n, (scope, id) in enumerate(ids)))
        for number, (scope, id) in enumerate(ids):
            assert harness.one(id, scope).content == f"{number}"

    def test_relationships_and_models_are_named_exactly(self, harness: Harness) -> None:
        harness.needs("links", "vectors")
        pairs = [*SEPARATED, *(("c", text) for text in LOOKALIKES)]
        harness.write(
            *(harness.insertion(f"text {id}", id) for id in sorted({id for id, _ in pairs} | {"hub"}))
        )
        harness.write(
            *(
                SetLink(scope=ANYBODY, source="hub", link=Link(target=id, kind=kind, strength=n / 128))
                for n, (id, kind) in enumerate(pairs)
            ),
            *(
                Embed(tenant_id="default", id=id, content=f"text {id}", embedding=embedding(n, model=model))
                for n, (id, model) in enumerate(pairs)
            ),
        )
        strengths = {(link.target, link.kind): link.strength for link in harness.one("hub").links}
        assert strengths == {pair: n / 128 for n, pair in enumerate(pairs)}
        assert {(target, kind) for _, target, kind in harness.links("hub")} == set(pairs)
        for number, (id, model) in enumerate(pairs):
            found = harness.embeddings(id, model=model)
            assert np.array_equal(found[id].vectors, embedding(number).vectors), (id, model)
        assert harness.unlink("hub", "c", "tea") == 1
        assert harness.links("hub") == {("hub", *pair) for pair in pairs} - {("hub", "c", "tea")}

    def test_a_duplicate_is_the_same_to_the_byte(self, harness: Harness) -> None:
        texts = [*LOOKALIKES, *CONTENTS]
        harness.write(*(harness.insertion(text) for text in texts))
        found = harness.write(*(harness.insertion(text) for text in texts))
        assert [(each.content, each.reinforced) for each in found] == [(text, 1) for text in texts]
        inserts: list[dict[str, Any]] = [{"category": text} for text in LOOKALIKES]
        inserts += [{"kind": text} for text in LOOKALIKES]
        inserts += [{"metadata": {"k": text}} for text in LOOKALIKES]
        inserts += [{"metadata": {text: 1}} for text in LOOKALIKES]
        first = harness.write(*(harness.insertion("water", **fields) for fields in inserts))
        assert [found.reinforced for found in first] == [0] * len(inserts)
        if harness.foretells:
            again = [harness.insertion("water", **fields) for fields in inserts]
            assert harness.duplicates(*again) == [True] * len(inserts)
            others = [harness.insertion(text) for text in ("Water", "water ", "wate")]
            assert harness.duplicates(*others) == [False] * 3
        for tags in (("a", "b"), ("b", "a"), ("ab",), ("a,b",), ("a",), ("A",), ("a", "b", "b")):
            if harness.foretells:
                assert harness.duplicates(harness.insertion("water", tags=tags)) == [False], tags
            assert harness.insert("water", tags=tags).reinforced == 0, tags
