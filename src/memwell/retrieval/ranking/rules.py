"""Rules of your own in a score: points for a topic or an entity, a penalty for age, or what a function says. Pure.

A rule is a `Boost`, or a function of a record and the time. Each adds one component to the score, so that the
components go on adding up to it. What lies beyond 0..1 is taken off as the component `limit`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from memwell import filters
from memwell._dataclasses import dataclass
from memwell.errors import InvalidQuery, shown
from memwell.types import Component, Record, Where

__all__ = ["Boost", "Rule", "adjusted", "check_rules", "is_number", "is_share"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Boost:
    """Points for the records that meet every condition given here; negative points are a penalty."""

    points: float
    """−1..1; 0.1 are 10 points on a scale of 100."""
    topics: tuple[str, ...] = ()
    """The record's `topic` in the metadata, or its category, is one of these, whatever the case."""
    entities: tuple[str, ...] = ()
    """`entities` in the metadata, or the words of the content, have one of these. The points count for each."""
    older: timedelta | None = None
    """The record was created longer ago."""
    where: Where | None = None
    """A filter, see `memwell.filters`."""
    name: str | None = None
    """How the component is called; by default after its conditions."""

    def __post_init__(self) -> None:
        if not is_number(self.points) or not -1 <= self.points <= 1:
            raise InvalidQuery(f"points of a boost are a number of -1..1, not {shown(self.points)}")
        for name in ("topics", "entities"):
            object.__setattr__(self, name, _texts(name, getattr(self, name)))
        if self.older is not None and not isinstance(self.older, timedelta):
            raise InvalidQuery(f"older of a boost is a timedelta, not {shown(self.older)}")
        if self.where is not None:
            filters.parse(self.where)
        if not (self.topics or self.entities or self.older is not None or self.where is not None):
            raise InvalidQuery("a boost needs a condition: topics, entities, older or where")

    @property
    def label(self) -> str:
        """The name of its component."""
        if self.name is not None:
            return self.name
        words = [*self.topics, *self.entities, *(["age"] if self.older is not None else [])]
        return " ".join(["boost" if self.points >= 0 else "penalty", *words])

    def hits(self, record: Record, now: datetime) -> int:
        """How many times the points count for a record; 0: a condition is not met."""
        if self.older is not None and now - record.created_at <= self.older:
            return 0
        if self.topics and not _topics_of(record) & {topic.casefold() for topic in self.topics}:
            return 0
        if self.where is not None and not filters.matches(record, self.where):
            return 0
        return sum(_mentions(record, entity) for entity in self.entities) if self.entities else 1


Rule: TypeAlias = Boost | Callable[[Record, datetime], float]
"""A rule of a strategy."""


def adjusted(
    points: float, components: tuple[Component, ...], rules: Sequence[Rule], record: Record, now: datetime
) -> tuple[float, tuple[Component, ...]]:
    """A score and its components after the rules; the score is kept within 0..1."""
    if not rules:
        return points, components
    found = [component for rule in rules for component in _applied(rule, record, now)]
    points += sum(component.points for component in found)
    kept = min(1.0, max(0.0, points))
    if kept != points:
        found.append(Component(name="limit", value=1.0, weight=kept - points))
    return kept, (*components, *found)


def _applied(rule: Rule, record: Record, now: datetime) -> Iterator[Component]:
    if isinstance(rule, Boost):
        if hits := rule.hits(record, now):
            yield Component(name=rule.label, value=float(hits), weight=rule.points)
        return
    value = rule(record, now)
    name = getattr(rule, "__name__", type(rule).__name__)
    if not is_number(value) or not -1 <= value <= 1:
        raise InvalidQuery(f"the rule {name} gives a number of -1..1, not {shown(value)}")
    if value:
        yield Component(name=name, value=abs(value), weight=math.copysign(1.0, value))


def check_rules(rules: Any) -> tuple[Rule, ...]:
    """The rules of a strategy as a tuple. Raises `InvalidQuery` for anything else."""
    if isinstance(rules, str) or not isinstance(rules, Sequence):
        raise InvalidQuery(f"rules of a strategy are a list, not {shown(rules)}")
    for rule in rules:
        if not isinstance(rule, Boost) and not callable(rule):
            raise InvalidQuery(f"a rule is a Boost or a function of a record and the time, not {shown(rule)}")
    return tuple(rules)


def is_number(value: object) -> bool:
    """Whether a value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def is_share(value: object) -> bool:
    """Whether a value is a number of 0..1."""
    return is_number(value) and 0 <= value <= 1  # type: ignore[operator]


def _texts(name: str, given: object) -> tuple[str, ...]:
    values = (given,) if isinstance(given, str) else given
    if not isinstance(values, Sequence) or not all(isinstance(one, str) and one.strip() for one in values):
        raise InvalidQuery(f"{name} of a boost are texts, not {shown(given)}")
    return tuple(values)


def _topics_of(record: Record) -> set[str]:
    return {str(topic).casefold() for topic in (record.metadata.get("topic"), record.category) if topic}


def _mentions(record: Record, entity: str) -> bool:
    listed = record.metadata.get("entities")
    known = listed if isinstance(listed, Sequence | Mapping) and not isinstance(listed, str) else ()
    if entity.casefold() in {str(one).casefold() for one in known}:
        return True
    return re.search(rf"(?<!\w){re.escape(entity)}(?!\w)", record.content, re.IGNORECASE) is not None
