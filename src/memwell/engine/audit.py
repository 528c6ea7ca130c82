"""Reading the audit log: entries, verification, and the signed head."""

from __future__ import annotations

from datetime import datetime

from memwell.engine.context import Engine
from memwell.engine.requests import AuditLogRequest, VerifyAuditRequest
from memwell.engine.validation import moment_of
from memwell.errors import InvalidInput, NotSupported, shown
from memwell.security import chain
from memwell.security.audit import Audit
from memwell.security.entries import AuditEntry
from memwell.types import DEFAULT_TENANT, Report, Scope

__all__ = ["audit_head", "audit_log", "verify_audit"]

_MOST = 100_000


async def audit_log(engine: Engine, request: AuditLogRequest) -> list[AuditEntry]:
    """The newest entries that the request asks for, oldest first."""
    audit, scope = await _open(engine, "audit_log"), request.scope()
    limit = request.limit
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= _MOST:
        raise InvalidInput(f"limit is a whole number from 1 to {_MOST:,}, not {shown(limit)}")
    exact = {"actor": request.actor, "operation": request.operation, "correlation_id": request.correlation_id}
    for name, value in {**exact, "id": request.id}.items():
        if value is not None and not isinstance(value, str):
            raise InvalidInput(f"{name} is a text, not {shown(value)}")
    since, until = (_moment(engine, name, getattr(request, name)) for name in ("since", "until"))

    def wanted(entry: AuditEntry) -> bool:
        if not _within(scope, entry.scope):
            return False
        if any(value is not None and getattr(entry, name) != value for name, value in exact.items()):
            return False
        early = since is not None and entry.at < since
        late = until is not None and entry.at > until
        return not early and not late and (request.id is None or request.id in entry.ids)

    return await chain.query(audit.log, audit.stream, wanted, until=until, limit=limit)


async def verify_audit(engine: Engine, request: VerifyAuditRequest) -> Report:
    """Check the chain, against a signed head if one is given."""
    audit = await _open(engine, "verify_audit")
    head = None if request.head is None else chain.open_head(_text(request.head), engine.proof.key)
    return await chain.verify(audit.log, audit.stream, head)


async def audit_head(engine: Engine) -> chain.AuditHead:
    """The head of the log, signed."""
    audit = await _open(engine, "audit_head")
    return await chain.head_of(audit.log, audit.stream, engine.clock(), engine.proof.key)


async def _open(engine: Engine, operation: str) -> Audit:
    """The audit log, with all that waited written."""
    _ = engine.store
    audit = engine.proof.audit
    if audit is None:
        raise NotSupported(
            "this memory has no audit log; open it with audit=, such as Memory(audit='sqlite:///audit.db')",
            part="memory",
            operation=operation,
        )
    await audit.flush()
    return audit


def _within(scope: Scope, of: Scope | None) -> bool:
    """Whether an entry is one of the scope. Calls that name no owner are of the whole tenant."""
    if of is None:
        return scope == Scope(tenant_id=DEFAULT_TENANT)
    return scope.sees(of)


def _moment(engine: Engine, name: str, value: object) -> datetime | None:
    return None if value is None else moment_of(name, value, engine.zone)


def _text(head: object) -> str:
    if not isinstance(head, str):
        raise InvalidInput(
            f"head is the text of a head, as `audit_head().to_json()` gives it, not {shown(head)}"
        )
    return head
