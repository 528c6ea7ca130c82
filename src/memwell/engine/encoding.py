"""From contents and questions to vectors: long texts are cut into passages, and a failing embedder loses no memory."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Final

from memwell import ports
from memwell._lazy import logger
from memwell._patterns import pattern
from memwell.errors import MemwellError
from memwell.retrieval.analysis.text import without_role

if TYPE_CHECKING:
    from memwell.ports import Embedder, Embedding, Vectors

__all__ = ["Encoder"]

log = logger("memwell.embedding")

_ENGLISH: Final = pattern(
    r"(?i)(?:^|[-_/])(?:en|english)(?:[-_.]|$)|/?all-(?:minilm|mpnet|distilroberta)|multi-qa-|/e5-(?:small|base|large)"
    r"|/gte-(?:small|base|large)$|potion-(?:base|retrieval)"
)
_QUICK: Final = 5e-5
"""Seconds in which a store on this machine says whether it has a text."""
_SPECIAL = 2
"""Tokens that a model adds around a text."""


class Encoder:
    """The engine's use of one embedder.

    When the embedder fails, `documents` gives `None` for each content and sets `pending`: the records are stored
    without vectors, and a later write or `repair` embeds them.
    """

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder
        self.pending = False
        """Whether records are known to lack vectors."""
        self._prepared = False
        self.unembeddable: set[str] = set()
        """Records that cannot be embedded, by `backfill.name_of`."""

    @property
    def model(self) -> str:
        """Name under which vectors are stored."""
        return self.embedder.model

    @property
    def quick(self) -> bool:
        """Whether the embedder has embedded a text in less time than a store takes to say whether it has it."""
        return bool(getattr(self.embedder, "seconds", 1.0) < _QUICK)

    @property
    def english(self) -> bool:
        """Whether the model, by its name, knows English only."""
        return _ENGLISH.search(self.model) is not None

    async def prepare(self) -> None:
        """Let the embedder learn its dimension, before it is first used. Raises `Unavailable` while it cannot."""
        if self._prepared:
            return
        try:
            await self.embedder.prepare()
        except MemwellError as error:
            if error.transient:
                raise
            log.debug("%s learns its dimension from the first text: %s", self.model, error)
        self._prepared = True

    async def documents(self, contents: Sequence[str]) -> list[Embedding | None]:
        """Vectors of each content, or `None` for all of them when the embedder failed (logged)."""
        try:
            return [*await self.strictly(contents)]
        except MemwellError as error:
            self.pending = True
            log.warning("%d memories are stored without vectors and embedded later: %s", len(contents), error)
            return [None] * len(contents)

    def strictly(self, contents: Sequence[str]) -> Coroutine[Any, Any, list[Embedding]]:
        """Vectors of each content, embedded without a leading "user: " or "assistant: ". Raises what the embedder
        raises.
        """
        offsets = [len(content) - len(without_role(content)) for content in contents]
        return (self._without_roles if any(offsets) else self._encoded)(contents, offsets)

    async def _without_roles(self, contents: Sequence[str], offsets: Sequence[int]) -> list[Embedding]:
        try:
            return await self._encoded(contents, offsets)
        except MemwellError as error:  # a table of precomputed vectors has the contents only as they are
            if error.transient:
                raise
            log.debug("embedding contents with their roles: %s", error)
        return await self._encoded(contents, [0] * len(contents))

    def texts(self, contents: Sequence[str]) -> list[str]:
        """Every text that was embedded for these contents: their passages, with and without their roles."""
        found: dict[str, None] = {}
        for content in contents:
            for offset in {0, len(content) - len(without_role(content))}:
                spans = self._passages(content, offset, self.embedder.window)
                found |= dict.fromkeys(content[a:b] for a, b in spans)
        return list(found)

    async def _encoded(self, contents: Sequence[str], offsets: Sequence[int]) -> list[Embedding]:
        if not self._prepared:
            await self.prepare()
        spans = self._spans(contents, offsets)
        if spans is None:
            texts = [content[at:] for content, at in zip(contents, offsets, strict=True)]
        else:
            texts = [content[a:b] for content, own in zip(contents, spans, strict=True) for a, b in own]
        vectors, model = await self.embedder.embed(texts), self.model
        if spans is None or len(texts) == len(contents):
            each = [vectors] if len(texts) == 1 else [vectors[at : at + 1] for at in range(len(texts))]
            return [ports.Embedding(model=model, vectors=rows) for rows in each]
        found, at = [], 0
        for own in spans:
            rows, at = vectors[at : at + len(own)], at + len(own)
            found.append(ports.Embedding(model=model, vectors=rows, spans=tuple(own) if len(own) > 1 else ()))
        return found

    def _spans(self, contents: Sequence[str], offsets: Sequence[int]) -> list[list[tuple[int, int]]] | None:
        """The passages of each content from the character on that `offsets` names; `None` if each is a single one."""
        window = self.embedder.window
        if window is None:
            return None
        return [self._passages(content, at, window) for content, at in zip(contents, offsets, strict=True)]

    async def question(self, text: str, plain: str, *, strictly: bool = False) -> Vectors | None:
        """`(1, d)` float32 vector of a question, from `text` or, where the embedder refuses that, from `plain`.

        `None` when the embedder failed (logged): recall is lexical then, and says so. `strictly` raises instead.
        """
        for attempt in dict.fromkeys((text, plain)):
            try:
                await self.prepare()
                return await self.embedder.embed([attempt], kind="query")
            except MemwellError as error:
                failure = error
                if error.transient:
                    break
        if strictly:
            raise failure
        log.warning("recall uses words only, because the embedder failed: %s", failure)
        return None

    def _passages(self, content: str, offset: int, window: int | None) -> list[tuple[int, int]]:
        text = content[offset:]
        if window is None or len(text.encode()) <= window - _SPECIAL:
            return [(offset, len(content))]
        from memwell.engine.chunking import chunks

        found = chunks(text, self.embedder.spans(text), window - _SPECIAL)
        return [(offset + start, offset + end) for start, end in found]
