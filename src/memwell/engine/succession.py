"""What relationships do to the hits of a recall: superseded memories give way, contradictions are noted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from memwell import filters
from memwell.engine.context import Engine
from memwell.ports.store.search import Search
from memwell.types import Hit, Link, Record

__all__ = ["settled"]


async def settled(
    engine: Engine,
    hits: list[Hit],
    search: Search,
    today: datetime,
    incoming: Sequence[tuple[str, Link]] | None,
    *,
    show: bool,
) -> list[Hit]:
    """The hits with each superseded record replaced by its latest successor, or with `show` noted, and with notes
    about contradictions. `incoming` are the links that point to the hits, if known.
    """
    ids = {hit.id for hit in hits}
    known = None if incoming is None else [item for item in incoming if item[1].target in ids]
    successors, contradictions = await _newer(engine, [hit.id for hit in hits], search, today, known)
    if successors and not show:
        hits, more = await _replaced(engine, hits, successors, search, today)
        contradictions |= more
    outgoing = [(hit.id, link) for hit in hits for link in hit.record.links if link.kind == "contradicts"]
    targets = sorted({link.target for _, link in outgoing if _existed(link.created_at, search)})
    if targets:
        there = await engine.store.get(search.scope, targets, now=today)
        alive = {record.id for record in there if _existed(record.created_at, search)}
        for source, link in outgoing:
            if link.target in alive:
                contradictions[source] = (*contradictions.get(source, ()), link.target)
    if not contradictions and not (show and successors):
        return hits
    return [_noted(hit, successors if show else {}, contradictions) for hit in hits]


async def _replaced(
    engine: Engine, hits: list[Hit], successors: dict[str, Record], search: Search, today: datetime
) -> tuple[list[Hit], dict[str, tuple[str, ...]]]:
    """The hits with superseded records replaced, each record once, and what contradicts the successors."""
    contradictions: dict[str, tuple[str, ...]] = {}
    fresh = {record.id for record in successors.values()} - successors.keys()
    while fresh:
        more, contradicted = await _newer(engine, sorted(fresh), search, today)
        successors.update(more)
        contradictions |= contradicted
        fresh = {record.id for record in more.values()} - successors.keys()
    found: dict[str, Hit] = {}
    for hit in hits:
        record = _latest(successors, hit.record)
        if record.id != hit.id:
            notes = (*hit.why.notes, f"supersedes {hit.id}")
            hit = replace(hit, record=record, why=replace(hit.why, notes=notes))
        found.setdefault(record.id, hit)
    return list(found.values()), contradictions


def _noted(hit: Hit, successors: Mapping[str, Record], contradictions: Mapping[str, tuple[str, ...]]) -> Hit:
    newer = successors.get(hit.id)
    against = tuple(dict.fromkeys(contradictions.get(hit.id, ())))
    if newer is None and not against:
        return hit
    notes = [] if newer is None else [f"superseded by {newer.id}"]
    notes += [f"contradicted by {id}" for id in against]
    return replace(
        hit,
        contradicted_by=against,
        superseded_by=None if newer is None else newer.id,
        why=replace(hit.why, notes=(*hit.why.notes, *notes)),
    )


async def _newer(
    engine: Engine,
    ids: Sequence[str],
    search: Search,
    today: datetime,
    links: Sequence[tuple[str, Link]] | None = None,
) -> tuple[dict[str, Record], dict[str, tuple[str, ...]]]:
    """For each id the record that supersedes it, and the ids of those that contradict it: only records visible at the
    time of the search, and of several successors the latest. `links` are those that point to the ids, if known.
    """
    if links is None:
        supported = engine.store.capabilities.links
        links = await engine.store.links(search.scope, ids, incoming=True) if supported else []
    links = [
        item
        for item in links
        if item[1].kind in ("supersedes", "contradicts") and _existed(item[1].created_at, search)
    ]
    if not links:
        return {}, {}
    links.sort(key=lambda item: (item[1].created_at or search.now, item[0]))
    sources = sorted({source for source, _ in links})
    records = await engine.store.get(search.scope, sources, now=today)
    known = {r.id: await _then(engine, r, search) for r in records if _existed(r.created_at, search)}
    matching = {
        id: record
        for id, record in known.items()
        if search.where is None or filters.matches(record, search.where)
    }
    successors = {
        link.target: matching[id] for id, link in links if link.kind == "supersedes" and id in matching
    }
    contradictions: dict[str, tuple[str, ...]] = defaultdict(tuple)
    for id, link in links:
        if link.kind == "contradicts" and id in known:
            contradictions[link.target] += (id,)
    return successors, dict(contradictions)


def _latest(successors: Mapping[str, Record], start: Record) -> Record:
    """The last record of a chain of successors; the start itself if the chain is a cycle."""
    seen, at = {start.id}, start
    while at.id in successors and successors[at.id].id not in seen:
        at = successors[at.id]
        seen.add(at.id)
    return start if at.id in successors and successors[at.id].id == start.id else at


def _existed(moment: datetime | None, search: Search) -> bool:
    """Whether something of this moment existed at the time of `as_of`; without it, always."""
    return search.created_until is None or moment is None or moment <= search.created_until


async def _then(engine: Engine, record: Record, search: Search) -> Record:
    """The record in the version of `as_of`; without it, as it is."""
    if search.created_until is None:
        return record
    from memwell.engine.past import version_at

    return await version_at(engine, search.scope, record, search.created_until)
