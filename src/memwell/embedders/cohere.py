"""Embeddings of Cohere (API v2), which distinguishes documents and queries.

URL: `cohere:embed-v4.0`. `dimensions` requests shorter vectors, for models that support it; see
`memwell.embedders.remote.base` for further options. The key is read from `COHERE_API_KEY` or `CO_API_KEY`. The service
accepts 96 texts per request and truncates long texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, Literal

from memwell.embedders.remote.base import RemoteEmbedder
from memwell.errors import EmbeddingError

__all__ = ["Cohere"]

_TYPES: Final = {"document": "search_document", "query": "search_query"}


class Cohere(RemoteEmbedder):
    """See the module docstring."""

    part = "cohere"
    key_names = ("COHERE_API_KEY", "CO_API_KEY")
    address = "https://api.cohere.com/v2"
    max_texts = 96
    default_model = "embed-v4.0"
    sizes: ClassVar[Mapping[str, int]] = {
        "embed-v4.0": 1536,
        "embed-english-v3.0": 1024,
        "embed-multilingual-v3.0": 1024,
        "embed-english-light-v3.0": 384,
        "embed-multilingual-light-v3.0": 384,
    }
    shortens = True
    symmetric = False  # because of `input_type`

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
            raise EmbeddingError(f"{self.name} returned no embeddings: {error!r}", part=self.part) from error
