"""Turns functions and objects into rerankers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from memwell._bridge import is_async
from memwell.errors import BackendError, ConfigError, MemwellError
from memwell.ports import Reranker
from memwell.rerankers.options import configure
from memwell.resilience.calls import reject_awaitable

__all__ = ["FunctionReranker", "as_reranker"]


class FunctionReranker(Reranker):
    """Adapter for a function or object of your own. A synchronous one runs in a thread."""

    part = "function"

    def __init__(
        self,
        call: Callable[..., Any],
        *,
        model: str | None = None,
        candidates: int = 30,
        timeout: float = 5.0,
        weight: float = 0.7,
    ) -> None:
        """`call(query, texts)` gives one number per text, and may be `async`. See `Reranker` for the rest. Raises
        `ConfigError` for anything else.
        """
        if not callable(call) or isinstance(call, type):
            raise ConfigError(
                f"{call!r:.200} is not a function from a question and texts to scores", part="function"
            )
        self._call = call
        self.model = model or str(getattr(call, "__qualname__", type(call).__qualname__))
        self.blocking = not is_async(call)
        configure(self, candidates, timeout, weight)

    async def _score(self, query: str, texts: Sequence[str]) -> Any:
        answer = self._call(query, texts)
        if self.blocking:
            return reject_awaitable(answer, self.model)
        return await answer if inspect.isawaitable(answer) else answer

    def _translate(self, error: Exception, operation: str) -> MemwellError:
        message = f"{self.model} failed: {type(error).__name__}: {error}"
        return BackendError(message, part=self.part, operation=operation)


def as_reranker(given: object) -> Reranker:
    """A `Reranker` from

    - a callable `f(query, texts)`, synchronous or `async`, that gives one number per text;
    - an object with `.score(query, texts)` or `.rerank(query, texts)`, as fastembed's cross-encoders;
    - an object with `.predict(pairs)`, as the cross-encoders of sentence-transformers.

    A `Reranker` is returned as it is. Raises `ConfigError` for any other object.
    """
    if isinstance(given, Reranker):
        return given
    name = str(getattr(given, "model_name", "") or "") or None
    if not isinstance(given, type | str):
        for method in ("score", "rerank"):
            found = getattr(given, method, None)
            if callable(found):
                return FunctionReranker(found, model=name)
        predict = getattr(given, "predict", None)
        if callable(predict):
            return FunctionReranker(
                lambda query, texts: predict([(query, text) for text in texts]), model=name
            )
        if callable(given):
            return FunctionReranker(given, model=name)
    raise ConfigError(
        f"{given!r:.200} is not a reranker: pass a name such as 'cohere:rerank-v3.5', a function from a question and"
        " texts to scores, or an object with score, rerank or predict",
        part="function",
    )
