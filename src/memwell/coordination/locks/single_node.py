"""A lock on one key-value."""

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
    """A lock for `async with`. It returns itself, with `token`, `lost`, `check()` and `renew()`.

    Entering waits up to `wait` seconds while another caller holds it (`None`: without limit; 0: not at all), then
    raises `Unavailable`, whose `retry_after` is the ttl. The lock lasts `ttl` seconds (at least 0.01); with
    `renew=True` it is renewed three times per ttl until the block ends. Leaving a lost lock raises `Conflict`, unless
    the block itself raises. If the key-value cannot be reached on leaving, a warning is logged and the lock expires by
    itself.

    All callers of a name should use the same `ttl`. A name has at most 1,018 bytes. `clock` returns seconds and must be
    monotonic. Wrap a part that blocks the event loop in `Threaded` first.
    """
    options = {"ttl": ttl, "wait": wait, "renew": renew, "clock": clock}
    return _SingleNode(keyvalue, name, blocking=False, **options)


def lock_sync(
    keyvalue: KeyValue,
    name: str,
    *,
    ttl: float = 30.0,
    wait: float | None = None,
    renew: bool = False,
    clock: Callable[[], float] = uptime,
) -> SyncLock:
    """Like `lock`, for `with`."""
    options = {"ttl": ttl, "wait": wait, "renew": renew, "clock": clock}
    inner = _SingleNode(keyvalue, name, blocking=keyvalue.blocking, **options)
    return SyncLock(inner, blocking=keyvalue.blocking)


class _SingleNode(Lock):
    def __init__(self, keyvalue: KeyValue, name: str, **options: Any) -> None:
        super().__init__(name, **options)
        self._keyvalue = keyvalue
        self._key, self._counter = f"lock:{name}", f"fence:{name}"

    async def _take(self) -> float | None:
        """The lock is confirmed to be ours before and after the token is drawn, so tokens grow from holder to holder
        even if a holder was paused in between."""
        try:
            if not await self._keyvalue.add(self._key, self._value, ttl=self.ttl):
                return None
            self.token = await self._keyvalue.increment(self._counter)
            return await self._extend()
        except BaseException:
            # The key may have been added although the call failed; the value is unique, so deleting it is safe.
            with suppress(MemwellError):
                await self._keyvalue.delete(self._key, expected=self._value)
            raise

    async def _extend(self) -> float | None:
        requested = self._clock()
        ours = await self._keyvalue.replace(self._key, self._value, expected=self._value, ttl=self.ttl)
        return self._valid_until(requested) if ours else None

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
