"""Filters: every store agrees with `memwell.filters.matches`."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from memwell.errors import InvalidQuery
from memwell.filters import matches, parse
from memwell.testing.samples import START, drafts, embedding, wheres
from memwell.testing.stores._harness import Harness, StoreSuite
from memwell.testing.stores.exact_filtering import found_by, put_values
from memwell.types import Scope

__all__ = ["Filtering"]

SHARED = [HealthCheck.function_scoped_fixture, HealthCheck.differing_executors, HealthCheck.too_slow]


class Filtering(StoreSuite):
    """Part of `StoreConformance`."""

    def test_two_clauses_on_one_key_must_both_hold(self, harness: Harness) -> None:
        put_values(harness, one=1, three=3, five=5)
        assert found_by(harness, {"k": {"$gt": 1, "$lt": 5}}) == {"three"}
        assert found_by(harness, {"$and": [{"k": {"$gt": 1}}, {"k": {"$lt": 5}}]}) == {"three"}
        assert found_by(harness, {"$and": [{"k": 1}, {"k": 3}]}) == set()
        assert found_by(harness, {"k": {"$ne": 1, "$nin": [5]}}) == {"three"}

    def test_a_number_is_not_its_text(self, harness: Harness) -> None:
        put_values(harness, number=10, text="10", small=9, fraction=10.0)
        assert found_by(harness, {"k": 10}) == {"number", "fraction"}
        assert found_by(harness, {"k": "10"}) == {"text"}
        assert found_by(harness, {"k": {"$gt": 9}}) == {"number", "fraction"}
        assert found_by(harness, {"k": {"$gt": "0"}}) == {"text"}
        assert found_by(harness, {"k": {"$in": ["10", 9]}}) == {"text", "small"}

    def test_numbers_are_compared_as_numbers(self, harness: Harness) -> None:
        put_values(harness, two=2, ten=10, minus=-1, tenth=0.1, huge=2**53 + 1)
        assert found_by(harness, {"k": {"$gte": 2}}) == {"two", "ten", "huge"}
        assert found_by(harness, {"k": {"$lt": 0.5}}) == {"minus", "tenth"}
        assert found_by(harness, {"k": 2**53}) == set()

    def test_true_is_not_one(self, harness: Harness) -> None:
        put_values(harness, true=True, one=1, false=False, zero=0, text="true")
        assert found_by(harness, {"k": True}) == {"true"}
        assert found_by(harness, {"k": 1}) == {"one"}
        assert found_by(harness, {"k": False}) == {"false"}
        assert found_by(harness, {"k": 0}) == {"zero"}
        assert found_by(harness, {"k": {"$gte": 0}}) == {"one", "zero"}
        assert found_by(harness, {"k": {"$in": [True, 0]}}) == {"true", "zero"}

    def test_missing_and_null_are_alike_but_for_exists(self, harness: Harness) -> None:
        put_values(harness, null=None, missing=..., empty="", zero=0)
        assert found_by(harness, {"k": None}) == {"null", "missing"}
        assert found_by(harness, {"k": {"$exists": True}}) == {"null", "empty", "zero"}
        assert found_by(harness, {"k": {"$exists": False}}) == {"missing"}
        assert found_by(harness, {"k": {"$ne": None}}) == {"empty", "zero"}
        assert found_by(harness, {"k": {"$in": [None, 0]}}) == {"null", "missing", "zero"}

    def test_not_equal_matches_what_has_no_such_key(self, harness: Harness) -> None:
        put_values(harness, x="x", y="y", missing=..., null=None)
        assert found_by(harness, {"k": {"$ne": "x"}}) == {"y", "missing", "null"}
        assert found_by(harness, {"k": {"$nin": ["x", "y"]}}) == {"missing", "null"}
        assert found_by(harness, {"$not": {"k": "x"}}) == {"y", "missing", "null"}
        assert found_by(harness, {"k": {"$not": {"$gt": "x"}}}) == {"x", "missing", "null"}

    def test_nested_keys_are_reached_with_dots(self, harness: Harness) -> None:
        put_values(harness, deep={"city": {"name": "Łódź"}}, flat="Łódź", list=[{"city": 1}], empty={})
        assert found_by(harness, {"k.city.name": "Łódź"}) == {"deep"}
        assert found_by(harness, {"metadata.k.city": {"$exists": True}}) == {"deep"}
        assert found_by(harness, {"k.city": {"$eq": {"name": "Łódź"}}}) == {"deep"}
        assert found_by(harness, {"k.city.name.more": {"$exists": True}}) == set()

    def test_a_metadata_key_named_like_a_field_is_reached_by_its_full_name(self, harness: Harness) -> None:
        harness.insert("word a", "a", metadata={"category": "meta"}, category="field")
        assert found_by(harness, {"category": "field"}) == {"a"}
        assert found_by(harness, {"category": "meta"}) == set()
        assert found_by(harness, {"metadata.category": "meta"}) == {"a"}

    def test_lists_and_mappings_are_compared_as_wholes(self, harness: Harness) -> None:
        put_values(harness, list=[1, "a"], other=["a", 1], mapping={"x": 1, "y": None}, one=1)
        assert found_by(harness, {"k": [1, "a"]}) == {"list"}
        assert found_by(harness, {"k": {"$eq": {"y": None, "x": 1}}}) == {"mapping"}
        assert found_by(harness, {"k": {"$contains": "a"}}) == {"list", "other"}
        assert found_by(harness, {"k": {"$contains": 1}}) == {"list", "other"}
        assert found_by(harness, {"k": {"$contains": True}}) == set()

    def test_contains_finds_a_part_of_a_text_and_case_matters(self, harness: Harness) -> None:
        put_values(harness, a="50% off_now", b="50 off now", c="OFF")
        assert found_by(harness, {"k": {"$contains": "% off_"}}) == {"a"}
        assert found_by(harness, {"k": {"$contains": "off"}}) == {"a", "b"}
        assert found_by(harness, {"content": {"$contains": "word"}}) == {"a", "b", "c"}

    def test_dates_are_compared_as_instants(self, harness: Harness) -> None:
        east = timezone(timedelta(hours=5))
        put_values(
            harness,
            noon="2024-05-01T12:00:00+00:00",
            same="2024-05-01T17:00:00+05:00",
            later="2024-05-02",
            text="not a date",
            number=20240501,
        )
        noon = datetime(2024, 5, 1, 17, tzinfo=east)
        assert found_by(harness, {"k": noon}) == {"noon", "same"}
        assert found_by(harness, {"k": {"$gt": noon}}) == {"later"}
        assert found_by(harness, {"k": {"$lte": noon}}) == {"noon", "same"}
        assert found_by(harness, {"k": {"$in": [noon, 20240501]}}) == {"noon", "same", "number"}
        assert found_by(harness, {"k": {"$ne": noon}}) == {"later", "text", "number"}

    def test_record_times_take_datetimes_and_text(self, harness: Harness) -> None:
        for hour in range(4):
            harness.insert(f"word {hour}", f"h{hour}", at=START + timedelta(hours=hour))
        after = START + timedelta(hours=1)
        assert found_by(harness, {"created_at": {"$gt": after}}) == {"h2", "h3"}
        assert found_by(harness, {"created_at": {"$gt": after.isoformat()}}) == {"h2", "h3"}
        local = after.astimezone(timezone(timedelta(hours=-7)))
        assert found_by(harness, {"created_at": local}) == {"h1"}
        assert found_by(harness, {"created_at": after.astimezone(UTC).replace(tzinfo=None)}) == {"h1"}

    def test_record_fields_can_be_asked(self, harness: Harness) -> None:
        scope = Scope(user_id="ann", session_id="s")
        harness.insert("word a", "a", scope=scope, category="c", importance=0.9, tags=("x", "y"), ttl=60)
        harness.insert("word b", "b", source="mail", kind="fact")
        harness.update("b", tier="long")
        wheres: list[dict[str, Any]] = [
            {"user_id": "ann"},
            {"session_id": {"$exists": True}},
            {"tags": {"$contains": "x"}},
            {"tags": ["x", "y"]},
            {"tags": {"$in": [["z"], ["x", "y"]]}},
            {"importance": {"$gt": 0.5}},
            {"expires_at": {"$exists": True}},
            {"version": 1},
            {"category": {"$in": ["c", "d"]}},
        ]
        for where in wheres:
            assert found_by(harness, where) == {"a"}
            assert found_by(harness, {"$not": where}) == {"b"}
        assert found_by(harness, {"tier": "long", "kind": "fact", "source": "mail"}) == {"b"}
        for field in ("tags", "category", "importance", "created_at", "user_id"):
            assert found_by(harness, {field: {"$in": []}}) == set()
            assert found_by(harness, {field: {"$nin": []}}) == {"a", "b"}

    def test_recalls_can_be_asked(self, harness: Harness) -> None:
        harness.insert("word a", "a")
        harness.insert("word b", "b")
        harness.touch("a", 3)
        assert found_by(harness, {"access_count": {"$gte": 3}}) == {"a"}
        assert found_by(harness, {"access_count": 0}) == {"b"}
        assert found_by(harness, {"last_accessed_at": {"$exists": False}}) == {"b"}

    def test_or_and_not_nest(self, harness: Harness) -> None:
        put_values(harness, one=1, two=2, three=3, missing=...)
        where = {"$or": [{"k": 1}, {"$and": [{"k": {"$gt": 1}}, {"$not": {"k": 3}}]}]}
        assert found_by(harness, where) == {"one", "two"}
        assert found_by(harness, {"$not": where}) == {"three", "missing"}
        assert found_by(harness, {"$or": [{"k": 1}, {"k": 3}], "k": {"$ne": 3}}) == {"one"}
        assert found_by(harness, {}) == {"one", "two", "three", "missing"}
        assert found_by(harness, {"k": {"$in": []}}) == set()
        assert found_by(harness, {"k": {"$nin": []}}) == {"one", "two", "three", "missing"}

    def test_what_is_no_filter_is_refused_and_never_ignored(self, harness: Harness) -> None:
        harness.insert("word a", "a")
        wheres: list[dict[str, Any]] = [
            {"k": {"$like": "x"}},
            {"$k": 1},
            {"k": {"$in": "text"}},
            {"importance": "high"},
            {"created_at": "yesterday"},
            {"": 1},
        ]
        for where in wheres:
            for call in (harness.scan, harness.count, lambda where: harness.delete(where=where)):
                with pytest.raises(InvalidQuery):
                    call(where)
        assert harness.ids() == ["a"]

    def test_operands_and_keys_are_never_read_as_code(self, harness: Harness) -> None:
        for text in ("' OR 1=1 --", '"; DROP TABLE records; --', "$.k", "{{k}}", "\\", "%", "*"):
            id = f"with {text}"
            harness.insert(f"word {text}", id, metadata={"k": text})
            assert found_by(harness, {"k": text}) == {id}
            if '"' not in text and not text.startswith("$"):
                assert found_by(harness, {text.replace(".", ""): {"$exists": True}}) == set()

    # ----------------------------------------------------------------------------------------- random ones

    @settings(suppress_health_check=SHARED)
    @given(
        fields=st.lists(drafts(), min_size=1, max_size=4), trees=st.lists(wheres(), min_size=1, max_size=5)
    )
    def test_random_filters_find_what_the_definition_says(
        self, harness: Harness, fields: list[dict[str, Any]], trees: list[dict[str, Any]]
    ) -> None:
        sound = [where for where in trees if _sound(where)]
        assume(sound)
        tenant = uuid.uuid4().hex
        inserts = [harness.insertion(**_draft(values, tenant, f"r{n}")) for n, values in enumerate(fields)]
        harness.write(*inserts)
        scope = Scope(tenant_id=tenant)
        for where in sound:
            expected = [insert.record.id for insert in inserts if matches(insert.record, where)]
            assert harness.ids(where, scope=scope) == expected
            assert harness.count(where, scope=scope) == len(expected)
            if harness.can("vectors"):
                found = harness.search(where=where, scope=scope, vector=embedding(0).vectors[0])
                assert set(found.ids.values()) <= set(expected)


def _sound(where: dict[str, Any]) -> bool:
    try:
        parse(where)
    except InvalidQuery:
        return False
    return True


def _draft(values: dict[str, Any], tenant: str, id: str) -> dict[str, Any]:
    rest = dict(values)
    scope = Scope(tenant_id=tenant, user_id=rest.pop("user_id"), session_id=rest.pop("session_id"))
    return {**rest, "id": id, "scope": scope}
