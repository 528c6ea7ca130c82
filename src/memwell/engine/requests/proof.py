"""Requests of erasure, receipts and the audit log."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from memwell._dataclasses import dataclass
from memwell.engine.requests.base import OwnedRequest
from memwell.types import Where

__all__ = [
    "AuditLogRequest",
    "CompleteReceiptsRequest",
    "EraseRequest",
    "ReceiptsRequest",
    "VerifyAuditRequest",
]


@dataclass(slots=True, kw_only=True)
class EraseRequest(OwnedRequest):
    """`erase`: remove memories from everywhere, with a receipt."""

    reason: str
    ids: str | Iterable[str] | None = None
    where: Where | None = None
    everything: bool = False
    audit: bool = False


@dataclass(slots=True, kw_only=True)
class ReceiptsRequest(OwnedRequest):
    """`receipts`: the receipts that were given."""

    pending: bool = False


@dataclass(slots=True, kw_only=True)
class CompleteReceiptsRequest(OwnedRequest):
    """`complete_receipts`: finish what could not be erased at first."""


@dataclass(slots=True, kw_only=True)
class AuditLogRequest(OwnedRequest):
    """`audit_log`: entries of the audit log."""

    actor: str | None = None
    id: str | None = None
    operation: str | None = None
    correlation_id: str | None = None
    since: datetime | str | None = None
    until: datetime | str | None = None
    limit: int = 100


@dataclass(slots=True, kw_only=True)
class VerifyAuditRequest:
    """`verify_audit`: check the chain of the audit log."""

    head: str | None = None
