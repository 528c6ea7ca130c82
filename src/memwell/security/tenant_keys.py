"""The data keys of the tenants, wrapped by master keys, as records of the store itself, in a tenant of their own.

So they survive what the store survives, are shared by all its processes, and come along in mirrors and backups. The
keys of a tenant are one record with a number in its id: a change writes the next number and removes those before. Of
two processes that write the same number at once, one gets `Conflict` and reads what the other has written.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime
from typing import Any, Final

from memwell._dataclasses import dataclass
from memwell.errors import Conflict, Corrupt, InvalidInput
from memwell.ports import Delete, Insert, Operation, Store
from memwell.ports.store.visibility import EVER
from memwell.records.codec import dumps, loads
from memwell.sealed import KEYS_TENANT, Envelope
from memwell.security.cipher import TenantCipher
from memwell.security.keyring import SIZE, Keyring
from memwell.types import Record, Scope

__all__ = [
    "TenantKeys",
    "Wrapped",
    "check_tenant",
    "cipher_of",
    "create",
    "destroyed",
    "every",
    "find",
    "keys_from_json",
    "keys_to_json",
    "marked",
    "remove_older",
    "renewed",
    "rewrapped",
    "store_next",
    "unmarked",
    "without_old",
]

_PAGE: Final = 500
_INDEX: Final = "index"
_PLAIN: Final = "plain"
"""Name of a key that encrypts nothing: while it is there, the tenant may have memories that are not encrypted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrapped:
    """One data key, wrapped."""

    name: str
    """`index` for the key of all hashes, a number for keys of ciphertexts, `plain` for the mark of a tenant whose
    memories are being encrypted.
    """
    master: str
    """Name of the master key."""
    key: str
    """The wrapped key in base64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantKeys:
    """The keys of one tenant as they are stored."""

    tenant: str
    number: int
    """Of the record, counted from 1."""
    current: str
    """Name of the key that encrypts what is new."""
    keys: tuple[Wrapped, ...]
    created_at: datetime
    """When the newest of the keys was made, or all were wrapped again."""
    destroyed_at: datetime | None = None
    """When the keys were destroyed; there are none left then."""
    older: tuple[str, ...] = field(default=(), compare=False)
    """Ids of earlier states that are still stored, as an interrupted change may leave them; only `every` fills it."""

    @property
    def data(self) -> tuple[str, ...]:
        """Names of the keys of ciphertexts."""
        return tuple(one.name for one in self.keys if one.name not in (_INDEX, _PLAIN))

    @property
    def mixed(self) -> bool:
        """Whether the tenant may have memories that are not encrypted yet."""
        return any(one.name == _PLAIN for one in self.keys)

    @property
    def masters(self) -> frozenset[str]:
        """Names of the master keys in use."""
        return frozenset(wrapped.master for wrapped in self.keys)


def check_tenant(tenant: str) -> None:
    """Raise `InvalidInput` for the tenant of the keys."""
    if tenant == KEYS_TENANT:
        raise InvalidInput(
            f"the tenant {KEYS_TENANT!r} holds the keys of the others; choose another name", part="encrypted"
        )


def cipher_of(stored: TenantKeys, keyring: Keyring) -> TenantCipher:
    """The cipher of a tenant. Raises `ConfigError` for a master key that the keyring lacks."""
    found = {wrapped.name: unwrapped(stored.tenant, wrapped, keyring) for wrapped in stored.keys}
    index, mixed = found.pop(_INDEX), found.pop(_PLAIN, None) is not None
    return TenantCipher(stored.tenant, index, found, stored.current, mixed=mixed)


def fresh(tenant: str, keyring: Keyring, now: datetime, *, number: int = 1) -> TenantKeys:
    """New keys of a tenant."""
    keys = tuple(wrap(tenant, name, os.urandom(SIZE), keyring) for name in (_INDEX, "1"))
    return TenantKeys(tenant=tenant, number=number, current="1", keys=keys, created_at=now)


def wrap(tenant: str, name: str, key: bytes, keyring: Keyring) -> Wrapped:
    """A key, wrapped by the first master key."""
    raw = keyring.first.wrap(key, _context(tenant, name))
    return Wrapped(name=name, master=keyring.first.id, key=base64.b64encode(raw).decode())


def unwrapped(tenant: str, wrapped: Wrapped, keyring: Keyring) -> bytes:
    """The inverse of `wrap`."""
    raw = base64.b64decode(wrapped.key)
    return keyring.named(wrapped.master, tenant=tenant).unwrap(raw, _context(tenant, wrapped.name))


async def find(store: Store, tenant: str) -> TenantKeys | None:
    """The keys of a tenant; `None` when it has none yet."""
    rows = await store.scan(_scope(tenant), now=EVER, order="id", descending=True, limit=1)
    return _read(rows[0]) if rows else None


async def create(store: Store, tenant: str, keyring: Keyring, now: datetime) -> TenantKeys:
    """The keys of a tenant, made now unless another process was quicker."""
    before = await find(store, tenant)
    if before is not None and before.destroyed_at is None:
        return before
    number = 1 if before is None else before.number + 1
    try:
        return await store_next(store, fresh(tenant, keyring, now, number=number), now)
    except Conflict:
        found = await find(store, tenant)
        if found is None:
            raise
        return found


async def store_next(store: Store, keys: TenantKeys, now: datetime) -> TenantKeys:
    """Store the next state of a tenant's keys, and remove those before it. Raises `Conflict` when another process has
    stored one of this number.
    """
    record = _record(keys)
    operations: list[Operation] = [Insert(record=record, named=True)]
    if keys.number > 1:
        older = await store.scan(_scope(keys.tenant), now=EVER, order="id", limit=_PAGE)
        gone = tuple(row.id for row in older if row.id < record.id)
        operations += [Delete(scope=_scope(keys.tenant), ids=gone)] if gone else []
    await store.write(operations, now=now)
    return keys


async def every(store: Store) -> AsyncIterator[TenantKeys]:
    """The keys of all tenants, of each its last state."""
    after: tuple[str, str] | None = None
    last: TenantKeys | None = None
    older: tuple[str, ...] = ()
    previous = ""
    scope = Scope(tenant_id=KEYS_TENANT)
    while rows := await store.scan(scope, now=EVER, order="id", limit=_PAGE, after=after):
        for row in rows:
            found = _read(row)
            if last is not None and last.tenant != found.tenant:
                yield replace(last, older=older)
                older = ()
            elif last is not None:
                older = (*older, previous)
            last, previous = found, row.id
        after = rows[-1].id, rows[-1].id
    if last is not None:
        yield replace(last, older=older)


async def remove_older(store: Store, keys: TenantKeys, now: datetime) -> None:
    """Remove the earlier states of a tenant's keys."""
    if keys.older:
        await store.write([Delete(scope=_scope(keys.tenant), ids=keys.older)], now=now)


