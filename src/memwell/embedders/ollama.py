"""Embeddings of a model served by Ollama.

URL: `ollama:nomic-embed-text`. `base_url=http://host:11434`, or the variable `OLLAMA_HOST`, selects the server; see
`memwell.embedders.remote.base` for further options. A key is optional: `OLLAMA_API_KEY` is sent if it is set. The
server truncates texts that are longer than the model's context.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Literal
from urllib.parse import urlsplit

from memwell.embedders.remote.base import RemoteEmbedder
from memwell.errors import ConfigError, EmbeddingError

__all__ = ["Ollama"]


class Ollama(RemoteEmbedder):
    """See the module docstring."""

    part = "ollama"
    key_names = ("OLLAMA_API_KEY",)
    key_needed = False
    address = "http://127.0.0.1:11434"
    default_model = "nomic-embed-text"

    def __init__(self, model: str = "", *, base_url: str | None = None, **options: Any) -> None:
        """The server must have the model: run `ollama pull MODEL`."""
        super().__init__(model, base_url=base_url or _host(), **options)

    def _request(self, texts: list[str], kind: Literal["document", "query"]) -> tuple[str, dict[str, Any]]:
        del kind
        return "/api/embed", {"model": self.name, "input": texts, "truncate": True}

    def _rows(self, answer: Any, count: int) -> Sequence[Any]:
        del count
        try:
            return list(answer["embeddings"])
        except (KeyError, TypeError) as error:
            raise EmbeddingError(f"{self.name} returned no embeddings: {error!r}", part=self.part) from error


def _host() -> str | None:
    """`OLLAMA_HOST` as a URL, interpreted as Ollama does: without a scheme, the default port is 11434; with one, it is
    that of the scheme.
    """
    given = os.environ.get("OLLAMA_HOST", "").strip()
    if not given:
        return None
    url = urlsplit(given if "://" in given else f"http://{given}")
    try:
        port = url.port or (None if "://" in given else 11434)
    except ValueError:
        raise ConfigError("the port in OLLAMA_HOST is not a number from 1 to 65535", part="ollama") from None
    user, at, place = url.netloc.rpartition("@")
    name = place if place.endswith("]") or ":" not in place else place.rpartition(":")[0]
    if name in ("", "0.0.0.0", "[::]"):  # noqa: S104  addresses for listening, not for connecting
        name = "127.0.0.1"
    return f"{url.scheme}://{user}{at}{name}{f':{port}' if port else ''}{url.path}"
