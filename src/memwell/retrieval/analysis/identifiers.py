"""Terms of identifiers: versions, paths, keys, hosts, UUIDs, phone numbers, `camelCase`, `C++`, *plan A*.

An identifier has one term of its own besides those of its parts, so that their order counts: `db-prod-3` gives
`db.prod.3`. Every separator becomes a dot and a leading `v` of a version is dropped, so that the usual spellings meet.
What is often asked by its beginning (a path, a version, a hash) also has terms for beginnings, marked with `~`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import IntEnum
from itertools import chain

from memwell._dataclasses import dataclass
from memwell._patterns import pattern
from memwell.retrieval.analysis.numeric import (
    DATE,
    DECIMAL,
    DIGIT,
    NOTHING,
    PHONE_DIGITS,
    Terms,
    amount,
    numeric,
)

__all__ = [
    "NAMING",
    "Asked",
    "Kind",
    "alone",
    "asked",
    "beside",
    "carried",
    "identifiers",
    "is_letter",
    "kind_of",
]

_STRIP = ".,:;!?…-–—*~^&\"'“”„«»()[]{}<>|`="
_PIECES = pattern(r"[\"'“”„«»()\[\]{}<>,;|`…]+")
_SEPARATORS = pattern(r"[._/\\@:\-+~#%&?$=]+")
_SEGMENTS = pattern(r"[/\\@:?#&=]+")
_FLAG = pattern(r"--[A-Za-z][\w-]*")
_HUMP = pattern(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_UNSPACED = pattern(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\ud7ff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]"
)
_SCHEME = pattern(r"^[A-Za-z][A-Za-z+]*://")
_SUFFIXED = pattern(r"[A-Za-z]\w*(?:\+\+|#)")
_ACRONYM = pattern(r"(?:[A-Za-z]\.){2,}[A-Za-z]?")
_VERSION = pattern(r"[vV]\d+(?:[._]\d+)+\S*")
_UUID = pattern(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_HEX = pattern(r"(?=[a-f]*\d)(?:0x)?[0-9a-f]{6,}")
_LONG_HEX = 12
_HEX_HEADS = (6, 7, 8, 10, 12)
"""Lengths at which the beginning of a long hexadecimal number is a term."""
_DOTTED = pattern(r"[A-Za-z][\w-]+(?:\.[a-z][\w-]*)+")
_LETTERS_DIGITS = pattern(r"([a-z]{1,5})(\d+)")
_ORDINARY = pattern(r"[A-Z]?[a-z]+(?:['-][a-z]+)+")
"""Words with an apostrophe or a hyphen, which are no identifiers."""
_VERBS = frozenset(
    "is was are were has had have will would did does do or and to in on at for of vs s".split()
)
NAMING = frozenset(
    "phase part chapter type class war vitamin plan option group team section appendix exhibit gate tier level"
    " platform block building hall room wing table figure schedule annex version".split()
)
"""Words after which even the letters `a` and `i` are names."""
_KNOWN = 50_000
_LONGEST = 200
"""Characters of an identifier; what is longer is data."""

_cache: dict[str, Terms] = {}


class Kind(IntEnum):
    """What a chunk of a text, between blanks, is for identifiers."""

    WORD = 0
    """Nothing of an identifier: a plain word, mere punctuation, or the letter of "a" and "I"."""
    TITLE = 1
    """A capitalised stop word: two of them are a name."""
    NAMING = 2
    """A word after which even the letters `a` and `i` are names."""
    LETTER = 3
    """A single letter."""
    CODE = 4
    """Anything else."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One identifier of a question."""

    exact: tuple[str, ...]
    """Terms of which a memory has one if it holds the identifier."""
    loose: tuple[str, ...] = ()
    """Terms of memories that hold a longer or another form of it."""


def identifiers(text: str, stem: Callable[[str], str], stop: frozenset[str]) -> list[str]:
    """The terms of all identifiers in a text, in order; `stem` and `stop` are those of the analyzer."""
    chunks = text.split()
    found = _walk(chunks, stem, stop, range(len(chunks)), asking=False)
    if DIGIT.search(text):
        found += numeric(text)
    return [term for read in found for term in (*read.exact, *read.more)]


def alone(chunk: str) -> tuple[tuple[str, ...], str]:
    """The terms of a chunk of `Kind.CODE` in any text, and its digits if it is a number of few."""
    word = chunk.strip(_STRIP)
    read = _read(chunk)
    return (*read.exact, *read.more), _few_digits(word)


def carried(before: str, number: str) -> str | None:
    """The term of a number of few digits behind the code of its carrier: *BA 9613*."""
    if before.istitle() or before.islower():
        return None
    carrier = _before(before)
    is_code = len(carrier) in (2, 3) and carrier.isupper() and carrier.isalpha()
    return f"{carrier}{number}".lower() if is_code else None


