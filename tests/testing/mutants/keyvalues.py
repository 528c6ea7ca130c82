"""Slightly broken key-values."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.testing.mutants.harness import Mutants, cut

from memwell.backends.memory.keyvalue import MemoryKeyValue

KEYVALUES = Mutants()
breaks = KEYVALUES.breaks
ALIKE = "test_keys_that_look_alike_are_different"
LONG = "test_long_keys_are_distinguished_by_their_ends"
BYTES = "test_bytes_come_back_as_they_were_however_they_went_in"
LAST = "test_values_are_expected_to_the_last_byte"
FRACTIONS = "test_a_ttl_may_have_fractions"


class Changed(MemoryKeyValue):
    """Other keys, values, expected values or ttls reach the dictionary."""

    def key(self, key: str) -> str:
        return key

    def value(self, value: bytes) -> bytes:
        return value

    def expected(self, value: bytes) -> bytes:
        return value

    def ttl(self, ttl: float) -> float:
        return ttl

    def _life(self, ttl: float | None) -> float | None:
        return None if ttl is None else self.ttl(ttl)

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        found = await super()._get_many([self.key(key) for key in keys])
        return {key: found[self.key(key)] for key in keys if self.key(key) in found}

    async def _set_many(self, values: Mapping[str, bytes], ttl: float | None) -> None:
        await super()._set_many({self.key(k): self.value(v) for k, v in values.items()}, self._life(ttl))

    async def _add(self, key: str, value: bytes, ttl: float | None) -> bool:
        return await super()._add(self.key(key), self.value(value), self._life(ttl))

    async def _replace(self, key: str, value: bytes, expected: bytes, ttl: float | None) -> bool:
        return await super()._replace(
            self.key(key), self.value(value), self.expected(expected), self._life(ttl)
        )

    async def _increment(self, key: str, by: int, ttl: float | None) -> int:
        return await super()._increment(self.key(key), by, self._life(ttl))

    async def _delete(self, key: str, expected: bytes | None) -> bool:
        return await super()._delete(self.key(key), None if expected is None else self.expected(expected))


def changed(name: str, doc: str, test: str, **hooks: Callable[[Any], Any]) -> None:
    """Add parts with another key, value, expected value or ttl."""
    plain = {hook: staticmethod(change) for hook, change in hooks.items()}
    breaks(test)(type(name, (Changed,), {"__doc__": doc, **plain}))


changed("WithoutCase", "Keys are compared without case.", ALIKE, key=str.casefold)
changed("Stripped", "Spaces around a key are lost.", ALIKE, key=str.strip)
changed("Composed", "Keys are normalised to NFC.", ALIKE, key=lambda key: unicodedata.normalize("NFC", key))
changed("OneWidth", "Keys are normalised to NFKC.", ALIKE, key=lambda key: unicodedata.normalize("NFKC", key))
changed(
    "OnlyAscii", "Signs beyond ASCII are lost.", ALIKE, key=lambda key: key.encode("ascii", "ignore").decode()
)
for most in (128, 250, 255, 512, 1023):
    changed(
        f"Keys{most}",
        f"{most} bytes of a key count.",
        LONG,
        key=cut(most),
    )
changed("LastBytes", "The last 250 bytes of a key count.", LONG, key=lambda key: key[-250:])
changed("StripsValues", "Spaces around a value are lost.", BYTES, value=bytes.strip)
changed("EndsAtNul", "A value ends at its first NUL.", BYTES, value=lambda value: value.split(b"\0")[0])
changed(
    "NumbersOnly",
    "Leading zeros of a number are lost.",
    BYTES,
    value=lambda v: b"%d" % int(v) if v.isdigit() else v,
)
changed(
    "OnlyText",
    "Values are read as text.",
    BYTES,
    value=lambda value: value.decode("utf-8", "replace").encode(),
)
changed("ExpectsWithoutCase", "Upper case is expected as lower.", LAST, expected=bytes.lower)
changed("ExpectsWithoutSpaces", "Spaces at the end are not expected.", LAST, expected=bytes.rstrip)
changed(
    "ExpectsWithoutNul", "NULs at the end are not expected.", LAST, expected=lambda value: value.rstrip(b"\0")
)
changed("WholeSeconds", "A ttl is whole seconds.", FRACTIONS, ttl=lambda ttl: float(int(ttl)))
changed("NextSecond", "A ttl is rounded up to seconds.", FRACTIONS, ttl=lambda ttl: float(math.ceil(ttl)))


@breaks(LAST)
class ExpectsAStart(MemoryKeyValue):
    """The first 250 bytes of a value are expected."""

    async def _replace(self, key: str, value: bytes, expected: bytes, ttl: float | None) -> bool:
        held = (await self._get_many([key])).get(key)
        if held is None or held[:250] != expected[:250]:
            return False
        return await super()._replace(key, value, held, ttl)


@breaks(LAST)
class DeletesAStart(MemoryKeyValue):
    """A value that begins as expected is deleted."""

    async def _delete(self, key: str, expected: bytes | None) -> bool:
        held = (await self._get_many([key])).get(key, b"")
        return await super()._delete(
            key, held if expected is not None and held.startswith(expected) else expected
        )


@breaks("test_ten_thousand_values_in_one_call")
class TenThousandAtMost(MemoryKeyValue):
    """At most 10,000 values are read at once."""

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        return await super()._get_many(keys[:10_000])


@breaks("test_a_value_of_one_megabyte_comes_back")
class SmallValues(Changed):
    """A value has at most 65,535 bytes."""

    def value(self, value: bytes) -> bytes:
        return value[:65_535]


@breaks("test_no_step_is_lost_of_many_who_read_and_replace")
class NeverReplaces(MemoryKeyValue):
    """Nothing is ever replaced: whoever tries until it succeeds would try for ever."""

    async def _replace(self, key: str, value: bytes, expected: bytes, ttl: float | None) -> bool:
        return False


@breaks("test_replace_sets_a_new_expiry")
class ReplaceKeepsTheExpiry(MemoryKeyValue):
    """A value that is replaced keeps its expiry."""

    async def _replace(self, key: str, value: bytes, expected: bytes, ttl: float | None) -> bool:
        entry = self._entries.get(key)
        done = await super()._replace(key, value, expected, ttl)
        if done and entry is not None:
            self._entries[key] = (value, entry[1])
        return done


@breaks("test_a_counter_keeps_the_expiry_it_was_born_with")
class CountersLiveOn(MemoryKeyValue):
    """A counter takes the ttl of each step."""

    async def _increment(self, key: str, by: int, ttl: float | None) -> int:
        total = await super()._increment(key, by, ttl)
        if ttl is not None:
            self._put(key, b"%d" % total, ttl, self._clock())
        return total


@breaks("test_a_refused_add_changes_no_expiry")
class AddExtends(MemoryKeyValue):
    """An add that is refused extends the value there."""

    async def _add(self, key: str, value: bytes, ttl: float | None) -> bool:
        done = await super()._add(key, value, ttl)
        if not done:
            self._put(key, self._entries[key][0], ttl, self._clock())
        return done


@breaks("test_bad_input_is_refused")
class TakesAnything(MemoryKeyValue):
    """The port's checks are passed by."""

    async def get(self, key: str) -> bytes | None:
        return (await self._get_many([key])).get(key)


@breaks("test_a_counter_reads_as_decimal_text")
class PadsCounters(MemoryKeyValue):
    """A counter that loses a digit is padded with a space, as memcached does."""

    async def _increment(self, key: str, by: int, ttl: float | None) -> int:
        before = (await self._get_many([key])).get(key, b"")
        if before != before.rstrip():
            self._entries[key] = (before.rstrip(), self._entries[key][1])
        total = await super()._increment(key, by, ttl)
        if by < 0:
            self._entries[key] = (b"%d" % total).ljust(len(before)), self._entries[key][1]
        return total
