"""Times that questions name and memories seldom do.

Spans (*since March*, *between May and July*), parts of years, feasts, and years and weeks in other languages. Only
questions are searched for them, so what is stored of a memory does not change.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import cache
from itertools import pairwise
from typing import Final

from memwell._patterns import pattern
from memwell.ports.store.search import Interval
from memwell.retrieval.analysis.calendar_words import MONTHS
from memwell.retrieval.analysis.days import (
    Days,
    Mention,
    Resolve,
    day_span,
    month_span,
    nearest_year,
    on_day,
    unit_span,
    weekday_span,
    year_span,
)

__all__ = ["mentions", "spanned"]

_DIGIT: Final = pattern(r"\d")
_YEAR: Final = pattern(
    r"\b(?:(?:im |in het |nell'|l'|no |el |w |v |i )?(?:jahre?|jaar|annee|anno|ano|aret|ar|yil|vuonna)"
    r"|en|em|nel|i|в|у|w|v|за|عام|سنة|العام|שנת) ((?:19|20)\d\d)\b(?!-\w| ?[/.:]\d)"
    r"|(?<![\d./-])((?:19|20)\d\d)(?: (?:году|года|год|рік|році|roku|roce|yilinda|yili|में|साल)(?!\w)"
    r"|-?ben\b|-?ban\b|'?[td][ea]\b)"
)
_PART: Final = pattern(
    r"\b(?:the )?(first|second|1st|2nd) half of (?:the year )?((?:19|20)\d\d)\b|\bq([1-4]),? (?:of )?((?:19|20)\d\d)\b"
    r"|\b(early|mid|late|the beginning of|the end of)[ -]((?:19|20)\d\d)\b|\b(?:the )?((?:19|20)\d)0'?s\b"
)
_FEAST: Final = pattern(
    r"\b(?=[chnvws])(christmas(?: eve| day)?|new year's eve|new year's day|halloween|valentine's day|weihnachten"
    r"|silvester|navidad)"
    r"(?:,? (?:of |in |de )?((?:19|20)\d\d))?\b"
)
_OF_FEASTS: Final = ("christmas", "year's", "halloween", "valentine's", "weihnachten", "silvester", "navidad")
"""A text without any of these names no feast."""
_FEASTS: Final[dict[str, tuple[int, int, int]]] = {
    "new year's eve": (12, 31, 31), "new year's day": (1, 1, 1), "halloween": (10, 31, 31),
    "valentine's day": (2, 14, 14),
    "silvester": (12, 31, 31), "christmas eve": (12, 24, 24), "christmas day": (12, 25, 25),
}  # fmt: skip
"""Name → month, first and last day; all others are Christmas."""
_WEEKS: Final = """
先週 上周 上週 上星期 上个星期 지난주 पिछले_हफ्ते पिछले_सप्ताह الاسبوع_الماضي שבוע_שעבר สัปดาห์ที่แล้ว
今週 这周 這週 本周 本週 这个星期 이번_주 이번주 इस_हफ्ते इस_सप्ताह هذا_الاسبوع השבוע สัปดาห์นี้
来週 來週 下周 下週 다음_주
"""
_MONTHLY: Final = """
先月 上个月 上個月 上月 지난달 지난_달 पिछले_महीने الشهر_الماضي חודש_שעבר เดือนที่แล้ว
今月 这个月 這個月 本月 이번_달 इस_महीने هذا_الشهر החודש เดือนนี้
来月 來月 下个月 下個月 다음_달
"""
_YEARLY: Final = """
去年 昨年 작년 지난해 पिछले_साल العام_الماضي السنة_الماضية שנה_שעברה ปีที่แล้ว
今年 올해 इस_साल هذا_العام هذه_السنة השנה ปีนี้
来年 來年 明年 내년
"""
_RELATIVE: Final = {
    words.replace("_", " "): (unit, step)
    for unit, lines in (("week", _WEEKS), ("month", _MONTHLY), ("year", _YEARLY))
    for step, line in zip((-1, 0, 1), lines.strip().split("\n"), strict=True)
    for words in line.split()
}
"""The last, this and the next week, month and year."""
_LAST_WEEKDAY: Final = pattern(r"\bi (man|tis|tirs|ons|tors|fre|lor|son)dags\b")
_WEEKDAYS: Final = {"man": 0, "tis": 1, "tirs": 1, "ons": 2, "tors": 3, "fre": 4, "lor": 5, "son": 6}
_MONTH: Final = {
    "de": "vom von seit ab aus dem zwischen", "fr": "de du depuis entre", "es": "de desde entre",
    "it": "di da dal a tra fra", "pt": "de desde entre", "nl": "van uit sinds tussen", "sv": "fran sedan mellan",
    "da": "fra siden mellem", "nb": "fra siden mellom", "ru": "за с между", "pl": "z od", "cs": "z od", "id": "dari",
}  # fmt: skip
"""Language → what stands before a month in a question."""
_WORD: Final = pattern(r"[^\W\d_]+")
_SINCE: Final = pattern(
    r"\b(?:since|after|seit|depuis|desde|dal|dall'|sinds|sedan|siden|с)\s+(?:dem\s+|the\s+|le\s+|el\s+)?$"
)
_FROM: Final = pattern(
    r"\b(?:between|from|zwischen|von|vom|entre|du|de|desde|dal|tra|fra|tussen|van|mellan|mellem|mellom|между|с)\s+"
    r"(?:dem\s+|the\s+|le\s+|el\s+)?$"
)
_TO: Final = pattern(
    r"\s*(?:and|to|until|till|through|-|–|und|bis|et|au|a|al|y|hasta|e|ao|en|tot|och|og|til|и|по)"
    r"(?: zum| dem| the| el| la| le)?\s*"
)


def mentions(low: str) -> Iterator[Mention]:
    """Such times in a question in plain lower case (see `foreign_dates.plain`), but for spans."""
    if _DIGIT.search(low):
        for match in _YEAR.finditer(low):
            yield _mention(match, year_span(int(match[1] or match[2])))
        for match in _PART.finditer(low):
            yield _mention(match, _part(match))
    for match in _FEAST.finditer(low) if any(map(low.__contains__, _OF_FEASTS)) else ():
        yield Mention(match.start(), match.end(), False, _feast(match[1], match[2]))
    for match in _LAST_WEEKDAY.finditer(low) if "dags" in low else ():
        yield Mention(match.start(), match.end(), True, _weekday(_WEEKDAYS[match[1]]))
    for words, (unit, step) in () if low.isascii() else _RELATIVE.items():
        if (at := low.find(words)) >= 0:
            yield Mention(at, at + len(words), True, _unit(unit, step))
    if not _month_names().isdisjoint(_WORD.findall(low)):
        yield from _months(low)


@cache
def _month_names() -> frozenset[str]:
    return frozenset(name for code in _MONTH for name in MONTHS[code].replace("/", " ").split())


def spanned(found: Sequence[Mention], low: str) -> list[Mention]:
    """The mentions of a question, in order, with those that are the ends of a span as one."""
    spans: list[Mention] = []
    for each in found:
        before = low[: each.start]
        if (
            spans
            and _TO.fullmatch(low, spans[-1].end, each.start)
            and (start := _FROM.search(low[: spans[-1].start]))
        ):
            spans[-1] = Mention(start.start(), each.end, True, _between(spans[-1].days, each.days))
        elif start := _SINCE.search(before):
            spans.append(Mention(start.start(), each.end, True, _since(each.days)))
        else:
            spans.append(each)
    return spans


def _mention(match: re.Match[str], days: Interval | None) -> Mention:
    return Mention(match.start(), match.end(), True, days)


def _part(match: re.Match[str]) -> Interval | None:
    half, of, quarter, of_quarter, edge, of_edge, decade = match.groups()
    if half:
        return _months_of(int(of), 1, 6) if half in ("first", "1st") else _months_of(int(of), 7, 12)
    if quarter:
        return _months_of(int(of_quarter), 3 * int(quarter) - 2, 3 * int(quarter))
    if edge:
        first = {"mid": 5, "late": 9, "the end of": 9}.get(edge, 1)
        return _months_of(int(of_edge), first, first + 3)
    return _joined(year_span(int(decade) * 10), year_span(int(decade) * 10 + 9))


def _months_of(year: int, first: int, last: int) -> Interval | None:
    return _joined(month_span(year, first), month_span(year, last))


def _joined(one: Interval | None, other: Interval | None) -> Interval | None:
    return (min(one[0], other[0]), max(one[1], other[1])) if one and other else None


def _feast(name: str, year: str | None) -> Resolve:
    month, first, last = _FEASTS.get(name, (12, 24, 26))

    def resolve(ref: date) -> Interval | None:
        of = int(year) if year else ref.year - ((month, first) > (ref.month, ref.day))
        return _joined(day_span(of, month, first), day_span(of, month, last))

    return resolve


def _weekday(number: int) -> Resolve:
    return lambda ref: weekday_span(number, ref, -1)


def _unit(unit: str, step: int) -> Resolve:
    return lambda ref: unit_span(unit, ref, step)


def _months(low: str) -> Iterator[Mention]:
    """A month behind a preposition."""
    known = _numbers()
    for before, word in pairwise(_WORD.finditer(low)):
        if number := known.get((before[0], word[0])):
            yield Mention(word.start(), word.end(), False, _month(number))


@cache
def _numbers() -> Mapping[tuple[str, str], int]:
    """A preposition and the name of a month behind it → the number of the month."""
    found: dict[tuple[str, str], int] = {}
    for code, prepositions in _MONTH.items():
        for number, names in enumerate(MONTHS[code].split(), 1):
            for preposition in prepositions.split():
                for name in names.split("/"):
                    found.setdefault((preposition, name), number)
    return found


def _month(number: int) -> Resolve:
    return lambda ref: month_span(nearest_year(number, ref), number)


def _since(begins: Days | None) -> Resolve:
    def resolve(ref: date) -> Interval | None:
        days = on_day(begins, ref)
        return days and (days[0], max(days[0], ref.toordinal()))

    return resolve


def _between(begins: Days | None, ends: Days | None) -> Resolve:
    """The first end is understood as seen from the second: *between March and May 2024*."""

    def resolve(ref: date) -> Interval | None:
        last = on_day(ends, ref)
        if last is None:
            return None
        first = on_day(
            begins, min(date.fromordinal(last[0]) - timedelta(days=1), ref) if last[0] > 1 else ref
        )
        return _joined(first, last)

    return resolve
