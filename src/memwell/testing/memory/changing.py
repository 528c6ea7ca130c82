"""`update`, `restore`, `history` and `forget`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from memwell.errors import Conflict, InvalidInput, NotFound
from memwell.sync import Memory
from memwell.testing.memory._harness import MemorySuite
from memwell.testing.samples import START, Clock
from memwell.types import NewMemory

__all__ = ["Changing"]


class Changing(MemorySuite):
    """Part of `MemoryConformance`."""

    def test_an_update_changes_what_is_given_and_keeps_the_version_before(
        self, memory: Memory, clock: Clock
    ) -> None:
        memory.remember("tea", id="a", category="taste", tags=["x"], metadata={"k": 1})
        clock.advance(60)
        record = memory.update("a", content="coffee", tags=["y", "z", "y"], metadata={"n": 2}, importance=1)
        assert record == memory.get("a")
        assert (record.content, record.tags, record.metadata, record.category) == (
            "coffee",
            ("y", "z"),
            {"n": 2},
            "taste",
        )
        assert (record.version, record.created_at, record.updated_at) == (2, START, clock())
        first, second = memory.history("a")
        assert (first.record.content, first.current, first.changed_at) == ("tea", False, clock())
        assert (second.record, second.current) == (record, True)
        assert second.changed == ("content", "importance", "metadata", "tags")

    def test_what_was_updated_is_found_by_its_new_words_only(self, memory: Memory) -> None:
        memory.remember("tea", id="a")
        memory.update("a", content="coffee")
        assert [hit.record.id for hit in memory.recall("coffee")] == ["a"]
        assert memory.recall("tea", mode="lexical") == []

    def test_an_update_without_a_difference_writes_nothing(self, memory: Memory, clock: Clock) -> None:
        before = memory.remember("tea", id="a", category="c")
        clock.advance(60)
        assert memory.update("a", content="tea", category="c") == before
        assert len(memory.history("a")) == 1

    def test_an_update_of_nothing_is_refused(self, memory: Memory) -> None:
        memory.remember("tea", id="a")
        with pytest.raises(InvalidInput, match="nothing to update"):
            memory.update("a")

    def test_a_stale_version_is_a_conflict(self, memory: Memory) -> None:
        memory.remember("tea", id="a")
        memory.update("a", content="coffee", expected_version=1)
        with pytest.raises(Conflict, match="version 2"):
            memory.update("a", content="water", expected_version=1)
        with pytest.raises(Conflict):
            memory.restore("a", 1, expected_version=1)
        assert memory.get("a").content == "coffee"

    def test_fields_can_be_cleared(self, memory: Memory, clock: Clock) -> None:
        given: dict[str, Any] = {
            "category": "c",
            "tier": "t",
            "source": "s",
            "tags": ["x"],
            "metadata": {"k": 1},
        }
        memory.remember("tea", id="a", ttl=60, **given)
        record = memory.update("a", clear=[*given, "expires_at"])
        assert (record.category, record.tier, record.source, record.expires_at) == (None,) * 4
        assert (record.tags, record.metadata) == ((), {})
        clock.advance(60)
        assert memory.get("a").version == 2

    def test_a_life_can_be_made_longer_and_shorter(self, memory: Memory) -> None:
        memory.remember("tea", id="a")
        assert memory.update("a", ttl=60).expires_at == START + timedelta(seconds=60)
        assert memory.update("a", expires_at="2030-01-01").expires_at == START.replace(2030, 1, 1, 0)

    def test_an_older_version_can_be_restored_as_a_new_one(self, memory: Memory) -> None:
        memory.remember("tea", id="a", tags=["x"], category="c")
        memory.update("a", content="coffee", tags=["y"], clear=["category"])
        record = memory.restore("a", 1)
        assert (record.content, record.tags, record.category, record.version) == ("tea", ("x",), "c", 3)
        assert [version.record.content for version in memory.history("a")] == ["tea", "coffee", "tea"]
        assert [hit.record.id for hit in memory.recall("tea", mode="semantic")] == ["a"]
        with pytest.raises(NotFound, match="no version 9"):
            memory.restore("a", 9)

    def test_restoring_the_current_version_writes_nothing(self, memory: Memory) -> None:
        before = memory.remember("tea", id="a")
        assert memory.restore("a", 1) == before
        assert len(memory.history("a")) == 1

    # --------------------------------------------------------------------------------------------- forget

    def test_erasing_gives_a_receipt_of_every_place(self, memory: Memory) -> None:
        tea = memory.remember("tea", user_id="ann")
        coffee = memory.remember("coffee", user_id="ann")
        memory.update(tea.id, content="tea, no sugar")
        memory.relate(coffee.id, tea.id)
        receipt = memory.erase(tea.id, reason="asked", user_id="ann")
        assert [(one.id, one.versions) for one in receipt.records] == [(tea.id, 2)]
        assert receipt.complete
        assert not [trace for trace in receipt.traces if trace.state == "returned"]
        assert {"rows", "words"} <= {trace.place for trace in receipt.traces if trace.state == "gone"}
        assert memory.receipts(user_id="ann") == [receipt]
        assert memory.erase([tea.id], reason="again", user_id="ann") == receipt
        with pytest.raises(NotFound):
            memory.get(tea.id)
        assert memory.get(coffee.id).links == ()
        with pytest.raises(NotFound):
            memory.erase(coffee.id, reason="not hers", user_id="bob")

    def test_forgetting_leaves_nothing_of_a_memory(self, memory: Memory) -> None:
        memory.remember(["tea", "coffee"], user_id="ann")
        tea, coffee = (
            memory.recall(query, user_id="ann", mode="lexical")[0].record.id for query in ("tea", "coffee")
        )
        memory.update(tea, content="tea, no sugar")
        memory.relate(coffee, tea)
        assert memory.forget(tea) == [tea]
        assert memory.recall("tea", mode="lexical") == []
        assert [hit.record.id for hit in memory.recall("tea sugar", mode="semantic")] in ([], [coffee])
        assert memory.get(coffee).links == ()
        assert memory.related(coffee) == []
        stats = memory.stats()
        assert (stats.records, stats.versions, stats.links) == (1, 0, 0)
        assert memory.doctor().ok

    def test_of_several_ids_those_that_are_there_are_forgotten(self, memory: Memory) -> None:
        memory.remember([NewMemory(content=f"text {id}", id=id) for id in "abcd"])
        assert sorted(memory.forget(["a", "missing", "b"])) == ["a", "b"]
        assert memory.forget(["missing"]) == memory.forget([]) == memory.forget(iter(())) == []
        assert sorted(memory.forget(id for id in ("c", "d"))) == ["c", "d"]

    def test_scope_and_filter_choose_what_is_forgotten(self, memory: Memory) -> None:
        memory.remember(["one", "two"], user_id="ann", category="c")
        memory.remember("three", user_id="ann")
        memory.remember("four", user_id="bob", category="c")
        assert len(memory.forget(user_id="ann", where={"category": "c"})) == 2
        assert memory.count(user_id="ann") == 1
        assert len(memory.forget(user_id="ann")) == 1
        assert len(memory.forget(where={"category": "c"}, everything=True)) == 1
        assert memory.count() == 0

    def test_a_whole_tenant_is_forgotten_only_when_that_is_said(self, memory: Memory) -> None:
        memory.remember(["one", "two"])
        memory.remember("three", tenant_id="other")
        for tenant in (None, "other"):
            for where in (None, {}, {"content": {"$exists": True}}):
                with pytest.raises(InvalidInput, match="everything=True"):
                    memory.forget(where=where, tenant_id=tenant)
        assert memory.count() == 2
        assert memory.forget(where={"content": "one"}, namespace="none of them") == []
        assert len(memory.forget(everything=True)) == 2
        assert memory.count(tenant_id="other") == 1
