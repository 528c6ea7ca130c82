"""The shipped suites catch parts that break one promise, and pass those that break none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from tests.testing.mutants.embedders import EMBEDDERS
from tests.testing.mutants.harness import Fixtures, Mutant, failure
from tests.testing.mutants.indexes import INDEXES
from tests.testing.mutants.keyvalues import KEYVALUES
from tests.testing.mutants.logs import LOGS
from tests.testing.mutants.stores_fed import FED
from tests.testing.mutants.stores_overlooked import OVERLOOKED
from tests.testing.mutants.stores_read import READ
from tests.testing.mutants.stores_searched import SEARCHED
from tests.testing.mutants.stores_written import WRITTEN

from memwell.backends.memory.keyvalue import MemoryKeyValue
from memwell.backends.memory.log import MemoryLog
from memwell.backends.memory.store import MemoryStore
from memwell.embedders.hashing import Hashing
from memwell.indexes.exact import Exact
from memwell.ports import Port
from memwell.testing.embedders import EmbedderConformance
from memwell.testing.indexes import VectorIndexConformance
from memwell.testing.keyvalue import KeyValueConformance
from memwell.testing.logs import LogConformance
from memwell.testing.stores import Harness, StoreConformance


def _store(suite: Any, part: type[Port]) -> Mapping[str, Any]:
    suite.many, suite.plenty = 2_000, getattr(part, "plenty", 1_050)
    store: Any = part()
    return {"part": store, "store": store, "harness": Harness(store)}


def _index(suite: Any, part: type[Port]) -> Mapping[str, Any]:
    suite.many = 2_000
    index: Any = part(suite.dimension)  # type: ignore[call-arg]
    return {"part": index, "index": index, "settle": lambda _: None}


class Clock:
    """Seconds that pass when they are told to."""

    now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


def _keyvalue(suite: Any, part: type[Port]) -> Mapping[str, Any]:
    clock = Clock()
    keyvalue: Any = part(clock=clock)  # type: ignore[call-arg]
    return {"part": keyvalue, "keyvalue": keyvalue, "advance": clock.advance}


def _log(suite: Any, part: type[Port]) -> Mapping[str, Any]:
    log: Any = part()
    return {"part": log, "log": log}


def _embedder(suite: Any, part: type[Port]) -> Mapping[str, Any]:
    embedder: Any = part()
    return {"part": embedder, "embedder": embedder}


SUITES: dict[str, tuple[type, type[Port], Fixtures, list[Mutant]]] = {
    "store": (StoreConformance, MemoryStore, _store, [*WRITTEN, *READ, *SEARCHED, *FED, *OVERLOOKED]),
    "index": (VectorIndexConformance, Exact, _index, INDEXES),
    "keyvalue": (KeyValueConformance, MemoryKeyValue, _keyvalue, KEYVALUES),
    "log": (LogConformance, MemoryLog, _log, LOGS),
    "embedder": (EmbedderConformance, Hashing, _embedder, EMBEDDERS),
}
MUTANTS = [(port, mutant) for port, suite in SUITES.items() for mutant in suite[3]]


@pytest.mark.parametrize(("port", "mutant"), MUTANTS, ids=[f"{port}-{m.name}" for port, m in MUTANTS])
def test_the_suite_catches(port: str, mutant: Mutant) -> None:
    suite, _, fixtures, _ = SUITES[port]
    assert failure(suite, mutant.caught_by, mutant.part, fixtures) is not None, mutant.part.__doc__


@pytest.mark.parametrize("port", SUITES)
def test_the_tests_that_catch_pass_on_the_part_as_it_is(port: str) -> None:
    suite, part, fixtures, mutants = SUITES[port]
    for test in {mutant.caught_by for mutant in mutants}:
        assert failure(suite, test, part, fixtures) is None, test


@pytest.mark.parametrize("port", SUITES)
def test_no_test_of_a_suite_hides_another(port: str) -> None:
    defined = Counter(
        name for base in SUITES[port][0].__mro__ for name in vars(base) if name.startswith("test_")
    )
    assert [name for name, count in defined.items() if count > 1] == []


def test_no_mutant_is_there_twice() -> None:
    names = Counter(f"{port} {mutant.name}" for port, mutant in MUTANTS)
    assert [name for name, count in names.items() if count > 1] == []
