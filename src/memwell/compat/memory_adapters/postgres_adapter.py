"""Flow runs, task outputs, the audit log, contexts and embeddings in the tables of the migrations."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

from memwell import _bridge
from memwell._forks import ForkSafeLock
from memwell.backends.postgres import Settings
from memwell.backends.postgres.keyvalue import PostgresKeyValue
from memwell.compat.memory_adapters.base import ContextAdapter, HistoryAdapter, Json
from memwell.compat.memory_adapters.settings import POSTGRES, checked, postgres_url
from memwell.compat.memory_adapters.tables import TABLES, Tables
from memwell.coordination.locks import lock_sync
from memwell.errors import ConfigError
from memwell.ports.keyvalue import check_ttl
from memwell.records.codec import loads
from memwell.runs.values import checked_id, checked_limit, document, encoded

__all__ = ["PostgresMemoryAdapter"]

_ALIVE: Final = "(expires_at IS NULL OR expires_at > clock_timestamp())"
_RECORD: Final = """INSERT INTO flow_run_history (flow_id, run_id, data)
VALUES (%(flow_id)s, %(run_id)s, %(data)s::jsonb)"""
_RUNS: Final = "SELECT flow_id, run_id, data::text AS data, created_at, updated_at FROM flow_run_history"
_OUTPUT: Final = """INSERT INTO task_outputs (task_id, output, metadata)
VALUES (%(task_id)s, %(output)s::jsonb, %(metadata)s::jsonb)
ON CONFLICT (task_id) DO UPDATE SET output = excluded.output, metadata = excluded.metadata"""
_OUTPUTS: Final = """SELECT task_id, output::text AS output, metadata::text AS metadata, created_at, updated_at
FROM task_outputs WHERE task_id = %(task_id)s"""
_AUDIT: Final = """INSERT INTO audit_log (entity_type, entity_id, action, data)
VALUES (%(entity_type)s, %(entity_id)s, %(action)s, %(data)s::jsonb)"""
_ENTRIES: Final = "SELECT entity_type, entity_id, action, data::text AS data, created_at FROM audit_log"
_SET: Final = "SELECT set_memory_context(%(context_id)s, %(data)s::jsonb, %(ttl)s::double precision)"
_GET: Final = f"""SELECT context_data::text AS data, created_at, context_id FROM memory_context
WHERE context_id = %(context_id)s AND {_ALIVE}"""
_APPEND: Final = "SELECT append_memory_event(%(context_id)s, %(event_id)s, %(data)s::jsonb)"
_EVENTS: Final = f"""SELECT event_data::text AS event, created_at AS timestamp, event_id FROM memory_events e
WHERE context_id = %(context_id)s
  AND EXISTS (SELECT 1 FROM memory_context c WHERE c.context_id = e.context_id AND {_ALIVE}) ORDER BY id"""
_CLEAR: Final = f"DELETE FROM memory_context WHERE context_id = %(context_id)s RETURNING {_ALIVE}"
_KEYS: Final = f'SELECT context_id FROM memory_context WHERE {_ALIVE} ORDER BY context_id COLLATE "C"'
_ABOUT: Final = """SELECT current_database()::text AS database, current_setting('server_version') AS version,
  (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()) AS active_connections"""
_COUNTS: Final = """SELECT name, coalesce(sum(greatest(c.reltuples, 0)), 0)::bigint AS rows
FROM unnest(%(tables)s::text[]) AS t (name) JOIN pg_class c ON c.relkind = 'r' AND (c.oid = to_regclass(t.name)
  OR c.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = to_regclass(t.name))) GROUP BY name"""


class PostgresMemoryAdapter(ContextAdapter, HistoryAdapter):
    """See `settings.POSTGRES` for the configuration. Each write is one statement, and so one transaction.

    Without Redis it keeps contexts, too, in `memory_context` and `memory_events`, and locks in memwell's key-value.
    """

    name = "postgres"

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        self.config = checked("postgres_config", config, POSTGRES)
        if self.config["migrate"] not in ("auto", "off"):
            raise ConfigError(f"migrate is 'auto' or 'off', not {self.config['migrate']!r:.60}")
        self._settings = Settings.from_url(postgres_url(self.config))
        self.tables = Tables(self._settings, migrate=self.config["migrate"] == "auto")
        self._guard = ForkSafeLock()
        self._locks: PostgresKeyValue | None = None

    def connect(self) -> None:
        """See `BaseMemoryAdapter.connect`. Creates the tables if they are missing."""
        self.tables.read("SELECT 1")

    def disconnect(self) -> None:
        """See `BaseMemoryAdapter.disconnect`."""
        self.tables.close()
        with self._guard:
            locks, self._locks = self._locks, None
        if locks is not None:
            _bridge.complete(locks.close(), blocking=False)

    def health(self) -> Json:
        """See `BaseMemoryAdapter.health`."""
        [about] = self.tables.records(_ABOUT, {})
        host, _, _ = self._settings.place.rpartition("/")
        return {"host": host, "schema": self._settings.schema, **about}

    def stats(self) -> Json:
        """`active_connections` to the database, and the `estimated_rows` of each table as of its last ANALYZE."""
        rows: dict[str, int] = dict(self.tables.read(_COUNTS, {"tables": list(TABLES)}))
        return {"active_connections": self.health()["active_connections"], "estimated_rows": rows}

    def write_flow_run_history(self, flow_id: str, run_id: str, data: Mapping[str, Any]) -> None:
        """See `HistoryAdapter.write_flow_run_history`."""
        values = {"flow_id": checked_id("flow_id", flow_id), "run_id": checked_id("run_id", run_id)}
        self.tables.write(
            _RECORD, {**values, "data": _json("data of a run", document("data of a run", data))}
        )

    def read_flow_run_history(self, flow_id: str, run_id: str | None, limit: int) -> list[Json]:
        """See `HistoryAdapter.read_flow_run_history`."""
        asked = {"flow_id": checked_id("flow_id", flow_id), "run_id": run_id}
        return self._newest(_RUNS, asked, limit)

    def write_task_output(
        self, task_id: str, output: Mapping[str, Any], metadata: Mapping[str, Any] | None
    ) -> None:
        """See `HistoryAdapter.write_task_output`."""
        values = {
            "task_id": checked_id("task_id", task_id),
            "output": _json("an output", output),
            "metadata": _json("metadata", document("metadata of an output", metadata or {})),
        }
        self.tables.write(_OUTPUT, values)

    def read_task_output(self, task_id: str) -> Json | None:
        """See `HistoryAdapter.read_task_output`."""
        rows = self.tables.records(_OUTPUTS, {"task_id": checked_id("task_id", task_id)})
        return _shape(rows[0]) if rows else None

    def write_audit_entry(
        self, entity_type: str, entity_id: str, action: str, data: Mapping[str, Any]
    ) -> None:
        """See `HistoryAdapter.write_audit_entry`."""
        values = {
            "entity_type": checked_id("entity_type", entity_type),
            "entity_id": checked_id("entity_id", entity_id),
            "action": checked_id("action", action),
            "data": _json("data", document("data of an audit entry", data)),
        }
        self.tables.write(_AUDIT, values)

    def read_audit_log(self, entity_type: str | None, entity_id: str | None, limit: int) -> list[Json]:
        """See `HistoryAdapter.read_audit_log`."""
        return self._newest(_ENTRIES, {"entity_type": entity_type, "entity_id": entity_id}, limit)

    def set_context(self, context_id: str, context_data: Mapping[str, Any], ttl: float | None) -> None:
        """See `ContextAdapter.set_context`."""
        data = _json("data of a context", document("data of a context", context_data))
        self.tables.write(_SET, {**_context(context_id), "data": data, "ttl": check_ttl(ttl)})

    def get_context(self, context_id: str) -> Json | None:
        """See `ContextAdapter.get_context`."""
        rows = self.tables.records(_GET, _context(context_id))
        return _shape(rows[0]) if rows else None

    def append_event(self, context_id: str, event: Mapping[str, Any]) -> None:
        """See `ContextAdapter.append_event`."""
        data = _json("an event", document("an event", event))
        self.tables.write(_APPEND, {**_context(context_id), "event_id": str(uuid4()), "data": data})

    def get_events(self, context_id: str) -> list[Json]:
        """See `ContextAdapter.get_events`."""
        return [_shape(row) for row in self.tables.records(_EVENTS, _context(context_id))]

    def clear_context(self, context_id: str) -> bool:
        """See `ContextAdapter.clear_context`."""
        rows = self.tables.write(_CLEAR, _context(context_id))
        return bool(rows and rows[0][0])

    def get_context_keys(self) -> list[str]:
        """See `ContextAdapter.get_context_keys`."""
        return [row[0] for row in self.tables.read(_KEYS)]

    def acquire_lock(
        self, lock_name: str, timeout: float, blocking_timeout: float | None
    ) -> AbstractContextManager[Any]:
        """See `ContextAdapter.acquire_lock`."""
        with self._guard:
            if self._locks is None:
                self._locks = PostgresKeyValue(self._settings)
            return lock_sync(self._locks, lock_name, ttl=timeout, wait=blocking_timeout)

    def _newest(self, query: str, asked: Mapping[str, str | None], limit: int) -> list[Json]:
        """The newest rows whose columns have the values that are not `None`."""
        given = {name: value for name, value in asked.items() if value is not None}
        where = " AND ".join(f"{name} = %({name})s" for name in given) or "true"
        statement = f"{query} WHERE {where} ORDER BY id DESC LIMIT %(limit)s"
        return [_shape(row) for row in self.tables.records(statement, {**given, "limit": _limit(limit)})]


_DOCUMENTS: Final = ("data", "output", "metadata", "event")


def _shape(row: Mapping[str, Any]) -> Json:
    """A row with its JSON parsed, and times as ISO 8601 texts."""
    plain = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
    return {name: loads(value) if name in _DOCUMENTS else value for name, value in plain.items()}


def _context(context_id: str) -> dict[str, Any]:
    return {"context_id": checked_id("context_id", context_id)}


def _json(name: str, value: Any) -> str:
    return encoded(name, value).decode()


def _limit(limit: int) -> int:
    return min(checked_limit(limit), 2**62)
