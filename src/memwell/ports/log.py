"""The `Log` port: append-only streams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from memwell.errors import InvalidInput
from memwell.ports.base import Port
from memwell.ports.declaration import Effect, operation, required
from memwell.ports.keyvalue import check_key, check_value

__all__ = ["Entry", "Log"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of a stream."""

    position: str
    """Opaque; ordered within the stream; what `read(after=…)` takes."""
    at: datetime
    data: bytes


class Log(Port):
    """Append-only streams: events, runs, audit."""

    @operation(Effect.CONDITIONAL)
    async def append(self, stream: str, entries: Sequence[bytes]) -> list[str]:
        """Add entries in order, all or none; their positions. Positions only ever grow, also after a trim."""
        return await self._append(check_key(stream), [check_value(e) for e in entries]) if entries else []

    @operation(Effect.READS)
    async def read(self, stream: str, *, after: str | None = None, limit: int = 100) -> list[Entry]:
        """Entries in order, after a position or from the start; empty for an unknown stream."""
        if limit < 1:
            raise InvalidInput("limit must be at least 1", part=self.part, operation="read")
        return await self._read(check_key(stream), after, limit)

    @operation(Effect.WRITES)
    async def trim(self, stream: str, *, keep: int = 0, through: str | None = None) -> int:
        """Drop entries up to and including a position, or all but the newest `keep`; how many went."""
        if keep < 0 or (keep and through is not None):
            raise InvalidInput("give keep (0 or more) or through, not both", part=self.part, operation="trim")
        return await self._trim(check_key(stream), keep, through)

    @required
    async def _append(self, stream: str, entries: Sequence[bytes]) -> list[str]:
        raise NotImplementedError

    @required
    async def _read(self, stream: str, after: str | None, limit: int) -> list[Entry]:
        raise NotImplementedError

    @required
    async def _trim(self, stream: str, keep: int, through: str | None) -> int:
        raise NotImplementedError
