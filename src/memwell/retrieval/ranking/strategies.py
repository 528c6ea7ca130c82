"""Strategies: how much recency, importance and frequency count besides relevance. No I/O."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from memwell.errors import InvalidQuery, shown
from memwell.ports.store.search import DEFAULT, Weights, is_weight
from memwell.types import Component, Record

__all__ = ["STRATEGIES", "Strategy", "blend", "resolve", "share_of_relevance"]

_DAY = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """The weights of a weighted mean of values in 0..1. Only the proportions of the weights matter."""

    relevance: float = 1.0
    """Weight of how well the memory answers the query."""
    recency: float = 0.0
    """Weight of 0.5 ** (age / half_life); the age counts from `created_at`: being recalled makes nothing newer."""
    importance: float = 0.0
    """Weight of the record's importance."""
    frequency: float = 0.0
    """Weight of 1 − 1 / (1 + ln(1 + recalls + reinforcements)), which grows with use, ever more slowly."""
    half_life: float = 30.0
    """Days after which recency has halved."""
    signals: Weights = DEFAULT
    """The weights of the signals within relevance."""

    def __post_init__(self) -> None:
        for name in ("relevance", "recency", "importance", "frequency", "half_life"):
            if not is_weight(value := getattr(self, name)):
                raise InvalidQuery(f"{name} of a strategy is a number of at least 0, not {shown(value)}")
        if not self.relevance + self.recency + self.importance + self.frequency or not self.half_life:
            raise InvalidQuery("a strategy needs one weight above 0, and a half_life above 0 days")
        if not isinstance(self.signals, Weights):
            raise InvalidQuery(f"signals of a strategy is a Weights, not {shown(self.signals)}")

    @property
    def relevance_only(self) -> bool:
        """Whether only relevance counts."""
        return not (self.recency or self.importance or self.frequency)


STRATEGIES: Final[Mapping[str, Strategy]] = MappingProxyType(
    {
        "relevant": Strategy(),
        "balanced": Strategy(relevance=0.6, recency=0.2, importance=0.15, frequency=0.05),
        "recent": Strategy(relevance=0.5, recency=0.5, half_life=7.0),
        "important": Strategy(relevance=0.5, importance=0.5),
        "frequent": Strategy(relevance=0.5, frequency=0.5),
    }
)
"""The named strategies of `recall`."""


def resolve(strategy: str | Strategy) -> Strategy:
    """The strategy of that name; a `Strategy` is returned as it is. Raises `InvalidQuery` for an unknown name."""
    if isinstance(strategy, Strategy):
        return strategy
    if not isinstance(strategy, str) or strategy not in STRATEGIES:
        raise InvalidQuery(
            f"unknown strategy {shown(strategy)}; use {', '.join(STRATEGIES)}, or your own Strategy"
        )
    return STRATEGIES[strategy]


def share_of_relevance(strategy: Strategy) -> float:
    """What relevance counts under a strategy, 0..1."""
    return strategy.relevance / (
        strategy.relevance + strategy.recency + strategy.importance + strategy.frequency
    )


def blend(
    relevance: float, record: Record, strategy: Strategy, now: datetime
) -> tuple[float, tuple[Component, ...]]:
    """The score of a record under a strategy, 0..1, and the components other than relevance. Those of relevance count
    `share_of_relevance` each."""
    total = strategy.relevance + strategy.recency + strategy.importance + strategy.frequency
    age = max(0.0, (now - record.created_at).total_seconds()) / _DAY
    uses = record.access_count + record.reinforced
    values = (
        ("recency", 0.5 ** (age / strategy.half_life), strategy.recency),
        ("importance", record.importance, strategy.importance),
        ("frequency", 1 - 1 / (1 + math.log1p(uses)), strategy.frequency),
    )
    found = tuple(Component(name=n, value=v, weight=w / total) for n, v, w in values if w)
    return relevance * strategy.relevance / total + sum(c.points for c in found), found
