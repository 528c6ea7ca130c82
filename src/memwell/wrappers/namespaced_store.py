"""Several users of one store, each as if alone: a fixed part of the scope.

`NamespacedStore(store, tenant_id="acme")` confines every call. A part of the scope that a call does not name (or the
default tenant) takes the fixed value; a call that names another value raises `InvalidInput`. Records come back with
the scope that the call named; filters see the stored one. `unembedded` and `embedded` list confined records only,
`changes` those of the confined tenant and user. `sweep`, `check`, the position of the change sequence and the
embedding models are those of the whole store; `serve` and `drop_model` raise `NotSupported`, because they would affect
everybody.

Closing closes the store inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from memwell.errors import ConfigError, InvalidInput
from memwell.fields import SCOPE
from memwell.ports import (
    Append,
    Change,
    Declaration,
    Embed,
    Embedding,
    Insert,
    Log,
    Operation,
    Recode,
    Store,
    Touch,
    Update,
    unsupported,
)
from memwell.ports.store.outlines import Outline
from memwell.ports.store.search import Found, Search
from memwell.types import DEFAULT_TENANT, Record, Scope, Version
from memwell.wrappers.base import StoreWrapper

__all__ = ["NamespacedStore"]


class NamespacedStore(StoreWrapper):
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
        self._fixed = {n: value for n, value in zip(SCOPE, given, strict=True) if value is not None}
        if not self._fixed:
            raise ConfigError(f"name at least one of {', '.join(SCOPE)}", part=self.part)
        self.inner = store

    def shares(self, log: Log) -> bool:  # noqa: ARG002
        """Never: what is in the log would name the namespace."""
        return False

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

    async def _call(self, operation: Declaration, arguments: tuple[Any, ...]) -> Any:
        if arguments and isinstance(arguments[0], Scope):
            arguments = (self._confined(arguments[0]), *arguments[1:])
        return await super()._call(operation, arguments)

    async def _get(self, scope: Scope, ids: Sequence[str], now: datetime) -> list[Record]:
        return [self._shown(record, scope) for record in await super()._get(scope, ids, now)]

    async def _scan(self, scope: Scope, *arguments: Any) -> list[Record]:
        return [self._shown(record, scope) for record in await super()._scan(scope, *arguments)]

    async def _outlines(self, scope: Scope, *arguments: Any) -> list[Outline]:
        shown = {name: getattr(scope, name) for name in self._fixed if name != "tenant_id"}
        return [replace(outline, **shown) for outline in await super()._outlines(scope, *arguments)]

    async def _history(self, scope: Scope, id: str, now: datetime) -> list[Version]:
        versions = await super()._history(scope, id, now)
        return [replace(version, record=self._shown(version.record, scope)) for version in versions]

    async def _search(self, search: Search) -> Found:
        return await super()._search(replace(search, scope=self._confined(search.scope)))

    # ------------------------------------------------------------------------------------------ writing

    async def _write(self, operations: Sequence[Operation], now: datetime) -> list[Any]:
        confined = [self._operation(operation) for operation in operations]
        reachable = await self._reachable(confined, now)
        out = [
            isinstance(operation, Embed | Recode) and (operation.tenant_id, operation.id) not in reachable
            for operation in confined
        ]
        remaining = [
            _narrowed(operation, reachable) if isinstance(operation, Touch) else operation
            for operation, left_out in zip(confined, out, strict=True)
            if not left_out
        ]
        results = iter(await super()._write(remaining, now) if remaining else ())
        return [
            False if left_out else self._result(operation, next(results))
            for operation, left_out in zip(operations, out, strict=True)
        ]

    def _result(self, operation: Operation, result: Any) -> Any:
        if isinstance(operation, Insert):
            return self._shown(result, operation.record.scope)
        return self._shown(result, operation.scope) if isinstance(operation, Update) else result

    def _operation(self, operation: Operation) -> Operation:
        if isinstance(operation, Append):
            raise unsupported(self.part, "append", "append to the log by itself")
        if isinstance(operation, Insert):
            return self._insert(operation)
        if isinstance(operation, Touch | Embed | Recode):
            return replace(
                operation, tenant_id=self._confined(Scope(tenant_id=operation.tenant_id)).tenant_id
            )
        return replace(operation, scope=self._confined(operation.scope))

    def _insert(self, insert: Insert) -> Insert:
        scope = self._confined(insert.record.scope)
        if scope == insert.record.scope:
            return insert
        past = tuple(replace(old, record=replace(old.record, scope=scope)) for old in insert.past)
        return replace(insert, record=replace(insert.record, scope=scope), digest=None, past=past)

    async def _reachable(self, operations: Sequence[Operation], now: datetime) -> set[tuple[str, str]]:
        """Of the records named by tenant and id only, those inside; (tenant, id)."""
        named: set[tuple[str, str]] = set()
        for operation in operations:
            if isinstance(operation, Embed | Recode):
                named.add((operation.tenant_id, operation.id))
            elif isinstance(operation, Touch):
                named |= {(operation.tenant_id, id) for id in operation.accesses}
        if self._fixed.keys() == {"tenant_id"}:
            return named
        new = {(o.record.scope.tenant_id, o.record.id) for o in operations if isinstance(o, Insert)}
        found = named & new
        for tenant in {tenant for tenant, _ in named}:
            ids = sorted(id for owner, id in named if owner == tenant)
            records = await self._get(Scope(tenant_id=tenant), ids, now)
            found |= {(tenant, record.id) for record in records}
        return found

    async def _duplicates(self, inserts: Sequence[Insert], now: datetime) -> list[bool]:
        return await super()._duplicates([self._insert(insert) for insert in inserts], now)

    async def _serve(self, model: str, *_: Any) -> int:
        raise unsupported(
            self.part,
            "serve",
            f"it would move everybody to {model!r}; call it on the store inside",
        )

    async def _drop_model(self, model: str) -> int:
        raise unsupported(
            self.part,
            "drop_model",
            f"others use vectors of {model!r}; call it on the store inside",
        )

    # ------------------------------------------------------------------------------- listings of everybody

    async def _unembedded(self, model: str, limit: int) -> list[Record]:
        asked = limit
        while True:
            found = await super()._unembedded(model, asked)
            mine = [record for record in found if self._owns(record.scope)]
            if len(mine) >= limit or len(found) < asked:
                return mine[:limit]
            asked *= 4

    async def _embedded(
        self, model: str, after: tuple[str, str] | None, limit: int
    ) -> list[tuple[Record, Embedding]]:
        mine: list[tuple[Record, Embedding]] = []
        while True:
            found = await super()._embedded(model, after, limit)
            mine += [row for row in found if self._owns(row[0].scope)]
            if len(mine) >= limit or len(found) < limit:
                return mine[:limit]
            after = (found[-1][0].scope.tenant_id, found[-1][0].id)

    async def _changes(self, after: int, limit: int) -> list[Change]:
        owner = {name: value for name, value in self._fixed.items() if name in ("tenant_id", "user_id")}
        mine: list[Change] = []
        while True:
            found = await super()._changes(after, limit)
            mine += [c for c in found if all(getattr(c, name) == value for name, value in owner.items())]
            if len(mine) >= limit or len(found) < limit:
                return mine[:limit]
            after = found[-1].seq


def _narrowed(touch: Touch, reachable: set[tuple[str, str]]) -> Touch:
    """Recalls of those that can be reached."""
    inside = {id: noted for id, noted in touch.accesses.items() if (touch.tenant_id, id) in reachable}
    return replace(touch, accesses=inside)
