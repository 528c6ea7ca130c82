"""A part that needs an event loop, for callers without one: `Completed(part)` is a blocking part of the same port.

Every operation runs on a loop in a background thread that all such parts of the process share, and the calling thread
waits for it.
"""

from __future__ import annotations

from typing import Any, TypeVar

from memwell import _bridge
from memwell.ports import Declaration, Port, call
from memwell.wrappers.base import Wrapper

__all__ = ["Completed", "completed"]

P = TypeVar("P", bound=Port)


class Completed(Wrapper):
    """A part on a loop, without await."""

    part = "completed"

    def __new__(cls, part: P) -> P:  # type: ignore[misc]
        return cls._wrap(part)  # type: ignore[no-any-return]

    @property
    def blocking(self) -> bool:  # type: ignore[override]
        """Always."""
        return True

    async def _call(self, operation: Declaration, arguments: tuple[Any, ...]) -> Any:
        return _bridge.complete(call(self.inner, operation, arguments), blocking=False)

    async def _close(self) -> None:
        _bridge.complete(self.inner.close(), blocking=False)


def completed(part: P) -> P:
    """The part for callers without a loop; a blocking one comes back as it is."""
    return part if part.blocking else Completed(part)
