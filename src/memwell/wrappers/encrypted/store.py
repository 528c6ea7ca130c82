"""The wrapper itself: see `Encrypted`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from memwell.errors import ConfigError
from memwell.ports import Append, Change, Embedding, Insert, Operation, Store, Update
from memwell.ports.store.outlines import Outline
from memwell.ports.store.search import Features, Found, Search
from memwell.ports.store.visibility import EVER
from memwell.retrieval.ranking.table import tabled
from memwell.sealed import KEYS_TENANT, fingerprint_of
from memwell.security import sealing, tenant_keys
from memwell.security.cipher import TenantCipher
from memwell.security.ciphers import Ciphers
from memwell.security.keyring import Keyring
from memwell.security.sealed_vectors import inner_name, is_sealed_model, opened_embedding, outer_name
from memwell.security.tenant_keys import check_tenant
from memwell.types import Record, Report, Scope, Stats, Trace, Version, Where
from memwell.wrappers.base import StoreWrapper
from memwell.wrappers.encrypted import mixed
from memwell.wrappers.encrypted.appending import appending
from memwell.wrappers.encrypted.searching import VectorSearch
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
        self._vectors = VectorSearch(inner, self._ciphers)
        self._writing.vectors = keyring.vectors == "encrypted"
        self._asked = not inner.capabilities.vectors or self._writing.vectors
        """Whether it is known how the store holds vectors."""
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
        for kept in (self._ciphers, self._writing, self._vectors):
            kept.forget()
        self._features.clear()

    # --------------------------------------------------------------------------------------------- writing

    async def _write(self, operations: Sequence[Operation], now: datetime) -> list[Any]:
        if not self._asked and any(getattr(operation, "embedding", None) for operation in operations):
            await self._sealed_vectors()
        prepared = await self._writing.prepared(operations, now)
        if isinstance(operations[-1], Append):
            prepared[-1] = await appending(self._ciphers, self.inner, operations, prepared, now)
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
        return None if where is None else _sealed_where(await self._ciphers.reading(scope.tenant_id), where)

    async def _history(self, scope: Scope, id: str, now: datetime) -> list[Version]:
        versions = await super()._history(scope, id, now)
        records = await self._ciphers.opened([version.record for version in versions])
        return [replace(version, record=record) for version, record in zip(versions, records, strict=True)]

    async def _search(self, search: Search) -> Found:
        try:
            return await self._found(search)
        except KeyError:  # a data key that another process has made since
            self._ciphers.distrust(search.scope.tenant_id)
            return await self._found(search)

    async def _found(self, plain: Search) -> Found:
        cipher = await self._ciphers.reading(plain.scope.tenant_id)
        search = replace(
            plain,
            text=None,
            terms=tuple(map(cipher.term, plain.terms)),
            phrases=tuple(tuple(map(cipher.term, phrase)) for phrase in plain.phrases),
            days=tuple(map(cipher.term, plain.days)),
            where=_sealed_where(cipher, plain.where),
        )
        if cipher.mixed:
            search = mixed.asked_twice(search, plain)
        found: Found
        if search.model is not None and await self._sealed_vectors():
            found = await self._vectors.search(search, await self._serving(), part=self.part)
        else:
            found = await super()._search(search)
        if cipher.mixed:
            found = mixed.counted_once(found, len(plain.terms))
        table, ids = tabled(found.candidates), found.ids
        opened = [
            self._features_of(cipher, table.features(at), ids[key]) for at, key in enumerate(table.keys)
        ]
        return replace(found, candidates=table.featured(opened))

    def _features_of(self, cipher: TenantCipher, features: Features, id: str) -> Features:
        """Decrypted features, remembered: they are the same in each search."""
        if features.sealed is None and not features.actor:
            return features
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
        found: frozenset[str] = await super()._actors(scope)
        sealed = {name for name in found if not cipher.mixed or cipher.is_speaker(name)}
        return frozenset(map(cipher.spoken_by, sealed)) | (found - sealed)

    # --------------------------------------------------------------------------------------------- vectors

    async def _sealed_vectors(self) -> bool:
        """Whether vectors are encrypted: it was asked for, or those that the store serves are."""
        if not self._asked:
            serving = await super()._serving()
            self._writing.vectors = is_sealed_model(serving)
            self._asked = serving is not None
        return self._writing.vectors

    async def _inner_name(self, model: str) -> str:
        return inner_name(model) if await self._sealed_vectors() else model

    async def _embeddings(self, scope: Scope, ids: Sequence[str], model: str) -> dict[str, Embedding]:
        name = await self._inner_name(model)
        if not is_sealed_model(name):
            return dict(await super()._embeddings(scope, ids, name))
        return await self._vectors.embeddings(scope, await super()._get(scope, ids, EVER), model)

    async def _embedding_models(self) -> list[str]:
        found: list[str] = await super()._embedding_models()
        return [outer_name(name) for name in found] if await self._sealed_vectors() else found

    async def _serving(self) -> str | None:
        found: str | None = await super()._serving()
        return outer_name(found) if found is not None and await self._sealed_vectors() else found

    async def _stats(self, scope: Scope, now: datetime) -> Stats:
        found: Stats = await super()._stats(scope, now)
        if not await self._sealed_vectors():
            return found
        return replace(found, embedded={outer_name(name): n for name, n in found.embedded.items()})

    async def _drop_model(self, model: str) -> int:
        return int(await super()._drop_model(await self._inner_name(model)))

    # ------------------------------------------------------------------------------- listings of everybody

    async def _unembedded(self, model: str, limit: int) -> list[Record]:
        asked, name = limit, await self._inner_name(model)
        while True:
            found = await super()._unembedded(name, asked)
            mine = [record for record in found if record.scope.tenant_id != KEYS_TENANT]
            if len(mine) >= limit or len(found) < asked:
                return await self._ciphers.opened(mine[:limit])
            asked *= 4

    async def _embedded(
        self, model: str, after: tuple[str, str] | None, limit: int
    ) -> list[tuple[Record, Embedding]]:
        name = await self._inner_name(model)
        rows = await super()._embedded(name, after, limit)
        records = await self._ciphers.opened([record for record, _ in rows])
        vectors = [embedding for _, embedding in rows]
        if is_sealed_model(name):
            for at, (record, embedding) in enumerate(rows):
                cipher = await self._ciphers.reading(record.scope.tenant_id)
                vectors[at] = opened_embedding(cipher, fingerprint_of(record.content), embedding)
        return list(zip(records, vectors, strict=True))

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
        return int(await super()._serve(await self._inner_name(model), lacking + keys)) - keys

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


def _sealed_where(cipher: TenantCipher, where: Any) -> Any:
    if where is None:
        return None
    return mixed.either(cipher, where) if cipher.mixed else sealing.sealed_where(cipher, where)
