"""Time expressions in other languages than English: dates with month names, weekdays, and words such as *gestern*.

They are read in a text in lower case in which each character with a diacritic is the plain one, and each digit an ASCII
digit (`plain`). So places in it are places in the text. The languages are those of
`memwell.retrieval.analysis.calendar_words`, and Chinese, Japanese and Korean.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence, Set
from functools import cache
from typing import Final

from memwell._patterns import pattern
from memwell.ports.store.search import Interval
from memwell.retrieval.analysis.calendar_words import MONTHS, SHORT_MONTHS, WEEKDAYS
from memwell.retrieval.analysis.days import (
    Days,
    Mention,
    Resolve,
    around_span,
    day_span,
    month_span,
    nearest_year,
    unit_span,
    weekday_span,
    year_span,
)
from memwell.retrieval.analysis.scanning import DIGITS, PIECE, Stretch, places_of, stretches

__all__ = [
    "CJK_DAYS",
    "QUALIFIED",
    "QUALIFIERS",
    "may_mention",
    "mentions",
    "named_words",
    "plain",
    "telling",
    "triggers",
]

_NAMED_DAYS: Final = {
    "gestern": -1, "vorgestern": -2, "heute": 0, "ubermorgen": 2,
    "aujourd'hui": 0, "demain": 1, "avant-hier": -2, "apres-demain": 2, "hier soir": -1, "hier matin": -1,
    "ayer": -1, "anteayer": -2, "hoy": 0, "pasado manana": 2,
    "ieri": -1, "oggi": 0, "domani": 1, "l'altro ieri": -2, "dopodomani": 2,
    "ontem": -1, "anteontem": -2, "hoje": 0, "amanha": 1, "depois de amanha": 2,
    "gisteren": -1, "eergisteren": -2, "vandaag": 0, "overmorgen": 2,
    "igar": -1, "i gar": -1, "i forgar": -2, "forrgar": -2, "idag": 0, "i dag": 0, "imorgon": 1, "i morgon": 1,
    "i overmorgon": 2, "i morgen": 1, "i overmorgen": 2,
    "eilen": -1, "toissapaivana": -2, "tanaan": 0, "huomenna": 1, "ylihuomenna": 2,
    "вчера": -1, "позавчера": -2, "сегодня": 0, "завтра": 1, "послезавтра": 2,
    "вчора": -1, "сьогодні": 0, "wczoraj": -1, "przedwczoraj": -2, "dzisiaj": 0, "dzis": 0, "jutro": 1, "pojutrze": 2,
    "vcera": -1, "predevcirem": -2, "dnes": 0, "zitra": 1, "pozitri": 2,
    "dun": -1, "bugun": 0, "yarin": 1, "tegnap": -1, "tegnapelott": -2, "holnap": 1, "holnaputan": 2,
    "alaltaieri": -2, "astazi": 0, "poimaine": 2, "ahir": -1, "avui": 0, "dema": 1,
    "χθες": -1, "χτες": -1, "προχθες": -2, "σημερα": 0, "αυριο": 1, "μεθαυριο": 2,
    "kemarin": -1, "hari ini": 0, "besok": 1, "امس": -1, "اليوم": 0, "غدا": 1, "आज": 0,
}  # fmt: skip
_CJK_DAYS: Final = {
    "昨天": -1, "前天": -2, "今天": 0, "明天": 1, "后天": 2, "昨日": -1, "一昨日": -2, "今日": 0, "明日": 1,
    "明後日": 2, "어제": -1, "그저께": -2, "오늘": 0, "내일": 1, "모레": 2,
}  # fmt: skip
_FRENCH: Final = pattern(
    r"\b(?:j|je|nous|vous|elle|ils?|on|le|les|du|une?|est|etait|a|au|aux|avec|qui|que|quoi)\b"
)
_GERMAN: Final = pattern(r"\b(?:ich|ist|der|das|und|wir|nicht|ein|eine|hier ist)\b")
_STEPS: Final = {
    word: step
    for step, words in (
        (-1, "letzte letzten letzter letztes vorige vorigen voriges vergangene vergangenen dernier derniere passe "
             "passee pasado pasada scorso scorsa passato passata passado passada afgelopen vorig forra sidste "
             "forrige siste прошлыи прошлую прошлои прошлом прошлое gecen trecut trecuta viime mult zeszly "
             "zeszlym zeszlego minuly minulou minulyi"),
        (1, "nachste nachsten nachster nachstes kommende kommenden kommender kommendes prochain prochaine proximo "
            "proxima prossimo prossima volgende komende nasta naste neste следующии следующую следующеи следующем "
            "следующее gelecek onumuzdeki viitor viitoare ensi jovo przyszly przyszlym pristi"),
    )
    for word in words.split()
}  # fmt: skip
_UNITS: Final = {
    word: unit
    for unit, words in (
        ("day", "tage tagen jour jours dia dias giorno giorni dag dagen dagar dage dager день дня днеи gun gunde zi "
                "zile paiva paivaa nappal dni dzien dzen"),
        ("week", "woche wochen semaine semaines semana semanas settimana settimane week weken vecka veckan veckor uge "
                 "ugen uger uke uken uker неделя неделю недели неделе недель hafta haftada saptamana saptamani viikko "
                 "viikolla viikkoa het heten hettel tydzien tygodniu tygodnie tyden"),
        ("month", "monat monats monate monaten mois mes meses mese mesi mesos maand maanden manad manaden manader "
                  "maned maneden maneder месяц месяца месяцев месяце ay luna luni kuukausi kuukautta honap honapban "
                  "honappal miesiac miesiacu miesiace mesic"),
        ("year", "jahr jahre jahren jahres ans annee annees ano anos anno anni jaar ar aret år год года лет году yil "
                 "anul ani vuosi vuotta vuonna ev evben evvel rok roku lata"),
    )
    for word in words.split()
}  # fmt: skip
_COUNTS: Final = {
    word: count
    for count, words in enumerate(
        ("ein einem einer einen eine un une una uno um uma een en ett et",
         "zwei deux dos due dois duas twee tva to два две",
         "drei trois tres tre drie три", "vier quatre cuatro quattro quatro fyra fire четыре",
         "funf cinq cinco cinque vijf fem пять", "sechs six seis sei zes sex seks шесть",
         "sieben sept siete sette sete zeven sju syv семь", "acht huit ocho otto oito atta otte atte восемь",
         "neun neuf nueve nove negen nio ni девять", "zehn dix diez dieci dez tien tio ti десять"),
        1,
    )
    for word in words.split()
}  # fmt: skip
_BEFORE: Final = {
    "de": "im", "fr": "en", "es": "en", "it": "a in", "pt": "em", "nl": "in", "sv": "i", "nb": "i", "da": "i",
    "ru": "в", "pl": "w", "cs": "v", "ro": "in", "uk": "у в", "ca": "al", "id": "bulan",
}  # fmt: skip
"""Language → what stands before a month without a day or year. *In Mars* is no March, so French asks for *en*."""

ENGLISH_MONTHS: Final = frozenset(
    "january february march april may june july august september october november december "
    "jan feb mar apr jun jul aug sep sept oct nov dec".split()
)
_LETTERS: Final = r"[^\s\d.,;:!?()\[\]\"“”«»„/\\…—–]+"
_WORD: Final = pattern(_LETTERS)
_LINK: Final = r"(?:de |di |do |d['’]|of )?"
_DATE: Final = pattern(
    rf"(\d(?<![\w.,:/-]\d)\d?)(?:\.|er|º|ª|°|:e|-?(?:го|е)(?=\s))? ?{_LINK}({_LETTERS})"
    r"\.?(?:,? (?:de |del |do |din )?(\d{4})(?!\d))?"
)
_MONTH_FIRST: Final = pattern(rf"(?:(?<!\d)(\d{{4}})\.?,? (?:m\. )?)?({_LETTERS}) (\d\d?)(?!\d|:\d)")
_MONTH_YEAR: Final = pattern(rf"({_LETTERS})\.?,? (?:de |del |do |din )?(\d{{4}})(?!\d)")
_AGO: Final = pattern(
    rf"(?:\b(?:vor|il y a|hace|ha|for|acum) )(\d{{1,3}}|{_LETTERS}) ({_LETTERS})"
    rf"|(?<!\w)(\d{{1,3}}|{_LETTERS}) ({_LETTERS})"
    r" (?:fa|geleden|sedan|siden|назад|once|sitten|ezelott|temu)\b"
)
QUALIFIERS: Final = frozenset(
    [*_STEPS, *"vor hace ha for acum fa geleden sedan siden назад once sitten ezelott temu".split(), "il"]
)
"""Words without which a unit is no time."""
QUALIFIED: Final = frozenset(_UNITS)
_DIGIT: Final = pattern("[0-9]")
_BEHIND_DAY: Final = 12
"""Characters from a day to the name of its month at most."""
_MARGIN: Final = 48
"""Characters on both sides of a word within which the rest of a time stands."""
_CJK_DATE: Final = pattern(
    r"(?:(?<!\d)(\d{4}) ?[年년] ?)(?:(\d\d?) ?[月월] ?(?:(\d\d?) ?[日号號일])?)?"
    r"|(?<!\d)(\d\d?) ?[月월] ?(\d\d?) ?[日号號일]"
)
CJK_DAYS: Final = pattern("|".join(sorted(_CJK_DAYS, key=len, reverse=True)))
_CJK: Final = pattern("[年월월月年昨今明前后어오내그모一年]")


@cache
def _months() -> dict[str, int]:
    return _numbered(MONTHS)


@cache
def _all_months() -> dict[str, int]:
    """With the short names, which count beside a day and a year only."""
    return _numbered(SHORT_MONTHS) | _months()


@cache
def _short_months() -> frozenset[str]:
    """Short names of months that are no words of time without a number."""
    return frozenset(_all_months()) - frozenset(_months()) - frozenset(_weekdays()) - named_words()


@cache
def _weekdays() -> dict[str, int]:
    return {word: number - 1 for word, number in _numbered(WEEKDAYS).items()}


def _numbered(table: dict[str, str]) -> dict[str, int]:
    return {
        word: number
        for line in table.values()
        for number, words in enumerate(line.split(), 1)
        for word in words.split("/")
        if word != "-"
    }


@cache
def _bare_months() -> frozenset[str]:
    """A preposition and a month."""
    return frozenset(
        f"{before} {word}"
        for language, words in _BEFORE.items()
        for before in words.split()
        for word in MONTHS[language].replace("/", " ").split()
        if not (before == "in" and word in ("mars", "april", "august", "september", "november"))
    )


@cache
def triggers() -> frozenset[str]:
    """Pieces (`PIECE`) of which a text has one if it mentions such a time, but for Chinese, Japanese and Korean. The
    months that English has too are left out.
    """
    words = {*_all_months(), *_weekdays(), *named_words()} - ENGLISH_MONTHS
    return (
        frozenset(max(pieces, key=len) for word in words if (pieces := PIECE.findall(word))) - ENGLISH_MONTHS
    )


@cache
def telling() -> frozenset[str]:
    """The pieces of a text that `mentions` asks for."""
    return triggers() | QUALIFIERS


def named_words() -> set[str]:
    """The last words of days by name, and units."""
    last = {phrase.rsplit(None, 1)[-1] for phrase in _NAMED_DAYS}
    return last | {"hier", "morgen", "manana"} | _UNITS.keys() | _CJK_DAYS.keys()


@cache
def _last_words() -> frozenset[str]:
    """The words with which a day by name, a weekday, a unit or a month without a number ends."""
    return frozenset({*named_words(), *_weekdays(), *_months()})


@cache
def _plain_characters() -> dict[int, str]:
    table = {
        ord("ı"): "i",
        ord("ø"): "o",
        ord("ł"): "l",
        ord("đ"): "d",
        ord("’"): "'",
        0xA0: " ",
        0x202F: " ",
    }
    for code in (*range(0xC0, 0x250), *range(0x370, 0x530), *range(0x620, 0x650), *range(0x1E00, 0x2000)):
        base = unicodedata.normalize("NFD", chr(code))
        if len(base) > 1 and len(bare := "".join(c for c in base if not unicodedata.combining(c))) == 1:
            table[code] = bare
    for start in (0x660, 0x6F0, 0x966, 0x9E6, 0xE50, 0xFF10):
        table |= {start + digit: str(digit) for digit in range(10)}
    return table


def plain(text: str) -> str:
    """A text in lower case, with plain characters in place of those with diacritics, and with ASCII digits."""
    low = text.lower()
    return low if low.isascii() else low.translate(_plain_characters())


def may_mention(text: str, time_words: Set[str]) -> bool:
    """Whether a text of these words of times is to be searched by `mentions`."""
    if not text.isascii():
        return True
    seen = triggers() & time_words
    return bool(seen if DIGITS in time_words else seen - _short_months())


def mentions(low: str, text: str, time_words: Set[str]) -> list[Mention]:
    """The times that a text mentions, in any order. `low` is its plain form, `time_words` are the words of `telling` in
    it.
    """
    seen = triggers() & time_words
    if not seen and low.isascii():
        return []
    found = [*_cjk_mentions(low)]
    counted = not seen.isdisjoint(QUALIFIED) and not QUALIFIERS.isdisjoint(time_words)
    if not counted:  # "for years" is no time
        seen -= QUALIFIED
    for stretch in stretches(low, _places(low, seen), _MARGIN):
        words = list(_WORD.finditer(low, *stretch))
        if _names_month(words):
            found += _dates(low, stretch)
        found += _words(low, text if len(text) == len(low) else low, words)
        if counted:
            found += _ago(low, stretch)
    return found


def _places(low: str, seen: Set[str]) -> Iterator[int]:
    """Where these words stand; a short name of a month (*set* for September) only behind a number."""
    short = _short_months()
    yield from places_of(low, seen - short)
    for place in places_of(low, seen & short):
        if _DIGIT.search(low, max(0, place - _BEHIND_DAY), place):
            yield place


def _cjk_mentions(low: str) -> Iterator[Mention]:
    """Times in Chinese, Japanese and Korean."""
    if low.isascii() or _CJK.search(low) is None:
        return
    for match in _CJK_DATE.finditer(low):
        year, month, day, other_month, other_day = (int(part) if part else None for part in match.groups())
        yield Mention(
            match.start(), match.end(), year is not None, _dated(year, month or other_month, day or other_day)
        )
    for match in CJK_DAYS.finditer(low):
        yield Mention(match.start(), match.end(), True, _named(_CJK_DAYS[match[0]]))


def _names_month(words: Sequence[re.Match[str]]) -> bool:
    names = [name for word in words for name in {word[0], word[0].rpartition("'")[2]}]
    return not _all_months().keys().isdisjoint(names)


def _dates(low: str, stretch: Stretch) -> Iterator[Mention]:
    if _DIGIT.search(low, *stretch) is None:
        return
    for match in _DATE.finditer(low, *stretch):
        known = _all_months() if match[3] else _months()
        if (month := known.get(match[2])) is not None:
            year = int(match[3]) if match[3] else None
            yield Mention(match.start(), match.end(), year is not None, _dated(year, month, int(match[1])))
    for match in _MONTH_FIRST.finditer(low, *stretch):
        if (month := _months().get(match[2])) is not None:
            year = int(match[1]) if match[1] else None
            yield Mention(match.start(), match.end(), year is not None, _dated(year, month, int(match[3])))
    for match in _MONTH_YEAR.finditer(low, *stretch):
        if (month := _months().get(match[1])) is not None:
            yield Mention(match.start(), match.end(), True, _dated(int(match[2]), month, None))


def _words(low: str, text: str, words: Sequence[re.Match[str]]) -> Iterator[Mention]:
    """Named days, weekdays, units and bare months, by one or two words and their neighbours."""
    known = _last_words()
    for at, word in enumerate(words):
        if word[0] not in known and word[0].rpartition("'")[2] not in known:
            continue
        before = words[at - 1][0] if at else ""
        for length in (3, 2, 1):
            first = words[at - length + 1] if at + 1 >= length else None
            days = None if first is None else _NAMED_DAYS.get(low[first.start() : word.end()])
            if first is not None and days is not None:
                yield Mention(first.start(), word.end(), True, _named(days))
                break
        else:
            if (days := _in_context(word[0], before, low, text[word.start()])) is not None:
                yield Mention(word.start(), word.end(), True, _named(days))
        yield from _beside(words, at)
        if f"{before} {word[0]}" in _bare_months():
            yield Mention(word.start(), word.end(), False, _dated(None, _months()[word[0]], None))


def _in_context(word: str, before: str, low: str, letter: str) -> int | None:
    """Days from today of words that mean a day in one language or context only."""
    if word == "hier" and _FRENCH.search(low) and not _GERMAN.search(low):
        return -1
    if (
        word == "morgen"
        and letter == "m"
        and before not in ("guten", "heute", "gestern", "goede", "god", "jeden", "i")
    ):
        return 1
    if word == "manana" and before not in ("la", "esta", "cada", "una", "de", "pasado"):
        return 1
    return None


def _beside(words: Sequence[re.Match[str]], at: int) -> Iterator[Mention]:
    """A weekday or unit with a word for the last or next one before or after it; a weekday also alone."""
    word = words[at][0].rpartition("'")[2]
    weekday, unit = _weekdays().get(word), _UNITS.get(word)
    if weekday is None and unit is None:
        return
    start, end, step = words[at].start(), words[at].end(), 0
    for other in words[max(0, at - 1) : at + 2]:
        if other[0] in _STEPS:
            start, end, step = min(start, other.start()), max(end, other.end()), _STEPS[other[0]]
            break
    if weekday is not None:
        yield Mention(start, end, bool(step), lambda ref: weekday_span(weekday, ref, step))
    elif unit is not None and step:
        yield Mention(start, end, True, lambda ref: unit_span(unit, ref, step))


def _ago(low: str, stretch: Stretch) -> Iterator[Mention]:
    for match in _AGO.finditer(low, *stretch):
        number, unit = match[1] or match[3], _UNITS.get(match[2] or match[4])
        count = int(number) if number.isdigit() else _COUNTS.get(number)
        if unit is not None and count is not None:
            days = -count * {"day": 1, "week": 7, "month": 30, "year": 365}[unit]
            yield Mention(match.start(), match.end(), True, _around(days, unit))


def _around(days: int, unit: str) -> Resolve:
    return lambda ref: around_span(ref, days, unit)


def _named(days: int) -> Resolve:
    return lambda ref: around_span(ref, days, "day")


def _dated(year: int | None, month: int | None, day: int | None) -> Days | None:
    """A day, month or year; without a year of the nearest one."""
    if year is None:
        return None if month is None else lambda ref: _in_month(nearest_year(month, ref), month, day)
    return year_span(year) if month is None else _in_month(year, month, day)


def _in_month(year: int, month: int, day: int | None) -> Interval | None:
    return month_span(year, month) if day is None else day_span(year, month, day)
