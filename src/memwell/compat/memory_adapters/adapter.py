"""All adapters of the layer. Each is imported when it is asked for, so that only the packages of those are needed."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from memwell.compat.memory_adapters.base import (
    BaseMemoryAdapter,
    ContextAdapter,
    EmbeddingAdapter,
    HistoryAdapter,
)
from memwell.compat.memory_adapters.over_runs import EmbeddedMemoryAdapter
from memwell.registry import missing

if TYPE_CHECKING:
    from memwell.compat.memory_adapters.postgres_adapter import PostgresMemoryAdapter
    from memwell.compat.memory_adapters.redis_adapter import RedisMemoryAdapter
    from memwell.compat.memory_adapters.vector_adapter import VectorMemoryAdapter

__all__ = [
    "BaseMemoryAdapter",
    "ContextAdapter",
    "EmbeddedMemoryAdapter",
    "EmbeddingAdapter",
    "HistoryAdapter",
    "PostgresMemoryAdapter",
    "RedisMemoryAdapter",
    "VectorMemoryAdapter",
]

_HOME: Final = {
    "PostgresMemoryAdapter": ("postgres_adapter", "postgres"),
    "RedisMemoryAdapter": ("redis_adapter", "redis"),
    "VectorMemoryAdapter": ("vector_adapter", "vectors"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, extra = _HOME[name]
    try:
        return getattr(importlib.import_module(f"memwell.compat.memory_adapters.{module}"), name)
    except ImportError as error:
        raise missing(error, extra) from error
