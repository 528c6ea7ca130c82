"""Records and filters as an encrypted store holds them, and records back. Pure, given the cipher of the tenant."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from datetime import datetime
from typing import Any, Final

from memwell import filters
from memwell.errors import ConfigError, Corrupt, InvalidInput, NotSupported
from memwell.filters import And, Choices, Clause, Node, Not, Or
from memwell.frozen import EMPTY, FrozenDict
from memwell.ports.store.operations import Form
from memwell.ports.store.search import Features
from memwell.records.codec import json_mapping
from memwell.records.compiled import compiled
from memwell.retrieval.analysis.features import plain_lexemes_and_signals, read_signals, speaker_in
from memwell.sealed import ENTRY, Envelope, is_sealed
from memwell.security.cipher import TenantCipher
from memwell.types import Record, Where

__all__ = [
    "as_where",
    "features_of",
    "form_of",
    "is_current",
    "metadata_of",
    "opened",
    "sealed",
    "sealed_content",
    "sealed_metadata",
    "sealed_where",
]

_ordered: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
_NAMES: Final = [f.name for f in fields(Record) if f.name not in ("content", "metadata")]
_REST: Final = ", ".join(f"{name}=record.{name}" for name in _NAMES)


def sealed(cipher: TenantCipher, record: Record) -> Record:
    """A record as a store holds it."""
    content = sealed_content(
        cipher,
        record.content,
        record.id,
        created_at=record.created_at,
        in_session=record.session_id is not None,
    )
    return with_text(record, content, sealed_metadata(cipher, record.metadata, record.id))


def form_of(cipher: TenantCipher, record: Record) -> Form:
    """Content and metadata of a record as a store holds them."""
    made = sealed(cipher, record)
    return made.content, made.metadata


def is_current(cipher: TenantCipher, record: Record) -> bool:
    """Whether all of a stored record is encrypted by the current data key."""
    envelope, entry = Envelope.read(record.content), str(record.metadata.get(ENTRY, ""))
    if envelope is None or (record.metadata and not entry):
        return False
    parts = (envelope.ciphertext, entry.rpartition(":")[2], envelope.signals.rpartition("\t~")[2])
    return all(part.partition(".")[0] == cipher.current for part in parts if part.partition(".")[1])


def sealed_content(
    cipher: TenantCipher, content: str, id: str, *, created_at: datetime, in_session: bool
) -> str:
    """The envelope of a content, with its index terms and signals."""
    lexemes, line = plain_lexemes_and_signals(content, EMPTY, created_at, in_session=in_session)
    terms = cipher.terms(lexemes)
    signals = _signals(cipher, line, id) if line else ""
    fingerprint = cipher.fingerprint(content)
    ciphertext = cipher.encrypt(content, id, "content", f"{fingerprint}\n{signals}\n{terms}")
    return Envelope(fingerprint, ciphertext, signals, terms).text()


def _signals(cipher: TenantCipher, line: str, id: str) -> str:
    """Signals of which a store needs only who spoke, and whether it asks; the rest is encrypted."""
    actor, share, spans = line.split("\t", 2)
    rest = "~" + cipher.encrypt(f"{share}\t{spans}", id, "signals") if share or spans.strip() else ""
    return "\t".join((cipher.speaker(actor) if actor else "", "1" if share else "", rest))


def features_of(cipher: TenantCipher, features: Features, id: str) -> Features:
    """The features of a record, decrypted."""
    if features.sealed is None and cipher.mixed and not cipher.is_speaker(features.actor):
        return features
    actor = cipher.spoken_by(features.actor) if features.actor else None
    if features.sealed is None:
        return replace(features, actor=actor)
    _, share, times, shifted = read_signals("\t" + cipher.decrypt(features.sealed, id, "signals"))
    return replace(features, actor=actor, question_share=share, intervals=times, shifted=shifted, sealed=None)


def sealed_metadata(cipher: TenantCipher, metadata: Mapping[str, Any], id: str) -> Mapping[str, Any]:
    """Metadata with hashed values, and the ciphertext of all. Raises `InvalidInput` for a key that is ours."""
    if not metadata:
        return EMPTY
    if ENTRY in metadata:
        raise InvalidInput(f"the metadata key {ENTRY!r} is used by the encryption; choose another name")
    speaker = speaker_in(metadata)
    token = cipher.speaker(speaker) if speaker else ""
    text = _ordered.encode(metadata)
    entry = f"{token}:{cipher.mark(text)}:{cipher.encrypt(text, id, 'metadata')}"
    return FrozenDict({**cipher.value(metadata), ENTRY: entry})


def opened(cipher: TenantCipher, record: Record) -> Record:
    """The inverse of `sealed`. Raises `KeyError` for an unknown data key, `Corrupt` for what was changed, `ConfigError`
    for a record that is not encrypted.
    """
    envelope = Envelope.read(record.content)
    if envelope is None:
        if cipher.mixed and not is_sealed(record.content):
            return record
        raise ConfigError(
            f"memory {record.id!r} is not encrypted: it was stored without encryption=; encrypt such memories by"
            " `memwell keys encrypt` or memory.encrypt()",
            part="encrypted",
        )
    bound = f"{envelope.fingerprint}\n{envelope.signals}\n{envelope.lexemes}"
    content = cipher.decrypt(envelope.ciphertext, record.id, "content", bound)
    metadata = metadata_of(cipher, record) if record.metadata else EMPTY
    return with_text(record, content, metadata)


def metadata_of(cipher: TenantCipher, record: Record) -> Mapping[str, Any]:
    """The metadata of a record, decrypted."""
    entry = record.metadata.get(ENTRY)
    if not isinstance(entry, str):
        raise Corrupt(
            f"the metadata of memory {record.id!r} lost their ciphertext; restore it from a backup, or forget it",
            part="encrypted",
        )
    return json_mapping(cipher.decrypt(entry.rpartition(":")[2], record.id, "metadata"))


with_text: Final[Callable[[Record, str, Mapping[str, Any]], Record]] = compiled(
    f"lambda record, content, metadata: Record(content=content, metadata=metadata, {_REST})",
    {"Record": Record},
)
"""The record with another content and other metadata; quicker than `dataclasses.replace`."""


# --------------------------------------------------------------------------------------------------- filters


def sealed_where(cipher: TenantCipher, where: Where | Node) -> Node:
    """A filter over sealed records. Raises `NotSupported` for what keyed hashes cannot answer."""
    node = filters.parse(where)
    if isinstance(node, Clause):
        return _clause(cipher, node)
    if isinstance(node, Not):
        return Not(sealed_where(cipher, node.part))
    parts = tuple(sealed_where(cipher, part) for part in node.parts)
    return And(parts) if isinstance(node, And) else Or(parts)


def as_where(node: Node) -> Where:
    """A tree as a filter that `filters.parse` takes."""
    if isinstance(node, Clause):
        name = node.field or "metadata." + ".".join(node.path)
        return {
            name: {node.operator: list(node.operand) if isinstance(node.operand, Choices) else node.operand}
        }
    if isinstance(node, Not):
        return {"$not": as_where(node.part)}
    if not node.parts:
        return {} if isinstance(node, And) else {"$not": {}}
    return {"$and" if isinstance(node, And) else "$or": [as_where(part) for part in node.parts]}


def _clause(cipher: TenantCipher, clause: Clause) -> Node:
    if clause.field == "content":
        return _of_content(cipher, clause)
    if clause.field is not None or clause.operator == "$exists":
        return clause
    name, path = ".".join(clause.path), "".join(f"\0{part}" for part in clause.path)
    if clause.operator in ("$eq", "$ne"):
        return replace(clause, operand=_operand(cipher, clause, name, path, clause.operand))
    if clause.operator in ("$in", "$nin"):
        choices = Choices(_operand(cipher, clause, name, path, each) for each in clause.operand)
        return replace(clause, operand=choices)
    if clause.operator == "$contains" and not isinstance(clause.operand, str):
        return replace(clause, operand=_operand(cipher, clause, name, path, clause.operand))
    raise _unsupported(clause.operator, name)


def _operand(cipher: TenantCipher, clause: Clause, name: str, path: str, operand: Any) -> Any:
    if isinstance(operand, datetime):
        raise _unsupported(f"{clause.operator} with a time", name)
    return cipher.value(operand, path)


def _of_content(cipher: TenantCipher, clause: Clause) -> Node:
    """Equality of contents, by their fingerprint."""
    operator, operand = clause.operator, clause.operand
    if operator == "$exists" or (operand is None and operator in ("$eq", "$ne")):
        return clause
    if operator in ("$eq", "$ne"):
        found: Node = _has(cipher, operand)
    elif operator in ("$in", "$nin"):
        found = Or(tuple(_has(cipher, each) for each in operand if each is not None))
    else:
        raise _unsupported(operator, "content")
    return found if operator in ("$eq", "$in") else Not(found)


def _has(cipher: TenantCipher, content: str) -> Clause:
    return Clause("content", (), "$contains", f"\n{cipher.fingerprint(content)}\n")


def _unsupported(operator: str, name: str) -> NotSupported:
    return NotSupported(
        f"{operator} on the encrypted {name!r} is not supported: only equality ($eq, $ne, $in, $nin, $exists) can be"
        " tested; compare after reading, or keep such a value in tags, category or source, which are not encrypted",
        part="encrypted",
    )
