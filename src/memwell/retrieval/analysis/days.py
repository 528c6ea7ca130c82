"""Spans of calendar days, as pairs of ordinals.

An interval is a pair of proleptic ordinals `(first_day, last_day)`, both included (see `datetime.date.toordinal`): two
integers, cheap to store, compare and index.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, tzinfo
from typing import Final, NamedTuple, TypeAlias

from memwell.ports.store.search import Interval
from memwell.values import local

__all__ = [
    "SEASONS",
    "Days",
    "Mention",
    "Resolve",
    "around_span",
    "day_shift",
    "day_span",
    "day_terms",
    "days_within",
    "distance",
    "moments",
    "month_span",
    "nearest_year",
    "on_calendar",
    "on_day",
    "season_span",
    "unit_span",
    "weekday_span",
    "year_span",
]

Resolve: TypeAlias = Callable[[date], Interval | None]
Days: TypeAlias = Interval | Resolve
"""What a time means: the same days whenever it is said, or those that it means in a text of a given day."""


class Mention(NamedTuple):
    """A time that a text mentions."""

    start: int
    end: int
    says_when: bool
    """Whether it says when and nothing else: a weekday may also be a word of what recurs."""
    days: Days | None
    """`None` if the calendar has no such day."""


SEASONS: Final = {"spring": 3, "summer": 6, "fall": 9, "autumn": 9, "winter": 12}
"""First month of each season on the northern hemisphere."""

_SLACK: Final = {"weekend": 2, "week": 3, "fortnight": 5, "month": 15}
"""Days on either side, about a third of the unit."""

_FIRST: Final = date.min.toordinal()
_LAST: Final = date.max.toordinal()
_BEGINNING, _END = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_YEAR: Final = 366


def day_span(year: int, month: int, day: int) -> Interval | None:
    """That day; `None` if the calendar has no such day."""
    try:
        found = date(year, month, day).toordinal()
    except ValueError:
        return None
    return found, found


def month_span(year: int, month: int, part: str | None = None) -> Interval | None:
    """That month, or its early, middle or late third; `None` outside the years 1 to 9998."""
    if not 1 <= year <= 9998 or not 1 <= month <= 12:
        return None
    first = date(year, month, 1).toordinal()
    last = date(year + month // 12, month % 12 + 1, 1).toordinal() - 1
    if not part:
        return first, last
    if "mid" in part:
        return first + 9, first + 20
    return (first + 20, last) if part.startswith("late") or "end" in part else (first, first + 10)


def day_terms(times: Iterable[Interval]) -> list[str]:
    """Index terms of the times that are one day: `2024-03-05`, however a text writes it."""
    return [date.fromordinal(first).isoformat() for first, last in times if first == last]


def nearest_year(month: int, ref: date) -> int:
    """The year whose `month` is closest to `ref`: that is the one people leave out."""
    return min(
        (ref.year - 1, ref.year, ref.year + 1),
        key=lambda y: abs((y - ref.year) * 12 + month - ref.month),
    )


def season_span(year: int, name: str) -> Interval | None:
    """The 92 days from the first of the season; `None` outside the years 1 to 9998."""
    if not 1 <= year <= 9998:
        return None
    first = date(year, SEASONS[name], 1).toordinal()
    return first, first + 91


def year_span(year: int) -> Interval | None:
    """That year; `None` outside the years 1 to 9998."""
    if not 1 <= year <= 9998:
        return None
    return date(year, 1, 1).toordinal(), date(year, 12, 31).toordinal()


def around_span(ref: date, days: int, unit: str) -> Interval | None:
    """An interval around the day `days` after `ref`, extended by about a third of the unit on either side."""
    centre = ref.toordinal() + days
    if unit in ("day", "night"):
        return centre, centre
    if unit == "year":
        return year_span(ref.year + round(days / 365))
    return centre - _SLACK[unit], centre + _SLACK[unit]


def unit_span(unit: str, ref: date, step: int) -> Interval | None:
    """The day, calendar week, weekend (from Friday), month or year that is `step` units after that of `ref`."""
    day = ref.toordinal()
    monday = day - ref.weekday() + 7 * step
    if unit in ("week", "fortnight"):
        return monday, monday + 6
    if unit == "weekend":
        return monday + 4, monday + 6
    if unit == "month":
        index = ref.year * 12 + ref.month - 1 + step
        return month_span(index // 12, index % 12 + 1)
    return year_span(ref.year + step) if unit == "year" else (day + step, day + step)


def weekday_span(weekday: int, ref: date, step: int) -> Interval:
    """The last such weekday (0: Monday) before `ref` (step -1), the first after it (1), or, if the direction is unknown
    (0), the time between both; that is `ref` itself if it is such a weekday.
    """
    day = ref.toordinal()
    since, until = (ref.weekday() - weekday) % 7, (weekday - ref.weekday()) % 7
    if step < 0:
        return day - (since or 7), day - (since or 7)
    if step > 0:
        return day + (until or 7), day + (until or 7)
    return day - since, day + until


def moments(days: Interval, zone: tzinfo) -> tuple[datetime, datetime]:
    """When an interval of days begins in a zone, and when it is over, in UTC."""
    first, after = days[0], days[1] + 1
    return _midnight(first, zone), _midnight(after, zone) if after <= _LAST else _END


def _midnight(day: int, zone: tzinfo) -> datetime:
    try:
        return datetime.combine(date.fromordinal(day), time(), zone).astimezone(UTC)
    except OverflowError:  # it is before or after all times in UTC
        return _BEGINNING if day == _FIRST else _END


def days_within(times: Iterable[Interval]) -> list[str]:
    """Index terms of all days in these intervals, without those of more than a year."""
    return [
        f"{date.fromordinal(day)}"
        for first, last in times
        if last - first < _YEAR
        for day in range(first, last + 1)
    ]


def on_day(days: Days | None, ref: date) -> Interval | None:
    """The days that a time means in a text of a given day."""
    return days if days is None or isinstance(days, tuple) else days(ref)


def on_calendar(interval: Interval) -> Interval | None:
    """The part of an interval within the years 1 to 9999; `None` if there is none."""
    first, last = max(interval[0], _FIRST), min(interval[1], _LAST)
    return (first, last) if first <= last else None


def distance(a: Interval, b: Interval) -> int:
    """Days between two intervals; 0 if they share a day."""
    return max(0, a[0] - b[1], b[0] - a[1])


def day_shift(day: int, seconds: int, zone: tzinfo) -> int:
    """What is to be added to a day in UTC, at that second of it, to get the day in a zone: -1, 0 or 1."""
    hours, rest = divmod(seconds, 3600)
    moment = datetime.combine(date.fromordinal(day), time(hours, rest // 60, rest % 60), UTC)
    return local(moment, zone).toordinal() - day
