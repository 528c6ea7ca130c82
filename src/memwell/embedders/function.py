"""Turns functions, LangChain objects and sentence-transformers models into embedders."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias

from memwell._bridge import is_async
from memwell._dataclasses import dataclass
from memwell.errors import ConfigError, EmbeddingError, MemwellError
from memwell.ports import Embedder
from memwell.resilience.calls import reject_awaitable

__all__ = ["FunctionEmbedder", "as_embedder"]

Kind: TypeAlias = Literal["document", "query"]

_NAMES = ("model", "model_name", "model_id", "deployment", "deployment_name", "name_or_path")
_SIZES = ("dimension", "dimensions", "embedding_dimension", "embedding_size", "dim")
_METHODS = ("get_embedding_dimension", "get_sentence_embedding_dimension")
_PROBE = "dimension"


@dataclass(frozen=True, slots=True)
class _Calls:
    """The callables that embed documents and queries."""

    document: Callable[..., Any]
    query: Callable[..., Any]
    single: bool = False
    """Whether `query` takes one text instead of a list."""
    kind: bool = False
    """Whether both take `kind=`."""


class FunctionEmbedder(Embedder):
    """Adapter for a function or object of your own. Create it with `as_embedder`.

    A synchronous one is `blocking`: `AsyncMemory` runs it in a thread. If the dimension is not given, it is learnt
    from the first vectors; `prepare` embeds one word for that.
    """

    part = "function"

    def __init__(
        self, calls: _Calls, *, model: str, dimension: int | None, window: int | None, blocking: bool
    ) -> None:
        self._calls = calls
        self.dimension = dimension
        self.model = model
        self.window = window
        self.blocking = blocking

    async def _prepare(self) -> None:
        if self.dimension is None:
            await self._embed([_PROBE], "document")

    async def _embed(self, texts: Sequence[str], kind: Kind) -> Any:
        given, options = [*texts], {"kind": kind} if self._calls.kind else {}
        if kind == "query" and self._calls.single:
            raw: Any = [await self._result(self._calls.query(text, **options)) for text in given]
        else:
            call = self._calls.query if kind == "query" else self._calls.document
            raw = await self._result(call(given, **options))
        if self.dimension is None:
            self._learn(raw)
        return raw

    async def _result(self, answer: Any) -> Any:
        if self.blocking:
            return reject_awaitable(answer, self.model)
        return await answer if inspect.isawaitable(answer) else answer

    def _learn(self, raw: Any) -> None:
        import numpy as np

        try:
            shape = np.asarray(raw, dtype=np.float32).shape
        except (TypeError, ValueError) as error:
            raise EmbeddingError(
                f"{self.model} did not return rows of numbers: {error}", part=self.part
            ) from error
        if len(shape) != 2 or not shape[1]:
            raise EmbeddingError(
                f"{self.model} returned an array of shape {shape}; expected one vector per text",
                part=self.part,
            )
        self.dimension = shape[1]

    def _translate(self, error: Exception, operation: str) -> MemwellError:
        return EmbeddingError(
            f"{self.model} failed: {type(error).__name__}: {error}", part=self.part, operation=operation
        )


def as_embedder(
    given: object, *, model: str | None = None, dimension: int | None = None, window: int | None = None
) -> Embedder:
    """An `Embedder` from a callable or an object. An `Embedder` is returned as it is.

    Accepted are

    - a callable `f(texts)`, synchronous or `async`, that returns one vector per text; if it has a parameter `kind`, it
      receives `"document"` or `"query"`;
    - an object with `.embed_documents(texts)` and `.embed_query(text)`, as in LangChain;
    - an object with `.encode(texts)`, as in sentence-transformers, and optionally `.encode_document` and
      `.encode_query`;
    - an object with `.embed(texts)`.

    `model` is the name under which the vectors are stored. By default it comes from the object (`model`, `model_name`,
    …), or else from its qualified name; pass it if two functions with different vectors have the same name. Raises
    `ConfigError` for any other object.
    """
    if isinstance(given, Embedder):
        return given
    calls = _calls(given)
    return FunctionEmbedder(
        calls,
        model=model or _model(given),
        dimension=dimension or _dimension(given),
        window=window or _number(given, ("max_seq_length", "window")),
        blocking=not (is_async(calls.document) or is_async(calls.query)),
    )


def _calls(given: object) -> _Calls:
    documents, query = _method(given, "embed_documents"), _method(given, "embed_query")
    if documents and query:
        return _Calls(documents, query, single=True)
    encode = _method(given, "encode")
    if encode:
        document = _method(given, "encode_document") or encode
        return _Calls(document, _method(given, "encode_query") or encode)
    call = _method(given, "embed") or (given if callable(given) and not isinstance(given, type) else None)
    if call:
        return _Calls(call, call, kind=_takes_kind(call))
    raise ConfigError(
        f"{given!r:.200} is not an embedder: pass a name such as 'local', an Embedder, a function from texts to "
        "vectors, or an object with embed_documents and embed_query, encode, or embed",
        part="function",
    )


def _method(given: object, name: str) -> Callable[..., Any] | None:
    if isinstance(given, type | str):  # strings have a method `encode` as well
        return None
    found = getattr(given, name, None)
    return found if callable(found) else None


def _takes_kind(call: Callable[..., Any]) -> bool:
    try:
        parameter = inspect.signature(call).parameters.get("kind")
    except (TypeError, ValueError):
        return False
    return parameter is not None and parameter.kind is not parameter.POSITIONAL_ONLY


def _model(given: object) -> str:
    """A name that is the same in every run. It includes the length of shortened vectors."""
    for holder in (given, getattr(given, "tokenizer", None)):
        for name in _NAMES:
            found = getattr(holder, name, None)
            if isinstance(found, str) and found:
                size = _number(given, ("dimensions",))
                return f"{found}@{size}" if size else found
    named = given if hasattr(given, "__qualname__") else type(given)
    return f"{named.__module__}.{getattr(named, '__qualname__', '')}"


def _dimension(given: object) -> int | None:
    size = _number(given, _SIZES)
    for name in _METHODS:
        method = _method(given, name)
        if size is None and method is not None:
            found = method()
            size = found if isinstance(found, int) and found > 0 else None
    return size


def _number(given: object, names: Sequence[str]) -> int | None:
    for name in names:
        found = getattr(given, name, None)
        if isinstance(found, int) and not isinstance(found, bool) and found > 0:
            return found
    return None
