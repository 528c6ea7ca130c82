"""What wrappers share: every hook of a port passed on, so that a wrapper writes only those that it changes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from memwell.ports import Port

__all__ = ["forwarding"]

P = TypeVar("P", bound=Port)


def forwarding(
    pass_on: Callable[[Any, str, tuple[Any, ...]], Awaitable[Any]],
) -> Callable[[type[P]], type[P]]:
    """A class decorator that fills in each abstract hook of a port, and `_ping`, with `pass_on(self, hook, args)`.

    Hooks that the class has written itself stay; so does the property `capabilities`.
    """

    def fill(cls: type[P]) -> type[P]:
        missing = {name for name in cls.__abstractmethods__ if name != "capabilities"}
        hooks = missing | {
            name for name in ("_ping", "_actors") if getattr(cls, name, None) is _inherited(name)
        }
        for hook in hooks:
            setattr(cls, hook, _forward(hook))
        cls.__abstractmethods__ = cls.__abstractmethods__ - missing
        return cls

    def _forward(hook: str) -> Callable[..., Awaitable[Any]]:
        async def call(self: Any, *arguments: Any) -> Any:
            return await pass_on(self, hook, arguments)

        call.__name__ = hook
        return call

    return fill


def _inherited(name: str) -> object:
    from memwell.ports import Store

    return getattr(Store, name)
