"""Outlines: records without their texts, metadata and relationships, for what goes through all of them."""

from __future__ import annotations

from datetime import datetime

from memwell._dataclasses import dataclass
from memwell.types import Record

__all__ = ["Outline", "outline_of"]


@dataclass(slots=True)
class Outline:
    """What policies compare of a record: its fields of the same names, and how long its text is."""

    id: str
    user_id: str | None
    agent_id: str | None
    session_id: str | None
    namespace: str | None
    kind: str
    category: str | None
    tier: str | None
    source: str | None
    importance: float
    version: int
    reinforced: int
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None
    tags: tuple[str, ...]
    access_count: int
    last_accessed_at: datetime | None
    length: int
    """Characters of the text."""
    size: int
    """Bytes of the text in UTF-8."""


def outline_of(record: Record) -> Outline:
    """The outline of a record."""
    scope, content = record.scope, record.content
    return Outline(
        record.id,
        scope.user_id,
        scope.agent_id,
        scope.session_id,
        scope.namespace,
        record.kind,
        record.category,
        record.tier,
        record.source,
        record.importance,
        record.version,
        record.reinforced,
        record.created_at,
        record.updated_at,
        record.expires_at,
        record.tags,
        record.access_count,
        record.last_accessed_at,
        len(content),
        len(content) if content.isascii() else len(content.encode()),
    )
