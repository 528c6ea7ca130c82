"""Both sides on the same texts and vectors, opened the way their users would."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

from benchmarks.speed.floor import Floor
from benchmarks.speed.texts import DIMENSION, Lookup, Texts
from memwell import AsyncMemory, Memory
from memwell.ports import Embedder

__all__ = ["Both", "LookupEmbedder", "open_async", "open_ours"]


class LookupEmbedder(Embedder):
    """The lookup as an embedder, so that memwell pays for a dictionary too and not for a model."""

    part = "lookup"
    blocking = True
    model = "benchmark"
    dimension = DIMENSION

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    async def _embed(self, texts: Sequence[str], kind: Literal["document", "query"]) -> Any:  # noqa: ARG002
        return self._lookup(texts)


def open_ours(path: Path, lookup: Lookup | None, options: str = "") -> Memory:
    """memwell on a file."""
    return Memory(f"sqlite:///{path}{options}", embedder=lookup and LookupEmbedder(lookup))


def open_async(path: Path, lookup: Lookup | None, options: str = "") -> AsyncMemory:
    """memwell's asynchronous face on a file."""
    return AsyncMemory(f"sqlite:///{path}{options}", embedder=lookup and LookupEmbedder(lookup))


class Both:
    """memwell and the floor, each with its own file in the folder, holding the same memories."""

    def __init__(self, folder: Path, name: str, *, narrow: bool = False) -> None:
        self.lookup = Lookup()
        self.texts = Texts()
        self.path = folder / f"{name}-ours.db"
        self.floor_path = folder / f"{name}-floor.db"
        self.narrow_path = folder / f"{name}-narrow.db"
        self.ours = open_ours(self.path, self.lookup)
        self.floor = Floor(self.floor_path, self.lookup)
        self.narrow = Floor(self.narrow_path, self.lookup, narrow=True) if narrow else None
        self.count = 0
        self.first: dict[str, int] = {}
        """User → number of the first memory."""

    def fill(self, user_id: str, count: int) -> None:
        """Give a user new memories, on all sides."""
        texts = self.texts.memories(count, self.count)
        self.first[user_id] = self.count
        self.count += count
        self.lookup.prepare(texts)
        self.ours.remember(texts, user_id=user_id)
        for floor in (self.floor, self.narrow):
            if floor is not None:
                floor.remember_many(texts, user_id)
        self.lookup.forget()

    def questions(self, user_id: str, count: int, among: int) -> list[str]:
        """Questions about a user's memories, their vectors prepared."""
        asked = self.texts.questions(count, among, self.first[user_id])
        self.lookup.prepare(asked)
        return asked

    def recalls(self, asked: Sequence[tuple[str, str]]) -> tuple[list[Any], list[Any]]:
        """Calls for (question, user) on ours and on the floor."""
        ours = [partial(self.ours.recall, query, user_id=user, limit=10) for query, user in asked]
        return ours, self.floor_recalls(asked, self.floor)

    def floor_recalls(self, asked: Sequence[tuple[str, str]], floor: Floor) -> list[Any]:
        """Calls for (question, user) on a floor."""
        return [partial(floor.recall, query, user, 10) for query, user in asked]

    def close(self) -> None:
        """Close all sides."""
        self.ours.close()
        self.floor.close()
        if self.narrow is not None:
            self.narrow.close()
