"""A signal handler that uses the memory in the middle of a call of the same thread: it is served, or told to wait."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from memwell import Memory, MemwellError, Unavailable
from memwell.backends.memory.keyvalue import MemoryKeyValue
from memwell.backends.memory.log import MemoryLog
from memwell.backends.sqlite.keyvalue import SqliteKeyValue
from memwell.events import Event
from memwell.testing import run
from memwell.testing.memory import Words

KINDS = ["sqlite", "sqlite in memory", "memory"]


def opened(kind: str, path: Path) -> Memory:
    url = {"sqlite": f"sqlite:///{path / 'memory.db'}?timeout=1", "memory": "memory://"}.get(
        kind, "sqlite://"
    )
    return Memory(url, embedder=Words())


def handled(call: Callable[[], Any], at: int, handler: Callable[[], Any]) -> bool:
    """Whether the handler ran: at that line of memwell, counted from the start of the call, as signals do."""
    left, ran = at, False

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left, ran
        if "memwell" not in frame.f_code.co_filename:
            return None
        left -= event == "line"
        if left <= 0 and not ran:
            ran = True
            sys.settrace(None)
            handler()
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return ran


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("call", ["remember", "recall", "forget"])
def test_a_handler_at_any_line_of_a_call_is_served_or_asked_to_try_again(
    tmp_path: Path, kind: str, call: str
) -> None:
    with opened(kind, tmp_path) as memory:
        calls: dict[str, Callable[[int], Any]] = {
            "remember": lambda number: memory.remember(f"apple {number}", id=f"m{number}"),
            "recall": lambda number: memory.recall(f"apple {number}"),
            "forget": lambda number: memory.forget(f"m{number}"),
        }
        calls["remember"](0)
        stored: list[str] = []
        busy = 0

        def handler() -> None:
            nonlocal busy
            try:
                stored.append(memory.remember(f"plum {step}").id)
            except Unavailable:
                busy += 1
            assert memory.recall("apple", limit=3) is not None
            assert memory.count() >= len(stored)

        step = 1
        while True:
            if call == "forget":
                calls["remember"](step)
            if not handled(partial(calls[call], step), step, handler):
                break
            step += 37 if call == "recall" else 11  # a recall is some thousand lines
        assert len(stored) > 5
        assert busy or call == "recall"
        assert all(memory.get(id) for id in stored)
        if call == "remember":
            assert memory.get("m1").content == "apple 1"
        assert memory.count(where={"content": {"$contains": "plum"}}) == len(stored)
        assert memory.doctor().ok


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGALRM])
def test_a_real_signal_in_the_middle_of_a_write_is_refused_because_the_thread_is_busy(
    tmp_path: Path, number: signal.Signals
) -> None:
    with opened("sqlite", tmp_path) as memory:
        outcomes: list[Any] = []

        def handler(*_: object) -> None:
            try:
                outcomes.append(memory.remember("the last words"))
            except MemwellError as error:
                outcomes.append(error)

        database = memory._memory._engine.parts.store._database  # type: ignore[attr-defined]
        before = signal.signal(number, handler)
        try:
            database.submit(lambda _: os.kill(os.getpid(), number))
            with database.transaction():
                os.kill(os.getpid(), number)
            os.kill(os.getpid(), number)
        finally:
            signal.signal(number, before)
        first, second, third = outcomes
        assert all(error.transient and error.unsent and "busy" in str(error) for error in (first, second))
        assert third.content == "the last words"


@pytest.mark.parametrize("kind", KINDS)
def test_subscribers_may_write(tmp_path: Path, kind: str) -> None:
    with opened(kind, tmp_path) as memory:

        def again(event: Event) -> None:
            if len(event.records) == 1 and event.records[0].content == "apple":
                memory.remember("pear")
                memory.recall("pear")

        memory.on("remembered", again, inline=True)
        memory.remember("apple")
        assert sorted(record.content for record in memory.list()) == ["apple", "pear"]


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_a_counter_loses_nothing_that_a_handler_counted(tmp_path: Path, kind: str) -> None:
    part = MemoryKeyValue() if kind == "memory" else SqliteKeyValue(tmp_path / "a.db")
    counted, step = 0, 1

    def handler() -> None:
        nonlocal counted
        with suppress(Unavailable):
            run(part, part.increment("hits"))
            counted += 1

    while handled(lambda: run(part, part.increment("hits")), step, handler):
        step += 1
        counted += 1
    counted += 1
    assert run(part, part.get("hits")) == b"%d" % counted
    run(part, part.close())


def test_a_log_keeps_every_entry_of_a_handler() -> None:
    log = MemoryLog()
    entries, step = 0, 1

    def handler() -> None:
        nonlocal entries
        with suppress(Unavailable):
            run(log, log.append("s", [b"x"]))
            entries += 1

    while handled(lambda: run(log, log.append("s", [b"x"])), step, handler):
        step += 1
        entries += 1
    found = run(log, log.read("s", limit=10_000))
    assert len(found) == entries + 1
    assert len({entry.position for entry in found}) == len(found)
