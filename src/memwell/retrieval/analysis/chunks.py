"""Reads a text once: the index terms of it, and the words of times that it has.

A text is read by its *chunks*, what stands between blanks. Each chunk is read when it is met first, and kept. Most are
plain words: a text of them alone is looked up word by word, and nothing else is asked about it.
"""

from __future__ import annotations

import unicodedata
from itertools import chain
from typing import Final, TypeAlias

from memwell.retrieval.analysis import dates
from memwell.retrieval.analysis.english import STOP_WORDS
from memwell.retrieval.analysis.folding import fold, join_groups, plain
from memwell.retrieval.analysis.identifiers import Kind, identifiers, is_letter, kind_of
from memwell.retrieval.analysis.languages import hints_at_another
from memwell.retrieval.analysis.scanning import DIGITS, Reading
from memwell.retrieval.analysis.stemmers import stemmer
from memwell.retrieval.analysis.unspaced import characters
from memwell.retrieval.analysis.words import ENGLISH, LONGEST, Languages, languages, stop_words, word_terms

__all__ = ["is_folded", "names_time", "read"]

_Chunk: TypeAlias = tuple[tuple[str, ...], Kind, int, tuple[str, ...]]
"""Terms of its words, what it is, `_HINTS` and `_DATED`, and words of times (see `dates.time_words_of`)."""
_HINTS: Final = 1
"""It hints at another language."""
_DATED: Final = 2
"""A text with it is searched for times."""
_plain: dict[str, tuple[str, ...]] = {}
"""Chunks that hold no identifier, no time and no word of another language → the terms of their words."""
_odd: dict[str, _Chunk] = {}
"""Other chunks."""
_CACHED_CHUNKS = 100_000
_AROUND: Final = ".,:;!?()[]\"'`*-"
"""Punctuation around a word of letters that changes neither its terms nor what it is."""
_NOTHING: Final[frozenset[str]] = frozenset()
_WORD, _TITLE, _NAMING = Kind.WORD, Kind.TITLE, Kind.NAMING


def read(text: str) -> Reading:
    """Read a text; its index terms are those that `analyze` gives."""
    chunks = text.split()
    found = [*map(_plain.get, chunks)]
    if None not in found and "\u202f" not in text:
        return Reading([*chain.from_iterable(found)], _NOTHING, len(text))  # type: ignore[arg-type]
    if not text.isascii() and (joined := join_groups(text)) != text:
        return Reading(read(joined).terms, None, 0)
    places, flags, time_words, first = _look_up(chunks, found)
    spoken = languages(text) if flags & _HINTS else ENGLISH
    terms = word_terms(text, spoken) if spoken else [*chain.from_iterable(found)]  # type: ignore[arg-type]
    since = text.find(chunks[first]) if first is not None else len(text)
    if places and (more := _named(text, chunks, places, spoken, since)):
        known = set(terms)
        terms += [term for term in dict.fromkeys(more) if term not in known]
    if spoken:
        return Reading(terms, None, since)
    dated = flags & _DATED or ("other" in time_words and "other day" in text)
    return Reading(terms, time_words if dated else _NOTHING, since)


def _named(text: str, chunks: list[str], places: set[int], spoken: Languages, since: int) -> list[str]:
    """The terms of the identifiers of a text, and of its single Chinese characters."""
    stem, stop = stemmer("en"), stop_words(spoken)
    if text.isascii():
        return identifiers(text, stem, stop, chunks, sorted(places), since)
    more = characters(unicodedata.normalize("NFKC", text))
    return [*more, *filter(is_folded, identifiers(plain(text), stem, stop))]


def names_time(name: str) -> bool:
    """Whether a chunk of a name has a word of a time."""
    return any(chunk not in _plain and (_odd.get(chunk) or _read_chunk(chunk))[3] for chunk in name.split())


def _look_up(
    chunks: list[str], found: list[tuple[str, ...] | None]
) -> tuple[set[int], int, set[str], int | None]:
    """Fill in the terms of the words of chunks that are not known to be plain ones. Returns the places of those that
    may be identifiers, the flags of all, their words of times, and the place of the first with a digit.
    """
    places: set[int] = set()
    time_words: set[str] = set()
    first: int | None = None
    at, before, flags = 0, -2, 0
    for _ in range(found.count(None)):
        at = found.index(None, at)
        chunk = chunks[at]
        found[at], kind, more, words = _odd.get(chunk) or _read_chunk(chunk)
        flags |= more
        if words:
            time_words.update(words)
            if first is None and DIGITS in time_words:
                first = at
        if kind is _WORD:
            continue
        if kind is _NAMING:
            if at + 1 < len(chunks) and is_letter(chunks[at + 1]):
                places.add(at + 1)
        elif kind is not _TITLE or before == at - 1:
            places.add(at)
        before = at
    return places, flags, time_words, first


def _read_chunk(chunk: str) -> _Chunk:
    """What a chunk says; kept."""
    word = chunk.strip(_AROUND)
    if word != chunk and word.isalpha() and chunk[:2] != "--":
        same = _plain.get(word)
        read = _odd.get(word) or _read_chunk(word) if same is None else (same, _WORD, 0, ())
    else:
        terms, time_words = tuple(word_terms(chunk)), dates.time_words_of(chunk)
        dated = _DATED if time_words and dates.is_dated(chunk, time_words, terms) else 0
        read = terms, _kind_of(chunk), dated | (_HINTS if hints_at_another(chunk) else 0), time_words
    if len(chunk) <= LONGEST:
        if len(_plain) + len(_odd) >= _CACHED_CHUNKS:
            _plain.clear()
            _odd.clear()
        if read[1] is _WORD and not read[2] and not read[3]:
            _plain[chunk] = read[0]
        else:
            _odd[chunk] = read
    return read


def _kind_of(chunk: str) -> Kind:
    if chunk.isascii():
        return kind_of(chunk, STOP_WORDS)
    pieces = plain(chunk).split()
    one = len(pieces) == 1 and not characters(pieces[0])
    return kind_of(pieces[0], STOP_WORDS) if one else Kind.CODE


def is_folded(term: str) -> bool:
    """Whether a term is as `fold` gives it, and in one piece."""
    return fold(term) == term and not any(map(str.isspace, term))
