"""The lease of a follower: one process delivers at a time, and late writes of a former holder are repaired.

The store keeps the lease (`Store.claim`) for some seconds, so that a process that dies holds up the others no longer
than that. A process that was only paused is still alive: it may go on and write what it read before the pause, and a
sink cannot tell its writes from those of others. If it lives on, it notices, and delivers those records again. It may
also be killed before it notices. So taking over an expired lease records the old checkpoint, under a follower's name of
its own, for `LATE` seconds; no request lives longer than that. Afterwards the next holder, in any process, replays the
changes from there.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from memwell.ports import Store
from memwell.records.ids import new_id

__all__ = ["LATE", "LEASE", "Lease"]

LEASE: Final = 15.0
"""Seconds for which a lease is claimed; the longest that others wait for a process that died."""
LATE: Final = 600.0
"""Seconds during which a former holder may still write something stale."""
_AGES: Final = 10 * 365 * 86_400.0
"""Seconds. So long ago no lease had expired: a claim as of then succeeds only if the lease was released."""
_NOTHING: Final = 2**63 - 1
"""The checkpoint of a mark that was cleared: beyond all others, so that no change is kept for its sake."""
_ANYBODY: Final = "late writer"
"""The holder of a mark: every process may change the mark, and none may take it before its time."""


class Lease:
    """The lease on one follower of a store, for this object in this process; a forked child is another holder.

    Without a `follower` there is nothing to share: the lease is always ours, and this object keeps the checkpoint.
    With `replayed=False` taking over marks nothing: for sinks to which late writes do no harm.
    """

    def __init__(
        self,
        store: Store,
        follower: str | None,
        clock: Callable[[], datetime],
        *,
        seconds: float | None = None,
        replayed: bool = True,
    ) -> None:
        self.checkpoint = 0
        """The follower's position in the change sequence when it was last read or moved."""
        self._store, self._follower, self._clock = store, follower, clock
        self._seconds, self._replayed = seconds, replayed
        self._token = new_id()
        self._next_look: datetime | None = None
        """When to look for a mark again; `None`: at once."""
        self._marked_as = _ANYBODY
        """The holder under whose name this object last changed the mark."""

    @property
    def must_look(self) -> bool:
        """Whether it is time to ask `replay_from` again."""
        if self._follower is None or not self._replayed:
            return False
        return self._next_look is None or self._clock() >= self._next_look

    async def claim(self) -> bool:
        """Claim the lease, or extend it, and read the checkpoint. Returns whether the lease is ours."""
        if self._follower is None or await self._claimed(ago=_AGES) or await self._claimed(ago=LATE):
            return True
        if not await self._claimed(ago=0.0):
            return False
        if self._replayed:
            await self.mark_suspect()
        return True

    async def advance(self, checkpoint: int, *, release: bool = False) -> bool:
        """Move the checkpoint, and with `release` give the lease back. Returns whether the lease was still ours; if
        not, nothing changed."""
        if self._follower is not None and not await self._store.advance(
            self._follower, self._holder, checkpoint, release=release
        ):
            return False
        self.checkpoint = checkpoint
        return True

    async def release(self) -> bool:
        """Give the lease back, the checkpoint as it is. Returns whether it was still ours."""
        return await self.advance(self.checkpoint, release=True)

    async def mark_suspect(self, checkpoint: int | None = None) -> bool:
        """Record that what was delivered after this checkpoint (`None`: the lease's own) may be overwritten late. In
        `LATE` seconds it is replayed. An earlier mark stays if it reaches farther back. Returns whether there was none.
        """
        if self._follower is None:
            return True
        now = self._clock()
        self._next_look = now + timedelta(seconds=LATE)
        moment = now + timedelta(seconds=LEASE)  # a process that reads the mark right now holds it until then
        self._marked_as = _ANYBODY
        found = await self._store.claim(self._mark, _ANYBODY, seconds=LATE - LEASE, now=moment)
        earlier = found if found and found < _NOTHING else None
        if checkpoint is None:
            checkpoint = max(self.checkpoint, 0) or earlier
        await self._store.advance(self._mark, _ANYBODY, min(max(checkpoint or 0, 1), earlier or _NOTHING))
        return earlier is None

    async def replay_from(self) -> int | None:
        """The checkpoint from which to deliver again: that of a mark whose time has come, or `None`. Call it while the
        lease is ours, move there, then `clear_suspect`."""
        if self._follower is None or not self._replayed:
            return None
        now = self._clock()
        self._next_look, self._marked_as = now + timedelta(seconds=LATE), self._holder
        found = await self._store.claim(self._mark, self._holder, seconds=0, now=now)
        if found == 0:  # this claim has just created it
            await self.clear_suspect()
        return found if found and found < _NOTHING else None

    async def clear_suspect(self) -> None:
        """Clear the mark that this object made or read."""
        if self._follower is not None:
            await self._store.advance(self._mark, self._marked_as, _NOTHING, release=True)

    @property
    def _mark(self) -> str:
        return f"{self._follower} late"

    @property
    def _holder(self) -> str:
        return f"{self._token}-{os.getpid()}"

    async def _claimed(self, *, ago: float) -> bool:
        """Claim the lease as of `ago` seconds before now, to its usual end."""
        assert self._follower is not None
        seconds = ago + (LEASE if self._seconds is None else self._seconds)
        then = self._clock() - timedelta(seconds=ago)
        found = await self._store.claim(self._follower, self._holder, seconds=seconds, now=then)
        if found is not None:
            self.checkpoint = found
        return found is not None
