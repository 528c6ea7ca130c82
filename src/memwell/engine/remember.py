"""The write path: validate → find duplicates → embed → one transaction → events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast

from memwell.engine.backfill import catch_up_quietly
from memwell.engine.context import Engine, Owner
from memwell.engine.links import inside
from memwell.engine.validation import Template, check_changes, check_id, ttl_of
from memwell.errors import InvalidInput, NotFound
from memwell.filters import parse
from memwell.ports import Delete, Embedding, Insert, Update
from memwell.records.codec import digest
from memwell.records.ids import new_id
from memwell.types import NewMemory, Record, Where

__all__ = ["Options", "forget", "remember", "restore", "update"]

_RESTORED = ("content", "metadata", "tags", "category", "importance", "kind", "tier", "source")
_CLEARED: Mapping[str, Any] = {
    "category": None,
    "tier": None,
    "source": None,
    "expires_at": None,
    "metadata": {},
    "tags": (),
}


class Options(Owner, total=False):
    """What `remember` takes beside the content; see there."""

    id: str | None
    metadata: Mapping[str, Any] | None
    tags: Sequence[str] | None
    category: str | None
    importance: float | None
    kind: str | None
    tier: str | None
    source: str | None
    ttl: float | timedelta | None
    expires_at: datetime | str | None
    created_at: datetime | str | None


_OPTIONS = frozenset(Options.__annotations__) | frozenset(Owner.__annotations__)


async def remember(
    engine: Engine, content: str | NewMemory | Sequence[str | NewMemory], options: Options
) -> Record | list[Record]:
    """See `AsyncMemory.remember`."""
    now, store = engine.clock(), engine.store
    inserts = _inserts(engine, content, options, now)
    if engine.encoder is not None:
        inserts = await _embedded(engine, inserts, now)
    records: list[Record] = await store.write(inserts, now=now)
    _tell(engine, inserts, records)
    await engine.settle(now)
    if engine.encoder is not None and engine.encoder.behind and any(r.embedded for r in records):
        await catch_up_quietly(engine)
    shown = [r if not r.links else (await inside(engine, r.scope, [r]))[0] for r in records]
    return shown[0] if isinstance(content, str | NewMemory) else shown


def _inserts(engine: Engine, content: object, options: Options, now: datetime) -> list[Insert]:
    unknown = options.keys() - _OPTIONS
    if unknown:
        raise TypeError(f"remember() got unexpected keyword arguments: {', '.join(sorted(unknown))}")
    base = Template(cast("dict[str, Any]", options), now, embedded=engine.encoder is not None)
    if isinstance(content, str | NewMemory):
        return [_drafted(content, base)]
    if not isinstance(content, Sequence) or isinstance(content, bytes):
        raise InvalidInput(
            f"remember takes a text, a NewMemory or a list of them, not {type(content).__name__}"
        )
    if base.id is not None:
        raise InvalidInput("one id cannot name several memories; give each NewMemory its own")
    return [_drafted(item, base) for item in content]


def _drafted(item: object, template: Template) -> Insert:
    content = item
    if isinstance(item, NewMemory):
        content, template = item.content, template.over(item)
    elif not isinstance(item, str):
        raise InvalidInput(f"content is a text or a NewMemory, not {type(item).__name__}")
    record = template.record(content, new_id)
    return Insert(record=record, named=template.id is not None, dated=template.dated, digest=digest(record))


async def _embedded(engine: Engine, inserts: list[Insert], now: datetime) -> list[Insert]:
    """The inserts with vectors, but for those that only reinforce a stored record."""
    encoder = engine.encoder
    if encoder is None or not inserts:
        return inserts
    known = await _known(engine, inserts, now)
    fresh = [insert for insert, found in zip(inserts, known, strict=True) if not found]
    vectors = iter(await encoder.documents([insert.record.content for insert in fresh]) if fresh else [])
    return [
        insert if found else _with_vectors(insert, next(vectors))
        for insert, found in zip(inserts, known, strict=True)
    ]


async def _known(engine: Engine, inserts: list[Insert], now: datetime) -> list[bool]:
    """Which of the inserts would only reinforce a stored record. A single one is not asked about where that takes a
    round trip: the embedder's cache most likely has the vectors of a text that was stored before.
    """
    if len(inserts) == 1 and not engine.store.blocking:
        return [False]
    return await engine.store.duplicates(inserts, now=now)


def _with_vectors(insert: Insert, embedding: Embedding | None) -> Insert:
    record = insert.record if embedding is not None else replace(insert.record, embedded=False)
    return Insert(
        record=record, embedding=embedding, named=insert.named, dated=insert.dated, digest=insert.digest
    )


def _tell(engine: Engine, inserts: Sequence[Insert], records: Sequence[Record]) -> None:
    events = engine.events
    if not (events.wanted("remembered") or events.wanted("reinforced") or events.wanted("unembedded")):
        return
    for insert, record in zip(inserts, records, strict=True):
        name = "reinforced" if record.reinforced else "remembered"
        engine.emit(name, record.scope, (record.id,), (record,))
        if engine.encoder is not None and insert.embedding is None and not record.embedded:
            engine.emit("unembedded", record.scope, (record.id,), (record,))


async def update(
    engine: Engine,
    id: str,
    given: Mapping[str, Any],
    ttl: float | timedelta | None,
    clear: Sequence[str],
    expected_version: int | None,
    owner: Owner,
) -> Record:
    """See `AsyncMemory.update`."""
    now = engine.clock()
    changes = check_changes({name: value for name, value in given.items() if value is not None}, now)
    if ttl is not None:
        if "expires_at" in changes:
            raise InvalidInput("give ttl or expires_at, not both")
        changes["expires_at"] = now + ttl_of(ttl)
    if isinstance(clear, str) or not isinstance(clear, Iterable):
        raise InvalidInput("clear is a list of field names, such as ['category']")
    for name in clear:
        if name not in _CLEARED or name in changes:
            raise InvalidInput(f"cannot clear {name!r}; fields that can, unless given: {', '.join(_CLEARED)}")
        changes[name] = _CLEARED[name]
    if not changes:
        raise InvalidInput("nothing to update: give content, metadata, tags or another field")
    return await _change(engine, id, changes, expected_version, owner, now)


async def restore(
    engine: Engine, id: str, version: int, expected_version: int | None, owner: Owner
) -> Record:
    """See `AsyncMemory.restore`."""
    _check_version("version", version)
    now = engine.clock()
    versions = await engine.store.history(engine.scope(owner), check_id(id), now=now)
    old = next((v.record for v in versions if v.version == version), None)
    if old is None:
        kept = ", ".join(str(v.version) for v in versions)
        raise NotFound(
            f"memory {id!r} has no version {version}; kept: {kept}", part="memory", operation="restore"
        )
    changes = {name: getattr(old, name) for name in _RESTORED}
    return await _change(engine, id, changes, expected_version, owner, now)


async def _change(
    engine: Engine,
    id: str,
    changes: Mapping[str, Any],
    expected_version: int | None,
    owner: Owner,
    now: datetime,
) -> Record:
    if expected_version is not None:
        _check_version("expected_version", expected_version)
    scope = engine.scope(owner)
    embedding: Embedding | None = None
    if "content" in changes and engine.encoder is not None:
        embedding = (await engine.encoder.documents([changes["content"]]))[0]
    operation = Update(
        scope=scope, id=check_id(id), changes=changes, embedding=embedding, expected_version=expected_version
    )
    (record,) = await inside(engine, scope, await engine.store.write([operation], now=now))
    if record.version > 1 and record.updated_at >= now:
        engine.emit("updated", record.scope, (record.id,), (record,), previous=record.version - 1)
    await engine.settle(now)
    return record


def _check_version(name: str, version: object) -> None:
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise InvalidInput(f"{name} is a version number from 1, not {version!r}")


async def forget(
    engine: Engine, ids: str | Iterable[str] | None, where: Where | None, everything: bool, owner: Owner
) -> list[str]:
    """See `AsyncMemory.forget`."""
    now, scope, store = engine.clock(), engine.scope(owner), engine.store
    narrowed = any((scope.user_id, scope.agent_id, scope.session_id, scope.namespace))
    if ids is None and not where and not narrowed and not everything:
        raise InvalidInput(
            "this would forget every memory of the tenant; name ids, an owner or a filter, or say everything=True"
        )
    if where is not None:
        parse(where)
    if ids is not None and not isinstance(ids, Iterable):
        raise InvalidInput(f"forget takes an id or several, not {type(ids).__name__}")
    chosen = None if ids is None else tuple(check_id(id) for id in ([ids] if isinstance(ids, str) else ids))
    gone: list[str] = []
    if chosen is None or chosen:
        operation = Delete(scope=scope, ids=chosen, where=where)
        gone = (await store.write([operation], now=now))[0]
    if isinstance(ids, str) and not gone:
        raise NotFound(f"no memory {ids!r} in this scope", part="memory", operation="forget")
    if gone:
        engine.emit("forgotten", scope, tuple(gone))
    await engine.settle(now)
    return gone
