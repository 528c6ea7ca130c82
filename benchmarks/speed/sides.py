"""Both sides on the same texts and vectors, opened the way their users would."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, Self, TypeVar

from benchmarks.speed.corpora import Corpus
from benchmarks.speed.floor import Floor
from benchmarks.speed.measure import steady, timed
from benchmarks.speed.texts import DIMENSION, Lookup
from memwell import AsyncMemory, Memory
from memwell.ports import Embedder

__all__ = ["AnyFloor", "LookupEmbedder", "Sides", "on_sqlite"]


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


class AnyFloor(Protocol):
    """What a floor can do, on any database."""

    def remember(self, content: str, user_id: str) -> str: ...
    def remember_many(self, contents: Sequence[str], user_id: str) -> list[str]: ...
    def recall(self, query: str, user_id: str, limit: int = 10) -> list[Any]: ...
    def get(self, name: str) -> str: ...
    def update(self, name: str, content: str) -> None: ...
    def forget(self, name: str) -> None: ...
    def close(self) -> None: ...


F = TypeVar("F", bound=AnyFloor)


class Sides(Generic[F]):
    """memwell and a floor that hold the same memories of a corpus, with the same vectors."""

    def __init__(self, corpus: Corpus, url: str, lookup: Lookup, floor: F) -> None:
        self.corpus, self.url, self.lookup, self.floor = corpus, url, lookup, floor
        self.ours = Memory(url, embedder=LookupEmbedder(lookup))
        self.count = 0
        """Memories on each side, those that were remembered one by one left out."""
        self.taken = 0
        """Memories of the corpus that were given out."""
        self.first: dict[str, int] = {}
        """User → number of the first memory."""
        self.ids: tuple[list[str], list[str]] = ([], [])
        """Ids of all memories, ours and the floor's."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.ours.close()
        self.floor.close()

    def again(self) -> AsyncMemory:
        """Our asynchronous face on the same store; the caller closes it."""
        return AsyncMemory(self.url, embedder=LookupEmbedder(self.lookup))

    def fill(self, user_id: str, count: int) -> tuple[float, float]:
        """Give a user new memories in one call of each side; seconds that ours and the floor took.

        The floor is the first to be first: after a large batch our store builds an index in the background.
        """
        self.first[user_id] = start = self.taken
        texts = self.unused(count)
        new = self.corpus.new(texts, start)

        def ours() -> None:
            self.ids[0].extend([r.id for r in self.ours.remember(new, user_id=user_id)])

        def floor() -> None:
            self.ids[1].extend(self.floor.remember_many(texts, user_id))

        took = {}
        with steady():
            for side in (floor, ours) if len(self.first) % 2 else (ours, floor):
                took[side] = timed(side)
        self.count += count
        self.lookup.forget()
        return took[ours], took[floor]

    def unused(self, count: int) -> list[str]:
        """The next texts of the corpus, with their vectors prepared. None is given out twice."""
        texts = self.corpus.texts(count, self.taken)
        self.taken += count
        self.lookup.prepare(texts)
        return texts

    def questions(self, user_id: str, count: int, among: int) -> list[str]:
        """Questions about a user's memories, their vectors prepared."""
        asked = self.corpus.questions(count, among, self.first[user_id])
        self.lookup.prepare(asked)
        return asked

    def recalls(self, asked: Sequence[str], users: Sequence[str]) -> tuple[list[Any], list[Any]]:
        """Calls on ours and on the floor, each question by its user; one user asks all."""
        pairs = list(zip(asked, users if len(users) > 1 else repeat(users[0]), strict=False))
        ours = [partial(self.ours.recall, query, user_id=user, limit=10) for query, user in pairs]
        return ours, [partial(self.floor.recall, query, user, 10) for query, user in pairs]


def on_sqlite(folder: Path, corpus: Corpus, name: str, options: str = "") -> Sides[Floor]:
    """Both sides in a file each."""
    lookup = Lookup(corpus.vectors)
    name = f"{name}-{corpus.name}"
    floor = Floor(folder / f"{name}-floor.db", lookup)
    return Sides(corpus, f"sqlite:///{folder / f'{name}-ours.db'}{options}", lookup, floor)
