"""`Memory` in both gears and `AsyncMemory`: the shared suite."""

from __future__ import annotations

from typing import Any, cast

import pytest

from memwell import AsyncMemory, Memory
from memwell.ports import Store
from memwell.registry import open_store
from memwell.testing import run
from memwell.testing.memory import MemoryConformance, OnALoop
from memwell.wrappers.threaded import threaded


class TestInTheCallersThread(MemoryConformance):
    """All parts are blocking: no loop, no thread."""

    def test_it_is_so(self, memory: Memory) -> None:
        assert memory._loop is None


class Looping(Memory):
    """A memory whose store suspends, so that every call goes over the loop in the background."""

    def __init__(self, url: str, **options: Any) -> None:
        self.store: Store = threaded(open_store(url))
        super().__init__(self.store, **options)

    def close(self) -> None:
        super().close()
        run(self.store, self.store.close())


class TestOnABackgroundLoop(MemoryConformance):
    @pytest.fixture
    def opening(self) -> type[Memory]:
        return Looping

    def test_it_is_so(self, memory: Memory) -> None:
        assert memory._loop is not None


class TestAsync(MemoryConformance):
    @pytest.fixture
    def opening(self) -> Any:
        return lambda *a, **o: cast("Memory", OnALoop(AsyncMemory(*a, **o)))


class TestInMemory(MemoryConformance):
    """The model."""

    @pytest.fixture
    def url(self) -> str:
        return "memory://"

    @pytest.fixture
    def lasting(self) -> str:
        pytest.skip("memory:// lasts no longer than it is open")
