"""Wrappers for any port pass the whole suite of the port they wrap, alone and stacked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from memwell.backends.memory.keyvalue import MemoryKeyValue
from memwell.errors import Closed, ConfigError
from memwell.indexes.exact import Exact
from memwell.ports import Embedder, KeyValue, Log, Port, Store, VectorIndex
from memwell.registry import open_embedder, open_index, open_keyvalue, open_log, open_store
from memwell.testing import run
from memwell.testing.embedders import EmbedderConformance
from memwell.testing.flaky import Faults, Flaky
from memwell.testing.indexes import Opening, VectorIndexConformance, opened
from memwell.testing.keyvalue import KeyValueConformance
from memwell.testing.logs import LogConformance
from memwell.testing.stores import StoreConformance
from memwell.wrappers.breaker import Breaker
from memwell.wrappers.retrying import Retrying
from memwell.wrappers.threaded import Threaded, threaded
from memwell.wrappers.timed import Timed

P = TypeVar("P", bound=Port)
Wrap = Callable[[P], P]


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


WRAPPERS: dict[str, Callable[[Port], Port]] = {
    "retrying": Retrying,
    "breaker": Breaker,
    "timed": lambda part: Timed(part, 60),
    "flaky": lambda part: Flaky(part, Faults()),
    "threaded": threaded,
    "stacked": lambda part: Retrying(Breaker(Timed(part, 60))),
    "stacked on a loop": lambda part: Retrying(Breaker(Timed(threaded(part), 60))),
}


@pytest.fixture(params=WRAPPERS)
def wrap(request: pytest.FixtureRequest) -> Callable[[Port], Port]:
    return WRAPPERS[request.param]


class TestStores(StoreConformance):
    many = 500

    @pytest.fixture
    def store(self, wrap: Wrap[Store], tmp_path: Path) -> Iterator[Store]:
        part = wrap(open_store(f"sqlite:///{tmp_path / 'store.db'}"))
        yield part
        run(part, part.close())


class TestIndexes(VectorIndexConformance):
    many = 500

    @pytest.fixture
    def opening(self, wrap: Wrap[VectorIndex], tmp_path: Path) -> Iterator[Opening]:
        with opened(
            lambda name, metric, dimension: wrap(
                Exact(dimension or self.dimension, tmp_path / name, metric=metric)
            )
        ) as opening:
            yield opening


class TestEmbedders(EmbedderConformance):
    @pytest.fixture
    def embedder(self, wrap: Wrap[Embedder]) -> Iterator[Embedder]:
        part = wrap(open_embedder("hashing"))
        yield part
        run(part, part.close())


class TestKeyValues(KeyValueConformance):
    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    @pytest.fixture
    def keyvalue(self, wrap: Wrap[KeyValue], clock: Clock) -> Iterator[KeyValue]:
        part = wrap(MemoryKeyValue(clock=clock))
        yield part
        run(part, part.close())

    @pytest.fixture
    def advance(self, clock: Clock) -> Callable[[float], None]:
        return clock.advance


class TestLogs(LogConformance):
    @pytest.fixture
    def log(self, wrap: Wrap[Log]) -> Iterator[Log]:
        part = wrap(open_log("memory://"))
        yield part
        run(part, part.close())


# ------------------------------------------------------------------------------- what they tell of themselves


def test_a_wrapper_tells_what_the_part_inside_tells(wrap: Callable[[Port], Port]) -> None:
    embedder, index, store = (
        open_embedder("hashing"),
        open_index("exact://?dimension=7"),
        open_store("sqlite://"),
    )
    index.metric, index.identity = "l2", "points"
    coder, points, records = wrap(embedder), wrap(index), wrap(store)
    assert isinstance(coder, Embedder)
    assert (coder.model, coder.dimension, coder.window) == (
        embedder.model,
        embedder.dimension,
        embedder.window,
    )
    assert getattr(coder, "symmetric", None) is True
    assert coder.spans("some words here") == embedder.spans("some words here")
    assert isinstance(points, VectorIndex)
    assert (points.dimension, points.metric, points.identity) == (7, "l2", "points")
    assert isinstance(records, Store)
    assert records.capabilities == store.capabilities
    for outer, inner in ((coder, embedder), (points, index), (records, store)):
        assert outer.proof == inner.proof
        run(outer, outer.close())
        assert inner.closed


def test_blocking_parts_stay_blocking_but_for_the_threaded() -> None:
    for name, wrap in WRAPPERS.items():
        assert wrap(open_keyvalue("memory://")).blocking is not (name in ("threaded", "stacked on a loop"))


def test_a_wrapper_knows_what_it_is() -> None:
    part = open_keyvalue("memory://")
    assert isinstance(Retrying(part), KeyValue)
    assert not isinstance(Retrying(part), Store)
    assert isinstance(threaded(part), Threaded)
    assert threaded(threaded(part)) is not part
    assert type(Retrying(part)).__name__ == "RetryingKeyValue"
    with pytest.raises(ConfigError, match="none of the five ports"):
        Retrying(Port())


def test_what_was_closed_inside_says_so(wrap: Callable[[Port], Port]) -> None:
    inner = open_keyvalue("memory://")
    outer = wrap(inner)
    run(inner, inner.close())
    assert isinstance(outer, KeyValue)
    with pytest.raises(Closed):
        run(outer, outer.get("key"))
    run(outer, outer.close())
