"""Words of a question that no memory contains: which of the words that are there was meant.

Such a word is read as one that differs from it by one letter: one too many, one missing, one exchanged, or two
neighbours that changed places. The first letter must be right, because few slips concern it, or sound alike
(*kroissant*), and short words are left alone, because most of them have a real word beside them (*boat* and *boot*).
If there is none, it is read as a compound that begins or ends with it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Final

__all__ = ["is_near", "meant"]

_SHORTEST: Final = 4
"""Letters of a term from which on it may be misspelt."""
_ALIKE_LETTERS: Final = {
    "c": "ks", "k": "cq", "q": "k", "s": "cz", "z": "s", "f": "v", "v": "f", "g": "j", "j": "g", "i": "y", "y": "i",
}  # fmt: skip
"""Letters that sound alike at the beginning of a word."""
_PART: Final = 5
"""Letters of a word that may be part of a compound."""
_REST: Final = 4
"""Letters of the rest of it."""
_EXCHANGED: Final = 4
"""Letters after the first, if one letter was exchanged for another: such pairs of short words are common."""


def meant(term: str, text: str, known: Collection[str], words: str | None = None) -> str | None:
    """The word of `text` (index terms, each between spaces) that `term`, which it does not contain, was meant to be, or
    else a compound of it; `None` if there is none. Of several the most frequent, and none of the `known` terms of the
    question.

    `words` may be a shorter text to look into first, which has all words of `text`, and maybe others.
    """
    if len(term) < _SHORTEST or not term.isalpha():
        return None
    text = f"{text} "
    there = text if words is None else f"{words} "
    rest, middle = term[1:], len(term) // 2
    head, tail = term[:middle], term[middle + 1 :]  # a slip leaves one of them as it is
    alike = re.findall(f" ({term[0]}[^ ]{{{len(rest) - 1},{len(rest) + 1}}})(?= )", there)
    near = {
        one
        for one in set(alike)
        if (one.startswith(head) or one.endswith(tail)) and one.isalpha() and is_near(rest, one[1:])
    }
    near.update(f"{first}{rest}" for first in _ALIKE_LETTERS.get(term[0], "") if f" {first}{rest} " in there)
    return _most_frequent(near.difference(known), text) or _most_frequent(
        _compounds(term, there).difference(known), text
    )


def _most_frequent(words: Iterable[str], text: str) -> str | None:
    """The one of these words that occurs most often in a text, the first in the alphabet of several; `None` if none
    does."""
    counts = {word: text.count(f" {word} ") for word in sorted(words)}
    best = max(counts, key=counts.__getitem__, default=None)
    return best if best is not None and counts[best] else None


def _compounds(term: str, text: str) -> set[str]:
    """The words of `text` that begin or end with `term` and are much longer (*Gehaltserhöhung* for *Gehalt*)."""
    found: set[str] = set()
    at = text.find(term) if len(term) >= _PART else -1
    while at >= 0:
        start, end = text.rfind(" ", 0, at) + 1, text.find(" ", at)
        word = text[start:end]
        beside = word.startswith(term) or word.endswith(term)
        if beside and len(word) >= len(term) + _REST and word.isalpha():
            found.add(word)
        at = text.find(term, end)
    return found


def is_near(term: str, other: str) -> bool:
    """Whether two different words differ by one slip; both without their first letter."""
    if len(term) < len(other):
        term, other = other, term
    at = next((i for i, (one, two) in enumerate(zip(term, other, strict=False)) if one != two), len(other))
    if len(term) > len(other):
        return term[at + 1 :] == other[at:]
    if term[at + 1 :] == other[at + 1 :]:
        return len(term) >= _EXCHANGED
    return term[at : at + 2] == other[at : at + 2][::-1] and term[at + 2 :] == other[at + 2 :]
