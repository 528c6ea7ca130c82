"""The methods that prove something: erasing with a receipt, and the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from memwell.engine import requests
from memwell.engine.keywords import explain_keywords
from memwell.faces.base import AsyncFace, Face, audited, delegated

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from memwell.security.chain import AuditHead
    from memwell.security.entries import AuditEntry
    from memwell.security.receipts import Receipt
    from memwell.types import Progress, Report, Where

    Entries: TypeAlias = list[AuditEntry]
    ReceiptList: TypeAlias = list[Receipt]

__all__ = ["AsyncProof", "Proof"]


@audited
@explain_keywords
class AsyncProof(AsyncFace):
    """Proof of what was done, with `await`."""

    async def erase(
        self, ids: str | Iterable[str] | None = None, *, reason: str, where: Where | None = None,
        everything: bool = False, audit: bool = False, progress: Progress | None = None,
        tenant_id: str | None = None, user_id: str | None = None,
        agent_id: str | None = None, session_id: str | None = None, namespace: str | None = None,
    ) -> Receipt:  # fmt: skip
        """Remove memories from every place that keeps something of them, read each place back, and return a signed
        receipt of it. `forget` is the quick way for everyday use.

        - `ids`, `where`, `everything`: which memories, as in `forget`. Ids that are not there raise `NotFound`, unless
          an earlier receipt names them: that one is returned then.
        - `reason`: why, for the receipt. Ids, reason and scope stand in it; contents never do.
        - `audit`: also remove the details of all entries of the audit log that name these memories.
        - `progress(done, total)`: called along the way.
        - `tenant_id`, `user_id`, `agent_id`, `session_id`, `namespace`: erase only memories of this scope.

        Removed are rows, words, vectors, versions, links, cached embeddings and searches, and what mirrors, stand-ins
        and indexes hold; files are cleared of deleted bytes. `receipt.traces` says of each place what is there now. A
        place that cannot be reached is `pending`: a later `erase`, `complete_receipts` or `repair` tries it again.
        """
        from memwell.engine import erase as erase_

        request = requests.EraseRequest(
            ids=ids, reason=reason, where=where, everything=everything, audit=audit,
            tenant_id=tenant_id, user_id=user_id, agent_id=agent_id, session_id=session_id,
            namespace=namespace,
        )  # fmt: skip
        return await erase_.erase(self._engine, request, progress)

    async def receipts(
        self, *, pending: bool = False, tenant_id: str | None = None, user_id: str | None = None,
        agent_id: str | None = None, session_id: str | None = None, namespace: str | None = None,
    ) -> ReceiptList:  # fmt: skip
        """The receipts that were given, oldest first, as the journal has them.

        - `pending`: only those that are not complete.
        - `tenant_id`, `user_id`, `agent_id`, `session_id`, `namespace`: only receipts of calls in this scope.
        """
        from memwell.engine import erase as erase_

        request = requests.ReceiptsRequest(
            pending=pending, tenant_id=tenant_id, user_id=user_id, agent_id=agent_id, session_id=session_id,
            namespace=namespace,
        )  # fmt: skip
        return await erase_.receipts(self._engine, request)

    async def complete_receipts(
        self, *, tenant_id: str | None = None, user_id: str | None = None,
        agent_id: str | None = None, session_id: str | None = None, namespace: str | None = None,
    ) -> ReceiptList:  # fmt: skip
        """Try again what could not be erased at first, also for a process that died in the middle, and return these
        receipts as they are now.

        Only receipts of calls in the scope: `tenant_id`, `user_id`, `agent_id`, `session_id`, `namespace`.
        """
        from memwell.engine import erase as erase_

        request = requests.CompleteReceiptsRequest(
            tenant_id=tenant_id, user_id=user_id, agent_id=agent_id, session_id=session_id,
            namespace=namespace,
        )  # fmt: skip
        return await erase_.complete_receipts(self._engine, request)

    async def audit_log(
        self, *, actor: str | None = None, id: str | None = None, operation: str | None = None,
        correlation_id: str | None = None, since: datetime | str | None = None,
        until: datetime | str | None = None, limit: int = 100, tenant_id: str | None = None, user_id: str | None = None,
        agent_id: str | None = None, session_id: str | None = None, namespace: str | None = None,
    ) -> Entries:  # fmt: skip
        """The newest entries of the audit log that match, oldest first.

        - `actor`, `correlation_id`: who did it, and in which request, as `memwell.acting` named them; `id`: of a memory
          that was changed, read or asked for; `operation`: the name of a method.
        - `since`, `until`: the first and last moment, datetimes or ISO 8601 texts; `limit`: how many at most.
        - `tenant_id`, `user_id`, `agent_id`, `session_id`, `namespace`: only calls that named this scope or one inside.

        Reads the whole log up to `until`. Raises `NotSupported` without an audit log.
        """
        from memwell.engine import audit as audit_

        request = requests.AuditLogRequest(
            actor=actor, id=id, operation=operation, correlation_id=correlation_id, since=since, until=until,
            limit=limit, tenant_id=tenant_id, user_id=user_id, agent_id=agent_id, session_id=session_id,
            namespace=namespace,
        )  # fmt: skip
        return await audit_.audit_log(self._engine, request)

    async def verify_audit(self, *, head: str | None = None) -> Report:
        """Check every entry of the audit log, and the chain of their hashes. Entries that were changed, inserted, moved
        or removed are problems of the report.

        - `head`: the text of a signed head that was kept elsewhere (`audit_head`). Only with it the check also finds
          that the newest entries were cut off, or that the whole log was replaced.
        """
        from memwell.engine import audit as audit_

        return await audit_.verify_audit(self._engine, requests.VerifyAuditRequest(head=head))

    async def audit_head(self) -> AuditHead:
        """The number and hash of the newest entry, signed by the key of `receipts=`. Keep its text (`to_json()`) apart
        from the log, for `verify_audit`.
        """
        from memwell.engine import audit as audit_

        return await audit_.audit_head(self._engine)


@explain_keywords
class Proof(Face):
    """Proof of what was done, without `await`. Its docstrings are those of `AsyncProof`, copied by `make docs`."""

    _memory: AsyncProof

    @delegated
    def erase(
        self, ids: str | Iterable[str] | None = None, *, reason: str, where: Where | None = None,
        everything: bool = False, audit: bool = False, progress: Progress | None = None,
        tenant_id: str | None = None, user_id: str | None = None,
        agent_id: str | None = None, session_id: str | None = None, namespace: str | None = None,
    ) -> Receipt:  # fmt: skip
        """Remove memories from every place that keeps something of them, read each place back, and return a signed
        receipt of it. `forget` is the quick way for everyday use.

        - `ids`, `where`, `everything`: which memories, as in `forget`. Ids that are not there raise `NotFound`, unless
          an earlier receipt names them: that one is returned then.
        - `reason`: why, for the receipt. Ids, reason and scope stand in it; contents never do.
        - `audit`: also remove the details of all entries of the audit log that name these memories.
        - `progress(done, total)`: called along the way.
        - `tenant_id`, `user_id`, `agent_id`, `session_id`, `namespace`: erase only memories of this scope.

        Removed are rows, words, vectors, versions, links, cached embeddings and searches, and what mirrors, stand-ins
        and indexes hold; files are cleared of deleted bytes. `receipt.traces` says of each place what is there now. A
        place that cannot be reached is `pending`: a later `erase`, `complete_receipts` or `repair` tries it again.
        """

    @delegated
    def receipts(
        self, *, pending: bool = False, tenant_id: str | None = None, user_id: str | None = None,
        agent_id: str | None = None, session_id: str | None = None, namespace: str | None = None,
    ) -> ReceiptList:  # fmt: skip
        """The receipts that were given, oldest first, as the journal has them.

        - `pending`: only those that are not complete.
        - `tenant_id`, `user_id`, `agent_id`, `session_id`, `namespace`: only receipts of calls in this scope.
        """

    @delegated
    def complete_receipts(
        self, *, tenant_id: str | None = None, user_id: str | None = None,
        agent_id: str | None = None, session_id: str | None = None, namespace: str | None = None,
    ) -> ReceiptList:  # fmt: skip
        """Try again what could not be erased at first, also for a process that died in the middle, and return these
        receipts as they are now.

        Only receipts of calls in the scope: `tenant_id`, `user_id`, `agent_id`, `session_id`, `namespace`.
        """

    @delegated
    def audit_log(
        self, *, actor: str | None = None, id: str | None = None, operation: str | None = None,
        correlation_id: str | None = None, since: datetime | str | None = None,
        until: datetime | str | None = None, limit: int = 100, tenant_id: str | None = None, user_id: str | None = None,
        agent_id: str | None = None, session_id: str | None = None, namespace: str | None = None,
    ) -> Entries:  # fmt: skip
        """The newest entries of the audit log that match, oldest first.

        - `actor`, `correlation_id`: who did it, and in which request, as `memwell.acting` named them; `id`: of a memory
          that was changed, read or asked for; `operation`: the name of a method.
        - `since`, `until`: the first and last moment, datetimes or ISO 8601 texts; `limit`: how many at most.
        - `tenant_id`, `user_id`, `agent_id`, `session_id`, `namespace`: only calls that named this scope or one inside.

        Reads the whole log up to `until`. Raises `NotSupported` without an audit log.
        """

    @delegated
    def verify_audit(self, *, head: str | None = None) -> Report:
        """Check every entry of the audit log, and the chain of their hashes. Entries that were changed, inserted, moved
        or removed are problems of the report.

        - `head`: the text of a signed head that was kept elsewhere (`audit_head`). Only with it the check also finds
          that the newest entries were cut off, or that the whole log was replaced.
        """

    @delegated
    def audit_head(self) -> AuditHead:
        """The number and hash of the newest entry, signed by the key of `receipts=`. Keep its text (`to_json()`) apart
        from the log, for `verify_audit`.
        """
