"""One memory that replaces another: `remember(…, supersedes=id)` and `relate(new, old, "supersedes")`.

The link, and with a `valid_from` of the new memory the end of the old one, are written in one transaction. A chain of
such links never comes back to its beginning. This is read before the write and again after it, since a store has no
condition on links: of two calls at the same moment that close a circle together, one or both take their link back and
raise. Only a process that dies between the write and the second look leaves a circle, which recall can bear.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from memwell.engine import validation
from memwell.engine.context import Engine
from memwell.errors import Conflict, InvalidInput, NotFound
from memwell.ports import Insert, Operation, SetLink, Unlink, Update
from memwell.records.codec import digest, digest_of
from memwell.types import Link, Record, Scope

__all__ = ["link", "store"]

SUPERSEDES = "supersedes"


async def store(engine: Engine, insert: Insert, target: str, now: datetime) -> Record:
    """Store the memory and the link, and return it with its links. The superseded memory may lie in another session
    of the same user. Raises `NotFound`, and then stores nothing.
    """
    link = validation.link(target, SUPERSEDES, 1.0, now)
    owner = insert.record.scope
    scope = Scope(tenant_id=owner.tenant_id, user_id=owner.user_id)
    for again in (False, True):
        source = await _id(engine, insert, now, thoroughly=again)
        if source == link.target:
            raise InvalidInput(f"the memory {source!r} says this already; a memory cannot supersede itself")
        if source != insert.record.id or insert.named:
            await _check(engine, scope, source, link.target)
        try:
            ending = await _ending(engine, scope, link.target, insert.record.valid_from, now)
            operations: list[Operation] = [insert, SetLink(scope=scope, source=source, link=link), *ending]
            results = await engine.write(operations, now=now, gives=lambda done: done[0])
            break
        except NotFound:  # also of the source, if the same memory stands there under another id
            if again or not await engine.store.get(scope, [link.target], now=now):
                raise
    written: Record = results[0]
    await _confirm(engine, scope, source, link, now, known=source == insert.record.id and not insert.named)
    _publish(engine, scope, source, link, results[2:])
    found = await engine.store.get(scope, [source], now=now)
    return replace(written, links=found[0].links) if found else written


async def link(engine: Engine, scope: Scope, source: str, link: Link, now: datetime) -> None:
    """Let a stored memory supersede another. Raises `InvalidInput` if that one supersedes it already, directly or over
    others, and `NotFound` for either of them.
    """
    await _check(engine, scope, source, link.target)
    found = await engine.store.get(scope, [source], now=now)
    since = found[0].valid_from if found else None
    ending = await _ending(engine, scope, link.target, since, now)
    operations = [SetLink(scope=scope, source=source, link=link), *ending]
    results = await engine.write(operations, now=now, gives=lambda _: link)
    await _confirm(engine, scope, source, link, now)
    _publish(engine, scope, source, link, results[1:])


def _publish(engine: Engine, scope: Scope, source: str, link: Link, ended: list[Record]) -> None:
    engine.emit("related", scope, (source, link.target), kind=link.kind, strength=link.strength)
    engine.emit("superseded", scope, (source, link.target))
    for record in ended:
        engine.emit("updated", record.scope, (record.id,), (record,), previous=record.version - 1)


async def _ending(
    engine: Engine, scope: Scope, target: str, since: datetime | None, now: datetime
) -> list[Operation]:
    """The change that ends the superseded memory where the new one begins to be true; none if that is unknown, or if
    it ends earlier anyway. One that begins later was never true, and ends where it begins.
    """
    found = [] if since is None else await engine.store.get(scope, [target], now=now)
    if not found or since is None:
        return []
    old = found[0]
    end = since if old.valid_from is None else max(since, old.valid_from)
    if old.valid_to is not None and old.valid_to <= end:
        return []
    return [Update(scope=scope, id=target, changes={"valid_to": end})]


async def _check(engine: Engine, scope: Scope, source: str, target: str) -> None:
    """Raise `InvalidInput` if `target` supersedes `source`, directly or over others, also over records that the
    scope does not see.
    """
    tenant = Scope(tenant_id=scope.tenant_id)
    seen: set[str] = set()
    frontier = {target}
    while frontier:
        if source in frontier:
            raise InvalidInput(
                f"{target!r} supersedes {source!r} already, so it cannot be superseded by it; unrelate them first, or"
                " remember the fact again with created_at= or valid_from=, which makes a memory of its own"
            )
        seen |= frontier
        links = await engine.store.links(tenant, sorted(frontier), incoming=False)
        frontier = {each.target for _, each in links if each.kind == SUPERSEDES} - seen


async def _confirm(
    engine: Engine, scope: Scope, source: str, link: Link, now: datetime, *, known: bool = False
) -> None:
    """Take the link back if another call has closed a circle with it meanwhile. `known`: the source is new, so that
    nothing can supersede it yet.
    """
    if known:
        return
    try:
        await _check(engine, scope, source, link.target)
    except InvalidInput as error:
        await engine.write([Unlink(scope=scope, source=source, target=link.target, kind=SUPERSEDES)], now=now)
        raise Conflict(
            f"{link.target!r} was made to supersede {source!r} at the same moment; decide which is newer, and relate"
            " them again"
        ) from error


async def _id(engine: Engine, insert: Insert, now: datetime, *, thoroughly: bool) -> str:
    """The id under which the memory will stand: that of the same memory, if it is stored already. Unless `thoroughly`,
    a store that cannot tell cheaply is believed.
    """
    record, store = insert.record, engine.store
    if insert.named or not (thoroughly or (await store.duplicates([insert], now=now))[0]):
        return record.id
    where = {"content": record.content}
    if insert.dated:
        where["created_at"] = record.created_at.isoformat()
    stored = await store.scan(record.scope, now=now, where=where, limit=100)
    same = (one for one in stored if one.scope == record.scope and digest(one) == digest_of(insert))
    return next((one.id for one in same), record.id)
