"""Chat transcripts as JSON or JSONL, in the shapes that are found in the wild."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from typing import Any, Final

from memwell.importers.items import Found, Item, Skipped
from memwell.importers.moments import moment
from memwell.types import NewMemory

__all__ = ["read"]

_TURNS: Final = ("messages", "chat_messages", "turns", "conversation", "conversations", "memories", "items")
_SPEAKER: Final = ("name", "speaker", "author", "from", "sender")
_TEXT: Final = ("content", "text", "value", "message")
_TIME: Final = ("created_at", "timestamp", "create_time", "date_time", "datetime", "time", "date", "ts")
_SESSION: Final = ("session_id", "session", "conversation_id", "thread_id")
_NAME: Final = (*_SESSION, "uuid", "sample_id", "id", "title")
_SESSION_KEY: Final = re.compile(r"session_(\d+)$")


@dataclass(frozen=True, slots=True)
class _Around:
    """What holds for the turns inside: their session, time and the file's name."""

    session: str | None
    time: datetime | None = None
    source: str | None = None
    place: str = ""


def read(lines: Iterable[str], name: str, session: str | None) -> Iterator[Item]:
    """A memory for each turn, as `speaker: text`, with `speaker` or `role` in the metadata, session and time."""
    around = _Around(session=session, source=name or None)
    numbered = iter(enumerate(lines, 1))
    first = next(((n, line) for n, line in numbered if line.strip()), None)
    if first is None:
        return
    if isinstance(_parsed(first[1]), Mapping):
        yield from _by_line(chain([first], numbered), around)
        return
    rest = [first, *numbered]
    try:
        whole = json.loads("".join(line for _, line in rest).lstrip("\ufeff"))
    except ValueError as error:
        if len(rest) > 1 and any(isinstance(_parsed(line), Mapping) for _, line in rest[1:3]):
            yield from _by_line(rest, around)
            return
        place = f"line {getattr(error, 'lineno', 1) + first[0] - 1}"
        yield Skipped(place=place, reason=f"not JSON: {error}; nothing of this file was taken")
        return
    yield from _any(whole, around)


def _by_line(numbered: Iterable[tuple[int, str]], around: _Around) -> Iterator[Item]:
    """JSONL: each line a message, a note or a whole conversation."""
    for number, line in numbered:
        if not line.strip():
            continue
        place = f"line {number}"
        value = _parsed(line)
        if not isinstance(value, Mapping):
            yield Skipped(place=place, reason=f"not a JSON object: {line.strip()[:60]}")
            continue
        yield from _any(value, replace(around, place=place))


def _parsed(line: str) -> Any:
    try:
        return json.loads(line.lstrip("\ufeff"))
    except ValueError:
        return None


def _any(value: Any, around: _Around) -> Iterator[Item]:
    """A conversation, several of them, or a single turn."""
    if isinstance(value, list):
        yield from _all(value, around)
    elif not isinstance(value, Mapping):
        yield Skipped(
            place=around.place or "top level", reason=f"a JSON object is expected, not {value!r:.60}"
        )
    elif isinstance(value.get("mapping"), Mapping):
        yield from _all(_branch(value), _inside(value, around))
    elif any(_SESSION_KEY.match(key) for key in value):
        yield from _sessions(value, around)
    else:
        turns = next((value[key] for key in _TURNS if isinstance(value.get(key), list | Mapping)), None)
        if turns is None:
            yield _turn(value, around)
        else:
            yield from _any(turns, _inside(value, around))


def _all(values: Sequence[Any], around: _Around) -> Iterator[Item]:
    for number, value in enumerate(values, 1):
        place = f"{around.place}, message {number}" if around.place else f"message {number}"
        yield from _any(value, replace(around, place=place))


def _inside(value: Mapping[str, Any], around: _Around) -> _Around:
    """What a conversation says about its turns."""
    named = next(
        (str(value[key]) for key in _NAME if isinstance(value.get(key), str | int) and value[key] != ""), None
    )
    return replace(
        around, session=(named or around.session or "")[:256] or None, time=_time(value) or around.time
    )


