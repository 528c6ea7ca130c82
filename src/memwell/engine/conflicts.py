"""Memories that say the same with another value: found by rules, proposed, and on demand superseded."""

from __future__ import annotations

import logging
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Final, TypeAlias

from memwell.engine import superseding
from memwell.engine.context import Engine
from memwell.engine.lookup import check_limit
from memwell.engine.requests import ConflictsRequest, Supersede
from memwell.engine.validation import true_at
from memwell.errors import InvalidInput, MemwellError
from memwell.fields import SCOPE
from memwell.filters import parse
from memwell.ports.store.search import Search
from memwell.retrieval.analysis.changed_values import ChangedValue, Statement, changed_value, read
from memwell.retrieval.analysis.text import analyze
from memwell.types import Contradiction, Link, Record, Scope, Where

__all__ = ["conflicts", "settle_quietly"]

log = logging.getLogger("memwell.conflicts")

_PAGE: Final = 1000
_NEAR: Final = 50
"""Memories with the same beginning that each is compared with: the latest before it."""
_POOL: Final = 24
_Key: TypeAlias = tuple[object, ...]
_owner = attrgetter(*(name for name in SCOPE if name != "session_id"))


async def conflicts(engine: Engine, request: ConflictsRequest) -> list[Contradiction]:
    """Pairs of memories of one owner that say the same with another value, the latest first."""
    check_limit(request.limit)
    where, scope, now = true_at(request.where, None, engine.zone), request.scope(), engine.clock()
    if where is not None:
        parse(where)
    groups: dict[_Key, deque[tuple[Record, Statement]]] = defaultdict(lambda: deque(maxlen=_NEAR))
    found: dict[tuple[str, str], Contradiction] = {}
    async for record in _records(engine, scope, where, now):
        statement = read(record.content)
        for key in [] if statement is None else _keys(record, statement):
            assert statement is not None
            for other, known in groups[key]:
                pair = _contradiction(other, known, record, statement)
                if pair is not None:
                    found.setdefault((pair.newer.id, pair.older.id), pair)
            groups[key].append((record, statement))
    pairs = await _unsettled(engine, scope, [*found.values()])
    return sorted(pairs, key=lambda pair: (pair.newer.created_at, pair.newer.id), reverse=True)[
        : request.limit
    ]


async def settle_quietly(engine: Engine, records: Sequence[Record], way: Supersede, now: datetime) -> None:
    """Publish what stored memories a new one contradicts, and with `"auto"` let the newer of two supersede the other.

    Runs after the memories are stored, so a failure is logged and not raised; `conflicts` finds what was missed.
    """
    try:
        await _settle(engine, records, way, now)
    except MemwellError as error:
        log.warning("could not look for contradictions; `conflicts` finds them later: %s", error)


async def _settle(engine: Engine, records: Sequence[Record], way: Supersede, now: datetime) -> None:
    for record in records:
        for pair in await _of(engine, record, now):
            newer, older = pair.newer.id, pair.older.id
            if way == "auto":
                scope = Scope(tenant_id=record.tenant_id, user_id=record.user_id)
                try:
                    link = Link(target=older, kind=superseding.SUPERSEDES, created_at=now)
                    await superseding.link(engine, scope, newer, link, now)
                except InvalidInput:  # the older supersedes the newer already
                    continue
            engine.emit(
                "conflict", record.scope, (newer, older), (pair.newer, pair.older), **_details(pair, way)
            )


def _details(pair: Contradiction, way: Supersede) -> dict[str, object]:
    return {
        "kind": pair.kind,
        "before": pair.before,
        "after": pair.after,
        "similarity": pair.similarity,
        "reason": pair.reason,
        "superseded": way == "auto",
    }


async def _of(engine: Engine, record: Record, now: datetime) -> list[Contradiction]:
    """What stored memories of the same owner one contradicts: those with the same words are looked at."""
    statement = read(record.content)
    if statement is None or not engine.store.capabilities.lexical:
        return []
    scope = Scope(**{name: getattr(record, name) for name in SCOPE if name != "session_id"})
    terms = tuple(dict.fromkeys(analyze(record.content)))
    result = await engine.store.search(Search(scope=scope, now=now, terms=terms, pool=_POOL))
    ids = [result.ids[each.key] for each in result.candidates if each.matches]
    pairs = []
    for other in await engine.store.get(scope, ids, now=now):
        known = None if other.id == record.id else read(other.content)
        if known is not None and _owner(other.scope) == _owner(record.scope):
            pairs.append(_contradiction(other, known, record, statement))
    return await _unsettled(engine, scope, [pair for pair in pairs if pair is not None])


async def _records(engine: Engine, scope: Scope, where: Where | None, now: datetime) -> AsyncIterator[Record]:
    after: tuple[datetime, str] | None = None
    while page := await engine.store.scan(scope, now=now, where=where, limit=_PAGE, after=after):
        for record in page:
            yield record
        after = page[-1].created_at, page[-1].id


def _keys(record: Record, statement: Statement) -> list[_Key]:
    """What two memories that contradict each other have in common: an owner, and a beginning or all words."""
    owner = (*_owner(record.scope), record.kind)
    return [*((*owner, each) for each in statement.beginnings), (*owner, frozenset(statement.stems))]


def _contradiction(first: Record, one: Statement, second: Record, other: Statement) -> Contradiction | None:
    """What two memories contradict each other in, if they may be true at the same time."""
    if first.kind != second.kind or _apart(first, second) or _apart(second, first):
        return None
    (older, old), (newer, new) = sorted(((first, one), (second, other)), key=lambda item: _age(item[0]))
    found = changed_value(old, new)
    if found is None:
        return None
    return Contradiction(
        newer=newer,
        older=older,
        kind=found.kind,
        before=found.before,
        after=found.after,
        similarity=found.similarity,
        reason=_reason(found),
    )


def _reason(found: ChangedValue) -> str:
    if found.kind == "negation":
        return f"one of them negates the other: {found.after!r}"
    return f"after {' '.join(found.shared)!r}, the {found.kind} {found.before!r} has become {found.after!r}"


def _age(record: Record) -> tuple[datetime, datetime, str]:
    return (record.valid_from or record.created_at, record.created_at, record.id)


def _apart(first: Record, second: Record) -> bool:
    """Whether the first ends before the second begins, so that both can be true."""
    return (
        first.valid_to is not None and second.valid_from is not None and first.valid_to <= second.valid_from
    )


async def _unsettled(engine: Engine, scope: Scope, pairs: list[Contradiction]) -> list[Contradiction]:
    """The pairs of which nothing is decided: without a link between them, and neither of them superseded."""
    if not pairs or not engine.store.capabilities.links:
        return pairs
    tenant = Scope(tenant_id=scope.tenant_id)
    ids = sorted({record.id for pair in pairs for record in (pair.newer, pair.older)})
    links = await engine.store.links(tenant, ids, incoming=True)
    decided = {
        frozenset((source, link.target))
        for source, link in links
        if link.kind in ("supersedes", "contradicts")
    }
    gone = {link.target for _, link in links if link.kind == "supersedes"}
    return [
        pair
        for pair in pairs
        if frozenset((pair.newer.id, pair.older.id)) not in decided
        and not {pair.newer.id, pair.older.id} & gone
    ]
