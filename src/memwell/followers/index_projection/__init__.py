"""A vector index as a projection of a store: feeding it, and comparing both."""

from __future__ import annotations

from memwell.followers.index_projection.points import middle
from memwell.followers.index_projection.projection import Projection

__all__ = ["Projection", "middle"]
