"""Changes: the sequence of what was written, and the checkpoints and leases of those who follow it."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from memwell._dataclasses import dataclass
from memwell.ports.base import Port, unsupported
from memwell.ports.declaration import Effect, operation

__all__ = ["Change", "Changes"]

_REMEDY: Final = "read the whole store again, or use a store with the capability `changes`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One entry of the store's change sequence, which indexes, caches and mirrors follow."""

    seq: int
    kind: Literal["put", "delete"]
    tenant_id: str
    user_id: str | None
    id: str


class Changes(Port):
    """The role of a store that reports what changed, in order. Without it, the capability `changes` is false."""

    @operation(Effect.READS)
    async def position(self) -> int:
        """The end of the change sequence."""
        return await self._position()

    @operation(Effect.READS)
    async def changes(self, after: int, *, limit: int) -> list[Change]:
        """Up to `limit` changes after a position, in order.

        A position never means another change than before. So it raises `NotSupported` if the changes after it were
        trimmed, and also if the store has lost its last writes, as a server may by a crash or a failover: positions
        from before are refused then, and the follower reads the whole store again. A store that cannot notice such a
        loss at least returns a smaller `position` than before.
        """
        return await self._changes(after, limit)

    @operation(Effect.WRITES)
    async def claim(self, follower: str, holder: str, *, seconds: float, now: datetime) -> int | None:
        """Claim or extend the lease on a follower, such as a vector index, for `seconds`. Returns the follower's
        checkpoint (0 for a new one), or `None` while another holder has the lease.

        Pass an earlier `now` to treat leases that have expired since as still held: the claim then succeeds only if
        the lease was released. Changes after the checkpoint of a known follower are not trimmed, up to a limit of the
        store; a follower must be able to start over.
        """
        return await self._claim(follower, holder, seconds, now)

    @operation(Effect.WRITES)
    async def advance(self, follower: str, holder: str, position: int, *, release: bool = False) -> bool:
        """Move the checkpoint of a follower; with `release`, give the lease back. Returns whether the holder still had
        the lease; if not, nothing changed. Negative checkpoints are stored, too.
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
