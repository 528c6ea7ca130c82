"""The journal of receipts: what was begun and not finished yet, and every receipt given.

A receipt is written here before anything is removed. So a process that dies in the middle leaves a pending receipt,
which any later process completes. While it is pending, the journal also holds salted digests of the contents, to tell
the memories that were meant from those stored again under the same ids; they go when the receipt is complete.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import field
from typing import Any, Final

from memwell._dataclasses import dataclass
from memwell.errors import Corrupt
from memwell.ports import Log
from memwell.security.receipts import Receipt, canonical, parse

__all__ = ["Journal", "Pending", "Receipts"]

STREAM: Final = "memwell:receipts"
PENDING: Final = "memwell:receipts:pending"
_PAGE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipts:
    """How a memory gives receipts: `Memory(receipts=Receipts(key=…, log=…))`."""

    key: str | None = field(default=None, repr=False)
    """The key that signs, as `memwell receipt key` makes one; `None` gives unsigned receipts."""
    log: str | Log | None = None
    """Where the journal is kept: a `Log` or its URL. By default in the store, if that was opened by its URL; else in
    this process only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A receipt and what is needed to complete it."""

    receipt: Receipt
    salt: str = field(default_factory=lambda: secrets.token_hex(16))
    marks: Mapping[str, str] = field(default_factory=dict)
    """Id → salted digest of the content that is to be removed."""
    cached: Sequence[str] = ()
    """Keys of cached embeddings that could not be removed yet."""
    audit: bool = False
    """Whether audit details are to be removed."""

    def mark(self, content: str) -> str:
        """The salted digest of a content."""
        raw = content.encode("utf-8", "surrogatepass")
        return hashlib.blake2b(raw, key=bytes.fromhex(self.salt), digest_size=12).hexdigest()


class Journal:
    """The journal in a log."""

    def __init__(self, log: Log) -> None:
        self.log = log

    async def put(self, pending: Pending) -> None:
        """Write a receipt as it is now, then drop what was written of it before."""
        receipt = pending.receipt
        before = [position async for position, one in self._read(PENDING) if one.receipt.id == receipt.id]
        if receipt.complete:
            await self.log.append(STREAM, [canonical({"receipt": receipt.to_json()}).encode()])
        else:
            body: dict[str, Any] = {
                "receipt": receipt.to_json(),
                "salt": pending.salt,
                "marks": dict(pending.marks),
            }
            body |= {"cached": list(pending.cached), "audit": pending.audit}
            await self.log.append(PENDING, [canonical(body).encode()])
        await self.log.remove(PENDING, before)

    async def pending(self) -> list[Pending]:
        """Receipts that are not complete, oldest first."""
        found = {one.receipt.id: one async for _, one in self._read(PENDING)}
        return sorted(found.values(), key=lambda one: one.receipt.begun_at)

    async def read(self) -> list[Pending]:
        """Every receipt, oldest first, as it was last written."""
        found = {one.receipt.id: one for one in await self.pending()}
        found |= {one.receipt.id: one async for _, one in self._read(STREAM)}
        return sorted(found.values(), key=lambda one: one.receipt.begun_at)

    async def _read(self, stream: str) -> AsyncIterator[tuple[str, Pending]]:
        after: str | None = None
        while page := await self.log.read(stream, after=after, limit=_PAGE):
            for entry in page:
                yield entry.position, self._pending(entry.data)
            after = page[-1].position

    def _pending(self, data: bytes) -> Pending:
        try:
            body = json.loads(data)
            receipt = parse(body["receipt"])
        except (ValueError, KeyError, TypeError, Corrupt) as error:
            raise Corrupt(f"an entry of the journal of receipts is damaged: {error}") from error
        return Pending(
            receipt=receipt,
            salt=body.get("salt", ""),
            marks=body.get("marks", {}),
            cached=body.get("cached", ()),
            audit=body.get("audit", False),
        )
