"""Spans of days on the calendar, as pairs of ordinals.

An interval is a pair of proleptic ordinals ``(first_day, last_day)``, both included (see
`datetime.date.toordinal`): two integers, cheap to store, compare and index.
"""

from __future__ import annotations

from datetime import date

Interval = tuple[int, int]
"""First and last day, both included, as proleptic ordinals."""

SEASONS = {"spring": 3, "summer": 6, "fall": 9, "autumn": 9, "winter": 12}
"""First month of each season of the northern half of the world."""


def day_span(year: int, month: int, day: int) -> Interval | None:
    """That day; None when the calendar has none such."""
    try:
        found = date(year, month, day).toordinal()
    except ValueError:
        return None
    return found, found


def month_span(year: int, month: int, part: str | None = None) -> Interval | None:
    """That month, or its early, middle or late third."""
    if not 1 <= year <= 9998 or not 1 <= month <= 12:
        return None
    first = date(year, month, 1).toordinal()
    last = date(year + month // 12, month % 12 + 1, 1).toordinal() - 1
    if not part:
        return first, last
    if "mid" in part:
        return first + 9, first + 20
    return (first + 20, last) if part.startswith("late") or "end" in part else (first, first + 10)


def season_span(year: int, name: str) -> Interval | None:
    """Three months from the first of the season."""
    if not 1 <= year <= 9998:
        return None
    first = date(year, SEASONS[name], 1).toordinal()
    return first, first + 91


def year_span(year: int) -> Interval | None:
    """That year."""
    if not 1 <= year <= 9998:
        return None
    return date(year, 1, 1).toordinal(), date(year, 12, 31).toordinal()


def around_span(ref: date, days: int, unit: str) -> Interval | None:
    """An interval `days` from `ref` as wide as its unit is vague (a third of it on either side)."""
    centre = ref.toordinal() + days
    if unit in ("day", "night"):
        return centre, centre
    if unit == "year":
        return year_span(ref.year + round(days / 365))
    slack = {"weekend": 2, "week": 3, "fortnight": 5, "month": 15}[unit]
    return centre - slack, centre + slack


def unit_span(unit: str, ref: date, now: int, step: int) -> Interval | None:
    """The calendar week, weekend, month or year `step` from the one of `ref`."""
    monday = now - ref.weekday() + 7 * step
    if unit in ("week", "fortnight"):
        return monday, monday + 6
    if unit == "weekend":
        return monday + 4, monday + 6
    if unit == "month":
        index = ref.year * 12 + ref.month - 1 + step
        return month_span(index // 12, index % 12 + 1)
    return year_span(ref.year + step) if unit == "year" else (now + step, now + step)


def weekday_span(day: int, ref: date, step: int) -> Interval:
    """The weekday before `ref` (-1), of its own week (0), or after it (1)."""
    now, delta = ref.toordinal(), (day - ref.weekday()) % 7
    found = now + (delta or 7) - 7 if step < 0 else now + (delta or 7)
    if step < 0 and delta == 0:
        found = now - 7
    return (found, found) if step else (now - (-delta % 7), now + delta)


def distance(a: Interval, b: Interval) -> int:
    """Days between two intervals; 0 when they share a day."""
    return max(0, a[0] - b[1], b[0] - a[1])