def beside(
    chunks: Sequence[str], place: int, stem: Callable[[str], str], stop: frozenset[str]
) -> tuple[str, ...]:
    """The terms of a single letter or a capitalised stop word, which depend on the chunks beside it."""
    return tuple(term for read in _walk(chunks, stem, stop, (place,), asking=False) for term in read.exact)


def kind_of(chunk: str, stop: frozenset[str]) -> Kind:
    """What a chunk is."""
    if chunk.islower() and chunk.isalpha() and len(chunk) > 1:
        return Kind.NAMING if chunk in NAMING else Kind.WORD
    word = chunk.strip(_STRIP)
    low = word.lower()
    if low in stop and word.istitle() and word != "I":
        return Kind.LETTER if len(word) == 1 else Kind.TITLE
    if len(word) == 1 and word.isalpha():
        return Kind.WORD if low in "ai" else Kind.LETTER
    if low in NAMING:
        return Kind.NAMING
    if not word or (word.isalpha() and chunk[:2] != "--" and (word.islower() or word.istitle())):
        return Kind.WORD
    if _ORDINARY.fullmatch(word) and "--" not in chunk:
        return Kind.WORD
    return Kind.WORD if DIGIT.search(chunk) is None and _read(chunk) is NOTHING else Kind.CODE


def is_letter(chunk: str) -> bool:
    """Whether a chunk is a single letter, apart from punctuation."""
    word = chunk.strip(_STRIP)
    return len(word) == 1 and word.isalpha()


def asked(text: str, stem: Callable[[str], str], stop: frozenset[str]) -> list[Asked]:
    """The identifiers of a question."""
    found: dict[tuple[str, ...], Asked] = {}
    chunks = text.split()
    reads = _walk(chunks, stem, stop, range(len(chunks)), asking=True)
    for read in chain(reads, numeric(text)) if DIGIT.search(text) else reads:
        if read.exact:
            found.setdefault(read.exact, Asked(read.exact, read.loose))
    long = [
        term for one in found.values() for term in one.exact if len(term) >= PHONE_DIGITS and term.isdecimal()
    ]
    return [one for one in found.values() if not _is_within(one, long)]


def _is_within(one: Asked, long: list[str]) -> bool:
    """Whether it is a group of digits of a longer number."""
    term = one.exact[0]
    return len(term) < PHONE_DIGITS and term.isdecimal() and any(term in other for other in long)


def _walk(
    chunks: Sequence[str],
    stem: Callable[[str], str],
    stop: frozenset[str],
    places: Iterable[int],
    *,
    asking: bool,
) -> list[Terms]:
    """What the chunks at these places give, each with those beside it."""
    found: list[Terms] = []
    last = len(chunks) - 1
    for place in places:
        chunk = chunks[place]
        if chunk.islower() and chunk.isalpha() and len(chunk) > 1:
            continue
        word = chunk.strip(_STRIP)
        if not word.isalpha() or (chunk[:2] == "--" and len(word) > 1):
            if word:
                _add_code(found, chunks[place - 1] if place else "", chunk, word, asking=asking)
        elif len(word) == 1:
            before, after = chunks[place - 1] if place else "", chunks[place + 1] if place < last else ""
            found += _letter(_before(before), word, chunk, after, stem, stop, asking=asking)
        elif word.istitle():
            found += _title(_before(chunks[place - 1]) if place else "", word, stop)
        elif not word.islower():
            _add_code(found, "", chunk, word, asking=asking)
    return found


def _before(chunk: str) -> str:
    """The word of the chunk that stands before another; empty if it ends a clause."""
    return "" if chunk[-1:] in ".!?:;," else chunk.strip(_STRIP)


def _add_code(found: list[Terms], before: str, chunk: str, word: str, *, asking: bool) -> None:
    """Add what a chunk that is no plain word gives."""
    read = _read(chunk)
    if read is not NOTHING:
        found.append(read)
    if number := _few_digits(word):
        if asking:
            found.append(Terms((number,)))
        if whole := carried(before, number):
            found.append(Terms((whole,)))


def _few_digits(word: str) -> str:
    """The digits of a number too short to be that of a phone; empty if it is none."""
    number = word.lstrip("#")
    return number if number.isdecimal() and 1 < len(number) < PHONE_DIGITS else ""


def _read(chunk: str) -> Terms:
    """What a chunk gives, kept for the next text."""
    found = _cache.get(chunk)
    return _remember(chunk) if found is None else found


