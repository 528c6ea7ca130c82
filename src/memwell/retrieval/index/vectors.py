"""The vectors of a corpus for one model."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from itertools import islice, repeat
from typing import Final, TypeAlias

from memwell.ports.arrays import numpy
from memwell.retrieval.index.matrix import Matrix

__all__ = ["Chunked", "VectorSet"]

Chunked: TypeAlias = tuple[int, str | None, bytes]
"""A key, the ranges of its passages as JSON (`None` for a single passage), and their vectors as little-endian
float32.
"""

_READ_ROWS: Final = 64
"""Rows read at a time, so that their memory is used again."""


class VectorSet:
    """The vectors of a corpus for one model, one row per record: the mean of its passages."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.whole: Matrix | None = None
        self.slots = array("q")
        """Row of `whole` → slot; −1 if the record is gone."""
        self.dead: list[int] = []
        """Rows whose records are gone."""
        self.rows = array("q")
        """Slot → row of `whole`; −1 without a vector. Later slots than these have none."""

    def add(self, slots: Mapping[int, int], found: Iterator[Chunked]) -> None:
        """Add the vectors of live records. `slots` maps key → slot; other keys are ignored."""
        while batch := list(islice(found, _READ_ROWS)):
            rows = [row for row in batch if row[0] in slots]
            if not rows:
                continue
            keys, spans, parts = zip(*rows, strict=True)
            if any(spans):
                parts = tuple(data if own is None else _mean(data, own) for _, own, data in rows)
            if self.whole is None:
                self.whole = Matrix(len(parts[0]) // 4, expected=len(slots))
            self._place([slots[key] for key in keys])
            self.whole.append_stored(parts)

    def _place(self, slots: list[int]) -> None:
        """Give the next rows to some slots."""
        if (missing := max(slots) + 1 - len(self.rows)) > 0:
            self.rows.extend(repeat(-1, missing))
        for row, slot in enumerate(slots, len(self.slots)):
            self.rows[slot] = row
        self.slots.extend(slots)

    def row(self, slot: int) -> int | None:
        """The row of a record; `None` without a vector."""
        return row if 0 <= slot < len(self.rows) and (row := self.rows[slot]) >= 0 else None

    def drop(self, slot: int) -> None:
        """Remove a record."""
        row = self.row(slot)
        if row is not None:
            self.slots[row] = self.rows[slot] = -1
            self.dead.append(row)


def _mean(data: bytes, spans: str) -> bytes:
    """The normalised mean vector of several passages."""
    np = numpy()
    mean = np.frombuffer(data, dtype="<f4").reshape(1 + spans.count("],["), -1).mean(axis=0)
    unit = mean / (np.linalg.norm(mean) or 1.0)
    return bytes(unit.astype("<f4").tobytes())
