"""Moving a store from one embedding model to another while it is in use."""

from __future__ import annotations

from memwell.engine.backfill import catch_up, name_of
from memwell.engine.context import Engine
from memwell.errors import EmbeddingError, InvalidInput, NotSupported
from memwell.types import Progress, Reembedded

__all__ = ["reembed"]


async def reembed(
    engine: Engine, *, batch: int, drop_old: bool, skip_failed: bool, progress: Progress | None
) -> Reembedded:
    """See `AsyncMemory.reembed`."""
    if isinstance(batch, bool) or not isinstance(batch, int) or batch < 1:
        raise InvalidInput(f"batch is a number of memories from 1, not {batch!r}")
    store, encoder = engine.store, engine.encoder
    if encoder is None:
        raise NotSupported(
            "reembed needs the new embedder: give embedder=, or say memwell reembed --to MODEL",
            part="memory",
            operation="reembed",
        )
    before = await store.serving()
    await engine.sweep(engine.clock())  # what has expired needs no vectors
    hopeless: set[str] = set()
    done = 0
    while True:
        allowed = len(hopeless) if skip_failed else 0
        lacking = await store.serve(encoder.model, lacking=allowed)
        if lacking <= allowed:
            break
        total, start = done + lacking, done
        _report(progress, done, total)
        while count := await catch_up(engine, batch, hopeless):
            done += count
            _report(progress, done, max(done, total))
        if done == start and not skip_failed:
            await _refuse_hopeless(engine, hopeless)
    while lacking and (count := await catch_up(engine, batch, hopeless)):
        done += count  # somebody wrote it in place of what cannot be embedded
    _report(progress, done, done)
    if hopeless:  # some of them may be gone by now
        left = await store.unembedded(encoder.model, limit=len(hopeless) + batch)
        hopeless &= {name_of(record) for record in left}
    encoder.behind, encoder.hopeless = False, hopeless
    gone = await _dropped(engine) if drop_old else 0
    return Reembedded(
        model=encoder.model, before=before, embedded=done, failed=tuple(sorted(hopeless)), dropped=gone
    )


async def _refuse_hopeless(engine: Engine, hopeless: set[str]) -> None:
    """Raise `EmbeddingError` when nothing is left but what cannot be embedded."""
    assert engine.encoder is not None
    left = await engine.store.unembedded(engine.encoder.model, limit=len(hopeless) + 1)
    if left and all(name_of(record) in hopeless for record in left):
        shown = ", ".join(record.id for record in left[:10])
        raise EmbeddingError(
            f"{len(left)} memories cannot be embedded with {engine.encoder.model!r}: {shown}; change or forget them, or"
            " leave them behind, to be found by words only (skip_failed=True, --skip-failed)",
            part="memory",
            operation="reembed",
        )


async def _dropped(engine: Engine) -> int:
    """Remove the vectors of the models that do not serve any more; of how many records."""
    assert engine.encoder is not None
    others = [model for model in await engine.store.embedding_models() if model != engine.encoder.model]
    return sum([await engine.store.drop_model(model) for model in others])


def _report(progress: Progress | None, done: int, total: int) -> None:
    if progress is not None:
        progress(done, total)
