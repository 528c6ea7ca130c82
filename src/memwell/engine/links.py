"""Relationships between memories."""

from __future__ import annotations

from collections.abc import Iterable

from memwell.engine import superseding, validation
from memwell.engine.context import Engine
from memwell.engine.requests import RelatedRequest, RelateRequest, UnrelateRequest
from memwell.engine.validation import check_id, check_link
from memwell.errors import InvalidInput, NotFound, shown
from memwell.ports import SetLink, Unlink
from memwell.types import Link, Record, Related, Scope

__all__ = ["relate", "related", "unrelate"]

MAX_DEPTH = 10


async def relate(engine: Engine, request: RelateRequest) -> Link:
    """Set a link between two memories of the scope. Raises `NotFound` for either of them, and `InvalidInput` for a
    memory and itself, also over a chain of memories that supersede each other.
    """
    now, scope, source = engine.clock(), request.scope(), check_id(request.source)
    link = validation.link(request.target, request.kind, request.strength, now)
    if source == link.target:
        raise InvalidInput("a memory cannot be related to itself")
    if link.kind == superseding.SUPERSEDES:
        await superseding.link(engine, scope, source, link, now)
        return link
    await engine.write([SetLink(scope=scope, source=source, link=link)], now=now, gives=lambda _: link)
    engine.emit("related", scope, (source, link.target), kind=link.kind, strength=link.strength)
    if link.kind == "contradicts":
        engine.emit("contradicted", scope, (source, link.target))
    return link


async def unrelate(engine: Engine, request: UnrelateRequest) -> int:
    """Remove links between two memories of the scope; returns how many. Raises `NotFound`."""
    kind, scope = request.kind, request.scope()
    if kind is not None:
        check_link(kind, 1.0)
    source, target = check_id(request.source), check_id(request.target)
    operation = Unlink(scope=scope, source=source, target=target, kind=kind)
    removed: int = (await engine.write([operation], now=engine.clock(), gives=lambda done: done[0]))[0]
    if removed:
        engine.emit("unrelated", scope, (source, target), kind=kind, count=removed)
    return removed


async def related(engine: Engine, request: RelatedRequest) -> list[Related]:
    """The memories of the scope that links reach, nearest first. Raises `NotFound` for the start."""
    id, kind, depth, min_strength = request.id, request.kind, request.depth, request.min_strength
    if isinstance(depth, bool) or not isinstance(depth, int) or not 1 <= depth <= MAX_DEPTH:
        raise InvalidInput(f"depth is a whole number from 1 to {MAX_DEPTH}, not {shown(depth)}")
    check_link("related" if kind is None else kind, min_strength)
    now, scope, store = engine.clock(), request.scope(), engine.store
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
        for r in records.values()
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
