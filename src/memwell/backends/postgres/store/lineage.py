"""Detects whether the server has lost transactions that this process has read.

A server loses its last transactions when it crashes with `synchronous_commit=off`, or when a replica that was behind
takes over. It then reuses their numbers, so that a position in the change sequence means another change. This process
detects the loss by comparing the server's start, its timeline, and how much of its log was on disk with the values that
it saw before. A transaction that was lost before any process read it does no harm.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from memwell._dataclasses import dataclass

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
    """The state of a server, queried after a read."""

    started: int
    """When the server was started, in microseconds."""
    checkpointer: int | None
    """The pid of a process that changes with a crash, also when the server recovers by itself."""
    timeline: str | None
    """Changes with a failover."""
    written: int | None
    """Bytes written to the log; everything that was read is among them."""
    flushed: int | None
    """Bytes of the log that are on disk."""
    lazy: bool
    """Whether transactions are acknowledged before they are on disk, as far as this session knows."""

    @property
    def run(self) -> str:
        """Identifies the server and its run, which lasts from a start or crash to the next."""
        return f"{self.timeline}/{self.started}/{self.checkpointer}"


class Lineage:
    """The positions of the change sequence that one process knows to be valid."""

    def __init__(self) -> None:
        self._state: State | None = None
        self._safe = True
        """Whether all that was read is on the server's disk."""
        self._current: OrderedDict[int, None] | None = None
        """Positions returned since the last loss; `None` if there was none, so that all positions are valid."""

    def observe(self, state: State) -> bool:
        """Record the server's state; returns whether it may have lost something that was read before."""
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
        """Record a position that the server returned, and return it."""
        if self._current is not None:
            self._current[position] = None
            self._current.move_to_end(position)
            if len(self._current) > _REMEMBERED:
                self._current.popitem(last=False)
        return position

    def knows(self, position: int) -> bool:
        """Whether a position still refers to the same change."""
        return self._current is None or position in self._current
