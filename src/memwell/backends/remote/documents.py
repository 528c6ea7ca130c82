"""How a record travels in a memory of another service.

The service's own fields are filled as far as it has them, so that its other clients see a memory like any other. Under
one key of the metadata, `memwell`, stands the whole record as a text: what the service has no place for, and what it
would store less exactly. A memory that another client wrote has no such text and is read from the service's fields.

What another client changes in a memory of ours is seen: a new text replaces the content, and new values of metadata
that stand in the service's own metadata, too, replace ours.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import field, replace
from typing import Any, Final

from memwell._dataclasses import dataclass
from memwell.errors import Corrupt
from memwell.records.codec import record_from_json, record_to_json
from memwell.types import Record

__all__ = ["KEY", "Document", "is_uuid", "pack", "plain", "shown"]

KEY: Final = "memwell"
"""The key of the metadata under which the record stands."""
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_EXACT: Final = 2**53
"""Whole numbers below are the same in every JSON library."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A memory as the service has it."""

    key: str
    """The service's own id."""
    native: Record
    """What the service's fields say, with `key` as the id. Its metadata are those of the service without `KEY`."""
    carried: str | None = None
    """The text under `KEY`; `None` if another client wrote the memory."""
    raw: Mapping[str, Any] = field(default_factory=dict)
    """The service's metadata as they are."""
    rewritten: bool = False
    """The service has put a text of its own in place of ours."""
    record: Record = field(init=False)
    """The record; as of every record of a service, without vectors of ours."""
    named: bool = field(init=False, default=False)
    """Whether the record has an id of its own, and not the service's."""
    linked: bool = field(init=False, default=False)
    """Whether a relationship points to the record, or once did."""

    def __post_init__(self) -> None:
        if self.carried is None:
            object.__setattr__(self, "record", self.native)
            return
        data = _decoded(self.carried, self.key)
        object.__setattr__(self, "named", "id" in data)
        object.__setattr__(self, "linked", bool(data.pop("linked", False)))
        object.__setattr__(self, "record", self._unpacked(data))

    def _unpacked(self, data: dict[str, Any]) -> Record:
        native = self.native
        edited = not self.rewritten and data.pop("shown", None) != _digest(native.content)
        carried = data.pop("content", native.content)
        data.pop("shown", None)
        try:
            record = record_from_json(
                {"id": self.key, **data, "content": native.content if edited else carried}
            )
        except Corrupt as error:
            raise _corrupt(self.key, error) from error
        metadata = {
            name: native.metadata[name]
            if plain(value) and name in native.metadata and native.metadata[name] != value
            else value
            for name, value in record.metadata.items()
        }
        updated = max(record.updated_at, native.updated_at) if edited else record.updated_at
        return replace(record, metadata=metadata, updated_at=updated)


def pack(record: Record, *, shown: str, named: bool, linked: bool = False, whole: bool = False) -> str:
    """The text that carries a record; `shown` is what the service gets as the text of the memory. If that is not the
    content, or with `whole`, the content is in it, too.

    ASCII, since some services change or refuse other characters.
    """
    data = record_to_json(record)
    data.pop("embedded", None)
    if not named:
        del data["id"]
    if shown == record.content and not whole:
        del data["content"]
    if linked:
        data["linked"] = True
    data["shown"] = _digest(shown)
    found = {name: value for name, value in data.items() if value not in ({}, [])}
    return json.dumps(found, allow_nan=False, separators=(",", ":"))


def shown(content: str, limit: int) -> str:
    """The text that a service gets for a content: without blanks around it, at most `limit` characters, never empty."""
    text = content.replace("\0", "\ufffd").strip()
    if len(text) > limit:
        text = f"{text[: limit - 1].rstrip()}…"
    return text or "…"


def is_uuid(text: str) -> bool:
    """Whether an id has the form that services give: a UUID in lower case."""
    return _UUID.fullmatch(text) is not None


def plain(value: Any) -> bool:
    """Whether every service stores a value of metadata as it is."""
    if isinstance(value, str):
        return "\0" not in value
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, bool) or (isinstance(value, int) and abs(value) < _EXACT)


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _decoded(text: str, key: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise _corrupt(key, error) from error
    if not isinstance(data, dict):
        raise _corrupt(key, TypeError("it is no JSON object"))
    return data


def _corrupt(key: str, error: Exception) -> Corrupt:
    return Corrupt(
        f"memory {key!r} cannot be read, since its metadata {KEY!r} were changed: {error};"
        f" remove them in the service, which leaves its text, or delete the memory there"
    )
