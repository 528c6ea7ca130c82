"""A whole memory on a whole stack of wrappers, over a bumpy road: it does what any memory does."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from memwell import AsyncMemory, Memory
from memwell.errors import Unavailable
from memwell.ports import Store
from memwell.registry import open_log, open_store
from memwell.resilience.circuit_breaker import CircuitBreaker
from memwell.testing import run
from memwell.testing.flaky import Faults, Flaky
from memwell.testing.machine import check_memory
from memwell.testing.memory import MemoryConformance, OnALoop
from memwell.wrappers import Breaker, CachedStore, Fallback, MirroredStore, Retrying, Timed


class Bumps(Faults):
    """Every third call finds the part busy."""

    def __init__(self) -> None:
        super().__init__()
        self._third = itertools.cycle([False, False, True])

    def of(self, operation: str) -> Any:
        if next(self._third):
            self.fail(Unavailable("a bump", unsent=True), on=operation)
        return super().of(operation)


def stack(url: str) -> Store:
    copy = Retrying(Flaky(open_store("memory://"), Bumps()), max_attempts=10, sleep=lambda _: None)
    first: Store = MirroredStore(open_store(url), {"copy": copy})
    rough = Breaker(Timed(Flaky(first, Bumps()), 60), CircuitBreaker(failure_threshold=50))
    patient = Retrying(rough, max_attempts=10, sleep=lambda _: None)
    return CachedStore(Fallback(patient, open_store("memory://"), replay=open_log("memory://")))


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
    def opening(self) -> type[Memory]:
        return Stacked


def test_random_operations_give_what_the_model_gives() -> None:
    check_memory(lambda **options: Stacked("memory://", **options), examples=15, shrink=False)


def test_so_they_do_off_the_event_loop() -> None:
    stores: list[Store] = []

    def opening(**options: Any) -> Any:
        stores.append(stack("memory://"))
        return OnALoop(AsyncMemory(stores[-1], **options))

    check_memory(opening, examples=4, shrink=False)
