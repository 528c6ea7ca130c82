"""What an importer yields, and ids that make a repeated import harmless."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from memwell._dataclasses import dataclass
from memwell.types import NewMemory

__all__ = ["BOUND", "Found", "Item", "Skipped", "identified"]

BOUND: Final = 2000
"""Characters after which a paragraph or section is divided."""
_SPACE: Final = uuid.UUID("6d656d77-656c-5c00-8000-696d706f7274")
_TICK: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A memory and its place in the file, such as `line 3` or `message 17`."""

    memory: NewMemory
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """Something that was not imported, and why."""

    place: str
    reason: str
    harmless: bool = False
    """Whether nothing is lost, such as with a turn without text."""


Item: TypeAlias = Found | Skipped


def identified(items: Iterable[Item], *, owner: Iterable[str | None], now: datetime) -> Iterator[Item]:
    """The items with ids and times. If the same text is imported again for the same owner, it gets the same ids.

    An id is made from owner, session, source, content and the given time; equal memories are numbered, so that each has
    its own. A memory without a time gets `now`. Equal times are separated by microseconds to preserve the order.
    """
    base = json.dumps([*owner])
    seen: Counter[bytes] = Counter()
    last: datetime | None = None
    ticks = 0
    for item in items:
        if isinstance(item, Skipped):
            yield item
            continue
        memory = item.memory
        named = _digest(base, memory)
        seen[named] += 1
        given = memory.created_at if isinstance(memory.created_at, datetime) else now
        ticks = ticks + 1 if given == last else 0
        last = given
        id = memory.id or str(uuid.uuid5(_SPACE, f"{named.hex()} {seen[named]}"))
        yield replace(item, memory=replace(memory, id=id, created_at=given + ticks * _TICK))


def _digest(base: str, memory: NewMemory) -> bytes:
    moment = memory.created_at
    parts = [memory.session_id, memory.source, str(moment) if moment else None, memory.content]
    return hashlib.blake2b(
        (base + json.dumps(parts)).encode("utf-8", "surrogatepass"), digest_size=16
    ).digest()
