"""Wrappers for any port forward every operation that the port declares, and tell what the part inside tells."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from memwell.errors import Closed, ConfigError
from memwell.ports import Embedder, KeyValue, Log, Port, Store, VectorIndex, call
from memwell.registry import open_embedder, open_index, open_keyvalue, open_store
from memwell.testing import run
from memwell.testing.flaky import Faults, Flaky
from memwell.wrappers.base import Wrapper
from memwell.wrappers.breaker import Breaker
from memwell.wrappers.fallback import Fallback
from memwell.wrappers.retrying import Retrying
from memwell.wrappers.threaded import Threaded, threaded
from memwell.wrappers.timed import Timed

PORTS: tuple[type[Port], ...] = (Store, VectorIndex, Embedder, KeyValue, Log)


class Plain(Wrapper):
    """As little as a wrapper can be."""

    part = "plain"

    def __new__(cls, part: Port) -> Any:  # type: ignore[misc]
        return cls._wrap(part)


WRAPPERS: dict[str, Callable[[Port], Port]] = {
    "plain": Plain,
    "retrying": Retrying,
    "breaker": Breaker,
    "timed": lambda part: Timed(part, 60),
    "flaky": lambda part: Flaky(part, Faults()),
    "threaded": threaded,
    "fallback": lambda part: Fallback(part, part),
    "stacked": lambda part: Retrying(Breaker(Timed(part, 60))),
    "stacked on a loop": lambda part: Retrying(Breaker(Timed(threaded(part), 60))),
}


@pytest.fixture(params=WRAPPERS)
def wrap(request: pytest.FixtureRequest) -> Callable[[Port], Port]:
    return WRAPPERS[request.param]


def recording(port: type[Port], answer: object) -> Any:
    """A part whose hooks, all that the port declares, note their arguments and give the answer."""
    calls: list[tuple[str, tuple[Any, ...]]] = []

    def hook(name: str) -> Any:
        async def record(_: Any, *arguments: Any) -> object:
            calls.append((name, arguments))
            return answer

        return record

    hooks = {name: hook(name) for name in port.operations}
    reported = {
        "part": "recording",
        "blocking": True,
        "calls": calls,
        "capabilities": None,
        "model": "m",
        "dimension": 3,
    }
    return type("Recording", (port,), {**reported, **hooks})()


@pytest.mark.parametrize("port", PORTS)
def test_every_operation_reaches_the_part_inside_and_its_answer_comes_back(
    wrap: Callable[[Port], Port], port: type[Port]
) -> None:
    answer = [object()]
    inner = recording(port, answer)
    outer = wrap(inner)
    for hook, operation in port.operations.items():
        names = list(inspect.signature(getattr(port, hook)).parameters)[1:]
        arguments = tuple([f"{hook} {name}"] for name in names)
        inner.calls.clear()
        given = run(outer, call(outer, operation, arguments))
        assert given[:1] == answer, operation  # a wrapper may add where else something was kept
        assert inner.calls[0] == (hook, arguments), operation
    run(outer, outer.close())


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
    with pytest.raises(ConfigError, match="none of the ports"):
        Retrying(Port())


def test_what_was_closed_inside_says_so(wrap: Callable[[Port], Port]) -> None:
    inner = open_keyvalue("memory://")
    outer = wrap(inner)
    run(inner, inner.close())
    assert isinstance(outer, KeyValue)
    with pytest.raises(Closed):
        run(outer, outer.get("key"))
    run(outer, outer.close())
