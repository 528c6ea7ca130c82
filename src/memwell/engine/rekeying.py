"""Rotation of master keys and of data keys, and the encryption of a store that was plain. All go on while everybody
works, and are continued by the next call if they are cut short.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from memwell.engine import delivering
from memwell.engine.context import Engine, report
from memwell.engine.keys import Encrypting, encrypted
from memwell.engine.requests import RotateKeysRequest
from memwell.engine.validation import check_flag, check_progress
from memwell.errors import Conflict
from memwell.followers.replica import Pages
from memwell.ports.store.visibility import EVER
from memwell.sealed import KEYS_TENANT
from memwell.security import tenant_keys
from memwell.security.ciphers import TRUSTED
from memwell.security.rewriting import Rewriting
from memwell.security.tenant_keys import TenantKeys
from memwell.types import Encryption, Progress, Rotated, Scope

__all__ = ["encrypt", "rotate_keys"]

_SETTLED: Final = timedelta(seconds=2 * TRUSTED)
"""Age of a tenant's keys at which no process works with those before any more."""
_PAGE: Final = 500


async def rotate_keys(engine: Engine, request: RotateKeysRequest, progress: Progress | None) -> Rotated:
    """See `AsyncMemory.rotate_keys`."""
    check_progress(progress)
    data = check_flag("data", request.data)
    found = encrypted(engine)
    names = [keys.tenant async for keys in tenant_keys.every(found.inner)]
    counts = [await found.inner.count(Scope(tenant_id=name), now=EVER) if data else 1 for name in names]
    done, total = 0, sum(counts)
    rewrapped = rewritten = kept = 0

    def tick(count: int) -> None:
        nonlocal done
        done += count
        report(progress, done, max(total, done))

    report(progress, 0, total)
    async for keys in tenant_keys.every(found.inner):
        rewrapped += await _rotated(found, keys, engine.clock())
        if data:
            written, older = await _renew(engine, found, keys.tenant, tick)
            rewritten, kept = rewritten + written, kept + older
        else:
            tick(1)
    await delivering.rewrap(engine)
    done_all = Rotated(
        first=found.keyring.first.id, tenants=len(names), rewrapped=rewrapped, rewritten=rewritten, kept=kept
    )
    engine.emit("rotated", Scope(), (), tenants=len(names), rewrapped=rewrapped, rewritten=rewritten)
    return done_all


async def _rotated(found: Encrypting, keys: TenantKeys | None, now: datetime) -> bool:
    """Wrap the keys of one tenant by the first master key; whether that was necessary."""
    while keys is not None:
        if keys.masters <= {found.keyring.first.id}:
            await tenant_keys.remove_older(found.inner, keys, now)
            return False
        try:
            await tenant_keys.store_next(found.inner, tenant_keys.rewrapped(keys, found.keyring, now), now)
            return True
        except Conflict:  # another process changes them just now
            keys = await tenant_keys.find(found.inner, keys.tenant)
    return False


async def _renew(
    engine: Engine, found: Encrypting, tenant: str, tick: Callable[[int], None]
) -> tuple[int, bool]:
    """Write all memories of a tenant under a new data key, or go on with that; returns how many were written, and
    whether an older key had to be kept.
    """
    keys = await _changed(
        engine,
        found,
        tenant,
        lambda keys: keys if len(keys.data) > 1 else tenant_keys.renewed(keys, found.keyring, engine.clock()),
    )
    if keys is None or keys.destroyed_at is not None:
        return 0, False
    settled = engine.clock() - keys.created_at >= _SETTLED
    work = Rewriting(found.inner, tenant_keys.cipher_of(keys, found.keyring), engine.clock, tick)
    await work.run()
    if work.unreadable or not settled:
        return work.changed, True
    await _changed(engine, found, tenant, tenant_keys.without_old)
    return work.changed, False


async def encrypt(engine: Engine, progress: Progress | None) -> Encryption:
    """See `AsyncMemory.encrypt`."""
    check_progress(progress)
    found = encrypted(engine)
    tenants, total = await _tenants(found)
    done = memories = unreadable = 0

    def tick(count: int) -> None:
        nonlocal done
        done += count
        report(progress, min(done, total), total)

    report(progress, 0, total)
    for tenant in sorted(tenants):
        await tenant_keys.create(found.inner, tenant, found.keyring, engine.clock())
        keys = await _changed(engine, found, tenant, lambda keys: tenant_keys.marked(keys, found.keyring))
        assert keys is not None
        counted: Callable[[int], None] = tick
        while True:
            work = Rewriting(found.inner, tenant_keys.cipher_of(keys, found.keyring), engine.clock, counted)
            await work.run()
            memories += work.changed
            if not work.changed:
                break
            counted = _silent
        unreadable += work.unreadable
        await _changed(engine, found, tenant, tenant_keys.unmarked)
    await delivering.rewrap(engine, plain=True)
    traces = await found.inner.purge(Scope(), [], texts=None)
    report(progress, total, total)
    engine.emit("encrypted", Scope(), (), memories=memories)
    return Encryption(
        memories=memories,
        tenants=len(tenants),
        unreadable=unreadable,
        traces=tuple(trace for trace in traces if trace.state != "gone" or trace.detail),
    )


async def _tenants(found: Encrypting) -> tuple[set[str], int]:
    """The tenants of a store, and how many memories they have."""
    pages, tenants, total = Pages(found.inner), set[str](), 0
    while keys := await pages.page(_PAGE):
        mine = [tenant for tenant, _ in keys if tenant != KEYS_TENANT]
        tenants.update(mine)
        total += len(mine)
    return tenants, total


def _silent(_: int) -> None:
    """Nothing: a second pass is not counted again."""


async def _changed(
    engine: Engine,
    found: Encrypting,
    tenant: str,
    change: Callable[[TenantKeys], TenantKeys],
) -> TenantKeys | None:
    """Change the keys of a tenant, unless the change makes no difference; returns them."""
    while True:
        keys, now = await tenant_keys.find(found.inner, tenant), engine.clock()
        if keys is None or keys.destroyed_at is not None:
            return keys
        again = change(keys)
        if again is keys:
            return keys
        try:
            stored = await tenant_keys.store_next(found.inner, again, now)
        except Conflict:  # another process changes them just now
            continue
        found.forget_keys()
        return stored
