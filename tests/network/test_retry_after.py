"""How long a service asks to be left alone: seconds, milliseconds and dates, and what is none of these."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from memwell.network.retry_after import parse_retry_after

NOW = datetime(2026, 10, 21, 7, 28, tzinfo=UTC)


@pytest.fixture(params=["UTC", "Asia/Tokyo", "America/New_York"])
def _at_home(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose clock shows another hour."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("_at_home")
@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        ("0.5", 0.5),
        ("0", 0),
        ("-3", 0),
        ("86400", 86_400),
        ("Wed, 21 Oct 2026 07:30:00 GMT", 120),
        ("Wed, 21 Oct 2026 07:30:00 -0000", 120),
        ("Wed, 21 Oct 2026 09:30:00 +0200", 120),
        ("Wednesday, 21-Oct-26 07:30:00 GMT", 120),  # RFC 850
        ("Wed Oct 21 07:30:00 2026", 120),  # asctime, which names no zone
        ("Wed, 21 Oct 2026 07:00:00 GMT", 0),
    ],
)
def test_seconds_and_all_three_forms_of_a_date_are_read(text: str, seconds: float) -> None:
    assert parse_retry_after({"Retry-After": text}, now=NOW) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "soon", "nan", "inf", "1e999", "Wed, 99 Oct 2026 07:30:00 GMT", "Fri, 31 Dec 99999 23:59:59 GMT"],
)
def test_what_cannot_be_understood_is_no_wait(text: str) -> None:
    assert parse_retry_after({"retry-after": text}, now=NOW) is None


def test_a_date_at_the_end_of_time_is_a_long_wait() -> None:
    wait = parse_retry_after({"retry-after": "Fri, 31 Dec 9999 23:59:59 -1400"}, now=NOW)
    assert wait is None or wait > 1e9


def test_milliseconds_are_more_exact_than_seconds() -> None:
    assert parse_retry_after({"retry-after-ms": "1500", "retry-after": "2"}, now=NOW) == 1.5
    assert parse_retry_after({"retry-after-ms": "soon", "retry-after": "2"}, now=NOW) == 2


def test_without_a_header_nobody_asks_to_wait() -> None:
    assert parse_retry_after({}) is None
