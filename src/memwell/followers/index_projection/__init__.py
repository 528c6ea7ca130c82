"""A vector index as a projection of a store: the sink that fills it, and the comparison of both."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from memwell.followers.follower import Follower
from memwell.followers.index_projection.points import middle
from memwell.followers.index_projection.projection import Projection
from memwell.ports import Store, VectorIndex

__all__ = ["Projection", "follower_of", "middle"]


def follower_of(
    store: Store, index: VectorIndex, model: str, clock: Callable[[], datetime] | None = None
) -> tuple[Follower, Projection]:
    """The follower that keeps an index up to date with a store under one model, and its sink.

    The store keeps the checkpoint under the index's `identity`; an index without one does not outlive its object.
    """
    projection = Projection(store, index, model)
    name = None if index.identity is None else f"{index.identity} {model}"
    return Follower(store, projection, name=name, clock=clock), projection
