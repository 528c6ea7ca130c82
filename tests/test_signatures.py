"""`Memory` and `AsyncMemory` have the same methods, options and docs, and the package's names are flat and sorted."""

from __future__ import annotations

import importlib
import inspect
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from typing import Any, get_type_hints

import pytest

import memwell
from memwell import AsyncMemory, Memory, types
from memwell.engine import requests
from memwell.errors import MemwellError
from memwell.policies import clusters, loading, model, summaries
from memwell.testing.memory import OnALoop


def public(cls: type) -> dict[str, Callable[..., Any]]:
    """The public methods of a class, and how it is made and used as a context."""
    return {name: value for name, value in inspect.getmembers(cls, inspect.isfunction) if name[0] != "_"}


NAMES = sorted(public(AsyncMemory))
AT_ONCE = {"on", "scoped"}
"""What is no call of the engine, and so is not awaited."""


def test_both_have_the_same_methods() -> None:
    assert sorted(public(Memory)) == NAMES
    assert len(NAMES) >= 20


def test_both_are_made_alike() -> None:
    assert inspect.signature(Memory.__init__) == inspect.signature(AsyncMemory.__init__)


@pytest.mark.parametrize("name", NAMES)
def test_both_take_and_give_the_same_and_one_is_awaited(name: str) -> None:
    twin, original = inspect.signature(public(Memory)[name]), inspect.signature(public(AsyncMemory)[name])
    assert twin.parameters == original.parameters
    assert twin.return_annotation == original.return_annotation
    assert not inspect.iscoroutinefunction(public(Memory)[name])
    assert inspect.iscoroutinefunction(public(AsyncMemory)[name]) is (name not in AT_ONCE)


LATER = {
    **{name: getattr(module, name) for module in (memwell, types) for name in module.__all__},
    "By": clusters.By,
    "Originals": model.Originals,
    "Source": loading.Source,
    "Summariser": summaries.Summariser,
    "Entries": list[memwell.AuditEntry],
    "ReceiptList": list[memwell.Receipt],
    "Iterable": Iterable,
    "datetime": datetime,
    "PathLike": os.PathLike,
}
"""Types of methods that a process seldom needs, which are imported when one is called."""
SCOPE = {field.name for field in fields(requests.OwnedRequest)}


def request_of(name: str) -> type[Any] | None:
    """The request dataclass of a method, if it has one."""
    kind = "".join(word.capitalize() for word in name.split("_")) + "Request"
    return getattr(requests, kind, None)


@pytest.mark.parametrize("name", NAMES)
def test_both_and_every_parameter_are_documented_in_the_same_words(name: str) -> None:
    text = inspect.getdoc(public(AsyncMemory)[name]) or ""
    assert inspect.getdoc(public(Memory)[name]) == text
    assert text.split("\n\n")[0].strip().endswith(".")
    parameters = [*inspect.signature(public(AsyncMemory)[name]).parameters][1:]
    assert not [each for each in parameters if not re.search(rf"`{each}\b|\({each}\)`", text)]


@pytest.mark.parametrize("cls", [Memory, AsyncMemory])
def test_every_parameter_of_the_constructor_is_documented(cls: type) -> None:
    parameters = [*inspect.signature(cls).parameters]
    assert not [each for each in parameters if f"`{each}`" not in (inspect.getdoc(cls) or "")]


@pytest.mark.parametrize("name", NAMES)
def test_a_request_has_the_parameters_of_its_method_with_the_same_defaults_and_types(name: str) -> None:
    request, taken = request_of(name), dict(inspect.signature(public(AsyncMemory)[name]).parameters)
    for beside in ("self", "progress"):
        taken.pop(beside, None)
    if request is None:
        assert not taken or name in AT_ONCE
        return
    defaults = {each.name: each.default for each in fields(request)}
    assert {n: inspect.Parameter.empty if d is MISSING else d for n, d in defaults.items()} == {
        n: parameter.default for n, parameter in taken.items()
    }
    hints = get_type_hints(request, localns=LATER)
    assert get_type_hints(inspect.unwrap(public(AsyncMemory)[name]), localns=LATER).items() >= hints.items()


@pytest.mark.parametrize("face", [Memory, AsyncMemory])
def test_types_of_everyday_methods_are_known_at_run_time(face: type) -> None:
    """Frameworks that make tools of functions read them."""
    names = [name for name in vars(face) if name in NAMES and name != "scoped"]
    assert {"remember", "recall", "get", "update", "on"} <= {*names}
    for name in names:
        assert get_type_hints(inspect.unwrap(public(face)[name]))


