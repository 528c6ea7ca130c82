"""Models of the package fastembed, run in this process by onnxruntime.

URL: `fastembed:BAAI/bge-small-en-v1.5`. Options: `threads=1`, the cores that one call may use; `path`, a folder with
the model's files; `document_prefix` and `query_prefix`, where the model needs others than are known for its name.
Without `path` the package downloads the model from the Hugging Face hub on first use and caches it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from memwell._forks import disable_onnx_telemetry
from memwell.embedders.prefixes import prefixes_of, variant
from memwell.errors import ConfigError, EmbeddingError, MemwellError
from memwell.ports import Embedder

if TYPE_CHECKING:
    from memwell.urls import Url

__all__ = ["FastEmbed"]

_DEFAULT: Final = "BAAI/bge-small-en-v1.5"
_WINDOW: Final = 512
"""Tokens that are read if the model does not say; true of most."""
_OPTIONS: Final = ("threads", "path", "document_prefix", "query_prefix")


class FastEmbed(Embedder):
    """See the module docstring. The constructor loads the model; raises `ConfigError` if that fails."""

    part = "fastembed"
    blocking = True

    def __init__(
        self,
        model: str = _DEFAULT,
        *,
        path: str | None = None,
        threads: int = 1,
        document_prefix: str | None = None,
        query_prefix: str | None = None,
    ) -> None:
        disable_onnx_telemetry()
        from fastembed import TextEmbedding

        try:
            self._model: Any = TextEmbedding(model, threads=threads, specific_model_path=path)
            self.dimension = int(TextEmbedding.get_embedding_size(model))
        except Exception as error:
            raise ConfigError(
                f"fastembed cannot load {model!r}: {error}; without a network, name a folder with ?path=",
                part=self.part,
            ) from error
        known = prefixes_of(model)
        self._prefixes = {
            "document": known[0] if document_prefix is None else document_prefix,
            "query": known[1] if query_prefix is None else query_prefix,
        }
        words = tuple(self._prefixes.values())
        self.model = model if words == known else variant(model, *words)
        self._tokenizer = _tokenizer(self._model)
        taken = len(self.spans(words[0])) if words[0] else 0
        self.window = max(1, _window(self._tokenizer) - taken)

    @classmethod
    def from_url(cls, url: Url) -> Self:
        """From `fastembed:MODEL?threads=1&path=FOLDER`."""
        threads = url.whole("threads", 1, least=1)
        found = {name: url.take(name) for name in _OPTIONS[1:]}
        url.done(*_OPTIONS)
        return cls(url.rest or _DEFAULT, threads=threads, **found)

    @property
    def symmetric(self) -> bool:  # type: ignore[override]
        """Whether documents and queries are embedded in the same way."""
        return self._prefixes["document"] == self._prefixes["query"]

    def spans(self, text: str) -> list[tuple[int, int]]:
        """The exact character range of each token, if the model shows its tokenizer; else four characters each."""
        if self._tokenizer is None:
            return super().spans(text)
        offsets: list[tuple[int, int]] = self._tokenizer.encode(text, add_special_tokens=False).offsets
        return offsets

    async def _embed(self, texts: Sequence[str], kind: Literal["document", "query"]) -> Any:
        import numpy as np

        given = [self._prefixes[kind] + text for text in texts]
        embed = self._model.query_embed if kind == "query" else self._model.passage_embed
        return np.stack(list(embed(given)))

    def _translate(self, error: Exception, operation: str) -> MemwellError:
        return EmbeddingError(f"{self.model} failed: {error}", part=self.part, operation=operation)


def _tokenizer(model: Any) -> Any:
    """A copy of the model's tokenizer that reads whole texts; `None` if the package does not show it."""
    found = getattr(getattr(model, "model", None), "tokenizer", None)
    if found is None:
        return None
    copy = type(found).from_str(found.to_str())
    copy.no_padding()
    return copy


def _window(tokenizer: Any) -> int:
    """The length at which the package cuts; the tokenizer is then set to read whole texts."""
    if tokenizer is None:
        return _WINDOW
    cut = json.loads(tokenizer.to_str()).get("truncation") or {}
    tokenizer.no_truncation()
    return int(cut.get("max_length") or _WINDOW)
