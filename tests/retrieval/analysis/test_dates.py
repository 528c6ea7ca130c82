"""Time expressions become intervals of days, resolved against the day they were said."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from memwell.retrieval.analysis import dates
from memwell.retrieval.analysis.calendar_words import MONTHS
from memwell.retrieval.analysis.chunks import read
from memwell.retrieval.analysis.dates import intervals, resolved
from memwell.retrieval.analysis.days import distance, month_span, on_calendar, weekday_span
from memwell.retrieval.analysis.features import describe
from memwell.retrieval.analysis.foreign_dates import ENGLISH_MONTHS
from memwell.retrieval.analysis.words import languages

SAID = date(2023, 7, 19)
"""A Wednesday."""


def named(text: str, said: date = SAID) -> list[tuple[str, str]]:
    """First and last days named, as ISO dates."""
    return [
        (date.fromordinal(first).isoformat(), date.fromordinal(last).isoformat())
        for first, last in intervals(text, said)
    ]


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        # days by name
        ("today", "2023-07-19", "2023-07-19"),
        ("tonight we dance", "2023-07-19", "2023-07-19"),
        ("this morning", "2023-07-19", "2023-07-19"),
        ("yesterday", "2023-07-18", "2023-07-18"),
        ("last night", "2023-07-18", "2023-07-18"),
        ("the day before yesterday", "2023-07-17", "2023-07-17"),
        ("Tomorrow!", "2023-07-20", "2023-07-20"),
        ("the day after tomorrow", "2023-07-21", "2023-07-21"),
        # so many units from now
        ("3 days ago", "2023-07-16", "2023-07-16"),
        ("a couple of days ago", "2023-07-17", "2023-07-17"),
        ("two weeks ago", "2023-07-02", "2023-07-08"),
        ("a week earlier", "2023-07-09", "2023-07-15"),
        ("a fortnight ago", "2023-06-30", "2023-07-10"),
        ("a month ago", "2023-06-04", "2023-07-04"),
        ("two years back", "2021-01-01", "2021-12-31"),
        ("ten years ago", "2013-01-01", "2013-12-31"),
        ("in 3 days", "2023-07-22", "2023-07-22"),
        ("in two weeks", "2023-07-30", "2023-08-05"),
        ("five days from now", "2023-07-24", "2023-07-24"),
        ("the last three weeks", "2023-06-28", "2023-07-19"),
        ("the past 2 months", "2023-05-20", "2023-07-19"),
        ("the next two days", "2023-07-19", "2023-07-21"),
        ("recently", "2023-07-05", "2023-07-19"),
        ("the other day", "2023-07-05", "2023-07-19"),
        # units beside now
        ("the following day", "2023-07-20", "2023-07-20"),
        ("last week", "2023-07-10", "2023-07-16"),
        ("this week", "2023-07-17", "2023-07-23"),
        ("next week", "2023-07-24", "2023-07-30"),
        ("last weekend", "2023-07-14", "2023-07-16"),
        ("this past weekend", "2023-07-14", "2023-07-16"),
        ("next weekend", "2023-07-28", "2023-07-30"),
        ("last month", "2023-06-01", "2023-06-30"),
        ("next month", "2023-08-01", "2023-08-31"),
        ("last year", "2022-01-01", "2022-12-31"),
        ("next year", "2024-01-01", "2024-12-31"),
        # weekdays
        ("last Friday", "2023-07-14", "2023-07-14"),
        ("next Friday", "2023-07-21", "2023-07-21"),
        ("last Wednesday", "2023-07-12", "2023-07-12"),
        ("next Wednesday", "2023-07-26", "2023-07-26"),
        ("on Friday", "2023-07-14", "2023-07-21"),
        ("Wednesday", "2023-07-19", "2023-07-19"),
        # months and seasons
        ("last May", "2023-05-01", "2023-05-31"),
        ("last July", "2022-07-01", "2022-07-31"),
        ("this May", "2023-05-01", "2023-05-31"),
        ("next May", "2024-05-01", "2024-05-31"),
        ("next July", "2024-07-01", "2024-07-31"),
        ("next December", "2023-12-01", "2023-12-31"),
        ("in March", "2023-03-01", "2023-03-31"),
        ("in January", "2023-01-01", "2023-01-31"),
        ("in February", "2023-02-01", "2023-02-28"),
        ("Sept 2021", "2021-09-01", "2021-09-30"),
        ("May of 2020", "2020-05-01", "2020-05-31"),
        ("early May", "2023-05-01", "2023-05-11"),
        ("mid-June", "2023-06-10", "2023-06-21"),
        ("late March 2022", "2022-03-21", "2022-03-31"),
        ("the end of August", "2023-08-21", "2023-08-31"),
        ("spring 2022", "2022-03-01", "2022-05-31"),
        ("summer 2022", "2022-06-01", "2022-08-31"),
        ("autumn of 2021", "2021-09-01", "2021-12-01"),
        ("fall 2021", "2021-09-01", "2021-12-01"),
        ("this summer", "2023-06-01", "2023-08-31"),
        ("next summer", "2024-06-01", "2024-08-31"),
        # dates
        ("May 5", "2023-05-05", "2023-05-05"),
        ("the 5th of May", "2023-05-05", "2023-05-05"),
        ("5 May 2022", "2022-05-05", "2022-05-05"),
        ("May 5th, 2022", "2022-05-05", "2022-05-05"),
        ("sept. 3", "2023-09-03", "2023-09-03"),
        ("July 5-7", "2023-07-05", "2023-07-07"),
        ("July 5-32", "2023-07-05", "2023-07-05"),
        ("July 5–7, 2021", "2021-07-05", "2021-07-07"),
        ("2022-03-05", "2022-03-05", "2022-03-05"),
        ("2022-3-5", "2022-03-05", "2022-03-05"),
        ("in 2022-03.", "2022-03-01", "2022-03-31"),
        ("3/4/2021", "2021-03-04", "2021-03-04"),
        ("25/12/21", "2021-12-25", "2021-12-25"),
        ("in 2020", "2020-01-01", "2020-12-31"),
        ("That was 1999.", "1999-01-01", "1999-12-31"),
    ],
)
def test_on_a_wednesday_in_july(text: str, first: str, last: str) -> None:
    assert named(text) == [(first, last)]
    assert named(f"We met Bo {text}, I think.") == [(first, last)]


def test_slashes_follow_the_language_of_the_text() -> None:
    assert named("¿Qué pasa el 3/4/2021?") == named("Was ist am 3/4/2021?") == [("2021-04-03", "2021-04-03")]
    assert named("¿Qué pasa el 3/25/2021?") == [("2021-03-25", "2021-03-25")]


@pytest.mark.parametrize(
    ("text", "said", "first", "last"),
    [
        ("yesterday", date(2024, 3, 1), "2024-02-29", "2024-02-29"),
        ("yesterday", date(2023, 3, 1), "2023-02-28", "2023-02-28"),
        ("last month", date(2024, 3, 31), "2024-02-01", "2024-02-29"),
        ("last month", date(2024, 1, 1), "2023-12-01", "2023-12-31"),
        ("next month", date(2023, 12, 31), "2024-01-01", "2024-01-31"),
        ("last week", date(2024, 1, 1), "2023-12-25", "2023-12-31"),
        ("last week", date(2023, 12, 31), "2023-12-18", "2023-12-24"),
        ("December", date(2024, 2, 29), "2023-12-01", "2023-12-31"),
        ("January", date(2023, 12, 31), "2024-01-01", "2024-01-31"),
        ("Dec 31", date(2024, 1, 2), "2023-12-31", "2023-12-31"),
        ("last summer", date(2023, 11, 1), "2023-06-01", "2023-08-31"),
        ("last summer", date(2024, 2, 1), "2023-06-01", "2023-08-31"),
        ("last winter", date(2023, 2, 1), "2022-12-01", "2023-03-02"),
        ("Feb 29", date(2024, 6, 1), "2024-02-29", "2024-02-29"),
        ("a year ago", date(2024, 2, 29), "2023-01-01", "2023-12-31"),
        ("tomorrow", date(1, 1, 1), "0001-01-02", "0001-01-02"),
        ("recently", date(1, 1, 5), "0001-01-01", "0001-01-05"),
        ("the last 3 years", date(1, 1, 1), "0001-01-01", "0001-01-01"),
        ("yesterday", date(9999, 12, 31), "9999-12-30", "9999-12-30"),
        ("9999-12-31", date(9999, 12, 31), "9999-12-31", "9999-12-31"),
        ("the next ten days", date(9999, 12, 30), "9999-12-30", "9999-12-31"),
        ("last year", date(9999, 12, 31), "9998-01-01", "9998-12-31"),
    ],
)
def test_on_other_days(text: str, said: date, first: str, last: str) -> None:
    assert named(text, said) == [(first, last)]


def test_counts_may_be_words() -> None:
    words = "one two three four five six seven eight nine ten eleven twelve".split()
    for count, word in enumerate(words, 1):
        assert named(f"{word} days ago") == named(f"{count} days ago") != []
    assert named("a day ago") == named("1 day ago")
    assert named("a few days ago") == named("3 days ago")
    assert named("several days ago") == named("4 days ago")


@pytest.mark.parametrize(
    "text",
    [
        "You may go, and march on",
        "It may rain this may",
        "the week, a day, some years",
        "Ana likes tea",
        "call 555-1234567",
        "2020 people came",
        "it is 10:30",
        "version 1.2.3",
        "half of 1/2",
        "2022-02-30 and 2022-13-01",
        "02/29/2023",
        "February 29, 2023",
        "0000-01-01",
        "a mayor marched in the augustan decor",
        "the server 10.20.30.40 runs 1.12.24-rc1",
        "Guten Morgen, wir wohnen hier",
        "I walk por la mañana",
        "5 out of 10, in Mars",
        "",
    ],
)
def test_no_time_is_named_by(text: str) -> None:
    assert named(text) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("the day before yesterday", date(1, 1, 1)),
        ("two weeks ago", date(1, 1, 1)),
        ("last year", date(1, 6, 1)),
        ("tomorrow", date(9999, 12, 31)),
        ("next month", date(9999, 12, 1)),
        ("in 999 years", date(9999, 1, 1)),
    ],
)
def test_what_lies_outside_the_calendar_is_left_out(text: str, said: date) -> None:
    """Days before the year 1 once broke the line of signals, and with it every recall of the owner."""
    assert intervals(text, said) == []


def test_may_the_month_is_capitalised() -> None:
    assert named("It may be in May") == [("2023-05-01", "2023-05-31")]
    assert named("We march in March") == [("2023-03-01", "2023-03-31")]
    assert named("5 march 2022") == [("2022-03-05", "2022-03-05")]


def test_several_times_come_in_order_and_once() -> None:
    assert named("yesterday, in May, and yesterday again; 2022-01-01") == [
        ("2023-07-18", "2023-07-18"),
        ("2023-05-01", "2023-05-31"),
        ("2022-01-01", "2022-01-01"),
    ]


def test_times_far_apart_in_a_long_text_are_all_found() -> None:
    filler = " and so on" * 500
    text = f"Two weeks ago{filler} yesterday{filler} on the 5th of May, 2022{filler}"
    assert [first for first, _ in named(text)] == ["2023-07-02", "2023-07-18", "2022-05-05"]


def test_the_longest_expression_is_taken() -> None:
    assert named("the day before yesterday") == [("2023-07-17", "2023-07-17")]
    assert named("late in the day, last Friday night") == [("2023-07-14", "2023-07-14")]


def test_a_datetime_counts_by_its_own_day() -> None:
    late = datetime(2023, 7, 19, 23, 59, tzinfo=UTC)
    assert intervals("yesterday", late) == intervals("yesterday", late.date())


def test_case_does_not_matter_but_for_may_and_march() -> None:
    assert named("LAST FRIDAY") == named("last friday") == [("2023-07-14", "2023-07-14")]
    assert named("Fünf am 2022-03-05, İstanbul") == [("2022-03-05", "2022-03-05")]


# ------------------------------------------------------------------------------------- other languages

ABROAD = {
    text: days
    for days, texts in {
        -5: "letzten Freitag|vendredi dernier|el viernes pasado|hace cinco días",
        -3: "vor drei Tagen|il y a 3 jours|tre giorni fa|drie dagen geleden|3 дня назад",
        -2: "Vorgestern war es kalt|avant-hier|för två dagar sedan",
        -1: "gestern|hier il a plu|ayer llovió|ieri sera|gisteren|i går|eilen|вчера|dün|tegnap|昨天下雨了|어제",
        0: "Aujourd’hui|heute Abend|今日は雨",
        1: "Wir fahren morgen|Mañana no puedo|amanhã|imorgon",
        2: "nächsten Freitag|übermorgen",
    }.items()
    for text in texts.split("|")
}
"""Text → days from the day it was said."""


@pytest.mark.parametrize(("text", "days"), ABROAD.items())
def test_days_relative_to_today_in_other_languages(text: str, days: int) -> None:
    day = date.fromordinal(SAID.toordinal() + days).isoformat()
    assert named(text) == named(text.upper() if "orgen" not in text else text) == [(day, day)]


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("letzte Woche", "2023-07-10", "2023-07-16"),
        ("l'année dernière", "2022-01-01", "2022-12-31"),
        ("el mes pasado", "2023-06-01", "2023-06-30"),
        ("на прошлой неделе", "2023-07-10", "2023-07-16"),
        ("im Mai", "2023-05-01", "2023-05-31"),
        ("en mayo", "2023-05-01", "2023-05-31"),
        ("w maju", "2023-05-01", "2023-05-31"),
        ("в мае", "2023-05-01", "2023-05-31"),
        ("am Freitag", "2023-07-14", "2023-07-21"),
        ("2024年", "2024-01-01", "2024-12-31"),
        ("2024年5月", "2024-05-01", "2024-05-31"),
        ("2 ago 2024", "2024-08-02", "2024-08-02"),
    ],
)
def test_periods_in_other_languages(text: str, first: str, last: str) -> None:
    assert named(text) == [(first, last)]


MONTH_NAMES = [
    (word, number)
    for line in MONTHS.values()
    for number, words in enumerate(line.split(), 1)
    for word in words.split("/")
    if word not in ENGLISH_MONTHS
]
DIGITS = [str.maketrans("0123456789", digits) for digits in ("0123456789", "٠١٢٣٤٥٦٧٨٩", "०१२३४५६७८९")]
WITH_WORDS = [
    "{d} {m} {y}", "{d}. {m} {y}", "{d} de {m} de {y}", "{d} {m}, {y}", "{y}. {m} {d}.", "le {d} {m} {y}",
    "am {d}. {m} {y} um 14:30 Uhr", "({d} {m} {y})", "{d} {m} {y} г.",
]  # fmt: skip
IN_DIGITS = [
    "{y}-{n:02}-{d:02}", "{y}/{n}/{d}", "{y}.{n:02}.{d:02}", "{d:02}.{n:02}.{y}", "{d}. {n}. {y}", "{d}.{n}.{y}",
    "{d}-{n:02}-{y}", "{n}/{d}/{y}", "{y}年{n}月{d}日", "{y}년 {n}월 {d}일", "{d:02}.{n:02}.{y:.2s}",
    "{y}-{n:02}-{d:02}T14:30",
]  # fmt: skip


@given(
    st.sampled_from(MONTH_NAMES),
    st.integers(1, 28),
    st.integers(2000, 2099),
    st.sampled_from(DIGITS),
    st.data(),
)
def test_a_date_in_any_form_and_language_is_that_day(
    month: tuple[str, int], day: int, year: int, digits: dict[int, str], data: st.DataObject
) -> None:
    name, number = month
    form = data.draw(st.sampled_from(WITH_WORDS) | st.sampled_from(IN_DIGITS))
    name = data.draw(st.sampled_from([name, name.title(), name.upper()]))
    shown = year % 100 if ":.2s" in form else year
    text = form.replace(":.2s", ":02").format(d=day, m=name, n=number, y=shown).translate(digits)
    expected = date(year, number, day).isoformat()
    assert named(text) == named(f"Bo · {text}") == [(expected, expected)]
    assert [*resolved(read(text).times, SAID)] == intervals(text, SAID)


@pytest.mark.parametrize("text", ["25/04/2024", "04/25/2024", "25-04-2024", "04-25-2024", "25.04.2024"])
def test_of_two_readings_that_which_exists_is_taken(text: str) -> None:
    assert named(text) == [("2024-04-25", "2024-04-25")]


# --------------------------------------------------------------------------------------------- any text

WORDS = (
    "a an the two 3 999 few several couple of in on next last this past coming ago back from now earlier "
    "day days week weeks weekend fortnight month months year years night early mid- late end beginning "
    "yesterday today tomorrow before after monday Friday May may March march june sept. dec february spring "
    "winter fall recently lately other morning 5 31 29th 2024 1999 0001 9999 2022-02-29 31/12/99 9/9/9999 "
    "9999-12 0001-01-01 tea, . ; - / : Ana ٢٠٢٤ ² İ"
).split()
TEXTS = st.one_of(
    st.text(),
    st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join),
    st.lists(st.sampled_from([*WORDS, "-", "/", " "]), max_size=12).map("".join),
)


@given(TEXTS, st.dates())
@example("the past 999 years", date(1, 1, 1))
@example("in 999 years, next year, next month, next weekend", date(9999, 12, 31))
def test_any_text_gives_ordered_days_of_the_calendar(text: str, said: date) -> None:
    for first, last in intervals(text, said):
        assert date.min.toordinal() <= first <= last <= date.max.toordinal()


@given(
    TEXTS.filter(lambda text: text.isascii() and not languages(text)) | st.sampled_from([*ABROAD]), st.dates()
)
@example("the other day", SAID)
@example("It may be", SAID)
@example("In May", SAID)
@example("AFTER 2000", date(2000, 1, 1))
def test_knowing_the_terms_changes_nothing(text: str, said: date) -> None:
    """A memory that was read is searched for fewer times, which finds as many. (A question has more forms of times.)"""
    every = dates._days(dates._search(text))
    assert resolved(read(text).times, said) == resolved(every, said)


@given(TEXTS, st.dates(date(2, 1, 1), date(9000, 1, 1)))
def test_other_words_around_change_nothing(text: str, said: date) -> None:
    sentence = text.strip() + " |"
    filler = "cats and dogs sat here | " * 8
    assert intervals(filler + sentence + filler, said) == intervals(sentence, said)


@given(st.dates(date(1000, 1, 1), date(9000, 1, 1)), st.integers(0, 6))
def test_the_last_and_the_next_weekday_are_within_a_week(said: date, weekday: int) -> None:
    last, following = weekday_span(weekday, said, -1)[0], weekday_span(weekday, said, 1)[0]
    assert date.fromordinal(last).weekday() == date.fromordinal(following).weekday() == weekday
    assert said.toordinal() - 7 <= last < said.toordinal() < following <= said.toordinal() + 7
    since, until = weekday_span(weekday, said, 0)
    assert (since, until) == ((said.toordinal(),) * 2 if said.weekday() == weekday else (last, following))


@given(st.dates(date(1, 1, 1), date(9998, 12, 31)))
def test_each_day_lies_in_its_month_and_in_a_third_of_it(day: date) -> None:
    spans = [month_span(day.year, day.month, part) for part in (None, "early", "mid", "late")]
    holds = [span is not None and span[0] <= day.toordinal() <= span[1] for span in spans]
    assert holds[0]
    assert any(holds[1:])


def test_distance_counts_the_days_between() -> None:
    assert distance((1, 5), (5, 9)) == 0
    assert distance((1, 5), (2, 3)) == 0
    assert distance((1, 5), (8, 9)) == distance((8, 9), (1, 5)) == 3


def test_an_interval_is_cut_to_the_calendar() -> None:
    assert on_calendar((-5, 5)) == (1, 5)
    assert on_calendar((-5, 0)) is None
    assert on_calendar((3, 5)) == (3, 5)


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("Was ist im Jahr 2021 passiert?", "2021-01-01", "2021-12-31"),
        ("Que s'est-il passé en 2021 ?", "2021-01-01", "2021-12-31"),
        ("Что произошло в 2021 году?", "2021-01-01", "2021-12-31"),
        ("ماذا حدث في عام 2021؟", "2021-01-01", "2021-12-31"),
        ("2021 में क्या हुआ?", "2021-01-01", "2021-12-31"),
        ("what happened in the first half of 2021", "2021-01-01", "2021-06-30"),
        ("what happened in Q3 2021", "2021-07-01", "2021-09-30"),
        ("the 1990s", "1990-01-01", "1999-12-31"),
        ("What did I do on Christmas 2021?", "2021-12-24", "2021-12-26"),
        ("on Halloween", "2022-10-31", "2022-10-31"),
        ("what happened since March 2021", "2021-03-01", "2023-07-19"),
        ("between March and May 2021", "2021-03-01", "2021-05-31"),
        ("from 3 May 2021 to 5 June 2021", "2021-05-03", "2021-06-05"),
        ("zwischen März und Mai 2021", "2021-03-01", "2021-05-31"),
        ("Notizen vom März", "2023-03-01", "2023-03-31"),
        ("notas de marzo", "2023-03-01", "2023-03-31"),
        ("Vad gjorde jag i tisdags?", "2023-07-18", "2023-07-18"),
        ("先週何をしましたか？", "2023-07-10", "2023-07-16"),
        ("上个月发生了什么？", "2023-06-01", "2023-06-30"),
        ("पिछले साल क्या हुआ?", "2022-01-01", "2022-12-31"),
        ("ماذا حدث الأسبوع الماضي؟", "2023-07-10", "2023-07-16"),
    ],
)
def test_a_question_names_spans_parts_of_years_and_weeks_of_other_languages(
    asked: str, first: str, last: str
) -> None:
    assert named(asked) == [(first, last)]


def test_a_memory_is_not_searched_for_what_only_questions_name() -> None:
    _, features = describe("Since March 2021 we live here", created_at=datetime(2023, 7, 19, tzinfo=UTC))
    assert features.intervals == (month_span(2021, 3),)


@pytest.mark.parametrize(
    "said", ["What does Noel like?", "de la mare", "Who lives at i 2021-x?", "a decade of notes"]
)
def test_what_is_no_time_stays_a_word(said: str) -> None:
    assert named(said) == []
