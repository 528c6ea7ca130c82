"""Moving a store from one embedding model to another while it is in use."""

from __future__ import annotations

from memwell.engine.backfill import embed_pending, name_of
from memwell.engine.context import Engine, report
from memwell.engine.requests import ReembedRequest
from memwell.engine.validation import check_flag, check_progress
from memwell.errors import EmbeddingError, InvalidInput, NotSupported, shown
from memwell.types import Progress, Reembedded, Scope

__all__ = ["reembed"]


async def reembed(engine: Engine, request: ReembedRequest, progress: Progress | None) -> Reembedded:
    """Give every memory vectors of this engine's embedder, then let searches use them."""
    batch, skip_failed = request.batch, request.skip_failed
    if isinstance(batch, bool) or not isinstance(batch, int) or batch < 1:
        raise InvalidInput(f"batch is a number of memories from 1, not {shown(batch)}")
    check_progress(progress)
    check_flag("drop_old", request.drop_old)
    check_flag("skip_failed", request.skip_failed)
    store, encoder = engine.store, engine.encoder
    if encoder is None:
        raise NotSupported(
            "reembed needs the new embedder: give embedder=, or run memwell reembed --to MODEL",
            part="memory",
            operation="reembed",
        )
    before = await store.serving()
    await engine.sweep(engine.clock())  # what has expired needs no vectors
    unembeddable: set[str] = set()
    done = 0
    while True:
        allowed = len(unembeddable) if skip_failed else 0
        lacking = await store.serve(encoder.model, lacking=allowed)
        if lacking <= allowed:
            break
        total, start = done + lacking, done
        report(progress, done, total)
        while count := await embed_pending(engine, batch, unembeddable):
            done += count
            report(progress, done, max(done, total))
        if done == start and not skip_failed:
            await _refuse_unembeddable(engine, unembeddable)
    while lacking and (count := await embed_pending(engine, batch, unembeddable)):
        done += count  # written meanwhile, in place of some that cannot be embedded
    report(progress, done, done)
    if unembeddable:  # some of them may be gone by now
        left = await store.unembedded(encoder.model, limit=len(unembeddable) + batch)
        unembeddable &= {name_of(record) for record in left}
    encoder.pending, encoder.unembeddable = False, unembeddable
    gone = await _dropped(engine) if request.drop_old else 0
    engine.emit("reembedded", Scope(), (), model=encoder.model)
    return Reembedded(
        model=encoder.model, before=before, embedded=done, failed=tuple(sorted(unembeddable)), dropped=gone
    )


async def _refuse_unembeddable(engine: Engine, unembeddable: set[str]) -> None:
    """Raise `EmbeddingError` when only records are left that cannot be embedded."""
    assert engine.encoder is not None
    left = await engine.store.unembedded(engine.encoder.model, limit=len(unembeddable) + 1)
    if left and all(name_of(record) in unembeddable for record in left):
        shown = ", ".join(record.id for record in left[:10])
        raise EmbeddingError(
            f"{len(left)} memories cannot be embedded with {engine.encoder.model!r}: {shown}; change or forget them, or"
            " skip them, so that only words find them (skip_failed=True, --skip-failed)",
            part="memory",
            operation="reembed",
        )


async def _dropped(engine: Engine) -> int:
    """Remove the vectors of models that searches no longer use; returns of how many records."""
    assert engine.encoder is not None
    others = [model for model in await engine.store.embedding_models() if model != engine.encoder.model]
    return sum([await engine.store.drop_model(model) for model in others])
