"""How long a plan of policies takes, and applying it: `python -m benchmarks.speed.policies --records 1000000`.

Memories of a hundred users in three tiers of a SQLite file. The rules move, evict, expire and fade: some two thirds of
the memories get a step. Wall time and time of the processor are given, since other work on the machine slows the first.
"""

from __future__ import annotations

import argparse
import random
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from memwell import Memory, _bridge
from memwell.ports import Insert
from memwell.records.ids import new_id
from memwell.registry import open_store
from memwell.types import Record, Scope

__all__ = ["POLICIES", "fill", "main", "records"]

NOW = datetime(2026, 5, 1, tzinfo=UTC)
WORDS = "tea garden bicycle meeting invoice holiday rain piano river train book lunch project doctor coffee".split()
POLICIES: dict[str, Any] = {
    "tier": [
        {"name": "short_term", "capacity": 2000, "expiry": "7d"},
        {"name": "mid_term", "capacity": 3000, "expiry": "90d"},
        {"name": "long_term"},
    ],
    "write": [{"tier": "short_term"}, {"tier": "long_term", "importance": ">= 0.8"}],
    "migrate": [{"from": "mid_term", "to": "long_term", "importance": ">= 0.9"}],
    "promote": [{"from": "mid_term", "to": "short_term", "uses": ">= 2", "idle": "< 7d"}],
    "expire": [{"importance": "< 0.1", "age": ">= 300d"}],
    "decay": {"half_life": "365d", "floor": 0.1, "every": "300d"},
}


@dataclass(slots=True)
class Measured:
    """Seconds of one piece of work."""

    wall: float = 0.0
    processor: float = 0.0


@contextmanager
def measured() -> Iterator[Measured]:
    """Measure the block."""
    found, wall, processor = Measured(), time.perf_counter(), time.process_time()
    yield found
    found.wall, found.processor = time.perf_counter() - wall, time.process_time() - processor


def records(count: int, seed: int = 1) -> Iterator[Record]:
    """Memories of the last four hundred days."""
    rng = random.Random(seed)
    for number in range(count):
        made = NOW - timedelta(days=rng.random() * 400)
        yield Record(
            id=new_id(),
            scope=Scope(user_id=f"user {number % 100}", session_id=f"session {number % 5000}"),
            content=f"note {number}: {' '.join(rng.choices(WORDS, k=12))}",
            created_at=made,
            updated_at=made,
            importance=round(rng.random(), 2),
            tier=("short_term", "mid_term", "long_term")[number % 3],
        )


def fill(url: str, count: int) -> None:
    """Store the memories, a thousand at a time."""
    store, batch = open_store(url), []
    for record in records(count):
        batch.append(Insert(record=record))
        if len(batch) == 1000:
            _bridge.drive(store.write(batch, now=NOW))
            batch.clear()
    _bridge.drive(store.write(batch, now=NOW))
    _bridge.drive(store.close())


def main() -> None:
    """Fill a file, plan, apply, and print how long it took."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.policies", description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, help="where the file is made")
    parser.add_argument("--plan-only", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="memwell-policies-", dir=arguments.folder) as folder:
        url = f"sqlite:///{Path(folder).resolve() / 'policies.db'}"
        fill(url, arguments.records)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        with Memory(url, embedder=None, clock=lambda: NOW) as memory:
            with measured() as planning:
                plan = memory.plan(POLICIES)
            after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(plan.summary())
            print(
                f"plan of {plan.records:,} memories: {planning.wall:.1f} s,"
                f" {planning.processor:.1f} s of the processor, {after:.0f} MB at most ({before:.0f} MB before)"
            )
            if arguments.plan_only:
                return
            with measured() as applying:
                done = memory.apply(plan)
            print(
                f"{done.done:,} steps applied, {len(done.refused):,} refused: {applying.wall:.1f} s,"
                f" {applying.processor:.1f} s of the processor, {done.done / applying.wall:,.0f} steps/s"
                f" ({done.done / applying.processor:,.0f} by time of the processor)"
            )
            assert not memory.plan(POLICIES)


if __name__ == "__main__":
    main()
