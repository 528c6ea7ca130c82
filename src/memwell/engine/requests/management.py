"""Requests that plan, group and summarise memories."""

from __future__ import annotations

from collections.abc import Iterable

from memwell._dataclasses import dataclass
from memwell.engine.requests.base import OwnedRequest
from memwell.policies.clusters import By
from memwell.policies.loading import Source
from memwell.policies.model import Originals
from memwell.policies.plans import Plan
from memwell.policies.summaries import Summariser
from memwell.types import Where

__all__ = [
    "ApplyRequest",
    "ClustersRequest",
    "ConflictsRequest",
    "PlanRequest",
    "RebuildClustersRequest",
    "SummariseRequest",
]


@dataclass(slots=True, kw_only=True)
class ConflictsRequest(OwnedRequest):
    """`conflicts`: memories that say the same with another value."""

    where: Where | None = None
    limit: int = 100


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
