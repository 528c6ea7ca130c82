"""Reading conversations: LoCoMo's own form, or the neutral one (see `--help`)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

__all__ = ["Conversation", "Item", "Question", "load"]

CATEGORIES = {1: "multi-hop", 2: "temporal", 3: "open-domain", 4: "single-hop"}
"""LoCoMo's numbers; category 5 (adversarial) has no answer and is left out."""


@dataclass(frozen=True, slots=True)
class Item:
    """One turn or message, as it is remembered."""

    id: str
    text: str
    created_at: datetime
    session: str | None


@dataclass(frozen=True, slots=True)
class Question:
    """One question and the ids of the items that answer it."""

    text: str
    category: str
    gold: frozenset[str]


@dataclass(frozen=True, slots=True)
class Conversation:
    """One user's history and the questions about it."""

    id: str
    items: list[Item]
    questions: list[Question]


def load(path: Path, *, unanswerable: bool = False) -> list[Conversation]:
    """The conversations of a file of either form; on demand also the questions without an answer (empty gold)."""
    found = json.loads(path.read_text("utf-8"))
    if "conversation" in found[0]:
        return [_locomo(entry) for entry in found]
    return [_neutral(entry, unanswerable) for entry in found]


def _locomo(entry: dict[str, Any]) -> Conversation:
    talk = entry["conversation"]
    items = [
        Item(turn["dia_id"], _turn(turn), _moment(talk[f"{name}_date_time"]), name)
        for name in sorted((k for k in talk if re.fullmatch(r"session_\d+", k)), key=_number)
        for turn in talk[name]
    ]
    known = {item.id for item in items}
    questions = [
        Question(qa["question"], CATEGORIES[qa["category"]], gold)
        for qa in entry["qa"]
        if qa["category"] in CATEGORIES and (gold := frozenset(_evidence(qa["evidence"])) & known)
    ]
    return Conversation(entry["sample_id"], items, questions)


def _turn(turn: dict[str, Any]) -> str:
    caption = turn.get("blip_caption")
    return f"{turn['speaker']}: {turn['text']}" + (f" [image: {caption}]" if caption else "")


def _evidence(entries: list[str]) -> Iterator[str]:
    for entry in entries:
        for session, turn in re.findall(r"D(\d+):(\d+)", entry):
            yield f"D{int(session)}:{int(turn)}"


def _number(name: str) -> int:
    return int(name.rpartition("_")[2])


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%I:%M %p on %d %B, %Y").replace(tzinfo=UTC)


def _neutral(entry: dict[str, Any], unanswerable: bool) -> Conversation:
    items = [
        Item(
            m["id"], m["text"], datetime.fromisoformat(m["created_at"]).replace(tzinfo=UTC), m.get("session")
        )
        for m in entry["memories"]
    ]
    known = {item.id for item in items}
    questions = [
        Question(q["text"], q["category"], gold)
        for q in entry["questions"]
        if (gold := frozenset(q["gold"]) & known) or (unanswerable and not q["gold"])
    ]
    return Conversation(entry["id"], items, questions)
