"""A memory as MemoryCore sees it: content, metadata, relationships, earlier versions, and an expiry."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from memwell._dataclasses import dataclass
from memwell.compat.memorycore.errors import InvalidMemoryError

__all__ = ["RELATIONSHIPS", "Memory", "MemoryMetadata", "MemoryRelationship", "MemoryVersion"]

IMPORTANCE: Final = ("low", "medium", "high")
_LONGEST: Final = 1_000_000
"""Days; later times are beyond the calendar."""
RELATIONSHIPS: Final = ("related", "supersedes", "contradicts", "extends")


@dataclass
class MemoryMetadata:
    """What is known about a memory. `importance` is `low`, `medium` or `high`; tags are stripped and in small letters.

    Raises `InvalidMemoryError` for values of other types.
    """

    category: str = "general"
    tags: list[str] = field(default_factory=list)
    importance: str = "medium"
    custom_fields: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.category, str) or not self.category.strip():
            raise InvalidMemoryError(f"category is a text, not {self.category!r}")
        if not isinstance(self.tags, Collection) or isinstance(self.tags, str | bytes | Mapping):
            raise InvalidMemoryError(f"tags is a list of texts, not {self.tags!r}")
        if not all(isinstance(tag, str) for tag in self.tags):
            raise InvalidMemoryError(f"tags is a list of texts, not {self.tags!r}")
        if self.importance not in list(IMPORTANCE):
            raise InvalidMemoryError(f"importance is low, medium or high, not {self.importance!r}")
        if not isinstance(self.custom_fields, Mapping):
            raise InvalidMemoryError(f"custom_fields is a dict, not {self.custom_fields!r}")
        self.tags = list(dict.fromkeys(tag.strip().lower() for tag in self.tags if tag.strip()))


@dataclass
class MemoryRelationship:
    """A link to another memory."""

    target_id: str
    relationship_type: str = "related"
    strength: float = 1.0


@dataclass
class MemoryVersion:
    """An earlier version: its text, and the fields that the next version changed."""

    version: int
    created_at: datetime
    content: str
    changed_fields: list[str] = field(default_factory=list)


@dataclass
class Memory:
    """One memory. `content` is stripped and not empty; times are in UTC.

    Raises `InvalidMemoryError` for an empty content.
    """

    content: str
    metadata: MemoryMetadata = field(default_factory=MemoryMetadata)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    embedding: list[float] | None = None
    """The vector, where the storage is handed one; memwell's own storage keeps vectors to itself."""
    tenant_id: str = "default"
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    updated_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    expires_at: datetime | None = None
    relationships: list[MemoryRelationship] = field(default_factory=list)
    versions: list[MemoryVersion] = field(default_factory=list)
    version: int = 1
    on_link: Callable[[Memory, MemoryRelationship], None] | None = field(
        default=None, repr=False, compare=False
    )
    """Called for each link that is added; a manager has its memories tell it so."""

    def __post_init__(self) -> None:
        if not isinstance(self.content, str) or not self.content.strip():
            raise InvalidMemoryError("content is a text that is not empty")
        if not isinstance(self.metadata, MemoryMetadata):
            raise InvalidMemoryError(f"metadata is a MemoryMetadata, not {type(self.metadata).__name__}")
        self.content = self.content.strip()

    def is_expired(self) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and self.expires_at <= datetime.now(UTC)

    def set_ttl(self, days: float) -> None:
        """Let it expire in this number of days. `MemoryManager.update(memory=…)` stores that."""
        if not isinstance(days, int | float) or not 0 < days <= _LONGEST:
            raise InvalidMemoryError(
                f"a time to live is more than 0 and at most {_LONGEST} days, not {days!r}"
            )
        self.expires_at = datetime.now(UTC) + timedelta(days=days)

    def add_relationship(
        self, target_id: str, relationship_type: str = "related", strength: float = 1.0
    ) -> None:
        """Link it to another memory; there is one link to each. The manager that gave the memory stores the link
        before its next operation."""
        if relationship_type not in RELATIONSHIPS:
            raise InvalidMemoryError(
                f"relationship_type is {', '.join(RELATIONSHIPS)}, not {relationship_type!r}"
            )
        if not 0 <= strength <= 1:
            raise InvalidMemoryError(f"strength is between 0 and 1, not {strength!r}")
        if target_id == self.id:
            raise InvalidMemoryError("a memory is not linked to itself")
        link = MemoryRelationship(target_id, relationship_type, strength)
        self.relationships = [one for one in self.relationships if one.target_id != target_id] + [link]
        if self.on_link is not None:
            self.on_link(self, link)

    def create_version(self, changed_fields: Sequence[str] = ()) -> MemoryVersion:
        """Keep the present text as an earlier version, before it is changed."""
        earlier = MemoryVersion(self.version, self.updated_at, self.content, list(changed_fields))
        self.versions.append(earlier)
        self.version += 1
        self.updated_at = datetime.now(UTC)
        return earlier

    def to_dict(self) -> dict[str, Any]:
        """Every field, as JSON values."""
        fields = {name: value for name, value in vars(self).items() if name != "on_link"}
        plain = {
            **fields,
            "metadata": asdict(self.metadata),
            "relationships": [asdict(one) for one in self.relationships],
            "versions": [{**asdict(one), "created_at": one.created_at.isoformat()} for one in self.versions],
        }
        times = {name: value.isoformat() for name, value in plain.items() if isinstance(value, datetime)}
        return {**plain, **times}
