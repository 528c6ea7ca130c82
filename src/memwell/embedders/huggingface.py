"""Embeddings of Hugging Face: its inference service, or a Text Embeddings Inference server of one's own.

URL: `huggingface:BAAI/bge-small-en-v1.5`; with `base_url=http://host:8080` the requests go to that server's `/embed`.
More options in `memwell.embedders.remote.base`. The token is in `HF_TOKEN`. Only models that give one vector a text
(those of sentence-transformers): a row for each token is refused, as nobody says how to pool them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from memwell.embedders.remote.base import RemoteEmbedder
from memwell.errors import EmbeddingError

__all__ = ["HuggingFace"]


class HuggingFace(RemoteEmbedder):
    """See the module."""

    part = "huggingface"
    key_names = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
    address = "https://router.huggingface.co/hf-inference"
    most_texts = 32

    def _request(self, texts: list[str], kind: Literal["document", "query"]) -> tuple[str, dict[str, Any]]:
        del kind
        own_server = self._base != self.address
        path = "/embed" if own_server else f"/models/{self.name}/pipeline/feature-extraction"
        return path, {"inputs": texts, "normalize": True, "truncate": True}

    def _rows(self, answer: Any, count: int) -> Sequence[Any]:
        del count
        if not isinstance(answer, list):
            raise EmbeddingError(f"{self.name} gave no list of embeddings", part=self.part)
        return answer
