"""Conditions: what is within what, and that the most specific rule wins."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwell import InvalidInput
from memwell.policies.conditions import Condition, Facts, Interval, interval_of, most_specific
from memwell.policies.durations import seconds, written

numbers = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])
intervals = st.builds(Interval, numbers, numbers, st.booleans(), st.booleans())
words = st.none() | st.frozensets(st.sampled_from("abc"), min_size=1)
conditions = st.builds(
    Condition,
    tiers=words,
    kind=words,
    tags=st.frozensets(st.sampled_from("xy")),
    importance=intervals,
    age=intervals,
)
facts = st.builds(
    Facts,
    tier=st.sampled_from("abc"),
    kind=st.sampled_from("abc"),
    category=st.none(),
    source=st.none(),
    tags=st.sampled_from([(), ("x",), ("x", "y")]),
    importance=st.sampled_from([n / 8 for n in range(9)]),
    uses=st.just(0),
    age=st.sampled_from([n / 8 for n in range(9)]),
    idle=st.just(0.0),
    score=st.just(lambda: 0.5),
)


@given(conditions, conditions, facts)
def test_what_lies_within_another_holds_for_no_memory_for_which_the_other_does_not(
    one: Condition, other: Condition, memory: Facts
) -> None:
    if one.within(other) and one.holds(memory):
        assert other.holds(memory)
    assert one.both(other).holds(memory) is (one.holds(memory) and other.holds(memory))
    if one.both(other).empty:
        assert not (one.holds(memory) and other.holds(memory))


@given(st.lists(conditions, max_size=5), facts)
def test_no_rule_that_a_memory_meets_is_more_specific_than_the_winner(
    rules: list[Condition], memory: Facts
) -> None:
    met = [rule for rule in rules if rule.holds(memory)]
    winner = most_specific(met, lambda rule: rule)
    assert (winner is None) is (not met)
    for rule in met:
        assert winner is not None
        assert not rule.within(winner) or winner.within(rule)


@pytest.mark.parametrize(
    ("name", "text", "inside", "outside"),
    [
        ("importance", ">= 0.8", [0.8, 1], [0.79]),
        ("importance", "<0.5", [0, 0.49], [0.5]),
        ("importance", "0.5..0.8", [0.5, 0.79], [0.49, 0.8]),
        ("uses", "= 3", [3], [2, 4]),
        ("age", "> 7d", [604801], [604800]),
        ("idle", "12h..2d", [43200, 172799], [172800, 43199]),
    ],
)
def test_intervals_as_they_are_written(
    name: str, text: str, inside: list[float], outside: list[float]
) -> None:
    found = interval_of(name, text)
    assert all(map(found.holds, inside))
    assert not any(map(found.holds, outside))


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("importance", 0.8, "importance is a text such as >= 0.8"),
        ("importance", "> 1", "holds for no memory"),
        ("importance", "0.8..0.5", "holds for no memory"),
        ("age", ">= soon", "age is a text such as >= 7d"),
        ("importance", ">= nan", "importance is a text such as"),
        ("uses", "< inf", "uses is a text such as"),
        ("uses", "", "uses is a text such as >= 3"),
    ],
)
def test_what_is_no_interval_is_refused_by_name(name: str, given: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        interval_of(name, given)


@given(st.integers(0, 10**9))
def test_durations_are_written_as_they_are_read(amount: int) -> None:
    assert seconds(written(amount)) == pytest.approx(amount, rel=0.01)
