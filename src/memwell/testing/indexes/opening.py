"""Metrics, separate namespaces, and an index that is opened again."""

from __future__ import annotations

import numpy as np
import pytest

from memwell.errors import ConfigError, EmbeddingError
from memwell.ports import Metric, Point, VectorIndex, Vectors
from memwell.testing._run import run
from memwell.testing.indexes._harness import IndexSuite, Opening, Settle

__all__ = ["Reopening"]

METRICS: tuple[Metric, ...] = ("cosine", "l2", "dot")


class Reopening(IndexSuite):
    """Part of `VectorIndexConformance`."""

    @pytest.mark.parametrize("metric", METRICS)
    def test_vectors_of_any_length_are_near_as_the_metric_says(
        self, opening: Opening, settle: Settle, metric: Metric
    ) -> None:
        random = np.random.default_rng(7)
        vectors = (self.random(random, 300) * random.uniform(0.2, 5, size=(300, 1))).astype(np.float32)
        query = (self.random(random, 1)[0] * 3).astype(np.float32)
        index = opening(metric=metric)
        points = [self.point(f"p{row}", vector, odd=row % 2 == 1) for row, vector in enumerate(vectors)]
        run(index, index.upsert(points))
        settle(index)
        expected = _similarities(metric, vectors, query)
        for where, rows in (({}, range(300)), ({"odd": True}, range(1, 300, 2))):
            best = sorted(rows, key=lambda row: -expected[row])[:20]
            matches = run(index, index.search(query, limit=20, where=where))
            found = [match.similarity for match in matches]
            if self.exact:
                assert [match.id for match in matches] == [f"p{row}" for row in best]
            assert found == sorted(found, reverse=True)
            for match in matches:
                wanted = expected[int(match.id[1:])]
                assert match.similarity == pytest.approx(wanted, rel=self.tolerance, abs=self.tolerance * 10)

    @pytest.mark.parametrize("metric", METRICS)
    def test_what_32_bits_do_not_hold_is_refused(self, opening: Opening, metric: Metric) -> None:
        index = opening(metric=metric)
        with pytest.raises(EmbeddingError):
            run(index, index.upsert([self.point("a", np.full(self.dimension, 1e39))]))
        assert run(index, index.count()) == 0

    @pytest.mark.parametrize("metric", METRICS)
    def test_a_zero_vector_is_kept_and_found(self, opening: Opening, settle: Settle, metric: Metric) -> None:
        index = opening(metric=metric)
        self.put(index, settle, zero=0 * self.axis(0), near=self.axis(0), away=-self.axis(0))
        expected = {"cosine": [1, 0, -1], "dot": [1, 0, -1], "l2": [1, 0.5, -1]}[metric]
        matches = run(index, index.search(self.axis(0), limit=3))
        assert [match.id for match in matches] == ["near", "zero", "away"]
        assert [match.similarity for match in matches] == pytest.approx(expected, abs=self.tolerance)

    @pytest.mark.parametrize("metric", METRICS)
    def test_vectors_come_back_as_they_went_in_or_scaled_for_the_cosine(
        self, opening: Opening, settle: Settle, metric: Metric
    ) -> None:
        index = opening(metric=metric)
        given = {"a": 2 * self.at(30), "b": self.at(120)}
        self.put(index, settle, **given)
        held = run(index, index.vectors(["b", "unknown", "a"]))
        assert sorted(held) == ["a", "b"]
        for name, vector in held.items():
            assert vector.shape == (self.dimension,)
            assert vector.dtype == np.dtype("float32")
            scale = np.linalg.norm(vector) / np.linalg.norm(given[name])
            assert scale == pytest.approx(1, abs=1e-5) or metric == "cosine"
            assert vector == pytest.approx(given[name] * scale, abs=1e-5)
        assert run(index, index.vectors([])) == {}

    def test_sets_of_points_are_apart(self, opening: Opening, settle: Settle) -> None:
        one, other = opening("one"), opening("other")
        self.put(one, settle, same=self.at(0), mine=self.at(10))
        self.put(other, settle, same=self.at(90))
        assert self.found(one) == ["same", "mine"]
        assert self.found(other) == ["same"]
        assert run(other, other.ids()) == ["same"]
        assert sorted(run(other, other.vectors(["same", "mine"]))) == ["same"]
        run(one, one.delete(["same"]))
        run(other, other.delete(["mine"]))
        settle(one)
        settle(other)
        assert [run(part, part.ids()) for part in (one, other)] == [["mine"], ["same"]]
        run(one, one.clear())
        settle(one)
        assert [run(part, part.count()) for part in (one, other)] == [0, 1]
        assert run(other, other.search(self.at(90), limit=1))[0].similarity == pytest.approx(1, abs=1e-5)

    def test_what_was_kept_is_there_when_opened_again(self, opening: Opening, settle: Settle) -> None:
        index = self._durable(opening())
        points = [
            Point(id="ż/1", vector=self.at(0), fields={"kind": "fact", "metadata": {"n": [1, None, "é"]}}),
            Point(id="b", vector=self.at(40), fields={"tags": ["x"], "metadata": {}}),
            Point(id="gone", vector=self.at(20), fields={"metadata": {}}),
        ]
        run(index, index.upsert(points))
        run(index, index.delete(["gone"]))
        settle(index)
        run(index, index.close())
        again = opening()
        assert run(again, again.ids()) == ["b", "ż/1"]
        assert self.found(again) == ["ż/1", "b"]
        assert self.found(again, where={"n": [1, None, "é"], "kind": "fact"}) == ["ż/1"]
        assert self.found(again, where={"tags": {"$contains": "x"}}) == ["b"]
        self.put(again, settle, b=self.at(0))
        assert run(again, again.count()) == 2

    def test_identity_names_the_set_of_points(self, opening: Opening) -> None:
        one, other = self._durable(opening("one")), opening("other")
        identity = one.identity
        assert identity != other.identity
        run(one, one.upsert([self.point("a", self.at(0))]))
        assert one.identity == identity
        run(one, one.close())
        assert opening("one").identity == identity

    def test_another_dimension_is_refused(self, opening: Opening) -> None:
        self._filled(opening)
        with pytest.raises(ConfigError, match=str(self.dimension)):
            self._ask(opening(dimension=self.dimension * 2))

    def test_another_metric_is_refused(self, opening: Opening) -> None:
        self._filled(opening)
        with pytest.raises(ConfigError, match=r"(?is)(?=.*cosine)(?=.*dot)"):
            self._ask(opening(metric="dot"))

    def _filled(self, opening: Opening) -> None:
        index = self._durable(opening())
        run(index, index.upsert([self.point("a", self.at(0))]))
        run(index, index.close())

    def _ask(self, index: VectorIndex) -> None:
        """A part may open its collection when it is first used."""
        run(index, index.count())

    def _durable(self, index: VectorIndex) -> VectorIndex:
        if index.identity is None:
            pytest.skip("the points die with the object: identity is None")
        return index


def _similarities(metric: Metric, vectors: Vectors, query: Vectors) -> list[float]:
    """As the port promises, in 64 bits."""
    wide, asked = vectors.astype(np.float64), query.astype(np.float64)
    if metric == "l2":
        return list(1 - ((wide - asked) ** 2).sum(axis=1) / 2)
    products = wide @ asked
    if metric == "cosine":
        products /= np.linalg.norm(wide, axis=1) * np.linalg.norm(asked)
    return list(products)
