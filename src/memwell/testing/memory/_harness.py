"""What the parts of `MemoryConformance` share: how a memory is opened, its clock and its embedder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pytest

from memwell.errors import EmbeddingError
from memwell.memory import AsyncMemory
from memwell.ports import Embedder
from memwell.sync import Memory
from memwell.testing.samples import Clock
from memwell.types import Hit

if TYPE_CHECKING:
    from memwell._bridge import Loop

__all__ = ["MemorySuite", "OnALoop", "Opening", "Words", "ids_of"]

Opening = Callable[..., Memory]


class Words(Embedder):
    """Texts to vectors by their words, each word a direction of its own; `failing` makes it fail."""

    part = "words"
    blocking = True
    dimension: int

    def __init__(self, *, dimension: int = 64, window: int | None = None, model: str = "words") -> None:
        self.dimension = dimension
        self.window = window
        self.model = model
        self.failing = False
        """Whether every call fails."""
        self.poison: str | None = None
        """A word whose texts cannot be embedded."""
        self.texts: list[str] = []
        """Everything embedded so far."""

    async def _ping(self) -> None:
        if self.failing:
            raise EmbeddingError("the model is down", part=self.part)

    async def _embed(self, texts: Sequence[str], kind: Literal["document", "query"]) -> Any:
        del kind
        if self.failing or any(self.poison and self.poison in text for text in texts):
            raise EmbeddingError("the model is down", part=self.part)
        self.texts += texts
        rows = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in text.lower().split():
                row[
                    int.from_bytes(hashlib.blake2b(word.encode(), digest_size=4).digest()) % self.dimension
                ] += 1
        return rows

    def spans(self, text: str) -> list[tuple[int, int]]:
        """One token a word."""
        found, at = [], 0
        for word in text.split():
            at = text.index(word, at)
            found.append((at, at + len(word)))
            at += len(word)
        return found


class OnALoop:
    """An `AsyncMemory` with synchronous methods: each runs to its end on an event loop in a background thread."""

    def __init__(self, memory: AsyncMemory, loop: Loop | None = None) -> None:
        from memwell._bridge import Loop

        self.memory = memory
        self._loop = Loop() if loop is None else loop

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.memory, name)
        if name == "on":
            return method
        if name == "scoped":
            return lambda **owner: OnALoop(method(**owner), self._loop)

        def call(*arguments: Any, **options: Any) -> Any:
            return self._loop.run(method(*arguments, **options))

        return call

    def close(self) -> None:
        """Close the memory; the loop stays, so that calls after it meet the memory and not a stopped loop."""
        self._loop.run(self.memory.close())

    def __enter__(self) -> OnALoop:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class MemorySuite:
    """The fixtures; a subclass of the suite overrides `opening`, or `url`, or both."""

    @pytest.fixture
    def opening(self) -> Opening:
        """How a memory is opened: `opening(url, embedder=…, clock=…)`, as `Memory` is."""
        return Memory

    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        """Names an empty store."""
        return f"sqlite:///{tmp_path / 'memory.db'}"

    @pytest.fixture
    def lasting(self, url: str) -> str:
        """The same, for tests that open it several times; skip them where nothing lasts."""
        return url

    @pytest.fixture
    def clock(self) -> Clock:
        """The time, which stands still."""
        return Clock()

    @pytest.fixture
    def words(self) -> Words:
        """The embedder of `memory`."""
        return Words()

    @pytest.fixture
    def memory(self, opening: Opening, url: str, words: Words, clock: Clock) -> Iterator[Memory]:
        """An open, empty memory."""
        opened = opening(url, embedder=words, clock=clock)
        yield opened
        opened.close()


def ids_of(hits: Sequence[Hit]) -> list[str]:
    """The ids of what was recalled, in order."""
    return [hit.record.id for hit in hits]
