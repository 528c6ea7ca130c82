"""Writes that a stand-in took while the first store was away: kept in a log, and replayed on the first in order.

Of several processes one replays at a time, by a `Lease`. A process that is paused past its lease may write late what
another has replayed meanwhile. Replaying once more, as other followers do, would undo what was written since; instead a
late write fails: each update names the version that was read just before, so that it conflicts. An insert that comes
late counts as a repetition of the record.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

from memwell import _bridge
from memwell._forks import fork_safe
from memwell.errors import MemwellError, Unavailable
from memwell.followers.lease import Lease
from memwell.ports import Entry, Log, Operation, Store, Update
from memwell.records.operations import pack, unpack
from memwell.resilience.circuit_breaker import blames_backend
from memwell.resilience.unknown_outcome import Key, happened, key_of, targets
from memwell.types import Record, Trace

__all__ = ["REFUSED", "REPLAY", "Replay"]

log = logging.getLogger("memwell.fallback")

T = TypeVar("T")

REPLAY: Final = "memwell:replay"
"""The stream of the writes that wait for the first store."""
REFUSED: Final = "memwell:refused"
"""The stream of the writes that the first store refused when they were replayed."""
LEASE: Final = 60.0
"""Seconds."""
_FOLLOWER: Final = "replay of a fallback"
_BATCH: Final = 50
_ATTEMPTS: Final = 3
_PATIENCE: Final = 10
"""Hundredths of a second for which a call waits for another that looks into the log."""


class Replay:
    """The writes that wait in `entries` for the store. `clock` times the lease."""

    def __init__(
        self, store: Store, entries: Log, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._store, self._log, self._clock = store, entries, clock
        self._lease = Lease(store, _FOLLOWER, clock, seconds=LEASE, replayed=False)
        self._claimed_at: datetime | None = None
        self._recorded, self._replayed = 1, 0
        """How much may have been recorded, and how much of it is known to be replayed; equal when nothing waits."""
        self._in_order = _bridge.PerLoopLock(blocking=store.blocking)
        self._reset_lock()
        fork_safe(self._reset_lock)

    def _reset_lock(self) -> None:
        self._busy = threading.Lock()

    def expect_entries(self) -> None:
        """The store was away, so that any process may have recorded something: look into the log before going on."""
        self._recorded += 1

    async def record(
        self, write: Callable[[], Awaitable[T]], operations: Sequence[Operation], now: datetime
    ) -> T:
        """Make a write elsewhere and record its operations, with no other write of this process in between."""
        async with self._in_order:
            results = await write()
            await self._log.append(REPLAY, [pack(operations, now)])
            self._recorded += 1
        return results

    async def catch_up(self) -> None:
        """Replay what was recorded, in order. Raises `Unavailable` if that fails or another process is replaying."""
        if self._replayed == self._recorded:
            return
        if not await self._acquire():
            raise _busy()
        try:
            if self._replayed == self._recorded:
                return
            recorded = self._recorded  # what is recorded from now on may be missing in what is read next
            if await self._log.read(REPLAY, limit=1):
                await self._drain()
            self._replayed = recorded
        finally:
            self._busy.release()

    async def purge(self, tenant_id: str, ids: Collection[str], texts: Sequence[str] | None) -> list[Trace]:
        """Take these records out of the refused writes, and say whether writes that wait still name them."""
        wanted = {(tenant_id, id) for id in ids}
        try:
            async for entry in self._naming(REFUSED, wanted):
                operations, now = unpack(entry.data)
                rest = [operation for operation in operations if key_of(operation) not in wanted]
                if rest:
                    await self._log.append(REFUSED, [pack(rest, now)])
                await self._log.remove(REFUSED, [entry.position])
            waiting = len([entry async for entry in self._naming(REPLAY, wanted)])
            cleared = await self._log.purge(texts=texts)
        except MemwellError as error:
            return [Trace(place="replay log", state="pending", detail=str(error))]
        if waiting:
            return [
                Trace(place="replay log", state="pending", detail=f"{waiting} writes that wait name them")
            ]
        inside = [replace(trace, place=f"replay log: {trace.place}") for trace in cleared]
        return [Trace(place="replay log", state="gone"), *inside]

    async def _naming(self, stream: str, wanted: Collection[Key]) -> AsyncIterator[Entry]:
        after: str | None = None
        while entries := await self._log.read(stream, after=after, limit=_BATCH):
            for entry in entries:
                operations, _ = unpack(entry.data)
                if any(key_of(operation) in wanted for operation in operations):
                    yield entry
            after = entries[-1].position

    async def _acquire(self) -> bool:
        """Be the one who looks into the log. Another call that looks is soon done; one that replays may take long."""
        for _ in range(_PATIENCE):
            if self._busy.acquire(blocking=False):
                return True
            await _bridge.pause(0.01, blocking=self._store.blocking)
        return self._busy.acquire(blocking=False)

    async def _drain(self) -> None:
        """Replay entries until none is left. After each claim the log is read again: a holder in between has replayed
        some of them."""
        await self._claim()
        attempt = 1
        try:
            while entries := await self._log.read(REPLAY, limit=_BATCH):
                for entry in entries:
                    if self._must_claim():
                        await self._claim()
                        break
                    if not await self._replay(entry.data, last=attempt == _ATTEMPTS):
                        attempt += 1
                        await self._claim()
                        break
                    attempt = 1
                    await self._log.trim(REPLAY, through=entry.position)
        finally:
            end = await self._store.position()  # so that no changes are kept for this follower
            await self._lease.advance(end, release=True)

    def _must_claim(self) -> bool:
        """Whether to extend the lease: in good time, and after a pause of this process."""
        assert self._claimed_at is not None
        return self._clock() - self._claimed_at > timedelta(seconds=LEASE / 3)

    async def _claim(self) -> None:
        now = self._clock()
        if not await self._lease.claim():
            raise _busy()
        self._claimed_at = now

    async def _replay(self, data: bytes, *, last: bool) -> bool:
        """Replay one entry, or move it to the refused ones. Returns False to try again: a record changed since it was
        read, or another process has replayed the entry."""
        try:
            operations, now = unpack(data)
            await self._write(operations, now, conditional=not last)
        except Unavailable:
            raise
        except MemwellError as error:
            if blames_backend(error):
                log.warning(
                    "what was written while %s was away cannot be replayed: %s", self._store.part, error
                )
                raise Unavailable(f"it cannot take what was written meanwhile: {error}") from error
            if not last:
                return False
            log.warning("a write made while %s was away is refused by it now: %s", self._store.part, error)
            await self._log.append(REFUSED, [data])
        return True

    async def _write(self, operations: Sequence[Operation], now: datetime, *, conditional: bool) -> None:
        """Write what has not happened yet."""
        found = await targets(self._store, operations, now=now)
        done = happened(operations, found)
        left = [operation for place, operation in enumerate(operations) if place not in done]
        await self._store.write(_conditional(left, found) if conditional else left, now=now)


def _conditional(operations: Sequence[Operation], found: dict[Key, Record]) -> list[Operation]:
    """The operations, where the first update of each record expects the version that was found."""
    changed: list[Operation] = []
    seen: set[Key] = set()
    for operation in operations:
        key = key_of(operation)
        record = None if key is None or key in seen else found.get(key)
        if isinstance(operation, Update) and operation.expected_version is None and record is not None:
            changed.append(replace(operation, expected_version=record.version))
        else:
            changed.append(operation)
        if key is not None:
            seen.add(key)
    return changed


def _busy() -> Unavailable:
    return Unavailable(
        "what was written meanwhile is being replayed; try again", retry_after=1.0, unsent=True
    )
