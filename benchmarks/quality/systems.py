"""memwell as its users call it: one store for all conversations, a user each, `recall` with its defaults.

Rows that switch a technique off hand in a `Strategy` with other signal weights: also a public argument.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.quality.data import Conversation, Question
from memwell import STRATEGIES, Keyring, Memory, NewMemory, Strategy
from memwell.ports.store.search import DEFAULT, Weights

__all__ = ["ADDED", "MODES", "REMOVED", "STRATEGY_ROWS", "System", "Variant"]

DEPTH = 20
"""Hits asked for each question."""


@dataclass(frozen=True, slots=True)
class Variant:
    """How `recall` is called for one row of the table."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)


def _with(weights: Weights) -> dict[str, Any]:
    return {"strategy": Strategy(signals=weights)}


_BARE = Weights(
    actor=0, role=0, time=0, when=0, phrase=0, question_share=0, reach=0, reply=0, asked=0, session=0,
    identifier=0, newer=0, coverage=0, succession=0,
)  # fmt: skip
_STEPS: tuple[tuple[str, dict[str, float]], ...] = (
    ("words and meaning, fused", {}),
    ("+ neighbours in the conversation", {"reach": DEFAULT.reach}),
    ("+ replies", {"reply": DEFAULT.reply}),
    ("+ people named in the question", {"actor": DEFAULT.actor}),
    ("+ I and you", {"role": DEFAULT.role}),
    ("+ times", {"time": DEFAULT.time, "when": DEFAULT.when}),
    ("+ quoted phrases", {"phrase": DEFAULT.phrase}),
    ("+ identifiers", {"identifier": DEFAULT.identifier}),
    ("+ turns that only ask", {"question_share": DEFAULT.question_share, "asked": DEFAULT.asked}),
    ("+ sessions that fit", {"session": DEFAULT.session}),
    ("+ words covered", {"coverage": DEFAULT.coverage}),
    ("+ the newer of equals", {"newer": DEFAULT.newer}),
    ("+ what replaces the best", {"succession": DEFAULT.succession}),
)


def _added() -> list[Variant]:
    weights, found = _BARE, []
    for name, step in _STEPS:
        weights = replace(weights, **step)
        found.append(Variant(name, _with(weights)))
    return found


ADDED = _added()
"""Each technique added in turn; the last is the default."""

REMOVED = [
    Variant(f"default without {name[2:]}", _with(replace(DEFAULT, **dict.fromkeys(step, 0))))
    for name, step in _STEPS[1:]
]
"""Each technique taken out of the default."""

MODES = [
    Variant("recall, lexical", {"mode": "lexical"}),
    Variant("recall, semantic", {"mode": "semantic"}),
    Variant("recall (the default)"),
]

STRATEGY_ROWS = [
    Variant(f"recall, {name}", {"strategy": name})
    for name, found in STRATEGIES.items()
    if found != Strategy()
]
"""The named strategies beside the default."""


class System:
    """A filled store; use as a context manager."""

    def __init__(
        self,
        conversations: Sequence[Conversation],
        embedder: object,
        url: str | None = None,
        *,
        clock: Callable[[], datetime] | None = None,
        encryption: Keyring | None = None,
    ) -> None:
        self._folder = tempfile.TemporaryDirectory()
        url = url or f"sqlite:///{Path(self._folder.name) / 'quality.db'}"
        self._memory = Memory(url, embedder=embedder, clock=clock, encryption=encryption)
        self._ids: dict[str, str] = {}
        for conversation in conversations:
            self._fill(conversation)

    def _fill(self, conversation: Conversation) -> None:
        records = self._memory.remember(
            [
                NewMemory(content=item.text, session_id=item.session, created_at=item.created_at)
                for item in conversation.items
            ],
            user_id=conversation.id,
        )
        for item, record in zip(conversation.items, records, strict=True):
            self._ids.setdefault(record.id, item.id)

    def ranking(self, conversation: Conversation, question: Question, variant: Variant) -> list[str]:
        """The items that answer a question, best first."""
        return [id for id, _ in self.scored(conversation, question, variant)]

    def scored(
        self, conversation: Conversation, question: Question, variant: Variant
    ) -> list[tuple[str, float]]:
        """The items that answer a question with their scores, best first."""
        hits = self._memory.recall(question.text, user_id=conversation.id, limit=DEPTH, **variant.options)
        return [(self._ids[hit.record.id], hit.score) for hit in hits]

    def __enter__(self) -> System:
        return self

    def __exit__(self, *_: object) -> None:
        self._memory.close()
        self._folder.cleanup()
