"""Random operations, compared with a dictionary."""

from __future__ import annotations

import itertools
from typing import cast

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from memwell.errors import InvalidInput
from memwell.ports import KeyValue
from memwell.testing._run import run
from memwell.testing.keyvalue._harness import Advance, KeyValueSuite

__all__ = ["RandomOperations"]


class RandomOperations(KeyValueSuite):
    """Part of `KeyValueConformance`."""

    def test_random_operations_equal_a_dictionary(self, keyvalue: KeyValue) -> None:
        _compare(keyvalue, None, self.ttl)

    def test_random_operations_in_passing_time_equal_a_dictionary(
        self, keyvalue: KeyValue, advance: Advance
    ) -> None:
        if self.waits:
            pytest.skip("time passes for real here")
        _compare(keyvalue, advance, self.ttl)


_runs = itertools.count()


def _compare(part: KeyValue, advance: Advance | None, unit: float) -> None:
    def machine() -> _Machine:
        return _Machine(part, advance, unit)

    steps = settings(
        max_examples=25,
        stateful_step_count=40,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    run_state_machine_as_test(cast("type[RuleBasedStateMachine]", machine), settings=steps)


KEYS = st.sampled_from(["a", "b", "ż"])
VALUES = st.one_of(st.binary(max_size=8), st.integers(-9, 9).map(lambda number: b"%d" % number))
TTLS = st.one_of(st.none(), st.sampled_from([1, 2, 5]))


class _Machine(RuleBasedStateMachine):
    """Each example works under keys of its own, so that one part serves them all."""

    def __init__(self, part: KeyValue, advance: Advance | None, unit: float) -> None:
        super().__init__()
        self.part, self.let_pass, self.unit = part, advance, unit
        self.prefix = f"run {next(_runs)} "
        self.now = 0
        self.model: dict[str, tuple[bytes, float]] = {}

    def value(self, key: str) -> bytes | None:
        value, expiry = self.model.get(key, (b"", -1.0))
        return value if expiry > self.now else None

    def ttl(self, ttl: int | None) -> float | None:
        return None if ttl is None or self.let_pass is None else ttl * self.unit

    def put(self, key: str, value: bytes, ttl: int | None) -> None:
        self.model[key] = (value, float("inf") if self.ttl(ttl) is None else self.now + (ttl or 0))

    @rule(key=KEYS)
    def get(self, key: str) -> None:
        assert run(self.part, self.part.get(self.prefix + key)) == self.value(key)

    @rule(key=KEYS, value=VALUES, ttl=TTLS)
    def set(self, key: str, value: bytes, ttl: int | None) -> None:
        run(self.part, self.part.set(self.prefix + key, value, ttl=self.ttl(ttl)))
        self.put(key, value, ttl)

    @rule(keys=st.lists(KEYS, unique=True), value=VALUES, ttl=TTLS)
    def set_many(self, keys: list[str], value: bytes, ttl: int | None) -> None:
        run(self.part, self.part.set_many({self.prefix + key: value for key in keys}, ttl=self.ttl(ttl)))
        for key in keys:
            self.put(key, value, ttl)

    @rule(key=KEYS, value=VALUES, ttl=TTLS)
    def add(self, key: str, value: bytes, ttl: int | None) -> None:
        absent = self.value(key) is None
        assert run(self.part, self.part.add(self.prefix + key, value, ttl=self.ttl(ttl))) is absent
        if absent:
            self.put(key, value, ttl)

    @rule(key=KEYS, value=VALUES, expected=st.none() | VALUES, ttl=TTLS)
    def replace(self, key: str, value: bytes, expected: bytes | None, ttl: int | None) -> None:
        held = self.value(key)
        if expected is None:  # what is there, so that it succeeds often
            expected = b"" if held is None else held
        call = self.part.replace(self.prefix + key, value, expected=expected, ttl=self.ttl(ttl))
        assert run(self.part, call) is (held == expected)
        if held == expected:
            self.put(key, value, ttl)

    @rule(key=KEYS, by=st.integers(-5, 5), ttl=TTLS)
    def increment(self, key: str, by: int, ttl: int | None) -> None:
        value = self.value(key)
        call = self.part.increment(self.prefix + key, by, ttl=self.ttl(ttl))
        if value is not None and value != str(_number(value)).encode():
            with pytest.raises(InvalidInput):
                run(self.part, call)
            return
        total = (_number(value) or 0) + by
        assert run(self.part, call) == total
        if value is None:
            self.put(key, str(total).encode(), ttl)
        else:
            self.model[key] = (str(total).encode(), self.model[key][1])

    @rule(key=KEYS, expected=st.one_of(st.none(), VALUES))
    def delete(self, key: str, expected: bytes | None) -> None:
        value = self.value(key)
        gone = value is not None and expected in (None, value)
        assert run(self.part, self.part.delete(self.prefix + key, expected=expected)) is gone
        if gone:
            del self.model[key]

    @precondition(lambda self: self.let_pass is not None)
    @rule(seconds=st.sampled_from([1, 3]))
    def advance(self, seconds: int) -> None:
        assert self.let_pass is not None
        self.let_pass(seconds * self.unit)
        self.now += seconds


def _number(value: bytes | None) -> int | None:
    try:
        return None if value is None else int(value.decode("ascii"))
    except ValueError:
        return None
