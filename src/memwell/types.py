"""The values that all layers share: frozen, slotted, keyword-only, standard library only.

Times are aware datetimes in UTC with microsecond precision. Scores and weights lie in 0..1 unless said otherwise.
`None` means absent, never "unsupported". `memwell.fields` has the table of the fields of `Scope` and `Record`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias, TypedDict

from memwell.fields import NARROWING
from memwell.frozen import EMPTY, FrozenDict, freeze
from memwell.values import Short, Value, html_table, shortened

__all__ = [
    "Component",
    "Contradiction",
    "Encryption",
    "Health",
    "Hit",
    "Imported",
    "KeyStatus",
    "Link",
    "NewMemory",
    "Owner",
    "Page",
    "Problem",
    "Progress",
    "Record",
    "Reembedded",
    "Related",
    "Report",
    "Rotated",
    "Scope",
    "Stats",
    "Trace",
    "Version",
    "Where",
    "Why",
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


class _OfRecord(Value):
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Component(Value):
    """One signal of a score: it added `weight * value`."""

    name: str
    value: float
    weight: float

    @property
    def points(self) -> float:
        """What the signal contributed."""
        return self.value * self.weight

    def to_dict(self) -> dict[str, Any]:
        """As of every value, with `points`."""
        return {**super(Component, self).to_dict(), "points": self.points}


@dataclass(frozen=True, slots=True, kw_only=True)
class Why(Value):
    """Why a hit stands where it stands."""

    components: tuple[Component, ...] = ()
    """Every signal that contributed, largest contribution first."""
    passage: str | None = None
    """The matching part of a content that was longer than the model's window."""
    terms: tuple[str, ...] = ()
    """Query terms found in the content, as stems."""
    cosine: float | None = None
    """Cosine of the question and the content, −1..1; `None` without vectors."""
    notes: tuple[str, ...] = ()
    """What was different from usual, such as `semantic part unavailable`."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Hit(_OfRecord):
    """A record found by `recall`."""

    record: Record
    score: float
    """0..1, higher is better, the same meaning on every backend."""
    why: Why
    excerpt: str | None = None
    """The passage in place of a content that is too long for the `token_budget`."""
    contradicted_by: tuple[str, ...] = ()
    """Ids of the visible memories that contradict it, whichever of the two holds the link."""
    superseded_by: str | None = None
    """Id of the memory that supersedes it, with `superseded="show"`."""

    @property
    def text(self) -> str:
        """What to hand on: the excerpt, if there is one, or else the content."""
        return self.content if self.excerpt is None else self.excerpt

    def _short(self) -> Short:
        yield None, round(self.score, 3)
        yield "content", shortened(self.content)
        yield from list(self.record._short())[1:]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Version(_OfRecord):
    """A version of a record, and when the next one replaced it."""

    record: Record
    changed_at: datetime
    """When the next version replaced it; for the current one, when it was written."""
    changed: tuple[str, ...] = ()
    """Names of the fields that differ from the version before."""
    current: bool = False

    @property
    def version(self) -> int:
        """The version's number, from 1."""
        return self.record.version

    def to_dict(self) -> dict[str, Any]:
        """As of every value; an older version has no links."""
        return super(Version, self).to_dict() | ({} if self.current else {"links": []})

    def _short(self) -> Short:
        yield None, self.version
        yield "content", shortened(self.content)
        yield "changed", list(self.changed)
        yield "changed_at", f"{self.changed_at:%Y-%m-%d %H:%M}"
        yield "current", self.current


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Related(_OfRecord):
    """A record reached over relationships."""

    record: Record
    link: Link
    """The last relationship on the path, as the record that holds it has it."""
    depth: int
    """Number of relationships on the shortest path, from 1."""
    outgoing: bool
    """Whether the last relationship points to this record."""
    strength: float
    """Product of the strengths along the path."""

    def _short(self) -> Short:
        yield None, shortened(self.content)
        yield "id", self.id
        yield "link", self.link.kind
        yield "outgoing", self.outgoing
        yield "depth", self.depth
        yield "strength", round(self.strength, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction(Value):
    """Two memories that say the same of the same thing, with another value."""

    newer: Record
    older: Record
    kind: Literal["number", "date", "name", "word", "negation"]
    """What the values are; `negation`: one memory negates the other."""
    before: str
    """The value of the older one, as written."""
    after: str
    """The value of the newer one."""
    similarity: float
    """Share of the words of both that they have in common, 0..1."""
    reason: str
    """The words that both begin with, and what has changed behind them, as a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Page(Value):
    """A part of a listing."""

    records: tuple[Record, ...]
    cursor: str | None = None
    """Hand it to the next call; `None` means that this was the last page."""

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> Record:
        return self.records[index]

    def _short(self) -> Short:
        yield None, len(self.records)
        if self.records:
            yield "first", shortened(self.records[0].content)
        yield "cursor", self.cursor if self.cursor is None else shortened(self.cursor, 16)

    def _repr_html_(self) -> str:
        return html_table(self.records, "" if self.cursor is None else "There are more: see cursor.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats(Value):
    """Counts inside a scope."""

    records: int
    sessions: int
    users: int
    by_kind: Mapping[str, int]
    by_category: Mapping[str, int]
    versions: int
    """Older versions kept."""
    links: int
    embedded: Mapping[str, int]
    """Records that have vectors, by model."""
    unembedded: int
    """Records without vectors of any model."""
    expired: int
    """Expired but not yet swept."""
    oldest: datetime | None
    newest: datetime | None
    bytes: int | None
    """Size of the whole store, where it is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health(Value):
    """The answer of `health`: `ok` is true when every part answered."""

    ok: bool
    status: Literal["healthy", "degraded", "unhealthy"]
    parts: Mapping[str, str]
    """Part name → `ok`, or what is wrong."""
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported(Value):
    """What an import did."""

    added: int
    present: int
    """Already stored as exported."""
    links: int
    expired: int = 0
    """Left out because they had expired."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reembedded(Value):
    """What a move to another embedding model did."""

    model: str
    """The model whose vectors searches use now."""
    before: str | None
    """The model that searches used before; the same as `model` where they had switched already."""
    embedded: int
    """Memories that got vectors of the new model."""
    failed: tuple[str, ...] = ()
    """tenant/id/version of those that could not be embedded and are found by words only."""
    dropped: int = 0
    """Vectors of older models that were removed, in memories."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyStatus(Value):
    """The keys of an encrypted store."""

    first: str
    """Name of the master key that wraps what is new."""
    tenants: int
    """Tenants that have keys."""
    masters: Mapping[str, int]
    """Name of a master key → tenants whose keys it wraps. After a rotation only the first is left."""
    destroyed: int = 0
    """Tenants whose keys were destroyed."""
    leftover: int = 0
    """Older states of keys that an interrupted rotation has left; the next one removes them."""

    @property
    def rotated(self) -> bool:
        """Whether everything is wrapped by the first master key, so that the others can be thrown away."""
        return not self.leftover and set(self.masters) <= {self.first}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated(Value):
    """What a rotation of keys did."""

    first: str
    """Name of the master key that wraps all keys now."""
    tenants: int
    """Tenants looked at."""
    rewrapped: int
    """Tenants whose keys were wrapped again; the others were already."""
    rewritten: int = 0
    """Memories that were encrypted again, by a new data key."""
    kept: int = 0
    """Tenants whose older data keys are still there; a later rotation of data keys removes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encryption(Value):
    """What the encryption of a plain store did."""

    memories: int
    """Memories that were encrypted; the others were already."""
    tenants: int
    """Tenants looked at."""
    unreadable: int = 0
    """Memories that were encrypted before and cannot be decrypted; `doctor` names them."""
    traces: tuple[Trace, ...] = ()
    """Where the plain text was kept besides, and what is there now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem(Value):
    """One inconsistency that `doctor` found."""

    kind: str
    """Such as `lexemes`, `vectors`, `links`, `corrupt`."""
    detail: str
    id: str | None = None
    repairable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(Value):
    """What `doctor` or `repair` found and did."""

    ok: bool
    """No problem is left."""
    checked: int
    """Records looked at."""
    problems: tuple[Problem, ...] = ()
    repaired: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace(Value):
    """One place where something was kept that was to be removed, and what is there now."""

    place: str
    """Such as `sqlite: rows`, `index`, or `mirror copy: redis: server`."""
    state: Literal["gone", "pending", "remains", "returned"]
    """`gone`: read back, and nothing found. `pending`: could not be reached or finished, and is tried again.
    `remains`: cannot be removed from here. `returned`: gone, but stored again by another writer since.
    """
    detail: str = ""
