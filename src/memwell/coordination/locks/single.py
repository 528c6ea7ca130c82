"""A lock in one key-value."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from memwell.coordination.locks.base import Lock, SyncLock, log, uptime
from memwell.errors import MemwellError
from memwell.ports import KeyValue

__all__ = ["lock", "lock_sync"]


def lock(
    keyvalue: KeyValue,
    name: str,
    *,
    ttl: float = 30.0,
    wait: float | None = None,
    renew: bool = False,
    clock: Callable[[], float] = uptime,
) -> Lock:
    """A lock to be entered with `async with`; gives itself, with `token`, `lost`, `check()` and `renew()`.

    Entering waits up to `wait` seconds while others hold it (`None`: as long as it takes; 0: not at all) and then
    raises `Unavailable`, whose `retry_after` is the ttl. The lock lasts `ttl` seconds (0.01 or more), or with
    `renew=True` until it is left, being renewed three times a ttl. Leaving it after it was lost raises `Conflict`,
    unless the block raises something itself. If the key-value cannot be reached then, a warning is logged and the lock
    expires by itself.

    All who use a name should give the same `ttl`. Names are up to 1,018 bytes. `clock` gives seconds and never goes
    back. A part that blocks the event loop is better wrapped in `Threaded` first.
    """
    options = {"ttl": ttl, "wait": wait, "renew": renew, "clock": clock}
    return _Single(keyvalue, name, blocking=False, **options)


def lock_sync(
    keyvalue: KeyValue,
    name: str,
    *,
    ttl: float = 30.0,
    wait: float | None = None,
    renew: bool = False,
    clock: Callable[[], float] = uptime,
) -> SyncLock:
    """As `lock`, to be entered with `with`."""
    options = {"ttl": ttl, "wait": wait, "renew": renew, "clock": clock}
    made = _Single(keyvalue, name, blocking=keyvalue.blocking, **options)
    return SyncLock(made, blocking=keyvalue.blocking)


class _Single(Lock):
    def __init__(self, keyvalue: KeyValue, name: str, **options: Any) -> None:
        super().__init__(name, **options)
        self._keyvalue = keyvalue
        self._key, self._counter = f"lock:{name}", f"fence:{name}"

    async def _take(self) -> float | None:
        """The token is drawn between two moments at which the lock was ours, and nobody else's between them: so tokens
        grow from holder to holder, however long somebody was paused on the way."""
        try:
            if not await self._keyvalue.add(self._key, self._value, ttl=self.ttl):
                return None
            self.token = await self._keyvalue.increment(self._counter)
            return await self._extend()
        except BaseException:
            # Whatever has happened, a key that may have been added is not left behind; the value is ours alone.
            with suppress(MemwellError):
                await self._keyvalue.delete(self._key, expected=self._value)
            raise

    async def _extend(self) -> float | None:
        asked = self._clock()
        ours = await self._keyvalue.replace(self._key, self._value, expected=self._value, ttl=self.ttl)
        return self._valid(asked) if ours else None

    async def _drop(self) -> bool | None:
        try:
            return await self._keyvalue.delete(self._key, expected=self._value)
        except MemwellError as error:
            log.warning(
                "the lock %r could not be released and expires within %g seconds: %s",
                self.name,
                self.ttl,
                error,
            )
            return None
