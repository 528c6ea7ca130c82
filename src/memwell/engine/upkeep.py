"""Health, doctor, repair and sweeping."""

from __future__ import annotations

import logging
import time
from dataclasses import replace

from memwell.engine.context import Engine
from memwell.engine.writing import catch_up
from memwell.errors import Corrupt, MemwellError
from memwell.ports import Port
from memwell.types import Health, Progress, Report, Scope

__all__ = ["doctor", "health", "repair", "sweep"]

log = logging.getLogger("memwell")

_BATCH = 64


async def health(engine: Engine) -> Health:
    """See `AsyncMemory.health`."""
    started = time.perf_counter()
    parts: dict[str, Port | None] = {
        name: getattr(engine.parts, name) for name in ("store", "embedder", "index", "cache")
    }
    answers = {name: await _answer(part) for name, part in parts.items() if part is not None}
    if engine.closed:
        answers["store"] = "this memory was closed"
    if engine.encoder is not None and engine.encoder.behind and answers["embedder"] == "ok":
        answers["embedder"] = "some memories still wait for their vectors; run repair"
    ok = all(answer == "ok" for answer in answers.values())
    broken = answers["store"] != "ok"
    return Health(
        ok=ok,
        status="healthy" if ok else "unhealthy" if broken else "degraded",
        parts=answers,
        seconds=time.perf_counter() - started,
    )


async def _answer(part: Port) -> str:
    try:
        await part.ping()
    except MemwellError as error:
        return str(error)
    return "ok"


async def doctor(engine: Engine) -> Report:
    """See `AsyncMemory.doctor`."""
    return await engine.store.check()


async def repair(engine: Engine, progress: Progress | None) -> Report:
    """See `AsyncMemory.repair`."""
    await sweep(engine)
    report = await engine.store.check(repair=True)
    total = 0
    try:
        total = await _embed_missing(engine, progress)
    except Corrupt as error:
        if report.ok:
            raise
        log.warning("what cannot be read cannot be embedded: %s", error)  # the report tells it too
    return replace(report, repaired=report.repaired + total)


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
    engine.encoder.behind = bool(hopeless)
    if hopeless:
        log.warning("these cannot be embedded: %s", ", ".join(sorted(hopeless)))
    return total


async def sweep(engine: Engine) -> int:
    """See `AsyncMemory.sweep`."""
    return await engine.sweep(engine.clock())
