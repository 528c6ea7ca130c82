"""A memory on each backend, with a clock that tests move."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from memwell import Memory
from memwell.testing.samples import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "sqlite", "postgres", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "memory":
        return "memory://"
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'policies.db'}"
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


@pytest.fixture
def opened(url: str, clock: Clock) -> Iterator[Callable[..., Memory]]:
    made: list[Memory] = []

    def make(**options: Any) -> Memory:
        made.append(Memory(url, **{"embedder": None, "clock": clock, **options}))
        return made[-1]

    yield make
    for memory in made:
        memory.close()
