"""Strategies: a weighted mean in 0..1, and what each weight prefers."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwell.errors import InvalidQuery
from memwell.retrieval.ranking.rules import Boost
from memwell.retrieval.ranking.strategies import STRATEGIES, Strategy, blend, resolve, score, to_100
from memwell.testing.samples import START, record
from memwell.types import Record

weights = st.floats(0, 10).filter(lambda w: w == 0 or w > 1e-6)
NOW = START + timedelta(days=30)


def memory(**fields: Any) -> Record:
    return record("text", id="a", **fields)


@given(
    relevance=st.floats(0, 1),
    w=st.tuples(weights, weights, weights, weights).filter(any),
    half_life=st.floats(0.01, 1000),
    importance=st.floats(0, 1),
    days=st.floats(-10, 1000),
    uses=st.integers(0, 10**6),
)
def test_a_score_lies_in_zero_to_one_and_is_the_sum_of_its_parts(
    relevance: float, w: Any, half_life: float, importance: float, days: float, uses: int
) -> None:
    strategy = Strategy(relevance=w[0], recency=w[1], importance=w[2], frequency=w[3], half_life=half_life)
    found = memory(importance=importance, access_count=uses)
    score, parts = blend(relevance, found, strategy, START + timedelta(days=days))
    assert -1e-9 <= score <= 1 + 1e-9
    assert score == pytest.approx(relevance * w[0] / sum(w) + sum(part.points for part in parts))
    assert all(0 <= part.value <= 1 for part in parts)
    assert {part.name for part in parts} == {
        name for name, weight in zip(("recency", "importance", "frequency"), w[1:], strict=True) if weight
    }


def test_recency_halves_with_every_half_life() -> None:
    strategy = Strategy(relevance=0, recency=1, half_life=10)
    scores = [blend(1, memory(), strategy, START + timedelta(days=d))[0] for d in (0, 10, 20)]
    assert scores == pytest.approx([1, 0.5, 0.25])


def test_a_recall_makes_no_memory_newer() -> None:
    strategy = Strategy(relevance=0, recency=1)
    assert blend(1, memory(last_accessed_at=NOW), strategy, NOW) == blend(1, memory(), strategy, NOW)


def test_a_memory_of_the_future_is_as_recent_as_can_be() -> None:
    assert blend(1, memory(), Strategy(relevance=0, recency=1), START - timedelta(days=5))[0] == 1


def test_frequency_grows_with_recalls_and_reinforcements_ever_more_slowly() -> None:
    strategy = Strategy(relevance=0, frequency=1)
    scores = [blend(0, memory(access_count=n), strategy, NOW)[0] for n in (0, 1, 10, 100)]
    assert scores[0] == 0
    assert scores == sorted(scores)
    assert scores[1] == pytest.approx(1 - 1 / (1 + math.log(2)))
    assert scores[1] - scores[0] > (scores[3] - scores[2]) / 90
    assert blend(0, memory(reinforced=10), strategy, NOW)[0] == scores[2]


def test_relevance_alone_is_the_default() -> None:
    assert Strategy().relevance_only
    assert blend(0.7, memory(importance=1.0, access_count=9), Strategy(), NOW) == (0.7, ())
    assert STRATEGIES["relevant"] == Strategy()
    assert [name for name, strategy in STRATEGIES.items() if strategy.relevance_only] == ["relevant"]


@pytest.mark.parametrize(
    "given",
    [
        {"relevance": -0.1},
        {"relevance": 0},
        {"recency": math.nan},
        {"importance": math.inf},
        {"half_life": 0},
        {"half_life": -1},
        {"half_life": math.inf},
        {"half_life": math.nan},
    ],
    ids=str,
)
def test_a_strategy_that_makes_no_sense_is_refused(given: dict[str, float]) -> None:
    with pytest.raises(InvalidQuery):
        Strategy(**given)


def test_strategies_are_found_by_name() -> None:
    assert resolve("balanced") is STRATEGIES["balanced"]
    own = Strategy(recency=2)
    assert resolve(own) is own
    for wrong in ("best", "", None, 7, ["relevant"]):
        with pytest.raises(InvalidQuery, match="relevant"):
            resolve(wrong)  # type: ignore[arg-type]


def test_the_named_strategies_cannot_be_changed() -> None:
    table: Any = STRATEGIES
    with pytest.raises(TypeError):
        table["relevant"] = Strategy(recency=1)


# ------------------------------------------------------------------------------------------- rules and trust

boosts = st.builds(
    Boost,
    points=st.floats(-1, 1),
    topics=st.sampled_from([(), ("tea",), ("rain",)]),
    entities=st.sampled_from([("ana",), ("Ana", "Bo"), ("nothing",)]),
    older=st.sampled_from([None, timedelta(days=10)]),
)


@given(
    rules=st.lists(boosts, max_size=4),
    importance=st.floats(0, 1),
    days=st.floats(0, 400),
    source=st.sampled_from([None, "chat", "web"]),
)
def test_components_add_up_to_the_score_under_any_rules(
    rules: list[Boost], importance: float, days: float, source: str | None
) -> None:
    strategy = Strategy(
        relevance=0.4,
        importance=1,
        recency=1,
        trust=0.5,
        linear=100,
        sources={"chat": 1.0},
        rules=tuple(rules),
    )
    found = record("Ana met Bo", id="a", importance=importance, source=source, metadata={"topic": "Tea"})
    now = START + timedelta(days=days)
    for total, parts in (score(found, strategy, now), blend(0.0, found, strategy, now)):
        assert total == pytest.approx(sum(part.points for part in parts))
        assert -1e-9 <= total <= 1 + 1e-9


def test_a_boost_counts_once_for_a_topic_and_once_for_each_entity() -> None:
    found = record("Ana met Bo", id="a", metadata={"topic": "Tea", "entities": ["Cleo"]})
    assert Boost(points=0.1, topics=("TEA",)).hits(found, NOW) == 1
    assert Boost(points=0.1, entities=("ana", "bo", "cleo", "met B")).hits(found, NOW) == 3
    assert Boost(points=0.1, topics=("tea",), entities=("dora",)).hits(found, NOW) == 0
    assert Boost(points=0.1, where={"category": "x"}).hits(found, NOW) == 0
    assert [Boost(points=-0.15, older=timedelta(days=d)).hits(found, NOW) for d in (29, 30)] == [1, 0]


def test_a_function_is_a_rule_and_its_name_that_of_the_component() -> None:
    def long_texts(record: Record, _now: Any) -> float:
        return -0.2 if len(record.content) > 3 else 0

    strategy = Strategy(relevance=0, importance=1, rules=(long_texts,))
    total, parts = score(memory(importance=0.5), strategy, NOW)
    assert (total, parts[-1].name, parts[-1].points) == (pytest.approx(0.3), "long_texts", -0.2)
    with pytest.raises(InvalidQuery, match="the rule <lambda>"):
        score(memory(), Strategy(importance=1, rules=(lambda _record, _now: 7,)), NOW)


def test_the_weights_of_memoric_on_its_scale() -> None:
    """round(100 · (0.5 · importance + 0.3 · recency + 0.2 · repetition)), recency falling to 0 within 60 days."""
    found = memory(importance=0.8)
    assert to_100(score(found, STRATEGIES["memoric"], START)[0]) == 70
    assert to_100(score(found, STRATEGIES["memoric"], START + timedelta(days=30))[0]) == 55
    assert to_100(score(found, STRATEGIES["memoric"], START + timedelta(days=999))[0]) == 40


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Boost(points=2, topics=("a",)), "points"),
        (lambda: Boost(points=0.1), "needs a condition"),
        (lambda: Boost(points=0.1, topics=("",)), "topics"),
        (lambda: Boost(points=0.1, where={"$no": 1}), "no"),
        (lambda: Strategy(trust=1, sources={"web": 2}), "'web'"),
        (lambda: Strategy(linear=0), "linear"),
        (lambda: Strategy(rules=("tea",)), "rule"),  # type: ignore[arg-type]
        (lambda: score(memory(), Strategy(), NOW), "without a question"),
    ],
)
def test_what_makes_no_rule_or_strategy_is_refused_by_name(make: Any, message: str) -> None:
    with pytest.raises(InvalidQuery, match=message):
        make()
