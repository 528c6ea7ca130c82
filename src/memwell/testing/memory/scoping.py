"""Views bound to one owner: the same methods, limited to its memories."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from memwell.errors import InvalidInput, NotFound, NotSupported
from memwell.sync import Memory
from memwell.testing.memory._harness import MemorySuite, ids_of
from memwell.types import NewMemory

__all__ = ["Scoping"]

OUTSIDE: dict[str, Callable[[Memory], Any]] = {
    "get": lambda view: view.get("bob's"),
    "update": lambda view: view.update("bob's", importance=1),
    "forget": lambda view: view.forget("bob's"),
    "history": lambda view: view.history("bob's"),
    "restore": lambda view: view.restore("bob's", 1),
    "relate": lambda view: view.relate("ana's", "bob's"),
    "relate back": lambda view: view.relate("bob's", "ana's"),
    "unrelate": lambda view: view.unrelate("bob's", "ana's"),
    "related": lambda view: view.related("bob's"),
}
NAMED: dict[str, Callable[[Memory], Any]] = {
    "another user": lambda view: view.recall("tea", user_id="bob"),
    "another tenant": lambda view: view.count(tenant_id="acme"),
    "an item": lambda view: view.remember(NewMemory(content="x", user_id="bob")),
    "an item of a list": lambda view: view.remember(["x", NewMemory(content="x", user_id="bob")]),
    "content by keyword": lambda view: view.remember(content=[NewMemory(content="x", user_id="bob")]),
    "a view of a view": lambda view: view.scoped(user_id="bob"),
}


class Scoping(MemorySuite):
    """Part of `MemoryConformance`."""

    @pytest.fixture
    def view(self, memory: Memory) -> Memory:
        """Ana's part of a store that holds bob's, too."""
        memory.remember("bob drinks green tea", id="bob's", user_id="bob")
        memory.remember("acme drinks green tea", id="acme's", user_id="ana", tenant_id="acme")
        view = memory.scoped(user_id="ana")
        assert view.remember("ana drinks green tea", id="ana's").user_id == "ana"
        return view

    def test_a_view_has_every_method_and_sees_its_owner_alone(
        self, view: Memory, memory: Memory, tmp_path: Path
    ) -> None:
        assert ids_of(view.recall("who drinks green tea?")) == ["ana's"]
        assert [record.id for record in view.list()] == ["ana's"]
        assert view.count() == view.stats().records == view.export(tmp_path / "ana.jsonl") == 1
        assert view.update("ana's", content="ana drinks black tea").version == 2
        assert view.restore("ana's", 1).version == len(view.history("ana's")) == 3
        view.remember(["ana has a dog", NewMemory(content="ana's cat", id="cat", user_id="ana")])
        view.relate("ana's", "cat")
        assert [one.id for one in view.related("cat")] == ["ana's"]
        assert view.unrelate("ana's", "cat") == 1
        assert view.get("cat", user_id="ana", tenant_id="default").user_id == "ana"
        assert view.health().ok
        assert len(view.forget()) == 3
        assert memory.count() == memory.count(tenant_id="acme") == 1

    @pytest.mark.parametrize("what", OUTSIDE)
    def test_what_lies_outside_a_view_is_not_there(self, view: Memory, what: str) -> None:
        with pytest.raises(NotFound):
            OUTSIDE[what](view)

    @pytest.mark.parametrize("what", NAMED)
    def test_a_view_refuses_calls_that_name_another_owner(
        self, view: Memory, memory: Memory, what: str
    ) -> None:
        with pytest.raises(InvalidInput, match=r"bound to .* cannot reach"):
            NAMED[what](view)
        assert (view.count(), memory.count()) == (1, 2)

    def test_a_view_may_be_narrowed_by_call_and_by_view(self, view: Memory) -> None:
        talk = view.scoped(session_id="s1")
        assert talk.remember("ana asks for tea").scope == view.remember("ana pays", session_id="s1").scope
        assert (talk.count(), view.count(session_id="s1"), view.count(), talk.count(agent_id="x")) == (
            2,
            2,
            3,
            0,
        )
        with pytest.raises(InvalidInput, match="s1"):
            talk.recall("tea", session_id="s2")

    def test_a_view_does_no_upkeep_and_closes_nothing(
        self, view: Memory, memory: Memory, tmp_path: Path
    ) -> None:
        memory.export(tmp_path / "all.jsonl")
        for name in ("doctor", "repair", "sweep", "reembed"):
            with pytest.raises(NotSupported, match=f"{name} works on the whole store"):
                getattr(view, name)()
        with pytest.raises(NotSupported, match="import_ works on the whole store"):
            view.import_(tmp_path / "all.jsonl")
        with view:
            view.close()
        assert memory.count() == 2

    def test_a_view_hears_of_its_own_events_alone(self, view: Memory, memory: Memory) -> None:
        heard: list[tuple[str, tuple[str, ...]]] = []
        end = view.on("*", lambda event: heard.append((event.name, event.ids)), inline=True)
        memory.remember("bob has a dog", id="dog", user_id="bob")
        memory.forget("dog")
        memory.remember("ana has a cat", id="cat", user_id="ana", session_id="s1")
        view.scoped(session_id="s1").forget("cat")
        end()
        view.forget("ana's")
        assert heard == [("remembered", ("cat",)), ("forgotten", ("cat",))]
