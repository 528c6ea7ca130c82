"""Spellings of one word that count as the same: case, accents, compatibility forms, digits of other scripts, format
characters."""

from __future__ import annotations

import unicodedata
from typing import Final

from memwell._patterns import pattern

__all__ = ["clean", "fold", "join_groups", "plain", "straight"]

_APOSTROPHES: Final = "`’‘´ʼ"
_DIGITS: Final = {ord(zero) + n: str(n) for zero in "٠۰߀०০੦૦୦௦౦೦൦๐໐༠၀០᠐" for n in range(10)}
"""Digits of other scripts, as ASCII."""
_LETTERS: Final = (
    str.maketrans(dict.fromkeys(_APOSTROPHES, "'"))
    | _DIGITS
    | str.maketrans(
        {"ø": "o", "đ": "d", "ł": "l", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d"}
    )
    | str.maketrans({"ک": "ك", "ی": "ي", "ى": "ي", "ے": "ي", "ہ": "ه", "ँ": "ं"})
)
_DIACRITIC: Final = pattern(
    "[\u0300-\u036f\u0591-\u05bd\u05bf-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u093c]"
)
_FORMAT: Final = pattern(
    "[\u00ad\u061c\u0640\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]"
)
"""Characters without a shape of their own, within words: soft hyphens, joiners, marks of direction, tatweel."""
_GROUPED: Final = pattern(
    r"(?<=[0-9])[\u00a0\u2009\u202f](?=[0-9]{3}(?![0-9]))|(?<=[^\W\d_])\u202f(?=[^\W\d_])"
)
"""A narrow or hard blank between the thousands of a number, and a narrow one within a word."""


def fold(text: str) -> str:
    """Case-folded, normalised text without diacritics: `"Ünïté’s"` gives `"unite's"`."""
    if text.isascii():
        return text.replace("`", "'").lower()
    text = _FORMAT.sub("", straight(text))
    if text.isascii():
        return text.lower()
    bare = _FORMAT.sub("", _DIACRITIC.sub("", unicodedata.normalize("NFKD", join_groups(text)).casefold()))
    return unicodedata.normalize("NFC", bare).translate(_LETTERS)


def straight(text: str) -> str:
    """A text with straight apostrophes."""
    for mark in _APOSTROPHES[:1] if text.isascii() else _APOSTROPHES:
        text = text.replace(mark, "'")
    return text


def plain(text: str) -> str:
    """A text with its upper case and without diacritics, format characters and compatibility forms."""
    if text.isascii():
        return text
    bare = _DIACRITIC.sub("", unicodedata.normalize("NFKD", join_groups(straight(text))))
    return unicodedata.normalize("NFC", _FORMAT.sub("", bare)).translate(_DIGITS)


def clean(text: str) -> str:
    """As `fold`, with the diacritics of its letters, which stemmers want."""
    if text.isascii():
        return text.replace("`", "'").lower()
    text = _FORMAT.sub("", straight(text))
    return unicodedata.normalize("NFKC", join_groups(text)).casefold().translate(_DIGITS)


def join_groups(text: str) -> str:
    """A text without the blanks between the thousands of its numbers, and without narrow ones in its words."""
    return _GROUPED.sub("", text)
