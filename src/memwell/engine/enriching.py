"""New memories with topic, category, entities, dates and importance. What the caller gave stays as it is."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from memwell import _bridge
from memwell.engine.context import Engine
from memwell.engine.validation import Template, check_changes
from memwell.policies.enrichers import enrichment_of
from memwell.retrieval.analysis.enrichment import Enrichment, enrich
from memwell.types import Record
from memwell.values import local

__all__ = ["enriched", "publish"]

log = logging.getLogger("memwell.enrichment")

_AT_ONCE: Final = 8
"""Answers of a coroutine function that are waited for together."""


async def enriched(
    engine: Engine, records: Sequence[Record], templates: Sequence[Template], now: datetime
) -> tuple[list[Record], Mapping[int, str]]:
    """The records with what the enricher finds, and the places of those for which it failed, with the reason."""
    found = await _answers(engine, records)
    done: list[Record] = []
    failed: dict[int, str] = {}
    for place, (record, template, answer) in enumerate(zip(records, templates, found, strict=True)):
        try:
            if isinstance(answer, Exception):
                raise answer
            done.append(_with(record, template, enrichment_of(answer), now))
        except Exception as error:  # noqa: BLE001  no memory is lost because of what is only found out about it
            failed[place] = f"{type(error).__name__}: {error}"
            done.append(record)
    if failed:
        log.warning(
            "%d of %d memories were stored without enrichment: %s",
            len(failed), len(records), next(iter(failed.values())),
        )  # fmt: skip
    return done, failed


def publish(engine: Engine, records: Sequence[Record], failed: Mapping[int, str]) -> None:
    """Publish which of the stored records lack enrichment."""
    for place, reason in failed.items():
        record = records[place]
        if not record.reinforced:
            engine.emit("unenriched", record.scope, (record.id,), (record,), error=reason)


async def _answers(engine: Engine, records: Sequence[Record]) -> list[object]:
    """What the enricher gives for each record, or the exception that it raised."""
    found = [_answer(engine, record) for record in records]
    waiting = [(place, answer) for place, answer in enumerate(found) if isinstance(answer, Awaitable)]
    for at in range(0, len(waiting), _AT_ONCE):
        part = waiting[at : at + _AT_ONCE]
        calls: list[Any] = [lambda answer=answer: answer for _, answer in part]
        results = await _bridge.awaited(_bridge.gather(calls, blocking=False), blocking=engine.parts.blocking)
        for (place, _), result in zip(part, results, strict=True):
            found[place] = result
    return found


def _answer(engine: Engine, record: Record) -> Any:
    enricher = engine.enricher
    assert enricher is not None
    try:
        if enricher is enrich:
            return enrich(record.content, at=local(record.created_at, engine.zone))
        return enricher(record.content)
    except Exception as error:  # noqa: BLE001  as above
        return error


def _with(record: Record, template: Template, found: Enrichment, now: datetime) -> Record:
    """The record with what was found and the caller did not give. Raises `InvalidInput` beyond a limit."""
    changes: dict[str, Any] = {
        name: value
        for name in ("category", "importance")
        if (value := getattr(found, name)) is not None and not template.gives(name)
    }
    more: dict[str, Any] = {
        "topic": found.topic,
        "entities": [entity.text for entity in found.entities],
        "dates": list(found.dates),
    }
    more = {name: value for name, value in more.items() if value and name not in record.metadata}
    if more:
        changes["metadata"] = {**record.metadata, **more}
    return replace(record, **check_changes(changes, now)) if changes else record
