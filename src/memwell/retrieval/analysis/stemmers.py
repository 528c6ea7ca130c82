"""The stem of a word, by language: Snowball's stemmers (PyStemmer), and light ones of ours where those do less well.

Arabic strips the affixes of *light10* (Larkey, Ballesteros and Connell, "Light Stemming for Arabic Information
Retrieval", 2007), one preposition and the possessive pronouns; Hebrew the article, what precedes it, and plurals.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final, TypeAlias

from memwell._patterns import pattern
from memwell.retrieval.analysis.folding import fold

__all__ = ["Stem", "stemmer"]

Stem: TypeAlias = Callable[[str], str]

_SNOWBALL: Final = {
    "en": "english", "de": "german", "nl": "dutch", "sv": "swedish", "da": "danish", "no": "norwegian", "fi": "finnish",
    "hu": "hungarian", "fr": "french", "es": "spanish", "pt": "portuguese", "it": "italian", "ro": "romanian",
    "ca": "catalan", "pl": "polish", "cs": "czech", "sr": "serbian", "lt": "lithuanian", "et": "estonian",
    "tr": "turkish", "id": "indonesian", "ga": "irish", "eu": "basque", "eo": "esperanto", "ru": "russian",
    "el": "greek", "hy": "armenian", "fa": "persian", "yi": "yiddish", "hi": "hindi", "ne": "nepali", "ta": "tamil",
}  # fmt: skip
_FOLDED: Final = frozenset({"ar", "he", "hi", "ne"})
"""Languages whose stemmers want words without marks."""
_ARABIC_HEAD: Final = pattern("^[وف]?(?:[بك]?ال|لل)(?=..)|^و(?=...)")
_ARABIC_PREPOSITION: Final = pattern("^[بل](?=....)")
_ARABIC_TAIL: Final = pattern(
    "(?<=..)ة$|(?<=...)(?:اتنا|اتها|اتهم|اته|اتي|تنا|تها|تهم|تكم|ته|تي|ات|ان|ين|ون|نا|ها|هم|هن|كم|ية|ه|ي)$"
)
_HEBREW_HEAD: Final = pattern("^(?:[ושבלמכ]{0,2}ה|ו)(?=...)")
_HEBREW_TAIL: Final = pattern("(?<=...)(?:ים|ות|ה)$")


def _arabic(word: str) -> str:
    word = _ARABIC_PREPOSITION.sub("", _ARABIC_HEAD.sub("", word))
    return _ARABIC_TAIL.sub("", word)


def _hebrew(word: str) -> str:
    return _HEBREW_TAIL.sub("", _HEBREW_HEAD.sub("", word))


def _surface(word: str) -> str:
    return word


@cache
def stemmer(code: str) -> Stem:
    """The stemmer of a language, from a word as `clean` gives it to a folded stem."""
    own = {"ar": _arabic, "he": _hebrew}.get(code)
    if own is None and code in _SNOWBALL:
        import Stemmer  # type: ignore[import-not-found, unused-ignore]

        own = Stemmer.Stemmer(_SNOWBALL[code], 0).stemWord
    stem: Stem = own or _surface
    if code == "en":
        return stem
    if code in _FOLDED:
        return lambda word: stem(fold(word))
    return lambda word: fold(stem(word))
