"""Probes for identifiers, generated from a seed: memories that differ only there, and questions that name one of them.

Each kind is a user of its own. A kind yields (memory, questions that only this memory answers); memories without
questions are there to be confused with the others.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from benchmarks.quality.data import Conversation, Item, Question
from benchmarks.quality.identifiers import daily, software
from benchmarks.quality.identifiers.making import Kind

__all__ = ["KINDS", "conversations"]

FIRST = datetime(2026, 1, 5, 8, tzinfo=UTC)
KINDS: dict[str, Kind] = {kind.__name__.replace("_", " "): kind for kind in (*software.KINDS, *daily.KINDS)}
"""Name of the kind → its generator."""


def conversations(seed: int = 8) -> list[Conversation]:
    """One conversation a kind; its name is also the category of its questions."""
    return [_conversation(name, kind, random.Random(f"{seed} {name}")) for name, kind in KINDS.items()]


def _conversation(name: str, kind: Kind, chance: random.Random) -> Conversation:
    probes = list(kind(chance))
    chance.shuffle(probes)
    items = [
        Item(f"{name} {at}", text, FIRST + timedelta(days=at), None) for at, (text, _) in enumerate(probes)
    ]
    questions = [
        Question(text, name, frozenset({item.id}))
        for item, (_, texts) in zip(items, probes, strict=True)
        for text in texts
    ]
    return Conversation(name, items, questions)
