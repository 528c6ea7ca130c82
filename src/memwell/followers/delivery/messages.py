"""A change of the store as a message."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeAlias

from memwell._dataclasses import dataclass
from memwell.followers.keys import by_tenant
from memwell.ports import Change, Store
from memwell.ports.store.visibility import EVER
from memwell.records.codec import record_to_json
from memwell.types import Record, Scope

__all__ = ["FORGOTTEN", "STORED", "UPDATED", "Failure", "Message", "messages", "test_message"]

STORED = "memory.stored"
"""A memory was stored, reinforced or linked; it is in its first version."""
UPDATED = "memory.updated"
"""The same of a memory in a later `version`."""
FORGOTTEN = "memory.forgotten"
"""A memory was forgotten, erased or has expired."""

Key: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One change, as it is sent."""

    id: str
    """Made of the endpoint and the position of the change: the same however often the change is sent."""
    type: str
    key: Key
    """Tenant and id of the record; messages of one record are sent in order."""
    seq: int
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a message did not arrive."""

    reason: str
    retry_after: float | None = None
    gone: bool = False
    """Whether the endpoint asks never to be called again."""


async def messages(
    store: Store, endpoint: str, changes: Sequence[Change], now: datetime, *, records: bool
) -> list[Message]:
    """The changes as messages for an endpoint, with the current state of their records."""
    found: dict[Key, Record] = {}
    for tenant, ids in by_tenant({(c.tenant_id, c.id) for c in changes if c.kind == "put"}).items():
        for record in await store.get(Scope(tenant_id=tenant), ids, now=EVER):
            found[tenant, record.id] = record
    return [_message(endpoint, change, found, now, records) for change in changes]


def _message(
    endpoint: str, change: Change, found: dict[Key, Record], now: datetime, records: bool
) -> Message:
    key = change.tenant_id, change.id
    record = found.get(key) if change.kind == "put" else None
    data: dict[str, Any] = {"id": change.id, "tenant_id": change.tenant_id, "user_id": change.user_id}
    data["seq"] = change.seq
    if record is not None:
        scope = record.scope
        data |= {"agent_id": scope.agent_id, "session_id": scope.session_id, "namespace": scope.namespace}
        data |= {"version": record.version, "reinforced": record.reinforced}
        if replaced := [link.target for link in record.links if link.kind == "supersedes"]:
            data["supersedes"] = replaced
        if records:
            data["record"] = record_to_json(record)
    at = now if record is None else record.updated_at
    name = FORGOTTEN if change.kind == "delete" else STORED
    if record is not None and record.version > 1:
        name = UPDATED
    return _built(f"msg_{endpoint}_{change.seq}", name, at, key, change.seq, data)


def test_message(id: str, now: datetime) -> Message:
    """A message that says nothing but that it arrived."""
    return _built(f"msg_{id}", "memwell.test", now, ("", ""), 0, {})


def _built(id: str, name: str, at: datetime, key: Key, seq: int, data: dict[str, Any]) -> Message:
    body = {"type": name, "timestamp": at.isoformat(), "data": data}
    raw = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")
    return Message(id=id, type=name, key=key, seq=seq, body=raw)
