"""How near two vectors are, in one place: what is stored, and what a service's number means as a similarity."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal, TypeAlias, cast, get_args

from memwell.errors import ConfigError
from memwell.ports import Metric, Vectors
from memwell.ports.arrays import numpy
from memwell.registry import Url

__all__ = [
    "SIMILARITY",
    "Raw",
    "checked_metric",
    "metric_of",
    "prepared",
    "similarities",
    "similarity",
    "unit",
]

Raw: TypeAlias = Literal["cosine", "cosine distance", "dot", "dot distance", "l2", "squared l2"]
"""What the number is that a service gives: the cosine or 1 minus it, the inner product, its negative or 1 minus it
(`dot distance`), the Euclidean distance or its square."""

SIMILARITY: Final[Mapping[Raw, Callable[[float], float]]] = {
    "cosine": lambda given: min(1.0, max(-1.0, given)),
    "cosine distance": lambda given: min(1.0, max(-1.0, 1 - given)),
    "dot": lambda given: given,
    "dot distance": lambda given: 1 - given,
    "l2": lambda given: 1 - given * given / 2,
    "squared l2": lambda given: 1 - given / 2,
}
"""From a service's number to the similarity that `memwell.ports.Match` promises."""


def similarity(given: float, raw: Raw) -> float:
    """The similarity that a service's number stands for."""
    return SIMILARITY[raw](float(given))


def metric_of(url: Url) -> Metric:
    """The option `metric`, taken out. Raises `ConfigError` for a word that is none."""
    return checked_metric(url.take("metric", "cosine"))


def checked_metric(name: str | None) -> Metric:
    """The metric of this name. Raises `ConfigError`."""
    if name not in get_args(Metric):
        raise ConfigError(f"metric is one of {', '.join(get_args(Metric))}, not {name!r}")
    return cast("Metric", name)


def unit(vectors: Vectors) -> Vectors:
    """Rows scaled to length 1; zero stays zero, and what is of unit length already stays to the last bit."""
    np = numpy()
    wide = np.asarray(vectors, dtype=np.float64)
    norms = np.linalg.norm(wide, axis=-1, keepdims=True)
    norms[(norms == 0) | (abs(norms - 1) < 1e-6)] = 1
    scaled: Vectors = (wide / norms).astype(np.float32)
    return scaled


def prepared(vectors: Vectors, metric: Metric) -> Vectors:
    """`(n, d)` or `(d,)` vectors as an index keeps them: of unit length for the cosine, else as they are."""
    np = numpy()
    kept: Vectors = unit(vectors) if metric == "cosine" else np.ascontiguousarray(vectors, dtype=np.float32)
    return kept


def similarities(vectors: Vectors | Sequence[Vectors], query: Vectors, metric: Metric) -> list[float]:
    """The similarity of each prepared row to a prepared query, computed in 64 bits and rounded to 9 digits, so that
    equal vectors are equally near wherever they stand."""
    np = numpy()
    wide, asked = np.asarray(vectors, dtype=np.float64), np.asarray(query, dtype=np.float64)
    squared = metric == "l2"
    exact = np.round(1 - ((wide - asked) ** 2).sum(axis=1) / 2 if squared else (wide * asked).sum(axis=1), 9)
    if metric == "cosine":
        exact = np.clip(exact, -1, 1)
    return [float(value) for value in exact]
