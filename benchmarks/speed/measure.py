"""Measuring two sides in one run, turn by turn, and what a line of the table says."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Row", "paired", "ratio", "spell", "steady", "timed"]


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

    def holds(self, bound: float | None) -> bool:
        """Whether the value keeps the bound."""
        return bound is None or (self.value >= bound if self.higher else self.value <= bound)

    @property
    def mark(self) -> str:
        """`aim`, `must`, `missed`, or nothing where there is no bound."""
        if self.must is None:
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


def paired(
    ours: Sequence[Callable[[], object]], floor: Sequence[Callable[[], object]]
) -> tuple[float, float, float]:
    """Medians of both sides in seconds, and their ratio. The sides take turns, and take turns at being first."""
    mine: list[float] = []
    theirs: list[float] = []
    with steady():
        for number, (a, b) in enumerate(zip(ours, floor, strict=True)):
            if number % 2:
                theirs.append(timed(b))
                mine.append(timed(a))
            else:
                mine.append(timed(a))
                theirs.append(timed(b))
    one, other = statistics.median(mine), statistics.median(theirs)
    return one, other, one / other


def spell(seconds: float) -> str:
    """A duration for people."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.1f} µs"
    return f"{seconds * 1e3:.2f} ms" if seconds < 1 else f"{seconds:.2f} s"


def ratio(
    name: str,
    ours: Sequence[Callable[[], object]],
    floor: Sequence[Callable[[], object]],
    *,
    must: float | None,
    aim: float | None,
    note: str = "",
) -> Row:
    """A row that compares durations."""
    mine, theirs, value = paired(ours, floor)
    return Row(name=name, value=value, ours=spell(mine), floor=spell(theirs), must=must, aim=aim, note=note)
