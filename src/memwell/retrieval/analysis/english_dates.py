"""Time expressions in English, and dates and years in digits (`05.03.2024`, `2024/05/04`, `in 2023`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Set
from datetime import date
from functools import cache, partial

from memwell.ports.store.search import Interval
from memwell.retrieval.analysis.days import (
    SEASONS,
    Mention,
    around_span,
    day_span,
    month_span,
    nearest_year,
    season_span,
    unit_span,
    weekday_span,
    year_span,
)
from memwell.retrieval.analysis.scanning import DIGITS, any_of, places_of, stretches
from memwell.retrieval.analysis.words import is_foreign, languages

__all__ = ["DIGIT", "QUALIFIED", "QUALIFIERS", "TELLING", "TRIGGERS", "mentions"]

_MONTHS = "january february march april may june july august september october november december".split()
_WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
_COUNTS = {
    "a": 1, "an": 1, "one": 1, "two": 2, "couple": 2, "a couple of": 2, "a couple": 2, "three": 3,
    "few": 3, "a few": 3, "several": 4, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
    "nine": 9, "ten": 10, "eleven": 11, "twelve": 12,
}  # fmt: skip
_UNIT_DAYS = {"day": 1, "night": 1, "week": 7, "weekend": 7, "fortnight": 14, "month": 30, "year": 365}
_MONTH_WORDS = {m: i + 1 for i, m in enumerate(_MONTHS)} | {
    m[:3]: i + 1 for i, m in enumerate(_MONTHS) if m != "may"
} | {"sept": 9}  # fmt: skip
_WEEKDAY_WORDS = {d: i for i, d in enumerate(_WEEKDAYS)}
_NAMED_DAYS = {
    "the day before yesterday": -2, "yesterday": -1, "last night": -1, "today": 0, "tonight": 0,
    "this morning": 0, "this afternoon": 0, "this evening": 0, "tomorrow": 1,
    "the day after tomorrow": 2,
}  # fmt: skip

QUALIFIERS = frozenset(
    "ago back earlier last past previous this next coming upcoming following in from these".split()
)

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sep(?:t(?:ember)?)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b\.?"
)
_DAY = "(?:" + "|".join(_WEEKDAYS) + ")"
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
    "day": r"\b(?P<day_w>" + "|".join(sorted(_NAMED_DAYS, key=len, reverse=True)) + r")\b",
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

_UNITS = frozenset(f"{unit}{s}" for unit in _UNIT_DAYS for s in ("", "s"))
_PARTS_OF_DAYS = frozenset({"morning", "afternoon", "evening"})
TRIGGERS = frozenset(
    [
        *_UNITS,
        *_PARTS_OF_DAYS,
        *_MONTH_WORDS,
        *_WEEKDAY_WORDS,
        *SEASONS,
        *"yesterday today tonight tomorrow night recently lately other".split(),
    ]
)
"""Words of which each expression has one, unless it is a number."""
QUALIFIED = (_UNITS - {"night"}) | _PARTS_OF_DAYS
"""Those that are a time beside a qualifier only."""
TELLING = TRIGGERS | QUALIFIERS
"""The words of a text that `mentions` asks for."""
_NUMBER = re.compile(r"\d(?:[./-] ?\d|\d(?<=19|20)\d\d)")
"""What each number has that is a time by itself. It begins with a digit, so that a search is fast."""

_MARGIN = 30
"""Characters on either side of the beginning of a trigger word or number to which an expression can extend."""

_BEGINNINGS = any_of([
    *(name[:3] for name in (*_MONTHS, *_WEEKDAYS)),
    *SEASONS,
    *(f"{word} " for word in {count.split()[0] for count in _COUNTS}),
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


def _count(word: str) -> int:
    return int(word) if word.isdigit() else _COUNTS[word]


def _month_number(word: str) -> int:
    return _MONTH_WORDS[word.rstrip(".")]


def _iso(g: re.Match[str], ref: date) -> Interval | None:
    year, month = int(g["iso_y"]), int(g["iso_m"])
    return day_span(year, month, int(g["iso_d"])) if g["iso_d"] else month_span(year, month)


def _slash(g: re.Match[str], ref: date) -> Interval | None:
    a, b, year = int(g["sl_a"]), int(g["sl_b"]), int(g["sl_y"])
    year += 2000 if year < 100 else 0
    month_first, day_first = day_span(year, a, b), day_span(year, b, a)
    if month_first and day_first and a != b and is_foreign(g.string, languages(g.string)):
        return day_first
    return month_first or day_first


def _dashes(g: re.Match[str], ref: date) -> Interval | None:
    a, b, year = int(g["da_a"]), int(g["da_b"]), int(g["da_y"])
    return day_span(year, b, a) or day_span(year, a, b)


def _dmy(g: re.Match[str], ref: date) -> Interval | None:
    month = _month_number(g["dmy_m"])
    year = int(g["dmy_y"]) if g["dmy_y"] else nearest_year(month, ref)
    return day_span(year, month, int(g["dmy_d"]))


def _mdy(g: re.Match[str], ref: date) -> Interval | None:
    month = _month_number(g["mdy_m"])
    year = int(g["mdy_y"]) if g["mdy_y"] else nearest_year(month, ref)
    first = day_span(year, month, int(g["mdy_d"]))
    last = day_span(year, month, int(g["mdy_e"])) if g["mdy_e"] else first
    return (first[0], max(first[0], last[1])) if first and last else first


def _ago(g: re.Match[str], ref: date) -> Interval | None:
    return around_span(ref, -_count(g["ago_n"]) * _UNIT_DAYS[g["ago_u"]], g["ago_u"])


def _ahead(g: re.Match[str], ref: date) -> Interval | None:
    number, unit = g["in_n"] or g["fro_n"], g["in_u"] or g["fro_u"]
    return around_span(ref, _count(number) * _UNIT_DAYS[unit], unit)


def _span(g: re.Match[str], ref: date) -> Interval:
    days, now = _count(g["sp_n"]) * _UNIT_DAYS[g["sp_u"]], ref.toordinal()
    return (now - days, now) if g["sp_k"] in ("last", "past") else (now, now + days)


def _near(g: re.Match[str], ref: date) -> Interval | None:
    """A unit, weekday, season or month relative to `ref`: "last May", "this weekend", "next Friday"."""
    kind, word = g["ne_k"].removeprefix("this "), g["ne_u"].rstrip(".")
    step = -1 if kind in ("last", "past", "previous") else 0 if kind == "this" else 1
    if word in _WEEKDAY_WORDS:
        return weekday_span(_WEEKDAY_WORDS[word], ref, step)
    if word in _MONTH_WORDS:
        month = _MONTH_WORDS[word]
        turn = (step > 0 and month <= ref.month) - (step < 0 and month >= ref.month)
        return month_span(ref.year + turn, month)
    if word in SEASONS:
        begun = SEASONS[word] <= ref.month
        return season_span(ref.year - (step < 0 and not begun) + (step > 0 and begun), word)
    return unit_span(word, ref, step)


def _bare_month(g: re.Match[str], ref: date) -> Interval | None:
    month = _month_number(g["mo_m"])
    return month_span(nearest_year(month, ref), month, g["mo_p"])


_RESOLVE: dict[str, Callable[[re.Match[str], date], Interval | None]] = {
    "iso": _iso,
    "ymd": lambda g, ref: day_span(int(g["ymd_y"]), int(g["ymd_m"]), int(g["ymd_d"])),
    "dots": lambda g, ref: day_span(int(g["dot_y"]), int(g["dot_m"]), int(g["dot_d"])),
    "short": lambda g, ref: day_span(2000 + int(g["sh_y"]), int(g["sh_m"]), int(g["sh_d"])),
    "dashes": _dashes,
    "slash": _slash,
    "dmy": _dmy,
    "mdy": _mdy,
    "my": lambda g, ref: month_span(int(g["my_y"]), _month_number(g["my_m"]), g["my_p"]),
    "season": lambda g, ref: season_span(int(g["sea_y"]), g["sea_s"]),
    "day": lambda g, ref: around_span(ref, _NAMED_DAYS[g["day_w"]], "day"),
    "ago": _ago,
    "ahead": _ahead,
    "span": _span,
    "near": _near,
    "recent": lambda g, ref: (ref.toordinal() - 14, ref.toordinal()),
    "weekday": lambda g, ref: weekday_span(_WEEKDAY_WORDS[g["wd"]], ref, 0),
    "month": _bare_month,
    "year": lambda g, ref: year_span(int(g["yr"] or g["yr_end"])),
}


_UNSURE = frozenset({"near", "dmy", "mdy", "weekday", "month"})
"""Kinds that may say something else than when."""
_FIXED = frozenset({"iso", "ymd", "dots", "short", "dashes", "slash", "my", "season", "year"})
"""Kinds that mean the same days whenever they are said; so do days of months with a year."""


def _mention(match: re.Match[str], kind: str) -> Mention:
    says_when = kind not in _UNSURE
    fixed = kind in _FIXED
    if kind == "near":
        says_when = match["ne_u"] in _UNIT_DAYS
    elif kind in ("dmy", "mdy"):
        says_when = fixed = bool(match[f"{kind}_y"])
    return Mention(*match.span(), says_when, partial(_RESOLVE[kind], match), fixed)


def mentions(low: str, text: str, time_words: Set[str], since: int = 0) -> list[Mention]:
    """The times that a text mentions, in order. `low` is its plain form (see `foreign_dates.plain`), `time_words` are
    the words of `TELLING` in it, and `DIGITS`; before the place `since` it has no digit.
    """
    seen, digits = TRIGGERS & time_words, DIGITS in time_words
    months = not seen.isdisjoint(_MONTH_WORDS)
    if months and "may" in seen and "May" not in text and len(seen & _MONTH_WORDS.keys()) == 1:
        seen, months = seen - {"may"}, False
    if not seen.isdisjoint(QUALIFIED) and QUALIFIERS.isdisjoint(time_words):
        seen -= QUALIFIED
    if "other" in seen:  # which alone is frequent
        seen = seen - {"other"} | {"other day"}
    places = places_of(low, seen)
    if digits:
        places += [match.start() for match in _NUMBER.finditer(low, since)]
    found: list[Mention] = []
    for start, end in stretches(low, places, _MARGIN):
        within = digits and _DIGIT_WITHIN.search(low, start, end) is not None
        for match in _expression(months, within).finditer(low, start, end):
            kind = match.lastgroup or ""
            if kind not in ("month", "near") or not _is_verb(match, text):
                found.append(_mention(match, kind))
    return found


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
