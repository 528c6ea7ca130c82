"""Embedding what is stored without vectors of the model in use."""

from __future__ import annotations

import logging

from memwell.engine.context import Engine
from memwell.engine.encoding import Encoder
from memwell.errors import MemwellError
from memwell.ports import Embed, Embedding, Operation
from memwell.types import Record

__all__ = ["catch_up", "catch_up_quietly", "name_of", "serves"]

log = logging.getLogger("memwell")

_AT_ONCE = 64
_PLAIN = "memory"
"""What every embedder can embed that works at all."""


async def serves(engine: Engine) -> bool:
    """Whether searches use vectors of this engine's model, or would as soon as there are any."""
    encoder = engine.encoder
    return encoder is not None and await engine.store.serving() in (None, encoder.model)


async def catch_up_quietly(engine: Engine) -> None:
    """Embed some of what is behind, beside a call that has done its work: a failure is logged, not raised.

    Another model's store is left alone: moving it is what `reembed` is for.
    """
    encoder = engine.encoder
    assert encoder is not None
    try:
        if not await serves(engine):
            encoder.behind = False
            return
        encoder.behind = await catch_up(engine, _AT_ONCE, encoder.hopeless) == _AT_ONCE
    except MemwellError as error:
        log.warning("some memories still wait for their vectors: %s", error)


async def catch_up(engine: Engine, limit: int, hopeless: set[str]) -> int:
    """Embed up to `limit` records that lack vectors of the current model; how many got them.

    A text that cannot be embedded does not hold up the others; its name is added to `hopeless`, whose records are not
    tried again. Raises what the embedder raises when trying again later may help, or when it embeds nothing at all.
    """
    encoder = engine.encoder
    if encoder is None:
        return 0
    found = await engine.store.unembedded(encoder.model, limit=limit + len(hopeless))
    waiting = [record for record in found if name_of(record) not in hopeless]
    if not waiting:
        return 0
    embeddings: list[Embedding | None]
    try:
        embeddings = list(await encoder.strictly([record.content for record in waiting]))
    except MemwellError as error:
        if error.transient:
            raise
        embeddings = [await _alone(encoder, record.content) for record in waiting]
        if not any(embeddings) and await _alone(encoder, _PLAIN) is None:
            raise
    done: list[Operation] = []
    for record, embedding in zip(waiting, embeddings, strict=True):
        if embedding is None:
            hopeless.add(name_of(record))
            continue
        tenant = record.scope.tenant_id
        done.append(Embed(tenant_id=tenant, id=record.id, content=record.content, embedding=embedding))
    await engine.store.write(done, now=engine.clock())
    return len(done)


def name_of(record: Record) -> str:
    """What a version of a record is called among those that cannot be embedded."""
    return f"{record.scope.tenant_id}/{record.id}/{record.version}"


async def _alone(encoder: Encoder, content: str) -> Embedding | None:
    try:
        return (await encoder.strictly([content]))[0]
    except MemwellError as error:
        if error.transient:
            raise
        return None
