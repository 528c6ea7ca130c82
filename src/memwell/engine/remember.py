"""The write path: validate → find duplicates → embed → one transaction → events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from functools import partial
from operator import attrgetter, is_not
from typing import TYPE_CHECKING, Any, Final, get_args

from memwell.engine import echoes, enriching, superseding
from memwell.engine.backfill import embed_pending_quietly
from memwell.engine.context import Engine
from memwell.engine.echoes import Echo
from memwell.engine.messages import memory_of, with_text
from memwell.engine.requests import (
    ForgetRequest,
    OnDuplicate,
    OnEcho,
    RememberRequest,
    RestoreRequest,
    Supersede,
    UpdateRequest,
)
from memwell.engine.validation import (
    Template,
    check_changes,
    check_flag,
    check_id,
    check_progress,
    expiry_after,
)
from memwell.errors import InvalidInput, NotFound, shown
from memwell.fields import CLEARED, RESTORED, SCOPE, named
from memwell.filters import in_zone
from memwell.policies.judging import placed
from memwell.ports import Delete, Embedding, Insert, Update
from memwell.records.codec import digest
from memwell.records.ids import new_id
from memwell.types import NewMemory, Progress, Record, Scope, Where

if TYPE_CHECKING:
    from memwell.engine.requests import EraseRequest

__all__ = ["forget", "remember", "restore", "selection", "update"]

_CHANGED: Final = tuple(
    f.name for f in fields(UpdateRequest) if f.name not in (*SCOPE, "id", "ttl", "clear", "expected_version")
)
_BESIDE: Final = (*named(updatable=True, digest=False), "ttl")
"""What may differ between two memories that are otherwise the same."""
_ONE: Final = (str, NewMemory, Mapping)
"""What is one memory, and no list."""
_CHOICES: Final = {
    "on_duplicate": get_args(OnDuplicate),
    "on_echo": get_args(OnEcho),
    "supersede": get_args(Supersede),
}
_chosen: Final = attrgetter(*_CHOICES)
_USUAL: Final = tuple(f.default for f in fields(RememberRequest) if f.name in _CHOICES)
"""What is chosen where nothing is said."""
_PUBLISHED: Final = ("remembered", "reinforced", "updated", "unembedded")
_SLICE: Final = 256
"""Contents embedded between two calls of `progress`."""
_WHOLE_TENANT: Final = (
    "without an owner this would {} memories of every user of the tenant; name ids or an owner (user_id, agent_id,"
    " session_id, namespace), or say everything=True"
)


async def remember(
    engine: Engine, request: RememberRequest, progress: Progress | None = None
) -> Record | list[Record]:
    """Store one memory, or several in one transaction; returns what is stored."""
    now, _ = engine.clock(), engine.store
    if progress is not None:
        check_progress(progress)
    one = isinstance(request.content, _ONE)  # little work: it is done where the call was made
    drafting = partial(_drafts, engine, request, now)
    inserts, templates = drafting() if one else await engine.compute(drafting)
    failed: Mapping[int, str] = {}
    if engine.enricher is not None:
        inserts, failed = await _enriched(engine, inserts, templates, now)
    wanted = len(inserts)
    repeated: Mapping[int, Echo] = {}
    if request.on_echo != "store" and request.supersedes is None:
        settled = echoes.settled(engine, inserts, request.on_echo, now)
        inserts, repeated = await (settled if one else engine.off_loop(settled))
    if progress is not None:
        progress(0, len(inserts))
    if engine.encoder is not None:
        embedded = _embedded(engine, inserts, now, progress)
        inserts = await (embedded if one or progress is not None else engine.off_loop(embedded))
    if request.supersedes is None:
        records = await engine.write(inserts, now=now, gives=_all)
    else:
        records = [await superseding.store(engine, inserts[0], request.supersedes, now)]
    if progress is not None:
        progress(len(inserts), len(inserts))
    if engine.events.wanted(*_PUBLISHED):
        _publish(engine, inserts, records, repeated, now)
    if failed:
        enriching.publish(engine, records, failed)
    if request.supersede != "off":
        fresh = [record for record in records if not record.reinforced]
        from memwell.engine import conflicts

        await conflicts.settle_quietly(engine, fresh, request.supersede, now)
    await engine.housekeeping(now)
    if engine.encoder is not None and engine.encoder.pending and any(r.embedded for r in records):
        await embed_pending_quietly(engine)
    return records[0] if one else records[:wanted]


def _drafts(engine: Engine, request: RememberRequest, now: datetime) -> tuple[list[Insert], list[Template]]:
    """The operations that store what the caller gave, and the template of each."""
    if any(map(is_not, chosen := _chosen(request), _USUAL)):
        _check_choices(chosen)
    base = Template(request, now, embedded=engine.encoder is not None, zone=engine.zone)
    inserts: list[Insert] = []
    templates: list[Template] = []
    for item in _items(request):
        content, id, template = item, request.id, base
        sources: tuple[object, ...] = (request,)
        if not isinstance(item, str):
            given = item if isinstance(item, NewMemory) else _memory(item, request)
            content, template, sources = given.content, base.over(given), (request, given)
            id = request.id if given.id is None else given.id
        overwrite = _overwrite(sources) if request.on_duplicate == "update" else ()
        record, named = template.record(content, id, new_id), id is not None
        if engine.enricher is None:
            insert = _insert(engine, record, named, template.dated, overwrite, now)
        else:  # not complete yet
            insert = Insert(record=record, named=named, dated=template.dated, overwrite=overwrite)
        inserts.append(insert)
        templates.append(template)
    return inserts, templates


def _items(request: RememberRequest) -> Sequence[object]:
    """What the call is to remember, without messages that say nothing."""
    content = request.content
    if isinstance(content, _ONE):
        return (content,)
    if not isinstance(content, Sequence) or isinstance(content, bytes):
        raise InvalidInput(
            f"remember takes a text, a NewMemory, a chat message or a list of them, not {_type(content)}"
        )
    if request.id is not None:
        raise InvalidInput("one id cannot name several memories; give each NewMemory its own")
    if request.supersedes is not None:
        raise InvalidInput("supersedes is for one memory, not for a list; call remember for each")
    return [item for item in content if with_text(item)]


def _check_choices(chosen: Sequence[object]) -> None:
    for value, (name, choices) in zip(chosen, _CHOICES.items(), strict=True):
        if not isinstance(value, str) or value not in choices:
            raise InvalidInput(f"unknown {name} {shown(value)}; known: {', '.join(choices)}")


def _memory(item: object, request: RememberRequest) -> NewMemory:
    """A chat message as a memory."""
    if isinstance(item, Mapping):
        return memory_of(item, request.metadata)
    raise InvalidInput(f"content is a text, a NewMemory or a chat message, not {_type(item)}")


def _insert(
    engine: Engine, record: Record, named: bool, dated: bool, overwrite: tuple[str, ...], now: datetime
) -> Insert:
    """The operation that stores a record, in the tier that the policies give it."""
    if engine.policies is not None:
        record = placed(engine.policies, record, now)
    return Insert(record=record, named=named, dated=dated, digest=digest(record), overwrite=overwrite)


async def _enriched(
    engine: Engine, inserts: Sequence[Insert], templates: Sequence[Template], now: datetime
) -> tuple[list[Insert], Mapping[int, str]]:
    """The inserts with what the enricher finds out, and the places of those for which it failed, with the reason."""
    records, failed = await enriching.enriched(engine, [insert.record for insert in inserts], templates, now)
    complete = [
        _insert(engine, record, insert.named, insert.dated, insert.overwrite, now)
        for insert, record in zip(inserts, records, strict=True)
    ]
    return complete, failed


def _type(value: object) -> str:
    """The type of what is no content, with the way out for the messages of a client library."""
    dumps = getattr(value, "model_dump", None)
    return type(value).__name__ + ("; hand over its model_dump()" if callable(dumps) else "")


def _overwrite(given: Sequence[object]) -> tuple[str, ...]:
    """The fields that a duplicate takes over: those given that do not make two memories different."""
    names = [name for name in _BESIDE if any(getattr(one, name) is not None for one in given)]
    return tuple(dict.fromkeys("expires_at" if name == "ttl" else name for name in names))


async def _embedded(
    engine: Engine, inserts: list[Insert], now: datetime, progress: Progress | None
) -> list[Insert]:
    """The inserts with vectors, except those that only reinforce a stored record."""
    if not inserts:
        return inserts
    known = await engine.store.duplicates(inserts, now=now) if _asks(engine, inserts) else ()
    fresh = inserts
    if any(known):
        fresh = [insert for insert, found in zip(inserts, known, strict=True) if not found]
    contents = [insert.record.content for insert in fresh]
    vectors = await _encoded(engine, contents, len(inserts), progress)
    made = [_with_vectors(insert, found) for insert, found in zip(fresh, vectors, strict=True)]
    if fresh is inserts:
        return made
    following = iter(made)
    return [insert if found else next(following) for insert, found in zip(inserts, known, strict=True)]


async def _encoded(
    engine: Engine, contents: list[str], total: int, progress: Progress | None
) -> list[Embedding | None]:
    """Vectors of the contents, in slices if progress is reported."""
    assert engine.encoder is not None
    if progress is None:
        return await engine.encoder.documents(contents) if contents else []
    vectors: list[Embedding | None] = []
    for start in range(0, len(contents), _SLICE):
        vectors += await engine.encoder.documents(contents[start : start + _SLICE])
        if vectors[-1] is None:  # the embedder failed, and most likely fails for the others
            return vectors + [None] * (len(contents) - len(vectors))
        progress(total - len(contents) + len(vectors), total)
    return vectors


def _asks(engine: Engine, inserts: Sequence[Insert]) -> bool:
    """Whether to ask which inserts only reinforce a stored record. For a single insert this is left out where it takes
    a round trip, since the embedder's cache most likely has the vectors of a text that is stored already, and where
    embedding takes no longer.
    """
    if len(inserts) > 1:
        return True
    quick = engine.encoder is not None and engine.encoder.quick
    return not quick and engine.store.blocking and not engine.store.remote


def _with_vectors(insert: Insert, embedding: Embedding | None) -> Insert:
    return Insert(
        record=insert.record if embedding is not None else replace(insert.record, embedded=False),
        embedding=embedding,
        named=insert.named,
        dated=insert.dated,
        digest=insert.digest,
        overwrite=insert.overwrite,
    )


def _publish(
    engine: Engine,
    inserts: Sequence[Insert],
    records: Sequence[Record],
    repeated: Mapping[int, Echo],
    now: datetime,
) -> None:
    for at, (insert, record) in enumerate(zip(inserts, records, strict=True)):
        name = "reinforced" if record.reinforced else "remembered"
        why = {"reason": repeated[at].reason} if at in repeated else {}
        engine.emit(name, record.scope, (record.id,), (record,), **why)
        if insert.overwrite and record.reinforced:
            _publish_update(engine, record, now)
        if engine.encoder is not None and insert.embedding is None and not record.embedded:
            engine.emit("unembedded", record.scope, (record.id,), (record,))


def _publish_update(engine: Engine, record: Record, now: datetime) -> None:
    """Publish `updated` if the write at `now` made a new version."""
    if record.version > 1 and record.updated_at >= now:
        engine.emit("updated", record.scope, (record.id,), (record,), previous=record.version - 1)


async def update(engine: Engine, request: UpdateRequest) -> Record:
    """Change what is given, keep the version before; returns the new one. Raises `NotFound`, `Conflict`."""
    now = engine.clock()
    given = {name: value for name in _CHANGED if (value := getattr(request, name)) is not None}
    changes = check_changes(given, now, engine.zone)
    if request.ttl is not None:
        if "expires_at" in changes:
            raise InvalidInput("give ttl or expires_at, not both")
        changes["expires_at"] = expiry_after(request.ttl, now)
    if isinstance(request.clear, str) or not isinstance(request.clear, Iterable):
        raise InvalidInput("clear is a list of field names, such as ['category']")
    for name in request.clear:
        if not isinstance(name, str) or name not in CLEARED or name in changes:
            raise InvalidInput(
                f"cannot clear {shown(name)}; fields that can, unless given: {', '.join(CLEARED)}"
            )
        changes[name] = CLEARED[name]
    if not changes:
        raise InvalidInput("nothing to update: give content, metadata, tags or another field")
    return await _change(engine, request, changes, now)


async def restore(engine: Engine, request: RestoreRequest) -> Record:
    """Make an older version current again, as a new version. Raises `NotFound`, `Conflict`."""
    _check_version("version", request.version)
    now = engine.clock()
    versions = await engine.store.history(request.scope(), check_id(request.id), now=now)
    old = next((v.record for v in versions if v.version == request.version), None)
    if old is None:
        stored = ", ".join(str(v.version) for v in versions)
        raise NotFound(
            f"memory {request.id!r} has no version {request.version}; there are: {stored}",
            part="memory",
            operation="restore",
        )
    changes = {name: getattr(old, name) for name in RESTORED}
    return await _change(engine, request, changes, now)


async def _change(
    engine: Engine, request: UpdateRequest | RestoreRequest, changes: Mapping[str, Any], now: datetime
) -> Record:
    if request.expected_version is not None:
        _check_version("expected_version", request.expected_version)
    scope = request.scope()
    embedding: Embedding | None = None
    if "content" in changes and engine.encoder is not None:
        embedding = (await engine.encoder.documents([changes["content"]]))[0]
    operation = Update(
        scope=scope,
        id=check_id(request.id),
        changes=changes,
        embedding=embedding,
        expected_version=request.expected_version,
    )
    record: Record = (await engine.write([operation], now=now, gives=_first))[0]
    if engine.events.wanted("updated"):
        _publish_update(engine, await _as_its_owner_sees(engine, record, scope, now), now)
    await engine.housekeeping(now)
    return record


async def _as_its_owner_sees(engine: Engine, record: Record, scope: Scope, now: datetime) -> Record:
    """A record that the scope sees, for subscribers: a wider scope than its own may see links to others' memories."""
    if not record.links or scope == record.scope:
        return record
    found = await engine.store.get(record.scope, [record.id], now=now)
    return replace(record, links=found[0].links if found else ())