def test_every_request_belongs_to_a_method() -> None:
    kinds = {kind for name in requests.__all__ if (kind := getattr(requests, name)) and is_dataclass(kind)}
    assert kinds - {requests.OwnedRequest} == {request_of(name) for name in NAMES} - {None}


@pytest.mark.parametrize("name", NAMES)
def test_what_is_given_arrives_in_the_request(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each keyword reaches the field of its name, through either face."""
    request, found = request_of(name), []
    if request is None:
        return

    async def take(_engine: object, request: object, *_progress: object) -> Any:
        found.append(request)

    module = importlib.import_module(f"memwell.engine.{ENGINE.get(name, name)}")
    monkeypatch.setattr(module, {"list": "page"}.get(name, name), take)
    given = {field.name: f"the {field.name}" for field in fields(request)}
    with Memory("memory://", embedder=None) as memory:
        getattr(memory, name)(**given)
    assert found == [request(**given)]


ENGINE = dict.fromkeys(("get", "list", "history", "count", "stats"), "lookup")
ENGINE |= dict.fromkeys(("relate", "unrelate", "related"), "links")
ENGINE |= {
    "plan": "planning",
    "apply": "applying",
    "rebuild_clusters": "clusters",
    "summarise": "summarising",
}
ENGINE |= dict.fromkeys(("update", "forget", "restore"), "remember")
ENGINE |= {"shred": "keys", "rotate_keys": "rekeying"}
ENGINE |= dict.fromkeys(("add_webhook", "remove_webhook", "test_webhook"), "delivering")
ENGINE |= dict.fromkeys(("deliver", "dead_letters", "replay_webhook"), "delivering")
ENGINE |= dict.fromkeys(("receipts", "complete_receipts"), "erase")
ENGINE |= dict.fromkeys(("audit_log", "verify_audit"), "audit")


@pytest.mark.parametrize("name", NAMES)
def test_every_call_meets_the_audit_log(name: str) -> None:
    """A group of methods without `@audited` would leave no trace of its calls."""
    quiet = {*AT_ONCE, "close", "health"}
    assert getattr(public(AsyncMemory)[name], "audited", False) is (name not in quiet)


@pytest.mark.parametrize("name", NAMES)
def test_every_option_stands_in_the_signature(name: str) -> None:
    parameters = list(inspect.signature(public(AsyncMemory)[name]).parameters.values())[1:]
    assert not [p for p in parameters if p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    assert len([p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]) <= 3
    assert all(p.annotation is not p.empty for p in parameters)
    assert inspect.signature(public(AsyncMemory)[name]).return_annotation is not inspect.Signature.empty
    taken = {p.name for p in parameters}
    assert taken >= SCOPE or not SCOPE & taken


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda m: m.recall("tea", k=3),
            r"Memory.recall\(\) .*'k' \(did you mean 'limit'\?\); .*where, limit,",
        ),
        (lambda m: m.recall("tea", filters={}, TopK=1), "'filters' .*'where'.*'TopK' .*'limit'"),
        (lambda m: m.recall("tea", userid="ana"), "'userid' .*'user_id'"),
        (lambda m: m.remember("tea", importanse=1), "'importanse' .*'importance'"),
        (lambda m: m.remember("tea", where={}), "'where'(?! \\(did)"),
        (lambda m: m.forget(all=True), "'all' .*'everything'"),
        (lambda m: m.health(deep=True), r"Memory.health\(\) .*'deep'; it takes no arguments"),
        (lambda m: type(m)(path="a.db"), r"Memory\(\) .*'path' \(did you mean 'url'\?\)"),
    ],
)
def test_a_wrong_keyword_is_answered_with_the_right_one(call: Callable[[Any], Any], message: str) -> None:
    with Memory("memory://", embedder=None) as memory, pytest.raises(TypeError, match=message):
        call(memory)
    loop = OnALoop(AsyncMemory("memory://", embedder=None))
    with pytest.raises(TypeError, match=message.replace("type(m)", "AsyncMemory")):
        call(loop if "path" not in message else loop.memory)
    loop.close()


def test_an_error_about_arguments_names_the_class_that_was_called() -> None:
    with Memory("memory://", embedder=None) as memory:
        for call in (lambda m: m.recall(), lambda m: m.recall("tea", 3)):
            with pytest.raises(TypeError, match=r"^Memory\.recall\(\) "):
                call(memory)


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