def rewrapped(keys: TenantKeys, keyring: Keyring, now: datetime) -> TenantKeys:
    """The same keys, all wrapped by the first master key."""
    made = [wrap(keys.tenant, one.name, unwrapped(keys.tenant, one, keyring), keyring) for one in keys.keys]
    return replace(keys, number=keys.number + 1, keys=tuple(made), created_at=now)


def renewed(keys: TenantKeys, keyring: Keyring, now: datetime) -> TenantKeys:
    """The same keys and a new one, which encrypts from now on."""
    name = str(1 + max(map(int, keys.data)))
    made = wrap(keys.tenant, name, os.urandom(SIZE), keyring)
    return replace(_next(keys, (*keys.keys, made)), current=name, created_at=now)


def without_old(keys: TenantKeys) -> TenantKeys:
    """The keys without those that encrypt no more."""
    left = tuple(one for one in keys.keys if one.name not in keys.data or one.name == keys.current)
    return keys if left == keys.keys else _next(keys, left)


def marked(keys: TenantKeys, keyring: Keyring) -> TenantKeys:
    """The keys of a tenant that may have memories that are not encrypted yet. Only who has a master key can say so."""
    if keys.mixed:
        return keys
    return _next(keys, (*keys.keys, wrap(keys.tenant, _PLAIN, os.urandom(SIZE), keyring)))


def unmarked(keys: TenantKeys) -> TenantKeys:
    """The inverse of `marked`."""
    return _next(keys, tuple(one for one in keys.keys if one.name != _PLAIN)) if keys.mixed else keys


def _next(keys: TenantKeys, made: tuple[Wrapped, ...]) -> TenantKeys:
    return replace(keys, number=keys.number + 1, keys=made)


def destroyed(keys: TenantKeys, now: datetime) -> TenantKeys:
    """What is left when keys are destroyed: when it was."""
    return replace(keys, number=keys.number + 1, keys=(), current="", created_at=now, destroyed_at=now)


def _scope(tenant: str) -> Scope:
    return Scope(tenant_id=KEYS_TENANT, user_id=tenant)


def _context(tenant: str, name: str) -> bytes:
    return f"{tenant}\0{name}".encode()


def keys_to_json(keys: TenantKeys) -> dict[str, Any]:
    """The wrapped keys of a tenant, for a record or an export."""
    return {
        "tenant": keys.tenant,
        "current": keys.current,
        "keys": [[one.name, one.master, one.key] for one in keys.keys],
        "destroyed_at": keys.destroyed_at.isoformat() if keys.destroyed_at else None,
    }


def keys_from_json(data: Mapping[str, Any], *, number: int, created_at: datetime) -> TenantKeys:
    """The inverse of `keys_to_json`. Raises `LookupError`, `TypeError` or `ValueError` for anything else."""
    rows: Sequence[Sequence[str]] = data["keys"]
    gone = data["destroyed_at"]
    return TenantKeys(
        tenant=data["tenant"],
        number=number,
        current=data["current"],
        keys=tuple(Wrapped(name=name, master=master, key=key) for name, master, key in rows),
        created_at=created_at,
        destroyed_at=datetime.fromisoformat(gone) if gone else None,
    )


def _record(keys: TenantKeys) -> Record:
    body = dumps(keys_to_json(keys)).encode()
    envelope = Envelope(hashlib.blake2b(body, digest_size=24).hexdigest(), base64.b64encode(body).decode())
    prefix = hashlib.blake2b(keys.tenant.encode(), digest_size=16).hexdigest()
    return Record(
        id=f"{prefix}-{keys.number:08d}",
        scope=_scope(keys.tenant),
        content=envelope.text(),
        kind="keys",
        created_at=keys.created_at,
        updated_at=keys.created_at,
    )


def _read(record: Record) -> TenantKeys:
    try:
        envelope = Envelope.read(record.content)
        assert envelope is not None
        data: Mapping[str, Any] = loads(base64.b64decode(envelope.ciphertext).decode())
        number = int(record.id.rpartition("-")[2])
        return keys_from_json(data, number=number, created_at=record.created_at)
    except (AssertionError, LookupError, TypeError, ValueError) as error:
        raise Corrupt(
            f"the stored keys of tenant {record.user_id!r} cannot be read; restore the store from a backup",
            part="encrypted",
        ) from error
