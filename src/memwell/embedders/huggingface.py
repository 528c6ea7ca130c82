"""Embeddings of Hugging Face's inference service, or of your own Text Embeddings Inference server.

URL: `huggingface:BAAI/bge-small-en-v1.5`. With `base_url=http://host:8080`, requests go to `/embed` of that server; see
`memwell.embedders.remote.base` for further options. The token is read from `HF_TOKEN`. Use models that return one
vector per text, such as those of sentence-transformers; one vector per token raises `EmbeddingError`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from memwell.embedders.remote.base import RemoteEmbedder
from memwell.errors import EmbeddingError

__all__ = ["HuggingFace"]


class HuggingFace(RemoteEmbedder):
    """See the module docstring."""

    part = "huggingface"
    key_names = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
    address = "https://router.huggingface.co/hf-inference"
    max_texts = 32

    def _request(self, texts: list[str], kind: Literal["document", "query"]) -> tuple[str, dict[str, Any]]:
        del kind
        own_server = self._base != self.address
        path = "/embed" if own_server else f"/models/{self.name}/pipeline/feature-extraction"
        return path, {"inputs": texts, "normalize": True, "truncate": True}

    def _rows(self, answer: Any, count: int) -> Sequence[Any]:
        del count
        if not isinstance(answer, list):
            raise EmbeddingError(f"{self.name} did not return a list of embeddings", part=self.part)
        return answer
