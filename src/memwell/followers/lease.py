"""Who may feed an index now, and what those who lost that right may still do to it.

The right is a lease of the store's (`Store.claim`), so that whoever dies holds up the others for `LEASE` seconds. But
who was paused that long may be alive, and still put what it had read before; an index cannot tell it from the others.
Alive, it notices, and has the records put again. It may also be killed before it does. So whoever takes the right from
one that did not give it back notes in the store how far the index was fed then, under a follower's name of its own, for
`LATE` seconds. A request does not live longer than that. Afterwards whoever feeds the index, in whatever process, feeds
it again from there, and what came late is put right.
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
"""Seconds for which the right to feed is taken; the longest that others wait for a process that died."""
LATE: Final = 600.0
"""Seconds for which something is still expected of a process that lost the right."""
_AGES: Final = 10 * 365 * 86_400.0
"""Seconds. As of so long ago the right of nobody has ended, so that only what was given back can be taken."""
_NOTHING: Final = 2**63 - 1
"""The position of a note that says nothing: beyond all others, so that no change is kept for its sake."""
_ANYBODY: Final = "whoever was late"
"""Who holds a note: everybody may change it, and nobody else may take it before its time."""


class Lease:
    """The right to feed one follower of a store, for this object in this process. Without a follower it is always had,
    and the position is that of this object."""

    def __init__(self, store: Store, follower: str | None, clock: Callable[[], datetime]) -> None:
        self.position = 0
        """The follower's position when it was last told or moved."""
        self._store, self._follower, self._clock = store, follower, clock
        self._token = new_id()
        self._look: datetime | None = None
        """When to look for a note again; `None`: at once."""
        self._noting = _ANYBODY
        """By whose name the note was last taken here."""

    @property
    def due(self) -> bool:
        """Whether `behind` should be asked again."""
        return self._follower is not None and (self._look is None or self._clock() >= self._look)

    async def take(self) -> bool:
        """Take the right, or extend it, and learn the position; whether it was to be had."""
        if self._follower is None or await self._claimed(ago=_AGES) or await self._claimed(ago=LATE):
            return True
        if not await self._claimed(ago=0.0):
            return False
        await self.note(None)
        return True

    async def move(self, position: int, *, release: bool = False) -> bool:
        """Move the position, and with `release` give the right back; whether it was still ours."""
        if self._follower is not None and not await self._store.advance(
            self._follower, self._holder, position, release=release
        ):
            return False
        self.position = position
        return True

    async def note(self, position: int | None) -> bool:
        """Note, for whoever feeds the index in `LATE` seconds, that from this position on (`None`: from that of the
        follower, or what was noted before) something stale may be put; whether nothing was noted already."""
        if self._follower is None:
            return True
        name, now = f"{self._follower} late", self._clock()
        self._look = now + timedelta(seconds=LATE)
        moment = now + timedelta(seconds=LEASE)  # who looks for a note just now has it until just now
        self._noting = _ANYBODY
        known = await self._store.claim(name, _ANYBODY, seconds=LATE - LEASE, now=moment)
        noted = known if known and known < _NOTHING else None
        if position is None:
            position = self.position or noted
        await self._store.advance(name, _ANYBODY, min(max(position or 0, 1), noted or _NOTHING))
        return noted is None

    async def behind(self) -> int | None:
        """The position from which on the index is to be fed again, when there is a note whose time has come. Ask with
        the right, move there, and `settle`."""
        if self._follower is None:
            return None
        now = self._clock()
        self._look, self._noting = now + timedelta(seconds=LATE), self._holder
        found = await self._store.claim(f"{self._follower} late", self._holder, seconds=0, now=now)
        if found == 0:  # there was none
            await self.settle()
        return found if found and found < _NOTHING else None

    async def settle(self) -> None:
        """Let the note that was made or found here say nothing."""
        if self._follower is not None:
            await self._store.advance(f"{self._follower} late", self._noting, _NOTHING, release=True)

    @property
    def _holder(self) -> str:
        return f"{self._token}-{os.getpid()}"

    async def _claimed(self, *, ago: float) -> bool:
        """Claim the right as of so many seconds ago, to its usual end."""
        assert self._follower is not None
        then = self._clock() - timedelta(seconds=ago)
        found = await self._store.claim(self._follower, self._holder, seconds=ago + LEASE, now=then)
        if found is not None:
            self.position = found
        return found is not None
