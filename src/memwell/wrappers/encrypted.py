"""A store whose contents, metadata, signals and versions are encrypted before they reach the store inside.

Put it around everything that stores: `Encrypted(Indexed(store, index, …), keyring)`. What a store needs to find and to
compare is a keyed hash: index terms, metadata values, contents. What it still sees is listed in docs/encryption.md.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from memwell.errors import ConfigError, Corrupt, InvalidInput, NotFound
from memwell.ports import (
    Change,
    Delete,
    Embed,
    Embedding,
    Insert,
    Operation,
    Store,
    Touch,
    Update,
)
from memwell.ports.store.outlines import Outline
from memwell.ports.store.search import Features, Found, Search
from memwell.ports.store.visibility import EVER
from memwell.records.codec import digest
from memwell.sealed import Envelope, mark_of
from memwell.security import sealing, tenant_keys
from memwell.security.cipher import TenantCipher
from memwell.security.keyring import SIZE, Keyring
from memwell.security.tenant_keys import KEYS_TENANT
from memwell.types import Problem, Record, Report, Scope, Trace, Version, Where
from memwell.wrappers.base import StoreWrapper

__all__ = ["Encrypted"]

TRUSTED: Final = 30.0
"""Seconds after which the keys of a tenant are read again: another process may have rotated or destroyed them."""
_REMEMBERED: Final = 20_000
_TEXTS: Final = frozenset({"content", "metadata"})
_Name: TypeAlias = tuple[str, str]
"""Tenant and id of a record."""


class Encrypted(StoreWrapper):
    """`Encrypted(store, keyring)` is again a Store. `clock` gives the time of new keys.

    Closing closes the store inside.
    """

    part = "encrypted"
    inner: Store

    def __init__(
        self, inner: Store, keyring: Keyring, *, clock: Callable[[], datetime] | None = None
    ) -> None:
        if not isinstance(keyring, Keyring):
            raise ConfigError(f"encryption takes a Keyring, not {type(keyring).__name__}", part=self.part)
        self.inner = inner
        self.keyring = keyring
        self.clock = clock or (lambda: datetime.now(UTC))
        self._ciphers: dict[str, tuple[TenantCipher, float]] = {}
        """Tenant → its cipher, and until when it is trusted."""
        self._sealed: dict[int, tuple[Record, Record]] = {}
        """Identity of a record that was asked about → it, and how it will be stored."""
        self._features: dict[str, Features] = {}
        """Encrypted signals → the features they belong to."""
        self._keyless = TenantCipher("", os.urandom(SIZE), {}, "")

    def over(self, inner: Store) -> Encrypted:
        """The same around another object for the store inside, such as a wrapped one."""
        return Encrypted(inner, self.keyring, clock=self.clock)

    async def _close(self) -> None:
        self.forget_keys()
        await super()._close()

    def forget_keys(self) -> None:
        """Drop the data keys and all that was decrypted from the memory of this process."""
        for kept in (self._ciphers, self._sealed, self._features):
            kept.clear()

    # ------------------------------------------------------------------------------------------------ keys

    async def _known(self, tenant: str) -> TenantCipher | None:
        """The cipher of a tenant; `None` when it has no keys yet. Raises `NotFound` when they were destroyed."""
        kept = self._trusted(tenant)
        if kept is not None:
            return kept
        _check_tenant(tenant)
        stored = await tenant_keys.find(self.inner, tenant)
        return None if stored is None or stored.destroyed_at else self._trust(stored)

    def _trusted(self, tenant: str) -> TenantCipher | None:
        """The cipher of a tenant whose keys were read a short time ago."""
        kept = self._ciphers.get(tenant)
        return kept[0] if kept is not None and time.monotonic() < kept[1] else None

    def _trust(self, stored: tenant_keys.TenantKeys) -> TenantCipher:
        cipher = tenant_keys.cipher_of(stored, self.keyring)
        self._ciphers[stored.tenant] = cipher, time.monotonic() + TRUSTED
        return cipher

    async def _writing(self, tenant: str) -> TenantCipher:
        """The cipher of a tenant, with new keys if it has none."""
        found = await self._known(tenant)
        if found is None:
            found = self._trust(await tenant_keys.create(self.inner, tenant, self.keyring, self.clock()))
        return found

    async def _reading(self, tenant: str) -> TenantCipher:
        """The cipher of a tenant, or one that finds nothing when it has no keys."""
        return await self._known(tenant) or self._keyless

    async def _opened(self, records: Sequence[Record]) -> list[Record]:
        """Records as they were before they were sealed."""
        found = []
        for record in records:
            cipher = await self._reading(record.scope.tenant_id)
            try:
                found.append(sealing.opened(cipher, record))
            except KeyError:
                found.append(await self._opened_again(record))
        return found

    async def _opened_again(self, record: Record) -> Record:
        """A record whose data key is not known: another process may have rotated the keys."""
        tenant = record.scope.tenant_id
        self._ciphers.pop(tenant, None)
        try:
            return sealing.opened(await self._reading(tenant), record)
        except KeyError as error:
            raise Corrupt(
                f"memory {record.id!r} cannot be decrypted: its data key is not among the keys of tenant"
                f" {tenant!r}, which were destroyed or are those of another backup",
                part=self.part,
            ) from error

    # --------------------------------------------------------------------------------------------- writing

    async def _write(self, operations: Sequence[Operation], now: datetime) -> list[Any]:
        batch = _Batch(now, await self._stored(operations, now))
        prepared: list[Operation] = []
        for operation in operations:
            if isinstance(operation, Insert):
                insert = self._insert(operation, await self._for(operation))
                batch.note(insert.record)
                prepared.append(insert)
            else:
                prepared.append(await self._operation(operation, batch))
        results = await super()._write(prepared, now)
        return [
            result if not isinstance(given, Insert | Update) else await self._result(given, written, result)
            for given, written, result in zip(operations, prepared, results, strict=True)
        ]

    async def _stored(self, operations: Sequence[Operation], now: datetime) -> dict[_Name, list[Record]]:
        """The records, as they are stored, whose text or vectors the operations change."""
        named: dict[tuple[Scope, datetime], list[str]] = {}
        for operation in operations:
            if isinstance(operation, Embed):
                scope = Scope(tenant_id=operation.tenant_id)
                named.setdefault((scope, EVER), []).append(operation.id)
            elif isinstance(operation, Update) and not _TEXTS.isdisjoint(operation.changes):
                named.setdefault((operation.scope, now), []).append(operation.id)
        found: dict[_Name, list[Record]] = {}
        for (scope, moment), ids in named.items():
            for record in await super()._get(scope, ids, moment):
                found[scope.tenant_id, record.id] = [record]
        return found

    async def _operation(self, operation: Operation, batch: _Batch) -> Operation:
        """An operation as the store inside gets it."""
        if isinstance(operation, Update):
            return await self._update(operation, batch)
        if isinstance(operation, Embed):
            cipher = await self._reading(operation.tenant_id)
            content = batch.content(cipher, operation.tenant_id, operation.id, operation.content)
            return replace(operation, content=content)
        if isinstance(operation, Touch | Insert):
            return operation
        _check_tenant(operation.scope.tenant_id)
        if isinstance(operation, Delete) and operation.where is not None:
            cipher = await self._reading(operation.scope.tenant_id)
            where = sealing.as_where(sealing.sealed_where(cipher, operation.where))
            return replace(operation, where=where)
        return operation

    async def _for(self, insert: Insert) -> TenantCipher:
        """The cipher for a new record."""
        tenant = insert.record.scope.tenant_id
        return self._trusted(tenant) or await self._writing(tenant)

    def _insert(self, insert: Insert, cipher: TenantCipher) -> Insert:
        record = insert.record
        kept = self._sealed.get(id(record))
        if kept is not None:
            return replace(insert, record=kept[1], digest=digest(kept[1]))
        past = insert.past and tuple(
            replace(version, record=sealing.sealed(cipher, version.record)) for version in insert.past
        )
        made = sealing.sealed(cipher, record)
        return replace(insert, record=made, digest=digest(made), past=past)

    async def _update(self, update: Update, batch: _Batch) -> Update:
        """Content and metadata sealed; what is there already stays as it is stored, so that it counts as unchanged."""
        changes = dict(update.changes)
        if _TEXTS.isdisjoint(changes):
            _check_tenant(update.scope.tenant_id)
            return update
        cipher = await self._writing(update.scope.tenant_id)
        stored = batch.latest(update.scope.tenant_id, update.id)
        if stored is None:
            raise NotFound(f"no memory {update.id!r} in this scope", part=self.part)
        if "content" in changes and _holds(cipher, stored.content, changes["content"]):
            changes["content"] = stored.content
        elif "content" in changes:
            spoken = stored.session_id is not None
            changes["content"] = sealing.sealed_content(
                cipher, changes["content"], stored.id, created_at=stored.created_at, in_session=spoken
            )
        if "metadata" in changes:
            made = sealing.sealed_metadata(cipher, changes["metadata"], stored.id)
            same = made and mark_of(made) == mark_of(stored.metadata)
            changes["metadata"] = stored.metadata if same else made
        batch.note(replace(stored, **{name: changes[name] for name in _TEXTS & changes.keys()}))
        return replace(update, changes=changes)

    async def _result(self, given: Operation, written: Operation, result: Record) -> Record:
        if isinstance(given, Insert) and isinstance(written, Insert):
            self._sealed.pop(id(given.record), None)
            if result is written.record:
                return given.record
            if result.content == written.record.content:
                return sealing.with_text(result, given.record.content, given.record.metadata)
        return (await self._opened([result]))[0]

    async def _duplicates(self, inserts: Sequence[Insert], now: datetime) -> list[bool]:
        prepared = [self._insert(insert, await self._for(insert)) for insert in inserts]
        if len(self._sealed) > _REMEMBERED:
            self._sealed.clear()
        for given, made in zip(inserts, prepared, strict=True):
            if not given.past:
                self._sealed[id(given.record)] = given.record, made.record
        return await super()._duplicates(prepared, now)

    # --------------------------------------------------------------------------------------------- reading

    async def _get(self, scope: Scope, ids: Sequence[str], now: datetime) -> list[Record]:
        _check_tenant(scope.tenant_id)
        return await self._opened(await super()._get(scope, ids, now))

    async def _scan(self, scope: Scope, now: datetime, where: Where | None, *rest: Any) -> list[Record]:
        where = await self._where(scope, where)
        return await self._opened(await super()._scan(scope, now, where, *rest))

    async def _outlines(self, scope: Scope, now: datetime, limit: int, after: str | None) -> list[Outline]:
        """From whole records: the store inside knows the length of what is encrypted only."""
        return await Store._outlines(self, scope, now, limit, after)

    async def _count(self, scope: Scope, now: datetime, where: Where | None) -> int:
        return int(await super()._count(scope, now, await self._where(scope, where)))

    async def _where(self, scope: Scope, where: Any) -> Any:
        _check_tenant(scope.tenant_id)
        return None if where is None else sealing.sealed_where(await self._reading(scope.tenant_id), where)

    async def _history(self, scope: Scope, id: str, now: datetime) -> list[Version]:
        versions = await super()._history(scope, id, now)
        records = await self._opened([version.record for version in versions])
        return [replace(version, record=record) for version, record in zip(versions, records, strict=True)]

    async def _search(self, search: Search) -> Found:
        cipher = await self._reading(search.scope.tenant_id)
        found: Found = await super()._search(
            replace(
                search,
                terms=tuple(map(cipher.term, search.terms)),
                phrases=tuple(tuple(map(cipher.term, phrase)) for phrase in search.phrases),
                where=None if search.where is None else sealing.sealed_where(cipher, search.where),
            )
        )
        for candidate in found.candidates:
            features = candidate.features
            if features.sealed is not None or features.actor:
                candidate.features = self._features_of(cipher, features, found.ids[candidate.key])
        return found

    def _features_of(self, cipher: TenantCipher, features: Features, id: str) -> Features:
        """Decrypted features, remembered: they are the same in each search."""
        key = f"{features.actor}\t{features.sealed}\t{features.length}\t{features.day}\t{features.second}"
        found = self._features.get(key)
        if found is None:
            found = sealing.features_of(cipher, features, id)
            if len(self._features) >= _REMEMBERED:
                self._features.clear()
            self._features[key] = found
        return found

    async def _actors(self, scope: Scope) -> frozenset[str]:
        cipher = await self._reading(scope.tenant_id)
        return frozenset(map(cipher.spoken_by, await super()._actors(scope)))

    # ------------------------------------------------------------------------------- listings of everybody

    async def _unembedded(self, model: str, limit: int) -> list[Record]:
        asked = limit
        while True:
            found = await super()._unembedded(model, asked)
            mine = [record for record in found if record.scope.tenant_id != KEYS_TENANT]
            if len(mine) >= limit or len(found) < asked:
                return await self._opened(mine[:limit])
            asked *= 4

    async def _embedded(
        self, model: str, after: tuple[str, str] | None, limit: int
    ) -> list[tuple[Record, Embedding]]:
        rows = await super()._embedded(model, after, limit)
        records = await self._opened([record for record, _ in rows])
        return [(record, embedding) for record, (_, embedding) in zip(records, rows, strict=True)]

    async def _changes(self, after: int, limit: int) -> list[Change]:
        mine: list[Change] = []
        while True:
            found = await super()._changes(after, limit)
            mine += [change for change in found if change.tenant_id != KEYS_TENANT]
            if len(mine) >= limit or len(found) < limit:
                return mine[:limit]
            after = found[-1].seq

    async def _serve(self, model: str, lacking: int) -> int:
        keys = await self._key_records()
        return int(await super()._serve(model, lacking + keys)) - keys

    async def _key_records(self) -> int:
        return await self.inner.count(Scope(tenant_id=KEYS_TENANT), now=EVER)

    async def _purge(self, scope: Scope, ids: Sequence[str], texts: Sequence[str] | None) -> list[Trace]:  # noqa: ARG002
        self._sealed.clear()
        self._features.clear()
        found: list[Trace] = await super()._purge(scope, ids, None)  # no file holds the texts as they are
        return found

    async def _check(self, repair: bool) -> Report:
        report: Report = await super()._check(repair)
        problems, tenants = [], 0
        async for keys in tenant_keys.every(self.inner):
            tenants += 1
            problems += [problem async for problem in self._unreadable(keys)]
        return replace(
            report,
            ok=report.ok and not problems,
            checked=report.checked - tenants,
            problems=(*report.problems, *problems),
        )

    async def _unreadable(self, keys: tenant_keys.TenantKeys) -> Any:
        """What of a tenant cannot be decrypted."""
        try:
            cipher = None if keys.destroyed_at else tenant_keys.cipher_of(keys, self.keyring)
        except (ConfigError, Corrupt) as error:
            yield Problem(kind="encryption", detail=error.message, repairable=False)
            return
        after: tuple[str, str] | None = None
        scope = Scope(tenant_id=keys.tenant)
        while rows := await self.inner.scan(scope, now=EVER, order="id", limit=500, after=after):
            for record in rows:
                try:
                    sealing.opened(cipher or self._keyless, record)
                except (Corrupt, ConfigError) as error:
                    yield Problem(kind="encryption", detail=error.message, id=record.id, repairable=False)
                except KeyError:
                    detail = f"the data key of memory {record.id!r} is gone; forget it"
                    yield Problem(kind="encryption", detail=detail, id=record.id, repairable=False)
            after = rows[-1].id, rows[-1].id


class _Batch:
    """The texts of records, as they are stored before a write and after each of its operations."""

    def __init__(self, now: datetime, stored: dict[_Name, list[Record]]) -> None:
        self.now = now
        self._states = stored

    def note(self, record: Record) -> None:
        """A record is stored like this from here on, if nothing hinders it."""
        self._states.setdefault((record.scope.tenant_id, record.id), []).append(record)

    def latest(self, tenant: str, id: str) -> Record | None:
        """How a record is stored now."""
        states = self._states.get((tenant, id))
        return states[-1] if states else None

    def content(self, cipher: TenantCipher, tenant: str, id: str, content: str) -> str:
        """A content of a record as it is stored; one that equals nothing when the record never had it."""
        for record in reversed(self._states.get((tenant, id), ())):
            if _holds(cipher, record.content, content):
                return record.content
        return Envelope(cipher.fingerprint(content), "").text()


def _check_tenant(tenant: str) -> None:
    if tenant == KEYS_TENANT:
        raise InvalidInput(
            f"the tenant {KEYS_TENANT!r} holds the keys of the others; choose another name", part="encrypted"
        )


def _holds(cipher: TenantCipher, stored: str, content: str) -> bool:
    """Whether a stored envelope is that of a content."""
    envelope = Envelope.read(stored)
    return envelope is not None and envelope.fingerprint == cipher.fingerprint(content)
