"""A vector index as a projection of a store: feeding it, and comparing both."""

from __future__ import annotations

from memwell.projection.feeding import Projection
from memwell.projection.points import middle

__all__ = ["Projection", "middle"]
