"""Terms of identifiers: versions, paths, keys, hosts, UUIDs, phone numbers, `camelCase`, `C++`, *plan A*.

An identifier has one term of its own besides those of its parts, so that their order counts: `db-prod-3` gives
`db.prod.3`. Every separator becomes a dot and a leading `v` of a version is dropped, so that the usual spellings meet.
What is often asked by its beginning (a path, a version, a hash) also has terms for beginnings, marked with `~`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import IntEnum
from itertools import chain

from memwell._dataclasses import dataclass
from memwell._patterns import pattern

__all__ = ["Asked", "Kind", "asked", "identifiers", "is_letter", "kind_of", "numbers"]

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
_DATE = pattern(
    r"(?:19|20)\d\d([-/.])\d\d?\1\d\d?(?:T[\d:.]+Z?)?|\d\d?/\d\d?/(?:19|20)?\d\d|\d\d?\.\d\d?\.(?:19|20)\d\d"
)
_UUID = pattern(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_HEX = pattern(r"(?=[a-f]*\d)(?:0x)?[0-9a-f]{6,}")
_LONG_HEX = 12
_HEX_HEADS = (6, 7, 8, 10, 12)
"""Lengths at which the beginning of a long hexadecimal number is a term."""
_DOTTED = pattern(r"[A-Za-z][\w-]+(?:\.[a-z][\w-]*)+")
_LETTERS_DIGITS = pattern(r"([a-z]{1,5})(\d+)")
_ORDINARY = pattern(r"[A-Z]?[a-z]+(?:['-][a-z]+)+")
"""Words with an apostrophe or a hyphen, which are no identifiers."""
DIGIT = pattern(r"\d")
_MANY_DIGITS = pattern(r"\d(?:[ ()/.\u00a0\u202f-]{0,3}\d){6}")
_DECIMAL = pattern(r"\d[\d.,]*[.,]\d[\d.,]*")
_PHONE = pattern(r"[+(\d](?<![\w.,-][+(\d])[\d()/.\u00a0\u202f -]{5,24}\d(?![\w.,]*\w)")
_GROUPED_CODE = pattern(r"\b(?:[A-Za-z]{2}\d\d|\d{4})(?: [A-Za-z0-9]{4}){2,7}(?: [A-Za-z0-9]{1,3})?\b")
_MEASURE = pattern(  # a search is several times as fast if the pattern begins with a digit
    r"(\d(?<![\w.,]\d)\d*(?:[.,]\d+)?)[ \u00a0\u202f]?(?=[a-zµ°])"
    r"(mm|cm|km|m|µm|kg|mg|g|ml|cl|l|gb|mb|kb|tb|gib|mib|ghz|mhz|khz|hz|kwh|kw|w|mah|ah|ma|kv|v|ms|px|pt|lb|lbs|oz|ft"
    r"|inch|°c|°f|bar|psi|rpm|dpi|k)(?!\w)",
    re.IGNORECASE,
)
_GROUPS = pattern(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_POINT_GROUPS = pattern(r"\d{1,3}(?:\.\d{3})+,\d+|\d{1,3}(?:\.\d{3}){2,}")
_COMMA = pattern(r"\d+,\d{1,2}")
_VERBS = frozenset(
    "is was are were has had have will would did does do or and to in on at for of vs s".split()
)
_NAMING = frozenset(
    "phase part chapter type class war vitamin plan option group team section appendix exhibit gate tier level"
    " platform block building hall room wing table figure schedule annex version".split()
)
"""Words after which even the letters `a` and `i` are names."""
_PHONE_DIGITS = 7
"""Digits from which on a number can be a phone number."""
_KNOWN = 50_000
_LONGEST = 200
"""Characters of an identifier; what is longer is data."""

_cache: dict[str, _Read] = {}


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


@dataclass(frozen=True, slots=True)
class _Read:
    """What a piece of a text gives."""

    exact: tuple[str, ...] = ()
    """Terms of the identifier as a whole, each another usual form."""
    more: tuple[str, ...] = ()
    """Terms of its segments and beginnings, for the index."""
    loose: tuple[str, ...] = ()
    """Terms for a question besides the exact ones."""


_NOTHING = _Read()


def identifiers(
    text: str,
    stem: Callable[[str], str],
    stop: frozenset[str],
    chunks: Sequence[str] | None = None,
    places: Iterable[int] | None = None,
    since: int = 0,
) -> list[str]:
    """The terms of all identifiers in a text, in order; `stem` and `stop` are those of the analyzer.

    `chunks` are those of the text, if they are known. `places` says which of them can be identifiers, by their numbers
    (all of them, if it is missing). Before the place `since` the text has no digit.
    """
    chunks = text.split() if chunks is None else chunks
    found: list[str] = []
    for read in _walk(chunks, stem, stop, places, asking=False):
        found += read.exact
        found += read.more
    if DIGIT.search(text, since):
        for read in _numeric(text, since):
            found += read.exact
            found += read.more
    return found


def kind_of(chunk: str, stop: frozenset[str]) -> Kind:
    """What a chunk is."""
    if chunk.islower() and chunk.isalpha() and len(chunk) > 1:
        return Kind.NAMING if chunk in _NAMING else Kind.WORD
    word = chunk.strip(_STRIP)
    low = word.lower()
    if low in stop and word.istitle() and word != "I":
        return Kind.LETTER if len(word) == 1 else Kind.TITLE
    if len(word) == 1 and word.isalpha():
        return Kind.WORD if low in "ai" else Kind.LETTER
    if low in _NAMING:
        return Kind.NAMING
    if not word or (word.isalpha() and chunk[:2] != "--" and (word.islower() or word.istitle())):
        return Kind.WORD
    if _ORDINARY.fullmatch(word) and "--" not in chunk:
        return Kind.WORD
    return Kind.WORD if DIGIT.search(chunk) is None and _read(chunk) is _NOTHING else Kind.CODE


def is_letter(chunk: str) -> bool:
    """Whether a chunk is a single letter, apart from punctuation."""
    word = chunk.strip(_STRIP)
    return len(word) == 1 and word.isalpha()


def asked(text: str, stem: Callable[[str], str], stop: frozenset[str]) -> list[Asked]:
    """The identifiers of a question."""
    found: dict[tuple[str, ...], Asked] = {}
    reads = _walk(text.split(), stem, stop, None, asking=True)
    for read in chain(reads, _numeric(text, 0)) if DIGIT.search(text) else reads:
        if read.exact:
            found.setdefault(read.exact, Asked(read.exact, read.loose))
    long = [
        term
        for one in found.values()
        for term in one.exact
        if len(term) >= _PHONE_DIGITS and term.isdecimal()
    ]
    return [one for one in found.values() if not _is_within(one, long)]


def _is_within(one: Asked, long: list[str]) -> bool:
    """Whether it is a group of digits of a longer number."""
    term = one.exact[0]
    return len(term) < _PHONE_DIGITS and term.isdecimal() and any(term in other for other in long)


def numbers(word: str) -> tuple[str, ...]:
    """The terms of digits with inner dots and commas: a number without separators, or the numbers of a list."""
    if _GROUPS.fullmatch(word):
        whole = word.replace(",", "")
        listed = word.count(",") > 1 and "." not in word and ",0" not in word
        return (whole, *word.split(",")) if listed else (whole,)
    if _POINT_GROUPS.fullmatch(word):
        head, _, tail = word.partition(",")
        whole = head.replace(".", "") + (f".{tail}" if tail else "")
        return (whole,) if tail else (word, whole)
    if "," not in word:
        return (word,)
    if _COMMA.fullmatch(word):
        return (word.replace(",", "."), *word.split(","))
    return tuple(number for part in word.split(",") for number in numbers(part))


def _walk(
    chunks: Sequence[str],
    stem: Callable[[str], str],
    stop: frozenset[str],
    places: Iterable[int] | None,
    *,
    asking: bool,
) -> list[_Read]:
    """What the chunks at these places give, each with those beside it."""
    found: list[_Read] = []
    last = len(chunks) - 1
    for place in range(last + 1) if places is None else places:
        chunk = chunks[place]
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


def _add_code(found: list[_Read], before: str, chunk: str, word: str, *, asking: bool) -> None:
    """Add what a chunk that is no plain word gives."""
    read = _read(chunk)
    if read is not _NOTHING:
        found.append(read)
    number = word.lstrip("#")
    if number.isdecimal() and 1 < len(number) < _PHONE_DIGITS:
        if asking:
            found.append(_Read((number,)))
        carrier = _before(before)
        if carrier.isupper() and carrier.isalpha() and len(carrier) in (2, 3):  # BA 9613
            found.append(_Read((f"{carrier}{number}".lower(),)))


def _read(chunk: str) -> _Read:
    """What a chunk gives, kept for the next text."""
    found = _cache.get(chunk)
    return _remember(chunk) if found is None else found


def _remember(chunk: str) -> _Read:
    if len(chunk) > _LONGEST:
        return _NOTHING
    if len(_cache) >= _KNOWN:
        _cache.clear()
    number = chunk.strip(_STRIP + "$€£¥+-")
    if _DECIMAL.fullmatch(number):
        found = _cache[sys.intern(chunk)] = _number(number)
        return found
    pieces = [read for piece in _PIECES.split(chunk) if (read := _piece(piece)) is not _NOTHING]
    if not pieces:
        found = _NOTHING
    elif len(pieces) == 1:
        found = pieces[0]
    else:
        exact = [term for read in pieces for term in read.exact]
        found = _Read(tuple(exact), tuple(term for read in pieces for term in read.more))
    _cache[sys.intern(chunk)] = found
    return found


def _number(number: str) -> _Read:
    """Digits with dots and commas: an amount, a version, a list."""
    if _DATE.fullmatch(number):
        return _NOTHING
    exact, parts = numbers(number), number.split(".")
    heads = [f"~{'.'.join(parts[:count])}" for count in range(2, len(parts))] if "," not in number else []
    return _Read(exact, tuple(heads), (f"~{number}",) if len(parts) > 1 and "," not in number else ())


def _title(before: str, word: str, stop: frozenset[str]) -> Iterator[_Read]:
    """Two capitalised stop words are a name: *The The*."""
    if not before.istitle() or "I" in (before, word):
        return
    if before.lower() in stop and word.lower() in stop:
        yield _Read((f"{before}.{word}".lower(),))


def _letter(
    before: str,
    letter: str,
    chunk: str,
    after: str,
    stem: Callable[[str], str],
    stop: frozenset[str],
    *,
    asking: bool,
) -> Iterator[_Read]:
    """A single letter that names something, with the word before it: *plan A*, *vitamin D*."""
    low, noun = letter.lower(), before.lower()
    if not noun.isalpha() or len(noun) < 2 or noun in stop:
        return
    named = noun in _NAMING
    if low in stop and low not in "ai" and letter.islower() and not named:
        return
    if low == "a" and not (
        letter == "A" or (named and (not after or chunk[-1:] in ".?!,;:" or after in _VERBS))
    ):
        return
    if low == "i" and not named:
        return
    if asking or letter.isupper() or named or low != "a":
        yield _Read((f"{stem(noun)}.{low}",))


def _piece(piece: str) -> _Read:
    """What one piece without blanks and brackets gives."""
    if _SUFFIXED.fullmatch(piece.strip(".:!?…")):
        return _Read((piece.strip(".:!?…").lower(),))
    if _FLAG.fullmatch(piece):
        return _Read((piece.lower(),))
    piece = piece.rstrip("?!…:")
    if _ACRONYM.fullmatch(piece):
        return _Read((piece.replace(".", "").lower(),))
    piece = _SCHEME.sub("", piece.strip(_STRIP + "_")).strip("/\\")
    low = piece.lower()
    if (
        not piece
        or piece.isdecimal()
        or (not piece.isascii() and _UNSPACED.search(piece))
        or _DATE.fullmatch(piece)
    ):
        return _NOTHING
    if _UUID.fullmatch(low):
        return _hexadecimal(low.replace("-", ""))
    if _HEX.fullmatch(low):
        return _hexadecimal(low.removeprefix("0x"))
    parts = _parts(piece)
    if len(parts) < 2:
        return _Read((low,), (), _spelt(low)) if DIGIT.search(low) and low.isalnum() else _NOTHING
    if not _is_code(piece, parts):
        return _NOTHING
    whole = ".".join(parts)
    segments = [_parts(segment) for segment in _SEGMENTS.split(piece)]
    inner = [".".join(segment) for segment in segments if 1 < len(segment) < len(parts)]
    heads = [f"~{'.'.join(parts[:count])}" for count in range(2, min(len(parts), 7))]
    joined = ("".join(parts),) if _LETTERS_DIGITS.fullmatch("".join(parts)) else ()
    return _Read((whole,), (*inner, *heads), (f"~{whole}", *joined))


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


def _hexadecimal(low: str) -> _Read:
    heads = tuple(f"~{low[:size]}" for size in _HEX_HEADS)
    if len(low) >= _LONG_HEX:
        return _Read((low,), heads, ())
    nearest = max(size for size in _HEX_HEADS if size <= len(low))
    return _Read((low,), (), (f"~{low[:nearest]}",))


def _numeric(text: str, since: int) -> Iterator[_Read]:
    """Measures, phone numbers, and codes in groups, in a text without a digit before the place `since`."""
    for match in _MEASURE.finditer(text, since):
        number, unit = match[1].replace(",", "."), match[2].lower()
        if unit == "k":
            thousands = float(number) * 1000
            yield _Read((f"{thousands:.0f}",))
        else:
            yield _Read((f"{number}{unit}",), (number,))
    if not _MANY_DIGITS.search(text, since):
        return
    for match in _GROUPED_CODE.finditer(text):
        yield _Read((match[0].replace(" ", "").lower(),))
    for match in _PHONE.finditer(text):
        digits = re.sub(r"\D", "", match[0])
        if _PHONE_DIGITS <= len(digits) <= 15 and (match[0].isdecimal() or _is_phone(match[0])):
            yield _Read((digits,), (f"~{digits[-8:]}",), (f"~{digits[-8:]}",))


def _is_phone(found: str) -> bool:
    """Whether groups of digits are no date and no version."""
    return not _DATE.match(found) and not re.fullmatch(r"[\d.]+", found)
