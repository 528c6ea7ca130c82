"""The provider over mem0's HTTP API."""

from __future__ import annotations

from memwell.backends.mem0.store import Mem0Store
from memwell.compat.memory_providers.memwell_provider import MemwellProvider

__all__ = ["Mem0HttpMemoryProvider"]


class Mem0HttpMemoryProvider(MemwellProvider):
    """mem0, or a gateway before it. `dialect` says which; see `memwell.backends.mem0`.

    With `hmac_secret`, the dialect `seed` signs the user of each request. Raises memwell's errors, such as
    `Unavailable` for a service that cannot be reached and `NotSupported` for what the dialect lacks.
    """

    name = "Mem0HttpMemoryProvider"

    def __init__(
        self,
        base_url: str,
        api_key: str | None = None,
        hmac_secret: str | None = None,
        *,
        dialect: str = "seed",
        timeout: float = 30.0,
    ) -> None:
        self.base_url = str(base_url or "").rstrip("/")
        store = Mem0Store(
            self.base_url, dialect=dialect, key=api_key or "", hmac_secret=hmac_secret, timeout=timeout
        )
        super().__init__(store, embedder=None)

    async def health_check(self) -> dict[str, object]:
        """As of every provider, with the `endpoint`."""
        return {**await super().health_check(), "endpoint": self.base_url}
