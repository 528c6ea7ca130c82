"""Words of a question that no memory contains: which of the words that are there was meant.

Such a word is read as one that differs from it by one letter: one too many, one missing, one exchanged, or two
neighbours that changed places. The first letter must be right, because few slips concern it, or sound alike
(*kroissant*), and short words are left alone, because most of them have a real word beside them (*boat* and *boot*).
If there is none, it is read as a compound that begins or ends with it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
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


def meant(term: str, text: str, known: Collection[str]) -> str | None:
    """The word of `text` (index terms, each after a space) that `term`, which it does not contain, was meant to be, or
    else a compound of it; `None` if there is none. Of several the most frequent, and none of the `known` terms of the
    question.
    """
    if len(term) < _SHORTEST or not term.isalpha():
        return None
    rest, middle = term[1:], len(term) // 2
    head, tail = term[:middle], term[middle + 1 :]  # a slip leaves one of them as it is
    alike = re.findall(f" {term[0]}[^ ]{{{len(rest) - 1},{len(rest) + 1}}}(?= )", f"{text} ")
    letters = _ALIKE_LETTERS.get(term[0], "")
    near = [f"{first}{rest}" for first in letters if f" {first}{rest} " in f"{text} "]
    near += [
        one[1:]
        for one in set(alike)
        if (one.startswith(head, 1) or one.endswith(tail)) and one[1:].isalpha() and is_near(rest, one[2:])
    ]
    found = sorted(set(near).difference(known))
    return max(found, key=lambda one: f"{text} ".count(f" {one} "), default=None) or _compound(
        term, text, known
    )


def _compound(term: str, text: str, known: Collection[str]) -> str | None:
    """The most frequent word of `text` that begins or ends with `term` and is much longer (*Gehaltserhöhung* for
    *Gehalt*)."""
    found: Counter[str] = Counter()
    at = text.find(term) if len(term) >= _PART else -1
    while at >= 0:
        start, end = text.rfind(" ", 0, at) + 1, (text + " ").find(" ", at)
        word = text[start:end]
        beside = word.startswith(term) or word.endswith(term)
        if beside and len(word) >= len(term) + _REST and word.isalpha() and word not in known:
            found[word] += 1
        at = text.find(term, end)
    return min(found, key=lambda word: (-found[word], word), default=None)


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
