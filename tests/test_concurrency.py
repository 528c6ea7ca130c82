"""A small run of the crowd; the large one is `python -m benchmarks.reliability.concurrency`."""

from __future__ import annotations

from pathlib import Path

from benchmarks.reliability.concurrency import run


def test_processes_that_write_and_search_one_file_neither_fail_nor_lose(tmp_path: Path) -> None:
    outcome = run(tmp_path, processes=4, writes=60, seed=1)
    assert not outcome.failures
    assert outcome.writes == 240
    assert outcome.searches > 0
