"""Reading an audit log: queries, verification of the chain, signed heads, and removing the details of entries.

What verification finds: an entry that was changed, inserted, moved or removed anywhere but at the end, and two chains
joined into one. What it cannot find by itself: that the newest entries were cut off, or that a person who may write to
the log has replaced all of it by another valid chain. For that, keep a signed head (`head`) elsewhere, and verify
against it: the log must hold that entry, unchanged.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from memwell._dataclasses import dataclass
from memwell.errors import Corrupt
from memwell.ports import Entry, Log
from memwell.security.audit import Audit
from memwell.security.entries import FIRST, AuditEntry, Header, decode, entry_of
from memwell.security.receipts import canonical
from memwell.security.signing import Key, Signature, seal, unseal
from memwell.types import Problem, Report, Trace
from memwell.values import Value

__all__ = ["AuditHead", "head_of", "open_head", "query", "redact", "verify"]

_PAGE: Final = 1000
REDACTED: Final = "redact"
_FORM: Final = "memwell audit head 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditHead(Value):
    """The newest entry of an audit log at a moment, signed. Keep it apart from the log."""

    number: int
    """0 for an empty log."""
    hash: str
    at: datetime
    """When the head was read."""
    signature: Signature | None = None

    def to_json(self) -> str:
        """The text of a head: one line, with a newline."""
        signature = self.signature
        row = None if signature is None else [signature.algorithm, signature.key, signature.value]
        return canonical({**_payload(self), "signature": row}) + "\n"


async def head_of(log: Log, stream: str, now: datetime, key: Key | None) -> AuditHead:
    """The head of a log, signed by the key."""
    newest = await log.last(stream)
    header = None if newest is None else decode(newest.data)[0]
    number, digest = (0, FIRST) if header is None else (header.number, header.hash)
    head = AuditHead(number=number, hash=digest, at=now.astimezone(UTC))
    return replace(head, signature=seal(canonical(_payload(head)).encode(), key))


def open_head(text: str, key: Key | None) -> AuditHead:
    """The head of a text. Raises `Corrupt` if it was changed, and `ConfigError` for an HMAC without its secret."""
    try:
        found = json.loads(text)
        signature = Signature(*found["signature"])
        at = datetime.fromisoformat(found["at"])
        head = AuditHead(number=found["number"], hash=found["hash"], at=at, signature=signature)
        wrong = None if head.to_json() == text and found["form"] == _FORM else "it was changed"
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise Corrupt(f"this is not a head of an audit log: {type(error).__name__}") from error
    wrong = wrong or unseal(canonical(_payload(head)).encode(), signature, key)
    if wrong:
        raise Corrupt(f"the head cannot be trusted: {wrong}")
    return head


async def query(
    log: Log, stream: str, wanted: Callable[[AuditEntry], bool], *, until: datetime | None, limit: int
) -> list[AuditEntry]:
    """The newest entries that are wanted, oldest first. Reads the whole stream up to `until`."""
    found: list[AuditEntry] = []
    async for entry in _entries(log, stream):
        made = entry_of(*decode(entry.data))
        if wanted(made):
            found.append(made)
            del found[:-limit]
        if until is not None and made.at > until:
            break
    return found


async def verify(log: Log, stream: str, head: AuditHead | None = None) -> Report:
    """Check every entry, the chain, and the head if one is given."""
    check = _Check(head)
    async for entry in _entries(log, stream):
        check.entry(entry)
    return check.report()


async def redact(audit: Audit, ids: Collection[str], tenant_id: str, receipt: str) -> list[Trace]:
    """Remove the details of all entries that name these memories of a tenant; their headers are kept in a new entry.
    Done again, it finishes what was cut short.
    """
    wanted = set(ids)
    positions, headers = [], []
    already = set[int]()
    async for entry in _entries(audit.log, audit.stream):
        header, detail = decode(entry.data)
        if header.operation == REDACTED:
            already |= {row[0] for row in detail["data"]["headers"]}
        elif _concerns(detail, wanted, tenant_id):
            positions.append(entry.position)
            headers.append(header)
    new = [header.row() for header in headers if header.number not in already]
    if new:
        await audit.append(REDACTED, {"receipt": receipt, "headers": new})
    await audit.log.remove(audit.stream, positions)
    cleared = await audit.log.purge(texts=sorted(wanted))
    gone = Trace(place="audit log", state="gone", detail=f"details of {len(positions)} entries removed")
    return [gone, *(replace(trace, place=f"audit log: {trace.place}") for trace in cleared)]


def _concerns(detail: dict[str, Any], wanted: Collection[str], tenant_id: str) -> bool:
    """An entry that names no tenant is of the default one."""
    tenant = (detail.get("scope") or {}).get("tenant_id", "default")
    return tenant == tenant_id and any(id in wanted for id in detail.get("ids", ()))


class _Check:
    """What was read so far, and what is wrong with it."""

    def __init__(self, head: AuditHead | None) -> None:
        self._head = head
        self._problems: list[Problem] = []
        self._kept: dict[int, Header] = {}
        """Headers of entries whose details were removed."""
        self._gaps: list[tuple[int, str, int, str]] = []
        """Number and hash before a gap, number after it, and the hash that the entry there refers to."""
        self._last: tuple[int, str] = (0, FIRST)
        self._head_seen: str | None = FIRST if head is not None and head.number == 0 else None
        self._checked = 0

    def entry(self, entry: Entry) -> None:
        self._checked += 1
        try:
            header, detail = decode(entry.data)
        except Corrupt as error:
            self._wrong("changed", f"the entry at {entry.position}: {error.message}")
            return
        number, digest = self._last
        if header.number <= number:
            self._wrong("order", f"entry {header.number} stands after entry {number}")
            return
        if header.number != number + 1 or header.before != digest:
            self._gaps.append((number, digest, header.number, header.before))
        if header.operation == REDACTED:
            self._kept |= {row[0]: Header.of(*row) for row in detail["data"]["headers"]}
        if self._head is not None and header.number == self._head.number:
            self._head_seen = header.hash
        self._last = header.number, header.hash

    def report(self) -> Report:
        for gap in self._gaps:
            self._close(*gap)
        if self._head is not None:
            self._compare(self._head)
        return Report(ok=not self._problems, checked=self._checked, problems=tuple(self._problems))

    def _close(self, number: int, digest: str, following: int, refers_to: str) -> None:
        """Follow the kept headers through a gap; what is left open is a problem."""
        while number + 1 < following and (header := self._kept.get(number + 1)) is not None:
            if header.before != digest:
                break
            number, digest = header.number, header.hash
        if number + 1 < following:
            self._wrong("gap", f"entries {number + 1} to {following - 1} are missing")
        elif digest != refers_to:
            self._wrong("chain", f"entry {following} does not follow entry {number} as it is now")

    def _compare(self, head: AuditHead) -> None:
        kept = self._kept.get(head.number)
        seen = self._head_seen or (None if kept is None else kept.hash)
        if seen is None:
            detail = f"the log ends at entry {self._last[0]}, and the head names entry {head.number}"
            self._wrong("truncated", detail)
        elif seen != head.hash:
            self._wrong("replaced", f"entry {head.number} is not the one that the head names")

    def _wrong(self, kind: str, detail: str) -> None:
        self._problems.append(Problem(kind=kind, detail=detail, repairable=False))


async def _entries(log: Log, stream: str) -> AsyncIterator[Entry]:
    after: str | None = None
    while page := await log.read(stream, after=after, limit=_PAGE):
        for entry in page:
            yield entry
        after = page[-1].position


def _payload(head: AuditHead) -> dict[str, Any]:
    return {"form": _FORM, "number": head.number, "hash": head.hash, "at": head.at.isoformat()}
