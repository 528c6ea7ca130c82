"""A configuration in Python: `PolicyConfig(tiers=[TierConfig(name="short_term", expiry_days=7)]).to_config()`."""

from __future__ import annotations

from dataclasses import asdict, field
from typing import Any

from memwell._dataclasses import dataclass

__all__ = ["PolicyConfig", "RetrievalConfig", "ScoringConfig", "TierConfig"]


@dataclass(kw_only=True)
class TierConfig:
    """A tier; `max_chars` is the length to which texts in it are trimmed."""

    name: str
    expiry_days: float | None = None
    capacity: int | None = None
    ttl_seconds: float | None = None
    max_chars: int | None = None

    def to_config(self) -> dict[str, Any]:
        """The tier as the configuration has it."""
        found = {key: value for key, value in asdict(self).items() if value is not None}
        size = found.pop("max_chars", None)
        return found if size is None else {**found, "trim": {"max_chars": size}}


@dataclass(kw_only=True)
class ScoringConfig:
    """The section `scoring`."""

    importance_weight: float = 0.5
    recency_weight: float = 0.3
    repetition_weight: float = 0.2
    decay_days: float = 60


@dataclass(kw_only=True)
class RetrievalConfig:
    """The section `recall`."""

    scope: str = "thread"
    default_top_k: int = 10
    include_summarized: bool = False


@dataclass(kw_only=True)
class PolicyConfig:
    """A configuration for `Memoric(overrides=….to_config())`."""

    tiers: list[TierConfig] = field(default_factory=list)
    scoring: ScoringConfig | None = None
    retrieval: RetrievalConfig | None = None
    metadata_model: str | None = None
    database_dsn: str | None = None

    def add_tier(self, tier: TierConfig) -> PolicyConfig:
        """Add a tier after the others."""
        self.tiers.append(tier)
        return self

    def set_scoring(self, scoring: ScoringConfig) -> PolicyConfig:
        """Replace the weights."""
        self.scoring = scoring
        return self

    def set_retrieval(self, retrieval: RetrievalConfig) -> PolicyConfig:
        """Replace how memories are found."""
        self.retrieval = retrieval
        return self

    def to_config(self) -> dict[str, Any]:
        """The sections that were set. New memories go to the first tier."""
        found: dict[str, Any] = {}
        if self.tiers:
            found["storage"] = {"tiers": [tier.to_config() for tier in self.tiers]}
        for section, chosen in (("scoring", self.scoring), ("recall", self.retrieval)):
            if chosen is not None:
                found[section] = asdict(chosen)
        if self.metadata_model is not None:
            found["metadata"] = {"model": self.metadata_model}
        if self.database_dsn is not None:
            found["database"] = {"dsn": self.database_dsn}
        return found
