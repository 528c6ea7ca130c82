"""What the SQL of any filter must find: exactly the records that `filters.matches` lets through."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memwell import filters
from memwell.errors import InvalidQuery
from memwell.types import Record, Scope

__all__ = ["EXAMPLES", "FilterCases", "Select", "agree", "record"]

EXAMPLES = int(os.environ.get("MEMWELL_EXAMPLES", "200"))
Select = Callable[[Sequence[Record], Any], list[int]]
CHECKS = [HealthCheck.too_slow, HealthCheck.differing_executors]
T0 = datetime(2024, 5, 1, 12, tzinfo=UTC)


def record(metadata: dict[str, Any] | None = None, **fields: Any) -> Record:
    base: dict[str, Any] = {"id": "a", "scope": Scope(), "content": "", "created_at": T0, "updated_at": T0}
    return Record(**(base | {"metadata": metadata or {}} | fields))


# ------------------------------------------------------------------------------------------------ strategies

TEXTS = (
    "", "a", "A", "b", "ab", "é", "e\u0301", "z", "\uffff", "\U0001f600", "1", "true", "null", "[1]", "%",
    "a_", "'", "\\", '"',
)  # fmt: skip
INSTANTS = (
    "2024-05-01T12:00:00+00:00", "2024-05-01T14:00:00+02:00", "2024-05-01T12:00:00", "2024-05-01", "20240501",
    "2024-05-01T12:00:00.000001Z", "0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-01:00", "2024-13-01",
)  # fmt: skip
NUMBERS = (
    0, 1, -1, 2, 1.0, 0.0, -0.0, 0.1, 0.5, 1.5, 1e-320, 5e-324, 1e22, 1e23, 1.7976931348623157e308,
    2**53, 2**53 + 1, float(2**53), 2**62 + 1, 2**63 - 1, -(2**63), float(2**63), -float(2**63), 0.1 + 0.2,
)  # fmt: skip
KEYS = (
    "a", "b", "k", "$", "a b", "a[0]", "[0]", "*", "#", "0", "é", "\\", "a\\b", "\n", "\x7f", "'", "a:b",
    "\U0001f600", "?", "TYPE",
)  # fmt: skip

plain_text = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=4)
texts = st.sampled_from(TEXTS) | st.sampled_from(INSTANTS) | plain_text
integers = st.integers(-(2**63), 2**63 - 1)
floats = st.floats(allow_nan=False, allow_infinity=False)
numbers = st.sampled_from(NUMBERS) | st.integers(-3, 3) | integers | floats | integers.map(float)
scalars = st.none() | st.booleans() | numbers | texts
keys = st.sampled_from(KEYS)
free_keys = keys | plain_text.filter(lambda key: '"' not in key)


def nested(leaves: st.SearchStrategy[Any], names: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves, lambda x: st.lists(x, max_size=3) | st.dictionaries(names, x, max_size=3), max_leaves=5
    )


stored = nested(scalars | st.integers(-(2**70), 2**70), free_keys)
"""Metadata may hold what no operand may: integers over 64 bits."""
plain_keys = free_keys.filter(lambda key: not key.startswith("$"))
operands = nested(scalars, plain_keys)
moments = st.builds(
    lambda micro, hours: T0.astimezone(timezone(timedelta(hours=hours))) + timedelta(microseconds=micro),
    st.sampled_from([0, 0, 1, -1, 86_400_000_000, -43_200_000_000]),
    st.integers(-12, 12),
)
optional_text = st.none() | texts


@st.composite
def records(draw: st.DrawFn) -> Record:
    count = draw(st.integers(0, 2))
    return record(
        draw(st.dictionaries(free_keys, stored, max_size=4)),
        id=draw(texts),
        content=draw(texts),
        kind=draw(texts),
        category=draw(optional_text),
        tier=draw(optional_text),
        source=draw(optional_text),
        scope=Scope(
            user_id=draw(optional_text), session_id=draw(optional_text), agent_id=draw(optional_text)
        ),
        importance=draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]) | st.floats(0, 1)),
        version=draw(st.integers(1, 3)),
        tags=tuple(draw(st.lists(texts, max_size=3))),
        created_at=draw(moments),
        expires_at=draw(st.none() | moments),
        valid_from=draw(st.none() | moments),
        access_count=count,
        last_accessed_at=draw(moments) if count else None,
    )


ORDERED = ("$gt", "$gte", "$lt", "$lte")
SINGLE = ("$eq", "$ne")
MANY = ("$in", "$nin")


def comparison(
    operators: Sequence[str], operand: st.SearchStrategy[Any], ordered: st.SearchStrategy[Any]
) -> st.SearchStrategy[Any]:
    takes = {
        **dict.fromkeys(SINGLE, operand),
        **dict.fromkeys(MANY, st.lists(operand, max_size=5)),
        **dict.fromkeys((*ORDERED, "$contains"), ordered),
        "$exists": st.booleans(),
    }

    @st.composite
    def draw_one(draw: st.DrawFn) -> dict[str, Any]:
        chosen = draw(st.lists(st.sampled_from(operators), min_size=1, max_size=2))
        return {operator: draw(takes[operator]) for operator in chosen}

    return draw_one()


EVERY = filters.OPERATORS
present = scalars.filter(lambda x: x is not None)
optional_moments = st.none() | moments
metadata_comparison = comparison(
    [o for o in EVERY if o != "$contains"], operands | moments, present | moments
) | comparison(["$contains"], operands, operands.filter(lambda x: x is not None))
text_comparison = comparison(EVERY, optional_text, texts)
number_comparison = comparison(EVERY, st.none() | numbers, numbers)
time_comparison = comparison([o for o in EVERY if o != "$contains"], optional_moments, moments)
tag_comparison = comparison([*SINGLE, *MANY, "$contains", "$exists"], st.lists(scalars, max_size=3), texts)


@st.composite
def leaves(draw: st.DrawFn) -> dict[str, Any]:
    name = draw(st.sampled_from(["metadata"] * 12 + sorted(filters.FIELDS)))
    if name == "metadata":
        path = draw(st.lists(keys, min_size=1, max_size=3))
        found = draw(metadata_comparison)
        return {"metadata." + ".".join(path): {"$not": found} if draw(st.booleans()) else found}
    if name in filters.TEXTS:
        return {name: draw(text_comparison)}
    if name in filters.NUMBERS:
        return {name: draw(number_comparison)}
    return {name: draw(time_comparison if name in filters.TIMES else tag_comparison)}


@st.composite
def wheres(draw: st.DrawFn, depth: int = 0) -> dict[str, Any]:
    kind = draw(st.sampled_from(["leaf", "leaf", "$not", "$and", "$or"])) if depth < 3 else "leaf"
    if kind == "leaf":
        return draw(leaves())
    parts = [draw(wheres(depth + 1)) for _ in range(1 if kind == "$not" else draw(st.integers(1, 3)))]
    return {kind: parts[0] if kind == "$not" else parts}


def agree(select: Select, metadata: list[dict[str, Any]], where: Any) -> list[int]:
    found = [record(m) for m in metadata]
    expected = [i for i, r in enumerate(found) if filters.matches(r, where)]
    assert select(found, where) == expected
    return expected


class FilterCases:
    """A subclass has a fixture `select` that stores records and gives the places of those that the SQL finds."""

    filtered: int = 2 * EXAMPLES
    """How many random filters are tried over random records."""

    def test_sql_equals_matches(self, select: Select) -> None:
        @settings(max_examples=self.filtered, deadline=None, suppress_health_check=CHECKS)
        @given(found=st.lists(records(), min_size=1, max_size=4), where=wheres())
        def check(found: list[Record], where: Any) -> None:
            expected = [i for i, r in enumerate(found) if filters.matches(r, where)]
            assert select(found, where) == expected

        check()

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=CHECKS)
    @given(data=st.data(), value=stored, key=keys)
    def test_one_value_under_every_operator(
        self, select: Select, data: st.DataObject, value: Any, key: str
    ) -> None:
        """The operand is often the value itself or near it, so that equality and its borders are met."""
        near = operands | moments
        if not isinstance(value, int) or -(2**63) <= value < 2**63:
            near = near | st.just(value)
        operand = data.draw(near)
        operator = data.draw(st.sampled_from([o for o in filters.OPERATORS if o != "$exists"]))
        where = {f"metadata.{key}": {operator: [operand] if operator in ("$in", "$nin") else operand}}
        try:
            expected = filters.matches(record({key: value}), where)
        except InvalidQuery:
            return
        assert select([record({key: value})], where) == ([0] if expected else [])

    def test_two_operators_on_one_key_both_hold(self, select: Select) -> None:
        assert agree(select, [{"n": 2}, {"n": 4}, {"n": 6}], {"n": {"$gte": 3, "$lt": 5}}) == [1]

    def test_a_number_is_not_text_nor_boolean(self, select: Select) -> None:
        values = [{"k": 1}, {"k": "1"}, {"k": True}, {"k": 1.0}]
        assert agree(select, values, {"k": 1}) == [0, 3]
        assert agree(select, values, {"k": "1"}) == [1]
        assert agree(select, values, {"k": True}) == [2]
        assert agree(select, values, {"k": {"$gt": 0}}) == [0, 3]

    def test_json_text_of_a_list_is_not_that_list(self, select: Select) -> None:
        assert agree(select, [{"k": [1]}, {"k": "[1]"}], {"k": "[1]"}) == [1]
        assert agree(select, [{"k": [1]}, {"k": "[1]"}, {"k": [1.0]}], {"k": [1]}) == [0, 2]

    def test_missing_and_null_are_alike_for_eq_and_apart_for_exists(self, select: Select) -> None:
        values: list[dict[str, Any]] = [{}, {"k": None}, {"k": ""}, {"k": 0}]
        assert agree(select, values, {"k": None}) == [0, 1]
        assert agree(select, values, {"k": {"$exists": True}}) == [1, 2, 3]
        assert agree(select, values, {"k": {"$ne": ""}}) == [0, 1, 3]
        assert agree(select, values, {"k": {"$nin": ["", 0]}}) == [0, 1]

    def test_not_of_an_unknown_is_true(self, select: Select) -> None:
        assert agree(select, [{}, {"k": "x"}, {"k": 5}], {"$not": {"k": {"$gt": 3}}}) == [0, 1]
        assert agree(select, [{}, {"k": 5}], {"$not": {"$or": [{"k": {"$gt": 3}}, {"category": "a"}]}}) == [0]

    @pytest.mark.parametrize(
        "key", ["$x", "a b", "a[0]", "*", "#-1", "\\", 'é"'[:1], "\n", "\x01", "'", "?", "TYPE"]
    )
    def test_special_characters_in_keys_are_plain_characters(self, select: Select, key: str) -> None:
        assert agree(select, [{key: 1}, {key: {key: 1}}, {}], {f"metadata.{key}": 1}) == [0]
        assert agree(select, [{key: 1}, {key: {key: 1}}, {}], {f"metadata.{key}.{key}": 1}) == [1]

    def test_numbers_are_compared_exactly(self, select: Select) -> None:
        big = 2**53
        assert agree(select, [{"k": big + 1}, {"k": big}, {"k": float(big)}], {"k": float(big)}) == [1, 2]
        assert agree(select, [{"k": 2**63 - 1}], {"k": {"$lt": float(2**63)}}) == [0]
        assert agree(select, [{"k": 2**70 + 1}, {"k": 2**70}], {"k": float(2**70)}) == [1]
        assert agree(select, [{"k": -(2**63) - 1}], {"k": {"$lt": -(2**63)}}) == [0]
        assert agree(select, [{"k": 0.1 + 0.2}, {"k": 0.3}], {"k": 0.3}) == [1]

    def test_texts_are_ordered_by_code_point(self, select: Select) -> None:
        assert agree(
            select, [{"k": "\uffff"}, {"k": "\U0001f600"}, {"k": "Z"}], {"k": {"$gt": "\uffff"}}
        ) == [1]
        assert agree(select, [{"k": "Z"}, {"k": "a"}], {"k": {"$lt": "a"}}) == [0]

    def test_instants_in_text_are_compared_as_instants(self, select: Select) -> None:
        values = [{"k": "2024-05-01T14:00:00+02:00"}, {"k": "2024-05-02"}, {"k": "soon"}, {"k": 5}]
        assert agree(select, values, {"k": T0}) == [0]
        assert agree(select, values, {"k": {"$gt": T0}}) == [1]
        assert agree(select, values, {"k": {"$nin": [T0]}}) == [1, 2, 3]

    def test_an_instant_is_not_an_object_that_holds_one(self, select: Select) -> None:
        moment = T0.isoformat()
        values: list[dict[str, Any]] = [{"k": {"k": moment}}, {"k": [moment]}, {"k": moment}]
        for operator in ("$gt", "$gte", "$lt", "$lte", "$eq", "$in"):
            operand: Any = [T0] if operator == "$in" else T0
            agree(select, values, {"k": {operator: operand}})
            agree(select, values, {"$not": {"k": {operator: operand}}})
        assert agree(select, values, {"k": {"$gte": T0}}) == [2]

    def test_an_instant_outside_the_calendar_is_no_instant(self, select: Select) -> None:
        assert agree(select, [{"k": "0001-01-01T00:00:00+05:00"}], {"k": {"$lt": T0}}) == []

    def test_contains_takes_elements_and_substrings(self, select: Select) -> None:
        values: list[dict[str, Any]] = [
            {"k": ["a", 1]},
            {"k": "cab"},
            {"k": {"a": 1}},
            {"k": [["a"]]},
            {"k": [True]},
        ]
        assert agree(select, values, {"k": {"$contains": "a"}}) == [0, 1]
        assert agree(select, values, {"k": {"$contains": ""}}) == [1]
        assert agree(select, values, {"k": {"$contains": 1.0}}) == [0]
        assert agree(select, values, {"k": {"$contains": ["a"]}}) == [3]
        assert agree(select, values, {"k": {"$contains": '["a"]'}}) == []
        assert agree(select, values, {"k": {"$contains": True}}) == [4]

    def test_the_longest_list_is_bound_as_one(self, select: Select) -> None:
        found = [record(id="7", metadata={"k": "x7"}), record(id="x", metadata={"k": 7})]
        most = filters.MAX_OPERANDS
        many = [str(i) for i in range(most)]
        assert select(found, {"id": {"$in": many}}) == [0]
        assert select(found, {"k": {"$in": ["x" + x for x in many]}}) == [0]
        assert select(found, {"k": {"$in": list(range(most))}}) == [1]
        assert select(found, {"importance": {"$in": [0.5, *range(most - 1)]}}) == [0, 1]

    def test_the_deepest_and_the_widest_filter_compile(self, select: Select) -> None:
        deep: dict[str, Any] = {"k": {"$nin": [1, "a", T0, None, [1]]}}
        for level in range(filters.MAX_DEPTH):
            deep = (
                {"$not": deep}
                if level % 3 == 0
                else {"$and" if level % 3 == 1 else "$or": [{"z": 1.5}, deep]}
            )
        agree(select, [{"k": 1}, {"k": 2}, {"z": 1.5}], deep)
        wide = {"$or": [{f"k{i}": {"$gt": 0.5}} for i in range(filters.MAX_CLAUSES)]}
        assert agree(select, [{"k1": 1}, {"k": 1}], wide) == [0]

    def test_bound_values_may_hold_anything(self, select: Select) -> None:
        evil = "'; DROP TABLE records; --%s"
        assert agree(select, [{evil: evil}, {}], {f"metadata.{evil}": evil}) == [0]
