"""What wrappers share: a part around another of the same port, whose hooks pass through one method.

`Wrapper` tells of itself what the part inside tells, and passes every call on by `_call(hook, arguments)`; a wrapper
overrides that, or the hooks that it changes. A wrapper for any of the five ports is made by `_wrap`::

    class Loud(Wrapper):
        def __new__(cls, part: P) -> P:
            return cls._wrap(part)

        async def _call(self, hook, arguments):
            print(hook)
            return await super()._call(hook, arguments)

`Loud(store)` is then a `Store`, and `Loud(log)` a `Log`. One that is made for a single port derives from it:
`class CachedStore(StoreWrapper)`.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Final, Literal, TypeVar

from memwell.capabilities import Capabilities, IndexCapabilities
from memwell.errors import Closed, ConfigError, MemwellError
from memwell.ports import (
    Embedder,
    KeyValue,
    Log,
    Metric,
    Port,
    Store,
    VectorIndex,
    Vectors,
    guarded,
)

__all__ = [
    "WRITES",
    "EmbedderWrapper",
    "KeyValueWrapper",
    "LogWrapper",
    "StoreWrapper",
    "VectorIndexWrapper",
    "Wrapper",
    "call",
    "close_all",
    "require_same_mode",
]

P = TypeVar("P", bound=Port)

WRITES: Final = frozenset(
    {
        *("_write", "_sweep", "_check", "_claim", "_advance", "_serve", "_drop_model"),
        *("_upsert", "_delete", "_clear"),
        *("_set_many", "_add", "_replace", "_increment"),
        *("_append", "_trim"),
    }
)
"""Hooks that change what is stored."""


async def call(part: Port, hook: str, arguments: Sequence[Any]) -> Any:
    """Call a hook of a part as its public method would, arguments already checked: its errors are memwell's."""
    operation = hook.lstrip("_")
    if part.closed:
        raise Closed(f"{part.part} was closed; open it again to use it", part=part.part, operation=operation)
    try:
        return await getattr(part, hook)(*arguments)
    except MemwellError:
        raise
    except Exception as error:
        raise part._translate(error, operation) from error


class Wrapper(Port):
    """A part around another. Closing it closes the part inside."""

    inner: Any

    @classmethod
    def _wrap(cls, part: Port) -> Any:
        """A wrapper of this class that is an instance of the part's port."""
        for port in _AROUND:
            if isinstance(part, port):
                wrapper = object.__new__(_joined(cls, port))
                wrapper.inner = part
                return wrapper
        raise ConfigError(f"{part!r:.100} is none of the five ports", part=cls.part)

    @property
    def blocking(self) -> bool:  # type: ignore[override]
        """As the part inside."""
        return bool(self.inner.blocking)

    @property
    def proof(self) -> Literal["service", "wire"]:  # type: ignore[override]
        """That of the part inside."""
        proof: Literal["service", "wire"] = self.inner.proof
        return proof

    async def _call(self, hook: str, arguments: tuple[Any, ...]) -> Any:
        return await call(self.inner, hook, arguments)

    async def _ping(self) -> None:
        await self._call("_ping", ())

    async def _close(self) -> None:
        await self.inner.close()

    def _translate(self, error: Exception, operation: str) -> MemwellError:
        translated: MemwellError = self.inner._translate(error, operation)
        return translated


def _passed_through(hook: str) -> Any:
    async def call(self: Any, *arguments: Any) -> Any:
        return await self._call(hook, arguments)

    call.__name__ = hook
    return call


class StoreWrapper(Wrapper, Store):
    """A store around a store."""

    @property
    def capabilities(self) -> Capabilities:
        """Those of the store inside."""
        found: Capabilities = self.inner.capabilities
        return found

    _write = _passed_through("_write")
    _get = _passed_through("_get")
    _scan = _passed_through("_scan")
    _count = _passed_through("_count")
    _duplicates = _passed_through("_duplicates")
    _actors = _passed_through("_actors")
    _search = _passed_through("_search")
    _history = _passed_through("_history")
    _links = _passed_through("_links")
    _embeddings = _passed_through("_embeddings")
    _unembedded = _passed_through("_unembedded")
    _embedded = _passed_through("_embedded")
    _position = _passed_through("_position")
    _changes = _passed_through("_changes")
    _claim = _passed_through("_claim")
    _advance = _passed_through("_advance")
    _embedding_models = _passed_through("_embedding_models")
    _serving = _passed_through("_serving")
    _serve = _passed_through("_serve")
    _drop_model = _passed_through("_drop_model")
    _sweep = _passed_through("_sweep")
    _stats = _passed_through("_stats")
    _check = _passed_through("_check")


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
    def identity(self) -> str | None:  # type: ignore[override]
        """That of the index inside."""
        identity: str | None = self.inner.identity
        return identity

    _upsert = _passed_through("_upsert")
    _delete = _passed_through("_delete")
    _search = _passed_through("_search")
    _ids = _passed_through("_ids")
    _vectors = _passed_through("_vectors")
    _count = _passed_through("_count")
    _clear = _passed_through("_clear")


class EmbedderWrapper(Wrapper, Embedder):
    """An embedder around an embedder."""

    @property
    def model(self) -> str:  # type: ignore[override]
        """That of the embedder inside."""
        return str(self.inner.model)

    @property
    def dimension(self) -> int:  # type: ignore[override]
        """That of the embedder inside."""
        return int(self.inner.dimension)

    @property
    def window(self) -> int | None:  # type: ignore[override]
        """That of the embedder inside."""
        window: int | None = self.inner.window
        return window

    @property
    def symmetric(self) -> bool:
        """That of the embedder inside; `False` where it does not say."""
        return bool(getattr(self.inner, "symmetric", False))

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Those of the embedder inside."""
        spans: list[tuple[int, int]] = self.inner.spans(text)
        return spans

    @guarded
    async def embed(
        self, texts: Sequence[str], *, kind: Literal["document", "query"] = "document"
    ) -> Vectors:
        """As the port promises."""
        if texts:
            return await super().embed(texts, kind=kind)
        empty: Vectors = await self._call("embed", (texts,))  # it may have to find out its dimension
        return empty

    _embed = _passed_through("_embed")


class KeyValueWrapper(Wrapper, KeyValue):
    """A key-value part around a key-value part."""

    _get_many = _passed_through("_get_many")
    _set_many = _passed_through("_set_many")
    _add = _passed_through("_add")
    _replace = _passed_through("_replace")
    _increment = _passed_through("_increment")
    _delete = _passed_through("_delete")


class LogWrapper(Wrapper, Log):
    """A log around a log."""

    _append = _passed_through("_append")
    _read = _passed_through("_read")
    _trim = _passed_through("_trim")


_AROUND: Final[dict[type[Port], type[Wrapper]]] = {
    Store: StoreWrapper,
    VectorIndex: VectorIndexWrapper,
    Embedder: EmbedderWrapper,
    KeyValue: KeyValueWrapper,
    Log: LogWrapper,
}


@functools.cache
def _joined(wrapper: type[Wrapper], port: type[Port]) -> type[Any]:
    return type(f"{wrapper.__name__}{port.__name__}", (wrapper, _AROUND[port]), {"__doc__": wrapper.__doc__})


def require_same_mode(parts: Sequence[Port], *, part: str) -> bool:
    """Whether all the parts of one wrapper are blocking. Raises `ConfigError` when only some are."""
    gears = {each.blocking for each in parts}
    if len(gears) > 1:
        raise ConfigError(
            "some of these parts block and some do not; put the blocking ones into"
            " memwell.wrappers.threaded.threaded(...)",
            part=part,
        )
    return gears.pop()


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
