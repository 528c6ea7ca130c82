"""The days of questions, memories and filters are those of the user's time zone."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memwell import AsyncMemory, ConfigError, InvalidQuery, Memory, Record
from memwell.engine.clock import zone_of
from memwell.retrieval.analysis.chunks import read
from memwell.retrieval.analysis.dates import intervals, on_days_around
from memwell.retrieval.analysis.days import day_shift, moments

HERE = "America/Los_Angeles"
EVENING = datetime(2026, 3, 6, 4, 0, tzinfo=UTC)
"""20:00 on 5 March in Los Angeles."""


def naive(year: int, month: int = 1, day: int = 1, hour: int = 0) -> datetime:
    """A time without a zone."""
    return datetime(year, month, day, hour)  # noqa: DTZ001


def opened(zone: object = HERE, now: datetime = EVENING) -> Memory:
    return Memory("memory://", embedder=None, clock=lambda: now, timezone=zone)  # type: ignore[arg-type]


def first(memory: Memory, question: str, **options: str) -> str:
    return memory.recall(question, **options)[0].content  # type: ignore[arg-type]


def test_today_is_the_day_of_the_user() -> None:
    with opened() as memory:
        for day in (4, 5, 6):  # in the evening, which is the next day in UTC
            memory.remember(f"Plumber, visit {day}", created_at=f"2026-03-0{day}T17:00:00-08:00")
        for when, day in (("today", 5), ("yesterday", 4), ("on 4 March", 4), ("tomorrow", 6)):
            assert first(memory, f"the visit of the plumber {when}") == f"Plumber, visit {day}"


def test_of_decisions_on_several_days_that_of_the_day_comes_first() -> None:
    decided = {
        19: "We decided to move the launch",
        21: "We decided to use PostgreSQL for the audit log",
        22: "We decided to hire Bo",
        23: "We decided on blue",
    }
    with opened() as memory:
        for day, text in decided.items():
            memory.remember(text, created_at=f"2025-11-{day}T18:00")
        for day, text in decided.items():
            for asked in (
                f"on November {day}",
                f"on {day} November 2025",
                f"am {day}.11.2025",
                f"le {day} novembre",
            ):
                assert first(memory, f"what did we decide {asked}?") == text


def test_a_year_in_a_question_is_a_time_and_not_a_word() -> None:
    with opened() as memory:
        memory.remember("Mira works at the observatory", created_at="2025-06-01")
        memory.remember("Mira bought a telescope for Christmas 2025, a 2025 model", created_at="2026-01-02")
        assert first(memory, "where did Mira work in 2025?") == "Mira works at the observatory"
        assert "telescope" in first(memory, "which 2025 model did Mira buy?")


def test_a_memory_across_midnight_means_the_days_of_its_place() -> None:
    """Late in the evening, when it is the next day in UTC already, `tomorrow` is the next day there."""
    with opened() as memory:
        memory.remember("Dentist tomorrow at nine", created_at="2026-03-03T23:00:00-08:00")
        memory.remember("Dentist in the afternoon tomorrow", created_at="2026-03-05T12:00:00-08:00")
        assert first(memory, "dentist on 4 March") == "Dentist tomorrow at nine"
        assert first(memory, "dentist on 5 March", timezone="Asia/Tokyo") == "Dentist tomorrow at nine"


def test_what_was_learnt_on_the_day_of_a_zone_is_found_without_a_word() -> None:
    with opened() as memory:
        memory.remember("Rowed to the island", created_at="2026-03-05T07:59:59.999999Z")
        memory.remember("Sold the boat", created_at="2026-03-05T08:00:00Z")
        question = "what happened on 5 March 2026?"
        assert [hit.content for hit in memory.recall(question)] == ["Sold the boat"]
        assert len(memory.recall(question, timezone="UTC")) == 2


@pytest.mark.parametrize(("day", "zone"), [(1, "Asia/Tokyo"), (3_652_059, "America/Los_Angeles"), (1, "UTC")])
def test_the_first_and_the_last_day_of_the_calendar_are_times(day: int, zone: str) -> None:
    first, until = moments((day, day), ZoneInfo(zone))
    assert first < until
    assert (until - first) <= timedelta(days=1)


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12", "Asia/Kathmandu", "UTC", HERE])
def test_the_zone_of_a_call_counts_before_that_of_the_memory(zone: str) -> None:
    with opened() as memory:
        local = EVENING.astimezone(ZoneInfo(zone))
        memory.remember("The kettle whistled", created_at=local.replace(hour=12))
        memory.remember("The kettle leaked", created_at=local.replace(hour=12) - timedelta(days=1))
        memory.remember("The kettle broke", created_at=local.replace(hour=12) + timedelta(days=1))
        assert first(memory, "the kettle today", timezone=zone) == "The kettle whistled"


def test_times_without_a_zone_are_those_of_the_memory() -> None:
    with opened() as memory:
        made = memory.remember("A walk", created_at="2026-03-05", expires_at=naive(2026, 3, 9, 12))
        assert made.created_at == datetime(2026, 3, 5, 8, tzinfo=UTC)
        assert made.expires_at == datetime(2026, 3, 9, 19, tzinfo=UTC)  # summer time has begun
        changed = memory.update(made.id, expires_at="2026-03-08T00:00")
        assert changed.expires_at == datetime(2026, 3, 8, 8, tzinfo=UTC)
        for where in (
            {"created_at": {"$gte": "2026-03-05", "$lt": "2026-03-05T00:01"}},
            {"$or": [{"$not": {"created_at": {"$ne": naive(2026, 3, 5)}}}, {"tags": {"$contains": "x"}}]},
            {"created_at": {"$in": ["2026-03-05"]}},
        ):
            assert memory.count(where=where) == len(memory.list(where=where).records) == 1
            assert memory.recall("walk", where=where)
        assert memory.count(where={"created_at": "2026-03-05T00:00:00Z"}) == 0
        assert not memory.recall("walk", as_of="2026-03-04T23:59")
        assert memory.recall("walk", as_of="2026-03-05T00:00")
        assert "[2026-03-05]" in memory.recall("walk").as_text()
        assert memory.forget(where={"created_at": "2026-03-05"}, everything=True) == [made.id]


def test_what_is_stored_depends_on_no_zone(tmp_path: Path) -> None:
    """One file, two users in two places, both at once."""
    path, said = tmp_path / "notes.db", datetime(2026, 3, 5, 1, 30, tzinfo=UTC)
    with (
        Memory(path, embedder=None, timezone=HERE, clock=lambda: EVENING) as west,
        Memory(path, embedder=None, timezone="Asia/Tokyo", clock=lambda: EVENING) as east,
    ):
        west.remember("The parcel arrives tomorrow", created_at=said)  # 4 March there, 5 March here
        west.remember("The parcel arrives on a bicycle", created_at=said - timedelta(days=9))
        for memory, day in ((west, "5 March"), (east, "6 March"), (west, "today"), (east, "today")):
            hit = memory.recall(f"which parcel arrives on {day}?")[0]
            time = next(part for part in hit.why.components if part.name == "time")
            assert (hit.content, time.value) == ("The parcel arrives tomorrow", 1.0)
    with Memory(path, embedder=None) as memory:
        assert memory.doctor().ok


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("Europe/Berln", "Did you mean 'Europe/Berlin'?"),
        ("los angeles", "Did you mean 'America/Los_Angeles'?"),
        ("+02:00", "unknown time zone '+02:00'. Give an IANA name"),
        ("", "unknown time zone ''"),
        ("../../etc/passwd", "unknown time zone"),
        ("Zürich\0", "unknown time zone"),
        (3, "timezone= is 3; give an IANA name such as 'Europe/Berlin'"),
    ],
)
def test_a_wrong_zone_says_what_to_give(given: object, said: str) -> None:
    with pytest.raises(ConfigError) as wrong:
        opened(given)
    assert said in str(wrong.value)
    with opened() as memory, pytest.raises(InvalidQuery) as asked:
        memory.recall("tea", timezone=given)  # type: ignore[arg-type]
    assert said in str(asked.value)


def test_the_asynchronous_face_has_it_too() -> None:
    async def made() -> Record:
        async with AsyncMemory("memory://", embedder=None, timezone=timezone(timedelta(hours=-8))) as memory:
            return await memory.remember("A walk", created_at="2026-03-05")

    assert asyncio.run(made()).created_at == datetime(2026, 3, 5, 8, tzinfo=UTC)


@contextmanager
def machine_in(name: str) -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = name
    time.tzset()
    try:
        yield
    finally:
        os.environ.pop("TZ")
        os.environ |= {} if before is None else {"TZ": before}
        time.tzset()


@given(st.datetimes(naive(1990), naive(2037), timezones=st.just(UTC)))
def test_local_is_the_zone_of_the_machine_with_its_summer_times(moment: datetime) -> None:
    with machine_in(HERE):
        local, named = zone_of("local"), ZoneInfo(HERE)
        there = moment.astimezone(local)
        assert there.replace(tzinfo=None) == moment.astimezone(named).replace(tzinfo=None)
        assert there.utcoffset() == moment.astimezone(named).utcoffset()


ZONES = st.sampled_from([HERE, "Asia/Tokyo", "Pacific/Kiritimati", "Etc/GMT+12", "Asia/Kathmandu", "UTC"])
RELATIVE = st.sampled_from(
    "yesterday|today|tomorrow|last week|next month|last Friday|on Monday|two weeks ago|in 3 days|last May|in June"
    "|this weekend|recently|last year|5 May|March 5".split("|")
)


@given(RELATIVE, st.datetimes(naive(2000), naive(2040), timezones=st.just(UTC)), ZONES)
def test_one_of_the_three_readings_of_a_text_is_that_of_its_place(
    text: str, said: datetime, zone: str
) -> None:
    there = said.astimezone(ZoneInfo(zone))
    shift = day_shift(said.toordinal(), said.hour * 3600 + said.minute * 60 + said.second, ZoneInfo(zone))
    assert said.toordinal() + shift == there.toordinal()
    assert on_days_around(read(text).times, said)[shift + 1] == tuple(intervals(text, there))
