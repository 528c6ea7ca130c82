"""The interfaces of providers. Derive from one to plug in a service of your own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal

__all__ = [
    "CacheProvider",
    "EmbeddingProvider",
    "LLMProvider",
    "MessageQueueProvider",
    "ObservabilityProvider",
    "Status",
    "VectorStoreProvider",
]

Status = Literal["pending", "processing", "completed", "failed"]


class VectorStoreProvider(ABC):
    """Vectors under ids, with metadata."""

    @abstractmethod
    def upsert(self, *, id: str, vector: Sequence[float], metadata: Mapping[str, Any] | None = None) -> bool:
        """Add or replace a vector."""

    @abstractmethod
    def search(
        self, *, vector: Sequence[float], top_k: int = 10, filter: Mapping[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """`id`, `score` and `metadata` of the nearest vectors whose metadata pass the filter, the nearest first."""

    @abstractmethod
    def delete(self, id: str) -> bool:
        """Remove a vector; whether there was one."""

    @abstractmethod
    def get(self, id: str) -> dict[str, Any] | None:
        """`id`, `vector` and `metadata`; `None` if there is none."""

    @abstractmethod
    def health_check(self) -> bool:
        """Whether it answers."""


class CacheProvider(ABC):
    """Values under keys, with expiry."""

    @abstractmethod
    def get(self, key: str) -> Any:
        """The value; `None` if there is none."""

    @abstractmethod
    def set(self, key: str, value: Any, ttl: float | None = None) -> bool:
        """Store a value, for `ttl` seconds or for good."""

    @abstractmethod
    def delete(self, key: str) -> bool:
        """Remove a value; whether there was one."""

    @abstractmethod
    def increment(self, key: str, amount: int = 1) -> int:
        """Add to a counter, which begins at 0, and return its new value."""

    @abstractmethod
    def exists(self, key: str) -> bool:
        """Whether there is a value."""

    @abstractmethod
    def health_check(self) -> bool:
        """Whether it answers."""


class LLMProvider(ABC):
    """A language model."""

    @abstractmethod
    def complete(self, *, prompt: str, max_tokens: int = 100, temperature: float = 0.7) -> str:
        """What the model says to a prompt."""

    @abstractmethod
    def chat(
        self, *, messages: Sequence[Mapping[str, str]], max_tokens: int = 100, temperature: float = 0.7
    ) -> str:
        """What the model says to a conversation: messages with `role` and `content`."""

    @abstractmethod
    def health_check(self) -> bool:
        """Whether it answers."""


class EmbeddingProvider(ABC):
    """A model that turns texts into vectors."""

    @abstractmethod
    def embed(self, text: str) -> list[float]:
        """The vector of a text."""

    @abstractmethod
    def embed_batch(self, texts: Sequence[str]) -> list[list[float]]:
        """The vectors of several texts."""

    @property
    @abstractmethod
    def dimension(self) -> int:
        """The length of the vectors."""


class ObservabilityProvider(ABC):
    """Where traces, errors and metrics go."""

    @abstractmethod
    def trace_span(
        self, *, name: str, attributes: Mapping[str, Any] | None = None
    ) -> AbstractContextManager[Any]:
        """A context that is a span. An error in it is recorded, and raised."""

    @abstractmethod
    def record_error(self, *, error: BaseException, context: Mapping[str, Any] | None = None) -> None:
        """Record an error."""

    @abstractmethod
    def record_metric(self, *, name: str, value: float, tags: Mapping[str, str] | None = None) -> None:
        """Record a value of a metric."""


class MessageQueueProvider(ABC):
    """Tasks for workers."""

    @abstractmethod
    def enqueue(self, *, task: str, payload: Mapping[str, Any], delay: float | None = None) -> str:
        """Hand over a task, to be delivered after `delay` seconds, and return its id."""

    @abstractmethod
    def dequeue(self, timeout: float | None = None) -> tuple[str, Any] | None:
        """The next task and its payload; `None` if there is none within `timeout` seconds."""

    @abstractmethod
    def get_status(self, id: str) -> Status | None:
        """`pending`, `processing`, `completed` or `failed`; `None` if it is not known."""
