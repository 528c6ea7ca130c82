"""Mirrored key-values and logs: the suites, and mirrors that come back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from memwell.backends.memory.keyvalue import MemoryKeyValue
from memwell.backends.memory.log import MemoryLog
from memwell.errors import ConfigError, Unavailable
from memwell.ports import KeyValue, Log
from memwell.registry import open_keyvalue, open_log
from memwell.testing import run
from memwell.testing.flaky import Faults, Flaky
from memwell.wrappers.mirrored import MirroredKeyValue, MirroredLog
from memwell.wrappers.threaded import threaded


class Seconds:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


WRITES: dict[str, Callable[[KeyValue], Any]] = {
    "set": lambda part: part.set("key", b"new"),
    "add": lambda part: part.add("fresh", b"new", ttl=60),
    "replace": lambda part: part.replace("key", b"new", expected=b"old"),
    "increment": lambda part: part.increment("count", 5),
    "delete": lambda part: part.delete("key"),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("down", [False, True], ids=["up", "down for a while"])
def test_every_write_reaches_the_mirror(clock: Seconds, write: Callable[[KeyValue], Any], down: bool) -> None:
    faults, backlog = Faults(), open_log("memory://")
    first, copy = MemoryKeyValue(clock=clock), MemoryKeyValue(clock=clock)
    part = MirroredKeyValue(first, {"copy": Flaky(copy, faults)}, backlog=backlog, clock=clock)
    run(part, part.set("key", b"old"))
    run(part, part.increment("count", ttl=600))
    faults.down = Unavailable("no route") if down else None
    run(part, write(part))
    assert run(part, part.lag()) == {"copy": int(down)}
    faults.down = None
    clock.advance(5)
    run(part, part.set("other", b"1"))
    keys = ["key", "fresh", "count", "other"]
    assert run(copy, copy.get_many(keys)) == run(first, first.get_many(keys))
    assert run(part, part.lag()) == {"copy": 0}
    clock.advance(60)
    assert run(copy, copy.get("fresh")) is None


def test_what_expired_while_it_waited_is_not_brought(clock: Seconds) -> None:
    faults, copy = Faults(), MemoryKeyValue(clock=clock)
    faults.down = Unavailable("no route")
    part = MirroredKeyValue(
        MemoryKeyValue(clock=clock), {"copy": Flaky(copy, faults)}, backlog=open_log("memory://"), clock=clock
    )
    run(part, part.set("key", b"1", ttl=10))
    clock.advance(10)
    faults.down = None
    run(part, part.set("other", b"1"))
    assert run(copy, copy.get_many(["key", "other"])) == {"other": b"1"}


def test_the_backlog_of_keys_outlives_the_process(clock: Seconds) -> None:
    faults, backlog = Faults(), open_log("memory://")
    first, copy = MemoryKeyValue(clock=clock), MemoryKeyValue(clock=clock)
    for attempt in range(2):
        part = MirroredKeyValue(first, {"copy": Flaky(copy, faults)}, backlog=backlog, clock=clock)
        faults.down = None if attempt else Unavailable("no route")
        run(part, part.set(f"key {attempt}", b"1"))
    assert run(copy, copy.get_many(["key 0", "key 1"])) == {"key 0": b"1", "key 1": b"1"}


@pytest.mark.parametrize("ttl", [60, None])
def test_a_counter_of_a_mirror_ends_when_that_of_the_first_does(clock: Seconds, ttl: float | None) -> None:
    first, copy = MemoryKeyValue(clock=clock), MemoryKeyValue(clock=clock)
    part = MirroredKeyValue(first, {"copy": copy}, backlog=open_log("memory://"), clock=clock)
    run(part, part.increment("count", ttl=60))
    clock.advance(40)
    assert run(part, part.increment("count", 4, ttl=ttl)) == 5
    assert run(copy, copy.get("count")) == b"5"
    clock.advance(20)
    assert (run(first, first.get("count")), run(copy, copy.get("count"))) == (None, None)


def test_a_counter_that_a_mirror_missed_or_has_otherwise_is_brought_to_the_same_value(clock: Seconds) -> None:
    faults, copy = Faults(), MemoryKeyValue(clock=clock)
    part = MirroredKeyValue(
        MemoryKeyValue(clock=clock), {"copy": Flaky(copy, faults)}, backlog=open_log("memory://"), clock=clock
    )
    run(part, part.increment("count", 7))
    faults.down = Unavailable("no route")
    for _ in range(3):
        run(part, part.increment("count"))
    faults.down = None
    clock.advance(5)
    run(part, part.increment("count", -2))
    assert run(copy, copy.get("count")) == b"8"
    run(copy, copy.set("count", b"no number"))
    run(part, part.increment("count"))
    assert run(copy, copy.get("count")) == b"9"


def test_counting_at_once_ends_at_the_same_value(clock: Seconds) -> None:
    first, copy = (threaded(MemoryKeyValue(clock=clock)) for _ in range(2))
    part = MirroredKeyValue(first, {"copy": copy}, backlog=threaded(open_log("memory://")), clock=clock)

    async def play() -> tuple[bytes | None, bytes | None]:
        await asyncio.gather(*(part.increment("count") for _ in range(50)))
        found = await first.get("count"), await copy.get("count")
        await part.close()
        return found

    assert asyncio.run(play()) == (b"50", b"50")


class Meanwhile(MemoryLog):
    """Something happens just before an entry is added."""

    before_append: Callable[[], object] | None = None

    async def _append(self, stream: str, entries: Sequence[bytes]) -> list[str]:
        happens, self.before_append = self.before_append, None
        if happens is not None:
            happens()
        return await super()._append(stream, entries)


def test_what_is_kept_while_somebody_else_reaches_the_mirror_is_brought_by_the_next(clock: Seconds) -> None:
    faults, backlog = Faults(), Meanwhile()
    first, copy = MemoryKeyValue(clock=clock), MemoryKeyValue(clock=clock)
    part = MirroredKeyValue(first, {"copy": Flaky(copy, faults)}, backlog=backlog, clock=clock)

    def back() -> None:
        clock.advance(5)
        run(part, part.set("meanwhile", b"1"))

    faults.fail(Unavailable("no route"))
    backlog.before_append = back
    run(part, part.set("key", b"1"))
    assert run(part, part.lag()) == {"copy": 1}
    run(part, part.set("next", b"1"))
    assert run(part, part.lag()) == {"copy": 0}
    assert run(copy, copy.get("key")) == b"1"


def test_entries_reach_a_mirror_in_order_however_long_it_was_away(clock: Seconds) -> None:
    faults, copy = Faults(), open_log("memory://")
    part = MirroredLog(open_log("memory://"), {"copy": Flaky(copy, faults)}, clock=clock)

    def read(log: Log) -> list[bytes]:
        return [entry.data for entry in run(log, log.read("s"))]

    run(part, part.append("s", [b"0", b"1"]))
    faults.down = Unavailable("no route")
    for number in range(2, 6):
        run(part, part.append("s", [b"%d" % number]))
    assert run(part, part.trim("s", keep=3)) == 3
    faults.down = None
    run(part, part.append("s", [b"6"]))
    assert run(part, part.lag()) == {"copy": 6}, "it is left alone for a while, and order is kept"
    clock.advance(5)
    run(part, part.append("s", [b"7"]))
    assert run(part, part.lag()) == {"copy": 0}
    assert read(part) == read(copy) == [b"3", b"4", b"5", b"6", b"7"]
    (_, fourth, *_) = run(part, part.read("s"))
    run(part, part.trim("s", through=fourth.position))
    assert read(part) == read(copy) == [b"5", b"6", b"7"]


def test_mirrors_are_named_and_of_one_mode() -> None:
    with pytest.raises(ConfigError, match="at least one"):
        MirroredLog(open_log("memory://"), {})
    with pytest.raises(ConfigError, match="threaded"):
        MirroredKeyValue(
            open_keyvalue("memory://"),
            {"copy": threaded(open_keyvalue("memory://"))},
            backlog=open_log("memory://"),
        )
