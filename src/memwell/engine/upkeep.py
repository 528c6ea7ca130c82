"""Health, doctor, repair and sweeping."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from memwell.engine import erase
from memwell.engine.backfill import embed_pending, serves
from memwell.engine.context import Engine
from memwell.engine.context import report as report_progress
from memwell.engine.validation import check_progress
from memwell.errors import Corrupt, MemwellError
from memwell.ports import Port
from memwell.security.receipts import Receipt
from memwell.types import Health, Problem, Progress, Report, Scope

__all__ = ["doctor", "health", "repair", "sweep"]

log = logging.getLogger("memwell")

_BATCH = 64


async def health(engine: Engine) -> Health:
    """Whether every part answers. Never raises."""
    started = time.perf_counter()
    parts: dict[str, Port | None] = {
        name: getattr(engine.parts, name) for name in ("store", "embedder", "index", "cache", "reranker")
    }
    errors = {name: await _ping(part) for name, part in parts.items() if part is not None}
    if "index" in errors:
        errors["index"] = errors["index"] or _index_failure(engine)
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


def _index_failure(engine: Engine) -> MemwellError | None:
    """Why an index that answers could not be updated or searched of late. One that was only unavailable is back."""
    part: object = engine.parts.store
    while part is not None:
        failure = getattr(part, "failure", None)
        if isinstance(failure, MemwellError):
            return None if failure.transient else failure
        part = getattr(part, "inner", None)
    return None


async def _embedding(engine: Engine) -> str:
    """The state of the vectors, for an embedder that works."""
    assert engine.encoder is not None
    try:
        if not await serves(engine):
            return (await _unserved(engine)).detail
    except MemwellError as error:
        return str(error)
    lacking = engine.encoder.pending or engine.encoder.unembeddable
    return "some memories have no vectors yet; run repair" if lacking else "ok"


async def doctor(engine: Engine) -> Report:
    """Compare what the store derived with its records, and name what receipts could not erase yet."""
    report = await engine.store.check()
    return await _with_receipts(engine, report, erase.pending_receipts)


async def repair(engine: Engine, progress: Progress | None) -> Report:
    """Rebuild what `doctor` finds wrong, remove what has expired, embed what has no vectors."""
    check_progress(progress)
    with suppress(Corrupt):  # the report has it
        await sweep(engine)
    report = await engine.store.check(repair=True)
    total = 0
    try:
        if engine.encoder is not None and not await serves(engine):
            problems = (*report.problems, await _unserved(engine))
            return replace(report, ok=False, problems=problems)
        total = await _embed_missing(engine, progress)
    except Corrupt as error:
        if report.ok:
            raise
        log.warning("unreadable memories were not embedded: %s", error)  # the report has them too
    report = replace(report, repaired=report.repaired + total)
    return await _with_receipts(engine, report, erase.complete_all)


async def _with_receipts(
    engine: Engine, report: Report, find: Callable[[Engine], Awaitable[Sequence[Receipt]]]
) -> Report:
    """The report with what is still pending of the receipts that are found."""
    try:
        done = await find(engine)
    except MemwellError as error:
        problem = Problem(kind="receipts", detail=f"the journal cannot be read: {error}", repairable=False)
        return replace(report, ok=False, problems=(*report.problems, problem))
    completed = sum(receipt.complete for receipt in done)
    left = tuple(
        Problem(kind="receipts", id=receipt.id, detail=f"{trace.place}: {trace.detail}")
        for receipt in done
        for trace in receipt.pending
    )
    ok, repaired = report.ok and not left, report.repaired + completed
    return replace(report, ok=ok, problems=(*report.problems, *left), repaired=repaired)


async def _unserved(engine: Engine) -> Problem:
    assert engine.encoder is not None
    detail = (
        f"searches use vectors of {await engine.store.serving()!r}, not of this embedder's {engine.encoder.model!r}:"
        " open the store with that embedder, or run `memwell reembed --to MODEL` to move it"
    )
    return Problem(kind="vectors", detail=detail, repairable=False)


async def _embed_missing(engine: Engine, progress: Progress | None) -> int:
    """Embed every record that lacks vectors of the current model; returns how many."""
    if engine.encoder is None:
        return 0
    stats = await engine.store.stats(Scope(), now=engine.clock())
    lacking, total = stats.records - stats.embedded.get(engine.encoder.model, 0), 0
    unembeddable: set[str] = set()
    while count := await embed_pending(engine, _BATCH, unembeddable):
        total += count
        report_progress(progress, total, max(total, lacking))
    engine.encoder.pending, engine.encoder.unembeddable = False, unembeddable
    if unembeddable:
        log.warning("these memories cannot be embedded: %s", ", ".join(sorted(unembeddable)))
    return total


async def sweep(engine: Engine) -> int:
    """Remove the expired memories of every tenant; returns how many."""
    return await engine.sweep(engine.clock())
