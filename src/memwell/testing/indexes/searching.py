"""Searches: the nearest points are found, in order, with their similarities."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from memwell.errors import EmbeddingError, InvalidInput
from memwell.ports import VectorIndex
from memwell.testing._run import run
from memwell.testing.indexes._harness import IndexSuite, Settle, unit

__all__ = ["Searching"]


class Searching(IndexSuite):
    """Part of `VectorIndexConformance`."""

    def test_an_empty_index_finds_nothing(self, index: VectorIndex) -> None:
        assert run(index, index.search(self.axis(0), limit=5)) == []
        assert run(index, index.count()) == 0
        assert run(index, index.ids()) == []

    def test_the_nearest_come_first(self, index: VectorIndex, settle: Settle) -> None:
        self.put(index, settle, far=self.at(80), near=self.at(10), middle=self.at(45))
        assert self.found(index) == ["near", "middle", "far"]

    def test_similarity_is_the_cosine_from_one_to_minus_one(self, index: VectorIndex, settle: Settle) -> None:
        angles = {"same": 0, "close": 30, "square": 90, "away": 135, "opposite": 180}
        self.put(index, settle, **{name: self.at(angle) for name, angle in angles.items()})
        matches = run(index, index.search(self.axis(0), limit=10))
        assert [match.id for match in matches] == list(angles)
        for match in matches:
            assert match.similarity == pytest.approx(np.cos(np.radians(angles[match.id])), abs=self.tolerance)
            assert -1 <= match.similarity <= 1

    def test_the_limit_cuts_and_a_large_one_gives_all(self, index: VectorIndex, settle: Settle) -> None:
        self.put(index, settle, **{f"p{angle:02}": self.at(angle) for angle in range(0, 60, 5)})
        assert self.found(index, limit=3) == ["p00", "p05", "p10"]
        assert len(self.found(index, limit=100)) == 12

    def test_a_large_limit_gives_them_all_and_clear_removes_them_all(
        self, index: VectorIndex, settle: Settle
    ) -> None:
        count = min(self.many, 1_100)
        vectors = self.random(np.random.default_rng(9), count)
        points = [self.point(f"p{row}", vector, half=row % 2) for row, vector in enumerate(vectors)]
        run(index, index.upsert(points))
        settle(index)
        found = self.found(index, limit=self.many)
        assert len(found) == count
        assert set(found) == {f"p{row}" for row in range(count)}
        if self.exact:
            similar = vectors @ self.axis(0)
            order = [similar[int(name[1:])] for name in found]
            assert all(nearer >= farther - 1e-5 for nearer, farther in itertools.pairwise(order))
        assert len(self.found(index, limit=self.many, where={"half": 1})) == count // 2
        run(index, index.clear())
        settle(index)
        assert run(index, index.count()) == 0
        assert self.found(index) == []

    def test_ties_are_ordered_by_id_also_where_the_limit_cuts(
        self, index: VectorIndex, settle: Settle
    ) -> None:
        names = [f"p{number:03}" for number in np.random.default_rng(1).permutation(200)]
        vector = unit(np.random.default_rng(2).normal(size=(1, self.dimension)))[0]
        self.put(index, settle, **dict.fromkeys(names, vector))
        assert self.found(index, vector, limit=7) == sorted(names)[:7]
        assert self.found(index, vector, limit=500) == sorted(names)

    def test_the_nearest_of_random_vectors_are_found(self, index: VectorIndex, settle: Settle) -> None:
        random = np.random.default_rng(3)
        vectors, queries = self.random(random, min(3000, self.many)), self.random(random, 20)
        self.fill(index, settle, vectors)
        kept = 0
        for query in queries:
            expected = {f"p{row}" for row in np.argsort(-(vectors @ query))[:10]}
            kept += len(expected & set(self.found(index, query, limit=10)))
        assert kept >= (200 if self.exact else 190)

    def test_every_point_finds_itself(self, index: VectorIndex, settle: Settle) -> None:
        vectors = self.random(np.random.default_rng(4), 300)
        self.fill(index, settle, vectors)
        for row in range(0, 300, 7):
            best = run(index, index.search(vectors[row], limit=1))[0]
            assert best.id == f"p{row}"
            assert best.similarity == pytest.approx(1, abs=self.tolerance)

    def test_a_vector_of_another_dimension_is_refused_and_nothing_stored(self, index: VectorIndex) -> None:
        """That the part stands behind the port; `VectorIndexFrontage` tries all that is bad."""
        wrong = np.ones(self.dimension + 1, dtype=np.float32)
        with pytest.raises(EmbeddingError):
            run(index, index.upsert([self.point("good", self.at(0)), self.point("bad", wrong)]))
        with pytest.raises(EmbeddingError):
            run(index, index.search(wrong, limit=1))
        with pytest.raises(InvalidInput):
            run(index, index.search(self.axis(0), limit=0))
        assert run(index, index.count()) == 0

    def test_fields_that_are_no_json_are_refused_and_nothing_stored(self, index: VectorIndex) -> None:
        points = [self.point("good", self.at(0)), self.point("bad", self.at(0), words={"a", "b"})]
        with pytest.raises(InvalidInput, match="JSON"):
            run(index, index.upsert(points))
        assert run(index, index.count()) == 0

    def test_nan_and_infinity_are_refused_and_nothing_stored(self, index: VectorIndex) -> None:
        for bad in (float("nan"), float("inf"), -float("inf")):
            wrong = self.at(0).copy()
            wrong[1] = bad
            with pytest.raises(EmbeddingError):
                run(index, index.upsert([self.point("good", self.at(0)), self.point("bad", wrong)]))
            with pytest.raises(EmbeddingError):
                run(index, index.search(wrong, limit=1))
        assert run(index, index.count()) == 0
