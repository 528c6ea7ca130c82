"""The interfaces of adapters. Implement one to bring your own: `MemoryAPI(adapters={"redis": MyAdapter()})`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeAlias

__all__ = ["BaseMemoryAdapter", "ContextAdapter", "EmbeddingAdapter", "HistoryAdapter", "Json"]

Json: TypeAlias = dict[str, Any]


class BaseMemoryAdapter(ABC):
    """What all adapters share. Errors are those of `memwell.errors`."""

    name: str = "adapter"
    """How logs call it."""

    @abstractmethod
    def connect(self) -> None:
        """Return when the adapter can serve; raise what is wrong otherwise. Can be called again."""

    @abstractmethod
    def disconnect(self) -> None:
        """Release what was opened. Twice is fine; the next call opens it again."""

    @abstractmethod
    def health(self) -> Json:
        """Facts about a backend that can serve; raises what is wrong otherwise."""

    @abstractmethod
    def stats(self) -> Json:
        """Numbers for monitoring."""


class ContextAdapter(BaseMemoryAdapter):
    """Contexts, their events, and locks."""

    @abstractmethod
    def set_context(self, context_id: str, context_data: Mapping[str, Any], ttl: float | None) -> None:
        """Set the data of a context, and its expiry in seconds. Its events stay."""

    @abstractmethod
    def get_context(self, context_id: str) -> Json | None:
        """`{data, created_at, context_id}`; `None` if there is none, or it has expired."""

    @abstractmethod
    def append_event(self, context_id: str, event: Mapping[str, Any]) -> None:
        """Append an event. The expiry of the context stays; a context that is not there begins."""

    @abstractmethod
    def get_events(self, context_id: str) -> list[Json]:
        """`{event, timestamp, event_id}` of each event, the oldest first."""

    @abstractmethod
    def clear_context(self, context_id: str) -> bool:
        """Remove a context and its events; whether it was there."""

    @abstractmethod
    def get_context_keys(self) -> list[str]:
        """The ids of all contexts, sorted."""

    @abstractmethod
    def acquire_lock(
        self, lock_name: str, timeout: float, blocking_timeout: float | None
    ) -> AbstractContextManager[Any]:
        """A lock that lasts `timeout` seconds; entering waits up to `blocking_timeout` seconds."""


class HistoryAdapter(BaseMemoryAdapter):
    """Flow runs, task outputs and the audit log."""

    @abstractmethod
    def write_flow_run_history(self, flow_id: str, run_id: str, data: Mapping[str, Any]) -> None:
        """Add an entry to the history of a flow."""

    @abstractmethod
    def read_flow_run_history(self, flow_id: str, run_id: str | None, limit: int) -> list[Json]:
        """`{flow_id, run_id, data, created_at, updated_at}` of the newest entries, the newest first."""

    @abstractmethod
    def write_task_output(
        self, task_id: str, output: Mapping[str, Any], metadata: Mapping[str, Any] | None
    ) -> None:
        """Set the output of a task; replaces an earlier one."""

    @abstractmethod
    def read_task_output(self, task_id: str) -> Json | None:
        """`{task_id, output, metadata, created_at, updated_at}`; `None` if there is none."""

    @abstractmethod
    def write_audit_entry(
        self, entity_type: str, entity_id: str, action: str, data: Mapping[str, Any]
    ) -> None:
        """Append an entry to the audit log."""

    @abstractmethod
    def read_audit_log(self, entity_type: str | None, entity_id: str | None, limit: int) -> list[Json]:
        """`{entity_type, entity_id, action, data, created_at}` of the newest entries, the newest first."""


class EmbeddingAdapter(BaseMemoryAdapter):
    """Embeddings with metadata."""

    @abstractmethod
    def index_embedding(
        self, id: str, embedding: Sequence[float], metadata: Mapping[str, Any] | None
    ) -> None:
        """Add an embedding, or replace the one of this id."""

    @abstractmethod
    def query_embeddings(
        self, query_embedding: Sequence[float], top_k: int, filter_metadata: Mapping[str, Any] | None
    ) -> list[Json]:
        """`{id, score, metadata}` of the nearest, the nearest first. Their metadata has every key of the filter with an
        equal value."""

    @abstractmethod
    def delete_embedding(self, id: str) -> bool:
        """Remove an embedding; whether it was there."""
