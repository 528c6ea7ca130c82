"""The words of English time expressions, and the days that an expression means."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from functools import partial
from typing import Final, TypeAlias

from memwell.ports.store.search import Interval
from memwell.retrieval.analysis.days import (
    SEASONS,
    Days,
    around_span,
    day_span,
    month_span,
    nearest_year,
    season_span,
    unit_span,
    weekday_span,
    year_span,
)

__all__ = ["COUNTS", "MONTHS", "NAMED_DAYS", "UNIT_DAYS", "WEEKDAYS", "days_of", "says_when"]

_MONTHS: Final = (
    "january february march april may june july august september october november december".split()
)
COUNTS: Final = {
    "a": 1, "an": 1, "one": 1, "two": 2, "couple": 2, "a couple of": 2, "a couple": 2, "three": 3,
    "few": 3, "a few": 3, "several": 4, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
    "nine": 9, "ten": 10, "eleven": 11, "twelve": 12,
}  # fmt: skip
"""Word → how many it means."""
UNIT_DAYS: Final = {"day": 1, "night": 1, "week": 7, "weekend": 7, "fortnight": 14, "month": 30, "year": 365}
"""Unit → how many days it has."""
MONTHS: Final = {m: i + 1 for i, m in enumerate(_MONTHS)} | {
    m[:3]: i + 1 for i, m in enumerate(_MONTHS) if m != "may"
} | {"sept": 9}  # fmt: skip
"""Name of a month, whole or short → its number."""
WEEKDAYS: Final = {
    d: i for i, d in enumerate("monday tuesday wednesday thursday friday saturday sunday".split())
}
"""Name of a weekday → its number, Monday 0."""
NAMED_DAYS: Final = {
    "the day before yesterday": -2, "yesterday": -1, "last night": -1, "today": 0, "tonight": 0,
    "this morning": 0, "this afternoon": 0, "this evening": 0, "tomorrow": 1,
    "the day after tomorrow": 2,
}  # fmt: skip
"""Name of a day → how many days it is from today."""
_UNSURE: Final = frozenset({"near", "dmy", "mdy", "weekday", "month"})
"""Kinds of expressions that may say something else than when."""
_STEPS: Final = {"last": -1, "past": -1, "previous": -1, "this": 0}
"""Word → how many units it is from now; others: 1."""
_Match: TypeAlias = re.Match[str]


def days_of(match: re.Match[str], kind: str, day_first: Callable[[], bool]) -> Days | None:
    """The days that an expression of a kind (see `english_dates`) means. `day_first` tells whether `3/4/2021` is in
    April; it is asked only if both readings are a day.
    """
    return _slash(match, day_first) if kind == "slash" else _DAYS_OF[kind](match)


def says_when(match: re.Match[str], kind: str) -> bool:
    """Whether an expression says when and nothing else: a weekday may also be a word of what recurs."""
    if kind == "near":
        return match["ne_u"] in UNIT_DAYS
    if kind in ("dmy", "mdy"):
        return bool(match[f"{kind}_y"])
    return kind not in _UNSURE


def _count(word: str) -> int:
    return int(word) if word.isdigit() else COUNTS[word]


def _month_number(word: str) -> int:
    return MONTHS[word.rstrip(".")]


def _iso(g: _Match) -> Days | None:
    year, month = int(g["iso_y"]), int(g["iso_m"])
    return day_span(year, month, int(g["iso_d"])) if g["iso_d"] else month_span(year, month)


def _slash(g: _Match, day_first: Callable[[], bool]) -> Days | None:
    a, b, year = int(g["sl_a"]), int(g["sl_b"]), int(g["sl_y"])
    year += 2000 if year < 100 else 0
    by_month, by_day = day_span(year, a, b), day_span(year, b, a)
    if by_month and by_day and a != b and day_first():
        return by_day
    return by_month or by_day


def _dashes(g: _Match) -> Days | None:
    a, b, year = int(g["da_a"]), int(g["da_b"]), int(g["da_y"])
    return day_span(year, b, a) or day_span(year, a, b)


def _dmy(g: _Match) -> Days | None:
    return _in_year(g["dmy_y"], _month_number(g["dmy_m"]), int(g["dmy_d"]), None)


def _mdy(g: _Match) -> Days | None:
    end = g["mdy_e"]
    return _in_year(g["mdy_y"], _month_number(g["mdy_m"]), int(g["mdy_d"]), int(end) if end else None)


def _in_year(year: str | None, month: int, day: int, end: int | None) -> Days | None:
    """A day of a month, or the days from it to another; of the nearest such month if the year is not said."""
    if year:
        return _days_in(int(year), month, day, end)
    return lambda ref: _days_in(nearest_year(month, ref), month, day, end)


def _days_in(year: int, month: int, day: int, end: int | None) -> Interval | None:
    first = day_span(year, month, day)
    last = first if end is None else day_span(year, month, end)
    return (first[0], max(first[0], last[1])) if first and last else first


def _ago(g: _Match) -> Days | None:
    return _around(-_count(g["ago_n"]), g["ago_u"])


def _ahead(g: _Match) -> Days | None:
    return _around(_count(g["in_n"] or g["fro_n"]), g["in_u"] or g["fro_u"])


def _around(count: int, unit: str) -> Days:
    return partial(around_span, days=count * UNIT_DAYS[unit], unit=unit)


def _span(g: _Match) -> Days | None:
    days = _count(g["sp_n"]) * UNIT_DAYS[g["sp_u"]]
    before, after = (days, 0) if g["sp_k"] in ("last", "past") else (0, days)
    return lambda ref: (ref.toordinal() - before, ref.toordinal() + after)


def _near(g: _Match) -> Days | None:
    """A unit, weekday, season or month relative to a day: "last May", "this weekend", "next Friday"."""
    step, word = _STEPS.get(g["ne_k"].removeprefix("this "), 1), g["ne_u"].rstrip(".")
    if word in WEEKDAYS:
        return partial(weekday_span, WEEKDAYS[word], step=step)
    if word in MONTHS:
        return partial(_near_month, MONTHS[word], step)
    return partial(_near_season if word in SEASONS else unit_span, word, step=step)


def _near_month(month: int, step: int, ref: date) -> Interval | None:
    turn = (step > 0 and month <= ref.month) - (step < 0 and month >= ref.month)
    return month_span(ref.year + turn, month)


def _near_season(word: str, ref: date, step: int) -> Interval | None:
    begun = SEASONS[word] <= ref.month
    return season_span(ref.year - (step < 0 and not begun) + (step > 0 and begun), word)


def _bare_month(g: _Match) -> Days | None:
    month, part = _month_number(g["mo_m"]), g["mo_p"]
    return lambda ref: month_span(nearest_year(month, ref), month, part)


_DAYS_OF: Final[Mapping[str, Callable[[_Match], Days | None]]] = {
    "iso": _iso,
    "ymd": lambda g: day_span(int(g["ymd_y"]), int(g["ymd_m"]), int(g["ymd_d"])),
    "dots": lambda g: day_span(int(g["dot_y"]), int(g["dot_m"]), int(g["dot_d"])),
    "short": lambda g: day_span(2000 + int(g["sh_y"]), int(g["sh_m"]), int(g["sh_d"])),
    "dashes": _dashes,
    "dmy": _dmy,
    "mdy": _mdy,
    "my": lambda g: month_span(int(g["my_y"]), _month_number(g["my_m"]), g["my_p"]),
    "season": lambda g: season_span(int(g["sea_y"]), g["sea_s"]),
    "day": lambda g: partial(around_span, days=NAMED_DAYS[g["day_w"]], unit="day"),
    "ago": _ago,
    "ahead": _ahead,
    "span": _span,
    "near": _near,
    "recent": lambda _: lambda ref: (ref.toordinal() - 14, ref.toordinal()),
    "weekday": lambda g: partial(weekday_span, WEEKDAYS[g["wd"]], step=0),
    "month": _bare_month,
    "year": lambda g: year_span(int(g["yr"] or g["yr_end"])),
}
