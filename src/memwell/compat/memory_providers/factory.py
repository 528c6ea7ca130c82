"""Which provider: by enum, by name, or by `MEMORY_PROVIDER`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from enum import Enum
from typing import Any, ClassVar

from memwell.compat.memory_providers.base import MemoryProvider, closed
from memwell.compat.memory_providers.config import MemoryConfig
from memwell.compat.memory_providers.http import Mem0HttpMemoryProvider
from memwell.compat.memory_providers.memwell_provider import (
    MemwellProvider,
    MockMemoryProvider,
    PostgresMemoryProvider,
)
from memwell.errors import ConfigError

__all__ = ["MemoryProviderFactory", "MemoryProviderType", "get_provider", "reset_providers"]


class MemoryProviderType(Enum):
    """The providers by name."""

    NATIVE = "native"
    HTTP = "http"
    MOCK = "mock"
    REDIS = "redis"
    PINECONE = "pinecone"
    ELASTICSEARCH = "elasticsearch"


class MemoryProviderFactory:
    """Makes providers. `register` adds one of your own."""

    _made_by: ClassVar[dict[str, Callable[[], MemoryProvider]]] = {}

    @classmethod
    def create_provider(cls, provider_type: str | MemoryProviderType | None = None) -> MemoryProvider:
        """A new provider; without a type the one that `MEMORY_PROVIDER` names.

        Raises `ValueError` for an unknown name, and `ConfigError` if the environment lacks what it needs.
        """
        wanted = MemoryConfig.PROVIDER_TYPE if provider_type is None else provider_type
        name = wanted.value if isinstance(wanted, MemoryProviderType) else str(wanted).lower()
        makers: dict[str, Callable[[], MemoryProvider]] = {
            "native": cls._create_postgres_provider,
            "http": cls._create_http_provider,
            "mock": cls._create_mock_provider,
            "redis": cls._create_redis_provider,
            "pinecone": lambda: cls._create_indexed_provider("PINECONE_URL"),
            "elasticsearch": lambda: cls._create_indexed_provider("ELASTICSEARCH_URL"),
            **cls._made_by,
        }
        if name not in makers:
            raise ValueError(f"Unknown provider type: {name!r}. Available: {', '.join(sorted(makers))}")
        return makers[name]()

    @classmethod
    def register(cls, name: str, make: Callable[[], MemoryProvider]) -> None:
        """Offer a provider of your own under a name."""
        cls._made_by[name.lower()] = make

    @staticmethod
    def _create_postgres_provider() -> MemoryProvider:
        url = MemoryConfig.DATABASE_URL
        if url is None:
            raise ConfigError("the native provider needs DATABASE_URL, as in postgresql://user@host/name")
        model = f"openai:{MemoryConfig.EMBEDDING_MODEL}" if MemoryConfig.OPENAI_API_KEY else "auto"
        return PostgresMemoryProvider(url, embedder=model)

    @staticmethod
    def _create_http_provider() -> MemoryProvider:
        config = MemoryConfig
        return Mem0HttpMemoryProvider(
            config.MEM0_BASE_URL,
            config.MEM0_API_KEY,
            config.MEM0_HMAC_SECRET,
            dialect=config.MEM0_DIALECT,
        )

    @staticmethod
    def _create_mock_provider() -> MemoryProvider:
        return MockMemoryProvider()

    @staticmethod
    def _create_redis_provider() -> MemoryProvider:
        return MemwellProvider(MemoryConfig.REDIS_URL)

    @staticmethod
    def _create_indexed_provider(variable: str) -> MemoryProvider:
        """Records in `DATABASE_URL`, or else in a file, and their vectors in a service."""
        index: Any = getattr(MemoryConfig, variable)
        if index is None:
            raise ConfigError(f"set {variable} to the URL of the index, as in …://host?dimension=384")
        return MemwellProvider(MemoryConfig.DATABASE_URL or "sqlite:///memory.db", index=index)


_kept: dict[str, MemoryProvider] = {}
_lock = threading.Lock()


def get_provider(provider_type: str | MemoryProviderType | None = None) -> MemoryProvider:
    """The provider of this type that the process shares, made when it is first asked for."""
    wanted = MemoryConfig.PROVIDER_TYPE if provider_type is None else provider_type
    name = wanted.value if isinstance(wanted, MemoryProviderType) else str(wanted).lower()
    with _lock:
        if name not in _kept:
            _kept[name] = MemoryProviderFactory.create_provider(name)
        return _kept[name]


async def reset_providers() -> None:
    """Close the providers that the process shares."""
    with _lock:
        kept = list(_kept.values())
        _kept.clear()
    for provider in kept:
        await closed(provider)
