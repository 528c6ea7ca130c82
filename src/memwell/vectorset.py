"""The vectors of a corpus under one model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from memwell.matrix import Matrix, numpy

__all__ = ["Chunked", "VectorSet"]

Chunked: TypeAlias = tuple[int, str | None, bytes]
"""A key, the ranges of its passages as JSON (`None` for one passage), and their vectors as little-endian float32."""

_READ_ROWS: Final = 2048


class VectorSet:
    """The vectors of a corpus under one model: a row for each whole text, and one for each passage of the
    long ones.
    """

    def __init__(self, model: str) -> None:
        self.model = model
        self.whole: Matrix | None = None
        self.slots: list[int] = []
        """Row of `whole` → slot, −1 once it is dead."""
        self.dead: list[int] = []
        """Rows of records that are gone."""
        self.of: dict[int, int] = {}
        """Slot → row of `whole`."""

    def add(self, slots: Mapping[int, int], found: Iterable[Chunked]) -> None:
        """Take over the vectors of living records; `slots` tells the slot of each key."""
        np = numpy()
        pending: list[bytes] = []
        for key, spans, data in found:
            slot = slots.get(key)
            if slot is None:
                continue
            if spans is not None:
                data = self._mean(np, data, 1 + spans.count("],["))
            self.of[slot] = len(self.slots)
            self.slots.append(slot)
            pending.append(data)
            if len(pending) == _READ_ROWS:
                self._append(np, pending)
        self._append(np, pending)

    def drop(self, slot: int) -> None:
        """Forget a record."""
        row = self.of.pop(slot, None)
        if row is not None:
            self.slots[row] = -1
            self.dead.append(row)

    def _append(self, np: Any, pending: list[bytes]) -> None:
        if pending:
            rows = np.frombuffer(b"".join(pending), dtype="<f4").reshape(len(pending), -1)
            if self.whole is None:
                self.whole = Matrix(rows.shape[1])
            self.whole.append(rows)
            pending.clear()

    def _mean(self, np: Any, data: bytes, passages: int) -> bytes:
        mean = np.frombuffer(data, dtype="<f4").reshape(passages, -1).mean(axis=0)
        unit = mean / (np.linalg.norm(mean) or 1.0)
        return bytes(unit.astype("<f4").tobytes())
