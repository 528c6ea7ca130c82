"""Embeddings of Cohere (API v2), which tells documents and queries apart.

URL: `cohere:embed-v4.0`, options in `memwell.embedders.remote.base`, and `dimensions` for models with several
lengths. The key is in `COHERE_API_KEY` or `CO_API_KEY`. At most 96 texts a request; longer texts are cut at their
end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, Literal

from memwell.embedders.remote.base import RemoteEmbedder
from memwell.errors import EmbeddingError

__all__ = ["Cohere"]

_TYPES: Final = {"document": "search_document", "query": "search_query"}


class Cohere(RemoteEmbedder):
    """See the module."""

    part = "cohere"
    key_names = ("COHERE_API_KEY", "CO_API_KEY")
    address = "https://api.cohere.com/v2"
    most_texts = 96
    default_model = "embed-v4.0"
    sizes: ClassVar[Mapping[str, int]] = {
        "embed-v4.0": 1536,
        "embed-english-v3.0": 1024,
        "embed-multilingual-v3.0": 1024,
        "embed-english-light-v3.0": 384,
        "embed-multilingual-light-v3.0": 384,
    }
    shortens = True
    symmetric = False  # told apart by `input_type`

    def _request(self, texts: list[str], kind: Literal["document", "query"]) -> tuple[str, dict[str, Any]]:
        body: dict[str, Any] = {
            "model": self.name,
            "texts": texts,
            "input_type": _TYPES[kind],
            "embedding_types": ["float"],
            "truncate": "END",
        }
        if self._shortened:
            body["output_dimension"] = self._shortened
        return "/embed", body

    def _rows(self, answer: Any, count: int) -> Sequence[Any]:
        del count
        try:
            rows: Sequence[Any] = answer["embeddings"]["float"]
            return list(rows)
        except (KeyError, TypeError) as error:
            raise EmbeddingError(f"{self.name} gave no embeddings: {error!r}", part=self.part) from error
