"""A record as a memory of mem0, and back. Pure.

| memwell | mem0 |
|---|---|
| `content` | the text, up to 8,000 characters; a longer one stands whole in the metadata |
| `user_id`, `agent_id`, `session_id`, `namespace` | `user_id`, `agent_id`, `run_id`, `app_id`, where the API has them |
| `metadata` | texts, numbers and flags under their names |
| `tags`, `category`, `importance`, `kind` | metadata of these names, unless the record's own have them |
| `created_at`, `expires_at` | the time of the memory, `expiration_date`, where the API takes them |
| the whole record | the metadata `memwell`, a text |

mem0 takes no blanks in the ids of users: they are percent-encoded. An owner of another tenant than `default` is
`tenant/owner`, and a memory without an owner is kept for the user `memwell`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote, unquote

from memwell.backends.remote.documents import KEY, Document, plain
from memwell.errors import Unavailable
from memwell.fields import FIELDS
from memwell.filters import instant
from memwell.types import DEFAULT_TENANT, Record, Scope

__all__ = [
    "ENTITIES",
    "LONGEST",
    "NOBODY",
    "document_of",
    "entities",
    "expiration_date",
    "tenant_prefix",
    "visible",
]

LONGEST: Final = 8000
"""Characters of a text; more than embedders read."""
NOBODY: Final = "memwell"
ENTITIES: Final = {
    "user_id": "user_id",
    "agent_id": "agent_id",
    "run_id": "session_id",
    "app_id": "namespace",
}
"""mem0's name of an owner → that of memwell."""
_TAKEN: Final = frozenset(
    "data hash created_at updated_at id text_lemmatized attributed_to user_id agent_id run_id app_id actor_id role"
    f" expiration_date session_id {KEY}".split()
)
"""Names that mem0 gives another meaning in its metadata."""
_UNKNOWN: Final = datetime(1970, 1, 1, tzinfo=UTC)


def entities(scope: Scope, known: Collection[str], *, owner: bool) -> dict[str, str]:
    """The scope in mem0's names, of those that the API knows. With `owner`, one without any is the user `memwell`."""
    found = {
        name: _encoded(scope.tenant_id, value)
        for name, ours in ENTITIES.items()
        if name in known and (value := getattr(scope, ours)) is not None
    }
    if owner and not found.keys() - {"app_id"}:
        found["user_id"] = _encoded(scope.tenant_id, NOBODY)
    return found


def tenant_prefix(tenant: str) -> str:
    """What the ids of the owners of another tenant than the default one begin with."""
    return f"{_plain(tenant)}/"


def visible(record: Record, *, lists: bool) -> dict[str, Any]:
    """The metadata that mem0's other clients see. Without `lists`, tags are one text."""
    found = {name: value for name, value in record.metadata.items() if name not in _TAKEN and plain(value)}
    beside = {
        "tags": list(record.tags) if lists else ", ".join(record.tags),
        "category": record.category,
        "importance": None if record.importance == FIELDS["importance"].default else record.importance,
        "kind": None if record.kind == "memory" else record.kind,
    }
    free = {n: v for n, v in beside.items() if v not in (None, [], "") and n not in record.metadata}
    return {**free, **found}


def expiration_date(record: Record) -> str | None:
    """The last day of a record; mem0 hides it from the day after."""
    if record.expires_at is None:
        return None
    last = record.expires_at - timedelta(microseconds=1)
    return last.date().isoformat()


def document_of(found: Any, *, rewritten: bool, part: str) -> Document:
    """A memory as an API gave it. Raises `Unavailable` for anything else."""
    if not isinstance(found, Mapping) or not isinstance(found.get("id"), str):
        raise Unavailable("the answer does not list memories; check the dialect and the address", part=part)
    raw = found.get("metadata")
    raw = raw if isinstance(raw, Mapping) else {}
    carried = raw.get(KEY)
    native = Record(
        id=found["id"],
        scope=_scope(found),
        content=str(found.get("memory") or found.get("content") or found.get("text") or ""),
        metadata={name: value for name, value in raw.items() if name != KEY},
        tags=tuple(tag for tag in found.get("categories") or () if isinstance(tag, str)),
        created_at=_moment(found.get("created_at")) or _UNKNOWN,
        updated_at=_moment(found.get("updated_at")) or _moment(found.get("created_at")) or _UNKNOWN,
        expires_at=_end(found.get("expiration_date")),
    )
    return Document(
        key=found["id"],
        native=native,
        carried=carried if isinstance(carried, str) else None,
        raw=raw,
        rewritten=rewritten,
    )


def _scope(found: Mapping[str, Any]) -> Scope:
    named = {ours: found.get(name) for name, ours in ENTITIES.items()}
    named["session_id"] = named["session_id"] or found.get("session_id")
    return Scope(**{name: unquote(str(value)) for name, value in named.items() if value})


def _encoded(tenant: str, id: str) -> str:
    return _plain(id) if tenant == DEFAULT_TENANT else tenant_prefix(tenant) + _plain(id)


def _plain(id: str) -> str:
    """An id without blanks; the same for ids that have none."""
    if unquote(id) == id and not any(character.isspace() for character in id):
        return id
    return "".join(quote(c, safe="") if c.isspace() or c == "%" else c for c in id)


def _moment(text: Any) -> datetime | None:
    if not isinstance(text, str):
        return None
    moment = instant(text)
    return moment.astimezone(UTC) if moment is not None else None


def _end(text: Any) -> datetime | None:
    """The moment after the last day of a memory."""
    day = _moment(text)
    return None if day is None else day + timedelta(days=1)
