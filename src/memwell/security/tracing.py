"""What an operation touched, read from its arguments and its result, whatever the operation is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from memwell.hits import Hits
from memwell.security.receipts import Receipt
from memwell.types import Hit, Link, Page, Record, Related, Version

__all__ = ["Traced", "traced"]

_WRITING: Final = frozenset({"content", "version", "clear", "supersedes", "on_duplicate"})
"""Arguments that only operations have which return the records that they wrote."""


@dataclass(slots=True)
class Traced:
    """Ids, changed versions and further data."""

    ids: list[str] = field(default_factory=list)
    changes: list[tuple[str, int, str]] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)


def traced(given: Mapping[str, Any], result: object, digest: Callable[[str], str]) -> Traced:
    """What a call touched. `given` are its arguments by name; `digest` is of a content."""
    found = Traced()
    if isinstance(result, Receipt):
        found.data = {"receipt": result.id, "count": len(result.records)}
        if not given.get("audit"):
            found.ids = [one.id for one in result.records]
        return found
    records = list(_records(result))
    if records:
        found.ids = [record.id for record in records]
        if _WRITING & given.keys():
            found.changes = [(r.id, r.version, digest(r.content)) for r in records]
        return found
    if isinstance(result, list) and result and all(isinstance(one, str) for one in result):
        found.ids = list(result)
        return found
    found.ids = [*_named(given)]
    if isinstance(result, Link):
        found.data = {"kind": result.kind}
    elif isinstance(result, int) and not isinstance(result, bool):
        found.data = {"count": result}
    return found


def _records(result: object) -> Iterable[Record]:
    items = result if isinstance(result, list | tuple | Hits | Page) else [result]
    for item in items:
        if isinstance(item, Record):
            yield item
        elif isinstance(item, Hit | Related | Version):
            yield item.record


def _named(given: Mapping[str, Any]) -> Iterable[str]:
    """The ids that the arguments name."""
    for name in ("id", "ids", "source", "target"):
        value = given.get(name)
        if isinstance(value, str):
            yield value
        elif isinstance(value, list | tuple | set | frozenset):
            yield from (one for one in value if isinstance(one, str))
