"""What is read from a text once: the features of a record, kept beside it, and what a question asks for.

Stores keep a record's features as one line, `actor TAB share that only asks TAB day-day,…`, so that a search parses no
content.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from memwell.ports.store.search import Facts, Interval
from memwell.retrieval.analysis.dates import intervals
from memwell.retrieval.analysis.text import (
    Query,
    analyze,
    asks_when,
    fold,
    question_share,
    split_actor,
    without_role,
)
from memwell.types import Record

__all__ = ["Question", "describe", "lexemes_and_signals", "question", "read_signals"]

_ACTOR_KEYS = ("speaker", "role", "author", "actor", "name")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What the query asks for beside its terms and its vector."""

    actors: frozenset[str] = frozenset()
    """Folded actors it is about."""
    named: bool = False
    """True when they are named, false when only I / you points to them."""
    intervals: Sequence[Interval] = ()
    """Times it mentions."""
    asks_when: bool = False
    """True when the answer is a time."""
    quotes: bool = False
    """True when it quotes a phrase."""


def describe(content: str, *, created_at: datetime, actor: str | None = None) -> tuple[list[str], Facts]:
    """Index terms and facts of a record's text.

    `actor` comes from metadata; without it a "Name: " prefix of the text is taken.
    """
    prefix, body = split_actor(content)
    terms = analyze(without_role(content))
    said_by = actor or prefix
    return terms, Facts(
        length=len(terms),
        actor=fold(said_by) if said_by else None,
        day=created_at.toordinal(),
        intervals=tuple(intervals(body, created_at, terms=terms)),
        question_share=question_share(body),
    )


def question(query: Query, *, now: datetime) -> Question:
    """What `query` asks for beside its terms, its relative times resolved against `now`."""
    return Question(
        actors=query.actors,
        named=query.named,
        intervals=tuple(intervals(query.text, now)),
        asks_when=asks_when(query.text),
        quotes=bool(query.phrases),
    )


def lexemes_and_signals(record: Record) -> tuple[str, str]:
    """The index terms of a record joined by spaces, and the line of its signals (empty when it has none)."""
    terms, facts = describe(record.content, created_at=record.created_at, actor=_actor(record))
    actor, idle, times = facts.actor, facts.question_share, facts.intervals
    if actor is None and not idle and not times:
        return " ".join(terms), ""
    spans = ",".join([f"{first}-{last}" for first, last in times])
    return " ".join(terms), f"{actor or ''}\t{f'{idle:.2f}' if idle else ''}\t{spans}"


def read_signals(line: str) -> tuple[str | None, float, tuple[Interval, ...]]:
    """Actor, idle share and times mentioned. Raises `ValueError` for anything but a line of signals."""
    if not line:
        return None, 0.0, ()
    actor, idle, spans = line.split("\t")
    found: list[Interval] = []
    for span in spans.split(",") if spans else ():
        first, _, last = span.partition("-")
        found.append((int(first), int(last)))
    return actor or None, float(idle) if idle else 0.0, tuple(found)


def _actor(record: Record) -> str | None:
    """The speaker that the metadata name, within what a name may be."""
    for key in _ACTOR_KEYS if record.metadata else ():
        value = record.metadata.get(key)
        if isinstance(value, str) and 0 < len(value) <= 64:
            return " ".join(value.split()) or None
    return None
