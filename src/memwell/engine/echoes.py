"""Loop safety: recalled text that is remembered again is recognised, and counted instead of stored.

An agent that stores what it says soon stores what it recalled, recalls the copy, and so on. Two things are looked at:
what this instance has recalled lately, which costs no access to the store, and texts with the marks of a recalled one
(`- [2026-05-01] …`, *As I recall, …*, quotation marks), for which the store is searched. A memory is an echo only of
one with the same owner; the session may be another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from memwell._dataclasses import dataclass
from memwell.engine.recalled import owner_of
from memwell.errors import Conflict
from memwell.ports import Insert
from memwell.ports.store.search import Search
from memwell.records.codec import digest
from memwell.retrieval.analysis.rewording import Marked, marked, may_be_marked, repetition
from memwell.retrieval.analysis.text import analyze
from memwell.types import Record

if TYPE_CHECKING:
    from memwell.engine.context import Engine
    from memwell.engine.requests import OnEcho

__all__ = ["Echo", "settled"]

_LINES: Final = 100
"""Statements of one text that are looked at."""
_TERMS: Final = 24
_POOL: Final = 8
_SPEAKERS: Final = ("speaker", "role", "author", "actor", "name")


@dataclass(frozen=True, slots=True)
class Echo:
    """A stored memory, and how a new text repeats it."""

    record: Record
    reason: str


async def settled(
    engine: Engine, inserts: Sequence[Insert], way: OnEcho, now: datetime
) -> tuple[list[Insert], dict[int, Echo]]:
    """The inserts with echoes in place of repeated texts, and the echo of each by its position. What has an id or a
    time of its own is no echo.

    A text that repeats several memories, as a block of `Hits.as_text` does, becomes the first of them; what
    reinforces the others comes at the end. Raises `Conflict` for `"refuse"`.
    """
    made, more = [*inserts], list[Insert]()
    echoes: dict[int, Echo] = {}
    for at, insert in enumerate(inserts):
        suspects = [] if insert.named or insert.dated else _suspects(engine, insert)
        if not suspects:
            continue
        repeated = await _found(engine, insert.record, suspects, now)
        if repeated and way == "refuse":
            raise _refusal(repeated[0])
        for number, echo in enumerate(repeated):
            echoes[at if number == 0 else len(inserts) + len(more)] = echo
            if number == 0:
                made[at] = _counted(insert, echo)
            else:
                more.append(_counted(insert, echo))
    return [*made, *more], echoes


def _suspects(engine: Engine, insert: Insert) -> list[tuple[Marked, list[str]]]:
    """The statements of a text and the recalled memories that each may repeat; empty if one of them repeats none."""
    scope, content = insert.record.scope, insert.record.content
    if not (engine.recalled.knows(scope) or may_be_marked(content)):
        return []
    parts, suspects = marked(content), []
    for part in parts if len(parts) <= _LINES else ():
        ids = engine.recalled.like(scope, part.text)
        if not ids and not part.marks:
            return []
        suspects.append((part, ids))
    return suspects


async def _found(
    engine: Engine, record: Record, suspects: Sequence[tuple[Marked, list[str]]], now: datetime
) -> list[Echo]:
    """The stored memories that the statements repeat; none if one of them says anything else."""
    echoes = []
    for part, ids in suspects:
        echo = await _match(engine, record, part, ids, now)
        if echo is None and part.marks:
            echo = await _match(engine, record, part, await _searched(engine, record, part, now), now)
        if echo is None:
            return []
        echoes.append(echo)
    return echoes


async def _match(engine: Engine, new: Record, part: Marked, ids: Sequence[str], now: datetime) -> Echo | None:
    """The first of these memories, as stored now, that the part repeats."""
    if not ids:
        return None
    reach = replace(new.scope, session_id=None)
    for stored in await engine.store.get(reach, ids, now=now):
        if owner_of(stored.scope) != owner_of(new.scope) or _adds(new, stored):
            continue
        reason = repetition(part.text, stored.content, speaker=_speaker(new), stored_speaker=_speaker(stored))
        if reason is not None:
            return Echo(stored, f"{reason}, without the marks of a recalled text" if part.marks else reason)
    return None


async def _searched(engine: Engine, new: Record, part: Marked, now: datetime) -> list[str]:
    """The ids of memories of the owner with the same words."""
    ids = [] if part.id is None else [part.id]
    terms = tuple(dict.fromkeys(analyze(part.text)))[:_TERMS]
    if not terms or not engine.store.capabilities.lexical:
        return ids
    search = Search(scope=replace(new.scope, session_id=None), now=now, terms=terms, pool=_POOL)
    result = await engine.store.search(search)
    best = sorted(result.candidates, key=lambda each: -len(each.matches))[:_POOL]
    return [*ids, *(result.ids[each.key] for each in best)]


def _adds(new: Record, stored: Record) -> bool:
    """Whether the new memory says something beside its text that the stored one does not."""
    times = (new.valid_from, new.valid_to)
    known, given = stored.metadata, new.metadata
    return (
        new.kind != stored.kind
        or new.category not in (None, stored.category)
        or not set(new.tags) <= set(stored.tags)
        or (times != (None, None) and times != (stored.valid_from, stored.valid_to))
        or any(known.get(key) != value for key, value in given.items() if key not in _SPEAKERS)
    )


def _speaker(record: Record) -> str | None:
    named = (record.metadata.get(key) for key in _SPEAKERS)
    return next((name for name in named if isinstance(name, str) and name), None)


def _refusal(echo: Echo) -> Conflict:
    return Conflict(
        f"this repeats the memory {echo.record.id!r} ({echo.reason}); nothing was stored. Keep that one, or pass"
        ' on_echo="store" if it is a new fact',
        part="memory",
    )


def _counted(insert: Insert, echo: Echo) -> Insert:
    """The insert that reinforces the memory which another repeats."""
    kept = {name: getattr(insert.record, name) for name in insert.overwrite}
    record = replace(
        echo.record,
        **kept,
        links=(),
        access_count=0,
        last_accessed_at=None,
        id=insert.record.id,
        created_at=insert.record.created_at,
        updated_at=insert.record.updated_at,
        embedded=insert.record.embedded,
        expires_at=insert.record.expires_at,
        reinforced=0,
        version=1,
    )
    return replace(insert, record=record, digest=digest(record), named=False)
