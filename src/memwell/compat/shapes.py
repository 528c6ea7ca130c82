"""Turn the metadata of other layers into memwell's fields, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from memwell.compat.labels import LEVELS, level_of
from memwell.errors import InvalidInput
from memwell.fields import FIELDS, LIMITS, NARROWING, named
from memwell.types import Record
from memwell.values import plain

__all__ = ["arguments_of", "id_of", "metadata_of"]

_SHOWN: Final = tuple(name for name in named(given=True, updatable=True) if name != "metadata")
_OWNERS: Final = tuple(name for name in NARROWING if name != "user_id")


def id_of(name: str, value: object) -> str:
    """The id of a user or a conversation as a text; the other layers have numbers and UUIDs as well.

    Raises `InvalidInput` for anything else, and for an empty one: without an owner a call would be about all of them.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | UUID) or value == "":
        raise InvalidInput(f"{name} is a text that is not empty, or a number, not {value!r:.60}")
    return str(value)


def arguments_of(metadata: Mapping[str, Any] | None, *placed: str) -> dict[str, Any]:
    """The arguments of `remember` that metadata mean.

    `category` (a text), `importance` (a number from 0 to 1, or a word of `LEVELS`, which stays in the metadata as
    well) and `tags` (a list of texts) are fields, unless they are `placed` elsewhere in the other layer's shape. The
    rest, and what cannot be such a field, is metadata. Raises `InvalidInput` for metadata that are no dict.
    """
    if not isinstance(metadata, Mapping | None):
        raise InvalidInput(f"metadata is a dict, not {type(metadata).__name__}")
    rest = dict(metadata or {})
    found: dict[str, Any] = {"metadata": rest}
    free = {name: value for name, value in rest.items() if name not in placed}
    importance, tags = free.get("importance"), free.get("tags")
    if _is_text(free.get("category")):
        found["category"] = rest.pop("category")
    if isinstance(importance, str) and importance.lower() in LEVELS:
        found["importance"] = level_of(importance)
    elif isinstance(importance, int | float) and not isinstance(importance, bool) and 0 <= importance <= 1:
        found["importance"] = float(rest.pop("importance"))
    if isinstance(tags, list | tuple) and len(tags) <= LIMITS["tags"] and all(map(_is_text, tags)):
        found["tags"] = list(rest.pop("tags"))
    return found


def metadata_of(record: Record, *placed: str) -> dict[str, Any]:
    """A record's metadata, and what else it has that is not `placed` elsewhere in the other layer's shape.

    A field with its default value is left out, so that what was stored by `arguments_of` comes back as it was.
    """
    found: dict[str, Any] = plain(record.metadata)
    for name in _SHOWN:
        value = getattr(record, name)
        if name not in placed and value != FIELDS[name].default:
            found.setdefault(name, plain(value))
    for name in _OWNERS:
        value = getattr(record.scope, name)
        if name not in placed and value is not None:
            found.setdefault(name, value)
    return found


def _is_text(value: object) -> bool:
    """Whether a category or tag can be this."""
    return isinstance(value, str) and 0 < len(value) <= LIMITS["text"]
