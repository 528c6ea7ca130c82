"""Metrics: how vectors are stored, and how a service's scores are converted into similarities."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal, TypeAlias, cast, get_args

from memwell.errors import ConfigError
from memwell.ports import Metric, Vectors
from memwell.ports.arrays import numpy
from memwell.urls import Url

__all__ = [
    "SIMILARITY",
    "ScoreKind",
    "checked_metric",
    "metric_of",
    "prepared",
    "similarities",
    "similarity",
    "unit",
]

ScoreKind: TypeAlias = Literal["cosine", "cosine distance", "dot", "dot distance", "l2", "squared l2"]
"""What the score of a service is: the cosine, 1 − cosine, the inner product, 1 − inner product (`dot distance`), the
Euclidean distance, or its square."""

SIMILARITY: Final[Mapping[ScoreKind, Callable[[float], float]]] = {
    "cosine": lambda given: min(1.0, max(-1.0, given)),
    "cosine distance": lambda given: min(1.0, max(-1.0, 1 - given)),
    "dot": lambda given: given,
    "dot distance": lambda given: 1 - given,
    "l2": lambda given: 1 - given * given / 2,
    "squared l2": lambda given: 1 - given / 2,
}
"""Kind of score → function from the score to the similarity of `memwell.ports.Match`."""


def similarity(score: float, kind: ScoreKind) -> float:
    """The similarity for a score of that kind."""
    return SIMILARITY[kind](float(score))


def metric_of(url: Url) -> Metric:
    """The option `metric`; consumes it. Raises `ConfigError` for an unknown metric."""
    return checked_metric(url.take("metric", "cosine"))


def checked_metric(name: str | None) -> Metric:
    """The name, if it is a metric. Raises `ConfigError` otherwise."""
    if name not in get_args(Metric):
        raise ConfigError(f"unknown metric {name!r}; use {', '.join(get_args(Metric))}")
    return cast("Metric", name)


def unit(vectors: Vectors) -> Vectors:
    """Rows scaled to length 1. Zero vectors stay zero; vectors of unit length are not changed at all."""
    np = numpy()
    wide = np.asarray(vectors, dtype=np.float64)
    norms = np.linalg.norm(wide, axis=-1, keepdims=True)
    norms[(norms == 0) | (abs(norms - 1) < 1e-6)] = 1
    scaled: Vectors = (wide / norms).astype(np.float32)
    return scaled


def prepared(vectors: Vectors, metric: Metric) -> Vectors:
    """`(n, d)` or `(d,)` vectors as an index stores them: scaled to unit length for the cosine, else unchanged."""
    np = numpy()
    stored: Vectors = unit(vectors) if metric == "cosine" else np.ascontiguousarray(vectors, dtype=np.float32)
    return stored


def similarities(vectors: Vectors | Sequence[Vectors], query: Vectors, metric: Metric) -> list[float]:
    """The similarity of each prepared row to a prepared query. Computed in float64 and rounded to 9 digits, so that
    equal vectors have equal similarities in every position.
    """
    np = numpy()
    rows, target = np.asarray(vectors, dtype=np.float64), np.asarray(query, dtype=np.float64)
    exact = 1 - ((rows - target) ** 2).sum(axis=1) / 2 if metric == "l2" else (rows * target).sum(axis=1)
    exact = np.round(exact, 9)
    if metric == "cosine":
        exact = np.clip(exact, -1, 1)
    return [float(value) for value in exact]
