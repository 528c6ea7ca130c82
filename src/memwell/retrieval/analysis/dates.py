"""Time expressions in a text as intervals of days, resolved against the time of the text.

Expressions are English, like the stemmer; dates in digits and with the month names of some other languages
(`05.03.2024`, `2024/05/04`, `5. März`, `6 Mai 2024`) and years work too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from datetime import date, datetime, timedelta
from functools import cache

from memwell.ports.store.search import Interval
from memwell.retrieval.analysis.days import (
    SEASONS,
    around_span,
    day_span,
    month_span,
    on_calendar,
    season_span,
    unit_span,
    weekday_span,
    year_span,
)
from memwell.retrieval.analysis.text import analyze

__all__ = ["intervals", "readings", "spans"]

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
_FOREIGN_MONTHS = {
    word: number
    for words in (
        "januar februar märz april mai juni juli august september oktober november dezember",
        "jänner feber maerz - - - - - - okt - dez",
        "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
        "- fevrier - - - - - aout - - - decembre",
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
        "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
        "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
        "januari februari maart april mei juni juli augustus september oktober november december",
        "januari februari mars april maj juni juli augusti september oktober november december",
    )
    for number, word in enumerate(words.split(), 1)
    if word != "-"
}
"""German, French, Spanish, Italian, Portuguese, Dutch, Swedish. They count beside a day or a year only."""
_WEEKDAY_WORDS = {d: i for i, d in enumerate(_WEEKDAYS)}
_NAMED_DAYS = {
    "the day before yesterday": -2, "yesterday": -1, "last night": -1, "today": 0, "tonight": 0,
    "this morning": 0, "this afternoon": 0, "this evening": 0, "tomorrow": 1,
    "the day after tomorrow": 2,
}  # fmt: skip

_QUALIFIERS = frozenset(
    "ago back earlier last past previous this next coming upcoming following in from these".split()
)
_GATE_WORD = re.compile(r"[^\W\d_]{2,}|\d{4}|\d\d?/\d")

_MONTH = "(?:" + "|".join(sorted(_MONTH_WORDS, key=len, reverse=True)) + r")\b\.?"
_ANY_MONTH = "(?:" + "|".join(sorted({*_MONTH_WORDS, *_FOREIGN_MONTHS}, key=len, reverse=True)) + r")\b\.?"
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
    "slash": r"(?<![\d/])(?P<sl_a>\d\d?)/(?P<sl_b>\d\d?)/(?P<sl_y>\d{4}|\d\d)(?![\d/])",
    "dmy": rf"\b(?P<dmy_d>\d\d?){_NTH} (?:of |de )?(?P<dmy_m>{_ANY_MONTH})(?:,? (?:del? )?(?P<dmy_y>\d{{4}}))?",
    "mdy": rf"\b(?P<mdy_m>{_MONTH}) (?:the )?(?P<mdy_d>\d\d?){_NTH}(?:\s?[-–]\s?(?P<mdy_e>\d\d?))?"
    r"(?![\d:])(?:,? (?P<mdy_y>\d{4}))?",
    "my": rf"\b(?:(?P<my_p>{_PART})[ -])?(?P<my_m>{_ANY_MONTH}),?(?: of| del?)? (?P<my_y>\d{{4}})\b",
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
_CLASSES: dict[str, tuple[frozenset[str], tuple[str, ...]]] = {
    "month": (frozenset(_MONTH_WORDS), ("dmy", "mdy", "my", "near", "month")),
    "foreign month": (frozenset(_FOREIGN_MONTHS), ("dmy", "my")),
    "weekday": (frozenset(_WEEKDAYS), ("near", "weekday")),
    "unit": (
        frozenset(u + s for u in _UNIT_DAYS for s in ("", "s")),
        ("ago", "ahead", "span", "near"),
    ),
    "season": (frozenset(SEASONS), ("season", "near")),
    "day": (frozenset("yesterday today tonight tomorrow night".split()), ("day",)),
    "part": (frozenset("morning afternoon evening".split()), ("day",)),
    "recent": (frozenset("recently lately other".split()), ("recent",)),
}
"""Trigger words by class, and the patterns in which each class occurs."""

_TRIGGERS = frozenset().union(*(triggers for triggers, _ in _CLASSES.values()))
_NUMERIC = frozenset({"iso", "ymd", "dots", "slash", "year"})
"""Patterns that need no trigger word, only a digit."""

_MARGIN = 40
"""Characters on either side of a trigger word to which an expression can extend."""

_BEGIN = r"(?:(?<!\w)(?=\w)|(?<!\d)(?=\d))"
"""Where an expression can begin. Tested once for all patterns, so that most positions of a text cost almost nothing."""

_DAY_LONG = timedelta(days=1)
_SECOND, _LAST_BUT_ONE = date.min + _DAY_LONG, date.max - _DAY_LONG
_DIGIT = re.compile(r"\d")
_CAPITAL_MONTH = re.compile(r"\b(?:May|March)\b")


def _count(word: str) -> int:
    return int(word) if word.isdigit() else _COUNTS[word]


def _month_number(word: str) -> int:
    name = word.rstrip(".")
    return _MONTH_WORDS.get(name) or _FOREIGN_MONTHS[name]


def _nearest_year(month: int, ref: date) -> int:
    """The year whose `month` is closest to `ref`: that is the one people leave out."""
    return min(
        (ref.year - 1, ref.year, ref.year + 1),
        key=lambda y: abs((y - ref.year) * 12 + month - ref.month),
    )


def _iso(g: re.Match[str], ref: date) -> Interval | None:
    year, month = int(g["iso_y"]), int(g["iso_m"])
    return day_span(year, month, int(g["iso_d"])) if g["iso_d"] else month_span(year, month)


def _slash(g: re.Match[str], ref: date) -> Interval | None:
    a, b, year = int(g["sl_a"]), int(g["sl_b"]), int(g["sl_y"])
    year += 2000 if year < 100 else 0
    return day_span(year, a, b) or day_span(year, b, a)


def _dmy(g: re.Match[str], ref: date) -> Interval | None:
    month = _month_number(g["dmy_m"])
    year = int(g["dmy_y"]) if g["dmy_y"] else _nearest_year(month, ref)
    return day_span(year, month, int(g["dmy_d"]))


def _mdy(g: re.Match[str], ref: date) -> Interval | None:
    month = _month_number(g["mdy_m"])
    year = int(g["mdy_y"]) if g["mdy_y"] else _nearest_year(month, ref)
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
    return month_span(_nearest_year(month, ref), month, g["mo_p"])


_RESOLVE: dict[str, Callable[[re.Match[str], date], Interval | None]] = {
    "iso": _iso,
    "ymd": lambda g, ref: day_span(int(g["ymd_y"]), int(g["ymd_m"]), int(g["ymd_d"])),
    "dots": lambda g, ref: day_span(int(g["dot_y"]), int(g["dot_m"]), int(g["dot_d"])),
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


def intervals(
    text: str, reference: datetime | date, *, terms: Collection[str] | None = None
) -> list[Interval]:
    """Intervals of days that `text` mentions, in order of appearance; `[]` if it mentions none. Never raises.

    `reference` is the time of the text: "yesterday" in a memory is the day before its `created_at`, in a question the
    day before now. "may" and "march" alone count only if capitalised; days outside the years 1 to 9999 do not count.
    `terms`, if known, are the index terms of the text: if none of them can belong to a time, the text is not scanned.
    """
    if terms is not None and _has_no_time(text, terms):
        return []
    ref = _day_of(reference)
    return list(dict.fromkeys(found for match in _expressions(text) if (found := _resolved(match, ref))))


def readings(
    text: str, reference: datetime | date, *, terms: Collection[str] | None = None
) -> tuple[tuple[Interval, ...], tuple[Interval, ...], tuple[Interval, ...]]:
    """As `intervals`, for the day before the reference, for its day, and for the day after: a text was said on one of
    them, depending on the time zone.
    """
    matches = [] if terms is not None and _has_no_time(text, terms) else list(_expressions(text))
    if not matches:
        return (), (), ()
    day = _day_of(reference)
    around = (max(day, _SECOND) - _DAY_LONG, day, min(day, _LAST_BUT_ONE) + _DAY_LONG)
    before, own, after = (
        tuple(dict.fromkeys(found for match in matches if (found := _resolved(match, ref)))) for ref in around
    )
    return before, own, after


def spans(text: str, reference: datetime | date) -> list[tuple[int, int, bool]]:
    """Where `text` mentions times: start, end, and whether it says when and nothing else.

    A weekday, a month or a day without a year may also be a word of what recurs: *yoga on Friday*.
    """
    if len(text.lower()) != len(text):
        return []
    ref = _day_of(reference)
    return [
        (match.start(), match.end(), _says_when(match))
        for match in _expressions(text)
        if _resolved(match, ref) is not None
    ]


def _day_of(reference: datetime | date) -> date:
    return reference.date() if isinstance(reference, datetime) else reference


def _resolved(match: re.Match[str], ref: date) -> Interval | None:
    named = _RESOLVE[match.lastgroup or ""](match, ref)
    return named and on_calendar(named)


def _says_when(match: re.Match[str]) -> bool:
    groups = match.groupdict()
    if match.lastgroup == "near":
        return groups["ne_u"] in _UNIT_DAYS
    if match.lastgroup in ("dmy", "mdy"):
        return bool(groups[f"{match.lastgroup}_y"])
    return match.lastgroup not in ("weekday", "month")


def _expressions(text: str) -> Iterator[re.Match[str]]:
    """The times that a text may mention."""
    low = text.lower()
    seen = set(_GATE_WORD.findall(low))
    if "May" not in text:
        seen.discard("may")
    expression = _expression(_kinds(seen, numbers=_DIGIT.search(low) is not None))
    if expression is None:
        return
    for match in expression.finditer(low, *_stretch(low, seen)):
        if match.lastgroup not in ("month", "near") or not _is_verb(match, text):
            yield match


def _has_no_time(text: str, terms: Collection[str]) -> bool:
    """Whether the text certainly mentions no time: no trigger word, no digit, no trigger that is also a stop word."""
    return (
        _stems().isdisjoint(terms)
        and "May" not in text
        and "other day" not in text
        and _DIGIT.search(text) is None
    )


@cache
def _stems() -> frozenset[str]:
    return frozenset(analyze(" ".join(_TRIGGERS)))


def _stretch(low: str, seen: set[str]) -> tuple[int, int]:
    """Start and end of the part of a text that contains all trigger words and digits, with a margin."""
    words = _TRIGGERS & seen
    places = [low.find(word) for word in words] + [low.rfind(word) for word in words]
    number = _DIGIT.search(low)
    if number is not None:
        places += [number.start(), max(map(low.rfind, "0123456789"))]
    first = max(0, min(places) - _MARGIN)
    return low.rfind(" ", 0, first) + 1, max(places) + _MARGIN


def _kinds(seen: set[str], *, numbers: bool) -> frozenset[str]:
    """Names of the patterns that could match, given the trigger words that occur."""
    if _TRIGGERS.isdisjoint(seen):
        return _NUMERIC if numbers else frozenset()
    qualified = not _QUALIFIERS.isdisjoint(seen)
    kinds: set[str] = set()
    for name, (triggers, opened) in _CLASSES.items():
        if not triggers.isdisjoint(seen) and (qualified or name not in ("unit", "part")):
            kinds.update(opened)
    return frozenset(kinds) | _NUMERIC if numbers else frozenset(kinds)


@cache
def _expression(kinds: frozenset[str]) -> re.Pattern[str] | None:
    """One regular expression for the `kinds`, which are tried in the order of `_PATTERNS`."""
    if not kinds:
        return None
    patterns = "|".join(f"(?P<{k}>{p})" for k, p in _PATTERNS.items() if k in kinds)
    return re.compile(f"{_BEGIN}(?:{patterns})")


def _is_verb(match: re.Match[str], text: str) -> bool:
    """Whether "may" or "march" is the verb, not the month: it is in lower case."""
    groups = match.groupdict("")
    word = (groups.get("mo_m") or groups["ne_u"]).rstrip(".")
    if word not in ("may", "march") or len(match.string) != len(text):
        return False
    return not _CAPITAL_MONTH.search(text, match.start(), match.end())
