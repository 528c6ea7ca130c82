"""Filters: every index agrees with `memwell.filters.matches_fields`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from memwell.errors import InvalidQuery
from memwell.filters import fields, matches_fields, parse
from memwell.ports import Point, VectorIndex, Vectors
from memwell.testing._run import run
from memwell.testing.indexes._harness import IndexSuite, Settle
from memwell.testing.samples import LONG_TEXTS, LOOKALIKES, START, drafts, wheres
from memwell.types import Record, Scope

__all__ = ["Filtering"]

TEXTS = (*LOOKALIKES, *LONG_TEXTS, "z", "\uffff", "\U0001f600")
SHARED = [HealthCheck.function_scoped_fixture, HealthCheck.differing_executors, HealthCheck.too_slow]


class Filtering(IndexSuite):
    """Part of `VectorIndexConformance`."""

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
            self.point("c", self.at(3), address="Paris", deep={"a": {"b": {"c": {"d": 1, "e": 2}}}}),
            self.point("d", self.at(4), deep={"a": {"b": {"c": 1, "d": 1}}}, size=[5, True, "two"]),
        ]
        run(index, index.upsert(points))
        settle(index)
        assert self.found(index, where={"deep.a.b.c.d": 1}) == ["c"]
        assert self.found(index, where={"deep.a.b.c": {"$exists": True}}) == ["c", "d"]
        for item in (5, True, "two"):
            assert self.found(index, where={"size": item}) == [], "a list is not its items"
            assert self.found(index, where={"size": {"$in": [item]}}) == []
            assert self.found(index, where={"size": {"$contains": item}}) == ["d"]
        assert self.found(index, where={"size": {"$gte": 5}}) == []
        assert self.found(index, where={"address.city": "Łódź"}) == ["a"]
        assert self.found(index, where={"words": {"$contains": "two"}}) == ["a", "b"]
        assert self.found(index, where={"words": ["two"]}) == ["b"]
        assert self.found(index, where={"note": {"$contains": "hello"}}) == ["a"]
        for other in ("HELLO", "Hello", "hello  ", "h%", "h_llo", "h.*o"):
            assert self.found(index, where={"note": {"$contains": other}}) == [], other
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

    def test_in_takes_many_values(self, index: VectorIndex, settle: Settle) -> None:
        points = [self.point(f"p{n:02}", self.at(n), n=n, k=f"text {n}") for n in range(60)]
        run(index, index.upsert(points))
        settle(index)
        chosen, count = [f"p{n:02}" for n in range(0, 60, 7)], 1_500
        numbers: list[Any] = [*range(1_000, 1_000 + count), *(int(name[1:]) for name in chosen)]
        texts: list[Any] = [f"text {number}" for number in numbers]
        rest = [f"p{n:02}" for n in range(60) if n % 7]
        for key, values in (("n", numbers), ("k", texts)):
            assert self.found(index, where={key: {"$in": values}}, limit=100) == chosen
            assert self.found(index, where={key: {"$nin": values}}, limit=100) == rest

    def test_an_empty_filter_is_no_filter(self, index: VectorIndex, settle: Settle) -> None:
        self.put(index, settle, a=self.at(0))
        assert self.found(index, where={}) == ["a"]

    def test_a_filter_that_cannot_be_understood_is_refused(self, index: VectorIndex) -> None:
        wheres: list[Mapping[str, Any]] = [
            {"$bad": 1},
            {"size": {"$near": 1}},
            {"$or": []},
            {"size": {"$in": 1}},
        ]
        for where in wheres:
            with pytest.raises(InvalidQuery):
                run(index, index.search(self.axis(0), limit=1, where=where))

    def test_a_parsed_filter_is_a_filter(self, index: VectorIndex, settle: Settle) -> None:
        self.colors(index, settle)
        wheres: list[tuple[Mapping[str, Any], list[str]]] = [
            ({"color": "red"}, ["r1", "r2"]),
            ({"$not": {"color": "red"}}, ["b1", "none", "null"]),
            ({"$or": [{"color": "blue"}, {"color": {"$exists": False}}]}, ["b1", "none"]),
            ({"color": {"$in": []}}, []),
            ({}, ["r1", "b1", "r2", "none", "null"]),
        ]
        for where, expected in wheres:
            matches = run(index, index.search(self.axis(0), limit=10, where=parse(where)))
            assert [match.id for match in matches] == expected == self.found(index, where=where), where

    def test_texts_are_compared_exactly(self, index: VectorIndex, settle: Settle) -> None:
        points = [
            Point(
                id=f"p{number:02}",
                vector=self.at(number),
                fields={"category": text, "tags": [text], "metadata": {"k": text, "l": [text]}},
            )
            for number, text in enumerate(TEXTS)
        ]
        run(index, index.upsert(points))
        settle(index)
        for number, text in enumerate(TEXTS):
            wheres: list[Mapping[str, Any]] = [{"k": text}, {"category": text}]
            if number % 3 == 0:
                wheres += [
                    {"category": {"$in": [text, "none"]}},
                    {"tags": {"$contains": text}},
                    {"l": [text]},
                ]
            for where in wheres:
                assert self.found(index, where=where, limit=100) == [f"p{number:02}"], (where, len(text))
        for text in TEXTS[:20:2]:
            for name in ("k", "category"):
                larger = [f"p{number:02}" for number, other in enumerate(TEXTS) if other > text]
                assert self.found(index, where={name: {"$gt": text}}, limit=100) == larger, (name, text)

    def test_numbers_are_compared_exactly(self, index: VectorIndex, settle: Settle) -> None:
        numbers = [
            0.3,
            0.1 + 0.2,
            1 / 3,
            16_777_217,
            16_777_216,
            2**53,
            2**53 + 1,
            2**63 - 1,
            2**63 - 2,
            1 + 2**-52,
            1,
        ]
        points = [
            Point(id=f"p{n:02}", vector=self.at(n), fields={"importance": n / 30, "metadata": {"k": value}})
            for n, value in enumerate(numbers)
        ]
        run(index, index.upsert(points))
        settle(index)
        for number, value in enumerate(numbers):
            assert self.found(index, where={"k": value}, limit=100) == [f"p{number:02}"], value
            assert self.found(index, where={"importance": number / 30}, limit=100) == [f"p{number:02}"]
            larger = [f"p{n:02}" for n, other in enumerate(numbers) if other > value]
            assert self.found(index, where={"k": {"$gt": value}}, limit=100) == larger, value
            rest = [f"p{n:02}" for n in range(len(numbers)) if n < number]
            assert self.found(index, where={"importance": {"$lt": number / 30}}, limit=100) == rest

    def test_times_are_compared_by_microseconds(self, index: VectorIndex, settle: Settle) -> None:
        moments = [START + timedelta(microseconds=n) for n in range(4)]
        points = [
            Point(
                id=f"p{n}",
                vector=self.at(n),
                fields={"created_at": at.isoformat(), "metadata": {"k": at.isoformat()}},
            )
            for n, at in enumerate(moments)
        ]
        run(index, index.upsert(points))
        settle(index)
        for number, at in enumerate(moments):
            for name in ("created_at", "k"):
                assert self.found(index, where={name: at}) == [f"p{number}"]
                assert self.found(index, where={name: {"$gt": at}}) == [f"p{n}" for n in range(number + 1, 4)]
                assert self.found(index, where={name: {"$lte": at}}) == [f"p{n}" for n in range(number + 1)]

    def test_random_filters_pass_what_they_say(self, index: VectorIndex, settle: Settle) -> None:
        @settings(max_examples=self.filtered, suppress_health_check=SHARED, deadline=None)
        @given(st.lists(drafts(), min_size=1, max_size=4), wheres())
        def check(made: list[dict[str, Any]], where: Mapping[str, Any]) -> None:
            try:
                node = parse(where)
            except InvalidQuery:
                assume(False)
            run(index, index.clear())
            points = [_point(row, draft, self.at(row)) for row, draft in enumerate(made)]
            run(index, index.upsert(points))
            settle(index)
            expected = [point.id for point in points if matches_fields(point.fields, node)]
            assert self.found(index, where=where) == expected
            if expected:
                assert self.found(index, limit=1, where=where) == expected[:1]

        check()


def _point(row: int, draft: Mapping[str, Any], vector: Vectors) -> Point:
    owner = {name: draft[name] for name in ("user_id", "session_id")}
    rest = {name: value for name, value in draft.items() if name not in owner}
    record = Record(id=f"r{row}", scope=Scope(tenant_id="t", **owner), **rest)
    return Point(id=record.id, vector=vector, fields=fields(record))
