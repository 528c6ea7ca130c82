"""Time expressions in a text as intervals of days, resolved against the time of the text."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import date, datetime, timedelta
from functools import cache
from typing import Final

from memwell.ports.store.search import Interval
from memwell.retrieval.analysis import english_dates, foreign_dates
from memwell.retrieval.analysis.calendar_words import MONTHS, WEEKDAYS
from memwell.retrieval.analysis.days import Mention, on_calendar
from memwell.retrieval.analysis.languages import script_of
from memwell.retrieval.analysis.scanning import pieces_of
from memwell.retrieval.analysis.stemmers import stemmer
from memwell.retrieval.analysis.words import word_terms

__all__ = ["intervals", "readings", "spans"]

_DAY: Final = timedelta(days=1)
_SECOND, _LAST_BUT_ONE = date.min + _DAY, date.max - _DAY


def intervals(
    text: str, reference: datetime | date, *, terms: Collection[str] | None = None
) -> list[Interval]:
    """Intervals of days that `text` mentions, in order of appearance; `[]` if it mentions none. Never raises.

    `reference` is the time of the text: "yesterday" in a memory is the day before its `created_at`, in a question the
    day before now. "may" and "march" alone count only if capitalised; days outside the years 1 to 9999 do not count.
    `3/4/2021` is the fourth of March, in other languages than English the third of April, as `3.4.2021` and `3-4-2021`,
    unless only the other day exists.
    `terms`, if known, are the index terms of the text: if none of them can belong to a time, the text is not scanned.
    """
    return list(_resolved(_mentions(text, terms), _day_of(reference)))


def readings(
    text: str, reference: datetime | date, *, terms: Collection[str] | None = None
) -> tuple[tuple[Interval, ...], tuple[Interval, ...], tuple[Interval, ...]]:
    """As `intervals`, for the day before the reference, for its day, and for the day after: a text was said on one of
    them, depending on the time zone.
    """
    found = _mentions(text, terms)
    if not found:
        return (), (), ()
    day = _day_of(reference)
    around = (max(day, _SECOND) - _DAY, day, min(day, _LAST_BUT_ONE) + _DAY)
    before, own, after = (tuple(_resolved(found, ref)) for ref in around)
    return before, own, after


def spans(text: str, reference: datetime | date) -> list[tuple[int, int, bool]]:
    """Where `text` mentions times: start, end, and whether it says when and nothing else.

    A weekday, a month or a day without a year may also be a word of what recurs: *yoga on Friday*.
    """
    if len(text.lower()) != len(text):
        return []
    ref = _day_of(reference)
    return [
        (each.start, each.end, each.says_when) for each in _mentions(text) if _days(each, ref) is not None
    ]


def _day_of(reference: datetime | date) -> date:
    return reference.date() if isinstance(reference, datetime) else reference


def _resolved(mentions: Iterable[Mention], ref: date) -> Iterator[Interval]:
    yield from dict.fromkeys(days for each in mentions if (days := _days(each, ref)) is not None)


def _days(mention: Mention, ref: date) -> Interval | None:
    named = mention.resolve(ref)
    return named and on_calendar(named)


def _mentions(text: str, terms: Collection[str] | None = None) -> list[Mention]:
    """The times that a text may mention, in order; of two that overlap the longer one, and rather the English one."""
    if terms is not None and _has_no_time(text, terms):
        return []
    low = foreign_dates.plain(text)
    pieces = pieces_of(low, _telling())
    found = list(english_dates.mentions(low, text, pieces))
    more = list(foreign_dates.mentions(low, text, pieces))
    return _parted([*found, *more]) if more else found


def _parted(mentions: list[Mention]) -> list[Mention]:
    kept: list[Mention] = []
    for each in sorted(mentions, key=lambda one: (one.start, -one.end)):
        if not kept or kept[-1].end <= each.start:
            kept.append(each)
        elif each.end - each.start > kept[-1].end - kept[-1].start:
            kept[-1] = each
    return kept


def _has_no_time(text: str, terms: Collection[str]) -> bool:
    """Whether the text certainly mentions no time: no trigger word, no digit, no trigger that is also a stop word of
    English. One that is a stop word in the language of the text (*hier*) is none."""
    return (
        _stems().isdisjoint(terms)
        and "May" not in text
        and "other day" not in text
        and not _has_digit(text)
        and (text.isascii() or foreign_dates.CJK_DAYS.search(text) is None)
    )


def _has_digit(text: str) -> bool:
    if not text.isascii():
        return english_dates.DIGIT.search(text) is not None
    return (  # five times as fast as a regular expression
        "0" in text or "1" in text or "2" in text or "3" in text or "4" in text
        or "5" in text or "6" in text or "7" in text or "8" in text or "9" in text
    )  # fmt: skip


@cache
def _telling() -> frozenset[str]:
    return english_dates.TELLING | foreign_dates.telling()


@cache
def _stems() -> frozenset[str]:
    """What the analysis of a text may make of the words that a time has, in English and in the language of the word."""
    found = set(foreign_dates.triggers())
    for trigger in english_dates.TRIGGERS | found:
        found.update(word_terms(trigger))
    named = foreign_dates.named_words()
    for code in MONTHS:
        own = [*WEEKDAYS[code].replace("/", " ").split(), *MONTHS[code].replace("/", " ").split()]
        script = script_of(own[0][0])
        stem = stemmer("no" if code == "nb" else code)
        found.update(map(stem, own), (stem(word) for word in named if script_of(word[0]) == script))
    return frozenset(found)
