"""What an engine needs to prove what it did: the key that signs, the audit log, the journal of receipts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import get_args

from memwell.engine.assembly import Parts, open_journal
from memwell.errors import ConfigError, shown
from memwell.ports import Port
from memwell.security.audit import Audit, AuditMode
from memwell.security.journal import Journal, Receipts
from memwell.security.signing import open_key

__all__ = ["Proof"]


class Proof:
    """See the module. The journal is opened when it is first needed."""

    def __init__(
        self,
        parts: Parts,
        clock: Callable[[], datetime],
        receipts: str | Receipts | None = None,
        audit_mode: AuditMode = "durable",
    ) -> None:
        if isinstance(receipts, str):
            receipts = Receipts(key=receipts)
        if not isinstance(receipts, Receipts | None):
            raise ConfigError(f"receipts is a key or a Receipts, not {type(receipts).__name__}")
        if not isinstance(audit_mode, str) or audit_mode not in get_args(AuditMode):
            raise ConfigError(f"audit_mode is durable or batched, not {shown(audit_mode)}")
        self.key = None if receipts is None else open_key(receipts.key)
        if self.key is not None and self.key.sign is None:
            raise ConfigError("receipts= signs, and a public key cannot; give the private key")
        log = parts.audit
        beside = None if parts.shared is None else (parts.store, parts.shared)
        self.audit = (
            None if log is None else Audit(log, clock=clock, mode=audit_mode, key=self.key, beside=beside)
        )
        self._parts = parts
        self._kept = None if receipts is None else receipts.log
        self._journal: Journal | None = None
        self._opened: Port | None = None

    @property
    def beside(self) -> bool:
        """Whether the journal is kept beside the store, or in this process, and not in a log of its own."""
        return self._kept is None

    async def journal(self) -> Journal:
        """The journal of receipts."""
        if self._journal is None:
            log, self._opened = open_journal(self._kept, self._parts.url, blocking=self._parts.blocking)
            self._journal = Journal(log)
        return self._journal

    async def close(self) -> None:
        """Write what waits for the audit log, and close the journal."""
        try:
            if self.audit is not None:
                await self.audit.close()
        finally:
            if self._opened is not None:
                await self._opened.close()
