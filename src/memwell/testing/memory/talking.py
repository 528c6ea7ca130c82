"""`remember` of chat messages as they come, and of what supersedes."""

from __future__ import annotations

from typing import Any

import pytest

from memwell.errors import Conflict, InvalidInput, InvalidQuery, NotFound
from memwell.events import Event
from memwell.sync import Memory
from memwell.testing.memory._harness import MemorySuite, ids_of
from memwell.testing.samples import START, Clock
from memwell.types import NewMemory

__all__ = ["Talking"]

PARTS = [
    {"type": "text", "text": "Ana's bike is red"},
    {"type": "image_url", "image_url": {"url": "https://example.com/bike.png"}},
    {"type": "input_text", "text": {"value": "and new"}},
    "and fast",
]


class Talking(MemorySuite):
    """Part of `MemoryConformance`."""

    def test_chat_messages_are_taken_as_they_come(self, memory: Memory) -> None:
        one = memory.remember({"role": "user", "content": "I like tea"}, user_id="ana")
        assert (one.content, one.metadata, one.user_id) == ("I like tea", {"role": "user"}, "ana")
        stored = memory.remember(
            [
                {"role": "user", "name": "Ana", "content": PARTS, "created_at": START.isoformat()},
                {"role": "assistant", "content": None, "tool_calls": [{"id": "c1"}]},
                {"role": "tool", "tool_call_id": "c1", "content": "21 °C", "refusal": None},
                {"role": "user", "content": [PARTS[1]]},
                {"role": "assistant", "content": "Nice", "id": "m1", "metadata": {"topic": "bikes"}},
                "a note",
                NewMemory(content="an item"),
            ],
            metadata={"topic": "talk"},
            session_id="s1",
        )
        assert [record.content for record in stored] == [
            "Ana's bike is red\nand new\nand fast",
            "21 °C",
            "Nice",
            "a note",
            "an item",
        ]
        assert [record.metadata for record in stored] == [
            {"topic": "talk", "role": "user", "speaker": "Ana"},
            {"topic": "talk", "role": "tool", "tool_call_id": "c1"},
            {"topic": "bikes", "role": "assistant", "id": "m1"},
            {"topic": "talk"},
            {"topic": "talk"},
        ]
        assert stored[0].created_at == START
        assert {record.session_id for record in stored} == {"s1"}
        assert memory.recall("what did Ana say about a bike?")[0].id == stored[0].id

    @pytest.mark.parametrize(
        ("message", "remedy"),
        [
            ({"content": "no role"}, "'role': 'user'"),
            ({"role": "user", "contents": "x"}, "'role': 'user'"),
            ({"role": "user"}, "'role': 'user'"),
            ({"role": 7, "content": "x"}, "'role': 'user'"),
            ({"role": "user", "content": "x", "name": 7}, "name"),
            ({"role": "user", "content": "x", "user_id": "bob", "tags": ["x"]}, "tags, user_id; hand it"),
            ({"role": "user", "content": "x", "metadata": "x"}, "metadata"),
            ({"role": "user", "content": "x", "created_at": "soon"}, "created_at"),
            ({"role": "user", "content": "x", "a.b": 1}, "dot"),
        ],
        ids=str,
    )
    def test_what_is_no_chat_message_is_refused(self, memory: Memory, message: Any, remedy: str) -> None:
        for content in (message, ["first", message]):
            with pytest.raises(InvalidInput, match=remedy):
                memory.remember(content)
        for empty in (None, " ", [], [PARTS[1]]):
            with pytest.raises(InvalidInput, match="no text"):
                memory.remember({"role": "user", "content": empty})
        assert memory.count() == 0

    # ----------------------------------------------------------------------------------------- superseding

    def test_a_memory_supersedes_another_in_one_transaction(self, memory: Memory, clock: Clock) -> None:
        old = memory.remember("Ana lives in Leipzig", user_id="ana", session_id="s1")
        events: list[Event] = []
        memory.on("related", events.append, inline=True)
        clock.advance(1)
        new = memory.remember("Ana lives in Porto", user_id="ana", session_id="s2", supersedes=old.id)
        assert [(link.kind, link.target) for link in new.links] == [("supersedes", old.id)]
        assert new == memory.get(new.id)
        assert [event.ids for event in events] == [(new.id, old.id)]
        assert ids_of(memory.recall("who lives in Leipzig?", user_id="ana")) == [new.id]
        shown = memory.recall("who lives in Leipzig?", user_id="ana", superseded="show")
        assert ids_of(shown) == [old.id, new.id]
        assert shown[0].why.notes == (f"superseded by {new.id}",)
        assert shown[1].why.notes == ()

    def test_the_same_again_supersedes_under_its_own_id(self, memory: Memory, clock: Clock) -> None:
        old = memory.remember("Ana lives in Leipzig", metadata={"n": 1})
        other = memory.remember("Ana lives in Porto", metadata={"n": 2})
        new = memory.remember("Ana lives in Porto", metadata={"n": 1})
        clock.advance(1)
        again = memory.remember("Ana lives in Porto", metadata={"n": 1}, supersedes=old.id)
        assert (again.id, again.reinforced, len(again.links)) == (new.id, 1, 1)
        assert not memory.get(other.id).links
        with pytest.raises(InvalidInput, match="itself"):
            memory.remember("Ana lives in Leipzig", metadata={"n": 1}, supersedes=old.id)

    def test_what_cannot_supersede_stores_nothing(self, memory: Memory) -> None:
        old = memory.remember("bob's", id="old", user_id="bob")
        memory.remember("taken", id="taken", user_id="ana")
        for owner, target in (("ana", "old"), ("ana", "missing"), ("bob", "missing")):
            with pytest.raises(NotFound, match=target):
                memory.remember("new", user_id=owner, supersedes=target)
        with pytest.raises(Conflict):
            memory.remember("new", id="taken", user_id="bob", supersedes=old.id)
        for wrong in ("", 7, "x" * 300):
            with pytest.raises(InvalidInput):
                memory.remember("new", user_id="bob", supersedes=wrong)  # type: ignore[arg-type]
        with pytest.raises(InvalidInput, match="not for a list"):
            memory.remember(["new"], user_id="bob", supersedes="old")
        with pytest.raises(InvalidQuery, match="hide, show"):
            memory.recall("new", superseded="keep")  # type: ignore[arg-type]
        assert memory.count() == 2
