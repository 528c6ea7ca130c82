"""Relationships as a reader may see them: with both ends inside the scope that the reader named.

A tenant may relate the memory of one user to that of another. Neither user learns the other's ids: what a store
answers goes through these functions, once, in the public methods of the port.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from memwell import ports
from memwell.errors import Corrupt
from memwell.types import Link, Record, Scope, Version

if TYPE_CHECKING:
    from memwell.ports.store.operations import Operation

__all__ = ["EVER", "visible_links", "visible_pairs", "visible_results", "visible_versions"]

EVER: Final = datetime.min.replace(tzinfo=UTC)
"""A moment at which nothing has expired."""


class _Reader(Protocol):
    async def _get(self, scope: Scope, ids: Sequence[str], now: datetime) -> list[Record]: ...


async def visible_links(
    store: _Reader, scope: Scope, records: Sequence[Record], now: datetime
) -> list[Record]:
    """Records that the scope sees, without links to what it does not see or what has expired."""
    targets = {link.target for record in records for link in record.links}
    if not targets:
        return list(records)
    visible = await _visible(store, scope, targets, {record.id for record in records}, now)
    return [
        replace(record, links=tuple(link for link in record.links if link.target in visible))
        if record.links
        else record
        for record in records
    ]


async def visible_versions(
    store: _Reader, scope: Scope, versions: Sequence[Version], now: datetime
) -> list[Version]:
    """Versions of one record that the scope sees, their links as in `visible_links`."""
    records = await visible_links(store, scope, [version.record for version in versions], now)
    return [replace(version, record=record) for version, record in zip(versions, records, strict=True)]


async def visible_results(
    store: _Reader, operations: Sequence[Operation], results: Sequence[Any], now: datetime
) -> list[Any]:
    """The results of a write; records among them have the links that the scope of their operation sees."""
    found = []
    for operation, result in zip(operations, results, strict=True):
        if isinstance(operation, (ports.Insert, ports.Update)) and result.links:
            scope = operation.scope if isinstance(operation, ports.Update) else operation.record.scope
            (result,) = await visible_links(store, scope, [result], now)
        found.append(result)
    return found


async def visible_pairs(
    store: _Reader, scope: Scope, pairs: Sequence[tuple[str, Link]], known: Collection[str] = ()
) -> list[tuple[str, Link]]:
    """Those (source id, link) whose ends the scope sees, expired or not. `known` are ids that it sees for certain."""
    if not pairs or scope == Scope(tenant_id=scope.tenant_id):
        return list(pairs)
    ends = {end for source, link in pairs for end in (source, link.target)}
    visible = await _visible(store, scope, ends, known, EVER)
    return [(source, link) for source, link in pairs if source in visible and link.target in visible]


async def _visible(
    store: _Reader, scope: Scope, ids: Iterable[str], known: Collection[str], now: datetime
) -> set[str]:
    unknown = sorted(set(ids) - set(known))
    found = await _readable(store, scope, unknown, now) if unknown else []
    return {*known, *(record.id for record in found)}


async def _readable(store: _Reader, scope: Scope, ids: Sequence[str], now: datetime) -> list[Record]:
    """These records, without those that cannot be read: an error about one is for its own readers."""
    try:
        return await store._get(scope, ids, now)
    except Corrupt:
        if len(ids) == 1:
            return []
    return [record for id in ids for record in await _readable(store, scope, [id], now)]
