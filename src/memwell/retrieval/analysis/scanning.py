"""Which words a text has, and the stretches of it around some of them: patterns are tried there only."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

__all__ = ["PIECE", "Stretch", "pieces_of", "places_of", "stretches"]

Stretch: TypeAlias = tuple[int, int]
"""Start and end of a part of a text."""
PIECE: Final = re.compile(r"[^\s!-@\[-`{-~\d“”«»„…—–·]{2,}")
"""Part of a word."""
_LETTERS: Final = re.compile(r"[^\W\d_]{2,}")
_ONLY_LETTERS: Final = "".join(chr(code) if chr(code).isalpha() else " " for code in range(128))


def pieces_of(low: str, wanted: frozenset[str]) -> frozenset[str]:
    """Those of the wanted words that a text in lower case has; with other letters than ASCII also parts of words."""
    if low.isascii():
        return wanted.intersection(low.translate(_ONLY_LETTERS).split())
    return wanted.intersection([*PIECE.findall(low), *_LETTERS.findall(low)])


def places_of(low: str, words: Iterable[str]) -> Iterator[int]:
    """Where these words stand in a text, in any order."""
    for word in words:
        place = low.find(word)
        while place >= 0:
            yield place
            place = low.find(word, place + 1)


def stretches(low: str, places: Iterable[int], margin: int) -> list[Stretch]:
    """The parts of a text within `margin` characters of these places, in order; they begin and end at blanks."""
    found: list[Stretch] = []
    for place in sorted(places):
        if found and place + margin <= found[-1][1]:
            continue
        start = low.rfind(" ", 0, max(0, place - margin)) + 1
        end = low.find(" ", place + margin)
        end = len(low) if end < 0 else end
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], end
        else:
            found.append((start, end))
    return found
