"""What each group of methods works with, and the one place where their calls meet the audit log."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Final, TypeVar, cast

from memwell import _bridge
from memwell.engine.context import Engine
from memwell.engine.keywords import explain

__all__ = ["AsyncFace", "Face", "arguments", "audited", "delegated"]

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

_QUIET: Final = frozenset({"close", "health"})
"""What touches no memory."""


class AsyncFace:
    """Methods with `await`, over an engine."""

    _engine: Engine


class Face:
    """Methods without `await`: each runs the coroutine of the asynchronous memory behind it."""

    _memory: AsyncFace
    _loop: _bridge.Loop | None
    """The loop in a background thread; `None` if every part is a blocking one."""

    _run: Callable[[Coroutine[Any, Any, Any]], Any]
    """Runs a coroutine: in the calling thread, or on that loop."""


def delegated(method: F) -> F:
    """A method of a `Face` that runs the coroutine method of the same name behind it. It is written for its signature
    and its docstring; its body does nothing. Wrong keywords are explained as by `explain_keywords`.
    """
    name = method.__name__

    @functools.wraps(method)
    def call(self: Face, /, *given: Any, **named: Any) -> Any:
        try:
            return self._run(getattr(self._memory, name)(*given, **named))
        except TypeError as error:
            explain(self, method, named, error)
            method(self, *given, **named)  # it refuses wrong arguments in the words of this class
            raise

    call.explains = True  # type: ignore[attr-defined]
    return cast("F", call)


def audited(cls: type[T]) -> type[T]:
    """A class decorator: each call of a public coroutine method gets an entry in the audit log, if there is one."""
    for name, method in list(vars(cls).items()):
        if (
            inspect.isfunction(method)
            and inspect.iscoroutinefunction(inspect.unwrap(method))
            and name[0] != "_"
        ):
            setattr(cls, name, _awaited(method) if name in _QUIET else _around(name, method))
    return cls


def arguments(method: Callable[..., Any], given: tuple[Any, ...], named: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a call by name, without `self`; those that were not given have their defaults."""
    names, defaults = _parameters(method)
    return {**defaults, **dict(zip(names, given, strict=False)), **named}


@functools.cache
def _parameters(method: Callable[..., Any]) -> tuple[tuple[str, ...], dict[str, Any]]:
    """The names of the parameters, and the defaults of those that have one."""
    found = list(inspect.signature(method).parameters.values())[1:]
    return tuple([p.name for p in found]), {p.name: p.default for p in found if p.default is not p.empty}


def _awaited(method: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
    @functools.wraps(method)
    async def call(self: Any, /, *given: Any, **named: Any) -> Any:
        return await method(self, *given, **named)

    return call


def _around(name: str, method: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
    plain = inspect.unwrap(method)

    @functools.wraps(method)
    async def call(self: Any, /, *given: Any, **named: Any) -> Any:
        audit = self._engine.proof.audit
        if audit is None:
            try:
                pending = plain(self, *given, **named)
            except TypeError:
                pending = method(self, *given, **named)  # raises it in more helpful words
            return await pending
        known = arguments(method, given, named)
        return await audit.around(name, known, lambda: method(self, *given, **named))

    call.audited = True  # type: ignore[attr-defined]
    return call
