"""Changes: the sequence of what was written, and how far each follower has come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from memwell.ports.base import Port, unsupported
from memwell.ports.declaration import Effect, operation

__all__ = ["Change", "Changes"]

_REMEDY: Final = "read the whole store again, or use a store with the capability `changes`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One entry of the store's change sequence, which feeds indexes, caches and mirrors."""

    seq: int
    kind: Literal["put", "delete"]
    tenant_id: str
    user_id: str | None
    id: str


class Changes(Port):
    """The role of a store that tells what changed, and in which order. Without it, `changes` is false."""

    @operation(Effect.READS)
    async def position(self) -> int:
        """The end of the change sequence."""
        return await self._position()

    @operation(Effect.READS)
    async def changes(self, after: int, *, limit: int) -> list[Change]:
        """The change sequence after a position. Raises `NotSupported` when that part was already trimmed, or when the
        store has lost writes: a position that was given once never means another change. A server may lose its last
        writes when it crashes or another one takes over. The store refuses positions from before then, and who
        follows reads the whole store again.
        """
        return await self._changes(after, limit)

    @operation(Effect.WRITES)
    async def claim(self, follower: str, holder: str, *, seconds: float, now: datetime) -> int | None:
        """Take, or extend, for so long the sole right to feed a follower of the change sequence, such as a vector
        index; the position it has reached (0 for a new one), or `None` while somebody else has the right.

        The same holder may claim again. As of an earlier `now` rights have not ended yet that have by today: so it
        can be asked whether one was given back. Changes after the position of a known follower are not trimmed, within
        reason: whoever follows must be able to begin anew.
        """
        return await self._claim(follower, holder, seconds, now)

    @operation(Effect.WRITES)
    async def advance(self, follower: str, holder: str, position: int, *, release: bool = False) -> bool:
        """Note that a follower has reached a position; with `release`, give the right back. Whether the holder still
        had it: otherwise nothing changes.
        """
        return await self._advance(follower, holder, position, release)

    async def _position(self) -> int:
        raise unsupported(self.part, "changes", _REMEDY)

    async def _changes(self, after: int, limit: int) -> list[Change]:
        raise unsupported(self.part, "changes", _REMEDY)

    async def _claim(self, follower: str, holder: str, seconds: float, now: datetime) -> int | None:
        raise unsupported(self.part, "changes", _REMEDY)

    async def _advance(self, follower: str, holder: str, position: int, release: bool) -> bool:
        raise unsupported(self.part, "changes", _REMEDY)
