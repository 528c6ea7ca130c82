"""The `Embedder` port: texts to unit vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from memwell.errors import EmbeddingError, InvalidInput
from memwell.ports.arrays import Vectors
from memwell.ports.base import Port
from memwell.ports.declaration import Effect, operation, required

__all__ = ["Embedder"]

_UNIT = 2e-6
"""How far the squared length of a unit vector may be from 1."""


class Embedder(Port):
    """Texts to unit vectors."""

    model: str
    """Name under which vectors are stored; two embedders with one name must give the same vectors."""
    dimension: int | None = None
    """Length of every vector; `None` while it is not known, which `prepare` ends."""
    window: int | None = None
    """Tokens the model reads; longer texts are chunked before. `None`: no limit."""
    symmetric: bool = False
    """Whether documents and queries are known to be embedded in the same way."""

    @operation(Effect.READS)
    async def prepare(self) -> None:
        """Learn what can only be learned by asking the model, such as the dimension. The engine awaits it before the
        first use; once prepared, it does nothing.

        Raises what `embed` raises.
        """
        await self._prepare()

    @operation(Effect.READS)
    async def embed(
        self, texts: Sequence[str], *, kind: Literal["document", "query"] = "document"
    ) -> Vectors:
        """One unit vector per text: `(len(texts), dimension) float32`, in order.

        Raises `EmbeddingError` for a wrong shape, NaN, infinity or a model failure, `Unavailable` when trying
        again may help.
        """
        if isinstance(texts, (str, bytes)):
            raise InvalidInput("embed takes a list of texts; for one text, a list of one", part=self.part)
        if not texts:
            import numpy as np

            await self._prepare()
            return np.empty((0, self.dimension or 0), dtype=np.float32)
        return self._unit(await self._embed(texts, kind), len(texts))

    @operation(Effect.WRITES)
    async def discard(self, texts: Sequence[str], *, keys: Sequence[str] = ()) -> list[str]:
        """Remove what was cached of these texts, or under these keys. Returns the keys that could not be removed: pass
        them as `keys` to try again. An embedder without a cache has nothing to remove.
        """
        return await self._discard(texts, keys)

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Character range of each token, in order; the default takes about four characters a token."""
        return [(at, min(at + 4, len(text))) for at in range(0, len(text), 4)]

    def _unit(self, raw: Any, rows: int) -> Vectors:
        import numpy as np

        vectors = np.asarray(raw, dtype=np.float32)
        if vectors.shape != (rows, self.dimension):
            raise EmbeddingError(
                f"{self.model} gave vectors of shape {vectors.shape}, expected {(rows, self.dimension)}",
                part=self.part,
            )
        if rows == 1 and abs(float((row := vectors[0]).dot(row)) - 1) < _UNIT:
            return vectors
        squares = np.einsum("ij,ij->i", vectors, vectors)
        if abs(squares - 1).max() < _UNIT:
            return vectors
        norms = np.sqrt(squares)
        if not np.isfinite(norms).all():
            raise EmbeddingError(f"{self.model} gave NaN or infinity", part=self.part)
        norms[norms == 0] = 1
        unit: Vectors = vectors / norms[:, None]
        return unit

    async def _prepare(self) -> None:
        return None

    async def _discard(self, texts: Sequence[str], keys: Sequence[str]) -> list[str]:  # noqa: ARG002
        return []

    @required
    async def _embed(self, texts: Sequence[str], kind: Literal["document", "query"]) -> Any:
        raise NotImplementedError
