"""A record as a memory of AutoMem, and back. Pure.

| memwell | AutoMem |
|---|---|
| `content` | the text, up to 2,000 characters; one of more than 500 stands whole in the metadata as well |
| owner | the tags `user_…`, `conversation_…`, `agent_…`, `namespace_…`, `tenant_…` (not for `default`), and `memwell` |
| `tags` | tags |
| `kind` | `type`; `memory` is `Memory` |
| `importance`, `created_at`, `updated_at` | `importance`, `timestamp`, `updated_at` |
| `last_accessed_at`, `valid_from`, `valid_to` | `last_accessed`, `t_valid`, `t_invalid` |
| `metadata`, `category` | texts, numbers and flags under their names; `category` |
| the whole record | the metadata `memwell`, a text |

General knowledge, which is of kind `knowledge` and nobody's, has the tags `global_knowledge` and `category_…` in lower
case. The tags `memwell:same:…` and `memwell:id:…` find exact duplicates and ids of a caller's own with one request.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, unquote

from memwell.backends.remote.documents import KEY, Document, pack, plain, shown
from memwell.backends.remote.drafts import Draft
from memwell.errors import Unavailable
from memwell.fields import NARROWING
from memwell.filters import instant
from memwell.records.codec import digest
from memwell.types import DEFAULT_TENANT, Record, Scope

__all__ = [
    "KNOWLEDGE",
    "LONGEST",
    "OURS",
    "body_of",
    "document_of",
    "id_tag",
    "owner_tags",
    "same_tag",
]

LONGEST: Final = 2000
"""AutoMem refuses longer texts."""
_SUMMARISED: Final = 500
"""AutoMem may put a summary in the place of longer texts."""
OURS: Final = "memwell"
"""The tag of every memory that memwell writes."""
KNOWLEDGE: Final = "global_knowledge"
_CONVERSATION: Final = "session_id"
_PREFIXES: Final = {
    name: "conversation_" if name == _CONVERSATION else name.removesuffix("id").rstrip("_") + "_"
    for name in sorted(NARROWING, key=lambda name: name != _CONVERSATION)
}
"""Part of a scope → how its tag begins; the narrowest part first."""
_CATEGORY: Final = "category_"
_ADDED: Final = frozenset({"enrichment", "entities", "original_content", "original_length", "was_summarized"})
"""Metadata that AutoMem adds by itself."""
_UNKNOWN: Final = datetime(1970, 1, 1, tzinfo=UTC)


def owner_tags(scope: Scope) -> list[str]:
    """The tags of the owners that a scope names, the narrowest first."""
    found = [
        prefix + _tag(value)
        for name, prefix in _PREFIXES.items()
        if (value := getattr(scope, name)) is not None
    ]
    return found if scope.tenant_id == DEFAULT_TENANT else [*found, f"tenant_{_tag(scope.tenant_id)}"]


def same_tag(record: Record) -> str:
    """The tag of exact duplicates."""
    return f"{OURS}:same:{digest(record) & (2**64 - 1):016x}"


def id_tag(tenant: str, id: str) -> str:
    """The tag of an id of the caller's own."""
    text = "\0".join((tenant, id))
    return f"{OURS}:id:{hashlib.blake2b(text.encode(), digest_size=12).hexdigest()}"


def body_of(draft: Draft, before: Mapping[str, Any], limit: int) -> dict[str, Any]:
    """What AutoMem is sent of a record; `before` are the metadata that it has, which others may have added to."""
    record = draft.record
    assert record is not None
    text = shown(record.content, limit)
    whole = len(text) > _SUMMARISED
    carried = pack(record, shown=text, named=draft.named, linked=draft.linked, whole=whole)
    return {
        "content": text,
        "type": "Memory" if record.kind == "memory" else record.kind,
        "tags": _tags(record, draft),
        "importance": record.importance,
        "metadata": {**_foreign(before), **_visible(record), KEY: carried},
        "timestamp": record.created_at.isoformat(),
        "updated_at": record.updated_at.isoformat(),
        "last_accessed": (record.last_accessed_at or record.updated_at).isoformat(),
        "t_valid": (record.valid_from or record.created_at).isoformat(),
        "t_invalid": None if record.valid_to is None else record.valid_to.isoformat(),
    }


