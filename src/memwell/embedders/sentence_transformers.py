"""Models of the package sentence-transformers, run in this process by torch.

URL: `sentence-transformers:all-MiniLM-L6-v2`. Options: `device=cpu` and `threads=1`, the number of torch's threads in
this process (under load, more threads make single texts slower). The package downloads the model from the Hugging Face
hub on first use and caches it. Queries and documents get the prompts of the model. The package takes gigabytes; for the
default model use `local` instead.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

from memwell._forks import fork_safe
from memwell.errors import ConfigError, EmbeddingError, MemwellError
from memwell.ports import Embedder

if TYPE_CHECKING:
    from memwell.urls import Url

__all__ = ["SentenceTransformers"]

_DEFAULT = "sentence-transformers/all-MiniLM-L6-v2"


class SentenceTransformers(Embedder):
    """See the module docstring. The constructor loads the model; raises `ConfigError` if that fails."""

    part = "sentence-transformers"
    blocking = True

    def __init__(self, model: str = _DEFAULT, *, device: str | None = None, threads: int = 1) -> None:
        import torch
        from sentence_transformers import SentenceTransformer

        torch.set_num_threads(threads)
        try:
            self._model: Any = SentenceTransformer(model, device=device)
        except (OSError, ValueError) as error:
            raise ConfigError(f"cannot load the model {model!r}: {error}", part=self.part) from error
        self._reset_lock()
        fork_safe(self._reset_lock)
        self.model = model if "/" in model else f"sentence-transformers/{model}"
        # The method was renamed in version 5.
        size = (
            getattr(self._model, "get_embedding_dimension", None)
            or self._model.get_sentence_embedding_dimension
        )
        self.dimension = int(size())
        self.window = self._model.max_seq_length
        prompts = dict(self._model.prompts or {})
        self.symmetric = (prompts.get("query") or "") == (
            prompts.get("document") or prompts.get("passage") or ""
        )

    def _reset_lock(self) -> None:
        self._lock = threading.Lock()

    @classmethod
    def from_url(cls, url: Url) -> Self:
        """From `sentence-transformers:MODEL?device=cpu&threads=1`."""
        device, threads = url.take("device"), url.whole("threads", 1, least=1)
        url.done("device", "threads")
        return cls(url.rest or _DEFAULT, device=device, threads=threads)

    def spans(self, text: str) -> list[tuple[int, int]]:
        """The exact character range of each token if the tokenizer is a fast one, else about four characters each."""
        tokenizer = self._model.tokenizer
        if not getattr(tokenizer, "is_fast", False):
            return super().spans(text)
        with self._lock:
            found = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, truncation=False)
        return [(start, end) for start, end in found["offset_mapping"] if start < end]

    async def _embed(self, texts: Sequence[str], kind: Literal["document", "query"]) -> Any:
        encode = self._model.encode_query if kind == "query" else self._model.encode_document
        with self._lock:  # the tokenizer is not thread-safe
            return encode(
                list(texts), convert_to_numpy=True, normalize_embeddings=True, show_progress_bar=False
            )

    def _translate(self, error: Exception, operation: str) -> MemwellError:
        return EmbeddingError(f"{self.model} failed: {error}", part=self.part, operation=operation)
