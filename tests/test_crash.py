"""A small run of the crash proof; the large one is `python -m benchmarks.reliability.crash`."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.reliability.crash import Expected, run
from tests.processes import Script

WRITER = """
import sys
from benchmarks.reliability.writer import run
run(sys.argv[1], sys.argv[2], int(sys.argv[3]))
"""


def test_a_killed_writer_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    outcome = run(tmp_path, kills=8, seed=1, start=lambda *given: Script(WRITER, *given))
    assert not outcome.failures
    assert outcome.acknowledged > 0


@pytest.mark.parametrize(
    ("stored", "fine"),
    [
        ({"a": "1"}, True),
        ({"a": "1", "b": "2", "c": "3"}, True),
        ({"a": "1", "b": "2"}, False),
        ({}, False),
        ({"a": "0"}, False),
        ({"a": "1", "z": "9"}, False),
    ],
)
def test_the_judge_accepts_the_last_write_wholly_or_not_at_all(stored: dict[str, str], fine: bool) -> None:
    expected = Expected(sure={"a": "1"}, pending={"b": "2", "c": "3"})
    assert (expected.judge(stored) is None) is fine
