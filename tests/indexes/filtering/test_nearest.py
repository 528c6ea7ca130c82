"""The loop that asks a service for more until the answer is sure, and the pages of ids, over services made of lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from memwell import filters
from memwell._bridge import drive
from memwell.errors import BackendError
from memwell.indexes.filtering.nearest import Candidate, Question, nearest
from memwell.indexes.filtering.pushdown import pushed
from memwell.indexes.listing import Listing
from memwell.indexes.metrics import similarities, similarity
from memwell.ports import Match, Metric, Vectors


class Lists:
    """A service that can push nothing down and is off by `noise` in its similarities."""

    def __init__(
        self, vectors: Mapping[str, Vectors], *, noise: float = 0.0, most: int | None = None
    ) -> None:
        self.held, self.noise, self.most = dict(vectors), noise, most
        self.sizes: list[int] = []
        self.compared: list[str] = []

    def search(
        self, limit: int, where: dict[str, Any], *, metric: Metric = "cosine", scan: bool = False
    ) -> list[Match]:
        question = Question(self.query, metric, limit, pushed(filters.parse(where)))

        async def everything() -> list[Candidate]:
            return self._sorted(question)

        async def ask(size: int) -> list[Candidate]:
            assert self.most is None or size <= self.most
            self.sizes.append(size)
            return self._sorted(question)[:size]

        found = nearest(question, ask, self._vectors, most=self.most, scan=everything if scan else None)
        return drive(found)

    query = np.array([1, 0], dtype=np.float32)

    def _sorted(self, question: Question) -> list[Candidate]:
        random = np.random.default_rng(1)
        found = [
            Candidate(
                id=name,
                similarity=similarities([vector], self.query, question.metric)[0]
                + random.uniform(-self.noise, self.noise),
                fields={"metadata": {}, "version": int(name[1:])},
            )
            for name, vector in self.held.items()
        ]
        return sorted(found, key=lambda one: -one.similarity)

    async def _vectors(self, ids: Sequence[str]) -> dict[str, Vectors]:
        self.compared += ids
        return {name: self.held[name] for name in ids if name in self.held}


def at(degrees: float) -> Vectors:
    angle = np.radians(degrees)
    return np.array([np.cos(angle), np.sin(angle)], dtype=np.float32)


FAN = {f"p{row:04}": at(row / 10) for row in range(1000)}


def test_a_filter_that_is_checked_afterwards_never_leaves_an_answer_short() -> None:
    service = Lists(FAN)
    found = service.search(5, {"version": {"$gte": 900}})
    assert [match.id for match in found] == ["p0900", "p0901", "p0902", "p0903", "p0904"]
    assert service.sizes == sorted(service.sizes)
    assert len(service.sizes) < 8, "more and more at a time"
    assert len(Lists(FAN).search(500, {"version": {"$gte": 900}})) == 100


def test_what_passes_everything_is_asked_for_once() -> None:
    service = Lists(FAN)
    assert [match.id for match in service.search(3, {})] == ["p0000", "p0001", "p0002"]
    assert len(service.sizes) == 1


def test_ties_are_distinguished_exactly_and_seen_beyond_the_cut() -> None:
    same = {f"p{row}": at(30) for row in range(100)}
    service = Lists(same, noise=1e-6)
    found = service.search(7, {})
    assert [match.id for match in found] == sorted(same)[:7]
    assert len({match.similarity for match in found}) == 1


def test_only_what_is_too_close_to_call_is_compared_again() -> None:
    service = Lists({"p1": at(10), "p2": at(20), "p3": at(20.00001), "p4": at(40)}, noise=1e-7)
    assert [match.id for match in service.search(4, {})] == ["p1", "p2", "p3", "p4"]
    assert sorted(service.compared) == ["p2", "p3"]


def test_what_vanished_meanwhile_keeps_its_place() -> None:
    service = Lists({"p1": at(10), "p2": at(10)})
    service.held, held = {}, service.held
    service._sorted = lambda _: [Candidate(id=name, similarity=0.9) for name in held]  # type: ignore[method-assign]
    assert [match.id for match in service.search(2, {})] == ["p1", "p2"]


def test_a_service_that_gives_no_more_is_read_as_a_whole_or_says_so() -> None:
    where = {"version": {"$gte": 990}}
    service = Lists(FAN, most=100)
    assert [match.id for match in service.search(2, where, scan=True)] == ["p0990", "p0991"]
    with pytest.raises(BackendError, match="100"):
        Lists(FAN, most=100).search(2, where)
    assert len(Lists(FAN, most=100).search(2, {})) == 2


def test_a_filter_that_nothing_passes_asks_nobody() -> None:
    service = Lists(FAN)
    assert service.search(5, {"topic": {"$in": []}}) == []
    assert service.sizes == []


@pytest.mark.parametrize(
    ("raw", "given", "expected"),
    [
        ("cosine", 1.0000001, 1),
        ("cosine distance", 0.25, 0.75),
        ("cosine distance", 2.0000001, -1),
        ("dot", 12.5, 12.5),
        ("dot distance", -11.5, 12.5),
        ("l2", 2, -1),
        ("squared l2", 4, -1),
    ],
)
def test_what_a_service_says_is_a_similarity(raw: Any, given: float, expected: float) -> None:
    assert similarity(given, raw) == pytest.approx(expected)


# ------------------------------------------------------------------------------------------------ pages of ids


class Shelf:
    """A service that lists its ids in an order of its own."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names, self.reads = list(names), 0
        self.listing = Listing(self._scan)

    async def _scan(self) -> list[str]:
        self.reads += 1
        return list(self.names)

    def page(self, after: str | None, limit: int) -> list[str]:
        return drive(self.listing.page(after, limit))


def test_pages_are_read_once_and_let_go_of_at_the_end() -> None:
    shelf = Shelf(["c", "a", "e", "b", "d"])
    assert shelf.page(None, 2) == ["a", "b"]
    assert shelf.page("b", 2) == ["c", "d"]
    assert shelf.page("d", 2) == ["e"]
    assert shelf.reads == 1
    assert shelf.listing._ids is None
    assert shelf.page("e", 2) == []


def test_a_write_and_a_new_beginning_read_again() -> None:
    shelf = Shelf(["c", "a"])
    assert shelf.page(None, 1) == ["a"]
    shelf.names.append("b")
    shelf.listing.changed()
    assert shelf.page("a", 9) == ["b", "c"]
    assert shelf.page(None, 1) == ["a"]
    shelf.names.append("0")
    assert shelf.page(None, 1) == ["0"], "what another process wrote is seen by who begins again"


def test_a_write_during_the_reading_is_not_missed_by_the_next_page() -> None:
    shelf = Shelf(["a", "b"])

    async def scan() -> list[str]:
        found = list(shelf.names)
        if len(found) == 2:
            shelf.names.append("c")
            shelf.listing.changed()
        return found

    shelf.listing._scan = scan
    assert shelf.page(None, 1) == ["a"]
    assert shelf.page("a", 9) == ["b", "c"]
