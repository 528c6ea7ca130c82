"""The whole suite of each port over the deepest stack of wrappers: whatever one of them spoils shows here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.wrappers import stacks

from memwell.backends.memory.keyvalue import MemoryKeyValue
from memwell.indexes.exact import Exact
from memwell.ports import Embedder, KeyValue, Log, Store, VectorIndex
from memwell.registry import open_embedder, open_log, open_store
from memwell.testing import run
from memwell.testing.embedders import EmbedderConformance
from memwell.testing.indexes import Opening, VectorIndexConformance, opened
from memwell.testing.keyvalue import KeyValueConformance
from memwell.testing.logs import LogConformance
from memwell.testing.stores import StoreConformance
from memwell.wrappers.threaded import threaded


class TestStores(StoreConformance):
    """Asynchronous; a blocking stack passes the suite of a memory. In the end the mirror holds whatever was written."""

    many = 500

    plenty = 1_050

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        inner = threaded(open_store(f"sqlite:///{tmp_path / 'store.db'}"))
        spare, replay = threaded(open_store("memory://")), threaded(open_log("memory://"))
        part = stacks.store(inner, spare, replay, dimension=8)
        yield part
        if not part.closed:
            mirrored: Any = stacks.mirrored(part)
            run(mirrored, mirrored.follow())
            report = run(mirrored, mirrored.verify())
            assert report.ok, report.problems
        run(part, part.close())
        run(inner, inner.close())


class TestIndexes(VectorIndexConformance):
    many = 500

    @pytest.fixture
    def opening(self, tmp_path: Path) -> Iterator[Opening]:
        def make(name: str, metric: Any, dimension: int | None) -> VectorIndex:
            return stacks.index(Exact(dimension or self.dimension, tmp_path / name, metric=metric))

        with opened(make) as opening:
            yield opening


class TestEmbedders(EmbedderConformance):
    @pytest.fixture
    def embedder(self) -> Iterator[Embedder]:
        part = stacks.embedder(open_embedder("hashing"), open_embedder("hashing"))
        yield part
        run(part, part.close())


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class TestKeyValues(KeyValueConformance):
    """In the end nothing waits for the mirror."""

    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    @pytest.fixture
    def keyvalue(self, clock: Clock) -> Iterator[KeyValue]:
        part = stacks.keyvalue(MemoryKeyValue(clock=clock), MemoryKeyValue(clock=clock), clock)
        yield part
        if not part.closed:
            mirrored: Any = stacks.mirrored(part)
            assert run(mirrored, mirrored.lag()) == {"copy": 0}
        run(part, part.close())

    @pytest.fixture
    def advance(self, clock: Clock) -> Callable[[float], None]:
        return clock.advance


class TestLogs(LogConformance):
    @pytest.fixture
    def log(self) -> Iterator[Log]:
        part = stacks.log(open_log("memory://"))
        yield part
        run(part, part.close())
