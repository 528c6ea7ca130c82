"""Chat transcripts as JSON or JSONL, in the shapes that common tools export."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import chain
from typing import Any, Final

from memwell._dataclasses import dataclass
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
class _Context:
    """What applies to the turns of a conversation: session, time, source and place."""

    session: str | None
    time: datetime | None = None
    source: str | None = None
    place: str = ""


_TOO_DEEP: Final = "it nests too deep for a conversation"


def read(lines: Iterable[str], name: str, session: str | None) -> Iterator[Item]:
    """One memory per turn, as `speaker: text`, with session, time, and `speaker` or `role` in the metadata."""
    context = _Context(session=session, source=name or None)
    numbered = iter(enumerate(lines, 1))
    first = next(((n, line) for n, line in numbered if line.strip()), None)
    if first is None:
        return
    if isinstance(_parsed(first[1]), Mapping):
        yield from _by_line(chain([first], numbered), context)
        return
    rest = [first, *numbered]
    try:
        whole = json.loads("".join(line for _, line in rest).lstrip("\ufeff"))
    except (ValueError, RecursionError) as error:
        if len(rest) > 1 and any(isinstance(_parsed(line), Mapping) for _, line in rest[1:3]):
            yield from _by_line(rest, context)
            return
        place = f"line {getattr(error, 'lineno', 1) + first[0] - 1}"
        reason = _TOO_DEEP if isinstance(error, RecursionError) else f"not JSON: {error}"
        yield Skipped(place=place, reason=f"{reason}; nothing was imported from this file")
        return
    try:
        yield from _any(whole, context)
    except RecursionError:
        yield Skipped(place=context.place or "line 1", reason=_TOO_DEEP)


def _by_line(numbered: Iterable[tuple[int, str]], context: _Context) -> Iterator[Item]:
    """JSONL: each line is a message, a note or a whole conversation."""
    for number, line in numbered:
        if not line.strip():
            continue
        place = f"line {number}"
        value = _parsed(line)
        if not isinstance(value, Mapping):
            yield Skipped(place=place, reason=f"not a JSON object: {line.strip()[:60]}")
            continue
        yield from _any(value, replace(context, place=place))


def _parsed(line: str) -> Any:
    try:
        return json.loads(line.lstrip("\ufeff"))
    except (ValueError, RecursionError):
        return None


def _any(value: Any, context: _Context) -> Iterator[Item]:
    """A conversation, several of them, or a single turn."""
    if isinstance(value, list):
        yield from _all(value, context)
    elif not isinstance(value, Mapping):
        yield Skipped(place=context.place or "top level", reason=f"expected a JSON object, not {value!r:.60}")
    elif isinstance(value.get("mapping"), Mapping):
        yield from _all(_current_branch(value), _context_of(value, context))
    elif any(_SESSION_KEY.match(key) for key in value):
        yield from _sessions(value, context)
    else:
        turns = next((value[key] for key in _TURNS if isinstance(value.get(key), list | Mapping)), None)
        if turns is None:
            yield _turn(value, context)
        else:
            yield from _any(turns, _context_of(value, context))


def _all(values: Sequence[Any], context: _Context) -> Iterator[Item]:
    for number, value in enumerate(values, 1):
        place = f"{context.place}, message {number}" if context.place else f"message {number}"
        yield from _any(value, replace(context, place=place))


def _context_of(value: Mapping[str, Any], context: _Context) -> _Context:
    """The context of a conversation's turns."""
    named = next(
        (str(value[key]) for key in _NAME if isinstance(value.get(key), str | int) and value[key] != ""), None
    )
    return replace(
        context, session=(named or context.session or "")[:256] or None, time=_time(value) or context.time
    )


def _current_branch(value: Mapping[str, Any]) -> list[Any]:
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


def _sessions(value: Mapping[str, Any], context: _Context) -> Iterator[Item]:
    """`session_1`, `session_1_date_time`, …: turns of speakers in several sessions."""
    numbers = sorted(int(match[1]) for key in value if (match := _SESSION_KEY.match(key)))
    for number in numbers:
        key = f"session_{number}"
        session = f"{context.session}/{key}" if context.session else key
        inner = replace(context, session=session, time=moment(value.get(f"{key}_date_time")), place=key)
        if isinstance(value[key], list):
            yield from _all(value[key], inner)


def _turn(value: Mapping[str, Any], context: _Context) -> Item:
    place = context.place or "message 1"
    text = next((found for key in _TEXT if (found := _text(value.get(key)))), "")
    caption = value.get("blip_caption") or value.get("caption")
    if isinstance(caption, str) and caption:
        text = f"{text} [image: {caption}]".strip()
    if not text.strip():
        known = any(key in value for key in (*_TEXT, "role", "tool_calls", *_SPEAKER))
        reason = "a turn without text" if known else "neither a message nor a note: it has no content"
        return Skipped(place=place, reason=reason, harmless=known)
    speaker, labels = _speaker(value)
    session = next(
        (str(value[key]) for key in _SESSION if isinstance(value.get(key), str | int)), context.session
    )
    memory = NewMemory(
        content=f"{speaker}: {text}" if speaker else text,
        metadata={**_metadata(value), **labels} or None,
        session_id=session,
        created_at=_time(value) or context.time,
        source=context.source,
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
    labels = {}
    if isinstance(role, str) and role:
        labels["role"] = role
    if isinstance(name, str) and name:
        labels["speaker"] = name
    return labels.get("speaker") or labels.get("role"), labels


def _metadata(value: Mapping[str, Any]) -> dict[str, Any]:
    """The given metadata, the id of the turn, and a time that could not be parsed."""
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
    """The text of a content: a string, a list of parts, or a mapping with a text."""
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
