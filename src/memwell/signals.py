"""What a record tells beside its words: who said it, which times it mentions, how much of it only asks.

Computed when a record is written and stored with it as one line of text, so that a search parses no content:
`actor TAB share TAB day-day,day-day`.
"""

from __future__ import annotations

from dataclasses import dataclass

from memwell.dates import Interval, intervals
from memwell.text import fold, idle_share, split_actor
from memwell.types import Record

__all__ = ["Signals", "read_signals", "signals_of"]

_ACTOR_KEYS = ("speaker", "role", "author", "actor", "name")


@dataclass(frozen=True, slots=True)
class Signals:
    """The signals of one record."""

    actor: str | None
    """Folded name or role of who said it."""
    idle: float
    """Share of the words that only ask, 0..1."""
    intervals: tuple[Interval, ...]
    """Times mentioned, as ranges of proleptic ordinals."""


_NONE = Signals(None, 0.0, ())


def signals_of(record: Record) -> str:
    """The line to store for a record; empty when it has no signal."""
    actor = _actor(record)
    idle = idle_share(record.content)
    times = intervals(record.content, record.created_at)
    if actor is None and not idle and not times:
        return ""
    spans = ",".join([f"{first}-{last}" for first, last in times])
    return f"{actor or ''}\t{f'{idle:.2f}' if idle else ''}\t{spans}"


def read_signals(line: str) -> Signals:
    """The inverse of `signals_of`. Raises `ValueError` for anything else."""
    if not line:
        return _NONE
    actor, idle, spans = line.split("\t")
    found: list[Interval] = []
    for span in spans.split(",") if spans else ():
        first, _, last = span.partition("-")
        found.append((int(first), int(last)))
    return Signals(actor or None, float(idle) if idle else 0.0, tuple(found))


def _actor(record: Record) -> str | None:
    for key in _ACTOR_KEYS if record.metadata else ():
        value = record.metadata.get(key)
        if isinstance(value, str) and value and len(value) <= 64:
            return " ".join(fold(value).split()) or None
    name, _ = split_actor(record.content)
    return None if name is None else fold(name)
