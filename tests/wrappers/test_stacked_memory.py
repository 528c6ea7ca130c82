"""A whole memory, with an index, on a whole stack of wrappers over busy parts: it does what any memory does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.wrappers import stacks
from tests.wrappers.durable import Durable

from memwell import AsyncMemory, Memory
from memwell.ports import Store
from memwell.registry import open_log, open_store
from memwell.testing import run
from memwell.testing.machine import check_memory
from memwell.testing.memory import MemoryConformance, OnALoop


def stack(url: str) -> Store:
    return stacks.store(open_store(url), open_store("memory://"), open_log("memory://"))


class Stacked(Memory):
    """Closes its stack, which was handed in."""

    def __init__(self, url: str, **options: Any) -> None:
        self.store = stack(url)
        super().__init__(self.store, **options)

    def close(self) -> None:
        super().close()
        run(self.store, self.store.close())


class TestStacked(MemoryConformance):
    @pytest.fixture
    def opening(self, tmp_path: Path) -> Any:
        def opened(url: str, *, embedder: Any = None, **options: Any) -> Memory:
            if embedder is not None:
                path = tmp_path / f"index{embedder.dimension}.db"
                options["index"] = Durable(path, embedder.dimension)
            return Stacked(url, embedder=embedder, **options)

        return opened


def test_random_operations_give_what_the_model_gives() -> None:
    check_memory(lambda **options: Stacked("memory://", **options), examples=10, shrink=False)


def test_so_they_do_off_the_event_loop() -> None:
    stores: list[Store] = []

    def opening(**options: Any) -> Any:
        stores.append(stack("memory://"))
        return OnALoop(AsyncMemory(stores[-1], **options))

    check_memory(opening, examples=3, shrink=False)
