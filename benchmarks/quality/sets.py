"""The project's own sets of questions: invented people, a team, chats, languages, and generated identifiers.

How they were written stands in the README of each folder. `NOW` is the moment at which all questions are asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.quality import identifiers
from benchmarks.quality.data import Conversation, load

__all__ = ["NOW", "SETS", "UNANSWERABLE"]

NOW = datetime(2026, 7, 1, 9, tzinfo=UTC)
UNANSWERABLE = "unanswerable"
"""The category of questions without an answer."""


def _folder(name: str) -> Callable[[], list[Conversation]]:
    files = Path(__file__).parent / name
    return lambda: [
        conversation
        for path in sorted(files.glob("*.json"))
        for conversation in load(path, unanswerable=True)
    ]


def _plain_chat() -> list[Conversation]:
    """The chats without `user:` and `assistant:`: nothing says who speaks."""
    return [
        replace(chat, items=[replace(item, text=item.text.partition(": ")[2]) for item in chat.items])
        for chat in _folder("chat")()
    ]


SETS: dict[str, Callable[[], list[Conversation]]] = {
    "everyday": _folder("everyday"),
    "team": _folder("team"),
    "chat": _folder("chat"),
    "chat-plain": _plain_chat,
    "languages": _folder("languages"),
    "identifiers": identifiers.conversations,
}
"""Name → a function that reads or generates its conversations."""
