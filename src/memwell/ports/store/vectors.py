"""Vectors: what is stored of which embedding model, and whose vectors searches use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from memwell.ports.base import Port, unsupported
from memwell.ports.declaration import Effect, operation
from memwell.types import Record, Scope

if TYPE_CHECKING:
    from memwell.ports.store.operations import Embedding

__all__ = ["Embeddings"]

_REMEDY: Final = "search by words, or use a store with the capability `vectors`"


class Embeddings(Port):
    """The role of a store that keeps vectors, of one or several models. Without it, `vectors` is false."""

    @operation(Effect.READS)
    async def embeddings(self, scope: Scope, ids: Sequence[str], model: str) -> dict[str, Embedding]:
        """The stored vectors of these records under the model; those without are left out."""
        return await self._embeddings(scope, ids, model)

    @operation(Effect.READS)
    async def unembedded(self, model: str, *, limit: int) -> list[Record]:
        """Records of any tenant that lack vectors of this model, oldest first."""
        return await self._unembedded(model, limit)

    @operation(Effect.READS)
    async def embedded(
        self, model: str, *, after: tuple[str, str] | None = None, limit: int
    ) -> list[tuple[Record, Embedding]]:
        """Records of any tenant with their vectors of this model, ordered by (tenant, id), after such a pair."""
        return await self._embedded(model, after, limit)

    @operation(Effect.READS)
    async def embedding_models(self) -> list[str]:
        """The models that vectors are stored of, of whatever tenant, in the order of their names."""
        return sorted(await self._embedding_models())

    @operation(Effect.READS)
    async def serving(self) -> str | None:
        """The model whose vectors searches use: that of the first vectors stored, until `serve`; when none of them are
        left, that of the next vectors stored. `None` where there are none of it.
        """
        return await self._serving()

    @operation(Effect.UPKEEP, feeds=True)
    async def serve(self, model: str, *, lacking: int = 0) -> int:
        """Let searches use another model from now on, in one transaction, if at most `lacking` records (expired ones
        among them) have no vectors of it; how many have none (more than `lacking`: nothing has changed).

        Later writes may leave records without; `unembedded` lists them.
        """
        return await self._serve(model, lacking)

    @operation(Effect.UPKEEP)
    async def drop_model(self, model: str) -> int:
        """Remove all vectors of a model; of how many records. Raises `InvalidInput` for the one that serves.

        Followers need not hear of it: they carry the vectors of the model that serves.
        """
        return await self._drop_model(model)

    async def _embeddings(self, scope: Scope, ids: Sequence[str], model: str) -> dict[str, Embedding]:
        raise unsupported(self.part, "vectors", _REMEDY)

    async def _unembedded(self, model: str, limit: int) -> list[Record]:
        raise unsupported(self.part, "vectors", _REMEDY)

    async def _embedded(
        self, model: str, after: tuple[str, str] | None, limit: int
    ) -> list[tuple[Record, Embedding]]:
        raise unsupported(self.part, "vectors", _REMEDY)

    async def _embedding_models(self) -> list[str]:
        raise unsupported(self.part, "vectors", _REMEDY)

    async def _serving(self) -> str | None:
        raise unsupported(self.part, "vectors", _REMEDY)

    async def _serve(self, model: str, lacking: int) -> int:
        raise unsupported(self.part, "vectors", _REMEDY)

    async def _drop_model(self, model: str) -> int:
        raise unsupported(self.part, "vectors", _REMEDY)
