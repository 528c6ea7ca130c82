"""Index terms of the words of a text, in the languages that it is written in.

A word gives its stem; one with inner hyphens or dots gives its parts and the compound. Words without a topic give
nothing. English words are folded before they are stemmed; those of other languages afterwards, because their stemmers
read diacritics.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import field
from functools import cache
from typing import Final

from memwell._dataclasses import dataclass
from memwell._patterns import pattern
from memwell.retrieval.analysis.english import STOP_WORDS
from memwell.retrieval.analysis.folding import clean, fold
from memwell.retrieval.analysis.function_words import FUNCTION_WORDS
from memwell.retrieval.analysis.languages import languages_of, script_of
from memwell.retrieval.analysis.numeric import numbers
from memwell.retrieval.analysis.stemmers import Stem, stemmer
from memwell.retrieval.analysis.unspaced import UNSPACED_RUN, pairs

__all__ = ["ENGLISH", "Languages", "english_terms", "is_foreign", "languages", "stop_words", "word_terms"]

Languages = Mapping[str, str]
"""Script → the language (ISO 639-1) of the words in it."""
ENGLISH: Final[Languages] = {}
"""Of a text that is or may be in English."""

_ASCII_WORD: Final = pattern(r"[a-z0-9]+(?:[.,'-][a-z0-9]+)*")
_SUFFIXED: Final = pattern(r"(?<!\w)[a-z](?:\+\+|#)(?!\w)")
_NUMBER: Final = pattern(r"\d+(?:[.,]\d+)*")
_ENDINGS: Final = frozenset({"s", "re", "ve", "ll", "d", "m", "t"})
_JOINT: Final = pattern(r"[.,'-]+")
_NAME: Final = pattern(r"(?<!\w)[^\W\d_]{2,}")
_TOPICS: Final = frozenset({"år"})
"""Words with a topic that fold to one without (*är*)."""
KEPT: int = 50_000
"""Words whose terms are kept, per language."""
LONGEST: Final = 64
"""Characters. Anything longer is hardly a word: its terms are not kept, and endings such as 's are not removed."""


@dataclass(frozen=True, slots=True)
class _Language:
    code: str
    stop: frozenset[str]
    """Folded words without a topic."""
    stem: Stem
    kept: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Word → its index terms, for recent words."""


@cache
def _language(code: str) -> _Language:
    stop = STOP_WORDS if code == "en" else frozenset(FUNCTION_WORDS.get(code, "").split())
    return _Language(code, stop, stemmer(code))


def is_foreign(text: str, spoken: Languages) -> bool:
    """Whether most of a text is in another language than English."""
    if spoken.get("latin", "en") != "en":
        return True
    if text.isascii():
        return False
    letters = [letter for letter in text if letter.isalpha()]
    return 2 * sum(script_of(letter) != "latin" for letter in letters) > len(letters)


def stop_words(spoken: Languages) -> frozenset[str]:
    """The folded words without a topic in some languages, and in English."""
    return _union(tuple(spoken.values())) if spoken else STOP_WORDS


@cache
def _union(codes: tuple[str, ...]) -> frozenset[str]:
    return STOP_WORDS.union(*(_language(code).stop for code in codes))


@cache
def _any_word() -> re.Pattern[str]:
    """Words of any script; combining vowel signs (Devanagari, Tamil, …) belong to their word."""
    marks = [c for c in map(chr, range(0x300, 0x3100)) if unicodedata.category(c) in ("Mn", "Mc")]
    mark = "".join(marks)
    return re.compile(rf"[^\W_](?:[^\W_]|[{mark}])*(?:[.,'-](?:[^\W_]|[{mark}])+)*")


def languages(text: str) -> Languages:
    """The languages of a text; `ENGLISH` if it has words of no other."""
    found = languages_of(text)
    return ENGLISH if found == {"latin": "en"} else found


def word_terms(text: str, spoken: Languages = ENGLISH) -> list[str]:
    """The terms of the words of a text in the languages that are `spoken`, in order."""
    if spoken:
        return list(_terms_in(text, spoken))
    folded, english = fold(text), _language("en")
    if "#" in folded or "++" in folded:
        folded = _SUFFIXED.sub(" ", folded)
    terms: list[str] = []
    for word in _words_in(folded):
        found = english.kept.get(word)
        if found is None:
            found = _look_up(word, english)
        terms += found
    return terms


def english_terms(word: str) -> tuple[str, ...]:
    """The terms of a word of ASCII letters in lower case."""
    english = _language("en")
    found = english.kept.get(word)
    return _look_up(word, english) if found is None else found


def _words_in(folded: str) -> list[str]:
    if folded.isalpha():
        return [folded]
    return (_ASCII_WORD if folded.isascii() else _any_word()).findall(folded)


def _terms_in(text: str, spoken: Languages) -> Iterator[str]:
    """A capitalised word has its English term, too: questions in another language name it."""
    cleaned = clean(text)
    if "#" in cleaned or "++" in cleaned:
        cleaned = _SUFFIXED.sub(" ", cleaned)
    names = {clean(name) for name in _NAME.findall(text) if name[0].isupper()}
    for found_word in _any_word().findall(cleaned):
        language = _language(spoken.get(script_of(found_word[0]) or "latin", "en"))
        word = fold(found_word) if language.code == "en" else found_word
        found = language.kept.get(word)
        if found is None:
            found = _look_up(word, language)
        yield from found
        if found and word in names:
            yield from (term for term in word_terms(word) if term not in found)


def _look_up(word: str, language: _Language) -> tuple[str, ...]:
    """The terms of a word that is not among the kept ones; adds it."""
    if len(word) > LONGEST:
        return _terms_of(word, language)
    if len(language.kept) >= KEPT:
        language.kept.clear()
    found = language.kept[sys.intern(word)] = tuple(map(sys.intern, _terms_of(word, language)))
    return found


def _terms_of(word: str, language: _Language) -> tuple[str, ...]:
    """Index terms of one word: its stem, or its parts and the compound."""
    if fold(word) in language.stop and word not in _TOPICS:
        return ()
    if not word.isascii() and (runs := UNSPACED_RUN.findall(word)):
        rest = [term for part in UNSPACED_RUN.split(word) if part for term in _terms_of(part, language)]
        return (*rest, *(pair for run in runs for pair in pairs(run)))
    if word.isalnum():
        return (language.stem(word),)
    if _NUMBER.fullmatch(word):
        return numbers(word)
    base, _, tail = word.rpartition("'")
    if base and tail in _ENDINGS and len(word) <= LONGEST and language.code == "en":
        return _terms_of(base, language)
    return _terms_of_parts(word, language)


def _terms_of_parts(word: str, language: _Language) -> tuple[str, ...]:
    """Index terms of a word with inner hyphens, dots, commas or apostrophes: its parts, and the compound of two
    parts.
    """
    parts = [part for part in _JOINT.split(word) if part]
    if len(parts) < 2:
        return tuple(language.stem(part) for part in parts)
    each = [_terms_of(part, language) for part in parts]
    terms = [term for found in each for term in found]
    if len(parts) == 2 and not any(part.isdigit() for part in parts) and (all(each) or language.code == "en"):
        terms.append(language.stem("".join(parts)))
    return tuple(terms)
