"""The interface of an embedding service, and the one over memwell's embedders."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from memwell.compat.memorycore.errors import EmbeddingDimensionError, translated
from memwell.ports.embedder import Embedder

__all__ = ["EmbedderService", "EmbeddingService"]


class EmbeddingService(ABC):
    """Makes vectors of texts. Implement it to plug in a model of your own."""

    @abstractmethod
    async def embed(self, text: str) -> list[float]:
        """The vector of a text."""

    async def embed_batch(self, texts: Sequence[str]) -> list[list[float]]:
        """The vectors of several texts, in their order."""
        return [await self.embed(text) for text in texts]

    @abstractmethod
    def get_dimension(self) -> int:
        """The length of the vectors."""

    async def health_check(self) -> bool:
        """Whether it works."""
        return len(await self.embed("health")) == self.get_dimension()


class EmbedderService(EmbeddingService):
    """One of memwell's embedders as a service."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    async def embed(self, text: str) -> list[float]:
        """The vector of a text. Raises `EmbeddingModelError`."""
        return (await self.embed_batch([text]))[0]

    async def embed_batch(self, texts: Sequence[str]) -> list[list[float]]:
        """The vectors of several texts, in one call of the model."""
        async with translated("embed"):
            vectors = await self._embedder.embed(list(texts), kind="document")
        return [[float(number) for number in vector] for vector in vectors]

    def get_dimension(self) -> int:
        """The length of the vectors. Raises `EmbeddingDimensionError` if only the first vector will show it."""
        if not self._embedder.dimension:
            raise EmbeddingDimensionError("the model tells the length of its vectors with its first vector")
        return self._embedder.dimension
