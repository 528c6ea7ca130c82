"""Chat messages, as the APIs of language models have them, as memories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from memwell.errors import InvalidInput, shown
from memwell.fields import SCOPE
from memwell.types import NewMemory

__all__ = ["memory_of", "with_text"]

_OPTIONS: Final = frozenset({*SCOPE, *NewMemory.__dataclass_fields__}) - {
    "id",
    "content",
    "created_at",
    "metadata",
}
_READ: Final = frozenset({"role", "name", "content", "created_at", "metadata"})
_FORM: Final = "{'role': 'user', 'content': 'I like tea'}"


def with_text(item: object) -> bool:
    """Whether an item of a list has something to remember: a message that only calls tools or shows images has not."""
    if isinstance(item, (str, NewMemory)) or not isinstance(item, Mapping) or "role" not in item:
        return True
    called = item.get("tool_calls") or item.get("function_call")
    return bool(_text(item.get("content"))) or not ("content" in item or called)


def memory_of(message: Mapping[str, Any], common: Mapping[str, Any] | None) -> NewMemory:
    """The memory of a message. `role` and `name` (as `speaker`) stand in its metadata, beside `common`, its own
    `metadata`, and whatever else it holds. Raises `InvalidInput`.
    """
    role, name = message.get("role"), message.get("name")
    if not isinstance(role, str) or not role or ("content" not in message):
        raise InvalidInput(f"a chat message is a mapping such as {_FORM}, not {shown(dict(message))}")
    if wrong := sorted(key for key in message if key in _OPTIONS and message[key] is not None):
        raise InvalidInput(
            f"a chat message says nothing of {', '.join(wrong)}; hand it to remember as an option, or a NewMemory"
        )
    if name is not None and not isinstance(name, str):
        raise InvalidInput(f"the name of a chat message is a text, not {shown(name)}")
    text = _text(message["content"])
    if not text:
        raise InvalidInput("the message has no text; there is nothing to remember")
    own = message.get("metadata")
    if own is not None and not isinstance(own, Mapping):
        raise InvalidInput(f"the metadata of a chat message are a mapping, not {shown(own)}")
    rest = {key: value for key, value in message.items() if key not in _READ and value is not None}
    spoken = {"role": role, "speaker": name} if name else {"role": role}
    metadata = {**(common or {}), **rest, **(own or {}), **spoken}
    return NewMemory(content=text, metadata=metadata, created_at=message.get("created_at"))


def _text(content: Any) -> str:
    """The text of a content: a text, or a list of parts of which some are texts. Empty if there is none."""
    if isinstance(content, str):
        return content if content.strip() else ""
    if isinstance(content, Mapping):
        inner = content.get("text")
        return _text(inner.get("value") if isinstance(inner, Mapping) else inner)
    if isinstance(content, Sequence) and not isinstance(content, bytes | bytearray):
        return "\n".join(text for part in content if (text := _text(part)))
    return ""
