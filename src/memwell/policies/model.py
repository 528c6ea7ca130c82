"""The rules of a set of policies, checked and frozen. `memwell.policies.load` makes them; all times are in seconds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any, Final, Literal, TypeAlias

from memwell._dataclasses import dataclass
from memwell.policies.conditions import Condition
from memwell.retrieval.ranking.strategies import STRATEGIES, Strategy

__all__ = [
    "TIERS",
    "By",
    "Decay",
    "Deduplicate",
    "Evict",
    "Expire",
    "Method",
    "Move",
    "Originals",
    "Overflow",
    "Policies",
    "Rule",
    "Summarise",
    "Tier",
    "Trim",
    "Write",
]

Evict: TypeAlias = Literal["least_recently_used", "lowest_score", "oldest"]
Overflow: TypeAlias = Literal["next", "forget"]
Originals: TypeAlias = Literal["keep", "hide", "forget"]
Method: TypeAlias = Literal["cut", "extract"]
By: TypeAlias = Literal["session", "category"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """A tier, and how much each owner (tenant and user) may have in it."""

    name: str
    capacity: int | None = None
    """Memories of one owner."""
    tokens: int | None = None
    """Tokens of one owner's texts, four bytes each."""
    bytes: int | None = None
    """Bytes of one owner's texts."""
    ttl: float | None = None
    """Seconds after which a memory in this tier expires: hidden at once, removed by the next sweep."""
    expiry: float | None = None
    """Age in seconds at which a memory leaves for the next tier, or out of the last one."""
    evict: Evict = "least_recently_used"
    """Which memories leave first when there are too many."""
    overflow: Overflow = "forget"
    """Whether those that leave go to the next tier, or are forgotten."""

    @property
    def limited(self) -> bool:
        """Whether an owner may have too much in it."""
        return self.capacity is not None or self.tokens is not None or self.bytes is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What all rules have."""

    name: str
    """Such as `migrate 2`, or the name that the file gives."""
    when: Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class Write(Rule):
    """A new memory that meets the condition goes to a tier, unless it names one."""

    tier: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Move(Rule):
    """A memory that meets the condition goes to another tier. A promotion wins over what would move it back."""

    tier: str
    promotes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Expire(Rule):
    """A memory that meets the condition is forgotten: now, or after some seconds of grace."""

    grace: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trim(Rule):
    """A longer text is cut to a number of characters, at the end of a sentence where there is one (`cut`), or to its
    most telling sentences (`extract`). The history keeps the whole text.
    """

    characters: int
    method: Method = "cut"


@dataclass(frozen=True, slots=True, kw_only=True)
class Summarise(Rule):
    """The memories of a conversation or a category, some or more, get a memory of kind `summary` that names them."""

    by: By = "session"
    at_least: int = 10
    characters: int = 1000
    originals: Originals = "keep"
    """Whether the memories stay as they are, are hidden from recall behind the summary, or are forgotten."""
    tier: str | None = None
    """The tier of the summary."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deduplicate:
    """Memories of one owner that say the same are merged into one of them; see `memwell.policies.duplicates`."""

    exact: bool = True
    """Equal texts, whatever the case and the spaces."""
    words: float | None = None
    """Least share of words in common, 0..1."""
    vectors: float | None = None
    """Least cosine of their vectors, 0..1. With `words`, both must hold."""
    when: Condition = field(default_factory=Condition)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decay:
    """The importance of a memory halves with each half-life without a change or a recall."""

    half_life: float
    floor: float = 0.0
    """The importance that is left at least."""
    every: float = 7 * 86_400.0
    """Seconds between two changes of one memory: each is a version in its history."""


TIERS: Final = (Tier(name="short_term"), Tier(name="mid_term"), Tier(name="long_term"))
"""The tiers where none are declared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """A set of policies. Make it with `memwell.policies.load`, which checks it."""

    tiers: tuple[Tier, ...] = TIERS
    """In the order in which memories age."""
    write: tuple[Write, ...] = ()
    moves: tuple[Move, ...] = ()
    """`migrate` and `promote` rules."""
    expire: tuple[Expire, ...] = ()
    trim: tuple[Trim, ...] = ()
    summarise: tuple[Summarise, ...] = ()
    deduplicate: Deduplicate | None = None
    decay: Decay | None = None
    scoring: Strategy = STRATEGIES["memoric"]
    """What `score` means in conditions, and `lowest_score`."""
    declared: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """What was loaded."""

    def tier(self, name: str | None) -> Tier | None:
        """The tier of that name."""
        return next((tier for tier in self.tiers if tier.name == name), None)

    def after(self, name: str) -> Tier | None:
        """The tier that follows one; `None` after the last."""
        names = [tier.name for tier in self.tiers]
        place = names.index(name) + 1
        return self.tiers[place] if place < len(names) else None

    def rules(self) -> Iterator[Rule]:
        """Every rule with a condition of its own."""
        yield from (*self.write, *self.moves, *self.expire, *self.trim, *self.summarise)
