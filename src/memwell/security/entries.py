"""Entries of the audit log: their fields, their bytes, and how each is chained to the one before.

An entry is a header and a detail. The header holds the number, the hash of the entry before, time, operation, outcome,
and the hash of the detail; its own hash is what the next entry refers to. So the detail of an entry can be removed
(`redact`) while the chain still verifies: the header is kept in a later entry. A detail has a random nonce: its hash
tells nothing about it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from memwell.errors import Corrupt
from memwell.fields import SCOPE
from memwell.security.receipts import canonical
from memwell.security.signing import Key
from memwell.types import Scope
from memwell.values import Value

__all__ = [
    "FIRST",
    "AuditEntry",
    "Header",
    "decode",
    "digest_of",
    "encode",
    "entry_of",
    "header_of",
    "scope_to_json",
    "texts",
]

FIRST: Final = "0" * 64
"""What the first entry has in place of the hash of the one before."""


@dataclass(frozen=True, slots=True)
class Header:
    """What the chain consists of."""

    number: int
    before: str
    at: str
    operation: str
    outcome: str
    detail: str
    """SHA-256 of the detail."""
    text: str = field(init=False)
    """This header as canonical JSON."""
    hash: str = field(init=False)
    """SHA-256 of that."""

    def __post_init__(self) -> None:
        text = canonical(self.row())
        object.__setattr__(self, "text", text)
        object.__setattr__(self, "hash", _sha256(text))

    def row(self) -> list[Any]:
        """The fields as JSON values."""
        return [self.number, self.before, self.at, self.operation, self.outcome, self.detail]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry(Value):
    """One operation, as the audit log has it. It holds hashes, never contents."""

    number: int
    """From 1, without gaps."""
    at: datetime
    operation: str
    """Name of the method of `Memory`, or `redact`."""
    outcome: str
    """`allowed`; `refused` (bad input, not found, another's scope, a conflict); or `failed`."""
    actor: str | None = None
    correlation_id: str | None = None
    scope: Scope | None = None
    """The scope that the call named, if it names one."""
    ids: tuple[str, ...] = ()
    """The memories that were changed, read or asked for."""
    changes: tuple[tuple[str, int, str], ...] = ()
    """Id, version and digest of the content of each memory that was written (see `nonce`)."""
    nonce: str = ""
    """Digests are BLAKE2b keyed by the key that signs receipts; without one by these bytes in hexadecimal digits."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """`error`: name of the exception; `count`: how many, where ids are left out; `receipt`: id of a receipt."""
    hash: str = ""


def encode(header: Header, detail: str) -> bytes:
    """The bytes of an entry. `detail` is canonical JSON, as `header` has its hash."""
    return f'{{"detail":{detail},"hash":"{header.hash}","header":{header.text}}}'.encode()


def decode(data: bytes) -> tuple[Header, dict[str, Any]]:
    """Header and detail of an entry. Raises `Corrupt` if any byte is not as it was written."""
    try:
        found = json.loads(data)
        header, detail = Header(*found["header"]), found["detail"]
        text = canonical(detail)
        same = encode(header, text) == data and _sha256(text) == header.detail
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise Corrupt(f"it is not an entry of an audit log: {type(error).__name__}") from error
    if not same:
        raise Corrupt("it was changed")
    return header, detail


def header_of(number: int, before: str, at: datetime, names: tuple[str, str], detail: str) -> Header:
    """The header of a new entry."""
    return Header(number, before, at.isoformat(), *names, _sha256(detail))


def entry_of(header: Header, detail: Mapping[str, Any]) -> AuditEntry:
    """An entry for readers."""
    scope = detail.get("scope")
    return AuditEntry(
        number=header.number,
        at=datetime.fromisoformat(header.at),
        operation=header.operation,
        outcome=header.outcome,
        actor=detail.get("actor"),
        correlation_id=detail.get("correlation_id"),
        scope=None if scope is None else Scope(**scope),
        ids=tuple(detail.get("ids", ())),
        changes=tuple((id, version, digest) for id, version, digest in detail.get("changes", ())),
        nonce=detail.get("nonce", ""),
        data=detail.get("data", {}),
        hash=header.hash,
    )


def digest_of(content: str, key: Key | None, nonce: str) -> str:
    """The digest of a content in an entry: keyed by the key of receipts, else by the nonce of the entry."""
    if key is not None:
        return key.digest(content)
    raw = content.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(raw, key=bytes.fromhex(nonce), digest_size=16).hexdigest()


def scope_to_json(given: Mapping[str, Any]) -> dict[str, str] | None:
    """The scope that a call names; `None` for one that names none, or anything but texts."""
    found = {name: value for name in SCOPE if isinstance(value := given.get(name), str) and _valid(value)}
    return found or None


def texts(values: Sequence[Any], most: int) -> list[str]:
    """Those that are text, at most `most`: a refused call may name anything."""
    return [
        value for value in values[:most] if isinstance(value, str) and _valid(value) and len(value) <= 1000
    ]


def _valid(text: str) -> bool:
    return text.isascii() or text == text.encode("utf-8", "ignore").decode()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