def _check_version(name: str, version: object) -> None:
    if isinstance(version, bool) or not isinstance(version, int) or not 1 <= version < 2**63:
        raise InvalidInput(f"{name} is a version number from 1, not {shown(version)}")


async def forget(engine: Engine, request: ForgetRequest) -> list[str]:
    """Remove memories of the scope for good; returns their ids. Raises `NotFound` for a single id."""
    now, scope, _ = engine.clock(), request.scope(), engine.store
    chosen, where = selection(engine, request, "forget")
    gone: list[str] = []
    if chosen is None or chosen:
        operation = Delete(scope=scope, ids=chosen, where=where)
        gone = (await engine.write([operation], now=now, gives=_gone))[0]
    if isinstance(request.ids, str) and not gone:
        raise NotFound(f"no memory {request.ids!r} in this scope", part="memory", operation="forget")
    engine.recalled.drop(gone)
    if gone:
        engine.emit("forgotten", scope, tuple(gone))
    await engine.housekeeping(now)
    return gone


def _all(results: list[Any]) -> Any:
    return results


def _first(results: list[Any]) -> Any:
    return results[0]


def _gone(results: list[Any]) -> list[str] | None:
    """The ids that `forget` returns; `None` if there are none, which may be an error."""
    return results[0] or None


def selection(
    engine: Engine, request: ForgetRequest | EraseRequest, name: str
) -> tuple[tuple[str, ...] | None, Where | None]:
    """The ids that a call of `forget` or `erase` names, `None` if the scope and the filter choose, and its filter."""
    ids = request.ids
    where = in_zone(request.where, engine.zone)
    check_flag("everything", request.everything)
    if ids is None and not request.narrowed() and not request.everything:
        raise InvalidInput(_WHOLE_TENANT.format(name))
    if ids is not None and not isinstance(ids, str) and not isinstance(ids, Iterable):
        raise InvalidInput(f"{name} takes an id or several, not {type(ids).__name__}")
    chosen = None if ids is None else tuple(check_id(id) for id in ([ids] if isinstance(ids, str) else ids))
    return chosen, where
