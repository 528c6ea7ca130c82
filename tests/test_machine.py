"""Random operations on real memories give what the model gives."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from memwell import Memory
from memwell.testing.machine import check_memory

Opening = Callable[..., Any]


def files(folder: Path) -> tuple[Opening, Opening]:
    """Open the next new file, and open the last one again."""
    names = itertools.count()
    last: list[str] = []

    def fresh(**options: Any) -> Memory:
        last[:] = [f"sqlite:///{folder / f'{next(names)}.db'}"]
        return Memory(last[0], **options)

    return fresh, lambda **options: Memory(last[0], **options)


def test_a_sqlite_file_does_what_the_model_does(tmp_path: Path) -> None:
    fresh, again = files(tmp_path)
    check_memory(fresh, again=again)


def test_sqlite_in_memory_does_what_the_model_does() -> None:
    check_memory(lambda **options: Memory("sqlite://", **options))
