"""Embeddings of OpenAI, and of every service that speaks its `/embeddings`: vLLM, LM Studio, LiteLLM, Azure, TEI.

URL: `openai:text-embedding-3-small`, with `dimensions=512` for a shorter output and
`base_url=http://localhost:8000/v1` for another service; more options in `memwell.embedders.remote.base`. The key is
in `OPENAI_API_KEY`. Limits of the service: 2,048 texts and 300,000 tokens a request, 8,191 tokens a text.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from memwell.embedders.remote.base import RemoteEmbedder
from memwell.errors import EmbeddingError, Unavailable

__all__ = ["OpenAI"]


class OpenAI(RemoteEmbedder):
    """See the module."""

    part = "openai"
    key_names = ("OPENAI_API_KEY",)
    address = "https://api.openai.com/v1"
    most_texts = 2048
    most_tokens = (
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
        """Base64 is a quarter of the bytes and quick to read; other services may not know it."""
        return "base64" if self._base == self.address else "float"

    def _rows(self, answer: Any, count: int) -> Sequence[Any]:
        """By their `index`: services may answer in any order."""
        try:
            items = list(answer["data"])
            rows = {item["index"]: _decoded(item["embedding"]) for item in items}
        except (KeyError, TypeError, ValueError) as error:
            raise EmbeddingError(f"{self.name} gave no embeddings: {error!r}", part=self.part) from error
        if len(items) != count or set(rows) != set(range(count)):
            raise Unavailable(f"{self.name} gave {len(items)} vectors for {count} texts", part=self.part)
        return [rows[at] for at in range(count)]


def _decoded(embedding: Any) -> Any:
    """The numbers of a list, or of base64 over little-endian float32."""
    if not isinstance(embedding, str):
        return embedding
    import numpy as np

    return np.frombuffer(base64.b64decode(embedding, validate=True), dtype="<f4")
