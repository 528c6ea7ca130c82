"""Echoes: recalled text that is remembered again."""

from __future__ import annotations

from typing import Any

import pytest

from memwell.errors import Conflict, InvalidInput, NotSupported
from memwell.events import Event
from memwell.sync import Memory
from memwell.testing.memory._harness import MemorySuite
from memwell.types import NewMemory

__all__ = ["Echoing"]

FERRY = "I booked the ferry to Naxos for the 3rd of June"
DESK = "My new desk arrives on Friday"


class Echoing(MemorySuite):
    """Part of `MemoryConformance`."""

    @pytest.fixture
    def talk(self, memory: Memory) -> list[str]:
        """The ids of two memories of Ana's first session."""
        said: Any = {"user_id": "ana", "session_id": "one"}
        ferry = memory.remember(FERRY, metadata={"speaker": "Ana"}, tags=["trip"], **said)
        return [ferry.id, memory.remember(DESK, **said).id]

    def test_recalled_text_is_counted_and_not_stored_again(self, memory: Memory, talk: list[str]) -> None:
        events: list[Event] = []
        memory.on("reinforced", events.append, inline=True)
        hits = memory.recall("ferry to Naxos, and the desk", user_id="ana")
        echoes: Any = (
            FERRY,
            f"As I recall, {FERRY}.",
            "You booked a ferry to Naxos for the 3rd of June!",
            "Ana: for the 3rd of June I booked the ferry to Naxos",
            {"role": "assistant", "content": f"“{FERRY}”"},
            NewMemory(content="I have booked the ferry to Naxos for 3rd June", session_id="three"),
        )
        for count, again in enumerate(echoes, 1):
            record = memory.remember(again, user_id="ana", session_id="two")
            assert (record.id, record.reinforced, record.content) == (talk[0], count, FERRY)
        assert memory.remember(hits.as_text(), user_id="ana").id in talk
        assert [memory.get(id).reinforced for id in talk] == [count + 1, 1]
        assert memory.count() == 2
        assert all(event.data["reason"] for event in events)

    def test_marked_text_is_found_without_a_recall(self, memory: Memory, talk: list[str]) -> None:
        block = f"- [2026-05-01] Ana: {FERRY}\n- [2026-05-01] {DESK}"
        first, other = memory.remember([block, "something else"], user_id="ana", session_id="two")
        assert (first.id, other.content) == (talk[0], "something else")
        assert [memory.get(id).reinforced for id in talk] == [1, 1]
        assert memory.remember(f"- [2026-05-01 #{talk[1]}] {DESK}", user_id="ana").id == talk[1]
        mixed = memory.remember(f"{block}\n- [2026-05-02] The ferry was cancelled", user_id="ana")
        assert mixed.reinforced == 0

    def test_what_says_something_else_is_stored(self, memory: Memory, talk: list[str]) -> None:
        memory.recall("ferry to Naxos, and the desk", user_id="ana")
        others = (
            "I booked the ferry to Naxos for the 4th of June",
            "I did not book the ferry to Naxos for the 3rd of June",
            "I booked the ferry from Naxos for the 3rd of June",
            "Bob: I booked the ferry to Naxos for the 3rd of June",
            "Did I book the ferry to Naxos for the 3rd of June?",
            "I will book the ferry to Naxos for the 3rd of June",
            "I booked the ferry to Naxos for the 3rd of June with Bob",
            f"- {FERRY} and more",
        )
        for text in others:
            assert memory.remember(text, user_id="ana", session_id="two").content == text
        for kept in (
            {"metadata": {"ticket": 7}},
            {"category": "travel"},
            {"id": "own"},
            {"created_at": "2020-01-01"},
        ):
            record = memory.remember(FERRY, user_id="ana", session_id="two", **kept)
            assert record.id not in talk
        assert memory.remember(FERRY, user_id="bob").user_id == "bob"
        assert memory.remember(FERRY).user_id is None
        assert memory.get(talk[0]).reinforced == 0

    def test_it_is_refused_or_stored_on_demand(self, memory: Memory, talk: list[str]) -> None:
        (hit, *_) = memory.recall("ferry", user_id="ana")
        with pytest.raises(Conflict, match=hit.id):
            memory.remember(["a new one", hit.content], user_id="ana", on_echo="refuse")
        assert memory.count() == 2
        stored = memory.remember(hit.content, user_id="ana", session_id="two", on_echo="store")
        assert stored.id not in talk
        assert memory.remember("a new one", user_id="ana", on_echo="refuse").reinforced == 0
        with pytest.raises(InvalidInput, match="on_echo"):
            memory.remember("tea", on_echo="shout")  # type: ignore[call-overload]

    def test_a_view_of_one_session_meets_no_echo_of_another(self, memory: Memory, talk: list[str]) -> None:
        memory.recall("ferry", user_id="ana")
        view = memory.scoped(user_id="ana", session_id="two")
        assert view.remember(FERRY).session_id == "two"
        with pytest.raises(NotSupported, match="on_echo"):
            view.remember(FERRY, on_echo="refuse")
        wider = memory.scoped(user_id="ana")
        assert wider.remember(f"As I recall, {DESK}").id == talk[1]

    def test_what_was_changed_or_forgotten_meanwhile_is_no_echo(
        self, memory: Memory, talk: list[str]
    ) -> None:
        memory.recall("ferry to Naxos, and the desk", user_id="ana")
        memory.update(talk[0], content="I cancelled the ferry to Naxos")
        memory.forget(talk[1])
        for text in (FERRY, DESK):
            record = memory.remember(text, user_id="ana")
            assert (record.id in talk, record.content, record.reinforced) == (False, text, 0)
