"""A part whose calls have a timeout: `Timed(part, seconds)` is a part of the same port.

A call that takes longer raises `TimedOut`, which is `Unavailable`. An asynchronous part is cancelled. A blocking part
runs in threads of the wrapper; its call cannot be stopped and goes on there, at most 32 of them at once. So *a write
that timed out may still happen*; `Retrying` around it takes care of that.

`UPKEEP` operations of the part (`check`, `sweep`, `serve`, `drop_model`, `clear`) have no timeout by default. `limits`
sets others: operation → seconds, or `None` for no timeout.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from memwell.errors import ConfigError, TimedOut
from memwell.ports import Declaration, Effect, Port, call
from memwell.resilience.timeout import Timeout
from memwell.wrappers.base import Wrapper

__all__ = ["Timed"]

P = TypeVar("P", bound=Port)


class Timed(Wrapper):
    """A part whose calls have a timeout."""

    part = "timed"
    _timeout: Timeout
    _limits: dict[str, float | None]

    def __new__(cls, part: P, seconds: float, *, limits: Mapping[str, float | None] | None = None) -> P:  # type: ignore[misc]
        wrapper = cls._wrap(part)
        known = {each.name: each for each in wrapper.operations.values()}
        if unknown := sorted(limits.keys() - known.keys() if limits else ()):
            raise ConfigError(
                f"{part.part} has no operation {', '.join(unknown)}; limits= takes {', '.join(sorted(known))}",
                part=cls.part,
            )
        wrapper._timeout = Timeout(seconds, name=f"{part.part}-timed")
        wrapper._limits = {
            **{name: None for name, each in known.items() if each.effect is Effect.UPKEEP},
            **(limits or {}),
        }
        return wrapper  # type: ignore[no-any-return]

    async def _call(self, operation: Declaration, arguments: tuple[Any, ...]) -> Any:
        seconds = self._limits.get(operation.name, self._timeout.seconds)
        if seconds is None:
            return await call(self.inner, operation, arguments)
        try:
            return await self._timeout.run(
                lambda: call(self.inner, operation, arguments),
                name=operation.name,
                blocking=self.blocking,
                seconds=seconds,
            )
        except TimedOut as error:
            error.part = error.part or self.inner.part
            raise

    async def _close(self) -> None:
        try:
            await super()._close()
        finally:
            self._timeout.close()