def _remember(chunk: str) -> Terms:
    if len(chunk) > _LONGEST:
        return NOTHING
    if len(_cache) >= _KNOWN:
        _cache.clear()
    number = chunk.strip(_STRIP + "$€£¥+-")
    if DECIMAL.fullmatch(number):
        found = _cache[sys.intern(chunk)] = amount(number)
        return found
    pieces = [read for piece in _PIECES.split(chunk) if (read := _piece(piece)) is not NOTHING]
    if not pieces:
        found = NOTHING
    elif len(pieces) == 1:
        found = pieces[0]
    else:
        exact = [term for read in pieces for term in read.exact]
        found = Terms(tuple(exact), tuple(term for read in pieces for term in read.more))
    _cache[sys.intern(chunk)] = found
    return found


def _title(before: str, word: str, stop: frozenset[str]) -> Iterator[Terms]:
    """Two capitalised stop words are a name: *The The*."""
    if not before.istitle() or "I" in (before, word):
        return
    if before.lower() in stop and word.lower() in stop:
        yield Terms((f"{before}.{word}".lower(),))


def _letter(
    before: str,
    letter: str,
    chunk: str,
    after: str,
    stem: Callable[[str], str],
    stop: frozenset[str],
    *,
    asking: bool,
) -> Iterator[Terms]:
    """A single letter that names something, with the word before it: *plan A*, *vitamin D*."""
    low, noun = letter.lower(), before.lower()
    if not noun.isalpha() or len(noun) < 2 or noun in stop:
        return
    named = noun in NAMING
    if low in stop and low not in "ai" and letter.islower() and not named:
        return
    if low == "a" and not (
        letter == "A" or (named and (not after or chunk[-1:] in ".?!,;:" or after in _VERBS))
    ):
        return
    if low == "i" and not named:
        return
    if asking or letter.isupper() or named or low != "a":
        yield Terms((f"{stem(noun)}.{low}",))


def _piece(piece: str) -> Terms:
    """What one piece without blanks and brackets gives."""
    if _SUFFIXED.fullmatch(piece.strip(".:!?…")):
        return Terms((piece.strip(".:!?…").lower(),))
    if _FLAG.fullmatch(piece):
        return Terms((piece.lower(),))
    piece = piece.rstrip("?!…:")
    if _ACRONYM.fullmatch(piece):
        return Terms((piece.replace(".", "").lower(),))
    piece = _SCHEME.sub("", piece.strip(_STRIP + "_")).strip("/\\")
    low = piece.lower()
    if (
        not piece
        or piece.isdecimal()
        or (not piece.isascii() and _UNSPACED.search(piece))
        or DATE.fullmatch(piece)
    ):
        return NOTHING
    if _UUID.fullmatch(low):
        return _hexadecimal(low.replace("-", ""))
    if _HEX.fullmatch(low):
        return _hexadecimal(low.removeprefix("0x"))
    parts = _parts(piece)
    if len(parts) < 2:
        return Terms((low,), (), _spelt(low)) if DIGIT.search(low) and low.isalnum() else NOTHING
    if not _is_code(piece, parts):
        return NOTHING
    whole = ".".join(parts)
    segments = [_parts(segment) for segment in _SEGMENTS.split(piece)]
    inner = [".".join(segment) for segment in segments if 1 < len(segment) < len(parts)]
    heads = [f"~{'.'.join(parts[:count])}" for count in range(2, min(len(parts), 7))]
    joined = ("".join(parts),) if _LETTERS_DIGITS.fullmatch("".join(parts)) else ()
    return Terms((whole,), (*inner, *heads), (f"~{whole}", *joined))


def _spelt(low: str) -> tuple[str, ...]:
    """The term of letters and digits that another writes with a sign between them: `HC-154` for `HC154`."""
    return (f"{match[1]}.{match[2]}",) if (match := _LETTERS_DIGITS.fullmatch(low)) else ()


def _parts(piece: str) -> list[str]:
    found = [hump.lower() for part in _SEPARATORS.split(piece) if part for hump in _HUMP.split(part)]
    if found and _VERSION.fullmatch(piece):
        found[0] = found[0][1:]
    return found


def _is_code(piece: str, parts: list[str]) -> bool:
    """Whether a piece with inner separators is an identifier, and not two words with a hyphen or a slash."""
    if DIGIT.search(piece) or any(mark in piece for mark in ("_", "\\", "@", "::")):
        return True
    if len(parts) > len([part for part in _SEPARATORS.split(piece) if part]):  # humps
        return sum(len(part) > 1 for part in parts) > 1
    if _DOTTED.fullmatch(piece) or piece.count("/") > 1:
        return True
    return ":" in piece.strip(":") and len(min(parts, key=len)) > 1


def _hexadecimal(low: str) -> Terms:
    heads = tuple(f"~{low[:size]}" for size in _HEX_HEADS)
    if len(low) >= _LONG_HEX:
        return Terms((low,), heads, ())
    nearest = max(size for size in _HEX_HEADS if size <= len(low))
    return Terms((low,), (), (f"~{low[:nearest]}",))
