"""What was recalled lately is noted by many threads at once."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from memwell.engine.recalled import Recalled
from memwell.types import Record, Scope

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def noted(number: int, user: str = "ana") -> Record:
    scope = Scope(tenant_id="default", user_id=user)
    return Record(id=f"m{number}", scope=scope, content=f"tea {number}", created_at=NOW, updated_at=NOW)


@pytest.fixture
def quick_switches() -> Iterator[None]:
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("quick_switches")
def test_threads_note_what_they_recalled_at_the_same_time() -> None:
    recalled, ana = Recalled(), noted(0).scope

    def work(start: int) -> None:
        for at in range(start, start + 4000, 4):
            recalled.note([noted(at + n, "ana" if n % 2 else f"user {at}") for n in range(4)])
            recalled.like(ana, "tea 7")
            recalled.drop([f"m{at + 1}"])

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work, 4000 * thread) for thread in range(4)]:
            done.result()
    recalled.note([noted(number) for number in range(100)])
    assert recalled.like(ana, "tea") == [f"m{number}" for number in range(60, 100)]
