"""Strategies weigh relevance, recency, importance, frequency and trust, and apply your own rules. Pure.

`blend` weighs them for a hit of `recall`, `score` for a memory by itself, as policies do. The components of a score
add up to it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from types import MappingProxyType
from typing import Final

from memwell._dataclasses import dataclass
from memwell.errors import InvalidQuery, shown
from memwell.ports.store.outlines import Outline
from memwell.ports.store.search import DEFAULT, Weights, is_weight
from memwell.retrieval.ranking.rules import Rule, adjusted, check_rules, is_share
from memwell.types import Component, Record

__all__ = ["STRATEGIES", "Strategy", "blend", "resolve", "score", "share_of_relevance", "to_100"]

_DAY = 86_400.0
_UNKNOWN_SOURCE: Final = 0.5
"""The trust in a memory whose source is not named."""


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
    linear: float | None = None
    """Days after which recency is 0, falling in a straight line; `None`: it halves every `half_life`."""
    trust: float = 0.0
    """Weight of the trust in the record's source."""
    sources: Mapping[str, float] = field(default_factory=dict)
    """Source → trust in it, 0..1. Any other source, and none, has 0.5."""
    rules: tuple[Rule, ...] = ()
    """What is added to the weighted mean: a `Boost`, or a function of a record and the time that gives −1..1. The sum
    is kept within 0..1.
    """

    def __post_init__(self) -> None:
        for name in (*_WEIGHTS, "half_life"):
            if not is_weight(value := getattr(self, name)):
                raise InvalidQuery(f"{name} of a strategy is a number of at least 0, not {shown(value)}")
        if not self.total or not self.half_life:
            raise InvalidQuery("a strategy needs one weight above 0, and a half_life above 0 days")
        if self.linear is not None and not (is_weight(self.linear) and self.linear):
            raise InvalidQuery(f"linear of a strategy is a number of days above 0, not {shown(self.linear)}")
        if not isinstance(self.signals, Weights):
            raise InvalidQuery(f"signals of a strategy is a Weights, not {shown(self.signals)}")
        if not isinstance(self.sources, Mapping):
            raise InvalidQuery(f"sources of a strategy is a mapping, not {shown(self.sources)}")
        for source, trust in self.sources.items():
            if not is_share(trust):
                raise InvalidQuery(f"the trust in {shown(source)} is a number of 0..1, not {shown(trust)}")
        object.__setattr__(self, "sources", MappingProxyType(dict(self.sources)))
        object.__setattr__(self, "rules", check_rules(self.rules))

    @property
    def total(self) -> float:
        """The sum of the weights."""
        return self.relevance + self.recency + self.importance + self.frequency + self.trust

    @property
    def relevance_only(self) -> bool:
        """Whether only relevance counts."""
        return self.total == self.relevance and not self.rules


_WEIGHTS: Final = ("relevance", "recency", "importance", "frequency", "trust")


STRATEGIES: Final[Mapping[str, Strategy]] = MappingProxyType(
    {
        "relevant": Strategy(),
        "balanced": Strategy(relevance=0.6, recency=0.2, importance=0.15, frequency=0.05),
        "recent": Strategy(relevance=0.5, recency=0.5, half_life=7.0),
        "important": Strategy(relevance=0.5, importance=0.5),
        "frequent": Strategy(relevance=0.5, frequency=0.5),
        "memoric": Strategy(relevance=0.0, importance=0.5, recency=0.3, frequency=0.2, linear=60.0),
    }
)
"""The named strategies of `recall`. `memoric` has the weights of Memoric: the memories that a question finds are
ordered without regard to how well they answer it.
"""


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
    return strategy.relevance / strategy.total


def blend(
    relevance: float, record: Record, strategy: Strategy, now: datetime
) -> tuple[float, tuple[Component, ...]]:
    """The score of a record under a strategy, 0..1, and the components other than relevance. Those of relevance count
    `share_of_relevance` each."""
    found = _components(record, strategy, now, strategy.total)
    points = relevance * share_of_relevance(strategy) + sum(c.points for c in found)
    return adjusted(points, found, strategy.rules, record, now)


def score(record: Record | Outline, strategy: Strategy, now: datetime) -> tuple[float, tuple[Component, ...]]:
    """The score of a memory by itself, without a question, 0..1, and its components, which add up to it.

    Raises `InvalidQuery` for a strategy in which only relevance counts.
    """
    total = strategy.total - strategy.relevance
    if total <= 0:
        raise InvalidQuery(
            "without a question relevance is unknown: give recency, importance or another weight"
        )
    if strategy.rules and isinstance(record, Outline):
        raise InvalidQuery("the rules of a strategy need whole records, not outlines")
    found = _components(record, strategy, now, total)
    points = sum(c.points for c in found)
    return (
        (points, found)
        if isinstance(record, Outline)
        else adjusted(points, found, strategy.rules, record, now)
    )


def to_100(score: float) -> int:
    """A score of 0..1 on the scale of Memoric, 0..100."""
    return round(100 * score)


def _components(
    record: Record | Outline, strategy: Strategy, now: datetime, total: float
) -> tuple[Component, ...]:
    """What counts besides relevance, in shares of `total`."""
    age = max(0.0, (now - record.created_at).total_seconds()) / _DAY
    uses = record.access_count + record.reinforced
    fresh = (
        0.5 ** (age / strategy.half_life) if strategy.linear is None else max(0.0, 1 - age / strategy.linear)
    )
    values = (
        ("recency", fresh, strategy.recency),
        ("importance", record.importance, strategy.importance),
        ("frequency", 1 - 1 / (1 + math.log1p(uses)), strategy.frequency),
        ("trust", strategy.sources.get(record.source or "", _UNKNOWN_SOURCE), strategy.trust),
    )
    return tuple(Component(name=n, value=v, weight=w / total) for n, v, w in values if w)
