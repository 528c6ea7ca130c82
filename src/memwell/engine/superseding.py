"""`remember(…, supersedes=id)`: a memory and its link to the one that it replaces, in one transaction."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from memwell.engine import validation
from memwell.engine.context import Engine
from memwell.errors import InvalidInput, NotFound
from memwell.ports import Insert, Operation, SetLink
from memwell.records.codec import digest, digest_of
from memwell.types import Record, Scope

__all__ = ["store"]


async def store(engine: Engine, insert: Insert, target: str, now: datetime) -> Record:
    """Store the memory and the link, and return it with its links. The superseded memory may lie in another session
    of the same user. Raises `NotFound`, and then stores nothing.
    """
    link = validation.link(target, "supersedes", 1.0, now)
    owner = insert.record.scope
    scope = Scope(tenant_id=owner.tenant_id, user_id=owner.user_id)
    for again in (False, True):
        source = await _id(engine, insert, now, thoroughly=again)
        if source == link.target:
            raise InvalidInput(f"the memory {source!r} says this already; a memory cannot supersede itself")
        try:
            operations: list[Operation] = [insert, SetLink(scope=scope, source=source, link=link)]
            written: Record = (await engine.store.write(operations, now=now))[0]
            break
        except NotFound:  # also of the source, if the same memory stands there under another id
            if again or not await engine.store.get(scope, [link.target], now=now):
                raise
    engine.emit("related", scope, (source, link.target), kind=link.kind, strength=link.strength)
    found = await engine.store.get(scope, [source], now=now)
    return replace(written, links=found[0].links) if found else written


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
