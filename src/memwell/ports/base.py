"""What all ports share: a name, a life cycle, health, and one way to report failure."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from memwell.errors import BackendError, MemwellError, NotSupported
from memwell.masking import hide
from memwell.ports.declaration import Declaration, Effect, adopt, collect, operation, translated

__all__ = ["Port", "unsupported"]


class Port(ABC):  # noqa: B024  its hooks have defaults
    """What all parts share: a name, a life cycle, health, and one way to report failure."""

    operations: ClassVar[Mapping[str, Declaration]] = {}
    """What can be done with a part, by the name of the hook."""
    part: ClassVar[str] = "part"
    """Short name of the adapter, used in errors and health."""
    proof: Literal["service", "wire", "none"] = "service"
    """How the shipped suites are run over the adapter: against the real service or library, or against a loopback
    server that speaks its documented protocol, or not at all."""
    blocking: bool = False
    """True when no coroutine of this part ever suspends."""
    adapts: ClassVar[bool] = False
    """Whether `blocking` may be set, before the first call: the part then waits in the calling thread, and needs no
    event loop."""
    unanchored: ClassVar[frozenset[str]] = frozenset()
    """Hooks that worker threads may call: they await `memwell._workers.on_loop` for what needs the event loop, and
    compute where they are called."""
    closed: bool = False
    secrets: tuple[str, ...] = ()
    """Parts of the URL that it was opened by, which no error may show (see `masking.hide`)."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if Port in cls.__bases__:
            adopt(cls)
        cls.operations = collect(cls)

    @operation(Effect.READS)
    async def ping(self) -> None:
        """Return when the part can serve; raise what is wrong otherwise."""
        await self._ping()

    async def close(self) -> None:
        """Release what the part opened itself; a client that was passed to it stays open. Twice is fine."""
        if not self.closed:
            self.closed = True
            try:
                await self._close()
            except MemwellError as error:
                hide(error, self.secrets)
                raise
            except Exception as error:
                raise translated(self, error, "close") from error

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


Port.operations = collect(Port)


def unsupported(part: str, capability: str, remedy: str) -> NotSupported:
    """The error of a part that does not have a capability; the remedy says what to do instead."""
    return NotSupported(f"{part} does not support `{capability}`: {remedy}", part=part)
