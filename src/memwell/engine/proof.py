"""What an engine needs to prove what it did: the key that signs, the audit log, the journal of receipts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, cast, get_args

from memwell.engine.assembly import Parts, open_journal
from memwell.errors import ConfigError, shown

if TYPE_CHECKING:
    from memwell.ports import Log, Port
    from memwell.security.audit import Audit, AuditMode
    from memwell.security.journal import Journal, Receipts
    from memwell.security.signing import Key

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
        self._kept: str | Log | None = None
        self.key = None if receipts is None else self._signs(receipts)
        usual = parts.audit is None and audit_mode == "durable"
        self.audit = None if usual else _audit(parts, clock, audit_mode, self.key)
        self._parts = parts
        self._journal: Journal | None = None
        self._opened: Port | None = None
        self._opening = threading.RLock()
        """Threads at once open one journal, and a handler of signals waits for no thread."""

    def _signs(self, receipts: object) -> Key | None:
        from memwell.security.journal import Receipts
        from memwell.security.signing import open_key

        if isinstance(receipts, str):
            receipts = Receipts(key=receipts)
        if not isinstance(receipts, Receipts):
            raise ConfigError(f"receipts is a key or a Receipts, not {type(receipts).__name__}")
        self._kept, key = receipts.log, open_key(receipts.key)
        if key is not None and key.sign is None:
            raise ConfigError("receipts= signs, and a public key cannot; give the private key")
        return key

    @property
    def beside(self) -> bool:
        """Whether the journal is kept beside the store, or in this process, and not in a log of its own."""
        return self._kept is None

    async def journal(self) -> Journal:
        """The journal of receipts."""
        from memwell.security.journal import Journal

        with self._opening:
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


def _audit(parts: Parts, clock: Callable[[], datetime], mode: object, key: Key | None) -> Audit | None:
    """What writes the audit log, if there is one."""
    from memwell.security.audit import Audit, AuditMode

    if not isinstance(mode, str) or mode not in get_args(AuditMode):
        raise ConfigError(f"audit_mode is durable or batched, not {shown(mode)}")
    log = parts.audit
    beside = None if parts.shared is None else (parts.store, parts.shared)
    return (
        None if log is None else Audit(log, clock=clock, mode=cast("AuditMode", mode), key=key, beside=beside)
    )
