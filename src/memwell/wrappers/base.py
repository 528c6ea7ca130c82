"""What wrappers share: a part around another part of the same port.

A wrapper forwards every operation of its port to the part inside, through one method: `_call(operation, arguments)`.
Override that method to act on all operations, or a hook to change a single one. The forwarding hooks are made from the
port's declarations (`Port.operations`), so that a new operation is never forgotten::

    class Loud(Wrapper):
        def __new__(cls, part: P) -> P:
            return cls._wrap(part)

        async def _call(self, operation, arguments):
            print(operation.name, operation.effect)
            return await super()._call(operation, arguments)

`_wrap` makes a wrapper for whichever port the part has: `Loud(store)` is a `Store`, `Loud(log)` a `Log`. A wrapper of
one port derives from it: `class CachedStore(StoreWrapper)`. In an overridden hook, `super()` forwards:
`await super()._get(scope, ids, now)`.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Final, Literal, TypeVar

from memwell.capabilities import Capabilities, IndexCapabilities
from memwell.errors import ConfigError, MemwellError
from memwell.ports import (
    Declaration,
    Embedder,
    KeyValue,
    Log,
    Metric,
    Port,
    Reranker,
    Store,
    VectorIndex,
    call,
)

__all__ = [
    "EmbedderWrapper",
    "KeyValueWrapper",
    "LogWrapper",
    "RerankerWrapper",
    "StoreWrapper",
    "VectorIndexWrapper",
    "Wrapper",
    "close_all",
    "require_same_mode",
]

P = TypeVar("P", bound=Port)


class Wrapper(Port):
    """A part around another. Closing it closes the part inside."""

    inner: Any

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for hook, operation in cls.operations.items():
            home = next((base for base in cls.__mro__ if hook in vars(base)), Wrapper)
            if not issubclass(home, Wrapper):
                setattr(cls, hook, _forwarding(operation))

    @classmethod
    def _wrap(cls, part: Port) -> Any:
        """A wrapper of this class that is an instance of the part's port."""
        for port in _AROUND:
            if isinstance(part, port):
                wrapper = object.__new__(_joined(cls, port))
                wrapper.inner = part
                return wrapper
        raise ConfigError(
            f"{part!r:.100} is none of the ports: Store, VectorIndex, Embedder, Reranker, KeyValue, Log",
            part=cls.part,
        )

    @property
    def blocking(self) -> bool:  # type: ignore[override]
        """As the part inside."""
        return bool(self.inner.blocking)

    @property
    def proof(self) -> Literal["service", "wire", "none"]:  # type: ignore[override]
        """That of the part inside."""
        proof: Literal["service", "wire", "none"] = self.inner.proof
        return proof

    async def _call(self, operation: Declaration, arguments: tuple[Any, ...]) -> Any:
        return await call(self.inner, operation, arguments)

    async def _close(self) -> None:
        await self.inner.close()

    def _translate(self, error: Exception, operation: str) -> MemwellError:
        translated: MemwellError = self.inner._translate(error, operation)
        return translated


def _forwarding(operation: Declaration) -> Any:
    async def hook(self: Any, *arguments: Any) -> Any:
        return await self._call(operation, arguments)

    hook.__name__ = operation.hook
    return hook


class StoreWrapper(Wrapper, Store):
    """A store around a store."""

    @property
    def capabilities(self) -> Capabilities:
        """Those of the store inside."""
        found: Capabilities = self.inner.capabilities
        return found

    @property
    def remote(self) -> bool:  # type: ignore[override]
        """As the store inside."""
        return bool(self.inner.remote)

    def shares(self, log: Log) -> bool:
        """As the store inside."""
        return bool(self.inner.shares(log))


class VectorIndexWrapper(Wrapper, VectorIndex):
    """A vector index around a vector index."""

    @property
    def dimension(self) -> int:  # type: ignore[override]
        """That of the index inside."""
        return int(self.inner.dimension)

    @property
    def metric(self) -> Metric:  # type: ignore[override]
        """That of the index inside."""
        metric: Metric = self.inner.metric
        return metric

    @property
    def capabilities(self) -> IndexCapabilities:  # type: ignore[override]
        """Those of the index inside."""
        found: IndexCapabilities = self.inner.capabilities
        return found

    @property
    def residue(self) -> str:  # type: ignore[override]
        """That of the index inside."""
        return str(self.inner.residue)

    @property
    def identity(self) -> str | None:  # type: ignore[override]
        """That of the index inside."""
        identity: str | None = self.inner.identity
        return identity


class EmbedderWrapper(Wrapper, Embedder):
    """An embedder around an embedder."""

    @property
    def model(self) -> str:  # type: ignore[override]
        """That of the embedder inside."""
        return str(self.inner.model)

    @property
    def dimension(self) -> int | None:  # type: ignore[override]
        """That of the embedder inside."""
        dimension: int | None = self.inner.dimension
        return dimension

    @property
    def window(self) -> int | None:  # type: ignore[override]
        """That of the embedder inside."""
        window: int | None = self.inner.window
        return window

    @property
    def symmetric(self) -> bool:  # type: ignore[override]
        """That of the embedder inside."""
        symmetric: bool = self.inner.symmetric
        return symmetric

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Those of the embedder inside."""
        spans: list[tuple[int, int]] = self.inner.spans(text)
        return spans


class RerankerWrapper(Wrapper, Reranker):
    """A reranker around a reranker."""

    @property
    def model(self) -> str:  # type: ignore[override]
        """That of the reranker inside."""
        return str(self.inner.model)

    @property
    def candidates(self) -> int:  # type: ignore[override]
        """That of the reranker inside."""
        return int(self.inner.candidates)

    @property
    def timeout(self) -> float:  # type: ignore[override]
        """That of the reranker inside."""
        return float(self.inner.timeout)

    @property
    def weight(self) -> float:  # type: ignore[override]
        """That of the reranker inside."""
        return float(self.inner.weight)


class KeyValueWrapper(Wrapper, KeyValue):
    """A key-value part around a key-value part."""


class LogWrapper(Wrapper, Log):
    """A log around a log."""


_AROUND: Final[dict[type[Port], type[Wrapper]]] = {
    Store: StoreWrapper,
    VectorIndex: VectorIndexWrapper,
    Embedder: EmbedderWrapper,
    Reranker: RerankerWrapper,
    KeyValue: KeyValueWrapper,
    Log: LogWrapper,
}


@functools.cache
def _joined(wrapper: type[Wrapper], port: type[Port]) -> type[Any]:
    return type(f"{wrapper.__name__}{port.__name__}", (wrapper, _AROUND[port]), {"__doc__": wrapper.__doc__})


def require_same_mode(parts: Sequence[Port], *, part: str) -> bool:
    """Whether all the parts of one wrapper are blocking. Raises `ConfigError` when only some are."""
    modes = {each.blocking for each in parts}
    if len(modes) > 1:
        raise ConfigError(
            "some of these parts block and some do not; wrap the blocking ones in"
            " memwell.wrappers.threaded.threaded(...)",
            part=part,
        )
    return modes.pop()


async def close_all(parts: Sequence[Port]) -> None:
    """Close every part, even if one fails; the first failure is raised then."""
    failures: list[MemwellError] = []
    for part in parts:
        try:
            await part.close()
        except MemwellError as error:
            failures.append(error)
    if failures:
        raise failures[0]
