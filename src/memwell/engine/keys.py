"""The keys of an encrypted store: their state and their destruction."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any, Final, Protocol, cast

from memwell.engine.context import Engine
from memwell.engine.requests import ShredRequest
from memwell.errors import Conflict, InvalidInput, NotFound, NotSupported, shown
from memwell.ports import Delete, Store
from memwell.ports.store.visibility import EVER
from memwell.records.ids import new_id
from memwell.security import tenant_keys
from memwell.security.acting import current
from memwell.security.journal import Pending
from memwell.security.keyring import Keyring
from memwell.security.receipts import Receipt, signed
from memwell.types import KeyStatus, Scope, Trace

__all__ = ["Encrypting", "encrypted", "encrypting", "key_status", "shred"]

_BATCH: Final = 500


class Encrypting(Protocol):
    """What encrypts the store: `memwell.wrappers.encrypted.Encrypted`."""

    inner: Store
    keyring: Keyring

    def forget_keys(self) -> None:
        """Drop what was decrypted from the memory of this process."""
        ...


def encrypting(engine: Engine) -> Encrypting | None:
    """What encrypts the store; `None` without encryption."""
    part: Any = engine.store
    while part is not None:
        if isinstance(getattr(part, "keyring", None), Keyring):
            return cast("Encrypting", part)
        part = getattr(part, "inner", None)
    return None


def encrypted(engine: Engine) -> Encrypting:
    """What encrypts the store. Raises `NotSupported` without encryption."""
    found = encrypting(engine)
    if found is not None:
        return found
    raise NotSupported("this memory is not encrypted: it has no keys; open it with encryption=Keyring(…)")


async def key_status(engine: Engine) -> KeyStatus:
    """See `AsyncMemory.key_status`."""
    found = encrypted(engine)
    masters: Counter[str] = Counter()
    tenants = destroyed = leftover = 0
    async for keys in tenant_keys.every(found.inner):
        tenants += keys.destroyed_at is None
        destroyed += keys.destroyed_at is not None
        leftover += len(keys.older)
        masters.update(keys.masters)
    first = found.keyring.first.id
    return KeyStatus(
        first=first, tenants=tenants, masters=dict(masters), destroyed=destroyed, leftover=leftover
    )


async def shred(engine: Engine, request: ShredRequest) -> Receipt:
    """See `AsyncMemory.shred`."""
    for name in ("tenant", "reason"):
        if not isinstance(value := getattr(request, name), str) or not value.strip():
            raise InvalidInput(f"shred needs a {name}, not {shown(value)}")
    if request.actor is not None and not isinstance(request.actor, str):
        raise InvalidInput(f"actor is a text, not {shown(request.actor)}")
    found, begun = encrypted(engine), engine.clock()
    await _destroy(found, request.tenant, begun)
    gone = await _remove(found.inner, Scope(tenant_id=request.tenant), begun)
    traces = await _read_back(found.inner, request.tenant, gone)
    pending = any(trace.state == "pending" for trace in traces)
    receipt = Receipt(
        id=new_id(),
        action="shred",
        scope=Scope(tenant_id=request.tenant),
        reason=request.reason,
        actor=request.actor or current().actor,
        begun_at=begun,
        finished_at=None if pending else engine.clock(),
        traces=traces,
    )
    done = signed(receipt, engine.proof.key)
    if done.complete:
        await (await engine.proof.journal()).put(Pending(receipt=done))
    engine.emit("shredded", done.scope, (), receipt=done.id, complete=done.complete)
    return done


async def _destroy(found: Encrypting, tenant: str, now: datetime) -> None:
    """Replace a tenant's keys by a note of when they were destroyed. From here on nothing of it can be read."""
    while True:
        keys = await tenant_keys.find(found.inner, tenant)
        if keys is None:
            raise NotFound(f"tenant {tenant!r} has no keys: nothing of it was ever encrypted here")
        found.forget_keys()
        if keys.destroyed_at is not None:
            return
        try:
            await tenant_keys.store_next(found.inner, tenant_keys.destroyed(keys, now), now)
        except Conflict:
            continue
        found.forget_keys()
        return


async def _remove(store: Store, scope: Scope, now: datetime) -> int:
    """Remove what is left of a tenant: unreadable ciphertexts, ids, tags, vectors. Returns how many."""
    total = 0
    while records := await store.scan(scope, now=EVER, order="id", limit=_BATCH):
        ids = tuple(record.id for record in records)
        await store.write([Delete(scope=scope, ids=ids)], now=now)
        total += len(ids)
    return total


async def _read_back(store: Store, tenant: str, removed: int) -> tuple[Trace, ...]:
    keys = await tenant_keys.find(store, tenant)
    left = await store.count(Scope(tenant_id=tenant), now=EVER)
    gone = keys is not None and keys.destroyed_at is not None and not keys.keys
    records = f"{removed} removed" if not left else f"{left} were stored again meanwhile"
    return (
        Trace(place="keys", state="gone" if gone else "returned", detail="the data keys of the tenant"),
        Trace(place="records", state="returned" if left else "gone", detail=records),
        Trace(
            place="backups",
            state="remains",
            detail="what was copied from the store cannot be decrypted unless the keys were copied with it and a"
            " master key is known",
        ),
    )
