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
from typing import Final, NamedTuple, TypeAlias

from memwell.retrieval.analysis import dates
from memwell.retrieval.analysis.days import Days
from memwell.retrieval.analysis.english import STOP_WORDS
from memwell.retrieval.analysis.folding import fold, join_groups, plain
from memwell.retrieval.analysis.identifiers import (
    Kind,
    alone,
    beside,
    carried,
    identifiers,
    is_letter,
    kind_of,
)
from memwell.retrieval.analysis.languages import hints_at_another
from memwell.retrieval.analysis.numeric import PHONE_DIGITS, Terms, may_go_on, measures, numeric
from memwell.retrieval.analysis.stemmers import stemmer
from memwell.retrieval.analysis.time_runs import begins_run
from memwell.retrieval.analysis.unspaced import characters
from memwell.retrieval.analysis.words import ENGLISH, LONGEST, Languages, languages, stop_words, word_terms

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
    """`_HINTS`, `_DATED` and `_BEGINS`."""
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


_Named: TypeAlias = tuple[int, _Chunk | None]
"""The place of a chunk that may be an identifier, and what it says; `None` if the word before makes it a name."""
_HINTS: Final = 1
"""It hints at another language."""
_DATED: Final = 2
"""A text with it is searched for times."""
_BEGINS: Final = 4
"""A run of words of times is looked for around it."""
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
    body = text if body is None else body
    if not text.isascii() and (joined := join_groups(text)) != text:
        lexemes = read(joined).lexemes
        return Reading(lexemes, dates.mentioned(body, lexemes.split()))
    odd, named, flags = _look_up(chunks, found)
    spoken = languages(text) if flags & _HINTS else ENGLISH
    lexemes = " ".join(word_terms(text, spoken) if spoken else filter(None, found))
    if named and (more := _names(text, chunks, named, spoken)):
        known = {*lexemes.split()}
        lexemes = " ".join([*filter(None, (lexemes,)), *[t for t in dict.fromkeys(more) if t not in known]])
    if spoken:
        return Reading(lexemes, dates.mentioned(body, lexemes.split()))
    return Reading(lexemes, _times(text, body, chunks, odd, hints=flags & _HINTS != 0))


def _look_up(
    chunks: list[str], found: list[str | None]
) -> tuple[list[tuple[int, _Chunk]], list[_Named], int]:
    """Fill in the terms of the words of chunks that are not known to be plain ones. Returns these chunks with their
    places, those that may be identifiers, and the flags of all.
    """
    odd: list[tuple[int, _Chunk]] = []
    named: list[_Named] = []
    at, before, letter, flags = -1, -2, -1, 0
    for _ in range(found.count(None)):
        at = found.index(None, at + 1)
        chunk = chunks[at]
        one = _odd.get(chunk) or _read_chunk(chunk)
        found[at], kind, more = one[:3]
        flags |= more
        odd.append((at, one))
        if kind is _WORD:
            continue
        if kind is _NAMING:
            if at + 1 < len(chunks) and is_letter(chunks[at + 1]):
                letter = at + 1
                named.append((letter, None))
        elif at != letter and (kind is not _TITLE or before == at - 1):
            named.append((at, one))
        before = at
    return odd, named, flags


def _names(text: str, chunks: list[str], named: Sequence[_Named], spoken: Languages) -> list[str]:
    """The terms of the identifiers of a text, and of its single Chinese characters."""
    stem, stop = stemmer("en"), stop_words(spoken)
    if not text.isascii():
        more = characters(unicodedata.normalize("NFKC", text))
        return [*more, *filter(is_folded, identifiers(plain(text), stem, stop))]
    found: list[str] = []
    in_digits = False
    for place, one in named:
        if one is None or one.kind is not _CODE:
            found += beside(chunks, place, stem, stop)
            continue
        found += one.names
        in_digits = in_digits or one.digits > 0
        if one.number and place and (code := carried(chunks[place - 1], one.number)):
            found.append(code)
    return found + _numeric(text, chunks, named) if in_digits else found


def _numeric(text: str, chunks: list[str], named: Sequence[_Named]) -> list[str]:
    """The terms of the measures and long numbers of a text. It is searched as a whole only if one of them may reach
    from one chunk to the next."""
    found: list[str] = []
    digits, before = 0, -1 - _BETWEEN
    for place, one in named:
        if one is None or not one.digits:
            continue
        digits = one.digits + (digits if place - before <= _BETWEEN else 0)
        before = place
        if digits >= PHONE_DIGITS or (
            place + 1 < len(chunks) and may_go_on(chunks[place], chunks[place + 1])
        ):
            return [*_terms(numeric(text))]
        found += one.measures
    return found


def _times(
    text: str, body: str, chunks: list[str], odd: Iterable[tuple[int, _Chunk]], *, hints: bool
) -> Sequence[Days]:
    """The times that a text in English mentions in its body; it may have hints at another language."""
    since = 0 if len(body) == len(text) else len(text[: len(text) - len(body)].split())
    words: set[str] = set()
    places: list[int] = []
    dated = 0
    for place, one in odd:
        if one.time_words and place >= since:
            words.update(one.time_words)
            dated |= one.flags & _DATED
            if one.flags & _BEGINS:
                places.append(place)
    if dated or ("other" in words and "other day" in body):
        return dates.times_of(text, body, chunks, places, words, since=since, hints=hints)
    return ()


def _read_chunk(chunk: str) -> _Chunk:
    """What a chunk says; kept."""
    word = chunk.strip(_AROUND)
    if word != chunk and word.isalpha() and chunk[:2] != "--":
        same = _plain.get(word)
        read = _odd.get(word) or _read_chunk(word) if same is None else _Chunk(same, _WORD, 0, ())
    else:
        read = _read_odd(chunk)
    if len(chunk) <= LONGEST:
        if len(_plain) + len(_odd) >= _CACHED_CHUNKS:
            _plain.clear()
            _odd.clear()
        if read.kind is _WORD and not read.flags and not read.time_words:
            _plain[chunk] = read.terms
        else:
            _odd[chunk] = read
    return read


def _read_odd(chunk: str) -> _Chunk:
    terms, time_words, kind = word_terms(chunk), dates.time_words_of(chunk), _kind_of(chunk)
    flags = _HINTS if hints_at_another(chunk) else 0
    if time_words:
        flags |= _DATED if dates.is_dated(chunk, time_words, terms) else 0
        flags |= _BEGINS if begins_run(chunk, time_words) else 0
    read = _Chunk(" ".join(terms), kind, flags, time_words)
    if kind is not _CODE or not chunk.isascii():
        return read
    names, number = alone(chunk)
    digits = sum(map(str.isdecimal, chunk))
    return _Chunk(*read[:4], names, number, digits, (*_terms(measures(chunk)),) if digits else ())


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
