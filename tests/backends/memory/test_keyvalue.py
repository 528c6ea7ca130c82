"""The in-memory key-value: the shared suite and its quirks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from memwell.backends.memory.keyvalue import MemoryKeyValue
from memwell.ports import KeyValue
from memwell.testing import run
from memwell.testing.keyvalue import KeyValueConformance, KeyValueFrontage


class Clock:
    """Time that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


class TestMemoryKeyValue(KeyValueConformance, KeyValueFrontage):
    @pytest.fixture
    def keyvalue(self, clock: Clock) -> Iterator[KeyValue]:
        part = MemoryKeyValue(clock=clock)
        yield part
        run(part, part.close())

    @pytest.fixture
    def advance(self, clock: Clock) -> Callable[[float], None]:
        return clock.advance


def test_expired_values_do_not_pile_up(clock: Clock) -> None:
    part = MemoryKeyValue(clock=clock)
    for number in range(10_000):
        run(part, part.set(f"key {number}", b"x", ttl=1))
        clock.advance(0.01)
    assert len(part._entries) < 300
    for _ in range(10_000):
        run(part, part.set("one key", b"x", ttl=1000))
    assert len(part._expiries) < 1000
