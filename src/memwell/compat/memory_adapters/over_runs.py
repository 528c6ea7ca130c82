"""Contexts over `memwell.runs`: what the adapters of Redis and of this process share, and the embedded adapter."""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from memwell import _bridge
from memwell._forks import ForkSafeLock
from memwell.compat.memory_adapters.base import ContextAdapter, HistoryAdapter, Json
from memwell.compat.memory_adapters.shapes import context_shape, event_shape, output_shape, run_shape
from memwell.coordination.locks import lock_sync
from memwell.ports import KeyValue, Log
from memwell.registry import open_keyvalue, open_log
from memwell.runs import Runs
from memwell.runs.contexts import pages
from memwell.runs.values import checked_id, checked_limit, decoded, document, encoded
from memwell.urls import of_file

__all__ = ["EmbeddedMemoryAdapter", "Opened", "RunsAdapter", "close"]

_AUDIT = "audit"


class Opened(NamedTuple):
    """The parts of an adapter, while it is open."""

    keyvalue: Any
    log: Log
    runs: Runs

    @classmethod
    def of(cls, keyvalue: KeyValue, log: Log) -> Opened:
        """With the `Runs` over them."""
        return cls(keyvalue, log, Runs(keyvalue=keyvalue, log=log))


def close(part: KeyValue | Log) -> None:
    """Close a part from synchronous code."""
    _bridge.complete(part.close(), blocking=part.blocking)


class RunsAdapter(ContextAdapter):
    """Contexts, events and locks over a key-value and a log, opened at the first use."""

    def __init__(self) -> None:
        self._guard = ForkSafeLock()
        self._opened: Opened | None = None

    @abstractmethod
    def _open(self) -> Opened:
        """Make the parts. Nothing has to be reached yet."""

    @property
    def parts(self) -> Opened:
        """The key-value, the log and the `Runs` over them; opened if they are not."""
        with self._guard:
            if self._opened is None:
                self._opened = self._open()
            return self._opened

    def connect(self) -> None:
        """See `BaseMemoryAdapter.connect`."""
        self.parts.runs.ping()

    def disconnect(self) -> None:
        """See `BaseMemoryAdapter.disconnect`."""
        with self._guard:
            opened, self._opened = self._opened, None
        if opened is not None:
            close(opened.keyvalue)
            close(opened.log)

    def set_context(self, context_id: str, context_data: Mapping[str, Any], ttl: float | None) -> None:
        """See `ContextAdapter.set_context`."""
        self.parts.runs.set_context(context_id, context_data, ttl=ttl)

    def get_context(self, context_id: str) -> Json | None:
        """See `ContextAdapter.get_context`."""
        found = self.parts.runs.get_context(context_id)
        return None if found is None else context_shape(found)

    def append_event(self, context_id: str, event: Mapping[str, Any]) -> None:
        """See `ContextAdapter.append_event`."""
        self.parts.runs.append_event(context_id, event)

    def get_events(self, context_id: str) -> list[Json]:
        """See `ContextAdapter.get_events`."""
        return [event_shape(event) for event in self.parts.runs.get_events(context_id)]

    def clear_context(self, context_id: str) -> bool:
        """See `ContextAdapter.clear_context`."""
        return self.parts.runs.clear_context(context_id)

    def get_context_keys(self) -> list[str]:
        """See `ContextAdapter.get_context_keys`."""
        return self.parts.runs.list_contexts()

    def acquire_lock(
        self, lock_name: str, timeout: float, blocking_timeout: float | None
    ) -> AbstractContextManager[Any]:
        """See `ContextAdapter.acquire_lock`."""
        return lock_sync(self.parts.keyvalue, lock_name, ttl=timeout, wait=blocking_timeout)


class EmbeddedMemoryAdapter(RunsAdapter, HistoryAdapter):
    """Everything in the SQLite file `path`, which several processes may share; without a path in the memory of this
    process, until `disconnect`.
    """

    name = "embedded"

    def __init__(self, path: str | PathLike[str] | None = None) -> None:
        super().__init__()
        self.path = None if path is None else Path(path)

    @property
    def url(self) -> str:
        """The URL of its parts."""
        return "memory://" if self.path is None else str(of_file(self.path))

    def _open(self) -> Opened:
        return Opened.of(open_keyvalue(self.url), open_log(self.url))

    def health(self) -> Json:
        """See `BaseMemoryAdapter.health`."""
        self.connect()
        return {"backend": "memory" if self.path is None else "sqlite", "path": self.path and str(self.path)}

    def stats(self) -> Json:
        """`used_memory` is the size of the file in bytes; `None` in memory. There are no connections to count."""
        size = self.path.stat().st_size if self.path is not None and self.path.exists() else None
        return {"used_memory": size, "active_connections": None}

    def write_flow_run_history(self, flow_id: str, run_id: str, data: Mapping[str, Any]) -> None:
        """See `HistoryAdapter.write_flow_run_history`."""
        self.parts.runs.record_run(flow_id, run_id, data)

    def read_flow_run_history(self, flow_id: str, run_id: str | None, limit: int) -> list[Json]:
        """See `HistoryAdapter.read_flow_run_history`."""
        return [run_shape(run) for run in self.parts.runs.list_runs(flow_id, run_id, limit=limit)]

    def write_task_output(
        self, task_id: str, output: Mapping[str, Any], metadata: Mapping[str, Any] | None
    ) -> None:
        """See `HistoryAdapter.write_task_output`."""
        self.parts.runs.set_output(task_id, output, metadata)

    def read_task_output(self, task_id: str) -> Json | None:
        """See `HistoryAdapter.read_task_output`."""
        found = self.parts.runs.get_output(task_id)
        return None if found is None else output_shape(found)

    def write_audit_entry(
        self, entity_type: str, entity_id: str, action: str, data: Mapping[str, Any]
    ) -> None:
        """See `HistoryAdapter.write_audit_entry`."""
        entry = {
            "entity_type": checked_id("entity_type", entity_type),
            "entity_id": checked_id("entity_id", entity_id),
            "action": checked_id("action", action),
            "data": document("data of an audit entry", data),
            "created_at": datetime.now(UTC).isoformat(),
        }
        log = self.parts.log
        appended = log.append(_AUDIT, [encoded("an audit entry", entry)])
        _bridge.complete(appended, blocking=log.blocking)

    def read_audit_log(self, entity_type: str | None, entity_id: str | None, limit: int) -> list[Json]:
        """See `HistoryAdapter.read_audit_log`."""
        checked_limit(limit)
        log = self.parts.log

        async def newest() -> list[Json]:
            found: deque[Json] = deque(maxlen=limit)
            async for page in pages(log, _AUDIT):
                for entry in map(decoded, (one.data for one in page)):
                    if entity_type in (None, entry["entity_type"]) and entity_id in (
                        None,
                        entry["entity_id"],
                    ):
                        found.append(entry)
            return list(reversed(found))

        return _bridge.complete(newest(), blocking=log.blocking)
