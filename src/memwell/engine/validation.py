"""What callers hand in, checked against the limits and turned into records. Pure: clock and ids come in as
arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, Final

from memwell.errors import InvalidInput
from memwell.filters import instant
from memwell.records.codec import dumps
from memwell.types import DEFAULT_TENANT, Link, NewMemory, Record, Scope

__all__ = ["LIMITS", "Template", "check_changes", "check_content", "check_id", "check_link", "scope_of"]

LIMITS: Final = {
    "content_bytes": 1_048_576,
    "metadata_bytes": 65_536,
    "metadata_depth": 16,
    "tags": 100,
    "text": 256,
}
"""The most that is taken: bytes of UTF-8, levels, tags a record, and characters of an id, tag or other short
text.
"""


def scope_of(
    tenant_id: str | None,
    user_id: str | None,
    agent_id: str | None,
    session_id: str | None,
    namespace: str | None,
) -> Scope:
    """A checked scope; no tenant means the default one."""
    named = (
        ("tenant_id", tenant_id),
        ("user_id", user_id),
        ("agent_id", agent_id),
        ("session_id", session_id),
        ("namespace", namespace),
    )
    for name, value in named:
        if value is not None:
            _short(name, value)
    return Scope(
        tenant_id=DEFAULT_TENANT if tenant_id is None else tenant_id,
        user_id=user_id,
        agent_id=agent_id,
        session_id=session_id,
        namespace=namespace,
    )


class Template:
    """What the records of one `remember` call have in common, checked once."""

    __slots__ = ("_fields", "_now", "_shared", "dated", "id")

    def __init__(self, given: Mapping[str, Any], now: datetime, *, embedded: bool) -> None:
        """`given` are fields of `NewMemory` and a tenant, `embedded` whether vectors are going to be stored."""
        self._now = now
        self.id: str | None = None
        self.dated = False
        self._shared = True
        self._fields: dict[str, Any] = {
            "scope": scope_of(*map(given.get, _OWNER)),
            "created_at": now,
            "updated_at": now,
            "embedded": embedded,
        }
        self._take(given)

    def over(self, item: NewMemory) -> Template:
        """The template of an item that says some things itself."""
        own = {name: value for name in _ITEM if (value := getattr(item, name)) is not None}
        if not own:
            return self
        found = object.__new__(Template)
        found._now, found.id, found.dated = self._now, self.id, self.dated
        found._fields, found._shared = dict(self._fields), "metadata" not in own
        owner = {name: own[name] for name in _OWNER if name in own}
        if owner:
            base = found._fields["scope"]
            names = (owner.get(name, getattr(base, name)) for name in _OWNER)
            found._fields["scope"] = scope_of(*names)
        found._take(own)
        return found

    def record(self, content: object, new_id: Callable[[], str]) -> Record:
        """The record of one content."""
        fields = self._fields
        if self._shared and "metadata" in fields:
            fields = {**fields, "metadata": deepcopy(fields["metadata"])}
        return Record(id=self.id or new_id(), content=check_content(content), **fields)

    def _take(self, given: Mapping[str, Any]) -> None:
        """Check what is given, but for the owner, and keep it."""
        fields = self._fields
        for name, check in _CHECKS.items():
            value = given.get(name)
            if value is not None:
                fields[name] = check(value)
        if given.get("id") is not None:
            self.id = check_id(given["id"])
        if given.get("created_at") is not None:
            self.dated = True
            fields["created_at"] = fields["updated_at"] = _time("created_at", given["created_at"])
        ttl, expires_at = given.get("ttl"), given.get("expires_at")
        if ttl is not None or expires_at is not None:
            fields["expires_at"] = _expiry(ttl, expires_at, self._now)


_OWNER: Final = ("tenant_id", "user_id", "agent_id", "session_id", "namespace")
_ITEM: Final = tuple(name for name in NewMemory.__dataclass_fields__ if name != "content")


def check_changes(changes: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The fields of a change, checked and normalised; `None` clears those that a record may lack."""
    return {name: _changed(name, value, now) for name, value in changes.items()}


def _changed(name: str, value: Any, now: datetime) -> Any:
    if value is None and name in _ABSENT:
        return None
    if name == "content":
        return check_content(value)
    return _future(value, now) if name == "expires_at" else _CHECKS[name](value)


def check_content(content: object) -> str:
    """A content within the limits, as it is. Raises `InvalidInput`."""
    if not isinstance(content, str):
        raise InvalidInput(f"content is a text, not {type(content).__name__}")
    if not content or content.isspace():
        raise InvalidInput("content is empty; there is nothing to remember")
    size = len(_encoded("content", content))
    if size > LIMITS["content_bytes"]:
        raise InvalidInput(
            f"content has {size:,} bytes, the limit is {LIMITS['content_bytes']:,}; split it into several memories"
        )
    return content


def check_id(id: object) -> str:
    """An id within the limits."""
    return _short("id", id)


def check_link(kind: object, strength: object) -> tuple[str, float]:
    """The kind and strength of a relationship."""
    return _short("kind", kind), _unit("strength", strength)


