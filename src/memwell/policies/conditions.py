"""Conditions of rules: intervals of numbers and sets of words, so that two of them can be compared. Pure.

A rule is *more specific* than another if every memory that meets it also meets the other one, and not the reverse.
Of several rules that a memory meets, the most specific one wins. Two rules *overlap* if a memory may meet both and
neither is more specific.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import field
from datetime import datetime
from typing import Any, Final, TypeVar

from memwell._dataclasses import dataclass
from memwell.errors import InvalidInput, shown
from memwell.policies.durations import seconds, written
from memwell.ports.store.outlines import Outline
from memwell.types import Record

__all__ = [
    "AMOUNTS",
    "WORDS",
    "Condition",
    "Facts",
    "Interval",
    "facts_of",
    "interval_of",
    "most_specific",
    "words_of",
]

AMOUNTS: Final = ("importance", "score", "uses", "age", "idle")
"""The numbers that a condition bounds.

`importance` and `score` are 0..1. `uses` counts recalls and reinforcements, `age` is the time since the memory was
created, and `idle` the time since it was created or last recalled."""
WORDS: Final = ("kind", "category", "source")
"""The fields that a condition compares with words."""
_TIMES: Final = frozenset({"age", "idle"})
_SIGNS: Final = re.compile(r"\s*(>=|<=|>|<|=)\s*(\S+)\s*")
_BETWEEN: Final = re.compile(r"\s*([^\s.]+(?:\.\d+)?\w?)\s*\.\.\s*(\S+)\s*")
_SHARES: Final = frozenset({"importance", "score"})

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Interval:
    """The numbers from `low` to `high`; an open end leaves its bound out."""

    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False

    def holds(self, value: float) -> bool:
        """Whether a number lies inside."""
        above = value > self.low if self.low_open else value >= self.low
        return above and (value < self.high if self.high_open else value <= self.high)

    def within(self, other: Interval) -> bool:
        """Whether the other interval holds every number of this one."""
        low = self.low > other.low or (self.low == other.low and (self.low_open or not other.low_open))
        high = self.high < other.high or (self.high == other.high and (self.high_open or not other.high_open))
        return low and high

    def both(self, other: Interval) -> Interval:
        """The numbers that lie in both."""
        low = max((self.low, self.low_open), (other.low, other.low_open))
        high = min((self.high, not self.high_open), (other.high, not other.high_open))
        return Interval(low[0], high[0], low[1], not high[1])

    @property
    def empty(self) -> bool:
        """Whether no number lies inside."""
        return self.low > self.high or (self.low == self.high and (self.low_open or self.high_open))

    def shown(self, name: str) -> str:
        """As it is written in a rule."""
        form = written if name in _TIMES else lambda value: f"{value:g}"
        if self.low == self.high:
            return f"{name} = {form(self.low)}"
        parts = []
        if self.low > -math.inf:
            parts.append(f"{'>' if self.low_open else '>='} {form(self.low)}")
        if self.high < math.inf:
            parts.append(f"{'<' if self.high_open else '<='} {form(self.high)}")
        return f"{name} {' and '.join(parts)}"


ANY: Final = Interval()


@dataclass(slots=True)
class Facts:
    """What conditions compare, of one memory at one moment. Times are in seconds."""

    tier: str | None
    kind: str
    category: str | None
    source: str | None
    tags: tuple[str, ...]
    importance: float
    uses: int
    age: float
    idle: float
    score: Callable[[], float]
    """Computed only where a rule asks for it."""


def facts_of(record: Record | Outline, now: datetime, score: Callable[[], float]) -> Facts:
    """The facts about a record."""
    age = max(0.0, (now - record.created_at).total_seconds())
    last = record.last_accessed_at
    return Facts(
        record.tier,
        record.kind,
        record.category,
        record.source,
        record.tags,
        record.importance,
        record.access_count + record.reinforced,
        age,
        age if last is None else min(age, max(0.0, (now - last).total_seconds())),
        score,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What a memory must meet, all of it. What is not given holds for every memory."""

    tiers: frozenset[str] | None = None
    """It is in one of these tiers."""
    kind: frozenset[str] | None = None
    category: frozenset[str] | None = None
    source: frozenset[str] | None = None
    tags: frozenset[str] = frozenset()
    """It has all of these."""
    importance: Interval = ANY
    score: Interval = ANY
    uses: Interval = ANY
    age: Interval = ANY
    """In seconds, as `idle`."""
    idle: Interval = ANY
    _compared: Any = field(init=False, repr=False, compare=False)
    """What is compared at all, made once."""

    def __post_init__(self) -> None:
        words = [(name, found) for name in WORDS if (found := getattr(self, name)) is not None]
        amounts = [(name, found) for name in AMOUNTS if (found := getattr(self, name)) != ANY]
        amounts.sort(key=lambda one: one[0] == "score")
        object.__setattr__(self, "_compared", (tuple(words), tuple(amounts)))

    def holds(self, facts: Facts) -> bool:
        """Whether a memory meets it. The score, which costs most, comes last."""
        if self.tiers is not None and facts.tier not in self.tiers:
            return False
        words, amounts = self._compared
        for name, wanted in words:
            if getattr(facts, name) not in wanted:
                return False
        if self.tags and not self.tags.issubset(facts.tags):
            return False
        return all(
            bounds.holds(facts.score() if name == "score" else getattr(facts, name))
            for name, bounds in amounts
        )

    def within(self, other: Condition) -> bool:
        """Whether every memory that meets this one meets the other."""
        sets = all(_subset(getattr(self, name), getattr(other, name)) for name in ("tiers", *WORDS))
        amounts = all(getattr(self, name).within(getattr(other, name)) for name in AMOUNTS)
        return sets and amounts and self.tags >= other.tags

    def both(self, other: Condition) -> Condition:
        """What a memory meets that meets both."""
        found: dict[str, Any] = {
            name: _common(getattr(self, name), getattr(other, name)) for name in ("tiers", *WORDS)
        }
        found |= {name: getattr(self, name).both(getattr(other, name)) for name in AMOUNTS}
        return Condition(tags=self.tags | other.tags, **found)

    @property
    def empty(self) -> bool:
        """Whether no memory can meet it."""
        sets = any(getattr(self, name) == frozenset() for name in ("tiers", *WORDS))
        return sets or any(getattr(self, name).empty for name in AMOUNTS)

    @property
    def needs_score(self) -> bool:
        """Whether it compares the score."""
        return self.score != ANY

    def __str__(self) -> str:
        parts = [
            f"{name.removesuffix('s')} {' or '.join(sorted(wanted))}"
            for name in ("tiers", *WORDS, "tags")
            if (wanted := getattr(self, name))
        ]
        parts += [bounds.shown(name) for name in AMOUNTS if (bounds := getattr(self, name)) != ANY]
        return ", ".join(parts) or "every memory"


