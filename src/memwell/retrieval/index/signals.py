"""The signals of the records of a corpus, as columns (see `memwell.retrieval.analysis.features`)."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

__all__ = ["Signals"]


class Signals:
    """What stands in the signals of each slot. Not thread-safe: callers hold a lock."""

    def __init__(self, lines: Iterable[str] = ()) -> None:
        self.lines: list[str] = []
        """Slot → its signals."""
        self.actors = array("q")
        """Slot → the code of its actor; 0 without one."""
        self.shares = array("d")
        """Slot → its question share."""
        self.timed = bytearray()
        """Slot → 1 if it mentions a time."""
        self.codes: dict[str, int] = {}
        """Actor → code."""
        known: dict[str, tuple[int, float, bool]] = {}
        for line in lines:
            found = known.get(line)
            if found is None:
                found = known[line] = self._read(line)
            self._append(line, *found)

    def __len__(self) -> int:
        return len(self.lines)

    def add(self, line: str) -> None:
        """Add the signals of the next slot."""
        self._append(line, *self._read(line))

    def _append(self, line: str, actor: int, share: float, timed: bool) -> None:
        self.lines.append(line)
        self.actors.append(actor)
        self.shares.append(share)
        self.timed.append(timed)

    def _read(self, line: str) -> tuple[int, float, bool]:
        """The code of the actor, the question share, and whether times are mentioned that are not encrypted."""
        if not line:
            return 0, 0.0, False
        actor, share, *times = line.split("\t", 3)
        code = self.codes.setdefault(actor, len(self.codes) + 1) if actor else 0
        return code, float(share) if share else 0.0, bool(times and times[0] and times[0][0] != "~")
