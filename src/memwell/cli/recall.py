"""`recall`."""

from __future__ import annotations

import time
from typing import Annotated, cast

import typer

from memwell.cli.narrowing import Category, Since, Tags, Until, ValidAt, moment, narrowed
from memwell.cli.output import Output
from memwell.cli.shared import Cli, Where, content_of
from memwell.cli.views import hit_to_json, plain_hit, shown_hit
from memwell.types import Hit, Mode

__all__ = ["recall"]


def recall(
    cli: Cli,
    query: Annotated[str, typer.Argument(metavar="QUERY", help="The question, or - to read it from stdin.")],
    limit: Annotated[int, typer.Option("--limit", "-n", metavar="N", help="Show at most N memories.")] = 10,
    tag: Tags = None,
    category: Category = None,
    since: Since = None,
    until: Until = None,
    where: Where = None,
    mode: Annotated[
        str, typer.Option("--mode", metavar="MODE", help="hybrid, semantic or lexical.")
    ] = "hybrid",
    strategy: Annotated[
        str,
        typer.Option(
            "--strategy", metavar="NAME", help="relevant, balanced, recent, important, frequent or memoric."
        ),
    ] = "relevant",
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of",
            metavar="WHEN",
            help="Answer with what was stored then, such as 2026-05-01 or yesterday.",
        ),
    ] = None,
    valid_at: ValidAt = None,
    token_budget: Annotated[
        int | None,
        typer.Option("--token-budget", metavar="N", help="Stop before the contents exceed N tokens."),
    ] = None,
    min_score: Annotated[
        float,
        typer.Option("--min-score", metavar="S", help="Leave out what scores less than S, from 0 to 1."),
    ] = 0.0,
    explain: Annotated[bool, typer.Option("--explain", "-x", help="Show the signals of each score.")] = False,
) -> None:
    """Find the memories that answer a question, best first."""
    zone = cli.out.zone
    chosen = narrowed(cli.filter(where), tag, category, since, until, zone)
    then = None if as_of is None else moment(as_of, "--as-of", zone, end=True)
    true_at = None if valid_at is None else moment(valid_at, "--valid-at", zone, end=True)
    text = content_of(query)
    with cli.memory(embeds=mode != "lexical") as memory:
        started = time.perf_counter()
        hits = memory.recall(
            text,
            where=chosen,
            limit=limit,
            token_budget=token_budget,
            strategy=strategy,
            as_of=then,
            valid_at=true_at,
            mode=cast("Mode", mode),
            explain=explain,
            min_score=min_score,
            **cli.owner,
        )
        seconds = time.perf_counter() - started
    _print(cli.out, hits, explain=explain)
    if not hits:
        cli.out.note("Nothing found. Is this the right owner? See --user and `memwell stats`.")
    elif cli.out.fancy:
        cli.out.note(f"{len(hits)} {'memory' if len(hits) == 1 else 'memories'} in {seconds * 1000:.0f} ms")


def _print(out: Output, hits: list[Hit], *, explain: bool) -> None:
    for rank, hit in enumerate(hits, 1):
        if out.as_json:
            out.json(hit_to_json(rank, hit))
        elif out.fancy:
            out.show(shown_hit(rank, hit, explain=explain, zone=out.zone))
        else:
            plain_hit(out, rank, hit, explain=explain)
