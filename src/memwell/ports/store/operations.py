"""What is written to a store: operations as data, each described with its result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from memwell._dataclasses import dataclass
from memwell.ports.arrays import Vectors
from memwell.types import Link, Record, Scope, Version, Where

if TYPE_CHECKING:
    from memwell.ports.log import Log

__all__ = [
    "Append",
    "Delete",
    "Embed",
    "Embedding",
    "Form",
    "Insert",
    "Operation",
    "Recode",
    "SetLink",
    "Touch",
    "Unlink",
    "Update",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedding:
    """The vectors of one content under one model: one row per chunk, in reading order."""

    model: str
    vectors: Vectors
    spans: tuple[tuple[int, int], ...] = ()
    """Character range of each chunk; empty when the content is a single chunk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Insert:
    """Store a new record. Result: the stored `Record`, whose id differs from the one given when it was
    reinforced. A store over a service that gives ids may give another one in place of an id that memwell made.

    A stored record with the same owner, content, kind, category, tags and metadata is an exact duplicate: it
    is reinforced (`reinforced + 1`, the later expiry wins) instead of stored twice. An id that is taken by
    anything else raises `Conflict`; one held by an expired record is free.
    """

    record: Record
    embedding: Embedding | None = None
    named: bool = False
    """The caller chose the id: only the record with this id can be its duplicate."""
    dated: bool = False
    """The caller chose `created_at`: a duplicate must have the same."""
    digest: int | None = None
    """The record's digest (`memwell.records.codec.digest`), where it is known already."""
    past: tuple[Version, ...] = ()
    """Older versions to store with it, oldest first (import only)."""
    overwrite: tuple[str, ...] = ()
    """Names of fields that an exact duplicate takes over from `record`, as `Update` would in the same write: it becomes
    a new version if any of them differs.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """Change fields of one record, keep the version it had, raise its number by one. Result: the new
    `Record`.

    Raises `NotFound` outside the scope, `Conflict` when `expected_version` is given and is not the stored
    one. Without any difference nothing is written and the record comes back as it is. Vectors are kept unless
    the content changes.
    """

    scope: Scope
    id: str
    changes: Mapping[str, Any]
    """Record field name → new value."""
    embedding: Embedding | None = None
    """Vectors of the new content; `None` with a changed content leaves it unembedded."""
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """Remove records with their history, vectors, words and relationships in both directions.

    Result: the ids removed. Ids that do not exist in the scope are not in it.
    """

    scope: Scope
    ids: tuple[str, ...] | None = None
    where: Where | None = None
    """Given with `ids`, both must hold. With neither, all of the scope goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetLink:
    """Add a relationship or change its strength. Result: `None`. Raises `NotFound` for either end."""

    scope: Scope
    source: str
    link: Link


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlink:
    """Remove relationships from source to target, of one kind or all. Result: how many."""

    scope: Scope
    source: str
    target: str
    kind: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Touch:
    """Note recalls: id → (how many, when last). Unknown ids are skipped. Result: `None`."""

    tenant_id: str
    accesses: Mapping[str, tuple[int, datetime]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Embed:
    """Store vectors for a record if it still has this content version. Result: whether it had."""

    tenant_id: str
    id: str
    content: str
    embedding: Embedding


@dataclass(slots=True, kw_only=True)
class Append:
    """Add entries to a stream of a log in the same database, in the same transaction (see `Records.shares`). Result:
    their positions. It is the last operation of a write.
    """

    log: Log
    stream: str
    entries: Callable[[list[Any], bytes | None], Sequence[bytes]]
    """Called in the transaction with the results of the operations before it and the data of the stream's newest entry,
    after which no other writer adds one; gives the entries, or none. It may be called again, with another newest entry.
    """
    after: tuple[str, bytes] | None = None
    """Position and data of the newest entry, as far as the caller knows: a guess that saves looking."""


Form: TypeAlias = tuple[str, Mapping[str, Any]]
"""Content and metadata of one version of a record, as they are stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recode:
    """Store versions of a record in another form, as an encryption makes one: it says the same as before.

    No version is added; times, counts, vectors and relationships stay. Result: whether the record still had the content
    and the version that are given; if not, nothing changed.
    """

    tenant_id: str
    id: str
    content: str
    """What is stored as its content."""
    version: int
    """The number of its current version."""
    forms: Mapping[int, Form]
    """Number of a version, the current or an earlier one → its new form; the others stay as they are."""


Operation: TypeAlias = Insert | Update | Delete | SetLink | Unlink | Touch | Embed | Recode | Append
