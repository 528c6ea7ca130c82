"""`clusters` and `rebuild_clusters`: the memories of each user that are about the same.

Clusters by topic and category are made from the memories in each call, so they are never out of date. Those by vectors
cost more: `rebuild_clusters` stores which memories belong together, ids only, in the log where receipts are kept. What
is shown of a cluster is read from its memories. So a memory that was forgotten is in none, and no text of it is left.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias

from memwell.engine.context import Engine
from memwell.engine.lookup import check_limit
from memwell.engine.reading import mean_vectors, records_of
from memwell.engine.requests import ClustersRequest, RebuildClustersRequest
from memwell.engine.stored_clusters import Stored, read, write
from memwell.errors import InvalidInput, shown
from memwell.policies import grouping
from memwell.policies.clusters import (
    By,
    Cluster,
    Group,
    Member,
    check_by,
    describe,
    grouped,
    member,
    selected,
)
from memwell.policies.summaries import summary
from memwell.ports.arrays import numpy
from memwell.retrieval.analysis.text import analyze
from memwell.types import Scope

__all__ = ["clusters", "rebuild_clusters"]

Owner: TypeAlias = tuple[str, str | None]
_PAGE: Final = 1000
_VECTORS: Final = 0.5
_TERMS: Final = 0.3
"""Cosines from which on two memories are about the same, by vectors and by terms."""
_READ: Final = 30
"""Memories that the summary of a cluster is made from."""
_CHARACTERS: Final = 300


async def clusters(engine: Engine, request: ClustersRequest) -> list[Cluster]:
    """The clusters of a scope, the largest first."""
    by, scope = check_by(request.by), request.scope()
    check_limit(request.limit)
    threshold = _threshold(request.threshold, by)
    if isinstance(request.min_size, bool) or not isinstance(request.min_size, int) or request.min_size < 1:
        raise InvalidInput(f"min_size is a whole number from 1, not {shown(request.min_size)}")
    for name in ("topic", "category"):
        if not isinstance(getattr(request, name), str | None):
            raise InvalidInput(f"{name} is a text, not {shown(getattr(request, name))}")
    now = engine.clock()
    found: list[tuple[Owner, Group]] = []
    for owner, members in (await _members(engine, scope, now)).items():
        groups = (
            await _stored_or_made(engine, scope, owner, members, threshold, now)
            if by == "vectors"
            else grouped(members, by)
        )
        found += [(owner, group) for group in groups]
    owners = {id(group): owner for owner, group in found}
    chosen = selected(
        [group for _, group in found],
        min_size=request.min_size,
        topic=request.topic,
        category=request.category,
        limit=request.limit,
    )
    return [
        describe(
            group,
            by,
            owner=owners[id(group)],
            summary=await _summary(engine, scope, group, now),
            now=now,
        )
        for group in chosen
    ]


async def rebuild_clusters(engine: Engine, request: RebuildClustersRequest) -> int:
    """Make the clusters of a scope again, store those by vectors, and return how many there are."""
    by, scope = check_by(request.by), request.scope()
    threshold = _threshold(request.threshold, by)
    now, total = engine.clock(), 0
    for owner, members in (await _members(engine, scope, now)).items():
        if by != "vectors":
            total += len(grouped(members, by))
            continue
        groups = await _made(engine, scope, members, threshold, now)
        total += len(groups)
        if _whole(scope):
            ids = [[one.id for one in group.members] for group in groups]
            stored = Stored(at=now, model=await _model(engine), threshold=threshold, groups=ids)
            await write((await engine.proof.journal()).log, owner, stored)
    return total


def _threshold(given: object, by: By) -> float | None:
    if given is None:
        return None
    if by != "vectors":
        raise InvalidInput("threshold is for by='vectors'; omit it")
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 < given <= 1:
        raise InvalidInput(f"threshold is a cosine over 0 and up to 1, not {shown(given)}")
    return float(given)


def _whole(scope: Scope) -> bool:
    """Whether a scope has all memories of its users: clusters of a part of them are not stored."""
    return scope == Scope(tenant_id=scope.tenant_id, user_id=scope.user_id)


async def _members(engine: Engine, scope: Scope, now: datetime) -> dict[Owner, list[Member]]:
    """The memories of each user, summaries apart, in an order that depends on their texts alone."""
    found: dict[Owner, list[Member]] = defaultdict(list)
    after: tuple[Any, str] | None = None
    while True:
        page = await engine.store.scan(scope, now=now, order="id", limit=_PAGE, after=after)
        for record in page:
            if record.kind != "summary":
                found[record.tenant_id, record.user_id].append(member(record))
        if len(page) < _PAGE:
            break
        after = page[-1].id, page[-1].id
    for members in found.values():
        members.sort(key=lambda one: (one.digest, one.id))
    return found


async def _summary(engine: Engine, scope: Scope, group: Group, now: datetime) -> str:
    latest = sorted(group.members, key=lambda one: (one.created_at, one.id))[-_READ:]
    records = await engine.store.get(scope, [one.id for one in latest], now=now)
    return summary([record.content for record in records], _CHARACTERS)


# ---------------------------------------------------------------------------------------------- by vectors


async def _model(engine: Engine) -> str | None:
    return await engine.store.serving() if engine.store.capabilities.vectors else None


async def _made(
    engine: Engine, scope: Scope, members: Sequence[Member], threshold: float | None, now: datetime
) -> list[Group]:
    """Members in groups: those with vectors by them, the others by their terms."""
    vectors = await mean_vectors(engine, scope, [one.id for one in members])
    there = [one for one in members if one.id in vectors]
    places: list[list[Member]] = []
    if there:
        matrix = numpy().stack([vectors[one.id] for one in there])
        found = grouping.by_vectors(matrix, _VECTORS if threshold is None else threshold)
        places += [[there[at] for at in group] for group in found]
    rest = [one for one in members if one.id not in vectors]
    if rest:
        texts = {one.id: one.content for one in await records_of(engine, scope, [m.id for m in rest], now)}
        rest = [one for one in rest if one.id in texts]
        terms = [frozenset(analyze(texts[one.id])) for one in rest]
        found = grouping.by_terms(terms, _TERMS if threshold is None else threshold)
        places += [[rest[at] for at in group] for group in found]
    return [_led(group) for group in places]


def _led(members: Sequence[Member], built_at: datetime | None = None) -> Group:
    """The group of a leader, who stands first, and of others."""
    leader, *others = members
    others.sort(key=lambda one: (one.created_at, one.id))
    return Group(leader.id, (leader, *others), built_at)


async def _stored_or_made(
    engine: Engine,
    scope: Scope,
    owner: Owner,
    members: Sequence[Member],
    threshold: float | None,
    now: datetime,
) -> list[Group]:
    """The stored groups with what has become of their members, and the memories that came since; or new groups."""
    stored = await read((await engine.proof.journal()).log, owner) if _whole(scope) else None
    if stored is None or (stored.model, stored.threshold) != (await _model(engine), threshold):
        return await _made(engine, scope, members, threshold, now)
    known = {one.id: one for one in members if one.updated_at <= stored.at}
    kept = [[known.pop(id) for id in ids if id in known] for ids in stored.groups]
    groups = [each for each in kept if each]
    placed = {one.id for each in groups for one in each}
    fresh = [one for one in members if one.id not in placed]
    if fresh:
        groups, fresh = await _joined(engine, scope, groups, fresh, threshold)
    made = await _made(engine, scope, fresh, threshold, now) if fresh else []
    return [*(_led(each, stored.at) for each in groups), *made]


async def _joined(
    engine: Engine,
    scope: Scope,
    groups: list[list[Member]],
    fresh: Sequence[Member],
    threshold: float | None,
) -> tuple[list[list[Member]], list[Member]]:
    """The groups with the new members that are near to their leaders, and the members that are near to none."""
    vectors = await mean_vectors(engine, scope, [one.id for one in (*fresh, *(each[0] for each in groups))])
    leaders = [at for at, each in enumerate(groups) if each[0].id in vectors]
    coming = [one for one in fresh if one.id in vectors]
    if not leaders or not coming:
        return groups, list(fresh)
    np = numpy()
    places = grouping.nearest(
        np.stack([vectors[one.id] for one in coming]),
        np.stack([vectors[groups[at][0].id] for at in leaders]),
        _VECTORS if threshold is None else threshold,
    )
    joined = {one.id for one, at in zip(coming, places, strict=True) if at is not None}
    for one, at in zip(coming, places, strict=True):
        if at is not None:
            groups[leaders[at]].append(one)
    return groups, [one for one in fresh if one.id not in joined]