def document_of(found: Any, id: str | None, *, part: str) -> Document:
    """A memory as AutoMem gave it. Raises `Unavailable` for anything else."""
    key = id or (found.get("id") if isinstance(found, Mapping) else None)
    if not isinstance(found, Mapping) or not isinstance(key, str):
        raise Unavailable("the answer does not list memories; check the address", part=part)
    raw = _metadata(found.get("metadata"))
    tags = [tag for tag in found.get("tags") or () if isinstance(tag, str)]
    created = _moment(found.get("timestamp")) or _UNKNOWN
    scope, left = _scope(tags)
    knowledge = KNOWLEDGE in left and scope.user_id is None
    category = raw.get("category") if isinstance(raw.get("category"), str) else None
    if knowledge:
        category = next((tag[len(_CATEGORY) :] for tag in left if tag.startswith(_CATEGORY)), category)
        left = [tag for tag in left if tag != KNOWLEDGE and not tag.startswith(_CATEGORY)]
    kind, valid = str(found.get("type") or "Memory"), _moment(found.get("t_valid"))
    carried = raw.get(KEY)
    native = Record(
        id=key,
        scope=scope,
        content=str(raw.get("original_content") or found.get("content") or ""),
        kind="knowledge" if knowledge else "memory" if kind == "Memory" else kind,
        metadata={n: v for n, v in raw.items() if n not in _ADDED and n != KEY},
        tags=tuple(left),
        category=category,
        importance=_share(found.get("importance")),
        created_at=created,
        updated_at=_moment(found.get("updated_at")) or created,
        valid_from=None if valid == created else valid,
        valid_to=_moment(found.get("t_invalid")),
    )
    return Document(
        key=key,
        native=native,
        carried=carried if isinstance(carried, str) else None,
        raw=raw,
        rewritten=bool(raw.get("was_summarized")),
    )


def _tags(record: Record, draft: Draft) -> list[str]:
    found = [*record.tags, *owner_tags(record.scope), OURS, same_tag(record)]
    if record.kind == "knowledge" and record.user_id is None:
        found.append(KNOWLEDGE)
        if record.category is not None:
            found.append(_CATEGORY + record.category.lower())
    if draft.named:
        found.append(id_tag(record.scope.tenant_id, record.id))
    return list(dict.fromkeys(found))


def _visible(record: Record) -> dict[str, Any]:
    """The metadata that AutoMem's other clients see."""
    found = {n: v for n, v in record.metadata.items() if plain(v) and n not in _ADDED and n != KEY}
    if record.category is not None:
        found.setdefault("category", record.category)
    return found


def _foreign(before: Mapping[str, Any]) -> dict[str, Any]:
    """What others have put into the metadata of a memory of ours: AutoMem replaces all of them in an update."""
    carried = before.get(KEY)
    try:
        known = json.loads(carried).get("metadata", {}) if isinstance(carried, str) else {}
    except (ValueError, AttributeError):
        known = {}
    return {
        name: value for name, value in before.items() if name not in known and name not in ("category", KEY)
    }


def _scope(tags: Sequence[str]) -> tuple[Scope, list[str]]:
    """The owner that tags name, and the tags that are left."""
    owner: dict[str, str] = {}
    left = []
    for tag in tags:
        name = next((n for n, prefix in _PREFIXES.items() if tag.startswith(prefix) and tag != prefix), None)
        if name is not None and name not in owner:
            owner[name] = unquote(tag[len(_PREFIXES[name]) :])
        elif tag != OURS and not tag.startswith(f"{OURS}:"):
            left.append(tag)
    return Scope(**owner), left


def _tag(id: str) -> str:
    """An id as a part of a tag: AutoMem cuts blanks off, and compares without regard to case."""
    stays = id == id.strip() and len(id.lower()) == len(id) and unquote(id) == id
    return id if stays else quote(id, safe="")


def _metadata(found: Any) -> dict[str, Any]:
    if isinstance(found, str):
        try:
            found = json.loads(found)
        except ValueError:
            return {}
    return dict(found) if isinstance(found, Mapping) else {}


def _moment(text: Any) -> datetime | None:
    moment = instant(text) if isinstance(text, str) else None
    return None if moment is None else moment.astimezone(UTC)


def _share(number: Any) -> float:
    return min(1.0, max(0.0, float(number))) if isinstance(number, int | float) else 0.5
