"""Many records and vectors by their ids, read in parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from memwell.engine.context import Engine
from memwell.types import Record, Scope

if TYPE_CHECKING:
    from memwell.ports import Vectors

__all__ = ["mean_vectors", "records_of"]

_BATCH: Final = 500


async def records_of(engine: Engine, scope: Scope, ids: Sequence[str], now: datetime) -> list[Record]:
    """The records with these ids that are there, however many."""
    found: list[Record] = []
    for start in range(0, len(ids), _BATCH):
        found += await engine.store.get(scope, ids[start : start + _BATCH], now=now)
    return found


async def mean_vectors(engine: Engine, scope: Scope, ids: Sequence[str]) -> Mapping[str, Vectors]:
    """One vector of length 1 for each memory that has any: the mean of its passages."""
    if not engine.store.capabilities.vectors or (model := await engine.store.serving()) is None:
        return {}
    import numpy as np

    found: dict[str, Vectors] = {}
    for start in range(0, len(ids), _BATCH):
        stored = await engine.store.embeddings(scope, ids[start : start + _BATCH], model)
        for id, embedding in stored.items():
            mean = embedding.vectors.mean(axis=0)
            found[id] = mean / (float(np.linalg.norm(mean)) or 1.0)
    return found