def _subset(one: frozenset[str] | None, other: frozenset[str] | None) -> bool:
    return other is None or (one is not None and one <= other)


def _common(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    if one is None or other is None:
        return other if one is None else one
    return one & other


def most_specific(rules: Iterable[R], condition: Callable[[R], Condition]) -> R | None:
    """Of rules that a memory meets, the one whose condition lies within the others; of equals the first."""
    best: R | None = None
    for rule in rules:
        if best is None or (
            condition(rule).within(condition(best)) and not condition(best).within(condition(rule))
        ):
            best = rule
    return best


def words_of(name: str, value: object) -> frozenset[str]:
    """A word, or several. Raises `InvalidInput`."""
    values = [value] if isinstance(value, str) else value
    if (
        not isinstance(values, list | tuple)
        or not values
        or not all(isinstance(v, str) and v for v in values)
    ):
        raise InvalidInput(f"{name} is a text or a list of texts, not {shown(value)}")
    return frozenset(values)


def interval_of(name: str, value: object) -> Interval:
    """An interval from text such as `>= 0.8`, `< 7d` or `0.5..0.8` (from, and below). Raises `InvalidInput`."""
    times = name in _TIMES
    example = ">= 7d, < 12h or 1d..7d" if times else ">= 3" if name == "uses" else ">= 0.8, < 0.5 or 0.5..0.8"
    text = value if isinstance(value, str) else ""
    found = ANY
    if match := _SIGNS.fullmatch(text):
        bound = _bound(name, match[2], example)
        low, high = (bound, math.inf) if match[1][0] == ">" else (-math.inf, bound)
        found = (
            Interval(bound, bound)
            if match[1] == "="
            else Interval(low, high, match[1] == ">", match[1] == "<")
        )
    elif match := _BETWEEN.fullmatch(text):
        found = Interval(_bound(name, match[1], example), _bound(name, match[2], example), high_open=True)
    else:
        raise InvalidInput(f"{name} is a text such as {example}, not {shown(value)}")
    whole = Interval(0.0, 1.0) if name in _SHARES else Interval(0.0)
    if found.empty or found.both(whole).empty:
        raise InvalidInput(f"{name} {shown(value)} holds for no memory")
    return found


def _bound(name: str, text: str, example: str) -> float:
    try:
        found = seconds(text) if name in _TIMES else float(text)
        if math.isfinite(found):
            return found
    except ValueError as error:
        raise InvalidInput(f"{name} is a text such as {example}, not {shown(text)}") from error
    raise InvalidInput(f"{name} is a text such as {example}, not {shown(text)}")
