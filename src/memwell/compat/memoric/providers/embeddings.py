"""Models that turn texts into vectors: OpenAI, Cohere, Hugging Face, and the local ones, over memwell's embedders."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any, ClassVar

from memwell.compat.memoric.providers._runner import run
from memwell.compat.memoric.providers.interfaces import EmbeddingProvider
from memwell.ports import Embedder
from memwell.registry import missing, open_embedder

__all__ = ["CohereEmbedding", "HuggingFaceEmbedding", "LocalEmbedding", "MemwellEmbedding", "OpenAIEmbedding"]


class MemwellEmbedding(EmbeddingProvider):
    """Any embedder of memwell, by its name (`openai:text-embedding-3-small`, `local`, `hashing`) or as an object."""

    def __init__(self, embedder: str | Embedder) -> None:
        self._embedder = open_embedder(embedder) if isinstance(embedder, str) else embedder

    def embed(self, text: str) -> list[float]:
        """See `EmbeddingProvider.embed`. Raises `EmbeddingError`, `Unavailable` or `ConfigError`."""
        return self.embed_batch([text])[0]

    def embed_batch(self, texts: Sequence[str]) -> list[list[float]]:
        """See `EmbeddingProvider.embed_batch`."""
        found: Any = run(self._embedder, self._embedder.embed(list(texts)))
        return [[float(number) for number in vector] for vector in found]

    @property
    def dimension(self) -> int:
        """See `EmbeddingProvider.dimension`."""
        run(self._embedder, self._embedder.prepare())
        found = self._embedder.dimension
        assert found is not None, "`prepare` learns it"
        return found

    def close(self) -> None:
        """Close the connections."""
        run(self._embedder, self._embedder.close())


class _Service(MemwellEmbedding):
    """A service with an API key in its variable."""

    module: ClassVar[str]
    kind: ClassVar[str]
    default: ClassVar[str]

    def __init__(
        self, model: str | None = None, api_key: str | None = None, *, base_url: str | None = None
    ) -> None:
        try:
            made = getattr(importlib.import_module(f"memwell.embedders.{self.module}"), self.kind)
        except ImportError as error:
            raise missing(error, "http") from error
        super().__init__(made(model or self.default, key=api_key, base_url=base_url))


class OpenAIEmbedding(_Service):
    """OpenAI, and services with the same API; the key is in `OPENAI_API_KEY`."""

    module, kind = "openai", "OpenAI"
    default = "text-embedding-3-small"


class CohereEmbedding(_Service):
    """Cohere; the key is in `COHERE_API_KEY`."""

    module, kind = "cohere", "Cohere"
    default = "embed-v4.0"


class HuggingFaceEmbedding(_Service):
    """Hugging Face's inference API or a server of yours; the key is in `HF_TOKEN`."""

    module, kind = "huggingface", "HuggingFace"
    default = "sentence-transformers/all-MiniLM-L6-v2"


class LocalEmbedding(MemwellEmbedding):
    """A model on this machine: memwell's local one, which is all-MiniLM-L6-v2, or another that it knows."""

    def __init__(self, model: str = "all-MiniLM-L6-v2") -> None:
        super().__init__("local" if model == "all-MiniLM-L6-v2" else f"local:{model}")
