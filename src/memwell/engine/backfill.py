"""Embedding what is stored without vectors of the model in use."""

from __future__ import annotations

import logging

from memwell.engine.context import Engine
from memwell.engine.encoding import Encoder
from memwell.errors import MemwellError
from memwell.ports import Embed, Embedding, Operation
from memwell.types import Record

__all__ = ["embed_pending", "embed_pending_quietly", "name_of", "serves"]

log = logging.getLogger("memwell")

_AT_ONCE = 64
_PLAIN = "memory"
"""A text that every working embedder can embed."""


async def serves(engine: Engine) -> bool:
    """Whether searches use vectors of this engine's model, or would as soon as there are any."""
    encoder = engine.encoder
    return encoder is not None and await engine.store.serving() in (None, encoder.model)


async def embed_pending_quietly(engine: Engine) -> None:
    """Embed some of the pending records after a call has done its work: a failure is logged, not raised.

    A store that serves another model is left alone; `reembed` moves it.
    """
    encoder = engine.encoder
    assert encoder is not None
    try:
        if not await serves(engine):
            encoder.pending = False
            return
        encoder.pending = await embed_pending(engine, _AT_ONCE, encoder.unembeddable) == _AT_ONCE
    except MemwellError as error:
        log.warning("some memories have no vectors yet: %s", error)


async def embed_pending(engine: Engine, limit: int, unembeddable: set[str]) -> int:
    """Embed up to `limit` records that lack vectors of the current model; returns how many.

    A text that cannot be embedded does not hold up the others: its name (`name_of`) is added to `unembeddable`, and
    records named there are not tried again. Raises what the embedder raises when that is transient, or when the
    embedder embeds nothing at all.
    """
    encoder = engine.encoder
    if encoder is None:
        return 0
    found = await engine.store.unembedded(encoder.model, limit=limit + len(unembeddable))
    lacking = [record for record in found if name_of(record) not in unembeddable]
    if not lacking:
        return 0
    embeddings: list[Embedding | None]
    try:
        embeddings = list(await encoder.strictly([record.content for record in lacking]))
    except MemwellError as error:
        if error.transient:
            raise
        embeddings = [await _alone(encoder, record.content) for record in lacking]
        if not any(embeddings) and await _alone(encoder, _PLAIN) is None:
            raise
    done: list[Operation] = []
    for record, embedding in zip(lacking, embeddings, strict=True):
        if embedding is None:
            unembeddable.add(name_of(record))
            continue
        tenant = record.scope.tenant_id
        done.append(Embed(tenant_id=tenant, id=record.id, content=record.content, embedding=embedding))
    await engine.store.write(done, now=engine.clock())
    return len(done)


def name_of(record: Record) -> str:
    """The name of one version of a record: tenant/id/version."""
    return f"{record.scope.tenant_id}/{record.id}/{record.version}"


async def _alone(encoder: Encoder, content: str) -> Embedding | None:
    try:
        return (await encoder.strictly([content]))[0]
    except MemwellError as error:
        if error.transient:
            raise
        return None
