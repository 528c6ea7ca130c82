"""Helpful errors for wrong keyword arguments: the one that was probably meant, and the valid ones."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final, TypeVar

__all__ = ["explain", "explain_keywords"]

T = TypeVar("T")

_SYNONYMS: Final[Mapping[str, str]] = {
    "k": "limit",
    "n": "limit",
    "n_results": "limit",
    "top_k": "limit",
    "topk": "limit",
    "max_results": "limit",
    "count": "limit",
    "filter": "where",
    "filters": "where",
    "question": "query",
    "search": "query",
    "search_type": "mode",
    "text": "content",
    "memory": "content",
    "messages": "content",
    "data": "content",
    "user": "user_id",
    "agent": "agent_id",
    "run_id": "session_id",
    "session": "session_id",
    "conversation_id": "session_id",
    "thread_id": "session_id",
    "tenant": "tenant_id",
    "tag": "tags",
    "type": "kind",
    "expires": "expires_at",
    "expiration_date": "expires_at",
    "timestamp": "created_at",
    "date": "created_at",
    "memory_id": "id",
    "memory_ids": "ids",
    "all": "everything",
    "version": "expected_version",
    "max_tokens": "token_budget",
    "order_by": "order",
    "reverse": "descending",
    "file": "path",
    "filename": "path",
    "batch_size": "batch",
    "store": "url",
    "path": "url",
    "database": "url",
    "model": "embedder",
    "embedding": "embedder",
    "embeddings": "embedder",
    "vector_store": "index",
}
"""What others call an argument → what it is called here."""


def explain_keywords(cls: type[T]) -> type[T]:
    """A class decorator: for a wrong keyword, public methods and the constructor raise a `TypeError` that names the
    right one. Coroutine methods raise it when they are called.
    """
    for name, method in list(vars(cls).items()):
        if inspect.isfunction(method) and (name == "__init__" or not name.startswith("_")):
            setattr(cls, name, _checked(method))
    return cls


def _checked(method: Callable[..., Any]) -> Callable[..., Any]:
    """The method, looked at only when Python has refused its arguments, so that a right call costs nothing more."""
    if hasattr(method, "explains"):
        return method

    @functools.wraps(method)
    def call(self: object, /, *arguments: Any, **given: Any) -> Any:
        try:
            return method(self, *arguments, **given)
        except TypeError as error:
            explain(self, method, given, error)
            raise

    return call


def explain(part: object, method: Callable[..., Any], given: Mapping[str, Any], error: TypeError) -> None:
    """Raise a `TypeError` that names the right keyword, if one of those given to the method is wrong."""
    known = tuple(inspect.signature(method).parameters)[1:]
    if not given.keys() <= set(known):
        name = type(part).__name__
        name += "" if method.__name__ == "__init__" else f".{method.__name__}"
        raise TypeError(_message(name, given, known)) from error


def _message(called: str, given: Iterable[str], known: Collection[str]) -> str:
    wrong = [f"{name!r}{_suggestion(name, known)}" for name in given if name not in known]
    plural = "s" if len(wrong) > 1 else ""
    valid = f"valid keywords: {', '.join(known)}" if known else "it takes no arguments"
    return f"{called}() got unexpected keyword argument{plural} {', '.join(wrong)}; {valid}"


def _suggestion(name: str, known: Collection[str]) -> str:
    import difflib

    likely = _SYNONYMS.get(name.lower(), "")
    close = [likely] if likely in known else difflib.get_close_matches(name.lower(), known, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
