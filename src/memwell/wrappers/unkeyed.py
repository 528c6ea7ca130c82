"""Refuses an encrypted store that is opened without a keyring.

The first call finds out, so that no ciphertext is read as text and no plain text is written beside it. It is asked
again every few seconds.
"""

from __future__ import annotations

import time
from typing import Any, Final

from memwell.errors import ConfigError, Corrupt, InvalidInput, NotFound, NotSupported
from memwell.ports import Declaration, Effect, Store
from memwell.ports.store.visibility import EVER
from memwell.sealed import KEYS_TENANT
from memwell.types import Scope
from memwell.wrappers.base import StoreWrapper

__all__ = ["Unkeyed"]

_ASKED_AGAIN: Final = 5.0
"""Seconds after which a store is asked again whether it is encrypted."""


class Unkeyed(StoreWrapper):
    """`Unkeyed(store)` forwards every call, unless the store holds wrapped keys: then `ConfigError`. Closing it closes
    nothing.
    """

    part = "unkeyed"
    inner: Store

    def __init__(self, inner: Store) -> None:
        self.inner = inner
        self._until = 0.0

    @property
    def passed(self) -> bool:
        """Whether the store was a plain one a moment ago: another process may encrypt it."""
        return time.monotonic() < self._until

    async def _call(self, operation: Declaration, arguments: tuple[Any, ...]) -> Any:
        if not self.passed and operation.effect is not Effect.UPKEEP and operation.name != "ping":
            try:
                await self._check_plain()
            except Corrupt:  # what is read tells by itself
                if operation.writes:
                    raise
        return await super()._call(operation, arguments)

    async def _check_plain(self) -> None:
        try:
            keys = await self.inner.scan(Scope(tenant_id=KEYS_TENANT), now=EVER, limit=1)
        except (InvalidInput, NotFound, NotSupported):  # confined to one tenant, or without a listing of one
            keys = []
        if keys:
            from memwell.security.keyring import VARIABLE

            raise ConfigError(
                f"this memory is encrypted: open it with encryption=Keyring(…), or set {VARIABLE} for the command line",
                part=self.inner.part,
            )
        self._until = time.monotonic() + _ASKED_AGAIN

    async def _close(self) -> None:
        """The store inside stays open."""
