"""Whether the server still has all the transactions that this process has seen.

A server loses its last transactions when it crashes with `synchronous_commit=off`, or when a replica takes over that
was behind. It gives their numbers to others then, so that a position in the change sequence means another change. This
process notices it by what the server said before: when it was started, its timeline, and how much of its log was on
disk. What is lost before anybody has read it, no follower can have seen.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

__all__ = ["STATE", "Lineage", "State"]

STATE: Final = (
    "(extract(epoch FROM pg_postmaster_start_time()) * 1000000)::int8,"
    " (SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'),"
    " CASE WHEN NOT pg_is_in_recovery() THEN left(pg_walfile_name(pg_current_wal_lsn()), 8) END,"
    " CASE WHEN NOT pg_is_in_recovery() THEN (pg_current_wal_insert_lsn() - '0/0')::int8 END,"
    " CASE WHEN NOT pg_is_in_recovery() THEN (pg_current_wal_flush_lsn() - '0/0')::int8 END,"
    " current_setting('synchronous_commit') = 'off'"
)
"""The columns of a `State`."""
_REMEMBERED: Final = 1000


@dataclass(frozen=True, slots=True)
class State:
    """What a server says of itself, after something was read from it."""

    started: int
    """When, in microseconds."""
    checkpointer: int | None
    """The process that ends with a crash, also where the server goes on by itself."""
    timeline: str | None
    """Another one after a failover."""
    written: int | None
    """Bytes of the log; what was read lies before."""
    flushed: int | None
    """Those that are on disk."""
    lazy: bool
    """Whether transactions are acknowledged before they are on disk, as far as this session knows."""

    @property
    def run(self) -> str:
        """Names the server and its run: from one start or crash to the next."""
        return f"{self.timeline}/{self.started}/{self.checkpointer}"


class Lineage:
    """What one process knows of positions in the change sequence."""

    def __init__(self) -> None:
        self._state: State | None = None
        self._safe = True
        """Whether all that was read is on the server's disk."""
        self._current: OrderedDict[int, None] | None = None
        """Positions given by this run of the server; `None`: there was no other run that may have lost something."""

    def observe(self, state: State) -> bool:
        """Note what the server says; whether it may have lost something that was read before."""
        before, self._state = self._state, state
        if before is None:
            lost = False
        elif before.run == state.run:
            lost = (state.written or 0) < (before.written or 0)
        else:
            lost = before.timeline != state.timeline or not self._safe
        self._safe = not state.lazy or (state.flushed or 0) >= (state.written or 0)
        if lost:
            self._current = OrderedDict()
        return lost

    def give(self, position: int) -> int:
        """Note a position that the server gave; the position."""
        if self._current is not None:
            self._current[position] = None
            self._current.move_to_end(position)
            if len(self._current) > _REMEMBERED:
                self._current.popitem(last=False)
        return position

    def knows(self, position: int) -> bool:
        """Whether a position means what it meant when it was given."""
        return self._current is None or position in self._current
