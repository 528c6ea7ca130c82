"""How the other layers' metadata and memwell's fields meet: what has a field goes there, and comes back as metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from memwell.compat.labels import LEVELS, level_of
from memwell.fields import FIELDS, NARROWING, named
from memwell.types import Record
from memwell.values import plain

__all__ = ["arguments_of", "metadata_of"]

_SHOWN: Final = tuple(name for name in named(given=True, updatable=True) if name != "metadata")
_OWNERS: Final = tuple(name for name in NARROWING if name != "user_id")


def arguments_of(metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    """The arguments of `remember` that metadata mean.

    `category` (a text), `importance` (a number from 0 to 1, or a word of `LEVELS`, which stays in the metadata as
    well) and `tags` (a list of texts) are fields; the rest is metadata.
    """
    rest = dict(metadata or {})
    found: dict[str, Any] = {"metadata": rest}
    if isinstance(rest.get("category"), str):
        found["category"] = rest.pop("category")
    importance, tags = rest.get("importance"), rest.get("tags")
    if isinstance(importance, str) and importance.lower() in LEVELS:
        found["importance"] = level_of(importance)
    elif isinstance(importance, int | float) and 0 <= importance <= 1:
        found["importance"] = float(rest.pop("importance"))
    if isinstance(tags, list | tuple) and all(isinstance(tag, str) for tag in tags):
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
