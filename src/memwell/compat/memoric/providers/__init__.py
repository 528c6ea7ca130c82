"""Providers to choose from, and the interfaces to write one of your own: vector stores, caches, language models,
embeddings, observability, message queues.
"""

from __future__ import annotations

from memwell.compat.memoric.providers.interfaces import (
    CacheProvider,
    EmbeddingProvider,
    LLMProvider,
    MessageQueueProvider,
    ObservabilityProvider,
    VectorStoreProvider,
)

__all__ = [
    "CacheProvider",
    "EmbeddingProvider",
    "LLMProvider",
    "MessageQueueProvider",
    "ObservabilityProvider",
    "VectorStoreProvider",
]
