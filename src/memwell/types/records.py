"""A memory and its owner: what is given to be stored, and what is stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias, TypedDict

from memwell._dataclasses import dataclass
from memwell.fields import NARROWING
from memwell.frozen import EMPTY, FrozenDict, freeze
from memwell.values import Short, Value, shortened

__all__ = [
    "DEFAULT_TENANT",
    "JSON",
    "Link",
    "Message",
    "Mode",
    "NewMemory",
    "OfRecord",
    "Owner",
    "Progress",
    "Record",
    "Scope",
    "Where",
]

JSON: TypeAlias = "bool | int | float | str | Sequence[JSON] | Mapping[str, JSON] | None"
"""The type of metadata values. Datetimes are stored as ISO 8601 text in UTC."""

Where: TypeAlias = Mapping[str, Any]
"""A filter expression; its grammar and meaning are in `memwell.filters`."""

Progress: TypeAlias = Callable[[int, int], None]
"""Called with how many are done and how many there are."""

Message: TypeAlias = Mapping[str, object]
"""A chat message: `role`, `content`, and perhaps `name`."""

Mode: TypeAlias = Literal["hybrid", "semantic", "lexical"]

DEFAULT_TENANT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope(Value):
    """Who a record belongs to, or which records a call may see.

    The tenant is always compared exactly. On a record, `None` in another field means "nobody's in particular"; in a
    query it means "any". A record belongs to exactly one scope.

    Ids are compared code point by code point on every backend and returned as they were given: `José` written with
    one code point for `é` and with two are two users. Normalise ids (`unicodedata.normalize("NFC", …)`) before you
    pass them if they may come in both forms.
    """

    tenant_id: str = DEFAULT_TENANT
    user_id: str | None = None
    agent_id: str | None = None
    session_id: str | None = None
    """The conversation or thread."""
    namespace: str | None = None

    def sees(self, owner: Scope) -> bool:
        """Whether a query in this scope may see a record owned by `owner`."""
        return (
            self.tenant_id == owner.tenant_id
            and (self.user_id is None or self.user_id == owner.user_id)
            and (self.session_id is None or self.session_id == owner.session_id)
            and (self.agent_id is None or self.agent_id == owner.agent_id)
            and (self.namespace is None or self.namespace == owner.namespace)
        )


class Owner(TypedDict, total=False):
    """The parts of a scope as keywords, for `**owner` in a call; type checkers accept it."""

    tenant_id: str | None
    user_id: str | None
    agent_id: str | None
    session_id: str | None
    namespace: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Link(Value):
    """A directed relationship from the record that holds it to `target`."""

    target: str
    """Id of the other record, in the same tenant."""
    kind: str = "related"
    """`supersedes`, `contradicts`, `extends`, `related`, or a word of your own."""
    strength: float = 1.0
    """0..1"""
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Record(Value):
    """One memory as it is stored."""

    id: str
    """UUIDv7 text, or the caller's own; unique within the tenant."""
    scope: Scope
    content: str
    kind: str = "memory"
    metadata: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    """Read-only at every level, and equal to a plain dict; `{**record.metadata}` makes a copy to change."""
    tags: tuple[str, ...] = ()
    category: str | None = None
    importance: float = 0.5
    """0..1"""
    tier: str | None = None
    source: str | None = None
    created_at: datetime
    """When it was learnt: the time of the call, or the time the caller gave."""
    updated_at: datetime
    expires_at: datetime | None = None
    """From this moment on the record is never returned."""
    last_accessed_at: datetime | None = None
    access_count: int = 0
    """How often it was recalled; written in the background, so it may trail by some seconds."""
    reinforced: int = 0
    """How often exactly the same content was remembered again."""
    version: int = 1
    links: tuple[Link, ...] = ()
    """Outgoing relationships."""
    embedded: bool = False
    """Whether vectors of some model are stored for the current content."""
    valid_from: datetime | None = None
    """From when on it is true; `None`: from ever."""
    valid_to: datetime | None = None
    """From when on it is no longer true; `None`: until further notice."""

    def __post_init__(self) -> None:
        if type(self.metadata) is not FrozenDict:
            object.__setattr__(self, "metadata", freeze(self.metadata))

    @property
    def tenant_id(self) -> str:
        """The owner's tenant, as in `scope`."""
        return self.scope.tenant_id

    @property
    def user_id(self) -> str | None:
        """The owner's user, as in `scope`."""
        return self.scope.user_id

    @property
    def agent_id(self) -> str | None:
        """The owner's agent, as in `scope`."""
        return self.scope.agent_id

    @property
    def session_id(self) -> str | None:
        """The conversation, as in `scope`."""
        return self.scope.session_id

    @property
    def namespace(self) -> str | None:
        """The owner's namespace, as in `scope`."""
        return self.scope.namespace

    def _short(self) -> Short:
        yield None, shortened(self.content)
        yield "id", self.id
        for name in (*NARROWING, "category"):
            if getattr(self, name) is not None:
                yield name, getattr(self, name)
        if self.tags:
            yield "tags", list(self.tags)
        if self.version > 1:
            yield "version", self.version


class OfRecord(Value):
    """What holds a record has the record's fields, too."""

    __slots__ = ()

    record: Record

    @property
    def id(self) -> str:
        """The record's id."""
        return self.record.id

    @property
    def content(self) -> str:
        """The record's content."""
        return self.record.content

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The record's metadata."""
        return self.record.metadata

    @property
    def tags(self) -> tuple[str, ...]:
        """The record's tags."""
        return self.record.tags

    @property
    def category(self) -> str | None:
        """The record's category."""
        return self.record.category

    @property
    def kind(self) -> str:
        """The record's kind."""
        return self.record.kind

    @property
    def importance(self) -> float:
        """The record's importance."""
        return self.record.importance

    @property
    def source(self) -> str | None:
        """The record's source."""
        return self.record.source

    @property
    def created_at(self) -> datetime:
        """The record's time of creation: when it was learnt."""
        return self.record.created_at

    @property
    def updated_at(self) -> datetime:
        """The record's time of its last change."""
        return self.record.updated_at

    @property
    def expires_at(self) -> datetime | None:
        """The record's expiry."""
        return self.record.expires_at

    @property
    def valid_from(self) -> datetime | None:
        """Since when what it says is true; `None` if nothing says so."""
        return self.record.valid_from

    @property
    def valid_to(self) -> datetime | None:
        """Until when what it says is true; `None` if nothing says so."""
        return self.record.valid_to

    @property
    def tenant_id(self) -> str:
        """The record's tenant."""
        return self.record.tenant_id

    @property
    def user_id(self) -> str | None:
        """The record's user."""
        return self.record.user_id

    @property
    def agent_id(self) -> str | None:
        """The record's agent."""
        return self.record.agent_id

    @property
    def session_id(self) -> str | None:
        """The record's conversation."""
        return self.record.session_id

    @property
    def namespace(self) -> str | None:
        """The record's namespace."""
        return self.record.namespace


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMemory:
    """One item of a batch handed to `remember`. What is `None` is taken from the call's own arguments."""

    content: str
    id: str | None = None
    user_id: str | None = None
    agent_id: str | None = None
    session_id: str | None = None
    namespace: str | None = None
    metadata: Mapping[str, Any] | None = None
    tags: Sequence[str] | None = None
    category: str | None = None
    importance: float | None = None
    kind: str | None = None
    tier: str | None = None
    source: str | None = None
    ttl: float | timedelta | None = None
    expires_at: datetime | str | None = None
    created_at: datetime | str | None = None
    valid_from: datetime | str | None = None
    valid_to: datetime | str | None = None
