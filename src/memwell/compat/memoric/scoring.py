"""Memoric's scores, 0..100: importance, recency and novelty of a memory, and rules that add points.

    100 · (0.5 · importance + 0.3 · (1 − age / 60 days) + 0.2 · (1 − repetitions / 20))

The age counts from the last change. Before it is stored, a memory is scored with the weights 0.6, 0.3 and 0.1.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from memwell._dataclasses import dataclass
from memwell.compat.labels import LEVELS

__all__ = [
    "WRITE_WEIGHTS",
    "Rule",
    "ScoringEngine",
    "ScoringWeights",
    "create_entity_match_rule",
    "create_stale_penalty_rule",
    "create_topic_boost_rule",
]

log = logging.getLogger("memwell.compat.memoric")

Rule: TypeAlias = Callable[[Mapping[str, Any]], float]
"""From a memory, as `retrieve` gives it, to points that are added."""
_REPETITIONS: Final = 20
_DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringWeights:
    """What each part counts; together about 1."""

    importance: float = 0.5
    recency: float = 0.3
    repetition: float = 0.2


WRITE_WEIGHTS: Final = ScoringWeights(importance=0.6, recency=0.3, repetition=0.1)


class ScoringEngine:
    """Scores memories as `retrieve` gives them."""

    def __init__(
        self,
        *,
        weights: ScoringWeights | None = None,
        decay_days: float = 60.0,
        custom_rules: Iterable[Rule] = (),
    ) -> None:
        self.weights = weights or ScoringWeights()
        self.decay_days = decay_days
        self.custom_rules = list(custom_rules)

    @classmethod
    def from_config(cls, scoring: Mapping[str, Any]) -> ScoringEngine:
        """The engine that the section `scoring` describes."""
        weights = ScoringWeights(
            importance=scoring["importance_weight"],
            recency=scoring["recency_weight"],
            repetition=scoring["repetition_weight"],
        )
        return cls(weights=weights, decay_days=scoring["decay_days"])

    def add_rule(self, rule: Rule) -> None:
        """Let a rule add points from now on."""
        self.custom_rules.append(rule)

    def compute(self, memory: Mapping[str, Any], *, now: datetime | None = None) -> int:
        """The score of a memory, 0..100. A rule that fails adds nothing, and is logged."""
        metadata = memory.get("metadata") or {}
        age = _age(memory, now or datetime.now(UTC))
        repeated = metadata.get("seen_count", memory.get("seen_count", 0)) or 0
        points = 100 * _clamped(
            self.weights.importance * _importance(metadata.get("importance"))
            + self.weights.recency * (1 - _clamped(age / self.decay_days))
            + self.weights.repetition * (1 - _clamped(repeated / _REPETITIONS))
        )
        for rule in self.custom_rules:
            try:
                points += rule(memory)
            except Exception as error:  # noqa: BLE001  # a rule of the user's may raise anything
                log.warning("the scoring rule %r failed: %s: %s", rule, type(error).__name__, error)
        return round(min(max(points, 0.0), 100.0))


def create_topic_boost_rule(topics: Iterable[str], boost: float = 10.0) -> Rule:
    """A rule that adds points to memories with one of the topics."""
    wanted = {topic.lower() for topic in topics}
    return lambda memory: boost if str(memory["metadata"].get("topic", "")).lower() in wanted else 0.0


def create_stale_penalty_rule(days: float = 180.0, penalty: float = 15.0) -> Rule:
    """A rule that takes points off memories that are older than some days."""
    return lambda memory: -penalty if _age(memory, datetime.now(UTC)) > days else 0.0


def create_entity_match_rule(entities: Iterable[str], boost: float = 5.0) -> Rule:
    """A rule that adds points for each of the entities that a memory names."""
    wanted = {entity.lower() for entity in entities}

    def rule(memory: Mapping[str, Any]) -> float:
        named = {str(entity).lower() for entity in memory["metadata"].get("entities") or ()}
        return boost * len(wanted & named)

    return rule


def _age(memory: Mapping[str, Any], now: datetime) -> float:
    """Days since the last change."""
    moment = memory.get("updated_at") or memory.get("created_at") or now
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return float(max(0.0, (now - moment).total_seconds())) / _DAY


def _importance(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _clamped(float(value))
    return LEVELS.get(str(value).lower(), LEVELS["medium"])


def _clamped(value: float) -> float:
    return min(max(value, 0.0), 1.0)
