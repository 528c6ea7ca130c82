"""The deepest stacks of wrappers that make sense, over parts that are busy at one call in three."""

from __future__ import annotations

import random
from typing import Any, TypeVar

from memwell.errors import Unavailable
from memwell.indexes.exact import Exact
from memwell.ports import Embedder, KeyValue, Log, Port, Store, VectorIndex
from memwell.registry import open_keyvalue, open_log, open_store
from memwell.resilience.circuit_breaker import CircuitBreaker
from memwell.testing.flaky import Faults, Flaky
from memwell.testing.samples import MODEL
from memwell.wrappers import (
    Breaker,
    CachedEmbedder,
    CachedStore,
    Fallback,
    Indexed,
    MirroredKeyValue,
    MirroredLog,
    MirroredStore,
    NamespacedIndex,
    NamespacedKeyValue,
    NamespacedLog,
    Retrying,
    Timed,
)
from memwell.wrappers.threaded import threaded

P = TypeVar("P", bound=Port)


class Bumps(Faults):
    """One call in three finds the part busy. By chance, not in turn: calls in step would meet the same one for ever."""

    def __init__(self) -> None:
        super().__init__()
        self._random = random.Random(3)

    def of(self, operation: str) -> Any:
        if self._random.random() < 1 / 3:
            self.fail(Unavailable("a bump", unsent=True), on=operation)
        return super().of(operation)


def patient(part: P) -> P:
    """The part behind a bumpy road, with all that gets over it."""
    rough = Breaker(Timed(Flaky(part, Bumps()), 60), CircuitBreaker(failure_threshold=50))
    return Retrying(rough, max_attempts=40, sleep=lambda _: None)


def store(inner: Store, spare: Store, replay: Log, *, dimension: int | None = None) -> CachedStore:
    """Cached, with a fallback, retried, guarded, timed, mirrored and, with a dimension, indexed."""
    if dimension is not None:
        inner = Indexed(inner, Exact(dimension), model=MODEL)
    copy = patient(threaded_like(inner, open_store("memory://")))
    first: Store = MirroredStore(inner, {"copy": copy})
    return CachedStore(Fallback(patient(first), spare, replay=replay))


def threaded_like(other: Port, part: P) -> P:
    """The part in the other's mode: blocking or not."""
    return part if other.blocking else threaded(part)


def keyvalue(inner: KeyValue, copy: KeyValue, clock: Any) -> KeyValue:
    """With a fallback, retried, guarded, timed, mirrored and namespaced."""
    mirrored = MirroredKeyValue(
        NamespacedKeyValue(inner, "mine"), {"copy": copy}, backlog=open_log("memory://"), clock=clock
    )
    return Fallback(patient(mirrored), open_keyvalue("memory://"))


def log(inner: Log) -> Log:
    """The same for a log, off the event loop."""
    copy, spare = threaded(open_log("memory://")), threaded(open_log("memory://"))
    mirrored = MirroredLog(NamespacedLog(threaded(inner), "mine"), {"copy": copy})
    return Fallback(patient(mirrored), spare)


def index(inner: VectorIndex) -> VectorIndex:
    """With a fallback, retried, guarded, timed and namespaced."""
    spare = Exact(inner.dimension, metric=inner.metric)
    return Fallback(patient(NamespacedIndex(inner, "mine")), spare)


def embedder(away: Embedder, inner: Embedder) -> Embedder:
    """Cached, over one that is always away and one that answers in its place, off the event loop."""
    faults = Faults()
    faults.down = Unavailable("away")
    return CachedEmbedder(
        Fallback(Flaky(threaded(away), faults), patient(threaded(inner))), open_keyvalue("memory://")
    )


def mirrored(part: Any) -> Any:
    """The wrapper with mirrors in a stack."""
    while not hasattr(part, "lag"):
        part = part.inner
    return part
