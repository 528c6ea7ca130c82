"""`MemoryAPI`: context, events, flow runs, task outputs, embeddings, locks and an audit log behind one interface.

What is not configured is embedded: in the memory of this process, or in the SQLite file `path=`.

| role | with Redis | without Redis, with PostgreSQL | otherwise |
|---|---|---|---|
| context, events, locks | Redis | `memory_context`, `memory_events` | embedded |
| flow runs, task outputs, audit log | PostgreSQL if configured | their tables | embedded |
| embeddings | by `vector_config` | `vector_embeddings`, and the index that `vector_config` names | embedded |

*Errors.* A write returns False when the backend failed, and logs why; nothing of it is reported as stored. A read that
fails raises `memwell.errors.Unavailable` or `BackendError`, so that an outage never looks like missing data. Wrong
arguments raise `InvalidInput`, wrong configurations `ConfigError`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from os import PathLike
from typing import Any, Final, Self, cast

from memwell.compat.memory_adapters import adapter as adapters_of
from memwell.compat.memory_adapters.base import (
    BaseMemoryAdapter,
    ContextAdapter,
    EmbeddingAdapter,
    HistoryAdapter,
    Json,
)
from memwell.compat.memory_adapters.log import report
from memwell.compat.memory_adapters.over_runs import EmbeddedMemoryAdapter, RunsAdapter
from memwell.errors import BackendError, ConfigError, MemwellError, Unavailable

__all__ = ["MemoryAPI", "get_global_memory_api", "initialize_memory_api", "set_global_memory_api"]

_ROLES: Final[Mapping[str, Any]] = {
    "redis": ContextAdapter,
    "postgres": HistoryAdapter,
    "vector": EmbeddingAdapter,
}
_STATS: Final = {"redis": "used_memory", "postgres": "active_connections", "vector": "total_embeddings"}
"""What `get_memory_stats` has for each role even if its backend is down."""


class MemoryAPI:
    """See the module, and `settings` for the configurations.

    - `path`: the SQLite file for what is embedded; several processes may share it.
    - `audit`: every write that succeeded gets an entry in the audit log, with its id as `entity_id`. If that entry
      fails, an error is logged.
    - `adapters`: your own adapters for the roles `redis` (context), `postgres` (history) and `vector` (embeddings).

    Nothing is opened before the first use or `connect`. Safe to share between threads.
    """

    def __init__(
        self,
        redis_config: Mapping[str, Any] | None = None,
        postgres_config: Mapping[str, Any] | None = None,
        vector_config: Mapping[str, Any] | None = None,
        *,
        path: str | PathLike[str] | None = None,
        audit: bool = False,
        adapters: Mapping[str, BaseMemoryAdapter] | None = None,
    ) -> None:
        own = _checked_adapters(adapters or {})
        embedded = EmbeddedMemoryAdapter(path)
        postgres = None if postgres_config is None else adapters_of.PostgresMemoryAdapter(postgres_config)
        redis = None if redis_config is None else adapters_of.RedisMemoryAdapter(redis_config)
        self.redis_adapter = cast("ContextAdapter", own.get("redis") or redis or postgres or embedded)
        self.postgres_adapter = cast("HistoryAdapter", own.get("postgres") or postgres or embedded)
        keeper: RunsAdapter = redis or embedded
        self.vector_adapter = cast("EmbeddingAdapter", own.get("vector")) or adapters_of.VectorMemoryAdapter(
            vector_config,
            tables=None if postgres is None else postgres.tables,
            keyvalue=lambda: keeper.parts.keyvalue,
            path=None if embedded.path is None else str(embedded.path),
        )
        self._audit = audit
        self._roles: dict[str, BaseMemoryAdapter] = {
            "redis": self.redis_adapter,
            "postgres": self.postgres_adapter,
            "vector": self.vector_adapter,
        }

    def connect(self) -> bool:
        """Check every adapter; whether all can serve. What is wrong is logged, and shown by `health_check`."""
        found = [self._connected(role, part) for role, part in self._roles.items()]
        return all(found)

    def disconnect(self) -> None:
        """Release all connections. What was in the memory of this process is gone. Twice is fine."""
        for part in reversed(self._roles.values()):
            part.disconnect()

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(self, *_: object) -> None:
        self.disconnect()

    def set_context(self, context_id: str, context_data: Mapping[str, Any], ttl: float | None = None) -> bool:
        """Set the data of a context for `ttl` seconds, or for good. Its events stay."""
        return self._write(
            ("context", context_id, "set"),
            lambda: self.redis_adapter.set_context(context_id, context_data, ttl),
        )

    def get_context(self, context_id: str) -> Json | None:
        """`{data, created_at, context_id}`; `None` if there is none, or it has expired."""
        return self.redis_adapter.get_context(context_id)

    def append_event(self, context_id: str, event: Mapping[str, Any]) -> bool:
        """Append an event to a context, whose time to live does not change. One that is not there begins."""
        return self._write(
            ("context", context_id, "append_event"),
            lambda: self.redis_adapter.append_event(context_id, event),
        )

    def get_events(self, context_id: str) -> list[Json]:
        """`{event, timestamp, event_id}` of each event, the oldest first."""
        return self.redis_adapter.get_events(context_id)

    def clear_context(self, context_id: str) -> bool:
        """Remove a context and its events; whether it was there."""
        return self._write(
            ("context", context_id, "clear"), lambda: self.redis_adapter.clear_context(context_id)
        )

    def get_context_keys(self, pattern: str = "*") -> list[str]:
        """The ids of all contexts that match a pattern such as `user_*`, sorted."""
        return [key for key in self.redis_adapter.get_context_keys() if fnmatchcase(key, pattern)]

    def write_flow_run_history(self, flow_id: str, run_id: str, data: Mapping[str, Any]) -> bool:
        """Add an entry to the history of a flow."""
        return self._write(
            ("flow_run", flow_id, "write"),
            lambda: self.postgres_adapter.write_flow_run_history(flow_id, run_id, data),
        )

    def read_flow_run_history(self, flow_id: str, run_id: str | None = None, limit: int = 100) -> list[Json]:
        """`{flow_id, run_id, data, created_at, updated_at}` of the newest entries, the newest first."""
        return self.postgres_adapter.read_flow_run_history(flow_id, run_id, limit)

    def write_task_output(
        self, task_id: str, output: Mapping[str, Any], metadata: Mapping[str, Any] | None = None
    ) -> bool:
        """Set the output of a task; replaces an earlier one."""
        return self._write(
            ("task_output", task_id, "write"),
            lambda: self.postgres_adapter.write_task_output(task_id, output, metadata),
        )

    def read_task_output(self, task_id: str) -> Json | None:
        """`{task_id, output, metadata, created_at, updated_at}`; `None` if there is none."""
        return self.postgres_adapter.read_task_output(task_id)

    def write_audit_entry(
        self, entity_type: str, entity_id: str, action: str, data: Mapping[str, Any] | None = None
    ) -> bool:
        """Append an entry to the audit log."""
        return self._write(
            None, lambda: self.postgres_adapter.write_audit_entry(entity_type, entity_id, action, data or {})
        )

    def read_audit_log(
        self, entity_type: str | None = None, entity_id: str | None = None, limit: int = 100
    ) -> list[Json]:
        """`{entity_type, entity_id, action, data, created_at}` of the newest entries, the newest first."""
        return self.postgres_adapter.read_audit_log(entity_type, entity_id, limit)

    def index_embedding(
        self, id: str, embedding: Sequence[float], metadata: Mapping[str, Any] | None = None
    ) -> bool:
        """Add an embedding, or replace the one of this id."""
        return self._write(
            ("embedding", id, "index"), lambda: self.vector_adapter.index_embedding(id, embedding, metadata)
        )

    def query_embeddings(
        self,
        query_embedding: Sequence[float],
        top_k: int = 10,
        filter_metadata: Mapping[str, Any] | None = None,
    ) -> list[Json]:
        """`{id, score, metadata}` of the nearest embeddings, the nearest first; see `VectorMemoryAdapter`."""
        return self.vector_adapter.query_embeddings(query_embedding, top_k, filter_metadata)

    def delete_embedding(self, id: str) -> bool:
        """Remove an embedding; whether it was there."""
        return self._write(("embedding", id, "delete"), lambda: self.vector_adapter.delete_embedding(id))

    def acquire_lock(
        self, lock_name: str, timeout: float = 10, blocking_timeout: float | None = 5
    ) -> AbstractContextManager[Any]:
        """A lock for `with`: held for `timeout` seconds at most. Entering waits up to `blocking_timeout` seconds
        (`None`: without limit), then raises `Unavailable`. Leaving a lock that has expired raises `Conflict`, and does
        not release that of its new holder. See `memwell.coordination.locks`.
        """
        return self.redis_adapter.acquire_lock(lock_name, timeout, blocking_timeout)

    def health_check(self) -> Json:
        """`{overall_status, timestamp, adapters}`: `healthy`, or `degraded` if an adapter cannot serve; each adapter
        has its `status`, `execution_time_ms` and facts, or an `error`."""
        found = {role: self._health(part) for role, part in self._roles.items()}
        healthy = all(each["status"] == "healthy" for each in found.values())
        return {
            "overall_status": "healthy" if healthy else "degraded",
            "timestamp": _now(),
            "adapters": found,
        }

    def get_memory_stats(self) -> Json:
        """`{timestamp, adapters}` with `used_memory` of Redis, `active_connections` of PostgreSQL and
        `total_embeddings`; an adapter that cannot serve has `None` there, and an `error`."""
        found = {role: self._stats(role, part) for role, part in self._roles.items()}
        return {"timestamp": _now(), "adapters": found}

    def _write(self, entry: tuple[str, str, str] | None, call: Callable[[], bool | None]) -> bool:
        """Run a write, and enter it in the audit log; whether it succeeded."""
        what = dict(zip(("entity_type", "entity_id", "action"), entry or (), strict=False))
        try:
            done = call() is not False
        except (Unavailable, BackendError) as error:
            report("error", "not stored", **what, error=str(error))
            return False
        if done and self._audit and entry is not None:
            try:
                self.postgres_adapter.write_audit_entry(*entry, {})
            except (Unavailable, BackendError) as error:
                report("error", "stored without an audit entry", **what, error=str(error))
        return done

    def _connected(self, role: str, part: BaseMemoryAdapter) -> bool:
        try:
            part.connect()
        except MemwellError as error:
            report("error", "cannot connect", adapter=role, error=str(error))
            return False
        report("debug", "connected", adapter=role, backend=part.name)
        return True

    def _health(self, part: BaseMemoryAdapter) -> Json:
        began = time.perf_counter()
        try:
            found = {"status": "healthy", "adapter": part.name, **part.health()}
        except MemwellError as error:
            found = {"status": "unhealthy", "adapter": part.name, "error": str(error)}
        return {**found, "execution_time_ms": round((time.perf_counter() - began) * 1000, 3)}

    def _stats(self, role: str, part: BaseMemoryAdapter) -> Json:
        try:
            return {_STATS[role]: None, **part.stats()}
        except MemwellError as error:
            return {_STATS[role]: None, "error": str(error)}


_global: MemoryAPI | None = None


def get_global_memory_api() -> MemoryAPI | None:
    """The instance of this process; `None` if none was set."""
    return _global


def set_global_memory_api(memory_api: MemoryAPI | None) -> None:
    """Set the instance of this process. The former one stays connected."""
    global _global
    _global = memory_api


def initialize_memory_api(
    redis_config: Mapping[str, Any] | None = None,
    postgres_config: Mapping[str, Any] | None = None,
    vector_config: Mapping[str, Any] | None = None,
    **options: Any,
) -> MemoryAPI:
    """Make a `MemoryAPI`, connect it, and set it for this process, also if it cannot reach all adapters."""
    memory_api = MemoryAPI(redis_config, postgres_config, vector_config, **options)
    memory_api.connect()
    set_global_memory_api(memory_api)
    return memory_api


def _checked_adapters(given: Mapping[str, BaseMemoryAdapter]) -> Mapping[str, BaseMemoryAdapter]:
    for role, part in given.items():
        if role not in _ROLES:
            raise ConfigError(f"adapters= has no role {role!r}; it has: {', '.join(_ROLES)}")
        if not isinstance(part, _ROLES[role]):
            raise ConfigError(f"the adapter of {role!r} must inherit from {_ROLES[role].__name__}")
    return given


def _now() -> str:
    return datetime.now(UTC).isoformat()
