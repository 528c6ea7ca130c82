"""`enrich`."""

from __future__ import annotations

from typing import Annotated

import typer

from memwell.cli.shared import Cli, content_of
from memwell.engine.clock import zone_of
from memwell.retrieval.analysis.enrichment import enrich as read
from memwell.values import local

__all__ = ["enrich"]


def enrich(
    cli: Cli,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The text, or - to read it from stdin.")],
) -> None:
    """Show the topic, category, entities, dates and importance of a text. Stores nothing; see `remember --enrich`."""
    from datetime import UTC, datetime

    found = read(content_of(text), at=local(datetime.now(UTC), zone_of(cli.settings.timezone)))
    if cli.out.as_json:
        cli.out.json(found.to_dict())
        return
    cli.out.pairs(
        {
            "topic": found.topic,
            "category": found.category,
            "entities": ", ".join(f"{entity.text} ({entity.kind})" for entity in found.entities),
            "dates": ", ".join(found.dates),
            "importance": f"{found.importance:g}" if found.importance is not None else None,
            "because": ", ".join(found.reasons),
        }
    )
