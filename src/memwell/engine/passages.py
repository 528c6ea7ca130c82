"""The part of a long content that answers the question."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from memwell.engine.context import Engine
from memwell.ports.store.search import Search
from memwell.retrieval.analysis.text import analyze
from memwell.types import Hit

if TYPE_CHECKING:
    from memwell.ports import Embedding

__all__ = ["attach"]

_LONG = 600
"""Characters from which on a content can have several passages."""


async def attach(engine: Engine, hits: list[Hit], search: Search, *, explain: bool) -> list[Hit]:
    """The hits with the best passage of long contents, and with `explain` also the terms shared with the question."""
    long = [hit.record.id for hit in hits if len(hit.record.content) > _LONG]
    stored: dict[str, Embedding] = {}
    if long and search.model is not None:
        stored = await engine.store.embeddings(search.scope, long, search.model)
    return [_attached(hit, stored.get(hit.record.id), search, explain=explain) for hit in hits]


def _attached(hit: Hit, embedding: Embedding | None, search: Search, *, explain: bool) -> Hit:
    content = hit.record.content
    passage = None
    if embedding is not None and embedding.spans and search.vectors is not None:
        best = int((embedding.vectors @ search.vectors[0]).argmax())
        passage = content[slice(*embedding.spans[best])]
    if not explain:
        return hit if passage is None else replace(hit, why=replace(hit.why, passage=passage))
    here = set(analyze(content))
    terms = tuple(term for term in search.terms if term in here)
    return replace(hit, why=replace(hit.why, passage=passage or content, terms=terms))
