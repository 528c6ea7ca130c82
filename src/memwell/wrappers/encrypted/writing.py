"""Operations as the store inside gets them: contents, metadata and filters encrypted or hashed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, TypeAlias

from memwell.errors import NotFound
from memwell.ports import (
    Append,
    Delete,
    Embed,
    Embedding,
    Insert,
    Operation,
    Recode,
    Store,
    Touch,
    Update,
    call,
    declared,
)
from memwell.ports.store.visibility import EVER
from memwell.records.codec import digest, digest_of
from memwell.sealed import Envelope, fingerprint_of, is_sealed, mark_of
from memwell.security import sealing
from memwell.security.cipher import TenantCipher
from memwell.security.ciphers import Ciphers
from memwell.security.sealed_vectors import sealed_embedding
from memwell.security.tenant_keys import check_tenant
from memwell.types import Record, Scope, Version
from memwell.wrappers.encrypted import mixed

__all__ = ["Writing"]

_REMEMBERED: Final = 20_000
_TEXTS: Final = frozenset({"content", "metadata"})
_Name: TypeAlias = tuple[str, str]
"""Tenant and id of a record."""


class Writing:
    """Seals operations for the store `inner`."""

    def __init__(self, inner: Store, ciphers: Ciphers) -> None:
        self._inner, self._ciphers = inner, ciphers
        self.vectors = False
        """Whether vectors are encrypted, too."""
        self._sealed: dict[int, tuple[Record, Record, int]] = {}
        """Identity of a record that was asked about → it, how it will be stored, and the digest of that."""

    def forget(self) -> None:
        """Drop the records that were sealed ahead of their write."""
        self._sealed.clear()

    async def prepared(self, operations: Sequence[Operation], now: datetime) -> list[Operation]:
        """The operations of one write."""
        if all(type(operation) is Insert for operation in operations):
            return [await self._insert(operation) for operation in operations]  # type: ignore[arg-type]
        batch = _Batch(await self._stored(operations, now))
        made: list[Operation] = []
        for operation in operations:
            if isinstance(operation, Insert):
                insert = await self._insert(operation)
                batch.note(insert.record)
                made.append(insert)
            else:
                made.append(await self._operation(operation, batch))
        return made

    async def ahead(self, inserts: Sequence[Insert]) -> list[Insert]:
        """Inserts that are asked about before they are written: they are sealed once."""
        made = [await self._insert(insert) for insert in inserts]
        if len(self._sealed) > _REMEMBERED:
            self._sealed.clear()
        for given, each in zip(inserts, made, strict=True):
            if not given.past:
                self._sealed[id(given.record)] = given.record, each.record, digest_of(each)
        return made

    def unsealed(self, given: Insert, written: Insert, result: Record) -> Record | None:
        """What an insert stored, without decrypting it; `None` if it has another text than the one given."""
        if self._sealed:
            self._sealed.pop(id(given.record), None)
        if result is written.record:
            return given.record
        if result.content == written.record.content:
            return sealing.with_text(result, given.record.content, given.record.metadata)
        return None

    async def _insert(self, insert: Insert) -> Insert:
        record, past = insert.record, insert.past
        kept = self._sealed.get(id(record)) if self._sealed else None
        if kept is not None:
            _, made, mark = kept
        else:
            tenant = record.scope.tenant_id
            cipher = self._ciphers.trusted(tenant) or await self._ciphers.writing(tenant)
            made, past = sealing.sealed(cipher, record), past and _sealed_past(cipher, past)
            mark = digest(made)
        return Insert(
            record=made,
            embedding=await self._embedding(record.scope.tenant_id, made.content, insert.embedding),
            named=insert.named,
            dated=insert.dated,
            digest=mark,
            past=past,
            overwrite=insert.overwrite,
        )

    async def _stored(self, operations: Sequence[Operation], now: datetime) -> dict[_Name, list[Record]]:
        """The records, as they are stored, whose text or vectors the operations change."""
        named: dict[tuple[Scope, datetime], list[str]] = {}
        for operation in operations:
            if isinstance(operation, Embed | Recode):
                scope = Scope(tenant_id=operation.tenant_id)
                named.setdefault((scope, EVER), []).append(operation.id)
            elif isinstance(operation, Update) and not _TEXTS.isdisjoint(operation.changes):
                named.setdefault((operation.scope, now), []).append(operation.id)
        found: dict[_Name, list[Record]] = {}
        for (scope, moment), ids in named.items():
            for record in await call(self._inner, declared(Store.get), (scope, ids, moment)):
                found[scope.tenant_id, record.id] = [record]
        return found

    async def _operation(self, operation: Operation, batch: _Batch) -> Operation:
        if isinstance(operation, Update):
            return await self._update(operation, batch)
        if isinstance(operation, Embed):
            cipher = await self._ciphers.reading(operation.tenant_id)
            content = batch.content(cipher, operation.tenant_id, operation.id, operation.content)
            vectors = await self._embedding(operation.tenant_id, content, operation.embedding)
            return replace(operation, content=content, embedding=vectors or operation.embedding)
        if isinstance(operation, Recode):
            return await self._recode(operation, batch)
        if isinstance(operation, Touch | Insert | Append):
            return operation
        check_tenant(operation.scope.tenant_id)
        if isinstance(operation, Delete) and operation.where is not None:
            cipher = await self._ciphers.reading(operation.scope.tenant_id)
            sealed_where = mixed.either if cipher.mixed else sealing.sealed_where
            return replace(operation, where=sealing.as_where(sealed_where(cipher, operation.where)))
        return operation

    async def _update(self, update: Update, batch: _Batch) -> Update:
        """Content and metadata sealed; what is there already stays as it is stored, so that it counts as unchanged."""
        changes = dict(update.changes)
        if _TEXTS.isdisjoint(changes):
            check_tenant(update.scope.tenant_id)
            return update
        cipher = await self._ciphers.writing(update.scope.tenant_id)
        stored = batch.latest(update.scope.tenant_id, update.id)
        if stored is None:
            raise NotFound(f"no memory {update.id!r} in this scope", part="encrypted")
        if cipher.mixed and not is_sealed(stored.content):  # all of it, so that none of it stays plain
            changes = {"content": stored.content, "metadata": stored.metadata} | changes
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
        vectors = update.embedding
        if "content" in changes:
            vectors = await self._embedding(update.scope.tenant_id, changes["content"], vectors)
        batch.note(replace(stored, **{name: changes[name] for name in _TEXTS & changes.keys()}))
        return replace(update, changes=changes, embedding=vectors)

    async def _recode(self, recode: Recode, batch: _Batch) -> Recode:
        cipher = await self._ciphers.writing(recode.tenant_id)
        stored = batch.latest(recode.tenant_id, recode.id)
        if stored is None:
            return recode
        content = batch.content(cipher, recode.tenant_id, recode.id, recode.content)
        forms = {
            number: sealing.form_of(cipher, replace(stored, content=text, metadata=metadata))
            for number, (text, metadata) in recode.forms.items()
        }
        if recode.version in forms:
            text, metadata = forms[recode.version]
            batch.note(replace(stored, content=text, metadata=metadata))
        return replace(recode, content=content, forms=forms)

    async def _embedding(self, tenant: str, sealed: str, embedding: Embedding | None) -> Embedding | None:
        """The vectors of a content, given as it is stored."""
        if embedding is None or not self.vectors:
            return embedding
        cipher = await self._ciphers.writing(tenant)
        return sealed_embedding(cipher, fingerprint_of(sealed), embedding)


class _Batch:
    """The texts of records, as they are stored before a write and after each of its operations."""

    def __init__(self, stored: dict[_Name, list[Record]]) -> None:
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
            if _holds(cipher, record.content, content) or (cipher.mixed and record.content == content):
                return record.content
        return Envelope(cipher.fingerprint(content), "").text()


def _sealed_past(cipher: TenantCipher, past: Sequence[Version]) -> tuple[Version, ...]:
    return tuple(replace(version, record=sealing.sealed(cipher, version.record)) for version in past)


def _holds(cipher: TenantCipher, stored: str, content: str) -> bool:
    """Whether a stored envelope is that of a content."""
    envelope = Envelope.read(stored)
    return envelope is not None and envelope.fingerprint == cipher.fingerprint(content)
