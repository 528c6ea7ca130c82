"""Conflicts: near-duplicates with another value."""

from __future__ import annotations

from typing import Any

import pytest

from memwell.errors import InvalidInput, InvalidQuery, NotSupported
from memwell.events import Event
from memwell.sync import Memory
from memwell.testing.memory._harness import MemorySuite, ids_of
from memwell.types import NewMemory

__all__ = ["Contradicting"]


class Contradicting(MemorySuite):
    """Part of `MemoryConformance`."""

    def test_changed_values_of_one_owner_are_proposed_and_explained(self, memory: Memory) -> None:
        said = {
            "porto": ("Ana lives in Porto", "2024-01-01", {"session_id": "one"}),
            "lisbon": ("Ana now lives in Lisbon", "2025-01-01", {"session_id": "two"}),
            "bob": ("Ana lives in Rome", "2025-02-01", {"user_id": "bob"}),
            "son": ("Ana has a son called Tom", "2024-01-01", {}),
            "other": ("Ana has a son called Max", "2025-01-01", {}),
            "coffee": ("Ana drinks coffee", "2024-01-01", {}),
            "none": ("Ana no longer drinks coffee", "2024-06-01", {}),
            "note": ("Ana lives in Paris", "2025-01-01", {"kind": "guess"}),
        }
        for id, (text, day, rest) in said.items():
            given: Any = {"user_id": "ana", **rest}
            memory.remember(text, id=id, created_at=day, **given)
        first, second = memory.conflicts()
        assert (first.newer.id, first.older.id, first.kind) == ("lisbon", "porto", "name")
        assert (first.before, first.after, first.similarity) == ("Porto", "Lisbon", 0.75)
        assert "'Porto' has become 'Lisbon'" in first.reason
        assert (second.newer.id, second.older.id, second.kind) == ("none", "coffee", "negation")
        assert memory.conflicts(limit=1) == [first]
        assert memory.conflicts(user_id="bob") == memory.conflicts(session_id="one") == []
        assert memory.conflicts(where={"created_at": {"$lt": "2024-12-01"}}) == [second]
        memory.relate("none", "coffee", "contradicts")
        memory.relate("lisbon", "porto", "supersedes")
        assert memory.conflicts() == []
        for wrong in ({"limit": 0}, {"where": {"$nope": 1}}):
            with pytest.raises((InvalidInput, InvalidQuery)):
                memory.conflicts(**wrong)

    def test_what_is_true_at_different_times_is_no_conflict(self, memory: Memory) -> None:
        memory.remember("Ana lives in Porto", valid_from="2020-01-01", valid_to="2022-01-01")
        memory.remember("Ana lives in Lisbon", valid_from="2022-01-01")
        assert memory.conflicts() == []
        memory.remember("Ana lives in Rome", valid_from="2023-01-01")
        (pair,) = memory.conflicts()
        assert (pair.before, pair.after) == ("Lisbon", "Rome")

    def test_a_new_memory_proposes_or_supersedes(self, memory: Memory) -> None:
        events: list[Event] = []
        memory.on("conflict", events.append, inline=True)
        old = memory.remember("The API runs on port 8080", user_id="ana", session_id="one")
        memory.remember("The API runs on port 8080", user_id="bob")
        new = memory.remember("The API runs on port 9090", user_id="ana", supersede="propose")
        (event,) = events
        assert event.ids == (new.id, old.id)
        assert (event.data["before"], event.data["after"], event.data["superseded"]) == (
            "8080",
            "9090",
            False,
        )
        assert len(memory.recall("port of the API", user_id="ana")) == 2
        items = [NewMemory(content="The API runs on port 7070"), NewMemory(content="tea")]
        latest, _ = memory.remember(items, user_id="ana", valid_from="2030-01-01", supersede="auto")
        found = ids_of(memory.recall("port of the API", user_id="ana", mode="lexical"))
        assert found == [latest.id]
        assert memory.get(new.id).valid_to == latest.valid_from
        assert [event.data["superseded"] for event in events] == [False, True, True]
        assert memory.conflicts() == []
        assert ids_of(memory.recall("port", user_id="bob")) != []
        with pytest.raises(InvalidInput, match="supersede"):
            memory.remember("tea", supersede="maybe")  # type: ignore[call-overload]
        with pytest.raises(NotSupported, match="supersede"):
            memory.scoped(user_id="ana", session_id="one").remember("tea", supersede="auto")