def check_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """Tags without repetition, order kept."""
    if isinstance(tags, str) or not isinstance(tags, Sequence | set | frozenset):
        raise InvalidInput("tags are a list of texts, such as ['work', 'travel']")
    if len(tags) > LIMITS["tags"]:
        raise InvalidInput(f"{len(tags)} tags given, the limit is {LIMITS['tags']}")
    ordered = sorted(tags) if isinstance(tags, set | frozenset) else tags
    return tuple(dict.fromkeys(_short("tag", tag) for tag in ordered))


def check_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata as plain JSON values of our own: datetimes as ISO 8601 text in UTC, tuples as lists."""
    if not isinstance(metadata, Mapping):
        raise InvalidInput(f"metadata is a mapping, not {type(metadata).__name__}")
    plain: dict[str, Any] = _plain(metadata, 1)
    size = len(_encoded("metadata", dumps(plain)))
    if size > LIMITS["metadata_bytes"]:
        limit = LIMITS["metadata_bytes"]
        raise InvalidInput(
            f"metadata has {size:,} bytes as JSON, the limit is {limit:,}; put long texts into content"
        )
    return plain


def moment_of(name: str, value: datetime | str) -> datetime:
    """A time argument as an instant in UTC."""
    return _time(name, value)


def _plain(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        _encoded("metadata text", value)
        return value
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, date):
        moment = instant(value)
        return moment.isoformat() if moment else None
    if depth > LIMITS["metadata_depth"]:
        raise InvalidInput(f"metadata nests deeper than {LIMITS['metadata_depth']} levels")
    if isinstance(value, Mapping):
        return {_metadata_key(key): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [_plain(item, depth + 1) for item in value]
    raise InvalidInput(f"metadata holds a {type(value).__name__}; JSON values and datetimes are taken")


def _number(value: float) -> float:
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise InvalidInput("metadata holds an integer beyond 64 bits; give it as text")
        return int(value)
    if value != value or value in (float("inf"), float("-inf")):
        raise InvalidInput("metadata holds NaN or infinity, which JSON does not know")
    return float(value)


def _metadata_key(key: object) -> str:
    if not isinstance(key, str) or not key or '"' in key:
        raise InvalidInput(f"a metadata key is a non-empty text without quotes, not {key!r}")
    _encoded("metadata key", key)
    return key


def _encoded(name: str, text: str) -> bytes:
    if "\0" in text:
        raise InvalidInput(f"{name} holds a NUL character, which some stores cannot keep; remove it")
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(
            f"{name} holds a lone surrogate and is not valid unicode; repair the text"
        ) from error


def _short(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise InvalidInput(f"{name} is a text, not {type(value).__name__}")
    if not value or len(value) > LIMITS["text"]:
        raise InvalidInput(f"{name} has {len(value)} characters; 1 to {LIMITS['text']} are taken")
    if not value.isascii() or "\0" in value:
        _encoded(name, value)
    return value


def _unit(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InvalidInput(f"{name} is a number from 0 to 1, not {value!r}")
    return float(value)


def _time(name: str, value: object) -> datetime:
    moment = instant(value)
    if moment is None:
        raise InvalidInput(
            f"{name} is a datetime or ISO 8601 text such as 2024-05-31T12:00:00+00:00, not {value!r}"
        )
    return moment


def _future(value: object, now: datetime) -> datetime:
    moment = _time("expires_at", value)
    if moment <= now:
        raise InvalidInput(f"expires_at {moment.isoformat()} is already past; nothing was stored")
    return moment


def _expiry(ttl: object, expires_at: object, now: datetime) -> datetime:
    """When one of the two, which is given, says."""
    if ttl is None:
        return _future(expires_at, now)
    if expires_at is not None:
        raise InvalidInput("give ttl or expires_at, not both")
    return now + ttl_of(ttl)


def ttl_of(ttl: object) -> timedelta:
    """A time to live in seconds or as a timedelta, over 0."""
    if isinstance(ttl, int | float) and not isinstance(ttl, bool) and 0 < ttl < 1e11:
        ttl = timedelta(seconds=ttl)
    if not isinstance(ttl, timedelta) or ttl <= timedelta(0):
        raise InvalidInput(f"ttl is a number of seconds over 0 or a timedelta, not {ttl!r}")
    return ttl


_CHECKS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "metadata": check_metadata,
    "tags": check_tags,
    "importance": partial(_unit, "importance"),
    "kind": partial(_short, "kind"),
    "category": partial(_short, "category"),
    "tier": partial(_short, "tier"),
    "source": partial(_short, "source"),
}
"""Field of a record that a caller may set → its check."""
_ABSENT: Final = frozenset({"category", "tier", "source", "expires_at"})


def link(target: str, kind: str, strength: float, now: datetime) -> Link:
    """A checked relationship."""
    kind, strength = check_link(kind, strength)
    return Link(target=check_id(target), kind=kind, strength=strength, created_at=now)
