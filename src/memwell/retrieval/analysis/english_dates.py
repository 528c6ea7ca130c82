"""Time expressions in English, and dates and years in digits (`05.03.2024`, `2024/05/04`, `in 2023`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Set
from functools import cache

from memwell.retrieval.analysis.days import SEASONS, Mention
from memwell.retrieval.analysis.english_days import (
    COUNTS,
    MONTHS,
    NAMED_DAYS,
    UNIT_DAYS,
    WEEKDAYS,
    days_of,
    says_when,
)
from memwell.retrieval.analysis.scanning import DIGITS, any_of, places_of, stretches
from memwell.retrieval.analysis.words import is_foreign, languages

__all__ = [
    "DIGIT",
    "NUMBER",
    "QUALIFIED",
    "QUALIFIERS",
    "TELLING",
    "TRIGGERS",
    "WORDS",
    "are_months",
    "expressions",
    "mentions",
]

QUALIFIERS = frozenset(
    "ago back earlier last past previous this next coming upcoming following in from these".split()
)

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sep(?:t(?:ember)?)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b\.?"
)
_DAY = "(?:" + "|".join(WEEKDAYS) + ")"
_SEASON = "(?:" + "|".join(SEASONS) + ")"
_UNIT = r"(?:day|night|weekend|week|fortnight|month|year)"
_COUNT = (
    r"(?:\d{1,3}|a couple of|a couple|couple|a few|few|several|an?|one|two|three|four|"
    r"five|six|seven|eight|nine|ten|eleven|twelve)"
)
_NTH = r"(?:st|nd|rd|th|\.|er|º|°)?"
_PART = r"(?:early|mid|middle of|late|(?:the )?(?:beginning|start|end) of)"

_PATTERNS: dict[str, str] = {
    "iso": r"(?<![\w-])(?P<iso_y>\d{4})-(?P<iso_m>\d\d?)(?:-(?P<iso_d>\d\d?))?(?![\da-su-z]|-\w)",
    "ymd": r"(?<![\d/.])(?P<ymd_y>(?:19|20)\d\d)(?P<ymd_s>[/.])(?P<ymd_m>\d\d?)(?P=ymd_s)(?P<ymd_d>\d\d?)"
    r"(?![\d/]|\.\d)",
    "dots": r"(?<![\d/.])(?P<dot_d>\d\d?)\. ?(?P<dot_m>\d\d?)\. ?(?P<dot_y>(?:19|20)\d\d)(?![\d/]|\.\d)",
    "short": r"(?<![\w./-])(?P<sh_d>\d\d)\.(?P<sh_m>\d\d)\.(?P<sh_y>\d\d)(?![\w/-]|\.\w)",
    "dashes": r"(?<![\w-])(?P<da_a>\d\d?)-(?P<da_b>\d\d?)-(?P<da_y>(?:19|20)\d\d)(?![\w-])",
    "slash": r"(?<![\d/])(?P<sl_a>\d\d?)/(?P<sl_b>\d\d?)/(?P<sl_y>\d{4}|\d\d)(?![\d/])",
    "dmy": rf"\b(?P<dmy_d>\d\d?){_NTH} (?:of )?(?P<dmy_m>{_MONTH})(?:,? (?P<dmy_y>\d{{4}}))?",
    "mdy": rf"\b(?P<mdy_m>{_MONTH}) (?:the )?(?P<mdy_d>\d\d?){_NTH}(?:\s?[-–]\s?(?P<mdy_e>\d\d?))?"
    r"(?!\d|:\d)(?:,? (?P<mdy_y>\d{4}))?",
    "my": rf"\b(?:(?P<my_p>{_PART})[ -])?(?P<my_m>{_MONTH}),?(?: of)? (?P<my_y>\d{{4}})\b",
    "season": rf"\b(?P<sea_s>{_SEASON}),?(?: of)? (?P<sea_y>\d{{4}})\b",
    "day": r"\b(?P<day_w>" + "|".join(sorted(NAMED_DAYS, key=len, reverse=True)) + r")\b",
    "ago": rf"\b(?P<ago_n>{_COUNT}) (?P<ago_u>{_UNIT})s? (?:ago|back|earlier)\b",
    "ahead": rf"\b(?:in (?P<in_n>{_COUNT}) (?P<in_u>{_UNIT})s?\b"
    rf"|(?P<fro_n>{_COUNT}) (?P<fro_u>{_UNIT})s? from now)",
    "span": rf"\b(?P<sp_k>last|past|next|coming) (?P<sp_n>{_COUNT}) (?P<sp_u>{_UNIT})s?\b",
    "near": rf"\b(?P<ne_k>last|past|previous|this past|this|next|coming|upcoming|following) "
    rf"(?P<ne_u>{_UNIT}|{_DAY}|{_SEASON}|{_MONTH})\b",
    "recent": r"\b(?P<rec>recently|lately|the other day)\b",
    "weekday": rf"\b(?:on )?(?P<wd>{_DAY})\b",
    "month": rf"\b(?:(?P<mo_p>{_PART})[ -])?(?P<mo_m>{_MONTH})(?!\w)",
    "year": r"\b(?:in|since|of|by|during|until|till|from|year) (?P<yr>(?:19|20)\d\d)\b(?![-/])"
    r"|(?<![\d.])\b(?P<yr_end>(?:19|20)\d\d)(?=[?!,;)]|\.(?!\d)|$)",
}
_BY_DIGIT = ("iso", "ymd", "dots", "short", "dashes", "slash", "dmy")
"""The first patterns; they begin with a digit, so that they are not tried at words."""
_OF_MONTHS = frozenset({"dmy", "mdy", "my", "month"})
"""Patterns that need the name of a month."""

_UNITS = frozenset(f"{unit}{s}" for unit in UNIT_DAYS for s in ("", "s"))
_PARTS_OF_DAYS = frozenset({"morning", "afternoon", "evening"})
TRIGGERS = frozenset(
    [
        *_UNITS,
        *_PARTS_OF_DAYS,
        *MONTHS,
        *WEEKDAYS,
        *SEASONS,
        *"yesterday today tonight tomorrow night recently lately other".split(),
    ]
)
"""Words of which each expression has one, unless it is a number."""
QUALIFIED = (_UNITS - {"night"}) | _PARTS_OF_DAYS
"""Those that are a time beside a qualifier only."""
TELLING = TRIGGERS | QUALIFIERS
"""The words of a text that `mentions` asks for."""
WORDS = TELLING.union(
    *(phrase.split() for phrase in (*COUNTS, *NAMED_DAYS)),
    "the of on since by during until till year early mid middle late beginning start end now".split(),
)
"""All words of the expressions."""
NUMBER = re.compile(r"\d(?:[./-] ?\d|\d(?<=19|20)\d\d)")
"""What each number has that is a time by itself. It begins with a digit, so that a search is fast."""

_MARGIN = 30
"""Characters on either side of the beginning of a trigger word or number to which an expression can extend."""

_BEGINNINGS = any_of([
    *(name[:3] for name in (*MONTHS, *WEEKDAYS)),
    *SEASONS,
    *(f"{word} " for word in {count.split()[0] for count in COUNTS}),
    *"yesterday today tonight tomorrow recently lately early mid late beginning start end".split(),
    *"last past prev this next coming upcoming following".split(),
    *(f"{word} " for word in "in on of by since during until till from year".split()),
    *(f"the {word} " for word in "day other beginning start end".split()),
])  # fmt: skip
"""How an expression in words begins."""
_BEGIN = rf"\b(?=\d|{_BEGINNINGS})"
"""Where an expression can begin. Tested once for all patterns, so that most positions of a text cost almost nothing."""
_BEGIN_WITHIN = rf"(?:(?<!\w)(?=\w)|(?<!\d)(?=\d))(?=\d|{_BEGINNINGS})"
"""The same where digits stand behind letters; three times as slow."""
_DIGIT_WITHIN = re.compile(r"\d(?<=[^\W\d]\d)")

DIGIT = re.compile(r"\d")
_CAPITAL_MONTH = re.compile(r"\b(?:May|March)\b")


def mentions(low: str, text: str, time_words: Set[str], since: int = 0) -> list[Mention]:
    """The times that a text mentions, in order. `low` is its plain form (see `foreign_dates.plain`), `time_words` are
    the words of `TELLING` in it, and `DIGITS`; before the place `since` it has no digit.
    """
    seen = TRIGGERS & time_words
    if not are_months(time_words, text):
        seen -= {"may"}
    months = not seen.isdisjoint(MONTHS)
    if not seen.isdisjoint(QUALIFIED) and QUALIFIERS.isdisjoint(time_words):
        seen -= QUALIFIED
    if "other" in seen:  # which alone is frequent
        seen = seen - {"other"} | {"other day"}
    places = places_of(low, seen)
    if DIGITS in time_words:
        places += [match.start() for match in NUMBER.finditer(low, since)]
    found: list[Mention] = []
    for start, end in stretches(low, places, _MARGIN):
        found += expressions(low, text, start, end, months, lambda: is_foreign(low, languages(low)))
    return found


def are_months(time_words: Set[str], text: str) -> bool:
    """Whether the names of months in a text, if there are any, mean months; not if all are *may* in lower case."""
    return "may" not in time_words or "May" in text or len(time_words & MONTHS.keys()) > 1


def expressions(
    low: str, text: str, start: int, end: int, months: bool, day_first: Callable[[], bool]
) -> Iterator[Mention]:
    """The times that a part of a text mentions, in order; with the names of months only if they are `months`. For
    `day_first` see `english_days.days_of`.
    """
    within = _DIGIT_WITHIN.search(low, start, end) is not None
    for match in _expression(months, within).finditer(low, start, end):
        kind = match.lastgroup or ""
        if kind not in ("month", "near") or not _is_verb(match, text):
            days = days_of(match, kind, day_first)
            yield Mention(match.start(), match.end(), says_when(match, kind), days)


@cache
def _expression(months: bool, within: bool) -> re.Pattern[str]:
    """One regular expression for all patterns, with or without those of months, which are tried in the order of
    `_PATTERNS`; also where digits stand behind letters.
    """
    patterns = {
        name: f"(?P<{name}>{pattern})"
        for name, pattern in _PATTERNS.items()
        if months or name not in _OF_MONTHS
    }
    digits = "|".join(patterns.pop(name) for name in _BY_DIGIT if name in patterns)
    begin = _BEGIN_WITHIN if within else _BEGIN
    return re.compile(f"{begin}(?:(?=\\d)(?:{digits})|{'|'.join(patterns.values())})")


def _is_verb(match: re.Match[str], text: str) -> bool:
    """Whether "may" or "march" is the verb, not the month: it is in lower case."""
    word = match["mo_m" if match.lastgroup == "month" else "ne_u"].rstrip(".")
    if word not in ("may", "march") or len(match.string) != len(text):
        return False
    return not _CAPITAL_MONTH.search(text, match.start(), match.end())
