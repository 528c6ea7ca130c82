"""Random operations on real memories give what the model gives."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from memwell import AsyncMemory, Memory
from memwell.testing.machine import check_memory
from memwell.testing.memory import OnALoop

Opening = Callable[..., Any]


def files(folder: Path, kind: Opening = Memory) -> tuple[Opening, Opening]:
    """Open the next new file, and open the last one again."""
    names = itertools.count()
    last: list[str] = []

    def fresh(**options: Any) -> Any:
        last[:] = [f"sqlite:///{folder / f'{next(names)}.db'}"]
        return kind(last[0], **options)

    return fresh, lambda **options: kind(last[0], **options)


def test_a_sqlite_file_does_what_the_model_does(tmp_path: Path) -> None:
    fresh, again = files(tmp_path)
    check_memory(fresh, again=again, examples=25)


def test_sqlite_in_memory_does_what_the_model_does() -> None:
    check_memory(lambda **options: Memory("sqlite://", **options), examples=15)


def test_a_memory_on_a_background_loop_does_what_the_model_does(tmp_path: Path) -> None:
    fresh, again = files(tmp_path, lambda *a, **o: OnALoop(AsyncMemory(*a, **o)))
    check_memory(fresh, again=again, examples=8)


def test_the_machine_notices_a_fault() -> None:
    class Forgetful(Memory):
        def count(self, **options: Any) -> int:
            return min(2, super().count(**options))

    with pytest.raises(AssertionError):
        check_memory(lambda **options: Forgetful("memory://", **options), examples=200, shrink=False)
