"""The in-memory log: the shared suite."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from memwell.backends.memory.log import MemoryLog
from memwell.ports import Log
from memwell.testing import run
from memwell.testing.logs import LogConformance, LogFrontage


class TestMemoryLog(LogConformance, LogFrontage):
    @pytest.fixture
    def log(self) -> Iterator[Log]:
        part = MemoryLog()
        yield part
        run(part, part.close())


def test_an_entry_bears_the_time_of_the_clock() -> None:
    part = MemoryLog(clock=lambda: 1_700_000_000.25)
    run(part, part.append("s", [b"x"]))
    assert run(part, part.read("s"))[0].at == datetime(2023, 11, 14, 22, 13, 20, 250_000, tzinfo=UTC)
