"""Embeddings of a model that Ollama serves.

URL: `ollama:nomic-embed-text`, with `base_url=http://host:11434` (or the variable `OLLAMA_HOST`); more options in
`memwell.embedders.remote`. No key is needed; `OLLAMA_API_KEY` is sent where it is set. Texts longer than the model's
context are cut by the server.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Literal

from memwell.embedders.remote import RemoteEmbedder
from memwell.errors import EmbeddingError

__all__ = ["Ollama"]


class Ollama(RemoteEmbedder):
    """See the module."""

    part = "ollama"
    key_names = ("OLLAMA_API_KEY",)
    key_needed = False
    address = "http://127.0.0.1:11434"
    default_model = "nomic-embed-text"

    def __init__(self, model: str = "", *, base_url: str | None = None, **options: Any) -> None:
        """The model must have been pulled: `ollama pull MODEL`."""
        super().__init__(model, base_url=base_url or _host(), **options)

    def _request(self, texts: list[str], kind: Literal["document", "query"]) -> tuple[str, dict[str, Any]]:
        del kind
        return "/api/embed", {"model": self.name, "input": texts, "truncate": True}

    def _rows(self, answer: Any, count: int) -> Sequence[Any]:
        del count
        try:
            return list(answer["embeddings"])
        except (KeyError, TypeError) as error:
            raise EmbeddingError(f"{self.name} gave no embeddings: {error!r}", part=self.part) from error


def _host() -> str | None:
    """`OLLAMA_HOST` as an address: the variable may lack its scheme and its port."""
    host = os.environ.get("OLLAMA_HOST")
    if not host:
        return None
    scheme, mark, rest = host.partition("://")
    if not mark:
        scheme, rest = "http", host
    name, colon, port = rest.rstrip("/").rpartition(":")
    if not colon or not port.isdigit():
        name, port = rest.rstrip("/"), "11434"
    everywhere = name in ("", "0.0.0.0")  # noqa: S104  where the server listens, not where it is asked
    return f"{scheme}://{'127.0.0.1' if everywhere else name}:{port}"