def _branch(value: Mapping[str, Any]) -> list[Any]:
    """The messages of a ChatGPT conversation from the first to the current one; dropped branches are left out."""
    nodes = {key: node for key, node in value["mapping"].items() if isinstance(node, Mapping)}
    at = value.get("current_node")
    if not isinstance(at, str) or at not in nodes:
        at = next((key for key in reversed(nodes) if not nodes[key].get("children")), None)
    found: list[Any] = []
    seen: set[str] = set()
    while isinstance(at, str) and at in nodes and at not in seen:
        seen.add(at)
        if isinstance(nodes[at].get("message"), Mapping):
            found.append(nodes[at]["message"])
        at = nodes[at].get("parent")
    return found[::-1]


def _sessions(value: Mapping[str, Any], around: _Around) -> Iterator[Item]:
    """`session_1`, `session_1_date_time`, …: turns of speakers in several sessions."""
    numbers = sorted(int(match[1]) for key in value if (match := _SESSION_KEY.match(key)))
    for number in numbers:
        key = f"session_{number}"
        session = f"{around.session}/{key}" if around.session else key
        here = replace(around, session=session, time=moment(value.get(f"{key}_date_time")), place=key)
        if isinstance(value[key], list):
            yield from _all(value[key], here)


def _turn(value: Mapping[str, Any], around: _Around) -> Item:
    place = around.place or "message 1"
    text = next((found for key in _TEXT if (found := _text(value.get(key)))), "")
    caption = value.get("blip_caption") or value.get("caption")
    if isinstance(caption, str) and caption:
        text = f"{text} [image: {caption}]".strip()
    if not text.strip():
        known = any(key in value for key in (*_TEXT, "role", "tool_calls", *_SPEAKER))
        reason = "a turn without text" if known else "neither a message nor a note: it has no content"
        return Skipped(place=place, reason=reason, harmless=known)
    speaker, told = _speaker(value)
    session = next(
        (str(value[key]) for key in _SESSION if isinstance(value.get(key), str | int)), around.session
    )
    memory = NewMemory(
        content=f"{speaker}: {text}" if speaker else text,
        metadata={**_metadata(value), **told} or None,
        session_id=session,
        created_at=_time(value) or around.time,
        source=around.source,
        tags=[str(tag) for tag in value["tags"]] if isinstance(value.get("tags"), list) else None,
        category=value["category"] if isinstance(value.get("category"), str) else None,
    )
    return Found(memory=memory, place=place)


def _speaker(value: Mapping[str, Any]) -> tuple[str | None, dict[str, str]]:
    """Who speaks, and what the metadata tell of it."""
    role = value.get("role")
    name: Any = next((value[key] for key in _SPEAKER if value.get(key)), None)
    if isinstance(name, Mapping):
        role, name = name.get("role", role), name.get("name")
    told = {}
    if isinstance(role, str) and role:
        told["role"] = role
    if isinstance(name, str) and name:
        told["speaker"] = name
    return told.get("speaker") or told.get("role"), told


def _metadata(value: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata as given, the turn's own number, and a time that could not be read."""
    given = value.get("metadata")
    role = value.get("author")
    found = dict(given) if isinstance(given, Mapping) and not isinstance(role, Mapping) else {}
    if isinstance(value.get("dia_id"), str):
        found["dia_id"] = value["dia_id"]
    unread = next(
        (value[key] for key in _TIME if isinstance(value.get(key), str) and moment(value[key]) is None), None
    )
    return {**found, "time": unread} if unread else found


def _time(value: Mapping[str, Any]) -> datetime | None:
    return next((found for key in _TIME if (found := moment(value.get(key)))), None)


def _text(content: Any) -> str:
    """The text of a content: itself, its parts, or what its mapping holds."""
    if isinstance(content, str):
        return content.strip()
    if isinstance(content, Mapping):
        if "parts" in content:
            return _text(content["parts"])
        inner = next((_text(content[key]) for key in _TEXT if content.get(key)), "")
        return inner or (
            "[image]" if "image" in str(content.get("type", content.get("content_type", ""))) else ""
        )
    if isinstance(content, list):
        return "\n".join(part for item in content if (part := _text(item)))
    return ""
