"""The memory providers of SPEC-020 over memwell: `MEMORY_PROVIDER` chooses where memories are kept.

`server.memory_providers` is this package; the FastAPI router stands in `memwell.compat.memory_providers.api`. It needs
`pip install 'memwell[memory-providers]'`.
"""

from __future__ import annotations

from memwell.compat.memory_providers.base import (
    MemoryNotFoundError,
    MemoryProvider,
    MemoryProviderConnectionError,
    MemoryProviderError,
    MemoryRecord,
)
from memwell.compat.memory_providers.chain import ProviderChain
from memwell.compat.memory_providers.config import MemoryConfig
from memwell.compat.memory_providers.factory import (
    MemoryProviderFactory,
    MemoryProviderType,
    get_provider,
    reset_providers,
)
from memwell.compat.memory_providers.http import Mem0HttpMemoryProvider
from memwell.compat.memory_providers.memwell_provider import (
    MemwellProvider,
    MockMemoryProvider,
    PostgresMemoryProvider,
)
from memwell.compat.memory_providers.wrappers import CachedProvider, VersionedProvider

__all__ = [
    "CachedProvider",
    "Mem0HttpMemoryProvider",
    "MemoryConfig",
    "MemoryNotFoundError",
    "MemoryProvider",
    "MemoryProviderConnectionError",
    "MemoryProviderError",
    "MemoryProviderFactory",
    "MemoryProviderType",
    "MemoryRecord",
    "MemwellProvider",
    "MockMemoryProvider",
    "PostgresMemoryProvider",
    "ProviderChain",
    "VersionedProvider",
    "get_provider",
    "reset_providers",
]
