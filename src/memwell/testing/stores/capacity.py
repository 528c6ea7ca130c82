"""Large inputs: many records, many ids, long texts, deep metadata."""

from __future__ import annotations

from typing import Any

from memwell.ports import Delete, SetLink, Update
from memwell.testing.samples import ANYBODY, LONG_TEXTS, embedding, typed
from memwell.testing.stores._harness import Harness, StoreSuite
from memwell.types import Link, Scope

__all__ = ["Capacity"]


class Capacity(StoreSuite):
    """Part of `StoreConformance`."""

    def test_pages_counts_and_batches_may_be_large(self, harness: Harness) -> None:
        ids = [f"r{number:05}" for number in range(self.plenty)]
        harness.write(*(harness.insertion(f"text {id}", id, category="c", ttl=60) for id in ids))
        assert harness.count() == harness.count({"category": "c"}) == harness.stats().records == self.plenty
        for order in ("id", "created_at"):
            found = [record.id for record in harness.scan(order=order, limit=self.plenty + 1)]
            assert len(found) == self.plenty
            assert found == ids
        assert harness.ids(limit=self.plenty, where={"category": "c"}, descending=True) == ids[::-1]
        assert [found.id for found in harness.get(*ids[::-1], "missing")] == ids[::-1]
        if harness.store.capabilities.vectors:
            assert harness.unembedded(limit=self.plenty) == ids
        if harness.store.capabilities.changes:
            changes = harness.changes(limit=self.plenty + 1)
            assert [change.id for change in changes] == ids
        half = self.plenty // 2
        assert harness.delete(*ids[:half]) == ids[:half]
        assert harness.ids(limit=self.plenty) == ids[half:]
        harness.advance(60)
        assert harness.run(harness.store.sweep(harness.now)) == self.plenty - half
        assert harness.stats().expired == 0

    def test_relationships_and_vectors_of_many_ids_come_at_once(self, harness: Harness) -> None:
        harness.needs("links", "vectors")
        ids = [f"r{number:04}" for number in range(1_200)]
        harness.write(*(harness.insertion(f"text {id}", id, embedding=embedding(0)) for id in ids))
        pairs = list(zip(ids, [*ids[1:], ids[0]], strict=True))
        harness.write(
            *(SetLink(scope=ANYBODY, source=source, link=Link(target=target)) for source, target in pairs),
            *(
                SetLink(scope=ANYBODY, source=ids[0], link=Link(target=target, kind="all"))
                for target in ids[1:320]
            ),
        )
        expected = {(source, target, "related") for source, target in pairs}
        expected |= {(ids[0], target, "all") for target in ids[1:320]}
        assert harness.links(*ids) == harness.links(*ids, incoming=True) == expected
        assert len(harness.one(ids[0]).links) == 320
        assert set(harness.embeddings(*ids)) == set(ids)
        assert harness.stats().links == len(expected)
        every = harness.run(harness.store.embedded(embedding(0).model, limit=2_000))
        assert [record.id for record, _ in every] == ids

    def test_a_history_of_many_versions_is_whole_and_in_order(self, harness: Harness) -> None:
        harness.needs("history")
        harness.insert("version 1", "a")
        for first in (2, 60):
            harness.advance(1)
            numbers = range(first, 60 if first == 2 else 121)
            harness.write(
                *(Update(scope=ANYBODY, id="a", changes={"content": f"version {n}"}) for n in numbers)
            )
        versions = harness.history("a")
        assert [version.version for version in versions] == list(range(1, 121))
        assert [version.record.content for version in versions] == [f"version {n}" for n in range(1, 121)]
        assert harness.stats().versions == 119

    def test_metadata_of_64_kilobytes_and_16_levels_comes_back(self, harness: Harness) -> None:
        deep: Any = "żółw"
        for level in range(14):
            deep = {"k": deep} if level % 2 else [deep]
        metadata: dict[str, Any] = {"deep": {"x": deep}}
        metadata |= {f"key {number:03}": [number, "żółw 🐢 " * 10] for number in range(300)}
        metadata["long"] = "x" * (64_000 - len(str(metadata).encode()))
        harness.insert("apple", "a", metadata=metadata)
        assert typed(harness.one("a").metadata) == typed(metadata)
        assert harness.ids({"long": metadata["long"]}) == ["a"]
        assert harness.ids({"key 299": metadata["key 299"]}) == ["a"]

    def test_texts_of_256_characters_are_distinguished_by_the_last(self, harness: Harness) -> None:
        owners = set(self.owners) - {"tenant_id"}
        fields = ("id", "kind", "category", "tier", "source", *sorted(owners))
        for name in fields:
            for number, text in enumerate(LONG_TEXTS):
                if name == "id":
                    harness.insert(f"{number}", text)
                elif name in owners:
                    harness.insert(f"text of {name}", f"{name} {number}", scope=Scope(**{name: text}))
                else:
                    harness.insert(f"text of {name}", f"{name} {number}", **{name: text})
        assert [found.content for found in harness.get(*LONG_TEXTS)] == [
            str(n) for n in range(len(LONG_TEXTS))
        ]
        for name in fields[1:]:
            for number, text in enumerate(LONG_TEXTS):
                assert harness.ids({name: text}) == [f"{name} {number}"]
                if name in owners:
                    assert harness.ids(scope=Scope(**{name: text})) == [f"{name} {number}"]
        harness.insert("tagged", "tagged", tags=LONG_TEXTS)
        assert harness.one("tagged").tags == LONG_TEXTS
        if harness.store.capabilities.links:
            for text in LONG_TEXTS:
                harness.link("tagged", text, kind=text)
            links = {(link.target, link.kind) for link in harness.one("tagged").links}
            assert links == {(text, text) for text in LONG_TEXTS}
        assert harness.write(Delete(scope=ANYBODY, ids=LONG_TEXTS[::3]))[0] == list(LONG_TEXTS[::3])

    def test_tenants_of_256_characters_are_distinguished_by_the_last(self, harness: Harness) -> None:
        for number, text in enumerate(LONG_TEXTS):
            harness.insert(f"{number}", "same", scope=Scope(tenant_id=text))
        for number, text in enumerate(LONG_TEXTS):
            assert harness.one("same", Scope(tenant_id=text)).content == f"{number}"
            assert harness.count(scope=Scope(tenant_id=text)) == 1
