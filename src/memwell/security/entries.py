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
from dataclasses import field
from datetime import datetime
from json.encoder import encode_basestring as _text
from typing import Any, Final, NamedTuple

from memwell._dataclasses import dataclass
from memwell.errors import Corrupt
from memwell.fields import SCOPE
from memwell.security.acting import NOONE, Acting
from memwell.security.receipts import canonical
from memwell.security.tracing import Traced
from memwell.types import Scope
from memwell.values import Value

__all__ = [
    "FIRST",
    "AuditEntry",
    "Chain",
    "Header",
    "Waiting",
    "decode",
    "detail_of",
    "encode",
    "entry_of",
    "header_of",
    "scope_of",
    "scope_to_json",
    "texts",
]

FIRST: Final = "0" * 64
"""What the first entry has in place of the hash of the one before."""


class Header(NamedTuple):
    """What the chain consists of."""

    number: int
    before: str
    at: str
    operation: str
    outcome: str
    detail: str
    """SHA-256 of the detail."""
    text: str
    """The fields above as canonical JSON."""
    hash: str
    """SHA-256 of that."""

    @classmethod
    def of(cls, number: int, before: str, at: str, operation: str, outcome: str, detail: str) -> Header:
        """The header with these fields."""
        if type(number) is not int:
            raise TypeError("the number of an entry is a whole number")
        rest = ",".join(map(_text, (before, at, operation, outcome, detail)))
        text = f"[{number},{rest}]"
        return cls(number, before, at, operation, outcome, detail, text, _sha256(text))

    def row(self) -> list[Any]:
        """The fields as JSON values."""
        return list(self[:6])


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


@dataclass(slots=True)
class Waiting:
    """An entry that is not in the log yet."""

    at: datetime
    operation: str
    outcome: str
    detail: str
    """Canonical JSON."""
    done: bool = False


class Chain:
    """The end of a log, as far as this process knows it."""

    def __init__(self) -> None:
        self._seen: tuple[bytes, Header] | None = None
        """An entry as it is in the log, and its header."""
        self._written: Header | None = None
        """The newest entry that this process has surely written."""

    def following(self, newest: bytes | None, waiting: Sequence[Waiting]) -> list[bytes]:
        """Entries that follow the newest one of the log. If that is older than one that this process has written, the
        log was cut off: they follow the written one, so that the gap shows.
        """
        before, written = self._header(newest), self._written
        if written is not None and (before is None or before.number < written.number):
            before = written
        made = []
        for entry in waiting:
            number, digest = (1, FIRST) if before is None else (before.number + 1, before.hash)
            before = header_of(number, digest, entry.at, (entry.operation, entry.outcome), entry.detail)
            made.append(encode(before, entry.detail))
        if before is not None and made:
            self._seen = made[-1], before
        return made

    def written(self, newest: bytes) -> None:
        """Note that the entries up to this one, which `following` made, are in the log."""
        header = self._header(newest)
        if self._written is None or (header is not None and header.number > self._written.number):
            self._written = header

    def _header(self, data: bytes | None) -> Header | None:
        if data is None:
            return None
        seen = self._seen
        return seen[1] if seen is not None and seen[0] == data else decode(data)[0]


def encode(header: Header, detail: str) -> bytes:
    """The bytes of an entry. `detail` is canonical JSON, as `header` has its hash."""
    return f'{{"detail":{detail},"hash":"{header.hash}","header":{header.text}}}'.encode()


def decode(data: bytes) -> tuple[Header, dict[str, Any]]:
    """Header and detail of an entry. Raises `Corrupt` if any byte is not as it was written."""
    try:
        found = json.loads(data)
        header, detail = Header.of(*found["header"]), found["detail"]
        text = canonical(detail)
        same = encode(header, text) == data and _sha256(text) == header.detail
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise Corrupt(f"it is not an entry of an audit log: {type(error).__name__}") from error
    if not same:
        raise Corrupt("it was changed")
    return header, detail


def header_of(number: int, before: str, at: datetime, names: tuple[str, str], detail: str) -> Header:
    """The header of a new entry. `names` are operation and outcome, which are identifiers."""
    (operation, outcome), moment, digest = names, at.isoformat(), _sha256(detail)
    text = f'[{number},"{before}","{moment}","{operation}","{outcome}","{digest}"]'
    return Header(number, before, moment, operation, outcome, digest, text, _sha256(text))


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


def detail_of(
    scope: Mapping[str, str] | None, found: Traced, nonce: str, who: Acting = NOONE, most: int | None = None
) -> str:
    """The detail of an entry, as canonical JSON without what is empty. At most `most` ids are named."""
    actor = request = changes = ids = data = owner = ""
    if who is not NOONE:
        actor = "" if who.actor is None else f'"actor":{_text(who.actor)},'
        request = "" if who.correlation_id is None else f'"correlation_id":{_text(who.correlation_id)},'
    if found.changes:
        rows = [f'[{_text(id)},{version},"{digest}"]' for id, version, digest in found.changes]
        changes = f'"changes":[{",".join(rows)}],'
    if found.data:
        data = f'"data":{canonical(found.data)},'
    if names := found.ids if found.changes else texts(found.ids, most or len(found.ids)):
        ids = f'"ids":[{",".join(map(_text, names))}],'
    if scope:
        parts = [f'"{name}":{_text(scope[name])}' for name in (sorted(scope) if len(scope) > 1 else scope)]
        owner = f',"scope":{{{",".join(parts)}}}'
    return f'{{{actor}{changes}{request}{data}{ids}"nonce":"{nonce}"{owner}}}'


def scope_to_json(given: Mapping[str, Any]) -> dict[str, str]:
    """The scope that a call names, without anything but texts."""
    return {
        name: value
        for name in SCOPE
        if name in given and isinstance(value := given[name], str) and _valid(value)
    }


def scope_of(scope: Scope) -> dict[str, str]:
    """A scope as an entry has it."""
    return {name: value for name in SCOPE if (value := getattr(scope, name)) is not None}


def texts(values: Sequence[Any], most: int) -> list[str]:
    """Those that are text, at most `most`: a refused call may name anything."""
    return [
        value for value in values[:most] if isinstance(value, str) and _valid(value) and len(value) <= 1000
    ]


def _valid(text: str) -> bool:
    return text.isascii() or text == text.encode("utf-8", "ignore").decode()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
