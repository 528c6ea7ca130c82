"""Slightly broken logs."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.testing.mutants.harness import Mutants, cut

from memwell.backends.memory.log import MemoryLog
from memwell.ports import Entry

LOGS = Mutants()
breaks = LOGS.breaks
NAMES = "test_streams_of_any_name_are_separate"
TIME = "test_an_entry_is_of_the_time_of_its_append"


def named(name: str, doc: str, change: Callable[[str], str]) -> None:
    """Add logs that keep streams under another name."""

    async def append(self: MemoryLog, stream: str, entries: Sequence[bytes]) -> list[str]:
        return await MemoryLog._append(self, change(stream), entries)

    async def read(self: MemoryLog, stream: str, after: str | None, limit: int) -> list[Entry]:
        return await MemoryLog._read(self, change(stream), after, limit)

    async def trim(self: MemoryLog, stream: str, keep: int, through: str | None) -> int:
        return await MemoryLog._trim(self, change(stream), keep, through)

    hooks = {"__doc__": doc, "_append": append, "_read": read, "_trim": trim}
    breaks(NAMES)(type(name, (MemoryLog,), hooks))


named("WithoutCase", "Streams are named without case.", str.casefold)
named("Stripped", "Spaces around a name are lost.", str.strip)
named("Composed", "Names are normalised to NFC.", lambda name: unicodedata.normalize("NFC", name))
named("OneWidth", "Names are normalised to NFKC.", lambda name: unicodedata.normalize("NFKC", name))
for most in (255, 1_023):
    named(
        f"Names{most}",
        f"{most} bytes of a name count.",
        cut(most),
    )


def dated(name: str, doc: str, change: Callable[[datetime], datetime]) -> None:
    """Add logs whose entries have another time."""

    async def read(self: MemoryLog, stream: str, after: str | None, limit: int) -> list[Entry]:
        found = await MemoryLog._read(self, stream, after, limit)
        return [replace(entry, at=change(entry.at)) for entry in found]

    breaks(TIME)(type(name, (MemoryLog,), {"__doc__": doc, "_read": read}))


dated("OfTheRead", "An entry is of the time it is read.", lambda at: datetime.now(UTC))
dated("AnHourLate", "An entry is an hour late.", lambda at: at + timedelta(hours=1))
dated("OfTheEpoch", "An entry is of 1970.", lambda at: datetime(1970, 1, 1, tzinfo=UTC))
dated("WithoutZone", "A time has no zone.", lambda at: at.replace(tzinfo=None))


def trimmed(name: str, doc: str, test: str, most: int, share: int) -> None:
    """Add logs that drop what nobody trimmed."""

    async def append(self: MemoryLog, stream: str, entries: Sequence[bytes]) -> list[str]:
        given = await MemoryLog._append(self, stream, entries)
        held = self._streams[stream]
        if len(held) > most:
            del held[:-share]
        return given

    breaks(test)(type(name, (MemoryLog,), {"__doc__": doc, "_append": append}))


UNTRIMMED = "test_nothing_goes_that_was_not_trimmed"
trimmed("NewestThousand", "The newest 1,000 entries are kept.", UNTRIMMED, 1_000, 1_000)
trimmed("AboutTwoThousand", "Old entries go now and then.", UNTRIMMED, 2_500, 2_000)
trimmed(
    "NewestTenThousand",
    "The newest 10,000 entries are kept.",
    "test_ten_thousand_entries_in_one_call",
    10_000,
    10_000,
)


@breaks(UNTRIMMED)
class TrimsEveryStream(MemoryLog):
    """A trim trims every stream."""

    async def _trim(self, stream: str, keep: int, through: str | None) -> int:
        for other in list(self._streams):
            if other != stream:
                await super()._trim(other, keep, through)
        return await super()._trim(stream, keep, through)


@breaks("test_reading_goes_on_after_a_position")
class ReadsThePositionAgain(MemoryLog):
    """The entry at a position is read again."""

    async def _read(self, stream: str, after: str | None, limit: int) -> list[Entry]:
        found = await super()._read(stream, None, 10**6)
        return [entry for entry in found if after is None or entry.position >= after][:limit]


@breaks("test_positions_grow_on_after_a_full_trim")
class BeginsAnew(MemoryLog):
    """Positions begin anew after a full trim."""

    async def _trim(self, stream: str, keep: int, through: str | None) -> int:
        gone = await super()._trim(stream, keep, through)
        if not self._streams:
            self._count = 0
        return gone


@breaks("test_positions_of_a_stream_are_ordered_as_text")
class ShortPositions(MemoryLog):
    """Positions are numbers without leading zeros."""

    async def _append(self, stream: str, entries: Sequence[bytes]) -> list[str]:
        return [str(int(position)) for position in await super()._append(stream, entries)]


@breaks("test_bytes_come_back_as_they_were")
class EndsAtNul(MemoryLog):
    """Data ends at its first NUL."""

    async def _append(self, stream: str, entries: Sequence[bytes]) -> list[str]:
        return await super()._append(stream, [data.split(b"\0")[0] for data in entries])


@breaks("test_a_reader_that_follows_writers_misses_nothing")
class SkipsSome(MemoryLog):
    """One entry in fifty is skipped: whoever waits for it would wait for ever."""

    async def _read(self, stream: str, after: str | None, limit: int) -> list[Entry]:
        return [entry for entry in await super()._read(stream, after, limit) if int(entry.position) % 50]


@breaks("test_bad_input_is_refused")
class TakesAnything(MemoryLog):
    """The port's checks are passed by."""

    async def append(self, stream: str, entries: Any) -> list[str]:
        return await self._append(stream, entries)


