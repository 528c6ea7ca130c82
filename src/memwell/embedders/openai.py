"""Embeddings of OpenAI, and of services with a compatible `/embeddings` API: vLLM, LM Studio, LiteLLM, Azure, TEI.

URL: `openai:text-embedding-3-small`. `dimensions=512` requests shorter vectors, `base_url=http://localhost:8000/v1`
selects another service; see `memwell.embedders.remote.base` for further options. The key is read from
`OPENAI_API_KEY`. The service accepts 2,048 texts and 300,000 tokens per request, and 8,191 tokens per text.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from memwell.embedders.remote.base import RemoteEmbedder
from memwell.errors import EmbeddingError, Unavailable

__all__ = ["OpenAI"]


class OpenAI(RemoteEmbedder):
    """See the module docstring."""

    part = "openai"
    key_names = ("OPENAI_API_KEY",)
    address = "https://api.openai.com/v1"
    max_texts = 2048
    max_tokens = (
        70_000  # estimated at four bytes each: never more than 300,000, as a token has a byte at least
    )
    default_window = 2047  # so that a passage never has more than 8,191 bytes, hence tokens
    default_model = "text-embedding-3-small"
    sizes: ClassVar[Mapping[str, int]] = {
        "text-embedding-3-small": 1536,
        "text-embedding-3-large": 3072,
        "text-embedding-ada-002": 1536,
    }
    shortens = True

    def _request(self, texts: list[str], kind: Literal["document", "query"]) -> tuple[str, dict[str, Any]]:
        del kind
        body: dict[str, Any] = {"model": self.name, "input": texts, "encoding_format": self._encoding()}
        if self._shortened:
            body["dimensions"] = self._shortened
        return "/embeddings", body

    def _encoding(self) -> str:
        """Base64 needs a quarter of the bytes and is quick to decode, but other services may not support it."""
        return "base64" if self._base == self.address else "float"

    def _rows(self, answer: Any, count: int) -> Sequence[Any]:
        """The vectors ordered by their `index`, because services may return them in any order."""
        try:
            items = list(answer["data"])
            rows = {item["index"]: _decoded(item["embedding"]) for item in items}
        except (KeyError, TypeError, ValueError) as error:
            raise EmbeddingError(f"{self.name} returned no embeddings: {error!r}", part=self.part) from error
        if len(items) != count or set(rows) != set(range(count)):
            raise Unavailable(f"{self.name} returned {len(items)} vectors for {count} texts", part=self.part)
        return [rows[at] for at in range(count)]


def _decoded(embedding: Any) -> Any:
    """The numbers, from a list or from base64 of little-endian float32."""
    if not isinstance(embedding, str):
        return embedding
    import numpy as np

    return np.frombuffer(base64.b64decode(embedding, validate=True), dtype="<f4")
