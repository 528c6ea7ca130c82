"""The promises of the `VectorIndex` port as tests. A third party joins in ten lines::

class TestMine(VectorIndexConformance):
    @pytest.fixture
    def index(self):
        part = MyIndex(dimension=self.dimension)
        yield part
        run(part, part.close())
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from memwell.errors import Closed, EmbeddingError, InvalidInput, InvalidQuery
from memwell.ports import Match, Point, VectorIndex, Vectors
from memwell.testing._run import race, run

__all__ = ["VectorIndexConformance"]

Settle = Callable[[VectorIndex], None]
MANY = 100_000


class VectorIndexConformance:
    """Subclass it and give the fixture `index`: an open, empty part of dimension `dimension`."""

    dimension: int = 16
    """Length of the suite's vectors; at least 4."""
    exact: bool = True
    """Whether the nearest are always found; an approximate index is held to 95 of 100."""
    many: int = MANY
    """Points among which a selective filter is tried."""
    tolerance: float = 1e-5
    """How far a similarity may be from the cosine."""

    @pytest.fixture
    def index(self) -> VectorIndex:
        """An open part. Closing it is up to the fixture; the suite may have done so before."""
        raise NotImplementedError("give the fixture `index`")

    @pytest.fixture
    def settle(self) -> Settle:
        """A function that waits until all writes can be found, for an index that lags behind."""
        return lambda _: None

    # ---------------------------------------------------------------------------------------- search

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

    @pytest.mark.parametrize("limit", [0, -1])
    def test_a_limit_is_at_least_one(self, index: VectorIndex, limit: int) -> None:
        with pytest.raises(InvalidInput):
            run(index, index.search(self.axis(0), limit=limit))

    def test_ties_are_ordered_by_id_also_where_the_limit_cuts(
        self, index: VectorIndex, settle: Settle
    ) -> None:
        names = [f"p{number:03}" for number in np.random.default_rng(1).permutation(200)]
        vector = _unit(np.random.default_rng(2).normal(size=(1, self.dimension)))[0]
        self.put(index, settle, **dict.fromkeys(names, vector))
        assert self.found(index, vector, limit=7) == sorted(names)[:7]
        assert self.found(index, vector, limit=500) == sorted(names)

    def test_the_nearest_of_random_vectors_are_found(self, index: VectorIndex, settle: Settle) -> None:
        random = np.random.default_rng(3)
        vectors, queries = self.random(random, 3000), self.random(random, 20)
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

    # ---------------------------------------------------------------------------------------- upsert

    def test_upsert_replaces_vector_and_fields(self, index: VectorIndex, settle: Settle) -> None:
        self.put(index, settle, a=self.at(0), b=self.at(20))
        run(index, index.upsert([self.point("a", self.at(90), color="red")]))
        settle(index)
        assert self.found(index) == ["b", "a"]
        assert run(index, index.count()) == 2
        assert self.found(index, where={"color": "red"}) == ["a"]
        run(index, index.upsert([self.point("a", self.at(90))]))
        settle(index)
        assert self.found(index, where={"color": "red"}) == []

    def test_of_several_points_with_one_id_the_last_stays(self, index: VectorIndex, settle: Settle) -> None:
        points = [self.point("a", self.at(0)), self.point("b", self.at(10)), self.point("a", self.at(90))]
        run(index, index.upsert(points))
        settle(index)
        assert self.found(index) == ["b", "a"]
        assert run(index, index.count()) == 2

    def test_upserting_nothing_does_nothing(self, index: VectorIndex) -> None:
        run(index, index.upsert([]))
        assert run(index, index.count()) == 0

    def test_later_changes_of_what_was_handed_in_change_nothing(
        self, index: VectorIndex, settle: Settle
    ) -> None:
        vector, metadata = self.at(0).copy(), {"color": "red", "list": ["a"]}
        run(index, index.upsert([Point(id="a", vector=vector, fields={"metadata": metadata})]))
        settle(index)
        vector[:] = self.at(180)
        metadata["color"] = "blue"
        assert isinstance(metadata["list"], list)
        metadata["list"].append("b")
        match = run(index, index.search(self.axis(0), limit=1, where={"color": "red", "list": ["a"]}))
        assert [m.id for m in match] == ["a"]
        assert match[0].similarity == pytest.approx(1, abs=self.tolerance)

    @pytest.mark.parametrize(
        "name", ["żółw 🐢", "'; DROP TABLE x; --", "a b\n", "x" * 512, "00000000-0000", "1"]
    )
    def test_ids_may_be_any_text(self, index: VectorIndex, settle: Settle, name: str) -> None:
        self.put(index, settle, **{name: self.at(0), "other": self.at(50)})
        assert self.found(index, limit=1) == [name]
        assert run(index, index.ids()) == sorted([name, "other"])
        run(index, index.delete([name]))
        settle(index)
        assert run(index, index.ids()) == ["other"]

    # ------------------------------------------------------------------------------------- dimension

    @pytest.mark.parametrize("size", [0, 1, 15, 17, 32])
    def test_a_vector_of_another_dimension_is_refused_and_nothing_stored(
        self, index: VectorIndex, size: int
    ) -> None:
        wrong = np.ones(size, dtype=np.float32)
        with pytest.raises(EmbeddingError):
            run(index, index.upsert([self.point("good", self.at(0)), self.point("bad", wrong)]))
        with pytest.raises(EmbeddingError):
            run(index, index.search(wrong, limit=1))
        assert run(index, index.count()) == 0

    def test_a_matrix_is_not_a_vector(self, index: VectorIndex) -> None:
        with pytest.raises(EmbeddingError):
            run(index, index.search(self.at(0)[None], limit=1))

    @pytest.mark.parametrize("bad", [float("nan"), float("inf")])
    def test_nan_and_infinity_are_refused_and_nothing_stored(self, index: VectorIndex, bad: float) -> None:
        wrong = self.at(0).copy()
        wrong[1] = bad
        with pytest.raises(EmbeddingError):
            run(index, index.upsert([self.point("good", self.at(0)), self.point("bad", wrong)]))
        with pytest.raises(EmbeddingError):
            run(index, index.search(wrong, limit=1))
        assert run(index, index.count()) == 0

    # --------------------------------------------------------------------------------------- filters

    def test_a_filter_on_metadata_holds(self, index: VectorIndex, settle: Settle) -> None:
        self.colors(index, settle)
        assert self.found(index, where={"color": "red"}) == ["r1", "r2"]
        assert self.found(index, where={"color": {"$ne": "red"}}) == ["b1", "none", "null"]
        assert self.found(index, where={"color": {"$in": ["blue", "green"]}}) == ["b1"]

    def test_two_clauses_on_one_key_must_both_hold(self, index: VectorIndex, settle: Settle) -> None:
        points = [self.point(f"p{size}", self.at(size), size=size) for size in range(10)]
        run(index, index.upsert(points))
        settle(index)
        assert self.found(index, where={"size": {"$gt": 3, "$lt": 6}}) == ["p4", "p5"]
        assert self.found(index, where={"$or": [{"size": 1}, {"size": {"$gte": 8}}]}) == ["p1", "p8", "p9"]
        assert self.found(index, where={"$not": {"size": {"$gte": 2}}}) == ["p0", "p1"]

    def test_a_number_is_never_compared_as_text(self, index: VectorIndex, settle: Settle) -> None:
        points = [
            self.point("number 5", self.at(1), size=5),
            self.point("number 10", self.at(2), size=10),
            self.point("float 5", self.at(3), size=5.0),
            self.point("text 5", self.at(4), size="5"),
            self.point("true", self.at(5), size=True),
            self.point("number 1", self.at(6), size=1),
        ]
        run(index, index.upsert(points))
        settle(index)
        assert self.found(index, where={"size": 5}) == ["number 5", "float 5"]
        assert self.found(index, where={"size": "5"}) == ["text 5"]
        assert self.found(index, where={"size": True}) == ["true"]
        assert self.found(index, where={"size": 1}) == ["number 1"]
        assert self.found(index, where={"size": {"$gt": 5}}) == ["number 10"]
        assert self.found(index, where={"size": {"$lt": "6"}}) == ["text 5"]

    def test_missing_and_null_are_alike_but_for_exists(self, index: VectorIndex, settle: Settle) -> None:
        self.colors(index, settle)
        assert self.found(index, where={"color": None}) == ["none", "null"]
        assert self.found(index, where={"color": {"$ne": None}}) == ["r1", "b1", "r2"]
        assert self.found(index, where={"color": {"$exists": True}}) == ["r1", "b1", "r2", "null"]
        assert self.found(index, where={"color": {"$exists": False}}) == ["none"]

    def test_nested_keys_lists_and_texts_are_searched(self, index: VectorIndex, settle: Settle) -> None:
        points = [
            self.point("a", self.at(1), address={"city": "Łódź"}, words=["one", "two"], note="hello world"),
            self.point("b", self.at(2), address={"city": "Paris"}, words=["two"], note="world"),
            self.point("c", self.at(3), address="Paris"),
        ]
        run(index, index.upsert(points))
        settle(index)
        assert self.found(index, where={"address.city": "Łódź"}) == ["a"]
        assert self.found(index, where={"words": {"$contains": "two"}}) == ["a", "b"]
        assert self.found(index, where={"words": ["two"]}) == ["b"]
        assert self.found(index, where={"note": {"$contains": "hello"}}) == ["a"]
        assert self.found(index, where={"address": {"city": "Paris"}}) == ["b"]

    def test_record_fields_and_metadata_of_one_name_are_apart(
        self, index: VectorIndex, settle: Settle
    ) -> None:
        points = [
            Point(id="a", vector=self.at(1), fields={"category": "food", "metadata": {"category": "work"}}),
            Point(id="b", vector=self.at(2), fields={"category": "work", "metadata": {}}),
        ]
        run(index, index.upsert(points))
        settle(index)
        assert self.found(index, where={"category": "work"}) == ["b"]
        assert self.found(index, where={"metadata.category": "work"}) == ["a"]

    def test_times_are_compared_as_instants(self, index: VectorIndex, settle: Settle) -> None:
        points = [
            Point(
                id="a", vector=self.at(1), fields={"created_at": "2024-05-01T12:00:00+02:00", "metadata": {}}
            ),
            Point(
                id="b", vector=self.at(2), fields={"created_at": "2024-05-01T11:00:00+00:00", "metadata": {}}
            ),
        ]
        run(index, index.upsert(points))
        settle(index)
        noon = datetime(2024, 5, 1, 10, 30, tzinfo=UTC)
        assert self.found(index, where={"created_at": {"$lt": noon}}) == ["a"]
        assert self.found(index, where={"created_at": {"$gt": noon.isoformat()}}) == ["b"]

    def test_the_filter_comes_before_the_cut(self, index: VectorIndex, settle: Settle) -> None:
        vectors = self.random(np.random.default_rng(5), self.many)
        query = self.axis(0)
        worst = np.argsort(vectors @ query)[:10]
        rare = set(worst.tolist())
        for at in range(0, self.many, 5000):
            rows = range(at, min(at + 5000, self.many))
            run(index, index.upsert([self.point(f"p{row}", vectors[row], rare=row in rare) for row in rows]))
        settle(index)
        expected = [f"p{row}" for row in worst[np.argsort(-(vectors[worst] @ query))]]
        assert self.found(index, query, limit=10, where={"rare": True}) == expected
        assert self.found(index, query, limit=3, where={"rare": True}) == expected[:3]
        assert self.found(index, query, limit=50, where={"rare": True}) == expected

    def test_an_empty_filter_is_no_filter(self, index: VectorIndex, settle: Settle) -> None:
        self.put(index, settle, a=self.at(0))
        assert self.found(index, where={}) == ["a"]

    @pytest.mark.parametrize(
        "where", [{"$bad": 1}, {"size": {"$near": 1}}, {"$or": []}, {"size": {"$in": 1}}]
    )
    def test_a_filter_that_cannot_be_understood_is_refused(
        self, index: VectorIndex, where: Mapping[str, Any]
    ) -> None:
        with pytest.raises(InvalidQuery):
            run(index, index.search(self.axis(0), limit=1, where=where))

    # ----------------------------------------------------------------------- delete, ids, count, clear

    def test_what_was_deleted_is_never_found(self, index: VectorIndex, settle: Settle) -> None:
        self.put(index, settle, a=self.at(0), b=self.at(10), c=self.at(170))
        run(index, index.delete(["a", "unknown"]))
        settle(index)
        assert self.found(index) == ["b", "c"]
        assert run(index, index.count()) == 2
        assert run(index, index.ids()) == ["b", "c"]

    def test_deleting_what_is_not_there_is_no_error(self, index: VectorIndex) -> None:
        run(index, index.delete(["unknown"]))
        run(index, index.delete([]))

    def test_a_deleted_id_can_come_back(self, index: VectorIndex, settle: Settle) -> None:
        self.put(index, settle, a=self.at(0), b=self.at(90))
        run(index, index.delete(["a"]))
        self.put(index, settle, a=self.at(180))
        assert self.found(index) == ["b", "a"]
        assert run(index, index.count()) == 2

    def test_ids_come_in_order_and_in_pages(self, index: VectorIndex, settle: Settle) -> None:
        names = sorted(f"p{number}" for number in range(250))
        self.put(index, settle, **dict.fromkeys(reversed(names), self.at(0)))
        seen: list[str] = []
        while page := run(index, index.ids(after=seen[-1] if seen else None, limit=40)):
            assert len(page) <= 40
            seen += page
        assert seen == names
        assert run(index, index.ids(after="p1zzz", limit=1)) == ["p2"]

    def test_clear_removes_every_point_and_the_index_goes_on(
        self, index: VectorIndex, settle: Settle
    ) -> None:
        self.put(index, settle, a=self.at(0), b=self.at(90))
        run(index, index.clear())
        settle(index)
        assert run(index, index.count()) == 0
        assert self.found(index) == []
        self.put(index, settle, c=self.at(0))
        assert self.found(index) == ["c"]

    # ----------------------------------------------------------------------------------- many at once

    def test_calls_at_once_lose_nothing(self, index: VectorIndex, settle: Settle) -> None:
        vectors = self.random(np.random.default_rng(6), 800)

        async def work(part: int) -> None:
            for at in range(part * 100, part * 100 + 100, 10):
                await index.upsert([self.point(f"p{row}", vectors[row]) for row in range(at, at + 10)])
                matches = await index.search(vectors[at], limit=5)
                assert all(-1 <= match.similarity <= 1 for match in matches)
                await index.delete([f"p{at}"])

        race(index, [_working(work, part) for part in range(8)])
        settle(index)
        assert run(index, index.count()) == 720
        assert set(run(index, index.ids(limit=1000))) == {f"p{row}" for row in range(800) if row % 10}
        for row in range(1, 800, 97):
            if row % 10:
                assert self.found(index, vectors[row], limit=1) == [f"p{row}"]

    # ------------------------------------------------------------------------------------ life cycle

    def test_an_open_part_answers_a_ping(self, index: VectorIndex) -> None:
        run(index, index.ping())

    def test_every_call_after_close_raises_closed(self, index: VectorIndex) -> None:
        run(index, index.close())
        calls: list[Callable[[], Awaitable[Any]]] = [
            index.ping,
            index.count,
            index.ids,
            index.clear,
            lambda: index.upsert([self.point("a", self.at(0))]),
            lambda: index.delete(["a"]),
            lambda: index.search(self.at(0), limit=1),
        ]
        for call in calls:
            with pytest.raises(Closed):
                run(index, call())

    def test_closing_twice_is_fine(self, index: VectorIndex) -> None:
        run(index, index.close())
        run(index, index.close())

    # --------------------------------------------------------------------------------------- helpers

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
        return _unit(random.normal(size=(count, self.dimension)))

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


def _unit(vectors: Any) -> Vectors:
    unit: Vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return unit


def _working(call: Callable[[int], Awaitable[None]], part: int) -> Callable[[], Awaitable[None]]:
    return lambda: call(part)
