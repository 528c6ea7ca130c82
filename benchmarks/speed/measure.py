"""Measuring two sides in one run, turn by turn, and what a line of the table says."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Paired", "Row", "paired", "spell", "steady", "timed"]

TURN = 25
"""Calls of a side before it is the other's turn."""
Call = Callable[[], object]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measured number beside its bounds."""

    name: str
    value: float
    """What is compared with the bounds: a ratio to the floor, or a number of its own."""
    unit: str = "×"
    ours: str = ""
    floor: str = ""
    must: float | None = None
    aim: float | None = None
    higher: bool = False
    """Whether more is better."""
    note: str = ""
    binding: bool = True
    """False where a bound does not hold, such as that of a slow disk on a quick one."""
    part: str = ""
    """The part of the benchmark that measured it."""
    corpus: str = ""
    """`notes` or `chat`; empty where texts are not what is measured."""

    def holds(self, bound: float | None) -> bool:
        """Whether the value keeps the bound."""
        return bound is None or (self.value >= bound if self.higher else self.value <= bound)

    @property
    def mark(self) -> str:
        """`aim`, `must`, `missed`, or nothing where there is no bound that holds here."""
        if self.must is None or not self.binding:
            return ""
        if not self.holds(self.must):
            return "missed"
        return "aim" if self.holds(self.aim) else "must"

    def as_json(self) -> dict[str, Any]:
        """All fields and the mark."""
        return asdict(self) | {"mark": self.mark}


@contextmanager
def steady() -> Iterator[None]:
    """No garbage collection in between."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def timed(call: Callable[[], object]) -> float:
    """Seconds one call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


@dataclass(frozen=True, slots=True)
class Paired:
    """Medians of both sides in seconds: by the clock, and of this process's processor."""

    ours: float
    floor: float
    ours_cpu: float
    floor_cpu: float

    @property
    def ratio(self) -> float:
        """Ours beside the floor, by the clock."""
        return self.ours / self.floor


def paired(ours: Sequence[Call], floor: Sequence[Call]) -> Paired:
    """Measure both sides. They take turns of `TURN` calls, and take turns at being first.

    A turn of one call would find the processor's caches full of the other side's data, which takes longer than a small
    call does.
    """
    sides = ours, floor
    found: tuple[list[tuple[float, float]], ...] = ([], [])
    with steady():
        for number, at in enumerate(range(0, min(len(ours), len(floor)), TURN)):
            for side in (number % 2, 1 - number % 2):
                found[side].extend(_measured(call) for call in sides[side][at : at + TURN])
    (a, a_cpu), (b, b_cpu) = ([statistics.median(each) for each in zip(*side, strict=True)] for side in found)
    return Paired(a, b, a_cpu, b_cpu)


def _measured(call: Call) -> tuple[float, float]:
    processor = time.process_time()
    clock = timed(call)
    return clock, time.process_time() - processor


def spell(seconds: float) -> str:
    """A duration for people."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.1f} µs"
    return f"{seconds * 1e3:.2f} ms" if seconds < 1 else f"{seconds:.2f} s"
