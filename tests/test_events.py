"""Subscribers in the process: they run beside the caller, in order, and lose only what overflows."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import memwell
from memwell import AsyncMemory, Event, InvalidInput, Keyring, Memory, events


def test_a_slow_handler_delays_neither_the_call_nor_the_others_and_gets_all_in_order() -> None:
    gate, slow, quick = threading.Event(), list[str](), list[str]()

    def wait(event: Event) -> None:
        gate.wait(10)
        slow.append(event.id)

    with Memory("memory://", embedder=None) as memory:
        memory.on("re*", wait)
        memory.on("remembered", lambda event: quick.append(event.id))
        for number in range(50):
            memory.remember(f"tea {number}")
        until = time.monotonic() + 10
        while len(quick) < 50 and time.monotonic() < until:
            time.sleep(0.001)
        assert len(quick) == 50
        assert slow == []
        gate.set()
    assert slow == quick == sorted(quick), "close waits for handlers; ids are in order"


def test_when_too_many_wait_the_oldest_are_dropped_and_counted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(events, "WAITING", 3)
    begun, gate, heard = threading.Event(), threading.Event(), list[str]()

    def wait(event: Event) -> None:
        begun.set()
        gate.wait(10)
        heard.append(event.ids[0])

    with Memory("memory://", embedder=None) as memory, caplog.at_level(logging.WARNING):
        subscription = memory.on("remembered", wait)
        memory.remember("m0", id="m0")
        assert begun.wait(10)
        for number in range(1, 8):
            memory.remember(f"m{number}", id=f"m{number}")
        gate.set()
    assert heard == ["m0", "m5", "m6", "m7"]
    assert subscription.dropped == 4
    assert "a handler is too slow" in caplog.text


@pytest.mark.parametrize("asynchronous", [False, True])
def test_coroutine_functions_run_with_and_without_a_loop(
    asynchronous: bool, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[Event] = []

    async def hear(event: Event) -> None:
        await asyncio.sleep(0)
        if event.ids == ("bad",):
            raise RuntimeError("a broken handler")
        heard.append(event)

    async def main() -> None:
        async with AsyncMemory("memory://", embedder=None) as memory:
            memory.on("*", hear)
            with memwell.acting(actor="eva", correlation_id="r7"):
                await memory.remember("x", id="bad")
                await memory.remember("tea", id="a")
            assert heard == []

    if asynchronous:
        asyncio.run(main())
    else:
        with Memory("memory://", embedder=None) as memory:
            memory.on("*", hear)
            with memwell.acting(actor="eva", correlation_id="r7"):
                memory.remember("x", id="bad")
                memory.remember("tea", id="a")
    assert [(event.name, event.ids, event.correlation_id, event.actor) for event in heard] == [
        ("remembered", ("a",), "r7", "eva")
    ]
    assert "a handler of 'remembered' failed" in caplog.text


def test_a_handler_may_use_the_memory_close_it_and_be_ended(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "a.db", embedder=None)
    done = threading.Event()

    def work(event: Event) -> None:
        if event.ids == ("a",):
            memory.remember("coffee", id="b")
        else:
            memory.close()
            done.set()

    end = memory.on("remembered", work)
    started = time.monotonic()
    memory.remember("tea", id="a")
    assert done.wait(10)
    assert time.monotonic() - started < events.PATIENCE, "close does not wait for its own caller"
    end()
    end()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_handles_its_own_events_only() -> None:
    gate, heard = threading.Event(), list[str]()

    def hear(event: Event) -> None:
        gate.wait(10)
        heard.extend(event.ids)

    memory = Memory("memory://", embedder=None)
    memory.on("remembered", hear)
    memory.remember("tea", id="parent")
    if (child := os.fork()) == 0:
        gate.set()
        memory.remember("milk", id="child")
        memory.close()
        os._exit(0 if heard == ["child"] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    gate.set()
    memory.close()
    assert heard == ["parent"]


def test_what_manages_the_store_is_published(tmp_path: Path) -> None:
    heard: list[tuple[str, Any]] = []
    with Memory("memory://", embedder=None) as memory:
        memory.on("[!r]*", lambda event: heard.append((event.name, event.ids)), inline=True)
        memory.remember(["tea", "milk"])
        a, b = (record.id for record in memory.list(descending=False))
        memory.relate(a, b, "contradicts")
        memory.relate(a, b, "supersedes")
        memory.apply(memory.plan({"tier": [{"name": "short_term", "capacity": 9}]}))
        receipt = memory.erase(b, reason="asked")
    assert heard == [
        ("contradicted", (a, b)),
        ("superseded", (a, b)),
        ("planned", ()),
        ("applied", ()),
        ("forgotten", (b,)),
        ("erased", (b,)),
    ]
    assert receipt.complete


def test_keys_and_models_are_published() -> None:
    heard: list[tuple[str, Any]] = []
    keyring = Keyring.from_text(Keyring.generate())
    with Memory("memory://", embedder="hashing", encryption=keyring) as memory:
        memory.on("*", lambda event: heard.append((event.name, dict(event.data))), inline=True)
        memory.remember("tea", tenant_id="acme")
        memory.reembed()
        memory.rotate_keys()
        receipt = memory.shred("acme", reason="asked")
        memory.encrypt()
    names = [name for name, _ in heard]
    assert names == ["remembered", "reembedded", "rotated", "shredded", "encrypted"]
    assert heard[2][1] == {"tenants": 1, "rewrapped": 0, "rewritten": 0}
    assert heard[3][1] == {"receipt": receipt.id, "complete": True}


def test_what_can_never_come_is_refused() -> None:
    with Memory("memory://", embedder=None) as memory:
        for pattern in ("", "RE*", "memory.*", "remember", 7, None):
            with pytest.raises(InvalidInput, match="no event"):
                memory.on(pattern, print)  # type: ignore[arg-type]

        async def coroutine(event: Event) -> None:
            raise AssertionError(event)

        with pytest.raises(InvalidInput, match="inline"):
            memory.on("*", coroutine, inline=True)
