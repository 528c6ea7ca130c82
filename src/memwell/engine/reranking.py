"""The best candidates of a recall, reordered by a reranker; one that fails or is slow changes nothing."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from memwell import _bridge
from memwell._workers import on_loop
from memwell.engine import passages
from memwell.engine.context import Engine
from memwell.errors import MemwellError, TimedOut
from memwell.ports.store.search import Search
from memwell.types import Component, Hit

__all__ = ["reranked"]

log = logging.getLogger("memwell.reranker")

NAME: Final = "rerank"


async def reranked(engine: Engine, query: str, hits: list[Hit], search: Search) -> list[Hit]:
    """The hits with the score of the reranker as a part of theirs: `weight` of it, and the rest of what they had.

    Hits beyond its candidates count as if it gave them 0. If it fails, all stay as they are, with a note.
    """
    part = engine.parts.reranker
    if part is None or not hits:
        return hits
    best = await passages.attach(engine, hits[: part.candidates], search, explain=False)
    texts = [hit.why.passage or hit.record.content for hit in best]
    try:
        scores = await on_loop(lambda: _bridge.within(part.timeout, lambda: part.score(query, texts)))
    except MemwellError as error:
        slow = isinstance(error, TimedOut)
        log.warning("ranked without the reranker %s, which failed: %s", part.model, error)
        what = f"took longer than {part.timeout:g} seconds" if slow else "failed"
        note = f"the reranker {what}: ranked without it"
        return [replace(hit, why=replace(hit.why, notes=(*hit.why.notes, note))) for hit in hits]
    values = [*_unit(scores), *[0.0] * (len(hits) - len(scores))]
    found = [_with(hit, value, part.weight) for hit, value in zip(hits, values, strict=True)]
    return sorted(found, key=lambda hit: -hit.score)


def _with(hit: Hit, value: float, weight: float) -> Hit:
    rest = [replace(each, weight=each.weight * (1 - weight)) for each in hit.why.components]
    own = [Component(name=NAME, value=value, weight=weight)] if value else []
    components = sorted([*own, *rest], key=lambda each: -abs(each.points))
    score = min(1.0, max(0.0, hit.score * (1 - weight) + value * weight))
    return replace(hit, score=score, why=replace(hit.why, components=tuple(components)))


def _unit(scores: Sequence[float]) -> list[float]:
    """Scores in 0..1 as they are; others from their lowest (0) to their highest (1)."""
    low, high = min(scores), max(scores)
    if low >= 0 and high <= 1:
        return list(scores)
    if high == low:
        return [0.5] * len(scores)
    return [(each / 2 - low / 2) / (high / 2 - low / 2) for each in scores]  # halves never overflow
