"""Time expressions in a text as intervals of days, resolved against the time of the text."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence, Set
from datetime import date, datetime, timedelta
from functools import cache, lru_cache
from typing import Final

from memwell.ports.store.search import Interval
from memwell.retrieval.analysis import asked_dates, english_dates, foreign_dates
from memwell.retrieval.analysis.calendar_words import MONTHS, WEEKDAYS
from memwell.retrieval.analysis.days import Days, Mention, on_calendar
from memwell.retrieval.analysis.languages import script_of
from memwell.retrieval.analysis.scanning import DIGITS, pieces_of
from memwell.retrieval.analysis.stemmers import stemmer
from memwell.retrieval.analysis.time_runs import run_times
from memwell.retrieval.analysis.words import word_terms

__all__ = [
    "asks_for_others",
    "intervals",
    "is_dated",
    "mentioned",
    "on_days_around",
    "resolved",
    "spans",
    "time_words_of",
    "times_of",
    "triggers",
]

_QUIET: Final = frozenset({"may", "other", "out"})
"""Words of times that are stop words of English."""
_KEPT: Final = 1000
"""Characters of a question at most whose mentions are kept."""
_DAY: Final = timedelta(days=1)
_SECOND, _LAST_BUT_ONE = date.min + _DAY, date.max - _DAY


def intervals(text: str, reference: datetime | date) -> list[Interval]:
    """Intervals of days that a question mentions, in order of appearance; `[]` if it mentions none. Never raises.

    `reference` is the time of the text: "yesterday" is the day before now. "may" and "march" alone count only if
    capitalised; days outside the years 1 to 9999 do not count. `3/4/2021` is the fourth of March, in other languages
    than English the third of April, as `3.4.2021` and `3-4-2021`, unless only the other day exists.
    A question names times in more forms than a memory (see `asked_dates`); for a memory see `chunks.read`.
    """
    return [*resolved(_days(_asked(text)), reference)]


def resolved(times: Iterable[Days], reference: datetime | date) -> tuple[Interval, ...]:
    """The intervals of days that these times mean in a text of a day, in order, each once; without those outside the
    years 1 to 9999."""
    ref = reference.date() if isinstance(reference, datetime) else reference
    found: list[Interval] = []
    for each in times:
        days = each if isinstance(each, tuple) else each(ref)
        days = days and on_calendar(days)
        if days is not None and days not in found:
            found.append(days)
    return tuple(found)


def on_days_around(
    times: Collection[Days], reference: datetime | date
) -> tuple[tuple[Interval, ...], tuple[Interval, ...], tuple[Interval, ...]]:
    """As `resolved`, for the day before the reference, for its day, and for the day after: a text was said on one of
    them, depending on the time zone.
    """
    fixed = [each for each in times if isinstance(each, tuple)]
    if len(fixed) == len(times):
        own = tuple(dict.fromkeys(fixed))
        return own, own, own
    day = reference.date() if isinstance(reference, datetime) else reference
    before, after = max(day, _SECOND) - _DAY, min(day, _LAST_BUT_ONE) + _DAY
    return resolved(times, before), resolved(times, day), resolved(times, after)


def spans(text: str, reference: datetime | date) -> list[tuple[int, int, bool]]:
    """Where a question mentions times: start, end, and whether it says when and nothing else.

    A weekday, a month or a day without a year may also be a word of what recurs: *yoga on Friday*.
    """
    if len(text.lower()) != len(text):
        return []
    return [
        (each.start, each.end, each.says_when) for each in _asked(text) if resolved(_days([each]), reference)
    ]


def times_of(
    text: str,
    body: str,
    chunks: Sequence[str],
    places: Sequence[int],
    words: Set[str],
    *,
    since: int,
    hints: bool,
) -> list[Days]:
    """The times that a memory in English mentions, in order; at each of these places a run may be (see `time_runs`).

    `body` is the text from the chunk `since` on, which is searched; its chunks have these words of times. If the
    text may be in another language (`hints`), that is asked for a date with slashes (see `intervals`).
    """
    slashes = hints and "/" in body
    if slashes or foreign_dates.may_mention(body, words):
        low = foreign_dates.plain(body)
        known = words
        if not words.isdisjoint(foreign_dates.QUALIFIED):
            known = words | pieces_of(low, foreign_dates.QUALIFIERS)
        if slashes or len(low) != len(body) or foreign_dates.mentions(low, body, known):
            return _days(_search(body))
    return run_times(text, chunks, places, since=since, months=english_dates.are_months(words, body))


def mentioned(text: str, terms: Collection[str]) -> list[Days]:
    """The times that a memory in any language, of these index terms, mentions, in order. Not searched if its only words
    of times are stop words of English, or of its language (*hier*).
    """
    tells = (
        not _stems().isdisjoint(terms)
        or "May" in text
        or "other day" in text
        or _has_digit(text)
        or (not text.isascii() and foreign_dates.CJK_DAYS.search(text) is not None)
    )
    return _days(_search(text)) if tells else []


def _days(mentions: Iterable[Mention]) -> list[Days]:
    return [each.days for each in mentions if each.days is not None]


def _asked(text: str) -> Sequence[Mention]:
    """The times that a question may mention, in order; of two that overlap the longer one, and rather the English
    one."""
    return _searched(text) if len(text) <= _KEPT else _search(text)


@lru_cache(64)
def _searched(text: str) -> Sequence[Mention]:
    """The mentions of a question, which is asked for them several times; in more forms than in a memory."""
    low = foreign_dates.plain(text)
    if len(low) != len(text):
        return _search(text)
    return asked_dates.spanned(_parted([*_search(text), *asked_dates.mentions(low)]), low)


def _search(text: str) -> Sequence[Mention]:
    low = foreign_dates.plain(text)
    words = pieces_of(low, _telling())
    if _has_digit(text):
        words |= {DIGITS}
    found = english_dates.mentions(low, text, words)
    more = foreign_dates.mentions(low, text, words)
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
        return (low,) if (low := chunk.lower()) in triggers() else ()
    found = pieces_of(foreign_dates.plain(chunk), triggers())
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


def asks_for_others(time_words: Collection[str]) -> bool:
    """Whether it depends on the other words of times of a text what these mean in it: *may*, *other*, and those of
    other languages."""
    return not foreign_dates.triggers().isdisjoint(time_words) or not _QUIET.isdisjoint(time_words)


def _has_digit(text: str) -> bool:
    if not text.isascii():
        return english_dates.DIGIT.search(text) is not None
    return (  # five times as fast as a regular expression
        "0" in text or "1" in text or "2" in text or "3" in text or "4" in text
        or "5" in text or "6" in text or "7" in text or "8" in text or "9" in text
    )  # fmt: skip


@cache
def triggers() -> frozenset[str]:
    """The words of times."""
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
