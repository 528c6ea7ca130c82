"""Requests of everyday use beside recalling."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from memwell._dataclasses import dataclass
from memwell.engine.requests.base import OnDuplicate, OnEcho, OwnedRequest, Supersede
from memwell.types import Message, NewMemory, Where

__all__ = [
    "CountRequest",
    "ForgetRequest",
    "GetRequest",
    "HistoryRequest",
    "ListRequest",
    "RelateRequest",
    "RelatedRequest",
    "RememberRequest",
    "RestoreRequest",
    "UnrelateRequest",
    "UpdateRequest",
]


@dataclass(slots=True, kw_only=True)
class RememberRequest(OwnedRequest):
    """`remember`: store one memory or several."""

    content: str | NewMemory | Message | Sequence[str | NewMemory | Message]
    metadata: Mapping[str, Any] | None = None
    tags: Sequence[str] | None = None
    category: str | None = None
    importance: float | None = None
    """0..1; 0.5 where none is given."""
    kind: str | None = None
    """`memory` where none is given."""
    tier: str | None = None
    source: str | None = None
    ttl: float | timedelta | None = None
    """Seconds or a timedelta; not together with `expires_at`."""
    expires_at: datetime | str | None = None
    id: str | None = None
    created_at: datetime | str | None = None
    valid_from: datetime | str | None = None
    valid_to: datetime | str | None = None
    on_duplicate: OnDuplicate = "reinforce"
    on_echo: OnEcho = "reinforce"
    supersedes: str | None = None
    supersede: Supersede = "off"


@dataclass(slots=True, kw_only=True)
class GetRequest(OwnedRequest):
    """`get`: one memory."""

    id: str
    as_of: datetime | str | None = None


@dataclass(slots=True, kw_only=True)
class ListRequest(OwnedRequest):
    """`list`: a page of memories."""

    where: Where | None = None
    order: str = "created_at"
    descending: bool = True
    limit: int = 100
    cursor: str | None = None
    valid_at: datetime | str | None = None


@dataclass(slots=True, kw_only=True)
class UpdateRequest(OwnedRequest):
    """`update`: change fields of one memory; `None` leaves a field as it is."""

    id: str
    content: str | None = None
    metadata: Mapping[str, Any] | None = None
    tags: Sequence[str] | None = None
    category: str | None = None
    importance: float | None = None
    kind: str | None = None
    tier: str | None = None
    source: str | None = None
    ttl: float | timedelta | None = None
    expires_at: datetime | str | None = None
    valid_from: datetime | str | None = None
    valid_to: datetime | str | None = None
    clear: Sequence[str] = ()
    """Names of fields to empty."""
    expected_version: int | None = None


@dataclass(slots=True, kw_only=True)
class ForgetRequest(OwnedRequest):
    """`forget`: remove memories."""

    ids: str | Iterable[str] | None = None
    where: Where | None = None
    everything: bool = False


@dataclass(slots=True, kw_only=True)
class HistoryRequest(OwnedRequest):
    """`history`: every version of one memory."""

    id: str


@dataclass(slots=True, kw_only=True)
class RestoreRequest(OwnedRequest):
    """`restore`: make an older version current again."""

    id: str
    version: int
    expected_version: int | None = None


@dataclass(slots=True, kw_only=True)
class RelateRequest(OwnedRequest):
    """`relate`: link one memory to another."""

    source: str
    target: str
    kind: str = "related"
    strength: float = 1.0


@dataclass(slots=True, kw_only=True)
class UnrelateRequest(OwnedRequest):
    """`unrelate`: remove links from one memory to another."""

    source: str
    target: str
    kind: str | None = None
    """`None` means every kind."""


@dataclass(slots=True, kw_only=True)
class RelatedRequest(OwnedRequest):
    """`related`: the memories reached over links."""

    id: str
    kind: str | None = None
    depth: int = 1
    min_strength: float = 0.0


@dataclass(slots=True, kw_only=True)
class CountRequest(OwnedRequest):
    """`count`: how many memories there are."""

    where: Where | None = None
    valid_at: datetime | str | None = None
