"""Reads a text once: its index terms, and the times that it mentions.

A text is read by its *chunks*, what stands between blanks. Each chunk is read when it is met first, and kept: its
terms, and what it may be besides: part of an identifier, of a time, of another language. Most chunks are plain words,
which are nothing besides. A text of them alone is looked up chunk by chunk, and nothing else is asked about it. In
other texts the other chunks are looked at, each with those beside it:

- identifiers come from the chunk itself, from a letter and the word before it, from a number and a unit behind it;
- times come from the runs of chunks that may be parts of one (see `time_runs`);
- a hint at another language makes the text be read as a whole, in its language.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Final, NamedTuple, TypeAlias

from memwell.retrieval.analysis import dates
from memwell.retrieval.analysis.days import Days
from memwell.retrieval.analysis.english import STOP_WORDS
from memwell.retrieval.analysis.folding import fold, join_groups, plain
from memwell.retrieval.analysis.identifiers import (
    NAMING,
    Kind,
    alone,
    beside,
    carried,
    identifiers,
    is_letter,
    kind_of,
)
from memwell.retrieval.analysis.languages import hints, hints_at_another
from memwell.retrieval.analysis.numeric import PHONE_DIGITS, Terms, begins_with_unit, measures, numeric
from memwell.retrieval.analysis.stemmers import stemmer
from memwell.retrieval.analysis.time_runs import begins_run, run_times
from memwell.retrieval.analysis.unspaced import characters
from memwell.retrieval.analysis.words import (
    ENGLISH,
    LONGEST,
    Languages,
    english_terms,
    languages,
    stop_words,
    word_terms,
)

__all__ = ["Reading", "is_folded", "read"]


class Reading(NamedTuple):
    """What a text says."""

    lexemes: str
    """Its index terms, joined by blanks."""
    times: Sequence[Days]
    """The times that it mentions, in order."""


class _Chunk(NamedTuple):
    """What a chunk says."""

    terms: str
    """The index terms of its words, joined by blanks."""
    kind: Kind
    flags: int
    """`_HINTS`, `_BEGINS`, `_ASKS` and `_DATED`."""
    time_words: tuple[str, ...]
    """See `dates.time_words_of`."""
    names: tuple[str, ...] = ()
    """The terms of the identifier that it is."""
    number: str = ""
    """Its digits, if it is a number of few digits."""
    digits: int = 0
    """How many it has."""
    measures: tuple[str, ...] = ()
    """The terms of the measures in it."""
    in_front: bool = False
    """Whether its end may be the number of a measure."""


_Place: TypeAlias = tuple[int, _Chunk | None]
"""The number of a chunk, and what it says; `None` for a letter that the word before makes a name."""
_HINTS: Final = 1
"""It hints at another language."""
_BEGINS: Final = 2
"""Times are looked for around it."""
_ASKS: Final = 4
"""What its words of times mean depends on others of the text."""
_DATED: Final = 8
"""A text with it is searched for times."""
_plain: dict[str, str] = {}
"""Chunks that hold no identifier, no time and no word of another language → the terms of their words."""
_odd: dict[str, _Chunk] = {}
"""Other chunks."""
_CACHED_CHUNKS = 100_000
_AROUND: Final = ".,:;!?()[]\"'`*-"
"""Punctuation around a word of letters that changes neither its terms nor what it is."""
_BETWEEN: Final = 2
"""Chunks from one group of digits of a long number to the next at most."""
_WORD, _TITLE, _NAMING, _CODE = Kind.WORD, Kind.TITLE, Kind.NAMING, Kind.CODE


def read(text: str, body: str | None = None) -> Reading:
    """Read a text; its index terms are those that `analyze` gives. Times are looked for in `body` only, which is the
    text without a name before it.
    """
    chunks = text.split()
    found = [*map(_plain.get, chunks)]
    if None not in found and "\u202f" not in text:
        return Reading(" ".join(filter(None, found)), ())
    body, ascii_only = text if body is None else body, text.isascii()
    if not ascii_only and (joined := join_groups(text)) != text:
        lexemes = read(joined).lexemes
        return Reading(lexemes, dates.mentioned(body, lexemes.split()))
    named, timed, flags = _look_up(chunks, found)
    spoken = languages(text) if flags & _HINTS else ENGLISH
    lexemes = " ".join(word_terms(text, spoken) if spoken else filter(None, found))
    if named and (more := _names(text, chunks, named, spoken)):
        known = {*lexemes.split()}
        lexemes = " ".join([*filter(None, (lexemes,)), *[t for t in dict.fromkeys(more) if t not in known]])
    if spoken:
        return Reading(lexemes, dates.mentioned(body, lexemes.split()))
    return Reading(lexemes, _times(text, body, chunks, timed, flags if ascii_only else _ASKS | _HINTS))


def _look_up(
    chunks: list[str], found: list[str | None]
) -> tuple[list[_Place], list[tuple[int, _Chunk]], int]:
    """Fill in the terms of the words of chunks that are not known to be plain ones. Returns those of them that may be
    identifiers, those with words of times, and the flags of all.
    """
    named: list[_Place] = []
    timed: list[tuple[int, _Chunk]] = []
    at, before, letter, flags = -1, -2, -1, 0
    for _ in range(found.count(None)):
        at = found.index(None, at + 1)
        chunk = chunks[at]
        one = _odd.get(chunk) or _read_chunk(chunk)
        if isinstance(one, str):
            found[at] = one
            continue
        found[at] = one.terms
        flags |= one.flags
        if one.time_words:
            timed.append((at, one))
        kind = one.kind
        if kind is _WORD:
            continue
        if kind is _NAMING:
            if at + 1 < len(chunks) and is_letter(chunks[at + 1]):
                letter = at + 1
                named.append((letter, None))
        elif at != letter and (kind is not _TITLE or before == at - 1):
            named.append((at, one))
        before = at
    return named, timed, flags


def _names(text: str, chunks: list[str], named: Sequence[_Place], spoken: Languages) -> list[str]:
    """The terms of the identifiers of a text, and of its single Chinese characters. It is searched for numbers as a
    whole only if one of them may reach from one chunk to the next.
    """
    if not text.isascii():
        more = characters(unicodedata.normalize("NFKC", text))
        return [*more, *filter(is_folded, identifiers(plain(text), stemmer("en"), stop_words(spoken)))]
    found: list[str] = []
    measured: list[str] = []
    digits, before, reaches = 0, -1 - _BETWEEN, False
    for place, one in named:
        if one is None or one.kind is not _CODE:
            found += beside(chunks, place, stemmer("en"), stop_words(spoken))
            continue
        found += one.names
        if one.digits:
            if one.number and place and (code := carried(chunks[place - 1], one.number)):
                found.append(code)
            measured += one.measures
            digits = one.digits + (digits if place - before <= _BETWEEN else 0)
            before = place
            reaches = (
                reaches or digits >= PHONE_DIGITS or (one.in_front and begins_with_unit(chunks, place + 1))
            )
    return [*found, *(_terms(numeric(text)) if reaches else measured)]


def _times(
    text: str, body: str, chunks: list[str], timed: Sequence[tuple[int, _Chunk]], flags: int
) -> Sequence[Days]:
    """The times that a text in English mentions in its body; `timed` are the chunks with words of times."""
    since = 0 if len(body) == len(text) else len(text[: len(text) - len(body)].split())
    places = [place for place, one in timed if place >= since and one.flags & _BEGINS]
    if not flags & (_ASKS | _HINTS):
        return run_times(text, chunks, places, since=since) if places else ()
    words = {word for place, one in timed if place >= since for word in one.time_words}
    dated = any(one.flags & _DATED for place, one in timed if place >= since)
    if not dated and not ("other" in words and "other day" in body):
        return ()
    return dates.times_of(text, body, chunks, places, words, since=since, hints=flags & _HINTS != 0)


def _read_chunk(chunk: str) -> str | _Chunk:
    """What a chunk says, of a plain one only its terms; kept."""
    word = chunk.strip(_AROUND)
    read: str | _Chunk | None
    if word != chunk and word.isalpha() and chunk[:2] != "--":
        read = _plain.get(word)
        if read is None:
            read = _odd.get(word) or _read_chunk(word)
    else:
        read = " ".join(english_terms(chunk.lower())) if _is_ordinary(chunk) else _read_odd(chunk)
    if len(chunk) <= LONGEST:
        if len(_plain) + len(_odd) >= _CACHED_CHUNKS:
            _plain.clear()
            _odd.clear()
        if isinstance(read, str):
            _plain[chunk] = read
        else:
            _odd[chunk] = read
    return read


def _is_ordinary(chunk: str) -> bool:
    """Whether a chunk is surely a plain one, as most are."""
    if not chunk.isascii() or not chunk.isalpha() or len(chunk) < 2:
        return False
    low = chunk.lower()
    return low not in _special() and (low == chunk or (chunk.istitle() and low not in STOP_WORDS))


@cache
def _special() -> frozenset[str]:
    """Words that are not plain ones."""
    return dates.triggers() | hints() | NAMING


def _read_odd(chunk: str) -> str | _Chunk:
    """What a chunk says that is no ordinary word."""
    found, time_words, kind = word_terms(chunk), dates.time_words_of(chunk), _kind_of(chunk)
    terms, flags = " ".join(found), _HINTS if hints_at_another(chunk) else 0
    if kind is _WORD and not flags and not time_words:
        return terms
    if time_words:
        flags |= _DATED if dates.is_dated(chunk, time_words, found) else 0
        flags |= _BEGINS if begins_run(chunk, time_words) else 0
        flags |= _ASKS if dates.asks_for_others(time_words) else 0
    if kind is not _CODE or not chunk.isascii():
        return _Chunk(terms, kind, flags, time_words)
    names, number = alone(chunk)
    digits = sum(map(str.isdecimal, chunk))
    measured = tuple(_terms(measures(chunk))) if digits else ()
    return _Chunk(terms, kind, flags, time_words, names, number, digits, measured, chunk[-1].isdecimal())


def _terms(found: Iterable[Terms]) -> Iterator[str]:
    for each in found:
        yield from each.exact
        yield from each.more


def _kind_of(chunk: str) -> Kind:
    if chunk.isascii():
        return kind_of(chunk, STOP_WORDS)
    pieces = plain(chunk).split()
    one = len(pieces) == 1 and not characters(pieces[0])
    return kind_of(pieces[0], STOP_WORDS) if one else Kind.CODE


def is_folded(term: str) -> bool:
    """Whether a term is as `fold` gives it, and in one piece."""
    return fold(term) == term and not any(map(str.isspace, term))
