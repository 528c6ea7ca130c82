"""One dataclass for each operation: its arguments, with their types and defaults.

`AsyncMemory` and `Memory` build them from their arguments; a test keeps names, types and defaults equal. Any other face
can build them from JSON: `RecallRequest(**body)`. The engine checks the values when it serves a request. `progress`
callbacks are not part of a request: the engine's functions take them as a second argument.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from operator import attrgetter
from os import PathLike
from typing import Any, Literal, TypeAlias

from memwell.engine.validation import scope_of
from memwell.fields import NARROWING, SCOPE
from memwell.policies.clusters import By
from memwell.policies.loading import Source
from memwell.policies.model import Originals
from memwell.policies.plans import Plan
from memwell.policies.summaries import Summariser
from memwell.retrieval.ranking.strategies import Strategy
from memwell.types import Message, Mode, NewMemory, Scope, Where

__all__ = [
    "AddWebhookRequest",
    "ApplyRequest",
    "AuditLogRequest",
    "ClustersRequest",
    "CompleteReceiptsRequest",
    "ConflictsRequest",
    "CountRequest",
    "DeadLettersRequest",
    "DeliverRequest",
    "EraseRequest",
    "ExportRequest",
    "ForgetRequest",
    "GetRequest",
    "HistoryRequest",
    "ImportRequest",
    "ListRequest",
    "OnDuplicate",
    "OnEcho",
    "OwnedRequest",
    "PlanRequest",
    "RebuildClustersRequest",
    "RecallRequest",
    "ReceiptsRequest",
    "ReembedRequest",
    "RelateRequest",
    "RelatedRequest",
    "RememberRequest",
    "RemoveWebhookRequest",
    "ReplayWebhookRequest",
    "RestoreRequest",
    "RotateKeysRequest",
    "ShredRequest",
    "StatsRequest",
    "SummariseRequest",
    "Supersede",
    "Superseded",
    "TestWebhookRequest",
    "UnrelateRequest",
    "UpdateRequest",
    "VerifyAuditRequest",
]

OnDuplicate: TypeAlias = Literal["reinforce", "update"]
OnEcho: TypeAlias = Literal["reinforce", "refuse", "store"]
Supersede: TypeAlias = Literal["off", "propose", "auto"]
Superseded: TypeAlias = Literal["hide", "show"]

_scope_parts = attrgetter(*SCOPE)


@dataclass(slots=True, kw_only=True)
class OwnedRequest:
    """The scope of a call: whose memory `remember` stores, and which memories any other call may see."""

    tenant_id: str | None = None
    """`None` means the default tenant."""
    user_id: str | None = None
    agent_id: str | None = None
    session_id: str | None = None
    namespace: str | None = None

    def scope(self) -> Scope:
        """The checked scope. Raises `InvalidInput`."""
        return scope_of(*_scope_parts(self))

    def narrowed(self) -> bool:
        """Whether the scope names more than a tenant."""
        return any(getattr(self, name) is not None for name in NARROWING)


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
class RecallRequest(OwnedRequest):
    """`recall`: the memories that answer a question."""

    query: str
    where: Where | None = None
    limit: int = 10
    token_budget: int | None = None
    strategy: str | Strategy = "relevant"
    as_of: datetime | str | None = None
    valid_at: datetime | str | None = None
    mode: Mode = "hybrid"
    explain: bool = False
    superseded: Superseded = "hide"
    min_score: float = 0.0
    timezone: str | tzinfo | None = None
    """`None` means that of the memory."""


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
class EraseRequest(OwnedRequest):
    """`erase`: remove memories from everywhere, with a receipt."""

    reason: str
    ids: str | Iterable[str] | None = None
    where: Where | None = None
    everything: bool = False
    audit: bool = False


@dataclass(slots=True, kw_only=True)
class ReceiptsRequest(OwnedRequest):
    """`receipts`: the receipts that were given."""

    pending: bool = False


@dataclass(slots=True, kw_only=True)
class CompleteReceiptsRequest(OwnedRequest):
    """`complete_receipts`: finish what could not be erased at first."""


@dataclass(slots=True, kw_only=True)
class AuditLogRequest(OwnedRequest):
    """`audit_log`: entries of the audit log."""

    actor: str | None = None
    id: str | None = None
    operation: str | None = None
    correlation_id: str | None = None
    since: datetime | str | None = None
    until: datetime | str | None = None
    limit: int = 100


@dataclass(slots=True, kw_only=True)
class VerifyAuditRequest:
    """`verify_audit`: check the chain of the audit log."""

    head: str | None = None


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
class ConflictsRequest(OwnedRequest):
    """`conflicts`: memories that say the same with another value."""

    where: Where | None = None
    limit: int = 100


@dataclass(slots=True, kw_only=True)
class CountRequest(OwnedRequest):
    """`count`: how many memories there are."""

    where: Where | None = None
    valid_at: datetime | str | None = None


@dataclass(slots=True, kw_only=True)
class AddWebhookRequest:
    """`add_webhook`: where to deliver changes."""

    url: str
    secret: str | None = None
    """`None`: one is made."""
    records: bool = False
    allow_private: bool = False


@dataclass(slots=True, kw_only=True)
class _OfWebhook:
    webhook: str
    """Id of the webhook."""


@dataclass(slots=True, kw_only=True)
class RemoveWebhookRequest(_OfWebhook):
    """`remove_webhook`: end the delivery to a webhook."""


@dataclass(slots=True, kw_only=True)
class TestWebhookRequest(_OfWebhook):
    """`test_webhook`: send a message that says nothing."""


@dataclass(slots=True, kw_only=True)
class DeadLettersRequest(_OfWebhook):
    """`dead_letters`: the messages for a webhook that were given up."""


@dataclass(slots=True, kw_only=True)
class ReplayWebhookRequest(_OfWebhook):
    """`replay_webhook`: send dead letters again."""


@dataclass(slots=True, kw_only=True)
class DeliverRequest:
    """`deliver`: send what is due."""

    webhook: str | None = None
    """`None` means all."""
    seconds: float | None = None


@dataclass(slots=True, kw_only=True)
class RotateKeysRequest:
    """`rotate_keys`: wrap all data keys by the first master key."""

    data: bool = False


@dataclass(slots=True, kw_only=True)
class ShredRequest:
    """`shred`: destroy the keys of a tenant."""

    tenant: str
    reason: str
    actor: str | None = None


@dataclass(slots=True, kw_only=True)
class StatsRequest(OwnedRequest):
    """`stats`: counts by kind, category and model."""


@dataclass(slots=True, kw_only=True)
class PlanRequest(OwnedRequest):
    """`plan`: what policies would do."""

    policies: Source | None = None
    """`None` means those of the memory."""
    summariser: Summariser | None = None


@dataclass(slots=True, kw_only=True)
class ApplyRequest:
    """`apply`: take the steps of a plan."""

    plan: Plan


@dataclass(slots=True, kw_only=True)
class ClustersRequest(OwnedRequest):
    """`clusters`: memories that are about the same."""

    by: By = "topic"
    min_size: int = 2
    topic: str | None = None
    category: str | None = None
    threshold: float | None = None
    limit: int = 100


@dataclass(slots=True, kw_only=True)
class RebuildClustersRequest(OwnedRequest):
    """`rebuild_clusters`: make and store clusters."""

    by: By = "vectors"
    threshold: float | None = None


@dataclass(slots=True, kw_only=True)
class SummariseRequest(OwnedRequest):
    """`summarise`: store a summary that names its sources."""

    ids: Iterable[str] | None = None
    """`None` means the conversations of the scope."""
    characters: int = 1000
    originals: Originals = "keep"
    summariser: Summariser | None = None


@dataclass(slots=True, kw_only=True)
class ExportRequest(OwnedRequest):
    """`export`: write a scope's memories to a file."""

    path: str | PathLike[str]
    vectors: bool = True
    plain: bool = False


@dataclass(slots=True, kw_only=True)
class ImportRequest:
    """`import_`: read an export."""

    path: str | PathLike[str]


@dataclass(slots=True, kw_only=True)
class ReembedRequest:
    """`reembed`: move the store to another embedding model."""

    batch: int = 64
    drop_old: bool = False
    skip_failed: bool = False
