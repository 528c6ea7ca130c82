"""Several users of one part, each as if alone: a prefix for keys, streams and ids, or a fixed part of the scope.

`NamespacedKeyValue(part, "app")` and `NamespacedLog(part, "app")` put `app:` before every key and stream.
`NamespacedIndex(part, "app")` does so with ids and marks its points, so that filters and searches see no others.
Their names are made of letters, digits, `_`, `.` and `-`; so no two of them can meet, nor one inside another.

`NamespacedStore(store, tenant_id="acme")` confines every call: what is not named is taken as the fixed value (the
default tenant too), and a call that names another raises `InvalidInput`. Records come back as the call named them:
who names no tenant sees none; filters see them as they are stored. Listings of every tenant (`unembedded`,
`embedded`) show the confined records only, `changes` those of the confined tenant and user. `sweep`, `check` and the
position of the change sequence are those of the whole store; to move it to another embedding model is refused with
`NotSupported`, for that would be everybody's.

Closing closes the part inside.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from memwell import filters
from memwell.errors import ConfigError, InvalidInput
from memwell.ports import (
    Change,
    Embed,
    Embedding,
    Insert,
    KeyValue,
    Log,
    Match,
    Operation,
    Point,
    Store,
    Touch,
    Update,
    VectorIndex,
    Vectors,
    unsupported,
)
from memwell.retrieval.search import Found, Search
from memwell.types import DEFAULT_TENANT, Record, Scope, Where
from memwell.wrappers.base import AroundIndex, AroundKeyValue, AroundLog, AroundStore

__all__ = ["NamespacedIndex", "NamespacedKeyValue", "NamespacedLog", "NamespacedStore"]

_NAME: Final = re.compile(r"[\w.-]{1,100}", re.ASCII)
_LONGEST: Final = 1024
"""Bytes that a key may have."""
_MARK: Final = "memwell_namespace"
"""The metadata key that tells to which namespace a point belongs."""
_BATCH: Final = 1000
_PARTS: Final = ("tenant_id", "user_id", "agent_id", "session_id", "namespace")


def _checked(name: str, part: str) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigError(
            f"a namespace is 1 to 100 letters, digits, '_', '.' or '-', not {name!r:.120}", part=part
        )
    return name


def _prefixed(name: str, key: str) -> str:
    """The key inside; one that would be too long is hashed, and cannot meet a plain one."""
    inside = f"{name}:{key}"
    if len(inside.encode()) <= _LONGEST:
        return inside
    return f"{name}#{hashlib.blake2b(key.encode(), digest_size=32).hexdigest()}"


class NamespacedKeyValue(AroundKeyValue):
    """Keys of one namespace."""

    part = "namespaced"

    def __init__(self, keyvalue: KeyValue, name: str) -> None:
        self.inner = keyvalue
        self._name = _checked(name, self.part)

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        inside = {_prefixed(self._name, key): key for key in keys}
        found: dict[str, bytes] = await self._pass("_get_many", (list(inside),))
        return {inside[key]: value for key, value in found.items()}

    async def _set_many(self, values: Mapping[str, bytes], ttl: float | None) -> None:
        inside = {_prefixed(self._name, key): value for key, value in values.items()}
        await self._pass("_set_many", (inside, ttl))

    async def _pass(self, hook: str, arguments: tuple[Any, ...]) -> Any:
        if arguments and isinstance(arguments[0], str):
            arguments = (_prefixed(self._name, arguments[0]), *arguments[1:])
        return await super()._pass(hook, arguments)


class NamespacedLog(AroundLog):
    """Streams of one namespace."""

    part = "namespaced"

    def __init__(self, log: Log, name: str) -> None:
        self.inner = log
        self._name = _checked(name, self.part)

    async def _pass(self, hook: str, arguments: tuple[Any, ...]) -> Any:
        if arguments:
            arguments = (_prefixed(self._name, arguments[0]), *arguments[1:])
        return await super()._pass(hook, arguments)


class NamespacedIndex(AroundIndex):
    """Points of one namespace. Counting and clearing walk over their ids."""

    part = "namespaced"

    def __init__(self, index: VectorIndex, name: str) -> None:
        self.inner = index
        self._prefix = f"{_checked(name, self.part)}:"
        self._mine = filters.parse({f"metadata.{_MARK}": name})

    @property
    def identity(self) -> str | None:  # type: ignore[override]
        """That of the index inside, with the namespace."""
        inside: str | None = self.inner.identity
        return None if inside is None else f"{inside}#{self._prefix[:-1]}"

    async def _upsert(self, points: Sequence[Point]) -> None:
        await self._pass("_upsert", ([self._inside(point) for point in points],))

    def _inside(self, point: Point) -> Point:
        metadata = {**point.fields.get("metadata", {}), _MARK: self._prefix[:-1]}
        return replace(point, id=self._prefix + point.id, fields={**point.fields, "metadata": metadata})

    async def _delete(self, ids: Sequence[str]) -> None:
        await self._pass("_delete", ([self._prefix + id for id in ids],))

    async def _search(self, vector: Vectors, limit: int, where: Where | filters.Node | None) -> list[Match]:
        node = self._mine if where is None else filters.And((self._mine, filters.parse(where)))
        matches: list[Match] = await self._pass("_search", (vector, limit, node))
        return [replace(match, id=match.id[len(self._prefix) :]) for match in matches]

    async def _ids(self, after: str | None, limit: int) -> list[str]:
        found: list[str] = await self._pass("_ids", (self._prefix + (after or ""), limit))
        return [id[len(self._prefix) :] for id in found if id.startswith(self._prefix)]

    async def _vectors(self, ids: Sequence[str]) -> dict[str, Vectors]:
        found: dict[str, Vectors] = await self._pass("_vectors", ([self._prefix + id for id in ids],))
        return {id[len(self._prefix) :]: vector for id, vector in found.items()}

    async def _count(self) -> int:
        return sum([len(ids) async for ids in self._pages()])

    async def _clear(self) -> None:
        async for ids in self._pages():
            await self._delete(ids)

    async def _pages(self) -> AsyncIterator[list[str]]:
        after: str | None = None
        while ids := await self._ids(after, _BATCH):
            yield ids
            after = ids[-1]


class NamespacedStore(AroundStore):
    """A store in which every call is confined to the parts of the scope given here."""

    part = "namespaced"

    def __init__(
        self,
        store: Store,
        *,
        tenant_id: str | None = None,
        user_id: str | None = None,
        agent_id: str | None = None,
        session_id: str | None = None,
        namespace: str | None = None,
    ) -> None:
        given = (tenant_id, user_id, agent_id, session_id, namespace)
        self._fixed = {n: value for n, value in zip(_PARTS, given, strict=True) if value is not None}
        if not self._fixed:
            raise ConfigError(f"name at least one of {', '.join(_PARTS)}", part=self.part)
        self.inner = store

    def _confined(self, scope: Scope) -> Scope:
        """The scope with the fixed parts. Raises `InvalidInput` when it names another."""
        for name, value in self._fixed.items():
            given = getattr(scope, name)
            unnamed = given is None or (name == "tenant_id" and given == DEFAULT_TENANT)
            if given != value and not unnamed:
                raise InvalidInput(
                    f"only {name} {value!r} can be reached here, not {given!r}", part=self.part
                )
        return replace(scope, **self._fixed)

    def _owns(self, scope: Scope) -> bool:
        return all(getattr(scope, name) == value for name, value in self._fixed.items())

    def _shown(self, record: Record, asked: Scope) -> Record:
        """A record with the fixed parts as they were asked for."""
        return replace(
            record, scope=replace(record.scope, **{name: getattr(asked, name) for name in self._fixed})
        )

    async def _pass(self, hook: str, arguments: tuple[Any, ...]) -> Any:
        if not arguments or not isinstance(arguments[0], Scope):
            return await super()._pass(hook, arguments)
        asked = arguments[0]
        answer = await super()._pass(hook, (self._confined(asked), *arguments[1:]))
        if hook in ("_get", "_scan"):
            return [self._shown(record, asked) for record in answer]
        if hook == "_history":
            return [replace(version, record=self._shown(version.record, asked)) for version in answer]
        return answer

    async def _search(self, search: Search) -> Found:
        found: Found = await self._pass("_search", (replace(search, scope=self._confined(search.scope)),))
        return found

    # ------------------------------------------------------------------------------------------ writing

    async def _write(self, operations: Sequence[Operation], now: datetime) -> list[Any]:
        confined = [self._operation(operation) for operation in operations]
        reachable = await self._reachable(confined, now)
        out = [
            isinstance(operation, Embed) and (operation.tenant_id, operation.id) not in reachable
            for operation in confined
        ]
        kept = [
            _narrowed(operation, reachable) if isinstance(operation, Touch) else operation
            for operation, left_out in zip(confined, out, strict=True)
            if not left_out
        ]
        results = iter(await self._pass("_write", (kept, now)) if kept else ())
        return [
            False if left_out else self._result(operation, next(results))
            for operation, left_out in zip(operations, out, strict=True)
        ]

    def _result(self, operation: Operation, result: Any) -> Any:
        if isinstance(operation, Insert):
            return self._shown(result, operation.record.scope)
        return self._shown(result, operation.scope) if isinstance(operation, Update) else result

    def _operation(self, operation: Operation) -> Operation:
        if isinstance(operation, Insert):
            return self._insert(operation)
        if isinstance(operation, Touch | Embed):
            return replace(
                operation, tenant_id=self._confined(Scope(tenant_id=operation.tenant_id)).tenant_id
            )
        return replace(operation, scope=self._confined(operation.scope))

    def _insert(self, insert: Insert) -> Insert:
        scope = self._confined(insert.record.scope)
        if scope == insert.record.scope:
            return insert
        past = tuple(replace(old, record=replace(old.record, scope=scope)) for old in insert.past)
        return replace(insert, record=replace(insert.record, scope=scope), mark=None, past=past)

    async def _reachable(self, operations: Sequence[Operation], now: datetime) -> set[tuple[str, str]]:
        """Of the records named by tenant and id only, those inside; (tenant, id)."""
        named: set[tuple[str, str]] = set()
        for operation in operations:
            if isinstance(operation, Embed):
                named.add((operation.tenant_id, operation.id))
            elif isinstance(operation, Touch):
                named |= {(operation.tenant_id, id) for id in operation.accesses}
        if self._fixed.keys() == {"tenant_id"}:
            return named
        new = {(o.record.scope.tenant_id, o.record.id) for o in operations if isinstance(o, Insert)}
        found = named & new
        for tenant in {tenant for tenant, _ in named}:
            ids = sorted(id for owner, id in named if owner == tenant)
            records = await self._pass("_get", (Scope(tenant_id=tenant), ids, now))
            found |= {(tenant, record.id) for record in records}
        return found

    async def _duplicates(self, inserts: Sequence[Insert], now: datetime) -> list[bool]:
        found: list[bool] = await self._pass("_duplicates", ([self._insert(i) for i in inserts], now))
        return found

    async def _serve(self, model: str, *_: Any) -> int:
        raise unsupported(self.part, "serve", f"it would move everybody to {model!r}; use the store inside")

    async def _drop_model(self, model: str) -> int:
        raise unsupported(
            self.part, "drop_model", f"vectors of {model!r} are everybody's; use the store inside"
        )

    # ------------------------------------------------------------------------------- listings of everybody

    async def _unembedded(self, model: str, limit: int) -> list[Record]:
        asked = limit
        while True:
            found: list[Record] = await self._pass("_unembedded", (model, asked))
            mine = [record for record in found if self._owns(record.scope)]
            if len(mine) >= limit or len(found) < asked:
                return mine[:limit]
            asked *= 4

    async def _embedded(
        self, model: str, after: tuple[str, str] | None, limit: int
    ) -> list[tuple[Record, Embedding]]:
        mine: list[tuple[Record, Embedding]] = []
        while True:
            found: list[tuple[Record, Embedding]] = await self._pass("_embedded", (model, after, limit))
            mine += [row for row in found if self._owns(row[0].scope)]
            if len(mine) >= limit or len(found) < limit:
                return mine[:limit]
            after = (found[-1][0].scope.tenant_id, found[-1][0].id)

    async def _changes(self, after: int, limit: int) -> list[Change]:
        told = {name: value for name, value in self._fixed.items() if name in ("tenant_id", "user_id")}
        mine: list[Change] = []
        while True:
            found: list[Change] = await self._pass("_changes", (after, limit))
            mine += [c for c in found if all(getattr(c, name) == value for name, value in told.items())]
            if len(mine) >= limit or len(found) < limit:
                return mine[:limit]
            after = found[-1].seq


def _narrowed(touch: Touch, reachable: set[tuple[str, str]]) -> Touch:
    """Recalls of those that can be reached."""
    inside = {id: told for id, told in touch.accesses.items() if (touch.tenant_id, id) in reachable}
    return replace(touch, accesses=inside)
