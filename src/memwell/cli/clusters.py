"""`enrich`, `clusters`, `summarise`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from memwell.cli.output import flat, short
from memwell.cli.shared import Cli, Yes, ask, content_of
from memwell.engine.clock import zone_of
from memwell.retrieval.analysis.enrichment import enrich as read
from memwell.values import local

__all__ = ["clusters", "enrich", "summarise"]


def enrich(
    cli: Cli,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The text, or - to read it from stdin.")],
) -> None:
    """Show the topic, category, entities, dates and importance of a text. Stores nothing; see `remember --enrich`."""
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


def clusters(
    cli: Cli,
    by: Annotated[
        str, typer.Option("--by", metavar="WHAT", help="topic, category, topic+category or vectors.")
    ] = "topic",
    topic: Annotated[str | None, typer.Option("--topic", metavar="TEXT", help="Only of this topic.")] = None,
    category: Annotated[
        str | None, typer.Option("--category", metavar="TEXT", help="Only of this category.")
    ] = None,
    min_size: Annotated[
        int, typer.Option("--min-size", metavar="N", help="Only clusters of at least N memories.")
    ] = 2,
    threshold: Annotated[
        float | None, typer.Option("--threshold", metavar="0..1", help="The least cosine, by vectors.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", metavar="N", help="Show at most N clusters.")] = 20,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Make the clusters by vectors again, and store them, first.")
    ] = False,
) -> None:
    """Show which memories are about the same, as clusters, the largest first."""
    way: Any = by
    with cli.memory() as memory:
        if rebuild:
            memory.rebuild_clusters(by=way, threshold=threshold, **cli.owner)
        found = memory.clusters(
            by=way, min_size=min_size, topic=topic, category=category, threshold=threshold, limit=limit,
            **cli.owner,
        )  # fmt: skip
    if cli.out.as_json:
        for one in found:
            cli.out.json(one.to_dict())
        return
    rows = [(one.size, one.label, one.user_id, flat(one.summary)) for one in found]
    if rows:
        cli.out.table(("size", "of", "user", "summary"), rows, wide="summary")
    else:
        cli.out.note("No clusters. Is this the right owner? See --user, and --min-size 1.")


def summarise(
    cli: Cli,
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID]…", help="The memories. Default: the conversations of the owner."),
    ] = None,
    characters: Annotated[int, typer.Option("--characters", metavar="N", help="The longest summary.")] = 1000,
    originals: Annotated[
        str, typer.Option("--originals", metavar="WHAT", help="keep, hide behind the summary, or forget.")
    ] = "keep",
    yes: Yes = False,
) -> None:
    """Store a summary of memories that names them: of a conversation (--session), or of those with these ids."""
    way: Any = originals
    if originals == "forget" and not yes:
        ask("Forget the memories that are summarised, for good?")
    with cli.memory(embeds=True) as memory:
        chosen = [cli.find(memory, id) for id in ids] if ids else None
        found = memory.summarise(chosen, characters=characters, originals=way, **cli.owner)
    if cli.out.as_json:
        for one in found:
            cli.out.json(one.to_dict())
        return
    for one in found:
        cli.out.cells((short(one.id) if cli.out.fancy else one.id, flat(one.content)))
    if not found:
        cli.out.note("Nothing new to summarise.")
