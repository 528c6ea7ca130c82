"""What the environment says about providers, read when it is asked for."""

from __future__ import annotations

import os
from typing import Any, Final

from memwell.errors import ConfigError

__all__ = ["MemoryConfig"]

_VARIABLES: Final = {
    "PROVIDER_TYPE": ("MEMORY_PROVIDER", "native"),
    "DATABASE_URL": ("DATABASE_URL", None),
    "REDIS_URL": ("REDIS_URL", "redis://localhost:6379"),
    "PINECONE_URL": ("PINECONE_URL", None),
    "ELASTICSEARCH_URL": ("ELASTICSEARCH_URL", None),
    "OPENAI_API_KEY": ("OPENAI_API_KEY", None),
    "MEM0_BASE_URL": ("MEM0_BASE_URL", "http://localhost:8001"),
    "MEM0_API_KEY": ("MEM0_API_KEY", None),
    "MEM0_HMAC_SECRET": ("MEM0_HMAC_SECRET", None),
    "MEM0_DIALECT": ("MEM0_DIALECT", "seed"),
    "EMBEDDING_MODEL": ("EMBEDDING_MODEL", "text-embedding-ada-002"),
}
"""Attribute → variable and default."""


class _FromEnvironment(type):
    def __getattr__(cls, name: str) -> Any:
        if name == "DEFAULT_RECALL_LIMIT":
            return _limit()
        if name not in _VARIABLES:
            raise AttributeError(name)
        variable, default = _VARIABLES[name]
        return os.environ.get(variable) or default


class MemoryConfig(metaclass=_FromEnvironment):
    """`PROVIDER_TYPE`, `DATABASE_URL`, `MEM0_BASE_URL` and so on; `DEFAULT_RECALL_LIMIT` is `MEMORY_RECALL_LIMIT`."""


def _limit() -> int:
    text = os.environ.get("MEMORY_RECALL_LIMIT") or "10"
    if not text.isdigit() or not 1 <= int(text) <= 1000:
        raise ConfigError(f"MEMORY_RECALL_LIMIT={text!r} is not a number from 1 to 1000")
    return int(text)
