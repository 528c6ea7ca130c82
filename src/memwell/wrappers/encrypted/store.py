"""The wrapper itself: see `Encrypted`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from memwell.errors import ConfigError
from memwell.ports import Change, Embedding, Insert, Operation, Store, Update
from memwell.ports.store.outlines import Outline
from memwell.ports.store.search import Features, Found, Search
from memwell.ports.store.visibility import EVER
from memwell.security import sealing, tenant_keys
from memwell.security.cipher import TenantCipher
from memwell.security.ciphers import Ciphers
from memwell.security.keyring import Keyring
from memwell.security.tenant_keys import KEYS_TENANT, check_tenant
from memwell.types import Record, Report, Scope, Trace, Version, Where
from memwell.wrappers.base import StoreWrapper
from memwell.wrappers.encrypted.writing import Writing

__all__ = ["Encrypted"]

_REMEMBERED: Final = 20_000


class Encrypted(StoreWrapper):
    """`Encrypted(store, keyring)` is again a Store. `clock` gives the time of new keys.

    Put it around everything that stores: `Encrypted(Indexed(store, index, …), keyring)`. What a store needs to find and
    to compare is a keyed hash: index terms, metadata values, contents. What it still sees is listed in
    docs/encryption.md. Closing closes the store inside.
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
        self._ciphers = Ciphers(inner, keyring, self.clock)
        self._writing = Writing(inner, self._ciphers)
        self._features: dict[str, Features] = {}
        """Encrypted signals → the features they belong to."""

    def over(self, inner: Store) -> Encrypted:
        """The same around another object for the store inside, such as a wrapped one."""
        return Encrypted(inner, self.keyring, clock=self.clock)

    async def _close(self) -> None:
        self.forget_keys()
        await super()._close()

    def forget_keys(self) -> None:
        """Drop the data keys and all that was decrypted from the memory of this process."""
        for kept in (self._ciphers, self._writing):
            kept.forget()
        self._features.clear()

    # --------------------------------------------------------------------------------------------- writing

    async def _write(self, operations: Sequence[Operation], now: datetime) -> list[Any]:
        prepared = await self._writing.prepared(operations, now)
        results: list[Any] = await super()._write(prepared, now)
        for at, (given, written) in enumerate(zip(operations, prepared, strict=True)):
            known: Record | None = None
            if isinstance(given, Insert) and isinstance(written, Insert):
                known = self._writing.unsealed(given, written, results[at])
            elif not isinstance(given, Update):
                continue
            results[at] = known if known is not None else (await self._ciphers.opened([results[at]]))[0]
        return results

    async def _duplicates(self, inserts: Sequence[Insert], now: datetime) -> list[bool]:
        return await super()._duplicates(await self._writing.ahead(inserts), now)

    # --------------------------------------------------------------------------------------------- reading

    async def _get(self, scope: Scope, ids: Sequence[str], now: datetime) -> list[Record]:
        check_tenant(scope.tenant_id)
        return await self._ciphers.opened(await super()._get(scope, ids, now))

    async def _scan(self, scope: Scope, now: datetime, where: Where | None, *rest: Any) -> list[Record]:
        where = await self._where(scope, where)
        return await self._ciphers.opened(await super()._scan(scope, now, where, *rest))

    async def _outlines(self, scope: Scope, now: datetime, limit: int, after: str | None) -> list[Outline]:
        """From whole records: the store inside knows the length of what is encrypted only."""
        return await Store._outlines(self, scope, now, limit, after)

    async def _count(self, scope: Scope, now: datetime, where: Where | None) -> int:
        return int(await super()._count(scope, now, await self._where(scope, where)))

    async def _where(self, scope: Scope, where: Any) -> Any:
        check_tenant(scope.tenant_id)
        return (
            None
            if where is None
            else sealing.sealed_where(await self._ciphers.reading(scope.tenant_id), where)
        )

    async def _history(self, scope: Scope, id: str, now: datetime) -> list[Version]:
        versions = await super()._history(scope, id, now)
        records = await self._ciphers.opened([version.record for version in versions])
        return [replace(version, record=record) for version, record in zip(versions, records, strict=True)]

    async def _search(self, search: Search) -> Found:
        cipher = await self._ciphers.reading(search.scope.tenant_id)
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
        cipher = await self._ciphers.reading(scope.tenant_id)
        return frozenset(map(cipher.spoken_by, await super()._actors(scope)))

    # ------------------------------------------------------------------------------- listings of everybody

    async def _unembedded(self, model: str, limit: int) -> list[Record]:
        asked = limit
        while True:
            found = await super()._unembedded(model, asked)
            mine = [record for record in found if record.scope.tenant_id != KEYS_TENANT]
            if len(mine) >= limit or len(found) < asked:
                return await self._ciphers.opened(mine[:limit])
            asked *= 4

    async def _embedded(
        self, model: str, after: tuple[str, str] | None, limit: int
    ) -> list[tuple[Record, Embedding]]:
        rows = await super()._embedded(model, after, limit)
        records = await self._ciphers.opened([record for record, _ in rows])
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
        self._writing.forget()
        self._features.clear()
        found: list[Trace] = await super()._purge(scope, ids, None)  # no file holds the texts as they are
        return found

    async def _check(self, repair: bool) -> Report:
        report: Report = await super()._check(repair)
        problems, tenants = [], 0
        async for keys in tenant_keys.every(self.inner):
            tenants += 1
            problems += [problem async for problem in self._ciphers.unreadable(keys)]
        return replace(
            report,
            ok=report.ok and not problems,
            checked=report.checked - tenants,
            problems=(*report.problems, *problems),
        )