named("Slashless", "A slash at the end of a name is lost.", lambda name: name.rstrip("/"))


@breaks("test_ten_thousand_entries_in_one_call")
class CountsToThousand(MemoryLog):
    """A trim reports at most 1,000 entries."""

    async def _trim(self, stream: str, keep: int, through: str | None) -> int:
        return min(await super()._trim(stream, keep, through), 1_000)


@breaks(NAMES)
class TrimsByPrefix(MemoryLog):
    """A trim up to a position also trims streams whose names begin alike."""

    async def _trim(self, stream: str, keep: int, through: str | None) -> int:
        gone = await super()._trim(stream, keep, through)
        for other in list(self._streams):
            if through is not None and other != stream and other.startswith(stream):
                await super()._trim(other, 0, None)
        return gone


@breaks("test_a_list_that_was_returned_may_be_changed")
class GivesItsOwnList(MemoryLog):
    """A read of the whole stream returns the list in which it is stored."""

    async def _read(self, stream: str, after: str | None, limit: int) -> list[Entry]:
        held = self._streams.get(stream, [])
        return held if after is None and len(held) <= limit else await super()._read(stream, after, limit)


@breaks("test_append_if_adds_only_where_nothing_follows")
class Unconditional(MemoryLog):
    """What follows the position does not matter."""

    async def _append_if(self, stream: str, entries: Sequence[bytes], last: str | None) -> list[str] | None:
        del last
        return await self._append(stream, entries)


@breaks("test_append_if_goes_on_where_entries_were_removed_or_trimmed")
class AfterTheNewestEver(MemoryLog):
    """An entry that was removed still counts as the newest."""

    async def _append_if(self, stream: str, entries: Sequence[bytes], last: str | None) -> list[str] | None:
        newest = self._count if self._streams.get(stream) else 0
        if newest and (last is None or int(last) != newest):
            return None
        return await super()._append_if(stream, entries, last)


@breaks("test_remove_drops_single_entries")
class RemovesAllBefore(MemoryLog):
    """Removing an entry trims all before it."""

    async def _remove(self, stream: str, positions: Sequence[str]) -> int:
        return await self._trim(stream, 0, max(positions))


@breaks("test_last_is_the_newest_entry_that_is_there")
class LastOfAll(MemoryLog):
    """The newest entry of whatever stream."""

    async def _last(self, stream: str) -> Entry | None:
        del stream
        entries = [entry for held in self._streams.values() for entry in held]
        return max(entries, key=lambda entry: entry.position, default=None)
