"""Relationships between memories."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from memwell.engine import validation
from memwell.engine.context import Engine, Owner
from memwell.engine.validation import check_id, check_link
from memwell.errors import InvalidInput, NotFound
from memwell.ports import SetLink, Unlink
from memwell.types import Link, Record, Related, Scope

__all__ = ["inside", "relate", "related", "unrelate"]

MAX_DEPTH = 10


async def inside(engine: Engine, scope: Scope, records: Sequence[Record]) -> list[Record]:
    """The records with those of their relationships that lead to what the scope sees: ids of others are not told."""
    targets = sorted({link.target for record in records for link in record.links})
    if not targets:
        return list(records)
    seen = {record.id for record in await engine.store.get(scope, targets, now=engine.clock())}
    return [
        replace(record, links=tuple(link for link in record.links if link.target in seen))
        if record.links
        else record
        for record in records
    ]


async def relate(engine: Engine, source: str, target: str, kind: str, strength: float, owner: Owner) -> Link:
    """See `AsyncMemory.relate`."""
    now, scope = engine.clock(), engine.scope(owner)
    if check_id(source) == target:
        raise InvalidInput("a memory cannot be related to itself")
    link = validation.link(target, kind, strength, now)
    await engine.store.write([SetLink(scope=scope, source=source, link=link)], now=now)
    engine.emit("related", scope, (source, target), kind=kind, strength=strength)
    return link


async def unrelate(engine: Engine, source: str, target: str, kind: str | None, owner: Owner) -> int:
    """See `AsyncMemory.unrelate`."""
    if kind is not None:
        check_link(kind, 1.0)
    scope = engine.scope(owner)
    operation = Unlink(scope=scope, source=check_id(source), target=check_id(target), kind=kind)
    removed: int = (await engine.store.write([operation], now=engine.clock()))[0]
    if removed:
        engine.emit("unrelated", scope, (source, target), kind=kind, count=removed)
    return removed


async def related(
    engine: Engine, id: str, kind: str | None, depth: int, min_strength: float, owner: Owner
) -> list[Related]:
    """See `AsyncMemory.related`."""
    if isinstance(depth, bool) or not isinstance(depth, int) or not 1 <= depth <= MAX_DEPTH:
        raise InvalidInput(f"depth is a whole number from 1 to {MAX_DEPTH}, not {depth!r}")
    check_link("related" if kind is None else kind, min_strength)
    now, scope, store = engine.clock(), engine.scope(owner), engine.store
    if not await store.get(scope, [check_id(id)], now=now):
        raise NotFound(f"no memory {id!r} in this scope", part="memory", operation="related")
    best: dict[str, tuple[int, float, Link, bool]] = {}
    records: dict[str, Record] = {}
    frontier = {id: 1.0}
    for step in range(1, depth + 1):
        reached: dict[str, float] = {}
        for start, end, link, outgoing in await _neighbours(engine, scope, frontier):
            strength = frontier[start] * link.strength
            if end == id or (end in best and best[end][0] < step) or kind not in (None, link.kind):
                continue
            if strength >= min_strength and (end not in best or strength > best[end][1]):
                best[end] = (step, strength, link, outgoing)
                reached[end] = strength
        visible = {record.id: record for record in await store.get(scope, sorted(reached), now=now)}
        records.update(visible)
        frontier = {end: strength for end, strength in reached.items() if end in visible}
        if not frontier:
            break
    found = [
        Related(
            record=r, link=best[r.id][2], depth=best[r.id][0], outgoing=best[r.id][3], strength=best[r.id][1]
        )
        for r in await inside(engine, scope, list(records.values()))
    ]
    return sorted(found, key=lambda item: (item.depth, -item.strength, item.record.id))


async def _neighbours(engine: Engine, scope: Scope, ids: Iterable[str]) -> list[tuple[str, str, Link, bool]]:
    """(from, to, link, outgoing) of each relationship of these records."""
    wanted = list(ids)
    out = await engine.store.links(scope, wanted, incoming=False)
    back = await engine.store.links(scope, wanted, incoming=True)
    found = [(source, link.target, link, True) for source, link in out] + [
        (link.target, source, link, False) for source, link in back
    ]
    return sorted(found, key=lambda item: (item[0], item[1], item[2].kind, not item[3]))
