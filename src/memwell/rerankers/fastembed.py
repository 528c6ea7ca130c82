"""Cross-encoders of the package fastembed, run in this process by onnxruntime.

URL: `fastembed:Xenova/ms-marco-MiniLM-L-6-v2`. Options: `threads=1`, `path` (a folder with the model's files), and
those of every reranker: `candidates`, `timeout`, `weight`. Without `path` the package downloads the model from the
Hugging Face hub and caches it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Self

from memwell._forks import disable_onnx_telemetry
from memwell.errors import ConfigError
from memwell.ports import Reranker
from memwell.rerankers.options import OPTIONS, configure, from_options, logistic

if TYPE_CHECKING:
    from memwell.urls import Url

__all__ = ["FastEmbed"]

_DEFAULT: Final = "Xenova/ms-marco-MiniLM-L-6-v2"


class FastEmbed(Reranker):
    """See the module docstring. The constructor loads the model; raises `ConfigError` if that fails. Scores are the
    probabilities of its logits.
    """

    part = "fastembed"
    blocking = True

    def __init__(
        self,
        model: str = _DEFAULT,
        *,
        path: str | None = None,
        threads: int = 1,
        candidates: int = 30,
        timeout: float = 5.0,
        weight: float = 0.7,
    ) -> None:
        disable_onnx_telemetry()
        from fastembed.rerank.cross_encoder import TextCrossEncoder

        configure(self, candidates, timeout, weight)
        try:
            self._encoder: Any = TextCrossEncoder(model, threads=threads, specific_model_path=path)
        except Exception as error:
            raise ConfigError(
                f"fastembed cannot load {model!r}: {error}; without a network, name a folder with ?path=",
                part=self.part,
            ) from error
        self.model = model

    @classmethod
    def from_url(cls, url: Url) -> Self:
        """From `fastembed:MODEL?threads=1&path=FOLDER`."""
        path, threads, found = url.take("path"), url.whole("threads", 1, least=1), from_options(url)
        url.done("path", "threads", *OPTIONS)
        return cls(url.rest or _DEFAULT, path=path, threads=threads, **found)

    async def _score(self, query: str, texts: Sequence[str]) -> list[float]:
        return [logistic(float(each)) for each in self._encoder.rerank(query, list(texts))]
