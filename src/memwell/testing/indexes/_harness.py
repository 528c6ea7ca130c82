"""What the parts of the suite share: the index under test, and points to put into it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import pytest

from memwell.ports import Match, Metric, Point, VectorIndex, Vectors
from memwell.testing._run import run

__all__ = ["IndexSuite", "Opening", "Settle", "opened", "unit"]

Settle = Callable[[VectorIndex], None]


class Opening(Protocol):
    """Opens indexes of one service or folder."""

    def __call__(
        self, name: str = "points", *, metric: Metric = "cosine", dimension: int | None = None
    ) -> VectorIndex:
        """The set of points of this name, empty at first; the same set again for the same name."""


@contextmanager
def opened(make: Callable[[str, Metric, int | None], VectorIndex]) -> Iterator[Opening]:
    """For the fixture `opening`: what `make(name, metric, dimension)` gives, closed at the end."""
    parts: list[VectorIndex] = []

    def opening(
        name: str = "points", *, metric: Metric = "cosine", dimension: int | None = None
    ) -> VectorIndex:
        parts.append(make(name, metric, dimension))
        return parts[-1]

    try:
        yield opening
    finally:
        for part in parts:
            run(part, part.close())


class IndexSuite:
    """Fixtures and helpers."""

    dimension: int = 16
    """Length of the suite's vectors; at least 4."""
    exact: bool = True
    """Whether the nearest are always found; an approximate index is held to 95 of 100."""
    many: int = 20_000
    """Points among which a selective filter is tried; a search for the nearest takes no more than these either."""
    tolerance: float = 1e-5
    """How far a similarity may be from the cosine."""
    filtered: int = 50
    """How many random filters are tried over random points."""

    @pytest.fixture
    def opening(self) -> Opening:
        """A function that opens indexes; closing them is up to the suite, and to this fixture once more."""
        pytest.skip("give the fixture `opening` to try metrics, namespaces and opening again")

    @pytest.fixture
    def index(self, opening: Opening) -> VectorIndex:
        """An open, empty part. Closing it is up to the fixture; the suite may have done so before."""
        return opening()

    @pytest.fixture
    def settle(self) -> Settle:
        """A function that waits until all writes can be found, for an index that lags behind."""
        return lambda _: None

    def axis(self, number: int) -> Vectors:
        """The unit vector along one axis."""
        vector = np.zeros(self.dimension, dtype=np.float32)
        vector[number] = 1
        return vector

    def at(self, degrees: float) -> Vectors:
        """A unit vector at this angle from the first axis."""
        angle = np.radians(degrees)
        vector = np.cos(angle) * self.axis(0) + np.sin(angle) * self.axis(1)
        return np.asarray(vector, dtype=np.float32)

    def random(self, random: np.random.Generator, count: int) -> Vectors:
        """Random unit vectors."""
        return unit(random.normal(size=(count, self.dimension)))

    def point(self, name: str, vector: Vectors, **metadata: Any) -> Point:
        """A point with metadata."""
        return Point(id=name, vector=vector, fields={"metadata": metadata})

    def put(self, index: VectorIndex, settle: Settle, **vectors: Vectors) -> None:
        """Upsert points by name."""
        run(index, index.upsert([self.point(name, vector) for name, vector in vectors.items()]))
        settle(index)

    def fill(self, index: VectorIndex, settle: Settle, vectors: Vectors) -> None:
        """Upsert rows as p0, p1, …"""
        run(index, index.upsert([self.point(f"p{row}", vector) for row, vector in enumerate(vectors)]))
        settle(index)

    def colors(self, index: VectorIndex, settle: Settle) -> None:
        """Five points, two of them red, one blue, one without and one with a null colour."""
        colors: Sequence[tuple[str, dict[str, Any]]] = [
            ("r1", {"color": "red"}),
            ("b1", {"color": "blue"}),
            ("r2", {"color": "red"}),
            ("none", {}),
            ("null", {"color": None}),
        ]
        points = [self.point(name, self.at(at), **metadata) for at, (name, metadata) in enumerate(colors)]
        run(index, index.upsert(points))
        settle(index)

    def found(
        self,
        index: VectorIndex,
        vector: Vectors | None = None,
        *,
        limit: int = 10,
        where: Mapping[str, Any] | None = None,
    ) -> list[str]:
        """Ids found near a vector, the first axis if none is given."""
        query = self.axis(0) if vector is None else vector
        matches: list[Match] = run(index, index.search(query, limit=limit, where=where))
        return [match.id for match in matches]


def unit(vectors: Any) -> Vectors:
    """Rows scaled to length 1."""
    scaled: Vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return scaled
