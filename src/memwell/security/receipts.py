"""Receipts: signed statements of what was removed for good, from where, and what is left.

A receipt holds ids, counts and keyed digests, never contents. As a file it is one line of canonical JSON: `verify`
refuses any other byte, signed or not. Without a key a receipt is only protected by a checksum, and says so.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from memwell._dataclasses import dataclass
from memwell.errors import Corrupt
from memwell.fields import SCOPE
from memwell.security.signing import UNSIGNED, Key, Signature, seal, unseal
from memwell.types import Scope, Trace
from memwell.values import Short, Value

__all__ = ["Erased", "Receipt", "canonical", "parse", "signed", "verify"]

FORM: Final = "memwell receipt 1"
_encoder = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased(Value):
    """One memory that was erased."""

    id: str
    versions: int = 0
    """How many versions it had; 0 if it was gone before."""
    digest: str | None = None
    """BLAKE2b of its last content, keyed by the key that signs; `None` without a key."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Receipt(Value):
    """What was erased, from where, when and why. `memwell.security.receipts.verify` checks its text."""

    id: str
    action: str
    """`erase`, or `shred` for a tenant whose key was destroyed."""
    scope: Scope
    """The scope that the call named."""
    reason: str
    actor: str | None = None
    begun_at: datetime
    finished_at: datetime | None = None
    """When the last place was read back; `None` while a place is pending."""
    records: tuple[Erased, ...] = ()
    traces: tuple[Trace, ...] = ()
    """Each place where something was kept, and what is there now."""
    signature: Signature | None = None

    @property
    def complete(self) -> bool:
        """Whether no place is left that could not be reached."""
        return self.finished_at is not None and not self.pending

    @property
    def pending(self) -> tuple[Trace, ...]:
        """The places that are tried again when the receipt is completed."""
        return tuple(trace for trace in self.traces if trace.state == "pending")

    @property
    def remaining(self) -> tuple[Trace, ...]:
        """What memwell cannot remove by itself, such as a server's own log, or was stored again meanwhile."""
        return tuple(trace for trace in self.traces if trace.state in ("remains", "returned"))

    @property
    def is_signed(self) -> bool:
        """Whether a key signed it; otherwise it has only a checksum."""
        return self.signature is not None and self.signature.algorithm != UNSIGNED

    def to_json(self) -> str:
        """The text of a receipt file: one line, with a newline."""
        return canonical({**_payload(self), "signature": _plain(self.signature)}) + "\n"

    def _short(self) -> Short:
        yield None, self.id
        yield "action", self.action
        yield "records", len(self.records)
        yield "complete", self.complete
        yield "signed", self.is_signed


def signed(receipt: Receipt, key: Key | None) -> Receipt:
    """The receipt with its signature."""
    return replace(receipt, signature=seal(canonical(_payload(receipt)).encode(), key))


def verify(text: str | bytes, key: Key | None = None) -> Receipt:
    """The receipt of a text that was not changed since it was signed. Raises `Corrupt` that says what is wrong, and
    `ConfigError` for an HMAC without its secret. Without a key, Ed25519 is verified by the public key that the receipt
    itself names: compare that with the one you trust.
    """
    receipt = parse(text)
    if receipt.signature is None:
        raise Corrupt("the receipt cannot be trusted: it is not signed")
    wrong = unseal(canonical(_payload(receipt)).encode(), receipt.signature, key)
    if wrong is not None:
        raise Corrupt(f"the receipt cannot be trusted: {wrong}")
    return receipt


def parse(text: str | bytes) -> Receipt:
    """The receipt of a text in its one canonical form, signed by any key or none. Raises `Corrupt`."""
    try:
        given = text.decode("utf-8") if isinstance(text, bytes) else text
        receipt = _receipt(json.loads(given))
        same = receipt.to_json() == given
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise Corrupt(f"this is not a receipt: {type(error).__name__}") from error
    if not same:
        raise Corrupt("the receipt cannot be trusted: it was changed")
    return receipt


def canonical(value: Any) -> str:
    """JSON in the one form that is signed: keys in order, no spaces."""
    return _encoder.encode(value)


def _payload(receipt: Receipt) -> dict[str, Any]:
    scope = {name: value for name in SCOPE if (value := getattr(receipt.scope, name)) is not None}
    return {
        "form": FORM,
        "id": receipt.id,
        "action": receipt.action,
        "scope": scope,
        "reason": receipt.reason,
        "actor": receipt.actor,
        "begun_at": _text(receipt.begun_at),
        "finished_at": _text(receipt.finished_at),
        "records": [[one.id, one.versions, one.digest] for one in receipt.records],
        "traces": [[one.place, one.state, one.detail] for one in receipt.traces],
    }


def _plain(signature: Signature | None) -> list[str] | None:
    return None if signature is None else [signature.algorithm, signature.key, signature.value]


def _receipt(data: dict[str, Any]) -> Receipt:
    if data["form"] != FORM:
        raise ValueError(data["form"])
    signature = data["signature"]
    return Receipt(
        id=data["id"],
        action=data["action"],
        scope=Scope(**data["scope"]),
        reason=data["reason"],
        actor=data["actor"],
        begun_at=_moment(data["begun_at"]) or datetime.max.replace(tzinfo=UTC),
        finished_at=_moment(data["finished_at"]),
        records=tuple(Erased(id=id, versions=n, digest=digest) for id, n, digest in data["records"]),
        traces=tuple(_trace(given) for given in data["traces"]),
        signature=None if signature is None else Signature(*signature),
    )


def _trace(given: Sequence[Any]) -> Trace:
    place, state, detail = given
    return Trace(place=place, state=state, detail=detail)


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat()


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
