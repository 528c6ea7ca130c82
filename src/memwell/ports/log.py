"""The `Log` port: append-only streams."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from memwell._dataclasses import dataclass
from memwell.errors import InvalidInput
from memwell.ports.base import Port, unsupported
from memwell.ports.declaration import Effect, operation, required
from memwell.ports.keyvalue import check_key, check_value

if TYPE_CHECKING:
    from memwell.types import Trace

__all__ = ["Entry", "Log"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of a stream."""

    position: str
    """Opaque; ordered within the stream; what `read(after=…)` takes."""
    at: datetime
    data: bytes


class Log(Port):
    """Streams of entries in order: events, runs, audit. An entry never changes; it can be removed."""

    @operation(Effect.CONDITIONAL)
    async def append(self, stream: str, entries: Sequence[bytes]) -> list[str]:
        """Add entries in order, all or none; their positions. Positions only ever grow, also after a trim."""
        return await self._append(check_key(stream), [check_value(e) for e in entries]) if entries else []

    @operation(Effect.CONDITIONAL)
    async def append_if(self, stream: str, entries: Sequence[bytes], *, last: str | None) -> list[str] | None:
        """Add entries only if the stream holds none after the position `last` (`None`: none at all), atomically; their
        positions, or `None` if it does. Of several callers with the same `last` exactly one succeeds.
        """
        if not entries:
            raise InvalidInput("append_if takes at least one entry", part=self.part, operation="append_if")
        return await self._append_if(check_key(stream), [check_value(e) for e in entries], last)

    @operation(Effect.WRITES)
    async def remove(self, stream: str, positions: Sequence[str]) -> int:
        """Drop single entries; how many were there. The others keep their positions, and none is given out again."""
        return await self._remove(check_key(stream), list(positions)) if positions else 0

    @operation(Effect.READS)
    async def read(self, stream: str, *, after: str | None = None, limit: int = 100) -> list[Entry]:
        """Entries in order, after a position or from the start; empty for an unknown stream."""
        if limit < 1:
            raise InvalidInput("limit must be at least 1", part=self.part, operation="read")
        return await self._read(check_key(stream), after, limit)

    @operation(Effect.READS)
    async def last(self, stream: str) -> Entry | None:
        """The newest entry of a stream; `None` for one without entries."""
        return await self._last(check_key(stream))

    @operation(Effect.UPKEEP)
    async def purge(self, *, texts: Sequence[str] | None = None) -> list[Trace]:
        """Clear away what removed entries leave behind in files, and say what remains. `texts` are what to look for, as
        in `Store.purge`."""
        return await self._purge(texts)

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

    async def _append_if(
        self,
        stream: str,  # noqa: ARG002
        entries: Sequence[bytes],  # noqa: ARG002
        last: str | None,  # noqa: ARG002
    ) -> list[str] | None:
        raise unsupported(self.part, "append_if", "use a log in memory, SQLite, PostgreSQL or Redis")

    async def _remove(self, stream: str, positions: Sequence[str]) -> int:  # noqa: ARG002
        raise unsupported(self.part, "remove", "trim the stream, or use a log that removes single entries")

    async def _purge(self, texts: Sequence[str] | None) -> list[Trace]:
        del texts
        detail = "removed entries may stay in files, replicas and backups of the server until it clears them"
        from memwell.types import Trace

        return [Trace(place=f"{self.part} log", state="remains", detail=detail)]

    async def _last(self, stream: str) -> Entry | None:
        newest: Entry | None = None
        while page := await self._read(stream, None if newest is None else newest.position, 1000):
            newest = page[-1]
        return newest
