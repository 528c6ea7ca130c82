"""The rate limit against a model that remembers every call, over every key-value, and among processes."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.processes import PROCESSES

from memwell import InvalidInput, Rate, Unavailable, _bridge, rate_limit, rate_limit_sync
from memwell.backends.memory.keyvalue import MemoryKeyValue
from memwell.ports import KeyValue
from memwell.registry import open_keyvalue
from memwell.testing.flaky import Faults, Flaky
from memwell.wrappers.base import KeyValueWrapper


class Clock:
    """Time that stands still until it is told to go on."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture(params=["memory", "sqlite", "redis", "memcached"])
def keyvalue(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[KeyValue]:
    urls = {"memory": "memory://", "sqlite": f"sqlite:///{tmp_path}/kv.db"}
    name = request.param
    part = open_keyvalue(urls.get(name) or request.getfixturevalue(f"{name}_url"))
    yield part
    _bridge.complete(part.close(), blocking=part.blocking)


def test_so_many_are_allowed_and_no_more(keyvalue: KeyValue) -> None:
    clock = Clock()
    answers = [rate_limit_sync(keyvalue, "ana", 3, 60, clock=clock) for _ in range(5)]
    assert [answer.allowed for answer in answers] == [True, True, True, False, False]
    assert [answer.remaining for answer in answers] == [2, 1, 0, 0, 0]
    assert [answer.retry_after > 0 for answer in answers] == [False, False, False, True, True]
    assert rate_limit_sync(keyvalue, "bob", 3, 60, clock=clock).allowed
    assert rate_limit_sync(keyvalue, "ana", 3, 3600, clock=clock).allowed
    assert not rate_limit_sync(keyvalue, "ana", 3, 60.0, clock=clock).allowed


def test_the_last_window_counts_by_the_share_that_is_still_inside(keyvalue: KeyValue) -> None:
    clock = Clock(1_700_000_040.0)  # a minute begins
    assert clock.now % 60 == 0
    assert rate_limit_sync(keyvalue, "ana", 10, 60, cost=10, clock=clock).allowed
    clock.now += 60
    assert not rate_limit_sync(keyvalue, "ana", 10, 60, clock=clock).allowed
    clock.now += 30
    answers = [rate_limit_sync(keyvalue, "ana", 10, 60, clock=clock) for _ in range(6)]
    assert [answer.allowed for answer in answers] == [True] * 5 + [False]
    clock.now += 120
    assert rate_limit_sync(keyvalue, "ana", 10, 60, cost=10, clock=clock).allowed


def test_on_an_event_loop(redis_url: str) -> None:
    async def main() -> None:
        keyvalue = open_keyvalue(redis_url)
        clock = Clock()
        answers = await asyncio.gather(*(rate_limit(keyvalue, "ana", 7, 60, clock=clock) for _ in range(50)))
        again = [await rate_limit(keyvalue, "ana", 7, 60, clock=clock) for _ in range(10)]
        assert sum(answer.allowed for answer in (*answers, *again)) == 7
        await keyvalue.close()

    asyncio.run(main())


@pytest.mark.parametrize("number", [0, -1, 1.5, True, "3", None])
def test_limit_and_cost_are_whole_numbers_of_one_or_more(number: Any) -> None:
    with pytest.raises(InvalidInput):
        rate_limit_sync(MemoryKeyValue(), "ana", number, 60)
    with pytest.raises(InvalidInput):
        rate_limit_sync(MemoryKeyValue(), "ana", 3, 60, cost=number)


@pytest.mark.parametrize("per", [0, -1, math.inf, math.nan, True, "60"])
def test_per_is_a_finite_time(per: Any) -> None:
    with pytest.raises(InvalidInput):
        rate_limit_sync(MemoryKeyValue(), "ana", 3, per)


def test_a_cost_above_the_limit_is_an_error_and_not_a_wait_without_end() -> None:
    with pytest.raises(InvalidInput, match="never"):
        rate_limit_sync(MemoryKeyValue(), "ana", 3, 60, cost=4)


@pytest.mark.parametrize("name", ["", 5, None, "nul\0"])
def test_a_name_is_a_key(name: Any) -> None:
    with pytest.raises(InvalidInput):
        rate_limit_sync(MemoryKeyValue(), name, 3, 60)


def test_counters_vanish_after_two_windows() -> None:
    clock = Clock()
    keyvalue = MemoryKeyValue(clock=clock)
    rate_limit_sync(keyvalue, "ana", 3, 60, clock=clock)
    assert len(keyvalue._entries) == 1
    clock.now += 122
    assert keyvalue._live(next(iter(keyvalue._entries)), clock.now) is None


class Met(KeyValueWrapper):
    """A key-value at which others are faster: each step of theirs comes before one of our increments."""

    part = "met"
    blocking = True

    def __init__(self, inner: KeyValue, steps: list[int]) -> None:
        self.inner, self.steps = inner, steps

    async def _increment(self, key: str, by: int, ttl: float | None) -> int:
        if self.steps:
            await self.inner.increment(key, self.steps.pop(0), ttl=ttl)
        return int(await self.inner.increment(key, by, ttl=ttl))


@pytest.mark.parametrize("others", [[5, -4], [5, -5]])
def test_a_call_refused_beside_others_who_take_theirs_back_may_come_again_at_once(others: list[int]) -> None:
    """Between the counting of one and its taking back, others who were refused as well have taken theirs back."""
    inner = MemoryKeyValue()
    rate_limit_sync(inner, "x", 10, 60, cost=6, clock=_noon)
    answer = rate_limit_sync(Met(inner, list(others)), "x", 10, 60, cost=2, clock=_noon)
    assert not answer.allowed
    assert answer.remaining == 10 - 6 - sum(others)
    assert 0 < answer.retry_after < 0.001


def test_what_the_keyvalue_raises_goes_on() -> None:
    faults = Faults()
    keyvalue = Flaky(MemoryKeyValue(), faults)
    faults.down = Unavailable("down")
    with pytest.raises(Unavailable):
        rate_limit_sync(keyvalue, "ana", 3, 60)


# ------------------------------------------------------------------------------------------- against a model


class Model:
    """Every call that was admitted, in exact arithmetic."""

    def __init__(self, limit: int, per: int) -> None:
        self.limit, self.per = limit, per
        self.admitted: list[tuple[Fraction, int]] = []

    def in_window(self, number: int) -> int:
        return sum(cost for at, cost in self.admitted if at // self.per == number)

    def estimate(self, now: Fraction) -> Fraction:
        number = now // self.per
        passed = now / self.per - number
        return self.in_window(number - 1) * (1 - passed) + self.in_window(number)

    def ask(self, now: Fraction, cost: int) -> bool:
        allowed = self.estimate(now) + cost <= self.limit
        if allowed:
            self.admitted.append((now, cost))
        return allowed


steps = st.lists(
    st.tuples(st.sampled_from([0, 0, 0, 1, 1, 2, 7, 15, 16, 31, 64, 100]), st.integers(1, 3)), max_size=80
)


@given(steps=steps, limit=st.integers(3, 12), start=st.integers(0, 200))
def test_every_answer_equals_the_models_and_the_bounds_hold(
    steps: list[tuple[int, int]], limit: int, start: int
) -> None:
    per = 64  # so that every moment is a float without rounding
    clock, model, keyvalue = Clock(start), Model(limit, per), MemoryKeyValue(clock=lambda: 0)
    for pause, cost in steps:
        clock.now += pause
        now = Fraction(clock.now)
        left = max(0, math.floor(limit - model.estimate(now)))
        answer = rate_limit_sync(keyvalue, "x", limit, per, cost=cost, clock=clock)
        assert answer.allowed is model.ask(now, cost)
        assert answer.remaining == (
            max(0, math.floor(limit - model.estimate(now))) if answer.allowed else left
        )
        _keeps_its_word(answer, model, now, cost)
    for at, _ in model.admitted:
        assert model.in_window(at // per) <= limit
        within = sum(cost for other, cost in model.admitted if at <= other < at + per)
        last = max(other for other, _ in model.admitted if at <= other < at + per)
        passed = last / per - last // per
        assert within <= limit * (1 + passed) < 2 * limit


def _keeps_its_word(answer: Rate, model: Model, now: Fraction, cost: int) -> None:
    """After `retry_after` it would be allowed, and shortly before not."""
    if answer.allowed:
        assert answer.retry_after == 0
        return
    then = now + Fraction(answer.retry_after)
    assert model.estimate(then) + cost <= model.limit
    sooner = now + Fraction(max(0.0, answer.retry_after - 0.01))
    assert model.estimate(sooner) + cost > model.limit


# ---------------------------------------------------------------------------------------- several processes


def _ask(url: str, start: Any, results: Any) -> None:
    keyvalue = open_keyvalue(url)
    start.wait()
    answers = [rate_limit_sync(keyvalue, "shared", 100, 3600, clock=_noon) for _ in range(80)]
    _bridge.complete(keyvalue.close(), blocking=keyvalue.blocking)
    results.put(sum(answer.allowed for answer in answers))


def _noon() -> float:
    return 1_700_000_000.0


@pytest.mark.parametrize("kind", ["sqlite", "redis", "memcached"])
def test_processes_share_one_limit(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/kv.db" if kind == "sqlite" else request.getfixturevalue(f"{kind}_url")
    start, results = PROCESSES.Barrier(4), PROCESSES.SimpleQueue()
    workers = [PROCESSES.Process(target=_ask, args=(url, start, results)) for _ in range(4)]
    for worker in workers:
        worker.start()
    allowed = sum(results.get() for _ in workers)
    for worker in workers:
        worker.join()
    assert allowed == 100
