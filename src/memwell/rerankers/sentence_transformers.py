"""Cross-encoders of the package sentence-transformers, run in this process by torch.

URL: `sentence-transformers:cross-encoder/ms-marco-MiniLM-L-6-v2`. Options: `device=cpu`, and those of every reranker:
`candidates`, `timeout`, `weight`. The package downloads the model from the Hugging Face hub on first use and caches it.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Self

from memwell._forks import fork_safe
from memwell.errors import ConfigError
from memwell.ports import Reranker
from memwell.rerankers.options import OPTIONS, configure, from_options

if TYPE_CHECKING:
    from memwell.urls import Url

__all__ = ["SentenceTransformers"]

_DEFAULT: Final = "cross-encoder/ms-marco-MiniLM-L-6-v2"


class SentenceTransformers(Reranker):
    """See the module docstring. The constructor loads the model; raises `ConfigError` if that fails. Scores are the
    probabilities of its logits.
    """

    part = "sentence-transformers"
    proof = "none"
    blocking = True

    def __init__(
        self,
        model: str = _DEFAULT,
        *,
        device: str | None = None,
        candidates: int = 30,
        timeout: float = 5.0,
        weight: float = 0.7,
    ) -> None:
        from sentence_transformers import CrossEncoder

        configure(self, candidates, timeout, weight)
        try:
            self._encoder: Any = CrossEncoder(model, device=device)
        except (OSError, ValueError) as error:
            raise ConfigError(f"cannot load the model {model!r}: {error}", part=self.part) from error
        self.model = model
        self._reset_lock()
        fork_safe(self._reset_lock)

    def _reset_lock(self) -> None:
        self._lock = threading.Lock()

    @classmethod
    def from_url(cls, url: Url) -> Self:
        """From `sentence-transformers:MODEL?device=cpu`."""
        device, found = url.take("device"), from_options(url)
        url.done("device", *OPTIONS)
        return cls(url.rest or _DEFAULT, device=device, **found)

    async def _score(self, query: str, texts: Sequence[str]) -> Any:
        from torch.nn import Sigmoid

        with self._lock:  # the tokenizer is not thread-safe
            return self._encoder.predict(
                [(query, text) for text in texts], activation_fn=Sigmoid(), show_progress_bar=False
            )
