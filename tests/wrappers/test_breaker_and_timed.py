"""Breaker and Timed: a backend that is down is left in peace, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from memwell.backends.memory.keyvalue import MemoryKeyValue
from memwell.errors import ConfigError, Conflict, NotFound, TimedOut, Unavailable
from memwell.ports import Insert, KeyValue, Update
from memwell.registry import open_keyvalue, open_store
from memwell.resilience.circuit_breaker import CircuitBreaker
from memwell.testing import run
from memwell.testing.flaky import Faults, Flaky
from memwell.testing.samples import ANYBODY, START, record
from memwell.wrappers.breaker import Breaker
from memwell.wrappers.retrying import Retrying
from memwell.wrappers.threaded import threaded
from memwell.wrappers.timed import Timed

# ------------------------------------------------------------------------------------------------- breaker


class Seconds:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("mode", ["blocking", "asynchronous"])
def test_a_failing_part_is_not_called_until_it_may_be_back(mode: str) -> None:
    clock, faults = Seconds(), Faults()
    inner = open_keyvalue("memory://")
    guard = CircuitBreaker(failure_threshold=3, recovery_timeout=30, clock=clock)
    part = Breaker(Flaky(inner if mode == "blocking" else threaded(inner), faults), guard)
    faults.down = Unavailable("no route")
    for _ in range(5):
        with pytest.raises(Unavailable):
            run(part, part.get("key"))
    assert len(faults.calls) == 3
    with pytest.raises(Unavailable) as caught:
        run(part, part.set("key", b"1"))
    assert (caught.value.retry_after, caught.value.unsent, caught.value.part) == (30, True, "breaker")
    assert guard.state == "open"
    faults.down, clock.now = None, 30.0
    assert run(part, part.get("key")) is None
    assert guard.state == "closed"
    run(part, part.close())


def test_parts_of_one_service_share_a_breaker() -> None:
    guard = CircuitBreaker(failure_threshold=1)
    faults = Faults()
    one, other = (
        Breaker(Flaky(open_keyvalue("memory://"), faults), guard),
        Breaker(open_store("memory://"), guard),
    )
    faults.fail(Unavailable("down"))
    with pytest.raises(Unavailable):
        run(one, one.get("key"))
    with pytest.raises(Unavailable, match="memory failed too often"):
        run(other, other.count(ANYBODY, now=START))


def test_conflicts_and_missing_records_do_not_open_it() -> None:
    guard = CircuitBreaker(failure_threshold=1)
    store = Breaker(open_store("memory://"), guard)
    run(store, store.write([Insert(record=record("tea", id="a"))], now=START))
    for _ in range(3):
        with pytest.raises(NotFound):
            run(store, store.history(ANYBODY, "missing", now=START))
        change = Update(scope=ANYBODY, id="a", changes={"content": "x"}, expected_version=7)
        with pytest.raises(Conflict):
            run(store, store.write([change], now=START))
    assert guard.state == "closed"


def test_retrying_around_waits_until_the_probe() -> None:
    clock, faults = Seconds(), Faults()
    guard = CircuitBreaker(failure_threshold=1, recovery_timeout=5, clock=clock)

    def sleep(seconds: float) -> None:
        clock.now += seconds

    part = Retrying(Breaker(Flaky(open_keyvalue("memory://"), faults), guard), sleep=sleep, clock=clock)
    faults.fail(Unavailable("down"))
    assert run(part, part.get("key")) is None
    assert clock.now >= 5


# --------------------------------------------------------------------------------------------------- timed


class Slow(MemoryKeyValue):
    """Writes wait until they may go on; `blocking` or on the loop."""

    def __init__(self, *, blocking: bool) -> None:
        super().__init__()
        self.blocking = blocking
        self.go_on, self.done = threading.Event(), threading.Event()

    async def _set_many(self, values: Mapping[str, bytes], ttl: float | None) -> None:
        if self.blocking:
            self.go_on.wait(30)
        else:
            await asyncio.sleep(30)
        await super()._set_many(values, ttl)
        self.done.set()

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        return await super()._get_many(keys)


def test_a_blocking_write_that_is_too_slow_goes_on_in_its_thread() -> None:
    slow = Slow(blocking=True)
    part: KeyValue = Timed(slow, 0.02)
    with pytest.raises(TimedOut, match="continues in its thread") as caught:
        run(part, part.set("key", b"1"))
    assert (caught.value.part, caught.value.operation, caught.value.unsent) == ("memory", "set_many", False)
    assert run(part, part.get("key")) is None
    slow.go_on.set()
    assert slow.done.wait(10)
    assert run(part, part.get("key")) == b"1"
    run(part, part.close())


def test_limits_hold_off_the_main_thread() -> None:
    slow = Slow(blocking=True)
    part = Timed(slow, 0.02)
    with ThreadPoolExecutor(1) as pool, pytest.raises(TimedOut):
        pool.submit(run, part, part.set("key", b"1")).result()
    slow.go_on.set()
    run(part, part.close())


def test_an_asynchronous_call_that_is_too_slow_is_cancelled() -> None:
    slow = Slow(blocking=False)
    part = Timed(slow, 0.02)
    with pytest.raises(TimedOut, match="cancelled"):
        run(part, part.set("key", b"1"))
    assert not slow.done.is_set()
    run(part, part.close())


def test_limits_by_operation_are_kept_and_unknown_ones_refused() -> None:
    slow = Slow(blocking=True)
    slow.go_on.set()
    part = Timed(slow, 0.001, limits={"set_many": None, "get_many": 60})
    run(part, part.set("key", b"1"))
    assert run(part, part.get("key")) == b"1"
    with pytest.raises(ConfigError, match="no operation search"):
        Timed(slow, 1, limits={"search": 5})
    with pytest.raises(ConfigError):
        Timed(slow, 0)
    run(part, part.close())


def test_a_slow_backend_opens_the_breaker_around() -> None:
    slow, guard = Slow(blocking=True), CircuitBreaker(failure_threshold=2)
    part = Breaker(Timed(slow, 0.01), guard)
    for _ in range(2):
        with pytest.raises(TimedOut):
            run(part, part.set("key", b"1"))
    with pytest.raises(Unavailable, match="too often"):
        run(part, part.set("key", b"1"))
    slow.go_on.set()
    run(part, part.close())
