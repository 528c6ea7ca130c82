"""What a record tells beside its words, as one line of text that stores keep with it.

The line is `actor TAB idle TAB day-day,…`. It is computed when a record is written, so that a search parses no content.
"""

from __future__ import annotations

from memwell.retrieval.days import Interval
from memwell.retrieval.evidence import describe
from memwell.types import Record

__all__ = ["lexemes_and_signals", "read_signals"]

_ACTOR_KEYS = ("speaker", "role", "author", "actor", "name")


def lexemes_and_signals(record: Record) -> tuple[str, str]:
    """The index terms of a record joined by spaces, and the line of its signals (empty when it has none)."""
    terms, facts = describe(record.content, created_at=record.created_at, actor=_actor(record))
    actor, idle, times = facts.actor, facts.idle, facts.intervals
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
