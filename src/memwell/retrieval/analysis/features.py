"""The features of a record, extracted once when it is written, and those of a question.

Stores keep the features of a record as one line of text, its *signals*: `actor TAB question share TAB day-day,…`. So a
search need not parse any content.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from memwell.ports.store.search import Features, Interval
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
    """What a query asks for, besides its terms and its vector."""

    actors: frozenset[str] = frozenset()
    """Folded names of the actors it is about."""
    named: bool = False
    """Whether it names them; false if it says only "I" or "you"."""
    intervals: Sequence[Interval] = ()
    """Times it mentions."""
    asks_when: bool = False
    """Whether the answer is a time."""
    quotes: bool = False
    """Whether it quotes a phrase."""


def describe(content: str, *, created_at: datetime, actor: str | None = None) -> tuple[list[str], Features]:
    """Index terms and features of a record's text.

    `actor` comes from the metadata; if it is missing, a "Name: " prefix of the text is used.
    """
    prefix, body = split_actor(content)
    terms = analyze(without_role(content))
    speaker = actor or prefix
    return terms, Features(
        length=len(terms),
        actor=fold(speaker) if speaker else None,
        day=created_at.toordinal(),
        intervals=tuple(intervals(body, created_at, terms=terms)),
        question_share=question_share(body),
    )


def question(query: Query, *, now: datetime) -> Question:
    """What `query` asks for besides its terms; relative times are resolved against `now`."""
    return Question(
        actors=query.actors,
        named=query.named,
        intervals=tuple(intervals(query.text, now)),
        asks_when=asks_when(query.text),
        quotes=bool(query.phrases),
    )


def lexemes_and_signals(record: Record) -> tuple[str, str]:
    """The index terms of a record, joined by spaces, and its signals (empty if it has none)."""
    terms, features = describe(record.content, created_at=record.created_at, actor=_actor(record))
    actor, share, times = features.actor, features.question_share, features.intervals
    if actor is None and not share and not times:
        return " ".join(terms), ""
    spans = ",".join([f"{first}-{last}" for first, last in times])
    return " ".join(terms), f"{actor or ''}\t{f'{share:.2f}' if share else ''}\t{spans}"


def read_signals(line: str) -> tuple[str | None, float, tuple[Interval, ...]]:
    """Actor, question share and times mentioned. Raises `ValueError` for an invalid line."""
    if not line:
        return None, 0.0, ()
    actor, share, spans = line.split("\t")
    found: list[Interval] = []
    for span in spans.split(",") if spans else ():
        first, _, last = span.partition("-")
        found.append((int(first), int(last)))
    return actor or None, float(share) if share else 0.0, tuple(found)


def _actor(record: Record) -> str | None:
    """The speaker given in the metadata, if its length is plausible for a name."""
    for key in _ACTOR_KEYS if record.metadata else ():
        value = record.metadata.get(key)
        if isinstance(value, str) and 0 < len(value) <= 64:
            return " ".join(value.split()) or None
    return None
