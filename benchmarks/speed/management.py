"""What managing memories costs: the audit log beside none, plans and their steps, deliveries to a log."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.speed.measure import Row, spell, steady
from benchmarks.speed.policies import NOW, POLICIES, fill, measured
from benchmarks.speed.sides import LookupEmbedder
from benchmarks.speed.texts import Lookup, Texts
from memwell import Memory

__all__ = ["management"]

TURN = 25
"""Calls between two readings of the clock of the processor."""


def management(folder: Path, quick: bool) -> Iterator[Row]:
    """Audit, policies and deliveries on SQLite, by time of the processor."""
    yield from _audit(folder, 300 if quick else 3_000)
    yield from _policies(folder, 5_000 if quick else 100_000)
    yield from _delivery(folder, 200 if quick else 5_000)


def _audit(folder: Path, times: int) -> Iterator[Row]:
    modes: dict[str, dict[str, Any]] = {
        "in the same file": {"audit": "same"},
        "in a file of its own": {"audit": "apart"},
        "batched": {"audit": "same", "audit_mode": "batched"},
    }
    for name, lookup in (("with vectors", Lookup()), ("by words only", None)):
        turns = Texts().memories(times)
        if lookup is not None:
            lookup.prepare(turns)
        coder = lookup and LookupEmbedder(lookup)
        sides = [Memory(folder / f"{name} plain.db", embedder=coder)]
        for mode, given in modes.items():
            place = folder / f"{name} {mode}.db"
            log = place if given["audit"] == "same" else folder / f"{name} log.db"
            sides.append(Memory(place, embedder=coder, **{**given, "audit": f"sqlite:///{log}"}))
        plain, *others = _processor([[partial(m.remember, t, user_id="u") for t in turns] for m in sides])
        for mode, spent in zip(modes, others, strict=True):
            must = 1.15 if mode == "in the same file" else None
            yield Row(
                name=f"audited remember, {name}, log {mode}",
                value=spent / plain,
                ours=spell(spent),
                floor=spell(plain),
                must=must,
                note="ours beside ours",
            )
        for memory in sides:
            memory.close()


def _policies(folder: Path, count: int) -> Iterator[Row]:
    url = f"sqlite:///{folder / 'policies.db'}"
    fill(url, count)
    with Memory(url, embedder=None, clock=lambda: NOW) as memory:
        with measured() as planning:
            plan = memory.plan(POLICIES)
        with measured() as applying:
            done = memory.apply(plan).done
    rate = count / planning.processor
    yield Row(
        name=f"plan of {count:,} memories", value=rate, unit="/CPU-s", ours=f"{rate:,.0f}/s", must=1_000_000 / 60,
        higher=True, note=f"wall {planning.wall:.1f} s",
    )  # fmt: skip
    rate = done / applying.processor
    yield Row(
        name="steps of a plan applied", value=rate, unit="/CPU-s", ours=f"{rate:,.0f}/s", must=20_000, higher=True,
        note=f"{done:,} steps, wall {applying.wall:.1f} s",
    )  # fmt: skip


def _delivery(folder: Path, count: int) -> Iterator[Row]:
    with Memory(folder / "delivery.db", embedder=None) as memory:
        memory.add_webhook(f"sqlite:///{folder / 'out.db'}")
        memory.remember([f"note {number}" for number in range(count)], user_id="u")
        with measured() as delivering:
            delivered = sum(status.delivered for status in memory.deliver())
    assert delivered == count
    rate = count / delivering.processor
    yield Row(
        name="changes delivered to a log", value=rate, unit="/CPU-s", ours=f"{rate:,.0f}/s", higher=True,
        note=f"{count:,} changes, wall {delivering.wall:.1f} s",
    )  # fmt: skip


def _processor(sides: Sequence[Sequence[Callable[[], object]]]) -> list[float]:
    """Seconds of processor time for a call on each side: the median of their turns. Each begins in its turn."""
    spent: list[list[float]] = [[] for _ in sides]
    with steady():
        for at in range(0, len(sides[0]), TURN):
            for place in range(len(sides)):
                number = (place + at // TURN) % len(sides)
                calls = sides[number][at : at + TURN]
                start = time.process_time()
                for call in calls:
                    call()
                spent[number].append((time.process_time() - start) / len(calls))
    return [statistics.median(each) for each in spent]
