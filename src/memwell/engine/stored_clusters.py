"""Which memories of a user belong together, as `rebuild_clusters` found it: ids only, in a log.

Each user has a stream, whose newest entry counts. So of several processes that build at once the last one wins, and
none leaves half of a result.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from memwell._dataclasses import dataclass
from memwell.errors import Corrupt
from memwell.ports import Log

__all__ = ["Stored", "discard", "holds", "read", "write"]

_STREAM: Final = "memwell:clusters:"
_PAGE: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """The clusters of one user."""

    at: datetime
    model: str | None
    """The model of the vectors; `None`: there were none."""
    threshold: float | None
    """The one that was asked for; `None`: the default."""
    groups: Sequence[Sequence[str]]
    """Ids, the leader of each cluster first."""


async def read(log: Log, owner: tuple[str, str | None]) -> Stored | None:
    """What is stored of a user (a tenant and a user), if anything."""
    entry = await log.last(_stream(owner))
    if entry is None:
        return None
    try:
        body = json.loads(zlib.decompress(entry.data))
        at = datetime.fromisoformat(body["at"])
        return Stored(at=at, model=body["model"], threshold=body["threshold"], groups=body["groups"])
    except (ValueError, KeyError, TypeError, zlib.error) as error:
        message = f"stored clusters are damaged: {error}; build them again with rebuild_clusters"
        raise Corrupt(message) from error


async def write(log: Log, owner: tuple[str, str | None], stored: Stored) -> None:
    """Store the clusters of a user in place of those stored before."""
    body = {
        "at": stored.at.isoformat(),
        "model": stored.model,
        "threshold": stored.threshold,
        "groups": [list(each) for each in stored.groups],
    }
    stream = _stream(owner)
    (position,) = await log.append(stream, [zlib.compress(json.dumps(body).encode())])
    positions = await _positions(log, stream)
    if position in positions:  # else another process has stored newer ones
        await log.remove(stream, positions[: positions.index(position)])


async def discard(log: Log, owner: tuple[str, str | None], ids: Collection[str]) -> None:
    """Take ids out of the stored clusters of a user; damaged ones go altogether."""
    try:
        stored = await read(log, owner)
    except Corrupt:
        await log.trim(_stream(owner))
        return
    if stored is not None and _held(stored, ids):
        gone = set(ids)
        groups = [[id for id in each if id not in gone] for each in stored.groups]
        await write(log, owner, replace(stored, groups=[each for each in groups if each]))


async def holds(log: Log, owner: tuple[str, str | None], ids: Collection[str]) -> bool:
    """Whether the stored clusters of a user name one of the ids."""
    stored = await read(log, owner)
    return stored is not None and _held(stored, ids)


def _held(stored: Stored, ids: Collection[str]) -> bool:
    return not {id for each in stored.groups for id in each}.isdisjoint(ids)


async def _positions(log: Log, stream: str) -> list[str]:
    found: list[str] = []
    while page := await log.read(stream, after=found[-1] if found else None, limit=_PAGE):
        found += [entry.position for entry in page]
    return found


def _stream(owner: tuple[str, str | None]) -> str:
    tenant, user = owner
    named = json.dumps([tenant, user]).encode()
    return _STREAM + hashlib.blake2b(named, digest_size=16).hexdigest()
