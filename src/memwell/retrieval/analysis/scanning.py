"""Which words a text has, and the stretches of it around some of them: patterns are tried there only."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, TypeAlias

__all__ = ["DIGITS", "PIECE", "Stretch", "any_of", "pieces_of", "places_of", "stretches"]

Stretch: TypeAlias = tuple[int, int]
"""Start and end of a part of a text."""
DIGITS: Final = "0"
"""Stands for a digit among the words that a text has."""
PIECE: Final = re.compile(r"[^\s!-@\[-`{-~\d“”«»„…—–·]{2,}")
"""Part of a word."""
_LETTERS: Final = re.compile(r"[^\W\d_]{2,}")
_ONLY_LETTERS: Final = "".join(chr(code) if chr(code).isalpha() else " " for code in range(128))


def pieces_of(low: str, wanted: frozenset[str]) -> frozenset[str]:
    """Those of the wanted words that a text in lower case has; with other letters than ASCII also parts of words."""
    if low.isascii():
        return wanted.intersection(low.translate(_ONLY_LETTERS).split())
    return wanted.intersection([*PIECE.findall(low), *_LETTERS.findall(low)])


def places_of(low: str, words: Iterable[str]) -> list[int]:
    """Where these words stand in a text, in any order."""
    found: list[int] = []
    for word in words:
        place = low.find(word)
        while place >= 0:
            found.append(place)
            place = low.find(word, place + 1)
    return found


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


def any_of(words: Iterable[str]) -> str:
    """A pattern for the beginning of a text with one of these words: letter by letter, so that few are tried."""
    beginnings: dict[str, list[str]] = {}
    for word in words:
        if not word:
            return ""
        beginnings.setdefault(word[0], []).append(word[1:])
    each = [re.escape(first) + any_of(rest) for first, rest in sorted(beginnings.items())]
    return each[0] if len(each) == 1 else f"(?:{'|'.join(each)})"
