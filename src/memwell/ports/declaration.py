"""What each operation of a port does, declared where its method is defined.

`@operation(Effect.READS)` above a public coroutine method says what the method does to what is stored, and guards it: a
closed part raises `Closed`, and a native error leaves it translated. Wrappers read the declarations from
`Port.operations`, and call the hook of the part inside with `call`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import replace
from enum import Enum
from types import FunctionType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeAlias, TypeVar

from memwell._dataclasses import dataclass
from memwell.errors import Closed, MemwellError
from memwell.masking import hide

if TYPE_CHECKING:
    from memwell.ports.base import Port

__all__ = ["Declaration", "Effect", "call", "collect", "declared", "operation", "required", "translated"]

P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S", bound="Port")
F = TypeVar("F", bound=Callable[..., Any])
Method: TypeAlias = Callable[Concatenate[S, P], Coroutine[Any, Any, T]]


class Effect(Enum):
    """What an operation does to what the part stores."""

    READS = "reads"
    """Changes nothing."""
    WRITES = "writes"
    """Changes something; repeated, it leaves the same state."""
    CONDITIONAL = "conditional"
    """Changes something; repeated, it does or answers something else. Repeat it only if it surely did not happen."""
    UPKEEP = "upkeep"
    """Goes through everything that is stored and may change it, however long that takes; repeated, it leaves the same
    state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """One operation of a port."""

    name: str
    """Name of the public method, as errors and logs show it."""
    hook: str
    """Name of the underscore method that an adapter writes. Its arguments are those of the operation, all by
    position."""
    effect: Effect
    feeds: bool = False
    """Whether followers of the change sequence (indexes, mirrors) have something to take over afterwards."""
    conditional: Callable[..., bool] | None = None
    """From the hook's arguments: whether this call is `CONDITIONAL`, whatever the effect of others."""
    role: type[Port] | None = None
    """The port, or the role of a port, that defines the operation."""

    @property
    def writes(self) -> bool:
        """Whether the operation may change what is stored."""
        return self.effect is not Effect.READS

    def effect_of(self, arguments: Sequence[Any]) -> Effect:
        """The effect of one call with these arguments of the hook."""
        if self.conditional is not None and self.conditional(*arguments):
            return Effect.CONDITIONAL
        return self.effect


def operation(
    effect: Effect,
    *,
    hook: str | None = None,
    feeds: bool = False,
    conditional: Callable[..., bool] | None = None,
) -> Callable[[Method[S, P, T]], Method[S, P, T]]:
    """Declare and guard a public method of a part; `hook` defaults to its name with an underscore before it.

    The method raises `Closed` after close, and otherwise only errors that are `MemwellError`.
    """

    def decorate(method: Method[S, P, T]) -> Method[S, P, T]:
        name = method.__name__

        @functools.wraps(method)
        async def guarded(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
            if self.closed:
                raise _was_closed(self, name)
            try:
                return await method(self, *args, **kwargs)
            except Exception as error:
                _leave(self, error, name)
                raise

        guarded.declaration = Declaration(  # type: ignore[attr-defined]
            name=name, hook=hook or f"_{name}", effect=effect, feeds=feeds, conditional=conditional
        )
        return guarded

    return decorate


def declared(method: Callable[..., Any]) -> Declaration:
    """The declaration of a port's method, as in `declared(Store.write)`."""
    found: Declaration = method.declaration  # type: ignore[attr-defined]
    return found


async def call(part: Port, operation: Declaration, arguments: Sequence[Any]) -> Any:
    """Call the hook of a part as the public method would, with arguments that were checked already."""
    if part.closed:
        raise _was_closed(part, operation.name)
    try:
        return await getattr(part, operation.hook)(*arguments)
    except Exception as error:
        _leave(part, error, operation.name)
        raise


def _was_closed(part: Port, name: str) -> Closed:
    return Closed(f"{part.part} was closed; open it again to use it", part=part.part, operation=name)


def _leave(part: Port, error: Exception, name: str) -> None:
    """Let an error of ours leave a part without the secrets of its URL; raise a native one translated."""
    if not isinstance(error, MemwellError):
        raise translated(part, error, name) from error
    hide(error, part.secrets)


def translated(part: Port, error: Exception, name: str) -> MemwellError:
    """A native failure of a part as an error of memwell, both without the secrets of its URL."""
    hide(error, part.secrets)
    found = part._translate(error, name)
    hide(found, part.secrets)
    return found


def required(hook: F) -> F:
    """Mark a hook that every adapter writes: without it, a class cannot be instantiated.

    Unlike `abc.abstractmethod`, it is not seen by type checkers, since a wrapper gets its hooks when its class is made.
    """
    hook.__isabstractmethod__ = True  # type: ignore[attr-defined]
    return hook


def collect(port: type[Port]) -> dict[str, Declaration]:
    """The operations of a class by hook, those of its bases included.

    The declaration of the outermost base counts; a method that overrides it must declare the same effect. Raises
    `TypeError` when two operations on one hook have different effects.
    """
    found: dict[str, Declaration] = {}
    for base in reversed(port.__mro__):
        for one in _own(base):
            known = found.setdefault(one.hook, one)
            if known.effect is not one.effect:
                raise TypeError(
                    f"{port.__name__}.{one.name} {one.effect.value}, but {known.name} with the same hook"
                    f" {one.hook} {known.effect.value}; declare one effect, or use another hook"
                )
            if known.hook != f"_{known.name}" and one.hook == f"_{one.name}":
                found[one.hook] = one
    return found


def adopt(port: type[Port]) -> None:
    """Note in the declarations of a new port, or of a role of one, where they belong.

    Raises `TypeError` for a public coroutine method without a declaration, and for a declaration without its hook.
    """
    for name, method in vars(port).items():
        if not isinstance(method, FunctionType) or name.startswith("_"):
            continue
        if hasattr(method, "declaration"):
            method.declaration = replace(method.declaration, role=port)
            if not hasattr(port, method.declaration.hook):
                raise TypeError(f"{port.__name__}.{name} needs the hook {method.declaration.hook}; define it")
        elif inspect.iscoroutinefunction(method) and not hasattr(port.__base__, name):
            raise TypeError(
                f"{port.__name__}.{name} does not declare what it does; put @operation(Effect.…) above it"
            )


def _own(cls: type) -> Iterator[Declaration]:
    """Declarations of the methods that a class itself defines."""
    for method in vars(cls).values():
        if isinstance(method, FunctionType) and isinstance(
            one := getattr(method, "declaration", None), Declaration
        ):
            yield one
