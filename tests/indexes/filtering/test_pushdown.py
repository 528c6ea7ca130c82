"""Filters as conditions on columns: never narrower than the filter, and its equal where they say so."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings

from memwell import filters
from memwell.errors import InvalidInput, InvalidQuery
from memwell.filters import Not
from memwell.indexes.filtering.field_columns import COLUMNS, columns, decoded, encoded
from memwell.indexes.filtering.pushdown import (
    Compare,
    Condition,
    Every,
    OneOf,
    Some,
    Unless,
    inward,
    limited,
    pushed,
)
from memwell.testing.samples import START, drafts, record, wheres
from memwell.types import Record, Scope


def holds(condition: Condition | None, row: Mapping[str, Any]) -> bool:
    """What a service makes of a condition."""
    match condition:
        case None:
            return True
        case OneOf(column, values) if condition.listed:
            return any(value in row[column] for value in values)
        case OneOf(column, values):
            return row[column] in values
        case Compare(column, bound, number):
            value = row[column]
            return {
                "gt": value > number,
                "gte": value >= number,
                "lt": value < number,
                "lte": value <= number,
            }[bound]
        case Every(parts):
            return all(holds(part, row) for part in parts)
        case Some(parts):
            return any(holds(part, row) for part in parts)
        case Unless(part):
            return not holds(part, row)
    raise AssertionError(condition)


def check(made: Record, where: Mapping[str, Any]) -> None:
    node = filters.parse(where)
    if any(clause.field == "content" for clause in filters.clauses(node)):
        return  # an index is not told the content
    found = filters.fields(made)
    row, passes = columns(found), filters.matches_fields(found, node)
    loose, opposite = pushed(node), pushed(Not(node))
    assert holds(loose.condition, row) or not passes
    assert holds(opposite.condition, row) or passes, "the tightest condition, turned round"
    if loose.exact:
        assert holds(loose.condition, row) is passes
    if loose.nothing:
        assert not passes
    for most in (1, 2, 5):
        short = limited(loose, most)
        assert holds(short.condition, row) or not passes
        assert short.condition == loose.condition or not short.exact
    for each in (loose.condition, opposite.condition):
        if each is not None:
            assert holds(inward(each), row) is holds(each, row)
    assert filters.matches_fields(decoded(encoded(found)), node) is passes


@settings(suppress_health_check=[HealthCheck.filter_too_much])
@given(drafts(), wheres())
def test_a_condition_holds_wherever_its_filter_does(draft: dict[str, Any], where: Mapping[str, Any]) -> None:
    try:
        filters.parse(where)
    except InvalidQuery:
        assume(False)
    scope = Scope(tenant_id="t", user_id=draft.pop("user_id"), session_id=draft.pop("session_id"))
    check(Record(id="r", scope=scope, **draft), where)


def rich(**changes: Any) -> Record:
    made: dict[str, Any] = {
        "scope": Scope(tenant_id="t", user_id="ann", session_id="s1"),
        "tags": ("work", "home"),
        "importance": 0.25,
        "metadata": {"a": {"b": [1, "x", None]}, "n": 5, "t": "2024-05-01T14:00:00+02:00", "no": None},
    }
    return record("text", id="r", **(made | changes))


WHERES: list[dict[str, Any]] = [
    {"tenant_id": "t", "$or": [{"expires_at": None}, {"expires_at": {"$gt": START}}]},
    {"user_id": {"$in": ["ann", "bob"]}},
    {"agent_id": None},
    {"agent_id": {"$ne": None}},
    {"user_id": {"$nin": ["ann"]}},
    {"user_id": {"$gt": "a"}},
    {"user_id": {"$contains": "nn"}},
    {"user_id": {"$exists": True}},
    {"tags": {"$contains": "work"}},
    {"tags": ["work", "home"]},
    {"tags": {"$ne": []}},
    {"importance": 0.25},
    {"importance": {"$lt": 1}},
    {"importance": {"$lt": 1e300}},
    {"created_at": {"$lte": START}},
    {"created_at": {"$in": [START, None]}},
    {"created_at": {"$not": {"$gt": START}}},
    {"version": {"$gte": 1}},
    {"a.b": {"$contains": 1.0}},
    {"a.b": {"$contains": "x"}},
    {"a.b": [1, "x", None]},
    {"a": {"b": [1, "x", None]}},
    {"a": {"$exists": True}, "no": {"$exists": True}, "nothing": {"$exists": False}},
    {"no": None, "nothing": None, "n": {"$ne": None}},
    {"n": {"$in": [5.0, "5"]}},
    {"n": {"$gt": 4, "$lt": 6}},
    {"n": {"$gt": True}},
    {"t": START},
    {"t": {"$contains": "05-01"}},
    {"$not": {"$or": [{"n": 5}, {"user_id": "bob"}]}},
    {"n": {"$in": []}},
    {},
]


@pytest.mark.parametrize("where", WHERES, ids=str)
def test_conditions_of_every_kind_hold_wherever_their_filters_do(where: dict[str, Any]) -> None:
    for made in (
        rich(),
        rich(expires_at=START),
        rich(metadata={}, tags=()),
        rich(scope=Scope(tenant_id="u")),
    ):
        check(made, where)
        check(made, {"$not": where} if where else {})


def test_what_is_asked_at_every_search_needs_no_second_look() -> None:
    for where in WHERES[:5]:
        assert pushed(filters.parse(where)).exact, where


def test_what_no_column_says_is_left_to_a_second_look() -> None:
    for where in ({"version": {"$gte": 1}}, {"user_id": {"$gt": "a"}}, {"importance": {"$lt": 1e300}}):
        found = pushed(filters.parse(where))
        assert (found.condition, found.exact) == (None, False)


def test_no_two_texts_stand_alike_and_none_as_an_absent_one() -> None:
    texts = [None, "", "-", "-?", "x", "X", "x" * 200, "x" * 201, "x" * 202, "ż", "-" + "0" * 32]
    seen = {str(columns({"metadata": {}, "user_id": value})["f_user_id"]) for value in texts}
    assert len(seen) == len(texts)
    assert max(map(len, seen)) == 200


def test_every_point_has_every_column() -> None:
    for fields in ({"metadata": {}}, filters.fields(rich())):
        row = columns(fields)
        assert sorted(row) == sorted(COLUMNS)
        assert all(value not in ("", [], None) for value in row.values())


def test_fields_are_json() -> None:
    at = datetime.fromisoformat("2024-05-01T12:00:00+00:00")
    assert json.loads(encoded({"metadata": {"at": at, "list": (1, 2)}})) == {
        "metadata": {"at": "2024-05-01T12:00:00+00:00", "list": [1, 2]}
    }
    with pytest.raises(InvalidInput, match="JSON"):
        encoded({"metadata": {"x": object()}})


def test_a_service_that_takes_few_comparisons_is_given_the_short_part_of_a_filter() -> None:
    topic = pushed(filters.parse({"topic": "tea"}))
    long = {"k": {"$in": list(range(50))}}
    assert limited(topic, 1) is topic
    assert limited(pushed(filters.parse(long)), 50).exact
    for where, condition in (
        (long, None),
        ({"k": {"$nin": list(range(50))}}, None),
        ({"topic": "tea", **long}, topic.condition),
        ({"$or": [{"topic": "tea"}, long]}, None),
        ({"$and": [{"topic": {"$contains": f"{n}"}} for n in range(20)]}, None),
    ):
        found = limited(pushed(filters.parse(where)), 10)
        assert (found.condition, found.exact) == (condition, False), where
