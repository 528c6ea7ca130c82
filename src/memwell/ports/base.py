"""What the five ports share: a name, a life cycle, health, and one way to report failure."""

from __future__ import annotations

import functools
from abc import ABC
from collections.abc import Awaitable, Callable
from typing import ClassVar, Concatenate, Literal, ParamSpec, Self, TypeVar

from memwell.errors import BackendError, Closed, MemwellError, NotSupported

__all__ = ["Port", "guarded", "unsupported"]

P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S", bound="Port")


def guarded(
    method: Callable[Concatenate[S, P], Awaitable[T]],
) -> Callable[Concatenate[S, P], Awaitable[T]]:
    """Make a public port method raise `Closed` after close and only `MemwellError`s of this part otherwise."""
    name = method.__name__

    @functools.wraps(method)
    async def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        if self.closed:
            raise Closed(f"{self.part} was closed; open it again to use it", part=self.part, operation=name)
        try:
            return await method(self, *args, **kwargs)
        except MemwellError:
            raise
        except Exception as error:
            raise self._translate(error, name) from error

    return call


class Port(ABC):  # noqa: B024  its hooks have defaults
    """What all parts share: a name, a life cycle, health, and one way to report failure."""

    part: ClassVar[str] = "part"
    """Short name of the adapter, used in errors and health."""
    proof: Literal["service", "wire"] = "service"
    """How the shipped suites are run over the adapter: against the real service or library, or against a loopback
    server that speaks its documented protocol."""
    blocking: bool = False
    """True when no coroutine of this part ever suspends."""
    closed: bool = False

    @guarded
    async def ping(self) -> None:
        """Return when the part can serve; raise what is wrong otherwise."""
        await self._ping()

    async def close(self) -> None:
        """Release what the part opened itself; a client handed in stays open. Twice is fine."""
        if not self.closed:
            self.closed = True
            try:
                await self._close()
            except MemwellError:
                raise
            except Exception as error:
                raise self._translate(error, "close") from error

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _ping(self) -> None:
        return None

    async def _close(self) -> None:
        return None

    def _translate(self, error: Exception, operation: str) -> MemwellError:
        """Map a native error to ours. Adapters override this with their one table and fall back to it."""
        return BackendError(f"{type(error).__name__}: {error}", part=self.part, operation=operation)


def unsupported(part: str, capability: str, remedy: str) -> NotSupported:
    """The one form of a declined promise."""
    return NotSupported(f"{part} does not promise `{capability}`: {remedy}", part=part)
