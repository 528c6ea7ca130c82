"""Time expressions in a text as intervals of days, resolved against the time of the text."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence, Set
from datetime import date, datetime, timedelta
from functools import cache, lru_cache
from typing import Final

from memwell.ports.store.search import Interval
from memwell.retrieval.analysis import asked_dates, english_dates, foreign_dates
from memwell.retrieval.analysis.calendar_words import MONTHS, WEEKDAYS
from memwell.retrieval.analysis.days import Mention, on_calendar
from memwell.retrieval.analysis.languages import script_of
from memwell.retrieval.analysis.scanning import DIGITS, Reading, pieces_of
from memwell.retrieval.analysis.stemmers import stemmer
from memwell.retrieval.analysis.words import word_terms

__all__ = ["intervals", "is_dated", "readings", "spans", "time_words_of"]

_QUIET: Final = frozenset({"may", "other", "out"})
"""Words of times that are stop words of English."""
_QUALIFIED: Final = english_dates.QUALIFIED | foreign_dates.QUALIFIED
"""Words that are a time beside one of `_QUALIFIERS` only."""
_QUALIFIERS: Final = english_dates.QUALIFIERS | foreign_dates.QUALIFIERS
_KEPT: Final = 1000
"""Characters of a question at most whose mentions are kept."""
_DAY: Final = timedelta(days=1)
_SECOND, _LAST_BUT_ONE = date.min + _DAY, date.max - _DAY


def intervals(text: str, reference: datetime | date, reading: Reading | None = None) -> list[Interval]:
    """Intervals of days that `text` mentions, in order of appearance; `[]` if it mentions none. Never raises.

    `reference` is the time of the text: "yesterday" in a memory is the day before its `created_at`, in a question the
    day before now. "may" and "march" alone count only if capitalised; days outside the years 1 to 9999 do not count.
    `3/4/2021` is the fourth of March, in other languages than English the third of April, as `3.4.2021` and `3-4-2021`,
    unless only the other day exists.
    `reading` is what is known of a memory that was read: it tells whether the text is searched at all. Without it the
    text is a question, which names times in more forms (see `asked_dates`).
    """
    return [*_resolved(_mentions(text, reading), _day_of(reference))]


def readings(
    text: str, reference: datetime | date, reading: Reading | None = None
) -> tuple[tuple[Interval, ...], tuple[Interval, ...], tuple[Interval, ...]]:
    """As `intervals`, for the day before the reference, for its day, and for the day after: a text was said on one of
    them, depending on the time zone.
    """
    found = _mentions(text, reading)
    if not found:
        return (), (), ()
    day = _day_of(reference)
    if all(each.fixed for each in found):
        own = _resolved(found, day)
        return own, own, own
    around = (max(day, _SECOND) - _DAY, day, min(day, _LAST_BUT_ONE) + _DAY)
    before, own, after = (_resolved(found, ref) for ref in around)
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


def _resolved(mentions: Iterable[Mention], ref: date) -> tuple[Interval, ...]:
    found: list[Interval] = []
    for each in mentions:
        days = _days(each, ref)
        if days is not None and days not in found:
            found.append(days)
    return tuple(found)


def _days(mention: Mention, ref: date) -> Interval | None:
    named = mention.resolve(ref)
    return named and on_calendar(named)


def _mentions(text: str, reading: Reading | None = None) -> Sequence[Mention]:
    """The times that a text may mention, in order; of two that overlap the longer one, and rather the English one."""
    if reading is None:
        return _searched(text) if len(text) <= _KEPT else _search(text, None, 0)
    terms, time_words, since = reading
    if not (_may_tell(text, terms) if time_words is None else time_words):
        return ()
    return _search(text, time_words, since)


@lru_cache(64)
def _searched(text: str) -> Sequence[Mention]:
    """The mentions of a question, which is asked for them several times; in more forms than in a memory."""
    low = foreign_dates.plain(text)
    if len(low) != len(text):
        return _search(text, None, 0)
    return asked_dates.spanned(_parted([*_search(text, None, 0), *asked_dates.mentions(low)]), low)


def _search(text: str, time_words: Set[str] | None, since: int) -> Sequence[Mention]:
    low = foreign_dates.plain(text)
    if time_words is None:
        time_words = pieces_of(low, _telling())
        if _has_digit(text):
            time_words |= {DIGITS}
    elif not time_words.isdisjoint(_QUALIFIED):
        time_words = time_words | pieces_of(low, _QUALIFIERS)
    found = english_dates.mentions(low, text, time_words, since if len(low) == len(text) else 0)
    more = foreign_dates.mentions(low, text, time_words)
    return _parted([*found, *more]) if more else found


def _parted(mentions: Iterable[Mention]) -> list[Mention]:
    kept: list[Mention] = []
    for each in sorted(mentions, key=lambda one: (one.start, -one.end)):
        if not kept or kept[-1].end <= each.start:
            kept.append(each)
        elif each.end - each.start > kept[-1].end - kept[-1].start:
            kept[-1] = each
    return kept


def time_words_of(chunk: str) -> tuple[str, ...]:
    """The words of times that a text without blanks has, those that count beside them left out; `DIGITS` for a digit
    or a day in Chinese, Japanese or Korean. Those of a text are those of its chunks.
    """
    if chunk.isascii() and chunk.isalpha():
        return (low,) if (low := chunk.lower()) in _triggers() else ()
    found = pieces_of(foreign_dates.plain(chunk), _triggers())
    if _has_digit(chunk) or (not chunk.isascii() and foreign_dates.CJK_DAYS.search(chunk)):
        return (*found, DIGITS)
    return tuple(found)


def is_dated(chunk: str, time_words: Collection[str], terms: Collection[str]) -> bool:
    """Whether a text in English with this chunk, of these words of times and index terms, is searched for times. Not
    for stop words of English: *may* in lower case, *other*, *out*.
    """
    if DIGITS in time_words or "May" in chunk:
        return True
    return not _QUIET.issuperset(time_words) and (chunk.isascii() or not _stems().isdisjoint(terms))


def _may_tell(text: str, terms: Collection[str]) -> bool:
    """Whether a text in any language, of these index terms, is searched for times. Not if its only words of times are
    stop words of English, or of its language (*hier*).
    """
    return (
        not _stems().isdisjoint(terms)
        or "May" in text
        or "other day" in text
        or _has_digit(text)
        or (not text.isascii() and foreign_dates.CJK_DAYS.search(text) is not None)
    )


def _has_digit(text: str) -> bool:
    if not text.isascii():
        return english_dates.DIGIT.search(text) is not None
    return (  # five times as fast as a regular expression
        "0" in text or "1" in text or "2" in text or "3" in text or "4" in text
        or "5" in text or "6" in text or "7" in text or "8" in text or "9" in text
    )  # fmt: skip


@cache
def _triggers() -> frozenset[str]:
    return english_dates.TRIGGERS | foreign_dates.triggers()


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
