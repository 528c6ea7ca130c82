"""Writing what is stored again under other data keys, or encrypted for the first time, while everybody works.

A tenant's memories are read page by page, and each is replaced by another form of itself in one transaction, if it has
not changed since it was read. So a run that was killed is continued by the next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from memwell.errors import ConfigError, Corrupt, NotFound
from memwell.ports import Embed, Embedding, Operation, Recode, Store
from memwell.ports.store.visibility import EVER
from memwell.sealed import fingerprint_of
from memwell.security import sealing
from memwell.security.cipher import TenantCipher
from memwell.security.sealed_vectors import is_sealed_model, key_of, opened_embedding, sealed_embedding
from memwell.types import Record, Scope, Version

__all__ = ["Rewriting"]

_PAGE: Final = 200


class Rewriting:
    """Brings the memories of one tenant to the current data key of its cipher."""

    def __init__(
        self, store: Store, cipher: TenantCipher, clock: Callable[[], datetime], tick: Callable[[int], None]
    ) -> None:
        self._store, self._cipher, self._clock, self._tick = store, cipher, clock, tick
        self._scope = Scope(tenant_id=cipher.tenant)
        self._models: tuple[str, ...] = ()
        self.changed = 0
        """Memories written again."""
        self.unreadable = 0
        """Memories that stay as they are, because they cannot be decrypted."""

    async def run(self) -> None:
        """Once through all memories; `tick` is called with the number of each page."""
        if self._store.capabilities.vectors:
            self._models = tuple(filter(is_sealed_model, await self._store.embedding_models()))
        after: tuple[str, str] | None = None
        while rows := await self._store.scan(self._scope, now=EVER, order="id", limit=_PAGE, after=after):
            pending: Sequence[Record] = rows
            while pending:
                pending = await self._write(pending)
            self._tick(len(rows))
            after = rows[-1].id, rows[-1].id

    async def _write(self, records: Sequence[Record]) -> list[Record]:
        """Rewrite some records; returns those that changed meanwhile, as they are now."""
        vectors = await self._vectors(records)
        operations: list[Operation] = []
        for record in records:
            try:
                operations += await self._operations(record, vectors.get(record.id, ()))
            except (KeyError, Corrupt, ConfigError):
                self.unreadable += 1
            except NotFound:  # forgotten meanwhile
                continue
        results = await self._store.write(operations, now=self._clock())
        again = [o for o, done in zip(operations, results, strict=True) if isinstance(o, Recode) and not done]
        self.changed += len({o.id for o in operations if isinstance(o, Recode | Embed)}) - len(again)
        ids = [operation.id for operation in again]
        return await self._store.get(self._scope, ids, now=EVER) if ids else []

    async def _operations(self, record: Record, vectors: Sequence[Embedding]) -> list[Operation]:
        cipher, found = self._cipher, list[Operation]()
        versions = [Version(record=record, changed_at=record.updated_at)]
        if record.version > 1 and self._store.capabilities.history:
            versions = await self._store.history(self._scope, record.id, now=EVER)
        stale = [version.record for version in versions if not sealing.is_current(cipher, version.record)]
        forms = {each.version: sealing.form_of(cipher, sealing.opened(cipher, each)) for each in stale}
        if forms:
            found.append(
                Recode(
                    tenant_id=cipher.tenant,
                    id=record.id,
                    content=record.content,
                    version=record.version,
                    forms=forms,
                )
            )
        content = forms.get(record.version, (record.content, {}))[0]
        for embedding in vectors:
            fingerprint = fingerprint_of(record.content)
            again = sealed_embedding(cipher, fingerprint, opened_embedding(cipher, fingerprint, embedding))
            found.append(Embed(tenant_id=cipher.tenant, id=record.id, content=content, embedding=again))
        return found

    async def _vectors(self, records: Sequence[Record]) -> dict[str, list[Embedding]]:
        """The encrypted vectors of records that are under another key."""
        found: dict[str, list[Embedding]] = {}
        ids = [record.id for record in records]
        for model in self._models:
            for id, embedding in (await self._store.embeddings(self._scope, ids, model)).items():
                if key_of(embedding) != self._cipher.current:
                    found.setdefault(id, []).append(embedding)
        return found
