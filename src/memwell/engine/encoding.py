"""Contents and questions to vectors: batching, chunking of long texts, and what happens when the embedder
fails.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from memwell.chunking import chunks
from memwell.errors import MemwellError
from memwell.ports import Embedder, Embedding, Vectors

__all__ = ["Encoder"]

log = logging.getLogger("memwell.embedding")

_SPECIAL = 2
"""Tokens that a model adds around a text."""


class Encoder:
    """The engine's use of one embedder.

    A failure is not the caller's loss: `documents` answers `None` for each content, the records are kept
    without vectors, `behind` is raised, and they are embedded by a later write or by `repair`.
    """

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder
        self.behind = False

    @property
    def model(self) -> str:
        """Name under which vectors are stored."""
        return self.embedder.model

    async def documents(self, contents: Sequence[str]) -> list[Embedding | None]:
        """Vectors of each content, or `None` for all of them when the embedder failed (logged)."""
        try:
            found = await self.strictly(contents)
        except MemwellError as error:
            self.behind = True
            log.warning(
                "%d memories are kept without vectors, to be embedded later: %s", len(contents), error
            )
            return [None] * len(contents)
        return list(found)

    async def strictly(self, contents: Sequence[str]) -> list[Embedding]:
        """Vectors of each content. Raises what the embedder raises."""
        passages = [self._passages(content) for content in contents]
        texts = [content[a:b] for content, spans in zip(contents, passages, strict=True) for a, b in spans]
        vectors = await self.embedder.embed(texts)
        found, at = [], 0
        for spans in passages:
            rows = vectors[at : at + len(spans)]
            at += len(spans)
            kept = tuple(spans) if len(spans) > 1 else ()
            found.append(Embedding(model=self.model, vectors=rows, spans=kept))
        return found

    async def question(self, text: str, plain: str, *, strictly: bool = False) -> Vectors | None:
        """`(1, d)` vector of a question, from `text` or, where the embedder refuses that, from `plain`.

        `None` when the embedder failed (logged): recall is lexical then, and says so. `strictly` raises
        instead.
        """
        for attempt in dict.fromkeys((text, plain)):
            try:
                return await self.embedder.embed([attempt], kind="query")
            except MemwellError as error:
                failure = error
        if strictly:
            raise failure
        log.warning("recall is lexical: %s", failure)
        return None

    def _passages(self, content: str) -> list[tuple[int, int]]:
        window = self.embedder.window
        if window is None or len(content.encode()) <= window - _SPECIAL:
            return [(0, len(content))]
        return chunks(content, self.embedder.spans(content), window - _SPECIAL)
