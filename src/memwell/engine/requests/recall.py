"""The request of a recall: for many a process the only one."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

from memwell._dataclasses import dataclass
from memwell.engine.requests.base import OwnedRequest, Superseded
from memwell.types import Mode, Where

if TYPE_CHECKING:
    from memwell.retrieval.ranking.strategies import Strategy

__all__ = ["RecallRequest"]


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
