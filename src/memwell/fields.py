"""The fields of a memory: one table, read by filters, JSON, digests, limits, database rows and the doctor.

To add a field, add

- a line at the end of `TABLE`, with a default: the value of all records that were stored before;
- the keyword in `Record`, and in `NewMemory`, `remember` and `update` where the line says `given` and `updatable`
  (a test compares them);
- a migration that adds the column to SQLite and PostgreSQL.

The order of the table is the order of the parts of a digest and of the values in a row of Redis: never move a line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY
from typing import Any, Final, Literal, TypeAlias

from memwell._dataclasses import dataclass
from memwell.frozen import EMPTY

__all__ = [
    "CLEARED",
    "FIELDS",
    "LIMITS",
    "NARROWING",
    "REQUIRED",
    "RESTORED",
    "SCOPE",
    "STORED",
    "TABLE",
    "Field",
    "Type",
    "named",
    "of_type",
]

Type: TypeAlias = Literal["text", "content", "share", "count", "flag", "time", "tags", "metadata", "links"]
"""`text`: 1 to 256 characters; `share`: a float from 0 to 1; `count`: an integer from 0."""

REQUIRED: Final = object()

LIMITS: Final = {
    "content_bytes": 1_048_576,
    "metadata_bytes": 65_536,
    "metadata_depth": 16,
    "tags": 100,
    "text": 256,
}
"""The most that is taken: bytes of UTF-8, levels, tags a record, and characters of an id, tag or other short text."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of `Scope` or `Record`."""

    name: str
    type: Type
    default: Any = REQUIRED
    """What a record has that does not say it; `None`: the field may be absent."""
    _: KW_ONLY
    owner: bool = False
    """A part of `Scope`."""
    digest: bool = False
    """Exact duplicates agree in it."""
    given: bool = False
    """A keyword of `remember` and `NewMemory`."""
    updatable: bool = False
    """A keyword of `update`."""
    filterable: bool = True
    """Filters know it by its name."""
    indexed: bool = False
    """Vector indexes have a column of it. One added later has none in the points stored before: leave it out."""
    stored: bool = True
    """Stored in the record's own row; accesses and relationships have rows of their own."""

    @property
    def nullable(self) -> bool:
        """Whether a record may lack it."""
        return self.default is None

    @property
    def clearable(self) -> bool:
        """Whether `update` can empty it."""
        return self.updatable and (self.nullable or self.type in ("tags", "metadata"))


def _owner(name: str, default: str | None) -> Field:
    return Field(name, "text", default, owner=True, digest=True, given=default is None, indexed=True)


TABLE: Final = (
    _owner("tenant_id", "default"),
    _owner("user_id", None),
    _owner("agent_id", None),
    _owner("session_id", None),
    _owner("namespace", None),
    Field("id", "text", given=True, indexed=True),
    Field("kind", "text", "memory", digest=True, given=True, updatable=True, indexed=True),
    Field("category", "text", None, digest=True, given=True, updatable=True, indexed=True),
    Field("tier", "text", None, given=True, updatable=True, indexed=True),
    Field("source", "text", None, given=True, updatable=True, indexed=True),
    Field("importance", "share", 0.5, given=True, updatable=True, indexed=True),
    Field("version", "count", 1),
    Field("reinforced", "count", 0),
    Field("created_at", "time", given=True, indexed=True),
    Field("updated_at", "time", indexed=True),
    Field("expires_at", "time", None, given=True, updatable=True, indexed=True),
    Field("tags", "tags", (), digest=True, given=True, updatable=True, indexed=True),
    Field(
        "metadata", "metadata", EMPTY, digest=True, given=True, updatable=True, filterable=False, indexed=True
    ),
    Field("content", "content", digest=True, updatable=True),
    Field("embedded", "flag", default=False, filterable=False, stored=False),
    Field("access_count", "count", 0, stored=False),
    Field("last_accessed_at", "time", None, stored=False),
    Field("links", "links", (), filterable=False, stored=False),
    Field("valid_from", "time", None, digest=True, given=True, updatable=True),
    Field("valid_to", "time", None, digest=True, given=True, updatable=True),
)


def named(**traits: bool) -> tuple[str, ...]:
    """Names of the fields that have these traits, such as `named(updatable=True)`, in the order of the table."""
    return tuple(
        f.name for f in TABLE if all(getattr(f, trait) is wanted for trait, wanted in traits.items())
    )


def of_type(*types: Type) -> frozenset[str]:
    """Names of the fields of these types."""
    return frozenset(field.name for field in TABLE if field.type in types)


def _cleared() -> Iterator[tuple[str, Any]]:
    yield from ((field.name, field.default) for field in TABLE if field.clearable)


FIELDS: Final = {field.name: field for field in TABLE}
SCOPE: Final = named(owner=True)
"""The parts of a scope."""
NARROWING: Final = SCOPE[1:]
"""The parts of a scope inside a tenant; in a query each may be absent."""
STORED: Final = named(stored=True)
"""What stands in a record's own row."""
CLEARED: Final = dict(_cleared())
"""What `update` can empty → what it is then."""
RESTORED: Final = tuple(name for name in named(updatable=True) if name != "expires_at")
"""What `restore` takes from the older version; its expiry may have passed."""
