"""Views of a memory with the owner bound: what `memory.scoped(user_id="ana")` gives.

A view is an instance of a subclass of the memory's own class, over the same parts. Its methods are made from those of
that class by their signatures: one that takes an owner gets the view's, and one that takes none works on the whole
store and is refused. So no method can be forgotten here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import cache, wraps
from typing import Any, Final, TypeAlias, TypeVar, cast

from memwell import _bridge
from memwell.engine.validation import scope_of
from memwell.errors import InvalidInput, MemwellError, NotSupported
from memwell.events import Event
from memwell.faces import base
from memwell.fields import NARROWING, SCOPE
from memwell.types import DEFAULT_TENANT, NewMemory, Scope

__all__ = ["view"]

M = TypeVar("M")
Arguments: TypeAlias = tuple[tuple[Any, ...], dict[str, Any]]


def view(memory: M, owner: Mapping[str, str | None]) -> M:
    """The same memory for one owner alone. Raises `InvalidInput` if none is named."""
    named = {name: value for name, value in owner.items() if value is not None}
    if not named:
        raise InvalidInput("scoped binds an owner; name one, such as memory.scoped(user_id='ana')")
    found: M = object.__new__(_class_of(cast("type", type(memory))))
    vars(found).update(
        vars(memory),
        _owner={"tenant_id": DEFAULT_TENANT, **named},
        _scope=scope_of(*(named.get(name) for name in SCOPE)),
    )
    return found


class _View:
    """What a view adds to the class of its memory."""

    _owner: Mapping[str, str]
    """The bound parts of the scope, by name."""
    _scope: Scope

    def __repr__(self) -> str:
        bound = ", ".join(f"{name}={value!r}" for name, value in self._owner.items())
        return f"{type(self).__name__}({bound})"

    def __exit__(self, *_: object) -> None:
        """Leave the parts open."""

    async def __aexit__(self, *_: object) -> None:
        """Leave the parts open."""


@cache
def _class_of(face: type) -> type:
    """The class of the views of a face, or of a subclass of it, whose methods then meet bound ones in `super()`."""
    if issubclass(face, _View):
        return face
    ours = next(each for each in face.__mro__ if each.__module__.startswith("memwell."))
    methods = inspect.getmembers(ours, inspect.isfunction)
    bound: Any = type(
        f"Bound{ours.__name__}", (ours,), {n: _method(n, method) for n, method in methods if n[0] != "_"}
    )
    bases = (_View, bound) if face is ours else (_View, face, bound)
    return type(f"Scoped{face.__name__}", bases, {"close": bound.close})


def _method(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    """What a view has in place of its memory's method."""
    takes_owner = {*SCOPE} <= {*inspect.signature(method).parameters}
    prepare = _OTHERS.get(name, _with_owner if takes_owner else _refuse)

    @wraps(method)
    def call(self: Any, /, *arguments: Any, **given: Any) -> Any:
        try:
            prepared = prepare(self, name, (arguments, given))
        except MemwellError as error:
            _refused(self, method, (arguments, given), error)
            raise
        return prepared and method(self, *prepared[0], **prepared[1])

    @wraps(method)
    async def acall(self: Any, /, *arguments: Any, **given: Any) -> Any:
        try:
            prepared = prepare(self, name, (arguments, given))
        except MemwellError as error:
            if audit := self._engine.proof.audit:
                await audit.refused(name, base.arguments(method, arguments, given) | dict(self._owner), error)
            raise
        return prepared and await method(self, *prepared[0], **prepared[1])

    return acall if inspect.iscoroutinefunction(method) else call


def _refused(view: Any, method: Callable[..., Any], call: Arguments, error: MemwellError) -> None:
    """Enter a refused call into the audit log, if there is one, as a call of the view's owner."""
    memory = getattr(view, "_memory", None)
    if (audit := (memory or view)._engine.proof.audit) is None:
        return
    known = base.arguments(method, *call) | dict(view._owner)
    if memory is None:  # a method that is not awaited: the entry is written with the next one
        audit.note_refused(method.__name__, known, error)
    else:
        view._run(audit.refused(method.__name__, known, error))


def _with_owner(view: _View, name: str, call: Arguments) -> Arguments:
    """The call with the view's owner. Raises `InvalidInput` if it names another, also one item of a list."""
    arguments, given = call
    _check(view, given)
    if name == "remember":
        narrow = view._owner.keys() - {"tenant_id", "user_id"}
        if given.get("supersedes") is not None and narrow:
            raise NotSupported(
                f"supersedes reaches all memories of a user; this view is bound to {', '.join(sorted(narrow))}, too",
                part="memory",
                operation="remember",
            )
        if "session_id" in view._owner:
            given = _within_session(given)
        content = arguments[0] if arguments else given.get("content")
        for item in content if isinstance(content, Sequence) else [content]:
            if isinstance(item, NewMemory):
                _check(view, {name: getattr(item, name) for name in NARROWING})
    return arguments, given | dict(view._owner)


def _within_session(given: dict[str, Any]) -> dict[str, Any]:
    """The arguments of `remember` for a view of one session: without what looks at other sessions of the owner."""
    for name, harmless in (("on_echo", "store"), ("supersede", "off")):
        if given.get(name, harmless) != harmless:
            raise NotSupported(
                f"{name} looks at all sessions of an owner; this view is bound to session_id, too: leave {name} out",
                part="memory",
                operation="remember",
            )
    return given | {"on_echo": "store"}


def _check(view: _View, given: Mapping[str, Any]) -> None:
    for name, bound in view._owner.items():
        value = given.get(name)
        if value is not None and value != bound:
            raise InvalidInput(
                f"this view is bound to {name}={bound!r} and cannot reach another; use the memory that it was made from"
            )


def _refuse(_view: _View, name: str, _call: Arguments) -> Arguments:
    raise NotSupported(
        f"{name} works on the whole store; call it on the memory that this view was made from",
        part="memory",
        operation=name,
    )


def _own_events(view: _View, _name: str, call: Arguments) -> Arguments:
    """The subscription to the events of calls that are the view's, too."""
    arguments, given = call
    handler = arguments[1] if len(arguments) > 1 else given.get("handler")
    if not callable(handler):
        return call

    def called(event: Event) -> Any:
        return handler(event) if view._scope.sees(event.scope) else None

    async def awaited(event: Event) -> None:
        if view._scope.sees(event.scope):
            await handler(event)

    own = awaited if _bridge.is_async(handler) else called
    return ((arguments[0], own), given) if len(arguments) > 1 else (arguments, given | {"handler": own})


def _own_plan(view: _View, _name: str, call: Arguments) -> Arguments:
    """A plan for memories that are the view's."""
    arguments, given = call
    scope = getattr(arguments[0] if arguments else given.get("plan"), "scope", None)
    if isinstance(scope, Scope) and not view._scope.sees(scope):
        raise InvalidInput(f"this plan is for {scope}, which this view cannot reach; make it with the view")
    return call


_OTHERS: Final[Mapping[str, Callable[[_View, str, Arguments], Arguments | None]]] = {
    "apply": _own_plan,
    "close": lambda _view, _name, _call: None,
    "health": lambda _view, _name, call: call,
    "on": _own_events,
}
"""Methods that take no owner and that a view has all the same. `close` leaves the parts to the memory."""
