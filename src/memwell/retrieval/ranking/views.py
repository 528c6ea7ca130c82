"""What is known of the candidates of a search, read from the lists of a corpus where one is asked for.

A search has some hundred candidates, and reads the ids and texts of few. Reading those of the others as well would wait
for memory that is in no cache of the processor.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import overload

__all__ = ["Ids", "Parts"]


class Parts(Sequence[str]):
    """The texts of some slots, as the list has them now: empty for a record that is gone."""

    __slots__ = ("_of", "_slots")

    def __init__(self, of: Sequence[str], slots: Sequence[int]) -> None:
        self._of, self._slots = of, slots

    def __len__(self) -> int:
        return len(self._slots)

    def __iter__(self) -> Iterator[str]:
        return map(self._of.__getitem__, self._slots)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> list[str]: ...
    def __getitem__(self, at: int | slice) -> str | list[str]:
        if isinstance(at, slice):
            return list(map(self._of.__getitem__, self._slots[at]))
        return self._of[self._slots[at]]


class Ids(Mapping[int | str, str]):
    """Slot → id, of some slots; what is asked for is not looked up among them."""

    __slots__ = ("_of", "_slots")

    def __init__(self, of: Sequence[str], slots: Sequence[int]) -> None:
        self._of, self._slots = of, slots

    def __len__(self) -> int:
        return len(self._slots)

    def __iter__(self) -> Iterator[int | str]:
        return iter(self._slots)

    def __contains__(self, slot: object) -> bool:
        return slot in self._slots

    def __getitem__(self, slot: int | str) -> str:
        return self._of[int(slot)]
