"""Relationships: superseding, contradicting, and following links over several steps."""

from __future__ import annotations

from pathlib import Path

import pytest

from memwell.errors import InvalidInput
from memwell.events import Event
from memwell.sync import Memory
from memwell.testing.memory._harness import MemorySuite, ids_of
from memwell.testing.samples import Clock
from memwell.types import NewMemory
from memwell.values import plain

__all__ = ["Relating", "remember_letters"]


class Relating(MemorySuite):
    """Part of `MemoryConformance`."""

    def test_no_answer_and_no_event_names_what_its_reader_may_not_see(
        self, memory: Memory, tmp_path: Path
    ) -> None:
        memory.remember("apple of ana", id="a", user_id="ana")
        memory.remember("apple pie of ana", id="b", user_id="ana")
        memory.remember("apple of bob", id="secret", user_id="bob")
        for source, target in (("a", "b"), ("a", "secret"), ("secret", "a"), ("b", "secret")):
            memory.relate(source, target, "contradicts")
        events: list[Event] = []
        memory.on("*", events.append, inline=True)
        answers = [
            memory.get("a", user_id="ana"),
            memory.list(user_id="ana").records,
            memory.recall("apple", explain=True, user_id="ana"),
            memory.update("a", importance=0.9, user_id="ana"),
            memory.history("a", user_id="ana"),
            memory.restore("a", 1, user_id="ana"),
            memory.related("a", user_id="ana"),
            memory.related("b", depth=3, user_id="ana"),
            memory.remember("apple of ana", importance=0.5, user_id="ana"),
        ]
        memory.update("a", importance=0.1)  # by the tenant: the event is ana's all the same
        memory.export(tmp_path / "ana.jsonl", user_id="ana")
        memory.import_(tmp_path / "ana.jsonl")
        own = [event for event in events if event.scope.user_id == "ana"]
        assert {event.name for event in own} >= {"recalled", "updated", "reinforced"}
        for shown in (*answers, *own, (tmp_path / "ana.jsonl").read_text()):
            assert "secret" not in str(plain(shown))
        links = {link.target for event in own for record in event.records for link in record.links}
        assert links == {link.target for link in memory.get("a", user_id="ana").links} == {"b"}
        assert {link.target for link in memory.get("a").links} == {"b", "secret"}
        assert {found.record.id for found in memory.related("a")} == {"b", "secret"}

    def test_a_superseded_memory_is_replaced_by_the_last_of_its_chain(self, memory: Memory) -> None:
        remember_letters(memory, "abc")
        memory.relate("b", "a", "supersedes")
        memory.relate("c", "b", "supersedes")
        hits = memory.recall("apple a")
        assert ids_of(hits) == ["c"]
        assert any("supersedes" in note for note in hits[0].why.notes)
        assert memory.get("a").content == "apple a"

    def test_a_circle_of_supersedings_is_refused(self, memory: Memory) -> None:
        remember_letters(memory, "abc")
        memory.relate("b", "a", "supersedes")
        memory.relate("c", "b", "supersedes")
        for source, target in (("a", "b"), ("a", "c"), ("a", "a")):
            with pytest.raises(InvalidInput):
                memory.relate(source, target, "supersedes")
        with pytest.raises(InvalidInput, match="created_at="):  # it is the memory "a" again
            memory.remember("apple a", supersedes="c")
        assert ids_of(memory.recall("apple")) == ["c"]
        back = memory.remember("apple a", supersedes="c", valid_from="2024-06-01")
        assert ids_of(memory.recall("apple")) == [back.id]

    def test_only_what_is_visible_supersedes(self, memory: Memory, clock: Clock) -> None:
        memory.remember("apple mine", id="mine", user_id="ann")
        memory.remember("pear newer", id="newer", user_id="ann", category="c")
        memory.remember("plum short", id="short", user_id="ann", ttl=60)
        memory.remember("fig foreign", id="foreign", user_id="bob")
        memory.relate("newer", "mine", "supersedes")
        clock.advance(1)
        memory.relate("foreign", "mine", "supersedes")
        memory.relate("short", "newer", "supersedes")
        assert ids_of(memory.recall("apple", user_id="ann", mode="lexical")) == ["short"]
        clock.advance(60)
        assert ids_of(memory.recall("apple", user_id="ann", mode="lexical")) == ["newer"]
        assert ids_of(memory.recall("apple", where={"$not": {"category": "c"}}, user_id="ann")) == ["mine"]

    def test_a_contradiction_is_noted_if_it_is_visible(self, memory: Memory) -> None:
        memory.remember("apple one", id="one", user_id="ann")
        memory.remember("apple two", id="two", user_id="ann")
        memory.remember("apple foreign", id="foreign", user_id="bob")
        memory.relate("two", "one", "contradicts")
        memory.relate("foreign", "two", "contradicts")
        hits = {hit.id: hit for hit in memory.recall("apple", user_id="ann")}
        assert {id: hit.contradicted_by for id, hit in hits.items()} == {"one": ("two",), "two": ("one",)}
        assert {id: hit.why.notes for id, hit in hits.items()} == {
            "one": ("contradicted by two",),
            "two": ("contradicted by one",),
        }
        memory.remember("apple newest", id="newest", user_id="ann", supersedes="one")
        shown = {hit.id: hit for hit in memory.recall("apple", user_id="ann", superseded="show")}
        assert {id: hit.superseded_by for id, hit in shown.items()} == {
            "one": "newest",
            "two": None,
            "newest": None,
        }

    # --------------------------------------------------------------------------------------- relationships

    def test_related_memories_are_reached_in_both_directions(self, memory: Memory) -> None:
        remember_letters(memory, "abcde")
        memory.relate("a", "b", "extends", strength=0.5)
        memory.relate("c", "a")
        memory.relate("b", "d", strength=0.5)
        memory.relate("d", "e")
        near = memory.related("a")
        assert [(r.record.id, r.depth, r.outgoing, r.strength, r.link.kind) for r in near] == [
            ("c", 1, False, 1.0, "related"),
            ("b", 1, True, 0.5, "extends"),
        ]
        far = {r.record.id: (r.depth, r.strength) for r in memory.related("a", depth=3)}
        assert far == {"b": (1, 0.5), "c": (1, 1.0), "d": (2, 0.25), "e": (3, 0.25)}
        assert [r.record.id for r in memory.related("a", kind="extends", depth=3)] == ["b"]
        assert {r.record.id for r in memory.related("a", depth=3, min_strength=0.4)} == {"b", "c"}

    def test_each_is_reached_once_by_its_shortest_way_and_circles_end(self, memory: Memory) -> None:
        remember_letters(memory, "abcd")
        for source, target, strength in (("a", "b", 0.5), ("b", "c", 1.0), ("a", "c", 0.25), ("c", "a", 1.0)):
            memory.relate(source, target, strength=strength)
        memory.relate("c", "d")
        found = [(r.record.id, r.depth, r.strength) for r in memory.related("a", depth=10)]
        assert found == [("c", 1, 1.0), ("b", 1, 0.5), ("d", 2, 1.0)]

    def test_what_cannot_be_seen_leads_nowhere(self, memory: Memory, clock: Clock) -> None:
        for id, owner in (("a", "ann"), ("b", "bob"), ("c", "ann"), ("e", "ann")):
            memory.remember(f"apple {id}", id=id, user_id=owner)
        memory.remember("apple d", id="d", user_id="ann", ttl=60)
        for source, target in (("a", "b"), ("b", "c"), ("a", "d"), ("d", "e")):
            memory.relate(source, target)
        assert {r.record.id for r in memory.related("a", depth=5, user_id="ann")} == {"d", "e"}
        clock.advance(60)
        assert memory.related("a", depth=5, user_id="ann") == []

    def test_the_same_relationship_again_changes_its_strength(self, memory: Memory) -> None:
        remember_letters(memory, "ab")
        memory.relate("a", "b", strength=0.5)
        link = memory.relate("a", "b", strength=0.75)
        assert (link.target, link.kind, link.strength) == ("b", "related", 0.75)
        assert [found.strength for found in memory.get("a").links] == [0.75]
        assert memory.unrelate("a", "b") == 1
        assert memory.unrelate("a", "b") == 0
        assert memory.related("a") == []


def remember_letters(memory: Memory, ids: str) -> None:
    """A memory for each letter."""
    memory.remember([NewMemory(content=f"apple {id}", id=id) for id in ids])
