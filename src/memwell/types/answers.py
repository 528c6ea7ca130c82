"""What calls give back about memories: hits with their reasons, versions, related ones, contradictions, pages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal

from memwell._dataclasses import dataclass
from memwell.types.records import Link, OfRecord, Record
from memwell.values import Short, Value, html_table, shortened

__all__ = ["Component", "Contradiction", "Hit", "Page", "Related", "Version", "Why"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Component(Value):
    """One signal of a score: it added `weight * value`."""

    name: str
    value: float
    weight: float

    @property
    def points(self) -> float:
        """What the signal contributed."""
        return self.value * self.weight

    def to_dict(self) -> dict[str, Any]:
        """As of every value, with `points`."""
        return {**Value.to_dict(self), "points": self.points}


@dataclass(frozen=True, slots=True, kw_only=True)
class Why(Value):
    """Why a hit stands where it stands."""

    components: tuple[Component, ...] = ()
    """Every signal that contributed, largest contribution first."""
    passage: str | None = None
    """The matching part of a content that was longer than the model's window."""
    terms: tuple[str, ...] = ()
    """Query terms found in the content, as stems."""
    cosine: float | None = None
    """Cosine of the question and the content, −1..1; `None` without vectors."""
    notes: tuple[str, ...] = ()
    """What was different from usual, such as `semantic part unavailable`."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Hit(OfRecord):
    """A record found by `recall`."""

    record: Record
    score: float
    """0..1, higher is better, the same meaning on every backend."""
    why: Why
    excerpt: str | None = None
    """The passage in place of a content that is too long for the `token_budget`."""
    contradicted_by: tuple[str, ...] = ()
    """Ids of the visible memories that contradict it, whichever of the two holds the link."""
    superseded_by: str | None = None
    """Id of the memory that supersedes it, with `superseded="show"`."""

    @property
    def text(self) -> str:
        """What to hand on: the excerpt, if there is one, or else the content."""
        return self.content if self.excerpt is None else self.excerpt

    def _short(self) -> Short:
        yield None, round(self.score, 3)
        yield "content", shortened(self.content)
        yield from list(self.record._short())[1:]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Version(OfRecord):
    """A version of a record, and when the next one replaced it."""

    record: Record
    changed_at: datetime
    """When the next version replaced it; for the current one, when it was written."""
    changed: tuple[str, ...] = ()
    """Names of the fields that differ from the version before."""
    current: bool = False

    @property
    def version(self) -> int:
        """The version's number, from 1."""
        return self.record.version

    def to_dict(self) -> dict[str, Any]:
        """As of every value; an older version has no links."""
        return OfRecord.to_dict(self) | ({} if self.current else {"links": []})

    def _short(self) -> Short:
        yield None, self.version
        yield "content", shortened(self.content)
        yield "changed", list(self.changed)
        yield "changed_at", f"{self.changed_at:%Y-%m-%d %H:%M}"
        yield "current", self.current


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Related(OfRecord):
    """A record reached over relationships."""

    record: Record
    link: Link
    """The last relationship on the path, as the record that holds it has it."""
    depth: int
    """Number of relationships on the shortest path, from 1."""
    outgoing: bool
    """Whether the last relationship points to this record."""
    strength: float
    """Product of the strengths along the path."""

    def _short(self) -> Short:
        yield None, shortened(self.content)
        yield "id", self.id
        yield "link", self.link.kind
        yield "outgoing", self.outgoing
        yield "depth", self.depth
        yield "strength", round(self.strength, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction(Value):
    """Two memories that say the same of the same thing, with another value."""

    newer: Record
    older: Record
    kind: Literal["number", "date", "name", "word", "negation"]
    """What the values are; `negation`: one memory negates the other."""
    before: str
    """The value of the older one, as written."""
    after: str
    """The value of the newer one."""
    similarity: float
    """Share of the words of both that they have in common, 0..1."""
    reason: str
    """The words that both begin with, and what has changed behind them, as a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Page(Value):
    """A part of a listing."""

    records: tuple[Record, ...]
    cursor: str | None = None
    """Hand it to the next call; `None` means that this was the last page."""

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> Record:
        return self.records[index]

    def _short(self) -> Short:
        yield None, len(self.records)
        if self.records:
            yield "first", shortened(self.records[0].content)
        yield "cursor", self.cursor if self.cursor is None else shortened(self.cursor, 16)

    def _repr_html_(self) -> str:
        return html_table(self.records, "" if self.cursor is None else "There are more: see cursor.")
