"""What an operation declares holds for every adapter and wrapper: its guard, its errors, its effect."""

from __future__ import annotations

from typing import Any

import pytest

from memwell.errors import BackendError, Closed, MemwellError, Unavailable
from memwell.ports import (
    Declaration,
    Effect,
    Embedder,
    KeyValue,
    Log,
    Port,
    Store,
    VectorIndex,
    call,
    declared,
    operation,
    required,
)
from memwell.ports.store.changes import Changes
from memwell.registry import open_keyvalue
from memwell.testing import run

PORTS = (Store, VectorIndex, Embedder, KeyValue, Log)


class Broken(Port):
    """Its two operations fail with an error of their library."""

    part = "broken"
    blocking = True

    @operation(Effect.READS)
    async def look(self, where: str) -> str:
        return await self._look(where)

    async def _look(self, where: str) -> str:
        raise OSError(f"cannot look {where}")

    def _translate(self, error: Exception, operation: str) -> MemwellError:
        return Unavailable(str(error), part=self.part, operation=operation)


def calls(part: Broken) -> list[Any]:
    """The same operation as a user calls it and as a wrapper does."""
    return [lambda: part.look("there"), lambda: call(part, declared(Broken.look), ("there",))]


@pytest.mark.parametrize("way", [0, 1], ids=["public", "wrapper"])
def test_users_and_wrappers_meet_the_same_guard(way: int) -> None:
    part = Broken()
    with pytest.raises(Unavailable, match="cannot look there") as raised:
        run(part, calls(part)[way]())
    assert isinstance(raised.value.__cause__, OSError)
    assert (raised.value.part, raised.value.operation) == ("broken", "look")
    run(part, part.close())
    with pytest.raises(Closed) as closed:
        run(part, calls(part)[way]())
    assert (closed.value.part, closed.value.operation) == ("broken", "look")


def test_an_operation_cannot_be_defined_without_an_effect() -> None:
    with pytest.raises(TypeError, match=r"Silent\.speak does not declare what it does"):

        class Silent(Port):
            async def speak(self) -> None: ...


def test_an_operation_cannot_be_defined_without_its_hook() -> None:
    with pytest.raises(TypeError, match=r"Empty\.look needs the hook _look"):

        class Empty(Port):
            @operation(Effect.READS)
            async def look(self) -> None: ...


def test_two_operations_on_one_hook_agree_on_the_effect() -> None:
    with pytest.raises(TypeError, match=r"Torn\.put writes, but put_many with the same hook _put_many reads"):

        class Torn(Port):
            @operation(Effect.READS)
            async def put_many(self) -> None: ...

            @operation(Effect.WRITES, hook="_put_many")
            async def put(self) -> None: ...

            async def _put_many(self) -> None: ...


def test_an_override_keeps_the_effect_and_the_role() -> None:
    class Louder(Broken):
        @operation(Effect.READS)
        async def look(self, where: str) -> str:
            return await super().look(where.upper())

    assert Louder.operations["_look"].role is Broken
    with pytest.raises(TypeError, match="look writes, but look with the same hook _look reads"):

        class Writer(Broken):
            @operation(Effect.WRITES)
            async def look(self, where: str) -> str:
                return where


def test_an_adapter_without_a_required_hook_cannot_be_made() -> None:
    class Half(Port):
        @required
        async def _look(self) -> None:
            raise NotImplementedError

    with pytest.raises(TypeError, match="_look"):
        Half()


@pytest.mark.parametrize("port", PORTS)
def test_every_public_method_of_a_port_is_an_operation(port: type[Port]) -> None:
    """The methods that neither wait nor touch what is stored are named here."""
    beside = {"close", "shares", "spans"}
    methods = {name for name in dir(port) if not name.startswith("_") and callable(getattr(port, name))}
    hooks = {declared(getattr(port, name)).hook for name in methods - beside}
    assert hooks == port.operations.keys()
    assert all(hasattr(port, hook) for hook in hooks)


def test_what_can_be_repeated_depends_on_the_call() -> None:
    delete = declared(KeyValue.delete)
    assert delete.effect_of(("key", None)) is Effect.WRITES
    assert delete.effect_of(("key", b"value")) is Effect.CONDITIONAL
    repeated = {
        each.name for each in KeyValue.operations.values() if each.writes and each.effect is Effect.WRITES
    }
    assert repeated == {"set_many", "delete"}


def test_a_short_form_shares_the_declaration_of_its_hook() -> None:
    assert KeyValue.operations["_get_many"] is declared(KeyValue.get_many)
    assert declared(KeyValue.get).hook == "_get_many"
    part = open_keyvalue("memory://")
    run(part, part.set("key", b"1"))
    assert run(part, call(part, declared(KeyValue.get), (["key"],))) == {"key": b"1"}
    run(part, part.close())


def test_the_roles_of_a_store_are_known_from_its_operations() -> None:
    roles: dict[Any, set[str]] = {}
    for each in Store.operations.values():
        roles.setdefault(each.role, set()).add(each.name)
    assert roles[Changes] == {"position", "changes", "claim", "advance"}
    assert {each.name for each in Store.operations.values() if each.feeds} == {
        "write",
        "sweep",
        "serve",
    }


def test_an_error_that_no_table_knows_is_a_backend_error() -> None:
    class Plain(Port):
        part = "plain"

    odd = Declaration(name="odd", hook="_odd", effect=Effect.READS)

    async def fails() -> None:
        raise KeyError("?")

    part: Any = Plain()
    part._odd = fails
    with pytest.raises(BackendError, match="KeyError"):
        run(part, call(part, odd, ()))
