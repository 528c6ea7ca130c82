"""`Memory` and `AsyncMemory` are twins, documented in every part, and the package's names are flat and sorted."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

import memwell
from memwell import AsyncMemory, Memory
from memwell.errors import MemwellError
from memwell.testing.memory import OnALoop


def public(cls: type) -> dict[str, Callable[..., Any]]:
    """The public methods of a class, and how it is made and used as a context."""
    return {name: value for name, value in vars(cls).items() if inspect.isfunction(value) and name[0] != "_"}


NAMES = sorted(public(AsyncMemory))


def test_both_have_the_same_methods() -> None:
    assert sorted(public(Memory)) == NAMES
    assert len(NAMES) >= 20


def test_both_are_made_alike() -> None:
    assert inspect.signature(Memory.__init__) == inspect.signature(AsyncMemory.__init__)


@pytest.mark.parametrize("name", NAMES)
def test_both_take_and_give_the_same(name: str) -> None:
    twin, original = inspect.signature(public(Memory)[name]), inspect.signature(public(AsyncMemory)[name])
    assert twin.parameters == original.parameters
    assert twin.return_annotation == original.return_annotation


@pytest.mark.parametrize("name", NAMES)
def test_one_is_awaited_and_the_other_is_not(name: str) -> None:
    assert not inspect.iscoroutinefunction(public(Memory)[name])
    assert inspect.iscoroutinefunction(public(AsyncMemory)[name]) is (name != "on")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("cls", [Memory, AsyncMemory])
def test_every_method_is_documented(cls: type, name: str) -> None:
    told = public(cls)[name].__doc__ or ""
    assert len(told) > 20
    assert told.split("\n\n")[0].strip().endswith(".")
    if cls is Memory and name != "close":
        assert f"`AsyncMemory.{name}`" in told


@pytest.mark.parametrize("name", NAMES)
def test_every_option_is_a_keyword_but_the_first_two(name: str) -> None:
    parameters = list(inspect.signature(public(AsyncMemory)[name]).parameters.values())[1:]
    positional = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert len(positional) <= 3
    assert all(p.annotation is not p.empty for p in parameters)
    assert inspect.signature(public(AsyncMemory)[name]).return_annotation is not inspect.Signature.empty


def test_the_adapter_of_the_suite_reaches_every_method() -> None:
    loop = OnALoop(AsyncMemory("memory://", embedder=None))
    assert all(callable(getattr(loop, name)) for name in NAMES)
    loop.close()


def test_exported_names_are_flat_sorted_and_there() -> None:
    names = memwell.__all__
    constants = [name for name in names if name.isupper()]
    classes = [name for name in names if not name.isupper()]
    assert names == sorted(constants) + sorted(classes)
    assert len(set(names)) == len(names)
    for name in names:
        assert "." not in name
        assert getattr(memwell, name) is not None
        assert name in dir(memwell)


def test_what_is_not_exported_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Memroy"):
        memwell.Memroy  # noqa: B018


def test_every_error_is_exported_and_stands_in_the_tree() -> None:
    from memwell import errors

    assert set(errors.__all__) <= set(memwell.__all__)
    for name in errors.__all__:
        error = getattr(errors, name)
        assert issubclass(error, MemwellError)
        assert name in (errors.__doc__ or "")
        assert error("what to do", part="store", operation="get").args == ("what to do",)
        assert str(error("what to do", part="store", operation="get")) == "what to do [store.get]"
        assert str(error("what to do")) == "what to do"


@pytest.mark.parametrize(
    ("error", "base"),
    [("InvalidInput", ValueError), ("InvalidQuery", ValueError), ("NotFound", KeyError)],
)
def test_errors_are_also_what_python_would_raise(error: str, base: type[Exception]) -> None:
    assert issubclass(getattr(memwell, error), base)


def test_only_the_transient_error_says_so() -> None:
    transient = [kind for name in memwell.errors.__all__ if (kind := getattr(memwell, name)).transient]
    assert set(transient) == {memwell.Unavailable, memwell.TimedOut}
    assert all(issubclass(kind, memwell.Unavailable) for kind in transient)
