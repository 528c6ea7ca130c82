"""Views of both faces: made from signatures, typed as their memory. What they do is in `memwell.testing.memory`."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pytest

from memwell import AsyncMemory, Event, InvalidInput, Memory, NotSupported, Owner
from memwell.fields import SCOPE

WHOLE_STORE = {"doctor", "repair", "sweep", "import_", "reembed", "verify_audit", "audit_head"}
WHOLE_STORE |= {"rotate_keys", "encrypt", "key_status", "shred"}
WHOLE_STORE |= {"add_webhook", "webhooks", "remove_webhook", "test_webhook", "deliver", "dead_letters"}
WHOLE_STORE |= {"replay_webhook"}
FREE = {"on", "health", "close", "apply"}


@pytest.mark.parametrize("face", [Memory, AsyncMemory])
def test_every_method_of_a_view_is_bound_refused_or_free(face: Any) -> None:
    """A method that is added to the faces must be one of the three."""
    memory = face("memory://", embedder=None)
    view = memory.scoped(user_id="ana")
    assert isinstance(view, face)

    def call(name: str, **given: Any) -> Any:
        method = getattr(view, name)
        wanted = [p.name for p in inspect.signature(method).parameters.values() if p.default is p.empty]
        found = method(**dict.fromkeys(wanted, "x"), **given)
        return asyncio.run(found) if inspect.iscoroutine(found) else found

    names = {name for name, _ in inspect.getmembers(face, inspect.isfunction) if name[0] != "_"}
    for name in names - FREE - WHOLE_STORE:
        for part, value in {"user_id": "bob", "tenant_id": "acme"}.items():
            with pytest.raises(InvalidInput, match=f"bound to {part}"):
                call(name, **{part: value})
    for name in WHOLE_STORE:
        with pytest.raises(NotSupported, match=name):
            call(name)
    for name in names:
        ours, theirs = getattr(view, name), getattr(memory, name)
        assert inspect.signature(ours) == inspect.signature(theirs)
        assert inspect.iscoroutinefunction(ours) is inspect.iscoroutinefunction(theirs)
        assert ours.__doc__ == theirs.__doc__
    if inspect.iscoroutine(closing := memory.close()):
        asyncio.run(closing)


def test_owners_are_checked_and_shown() -> None:
    with Memory("memory://", embedder=None) as memory:
        assert "user_id='ana'" in repr(memory.scoped(user_id="ana"))
        for owner in ({}, {"user_id": ""}, {"user_id": 7}, {"session_id": "x" * 300}):
            with pytest.raises(InvalidInput):
                memory.scoped(**owner)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="did you mean 'user_id'"):
            memory.scoped(user="ana")  # type: ignore[call-arg]
        with pytest.raises(NotSupported, match="session_id"):
            memory.scoped(user_id="ana", session_id="s1").remember("x", supersedes="y")
        with pytest.raises(InvalidInput, match="user_id; hand it"):
            memory.scoped(user_id="ana").remember({"role": "user", "content": "x", "user_id": "bob"})
        with pytest.raises(InvalidInput, match="handler"):
            memory.scoped(user_id="ana").on("*", 7)  # type: ignore[arg-type]


def test_an_owner_is_handed_on_as_keywords() -> None:
    """Type checkers accept it: this file is checked strictly."""
    owner: Owner = {"user_id": "ana", "session_id": "s1"}
    assert owner.keys() <= {*SCOPE} == Owner.__annotations__.keys()
    with Memory("memory://", embedder=None) as memory:
        memory.remember("tea", **owner)
        assert memory.scoped(**owner).count(**owner) == 1


class Notebook(Memory):
    """A memory with methods and resources of its own."""

    open = True

    def note(self, text: str) -> str:
        return super().remember(text).id

    def count(self, **options: Any) -> int:
        return super().count(**options) + 100

    def close(self) -> None:
        self.open = False
        super().close()


def test_methods_of_a_subclass_stay_inside_the_view() -> None:
    with Notebook("memory://", embedder=None) as memory:
        memory.remember("coffee", user_id="bob")
        with memory.scoped(user_id="ana") as view:
            assert memory.get(view.note("tea")).user_id == "ana"
            assert (view.count(), memory.count()) == (101, 102)
            with pytest.raises(InvalidInput, match="bound to"):
                view.count(user_id="bob")
        assert view.open


def test_coroutine_functions_hear_of_the_events_of_a_view() -> None:
    heard = []

    async def hear(event: Event) -> None:
        heard.append(event.scope.user_id)

    async def work() -> None:
        async with AsyncMemory("memory://", embedder=None) as memory:
            async with memory.scoped(user_id="ana") as view:
                view.on("remembered", handler=hear)
                await memory.remember("x", user_id="bob")
                await view.remember("x")
                await asyncio.sleep(0)
            assert await memory.count() == 2

    asyncio.run(work())
    assert heard == ["ana"]
