"""Health, doctor, repair and sweeping."""

from __future__ import annotations

import logging
import time
from dataclasses import replace

from memwell.engine.backfill import catch_up, serves
from memwell.engine.context import Engine
from memwell.errors import Corrupt, MemwellError
from memwell.ports import Port
from memwell.types import Health, Problem, Progress, Report, Scope

__all__ = ["doctor", "health", "repair", "sweep"]

log = logging.getLogger("memwell")

_BATCH = 64


async def health(engine: Engine) -> Health:
    """See `AsyncMemory.health`."""
    started = time.perf_counter()
    parts: dict[str, Port | None] = {
        name: getattr(engine.parts, name) for name in ("store", "embedder", "index", "cache")
    }
    errors = {name: await _ping(part) for name, part in parts.items() if part is not None}
    answers = {name: "ok" if error is None else str(error) for name, error in errors.items()}
    broken = errors["store"] is not None and not getattr(errors["store"], "readable", False)
    if engine.closed:
        answers["store"], broken = "this memory was closed", True
    if engine.encoder is not None and answers["store"] == answers["embedder"] == "ok":
        answers["embedder"] = await _embedding(engine)
    ok = all(answer == "ok" for answer in answers.values())
    return Health(
        ok=ok,
        status="healthy" if ok else "unhealthy" if broken else "degraded",
        parts=answers,
        seconds=time.perf_counter() - started,
    )


async def _ping(part: Port) -> MemwellError | None:
    """What is wrong with a part."""
    try:
        await part.ping()
    except MemwellError as error:
        return error
    return None


async def _embedding(engine: Engine) -> str:
    """How it stands with the vectors, of an embedder that works."""
    assert engine.encoder is not None
    try:
        if not await serves(engine):
            return (await _unserved(engine)).detail
    except MemwellError as error:
        return str(error)
    waiting = engine.encoder.behind or engine.encoder.hopeless
    return "some memories still wait for their vectors; run repair" if waiting else "ok"


async def doctor(engine: Engine) -> Report:
    """See `AsyncMemory.doctor`."""
    return await engine.store.check()


async def repair(engine: Engine, progress: Progress | None) -> Report:
    """See `AsyncMemory.repair`."""
    await sweep(engine)
    report = await engine.store.check(repair=True)
    if engine.encoder is not None and not await serves(engine):
        problems = (*report.problems, await _unserved(engine))
        return replace(report, ok=False, problems=problems)
    total = 0
    try:
        total = await _embed_missing(engine, progress)
    except Corrupt as error:
        if report.ok:
            raise
        log.warning("what cannot be read cannot be embedded: %s", error)  # the report tells it too
    return replace(report, repaired=report.repaired + total)


async def _unserved(engine: Engine) -> Problem:
    assert engine.encoder is not None
    detail = (
        f"searches use vectors of {await engine.store.serving()!r}, not of this embedder's {engine.encoder.model!r}:"
        " open the store with that embedder, or run `memwell reembed --to MODEL` to move it"
    )
    return Problem(kind="vectors", detail=detail, repairable=False)


async def _embed_missing(engine: Engine, progress: Progress | None) -> int:
    """Embed all that lack vectors of the current model; how many."""
    if engine.encoder is None:
        return 0
    stats = await engine.store.stats(Scope(), now=engine.clock())
    waiting, total = stats.records - stats.embedded.get(engine.encoder.model, 0), 0
    hopeless: set[str] = set()
    while count := await catch_up(engine, _BATCH, hopeless):
        total += count
        if progress is not None:
            progress(total, max(total, waiting))
    engine.encoder.behind, engine.encoder.hopeless = False, hopeless
    if hopeless:
        log.warning("these cannot be embedded: %s", ", ".join(sorted(hopeless)))
    return total


async def sweep(engine: Engine) -> int:
    """See `AsyncMemory.sweep`."""
    return await engine.sweep(engine.clock())
