"""The signals of the records of a corpus, as columns (see `memwell.retrieval.analysis.features`)."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

__all__ = ["Signals"]


class Signals:
    """What stands in the signals of each slot. Not thread-safe: callers hold a lock."""

    def __init__(self, lines: Iterable[str] = ()) -> None:
        self.lines = list(lines)
        """Slot → its signals."""
        self.codes: dict[str, int] = {}
        """Actor → code."""
        heads = [line and _head(line) for line in self.lines]
        read = {head: self._read(head) for head in dict.fromkeys(heads)}
        actors = {head: actor for head, (actor, _, _) in read.items()}
        shares = {head: share for head, (_, share, _) in read.items()}
        timed = {head: mentions for head, (_, _, mentions) in read.items()}
        self.actors = array("q", map(actors.__getitem__, heads))
        """Slot → the code of its actor; 0 without one."""
        self.shares = array("d", map(shares.__getitem__, heads))
        """Slot → its question share."""
        self.timed = bytearray(map(timed.__getitem__, heads))
        """Slot → 1 if it mentions a time."""

    def __len__(self) -> int:
        return len(self.lines)

    def add(self, line: str) -> None:
        """Add the signals of the next slot."""
        actor, share, timed = self._read(line and _head(line))
        self.lines.append(line)
        self.actors.append(actor)
        self.shares.append(share)
        self.timed.append(timed)

    def _read(self, head: str) -> tuple[int, float, bool]:
        """The code of the actor, the question share, and whether times are mentioned that are not encrypted."""
        if not head:
            return 0, 0.0, False
        actor, share, *times = head.split("\t")
        code = self.codes.setdefault(actor, len(self.codes) + 1) if actor else 0
        return code, float(share) if share else 0.0, times not in ([], [""], ["~"])


def _head(line: str) -> str:
    """The actor, the question share and the first character of the times: what many lines have in common."""
    return line[: line.find("\t", line.find("\t") + 1) + 2]
