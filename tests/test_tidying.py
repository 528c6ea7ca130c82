"""Small runs of the proof of policies; the large ones are `python -m benchmarks.reliability.tidying`."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.reliability.tidying import crowd, kill


def test_a_plan_whose_process_is_killed_is_finished_by_the_next_one(tmp_path: Path) -> None:
    outcome = kill(tmp_path, kills=3, seed=1, count=2000)
    assert not outcome.failures
    assert outcome.kills == 3


@pytest.mark.parametrize("backend", ["sqlite", "postgres"])
def test_plans_among_writers_lose_nothing_and_do_nothing_twice(
    backend: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = None if backend == "sqlite" else request.getfixturevalue("postgres_url")
    outcome = crowd(tmp_path, processes=4, rounds=4, seed=1, count=120, url=url)
    assert not outcome.failures
    assert outcome.changes > 0
    assert outcome.done > 0
