"""The ciphers of the tenants of one store: their keys are read when they are needed, and trusted for half a minute."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import Final

from memwell.errors import ConfigError, Corrupt
from memwell.ports import Store
from memwell.ports.store.visibility import EVER
from memwell.security import sealing, tenant_keys
from memwell.security.cipher import TenantCipher
from memwell.security.keyring import SIZE, Keyring
from memwell.types import Problem, Record, Scope

__all__ = ["TRUSTED", "Ciphers"]

TRUSTED: Final = 30.0
"""Seconds after which the keys of a tenant are read again: another process may have rotated or destroyed them."""
_PAGE: Final = 500


class Ciphers:
    """The ciphers of the tenants whose keys `store` holds. `clock` gives the time of new keys."""

    def __init__(self, store: Store, keyring: Keyring, clock: Callable[[], datetime]) -> None:
        self._store, self._keyring, self._clock = store, keyring, clock
        self._kept: dict[str, tuple[TenantCipher, float]] = {}
        """Tenant → its cipher, and until when it is trusted."""
        self._keyless = TenantCipher("", os.urandom(SIZE), {}, "")

    def forget(self) -> None:
        """Drop the data keys from the memory of this process."""
        self._kept.clear()

    def trusted(self, tenant: str) -> TenantCipher | None:
        """The cipher of a tenant whose keys were read a short time ago."""
        kept = self._kept.get(tenant)
        return kept[0] if kept is not None and time.monotonic() < kept[1] else None

    def last_known(self, tenant: str) -> TenantCipher:
        """The cipher of a tenant as it was last read, or one that opens nothing."""
        kept = self._kept.get(tenant)
        return self._keyless if kept is None else kept[0]

    async def known(self, tenant: str) -> TenantCipher | None:
        """The cipher of a tenant; `None` when it has no keys yet, or none any more."""
        kept = self.trusted(tenant)
        if kept is not None:
            return kept
        tenant_keys.check_tenant(tenant)
        stored = await tenant_keys.find(self._store, tenant)
        if stored is None:
            stored = await self._found_late(tenant)
        return None if stored is None or stored.destroyed_at else self._trust(stored)

    async def _found_late(self, tenant: str) -> tenant_keys.TenantKeys | None:
        """The keys that another process made meanwhile, if the tenant has memories by now; keys come before them.

        Raises `ConfigError` for a tenant that has memories and no keys: they are plain.
        """
        if not await self._store.scan(Scope(tenant_id=tenant), now=EVER, limit=1):
            return None
        stored = await tenant_keys.find(self._store, tenant)
        if stored is None:
            raise ConfigError(
                f"tenant {tenant!r} has memories that were stored without encryption=; encrypt them by"
                " `memwell keys encrypt` or memory.encrypt(), or open the memory without a keyring",
                part="encrypted",
            )
        return stored

    def distrust(self, tenant: str) -> None:
        """Read the keys of a tenant again when they are needed next."""
        self._kept.pop(tenant, None)

    async def writing(self, tenant: str) -> TenantCipher:
        """The cipher of a tenant, with new keys if it has none."""
        found = await self.known(tenant)
        if found is None:
            made = await tenant_keys.create(self._store, tenant, self._keyring, self._clock())
            found = self._trust(made)
        return found

    async def reading(self, tenant: str) -> TenantCipher:
        """The cipher of a tenant, or one that finds nothing when it has no keys."""
        return await self.known(tenant) or self._keyless

    async def opened(self, records: Sequence[Record]) -> list[Record]:
        """Records as they were before they were sealed. Raises `Corrupt` for one whose data key is gone."""
        found = []
        for record in records:
            cipher = await self.reading(record.scope.tenant_id)
            try:
                found.append(sealing.opened(cipher, record))
            except KeyError:
                found.append(await self._opened_again(record))
        return found

    async def unreadable(self, keys: tenant_keys.TenantKeys) -> AsyncIterator[Problem]:
        """What of a tenant cannot be decrypted."""
        try:
            cipher = None if keys.destroyed_at else tenant_keys.cipher_of(keys, self._keyring)
        except (ConfigError, Corrupt) as error:
            yield Problem(kind="encryption", detail=error.message, repairable=False)
            return
        after: tuple[str, str] | None = None
        scope = Scope(tenant_id=keys.tenant)
        while rows := await self._store.scan(scope, now=EVER, order="id", limit=_PAGE, after=after):
            for record in rows:
                try:
                    sealing.opened(cipher or self._keyless, record)
                except (Corrupt, ConfigError) as error:
                    yield Problem(kind="encryption", detail=error.message, id=record.id, repairable=False)
                except KeyError:
                    detail = f"the data key of memory {record.id!r} is gone; forget it"
                    yield Problem(kind="encryption", detail=detail, id=record.id, repairable=False)
            after = rows[-1].id, rows[-1].id

    def _trust(self, stored: tenant_keys.TenantKeys) -> TenantCipher:
        cipher = tenant_keys.cipher_of(stored, self._keyring)
        self._kept[stored.tenant] = cipher, time.monotonic() + TRUSTED
        return cipher

    async def _opened_again(self, record: Record) -> Record:
        """A record whose data key is not known: another process may have rotated the keys."""
        tenant = record.scope.tenant_id
        self.distrust(tenant)
        try:
            return sealing.opened(await self.reading(tenant), record)
        except KeyError as error:
            raise Corrupt(
                f"memory {record.id!r} cannot be decrypted: its data key is not among the keys of tenant"
                f" {tenant!r}, which were destroyed or are those of another backup",
                part="encrypted",
            ) from error
