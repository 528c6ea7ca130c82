"""Putting, replacing, listing and removing points."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest

from memwell.errors import Closed, NotSupported
from memwell.ports import Point, VectorIndex
from memwell.testing._run import race, run
from memwell.testing.indexes._harness import IndexSuite, Settle
from memwell.testing.samples import LONG_TEXTS, LOOKALIKES

__all__ = ["Keeping"]


class Keeping(IndexSuite):
    """Part of `VectorIndexConformance`."""

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

    def test_arguments_are_not_modified(self, index: VectorIndex, settle: Settle) -> None:
        vectors = [3 * self.at(10), self.at(80).copy()]
        metadata = [{"b": 1, "a": [1, {"x": None}]}, {}]
        points = [
            Point(id=f"p{n}", vector=vector, fields={"kind": "fact", "metadata": metadata[n]})
            for n, vector in enumerate(vectors)
        ]
        query, where = 2 * self.at(0), {"$or": [{"b": {"$in": [1, 2]}}, {"$not": {"kind": "fact"}}]}
        ids = ["p1", "p0"]
        before = copy.deepcopy((points, query, where, ids, metadata))
        run(index, index.upsert(points))
        settle(index)
        assert self.found(index, query, where=where) == ["p0"]
        first = run(index, index.vectors(ids))
        for vector in first.values():
            if vector.flags.writeable:
                vector[:] = 0
        assert self.found(index, limit=2) == ["p0", "p1"]
        run(index, index.delete(ids[:1]))
        assert repr((points, query, where, ids, metadata)) == repr(before)

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

    def test_ids_may_be_any_text(self, index: VectorIndex, settle: Settle) -> None:
        names = ["żółw 🐢", "'; DROP TABLE x; --", "a b\n", "00000000-0000", "1", "a/b?c#d", "%20", '"', "\\"]
        names += ["x" * 512, *LONG_TEXTS, "🐢", "\uffee", "\U0010fffd", "Z", "z"]
        self.put(index, settle, **{name: self.at(number) for number, name in enumerate(names)})
        assert self.found(index, limit=100) == names
        assert run(index, index.ids()) == sorted(names)
        for at in range(0, len(names), 3):
            page = run(index, index.ids(after=sorted(names)[at], limit=4))
            assert page == sorted(names)[at + 1 : at + 5]
        assert set(run(index, index.vectors(names))) == set(names)
        run(index, index.delete(names[::2]))
        settle(index)
        assert run(index, index.ids()) == sorted(names[1::2])

    def test_fields_come_back(self, index: VectorIndex, settle: Settle) -> None:
        fields = {"metadata": {"color": "réd", "list": [1, None, {"a": 0.5}]}, "category": "x", "extra": 2}
        point = Point(id="mem_123", vector=self.at(0), fields=fields)
        run(index, index.upsert([point, self.point("b", self.at(10))]))
        settle(index)
        try:
            found = run(index, index.fields(["mem_123", "away"]))
        except NotSupported:
            pytest.skip("the index does not give back fields")
        assert found == {"mem_123": fields}
        assert run(index, index.fields([])) == {}

    def test_ids_are_compared_exactly(self, index: VectorIndex, settle: Settle) -> None:
        there, away = LOOKALIKES[::2], LOOKALIKES[1::2]
        self.put(index, settle, **{name: self.at(number) for number, name in enumerate(there)})
        assert run(index, index.vectors(away)) == {}
        run(index, index.delete(away))
        settle(index)
        assert self.found(index, limit=100) == list(there)
        self.put(index, settle, **{name: self.at(50 + number) for number, name in enumerate(away)})
        assert self.found(index, limit=100) == [*there, *away]
        assert run(index, index.ids()) == sorted(LOOKALIKES)
        assert (
            run(index, index.ids(after="tea", limit=3))
            == [name for name in sorted(LOOKALIKES) if name > "tea"][:3]
        )

    def test_calls_may_name_many_ids(self, index: VectorIndex, settle: Settle) -> None:
        count = 2_100
        vectors = self.random(np.random.default_rng(8), count)
        names = [f"p{number:04}" for number in range(count)]
        self.put(index, settle, **dict(zip(names, vectors, strict=True)))
        assert run(index, index.count()) == count
        assert run(index, index.ids(limit=count)) == names
        held = run(index, index.vectors(names))
        assert held.keys() == set(names)
        for name in (names[0], names[999], names[1_000], names[-1]):
            assert held[name] == pytest.approx(vectors[names.index(name)], abs=1e-5)
        run(index, index.delete(names[:-30]))
        settle(index)
        assert run(index, index.ids(limit=count)) == names[-30:]

    def test_what_was_deleted_is_never_found(self, index: VectorIndex, settle: Settle) -> None:
        self.put(index, settle, a=self.at(0), b=self.at(10), c=self.at(170))
        run(index, index.delete(["unknown", "a", "missing"]))
        settle(index)
        assert self.found(index) == self.found(index, limit=2) == ["b", "c"]
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

    def test_an_open_part_answers_a_ping(self, index: VectorIndex) -> None:
        run(index, index.ping())

    def test_every_call_after_close_raises_closed(self, index: VectorIndex) -> None:
        run(index, index.close())
        calls: list[Callable[[], Awaitable[Any]]] = [
            index.ping,
            index.count,
            index.ids,
            index.clear,
            lambda: index.vectors(["a"]),
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


def _working(call: Callable[[int], Awaitable[None]], part: int) -> Callable[[], Awaitable[None]]:
    return lambda: call(part)
