"""`plan`: what policies would do to the memories of a scope. Reads only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, Final

from memwell.engine.context import Engine
from memwell.engine.reading import mean_vectors, records_of
from memwell.engine.requests import PlanRequest
from memwell.errors import ConfigError, InvalidInput, shown
from memwell.policies import summaries
from memwell.policies.duplicates import Merge, merges
from memwell.policies.loading import load
from memwell.policies.model import Policies
from memwell.policies.planning import Outcome, Planner, Row
from memwell.policies.plans import Plan, Step, Writer
from memwell.policies.summarising import Groups, note_summary, parts_of, summary_step
from memwell.types import Scope

__all__ = ["check_summariser", "plan"]

_PAGE: Final = 1000
_BATCH: Final = 500
_SHOWN: Final = 80
"""Characters of a text that a step shows of it before it is trimmed."""


async def plan(engine: Engine, request: PlanRequest) -> Plan:
    """The steps that policies ask for, with their reasons."""
    policies = _chosen(engine, request)
    check_summariser(request.summariser)
    now, scope = engine.clock(), request.scope()
    with Planner(policies, now) as planner:
        await _read(engine, planner, scope, now)
        merged = await _merged(engine, planner, scope, now)
        gone = {merge.gone.id for merge in merged}
        planner.settle(gone)
        groups = Groups(policies, await _watermarks(engine, policies, scope, now))
        writer = Writer()
        for merge in merged:
            writer.add(planner.merge_step(merge))
        async for step in _steps(engine, planner, groups, gone, scope, now):
            writer.add(step)
        async for step in _summaries(engine, request, groups, scope, now):
            writer.add(step)
            planner.tiers_after[step.after["tier"] or ""] += 1
        tiers = {
            tier: (planner.tiers_before[tier], planner.tiers_after[tier])
            for tier in dict.fromkeys(
                [*(tier.name for tier in policies.tiers), *planner.tiers_before, *planner.tiers_after]
            )
        }
        found = Plan(
            made_at=now, scope=scope, steps=writer.steps(), records=planner.records,
            by_rule=dict(writer.rules), by_action=dict(writer.actions), tiers=tiers,
        )  # fmt: skip
    engine.emit("planned", scope, (), memories=found.records, steps=len(found.steps))
    return found


def check_summariser(summariser: object) -> None:
    """Raise `InvalidInput` for what is neither a function nor `None`."""
    if summariser is not None and not callable(summariser):
        raise InvalidInput(f"summariser is a function of texts and a length, not {shown(summariser)}")


def _chosen(engine: Engine, request: PlanRequest) -> Policies:
    if request.policies is not None:
        return load(request.policies)
    if engine.policies is None:
        raise ConfigError(
            "there are no policies: give plan a file, a dict or Policies, or Memory(policies=…)"
        )
    return engine.policies


async def _read(engine: Engine, planner: Planner, scope: Scope, now: datetime) -> None:
    """Judge every memory: outlines where they are enough, else whole records."""
    policies = planner.policies
    whole = bool(policies.scoring.rules) or (policies.deduplicate is not None and policies.deduplicate.exact)
    after: str | None = None
    while True:
        page: Sequence[Any]
        if whole:
            position = None if after is None else (after, after)
            page = await engine.store.scan(scope, now=now, order="id", limit=_PAGE, after=position)
        else:
            page = await engine.store.outlines(scope, now=now, limit=_PAGE, after=after)
        planner.read(page)
        if len(page) < _PAGE:
            return
        after = page[-1].id


# ---------------------------------------------------------------------------------------------- duplicates


async def _merged(engine: Engine, planner: Planner, scope: Scope, now: datetime) -> list[Merge]:
    rule = planner.policies.deduplicate
    if rule is None:
        return []
    near = rule.words is not None or rule.vectors is not None
    doubled = planner.doubled() if not near else set()
    if not near and not doubled:
        return []
    ids: defaultdict[object, list[str]] = defaultdict(list)
    for row in planner.rows():
        if row.print is not None and (near or row.print in doubled):
            ids[row.user_id if near else row.print].append(row.id)
    found: list[Merge] = []
    for group in ids.values():
        if len(group) > 1:
            records = await records_of(engine, scope, group, now)
            vectors = await mean_vectors(engine, scope, group) if rule.vectors is not None else {}
            found += merges(
                records, exact=rule.exact, words=rule.words, vectors=rule.vectors, embeddings=vectors
            )
    return found


# ---------------------------------------------------------------------------------------------- steps


async def _steps(
    engine: Engine, planner: Planner, groups: Groups, gone: set[str], scope: Scope, now: datetime
) -> AsyncIterator[Step]:
    """The steps for single memories. Texts that are too long are read here, some at a time."""
    trims: list[tuple[Row, Outcome]] = []
    for row in planner.rows():
        if row.id in gone:
            continue
        row, found = planner.final(row)
        if not found.forget:
            planner.tiers_after[found.tier or ""] += 1
            groups.note(row, row.version + bool(found.after or row.trim >= 0))
        if row.trim >= 0 and not found.forget:
            trims.append((row, found))
        elif (step := planner.step(row, found)) is not None:
            yield step
        if len(trims) == _BATCH:
            for one in await _trimmed(engine, planner, trims, scope, now):
                yield one
            trims.clear()
    for one in await _trimmed(engine, planner, trims, scope, now):
        yield one


async def _trimmed(
    engine: Engine, planner: Planner, rows: Sequence[tuple[Row, Outcome]], scope: Scope, now: datetime
) -> list[Step]:
    """The steps of memories whose texts are too long. One that has changed since it was judged keeps its text."""
    texts = {
        record.id: record for record in await records_of(engine, scope, [row.id for row, _ in rows], now)
    }
    steps = []
    for row, found in rows:
        record, rule = texts.get(row.id), planner.policies.trim[row.trim]
        if record is not None and record.version == row.version:
            shorten = summaries.cut if rule.method == "cut" else _extract
            text = shorten(record.content, rule.characters)
            reason = f"{len(record.content):,} characters, at most {rule.characters:,}"
            found = found.by(rule.name, reason).set("content", summaries.cut(record.content, _SHOWN), text)
        if (step := planner.step(row, found)) is not None:
            steps.append(step)
    return steps


def _extract(text: str, characters: int) -> str:
    return summaries.summary([text], characters)


# ---------------------------------------------------------------------------------------------- summaries


async def _watermarks(
    engine: Engine, policies: Policies, scope: Scope, now: datetime
) -> dict[tuple[str, str | None, str], int]:
    """Up to when each conversation or category is summarised already."""
    found: dict[tuple[str, str | None, str], int] = {}
    if not policies.summarise:
        return found
    position = None
    while True:
        page = await engine.store.scan(
            scope, now=now, where={"kind": "summary"}, order="id", limit=_PAGE, after=position
        )
        for record in page:
            note_summary(record, found)
        if len(page) < _PAGE:
            return found
        position = page[-1].id, page[-1].id


async def _summaries(
    engine: Engine, request: PlanRequest, groups: Groups, scope: Scope, now: datetime
) -> AsyncIterator[Step]:
    for group in groups.large_enough():
        ids = [source.id for source in group.sources]
        records = {record.id: record for record in await records_of(engine, scope, ids, now)}
        there = [(records[one.id], one.version) for one in group.sources if one.id in records]
        for part in parts_of(there):
            texts = [record.content for record, _ in part]
            text = await summaries.summarised(
                request.summariser, texts, group.rule.characters, blocking=engine.parts.blocking
            )
            yield summary_step(group, part, text)
