"""The options of every reranker: how many candidates, how long, how much."""

from __future__ import annotations

from math import exp
from typing import TYPE_CHECKING, Any, Final

from memwell.errors import ConfigError

if TYPE_CHECKING:
    from memwell.ports import Reranker
    from memwell.urls import Url

__all__ = ["OPTIONS", "configure", "from_options", "logistic"]

OPTIONS: Final = ("candidates", "timeout", "weight")


def configure(part: Reranker, candidates: int, timeout: float, weight: float) -> None:
    """Set and check them. Raises `ConfigError`."""
    if isinstance(candidates, bool) or not isinstance(candidates, int) or not 1 <= candidates <= 1000:
        raise ConfigError("candidates must be a whole number in 1..1000", part=part.part)
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout < float("inf"):
        raise ConfigError("timeout must be a finite number of seconds above 0", part=part.part)
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight <= 1:
        raise ConfigError("weight must be above 0 and at most 1", part=part.part)
    part.candidates, part.timeout, part.weight = candidates, timeout, weight


def from_options(url: Url) -> dict[str, Any]:
    """Remove them from a URL, as keywords of a constructor."""
    return {
        "candidates": url.whole("candidates", 30, least=1),
        "timeout": url.number("timeout", 5.0),
        "weight": url.number("weight", 0.7),
    }


def logistic(logit: float) -> float:
    """The probability of a logit."""
    return 1 / (1 + exp(-logit)) if logit > -700 else 0.0
