"""`relate`, `unrelate`, `related`, `conflicts`."""

from __future__ import annotations

from typing import Annotated

import typer

from memwell.cli.failures import Code, complain
from memwell.cli.output import flat, short
from memwell.cli.remember import Id
from memwell.cli.shared import Cli, Where

__all__ = ["conflicts", "relate", "related", "unrelate"]

Target = Annotated[str, typer.Argument(metavar="TARGET", help="Id of the other memory, or a part of it.")]


def relate(
    cli: Cli,
    id: Id,
    target: Target,
    kind: Annotated[
        str,
        typer.Option(
            "--kind", metavar="TEXT", help="supersedes, contradicts, extends, related, or a word of your own."
        ),
    ] = "related",
    strength: Annotated[
        float, typer.Option("--strength", metavar="0..1", help="Strength of the relationship.")
    ] = 1.0,
) -> None:
    """Relate one memory to another, such as `memwell relate NEW OLD --kind supersedes`."""
    with cli.memory() as memory:
        source, end = cli.find(memory, id), cli.find(memory, target)
        link = memory.relate(source, end, kind, strength=strength, **cli.owner)
    if cli.out.as_json:
        cli.out.json({"source": source, **link.to_dict()})
    else:
        cli.out.cells((source, link.kind, link.target, f"{link.strength:g}"))


def unrelate(
    cli: Cli,
    id: Id,
    target: Target,
    kind: Annotated[str | None, typer.Option("--kind", metavar="TEXT", help="Remove only this kind.")] = None,
) -> None:
    """Remove the relationships from one memory to another."""
    with cli.memory() as memory:
        removed = memory.unrelate(cli.find(memory, id), cli.find(memory, target), kind, **cli.owner)
    if cli.out.as_json:
        cli.out.json({"removed": removed})
    elif removed:
        cli.out.line(f"Removed {removed}.")
    if not removed:
        complain("there is no such relationship; `memwell related ID` lists the existing ones")
        raise typer.Exit(Code.NOT_FOUND)


def related(
    cli: Cli,
    id: Id,
    kind: Annotated[str | None, typer.Option("--kind", metavar="TEXT", help="Follow only this kind.")] = None,
    depth: Annotated[
        int, typer.Option("--depth", metavar="N", help="Follow at most N relationships in a row.")
    ] = 1,
    min_strength: Annotated[
        float, typer.Option("--min-strength", metavar="0..1", help="Least strength of the whole path.")
    ] = 0.0,
) -> None:
    """Show the memories that relationships connect with this one, in either direction."""
    with cli.memory() as memory:
        found = memory.related(
            cli.find(memory, id), kind=kind, depth=depth, min_strength=min_strength, **cli.owner
        )
    if cli.out.as_json:
        for one in found:
            cli.out.json(one.to_dict())
        return
    rows = [
        (
            one.depth,
            f"{'→' if one.outgoing else '←'} {one.link.kind}",
            f"{one.strength:.2f}",
            short(one.record.id) if cli.out.fancy else one.record.id,
            flat(one.record.content),
        )
        for one in found
    ]
    if rows:
        cli.out.table(("depth", "relationship", "strength", "id", "content"), rows, wide="content")
    else:
        cli.out.note("No related memories. See `memwell relate --help`.")


def conflicts(
    cli: Cli,
    where: Where = None,
    limit: Annotated[int, typer.Option("--limit", "-n", metavar="N", help="Show at most N pairs.")] = 20,
) -> None:
    """Show memories that say the same with another value, such as two places of residence.

    `memwell relate NEWER OLDER --kind supersedes` decides a pair, `--kind contradicts` marks it.
    """
    with cli.memory() as memory:
        found = memory.conflicts(where=cli.filter(where), limit=limit, **cli.owner)
    if cli.out.as_json:
        for one in found:
            cli.out.json(one.to_dict())
        return
    rows = [
        (
            one.kind,
            short(one.newer.id) if cli.out.fancy else one.newer.id,
            short(one.older.id) if cli.out.fancy else one.older.id,
            f"{one.similarity:.2f}",
            flat(one.reason),
        )
        for one in found
    ]
    if rows:
        cli.out.table(("kind", "newer", "older", "alike", "what changed"), rows, wide="what changed")
    else:
        cli.out.note("No contradictions found. Is this the right owner? See --user.")
