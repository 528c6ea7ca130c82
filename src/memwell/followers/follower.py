"""Follows a store's change sequence and delivers it to a sink: safe with many processes, and bounded in time.

Delivery is at least once, in batches, by the one process that holds the lease (`memwell.followers.lease`): a batch is
delivered, then the checkpoint moves. A process that dies in between leaves the checkpoint where it was. One that was
paused for so long that it lost the lease may have written something stale by then: it goes back to the checkpoint it
had, so that those records are delivered again.

The sink is rebuilt from what the store holds when it is not intact, when a rebuild was cut short, when the changes it
needs were trimmed, and when the position of the store went back: the store has lost what the sink has seen, as after a
failover. During a rebuild the checkpoint is `REBUILDING`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from memwell._dataclasses import dataclass
from memwell._forks import fork_safe
from memwell.errors import MemwellError, NotSupported
from memwell.followers.lease import Lease
from memwell.followers.sink import Rebuild, Sink
from memwell.ports import Change, Store

__all__ = ["BATCH", "REBUILDING", "Follower"]

BATCH: Final = 256
"""Changes or records delivered at a time."""
REBUILDING: Final = -1
"""The checkpoint of a sink that is being rebuilt."""


@dataclass(slots=True)
class _Rebuilding:
    """A rebuild under way."""

    start: int
    """The end of the change sequence when it began; from there the sink follows afterwards."""
    first_mark: bool
    """Whether no other mark of late writes stood when it began."""
    work: Rebuild


class Follower:
    """Delivers the changes of a store to a sink.

    The store keeps the checkpoint under `name`; without a name it lives in this object, for sinks that do not outlive
    it. `clock` times the lease of `lease` seconds, `batch` is the most that is delivered at a time, and with
    `replayed=False` late writes of a former holder do the sink no harm. Threads, tasks and processes may all call
    `catch_up`; one of them delivers.
    """

    def __init__(
        self,
        store: Store,
        sink: Sink,
        *,
        name: str | None,
        clock: Callable[[], datetime] | None = None,
        lease: float | None = None,
        replayed: bool = True,
        batch: int | None = None,
    ) -> None:
        self.position: int | None = None
        """Changes up to here are delivered, as far as this process knows; `None`: not known."""
        self._store, self._sink = store, sink
        self._lease = Lease(
            store, name, clock or (lambda: datetime.now(UTC)), seconds=lease, replayed=replayed
        )
        self._batch = BATCH if batch is None else batch
        self._trusted = False
        """Whether the sink was found intact since it last failed."""
        self._rebuilding: _Rebuilding | None = None
        self._suspect: int | None = None
        """The checkpoint after which this process may have delivered without the lease."""
        self._again = False
        """Whether `catch_up` was called again since the running call last looked."""
        self._reset_lock()
        fork_safe(self._reset_lock)

    def _reset_lock(self) -> None:
        self._busy = threading.Lock()

    async def catch_up(self, seconds: float | None = None, *, rebuild: bool = False) -> bool:
        """Deliver for about `seconds`, at least one batch (`None`: to the end). Returns whether the sink is up to date.

        `rebuild` starts a rebuild in any case. If another thread, task or process is delivering, it returns False at
        once: that one goes on. Raises what the store or the sink raises.
        """
        until = float("inf") if seconds is None else time.monotonic() + seconds
        self._again = True
        while self._again:
            if not self._busy.acquire(blocking=False):
                return False  # the one who is busy will look once more
            try:
                self._again = False
                if not await self._caught_up(until, rebuild=rebuild):
                    return False
            finally:
                self._busy.release()
            rebuild = False
            if time.monotonic() >= until:
                break  # what others have just written is theirs to deliver
        return True

    async def pending(self, limit: int) -> list[Change] | None:
        """The changes that are not delivered yet; `None` if there are more than `limit`, or it is not known."""
        if self.position is None or not self._trusted:
            return None
        try:
            changes = await self._store.changes(self.position, limit=limit + 1)
        except NotSupported:
            return None
        return None if len(changes) > limit else changes

    async def lag(self) -> int:
        """How many positions of the change sequence are not delivered yet."""
        if self._busy.acquire(blocking=False):
            try:
                if await self._lease.claim():
                    await self._lease.release()
            finally:
                self._busy.release()
        return max(0, await self._store.position() - max(0, self._lease.checkpoint))

    def distrust(self) -> None:
        """The sink has failed: check that it is intact before the next delivery."""
        self._trusted = False

    # ---------------------------------------------------------------------------------- one caller at a time

    async def _caught_up(self, until: float, *, rebuild: bool) -> bool:
        if not rebuild and await self._up_to_date():
            await self._sink.caught_up()
            return True
        if not await self._lease.claim():
            return False
        try:
            return await self._follow(until, rebuild=rebuild)
        except BaseException:
            self._trusted = False
            with suppress(MemwellError):  # the first error is the one to report; the lease expires by itself
                await self._lease.release()
            raise

    async def _up_to_date(self) -> bool:
        """Whether there is nothing to do; asked without the lease."""
        if self.position is None or not self._trusted or self._rebuilding or self._suspect is not None:
            return False
        if self._lease.checkpoint < self.position or self._lease.must_look:
            return False
        end = await self._store.position()
        if end <= self.position:
            return end == self.position
        try:
            return not await self._store.changes(self.position, limit=1)
        except NotSupported:
            return False

    async def _follow(self, until: float, *, rebuild: bool) -> bool:
        lease = self._lease
        if not await self._sink.ready():
            self.position, self._trusted = None, False
            await lease.release()
            return False
        if lease.checkpoint != REBUILDING:
            self._rebuilding = None  # another process has finished it
        lost = 0 <= lease.checkpoint < (self.position or 0)  # by the store, though the sink has seen it
        if not await self._go_back():
            return False
        if (rebuild or lost or not await self._intact()) and not await self._begin():
            return False
        self._trusted = True
        if self._rebuilding is not None and not await self._rebuild(self._rebuilding, until):
            if self._rebuilding is None:  # another process has delivered meanwhile
                await lease.release()
            return False
        return await self._deliver(until)

    async def _go_back(self) -> bool:
        """Move back to where stale records may have been written since, by us or by a former holder. Returns whether
        the lease is still ours. A rebuild needs none of that."""
        lease = self._lease
        if self._rebuilding is not None or not (lease.must_look or self._suspect is not None):
            return True
        marked = await lease.replay_from() if lease.must_look else None
        known = [at for at in (marked, self._suspect) if at is not None]
        back = min(known, default=lease.checkpoint)
        if back < lease.checkpoint and not await lease.advance(back):
            return False
        if self.position is not None:
            self.position = min(self.position, back)
        if marked is not None:
            await lease.clear_suspect()
        self._suspect = None
        return True

    async def _intact(self) -> bool:
        """Whether the sink holds what a follower at this checkpoint has delivered, or a rebuild under way has put."""
        checkpoint = self._lease.checkpoint
        if self._rebuilding is not None:
            return self._trusted or await self._rebuilding.work.intact()
        if checkpoint < 0:
            return False  # a rebuild was cut short
        if self._trusted and checkpoint:
            return True
        return await self._store.position() >= checkpoint and await self._sink.intact(checkpoint)

    async def _deliver(self, until: float) -> bool:
        """Deliver changes until the end or the time is over. Returns whether all are delivered. The lease is released,
        unless it was lost."""
        lease = self._lease
        while True:
            start = lease.checkpoint
            try:
                changes = await self._store.changes(start, limit=(size := self._size(until)))
            except NotSupported:  # trimmed, or lost by the store
                if not await self._begin() or not await self._rebuild(self._rebuilding, until):
                    return False
                continue
            if changes:
                await self._sink.deliver(changes)
            if done := len(changes) < size:
                await self._sink.caught_up()
            over = done or time.monotonic() >= until
            if not await lease.advance(changes[-1].seq if changes else start, release=over):
                self._suspect = start
                return False
            self.position = max(self.position or 0, lease.checkpoint)
            if over or not await lease.claim():
                return done

    async def _begin(self) -> bool:
        """Begin a rebuild; from now on the checkpoint tells everybody so. Returns whether the lease is still ours."""
        start = await self._store.position()
        self.position = None
        first = await self._lease.mark_suspect(start)
        self._rebuilding = _Rebuilding(start, first, self._sink.rebuild())
        return await self._lease.advance(REBUILDING)

    async def _rebuild(self, rebuilding: _Rebuilding | None, until: float) -> bool:
        """Continue a rebuild. Returns whether it is finished; until then the lease is not released."""
        if rebuilding is None:
            return True
        done = False
        while not done:
            done = await rebuilding.work.step(self._size(until))
            if not await self._still_rebuilding(rebuilding):
                return False
            if not done and time.monotonic() >= until:
                return False
        self._rebuilding = None
        if rebuilding.first_mark:
            await self._lease.clear_suspect()
        if not await self._lease.advance(rebuilding.start):
            return False
        self.position = rebuilding.start
        return True

    async def _still_rebuilding(self, rebuilding: _Rebuilding) -> bool:
        """Extend the lease. Returns whether no other process has delivered meanwhile."""
        if await self._lease.claim() and self._lease.checkpoint == REBUILDING:
            return True
        self._rebuilding, self._suspect = None, rebuilding.start
        return False

    def _size(self, until: float) -> int:
        """A batch; a small one if a caller waits, since adding to a graph may take a millisecond each."""
        return self._batch if until == float("inf") else max(1, self._batch // 4)
