"""Terms of what is written in digits: amounts, measures, phone numbers, and codes in groups."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from memwell._patterns import pattern

__all__ = [
    "DATE",
    "DECIMAL",
    "DIGIT",
    "NOTHING",
    "PHONE_DIGITS",
    "Terms",
    "amount",
    "begins_with_unit",
    "measures",
    "numbers",
    "numeric",
]

DATE = pattern(
    r"(?:19|20)\d\d([-/.])\d\d?\1\d\d?(?:T[\d:.]+Z?)?|\d\d?/\d\d?/(?:19|20)?\d\d|\d\d?\.\d\d?\.(?:19|20)\d\d"
)
DIGIT = pattern(r"\d")
_MANY_DIGITS = pattern(r"\d(?:[ ()/.\u00a0\u202f-]{0,3}\d){6}")
DECIMAL = pattern(r"\d[\d.,]*[.,]\d[\d.,]*")
_PHONE = pattern(r"[+(\d](?<![\w.,-][+(\d])[\d()/.\u00a0\u202f -]{5,24}\d(?![\w.,]*\w)")
_GROUPED_CODE = pattern(r"\b(?:[A-Za-z]{2}\d\d|\d{4})(?: [A-Za-z0-9]{4}){2,7}(?: [A-Za-z0-9]{1,3})?\b")
_UNITS = (
    r"(?:mm|cm|km|m|µm|kg|mg|g|ml|cl|l|gb|mb|kb|tb|gib|mib|ghz|mhz|khz|hz|kwh|kw|w|mah|ah|ma|kv|v|ms|px|pt|lb|lbs|oz|ft"
    r"|inch|°c|°f|bar|psi|rpm|dpi|k)(?!\w)"
)
_MEASURE = pattern(  # a search is several times as fast if the pattern begins with a digit
    rf"(\d(?<![\w.,]\d)\d*(?:[.,]\d+)?)[ \u00a0\u202f]?(?=[a-zµ°])({_UNITS})", re.IGNORECASE
)
_BEGINS_WITH_UNIT = pattern(_UNITS, re.IGNORECASE)
_GROUPS = pattern(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_POINT_GROUPS = pattern(r"\d{1,3}(?:\.\d{3})+,\d+|\d{1,3}(?:\.\d{3}){2,}")
_COMMA = pattern(r"\d+,\d{1,2}")
PHONE_DIGITS = 7
"""Digits from which on a number can be a phone number."""


class Terms(NamedTuple):
    """What a piece of a text gives."""

    exact: tuple[str, ...] = ()
    """Terms of the identifier as a whole, each another usual form."""
    more: tuple[str, ...] = ()
    """Terms of its segments and beginnings, for the index."""
    loose: tuple[str, ...] = ()
    """Terms for a question besides the exact ones."""


NOTHING: Final = Terms()
"""What is no identifier gives."""


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


def amount(number: str) -> Terms:
    """What digits with dots and commas give: an amount, a version, a list."""
    if DATE.fullmatch(number):
        return NOTHING
    exact, parts = numbers(number), number.split(".")
    heads = [f"~{'.'.join(parts[:count])}" for count in range(2, len(parts))] if "," not in number else []
    return Terms(exact, tuple(heads), (f"~{number}",) if len(parts) > 1 and "," not in number else ())


def numeric(text: str, since: int = 0) -> Iterator[Terms]:
    """Measures, phone numbers, and codes in groups, in a text without a digit before the place `since`."""
    yield from measures(text, since)
    if _MANY_DIGITS.search(text, since):
        yield from _long_numbers(text)


def measures(text: str, since: int = 0) -> Iterator[Terms]:
    """Numbers with a unit: `12 mm`, `5k`."""
    for match in _MEASURE.finditer(text, since):
        number, unit = match[1].replace(",", "."), match[2].lower()
        if unit == "k":
            thousands = float(number) * 1000
            yield Terms((f"{thousands:.0f}",))
        else:
            yield Terms((f"{number}{unit}",), (number,))


def begins_with_unit(chunks: Sequence[str], place: int) -> bool:
    """Whether a text has a chunk at a place, and it begins with a unit."""
    return place < len(chunks) and _BEGINS_WITH_UNIT.match(chunks[place]) is not None


def _long_numbers(text: str) -> Iterator[Terms]:
    for match in _GROUPED_CODE.finditer(text):
        yield Terms((match[0].replace(" ", "").lower(),))
    for match in _PHONE.finditer(text):
        digits = re.sub(r"\D", "", match[0])
        if PHONE_DIGITS <= len(digits) <= 15 and (match[0].isdecimal() or _is_phone(match[0])):
            yield Terms((digits,), (f"~{digits[-8:]}",), (f"~{digits[-8:]}",))


def _is_phone(found: str) -> bool:
    """Whether groups of digits are no date and no version."""
    return not DATE.match(found) and not re.fullmatch(r"[\d.]+", found)
