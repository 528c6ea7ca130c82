"""`doctor`, `repair`, `reembed`."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from memwell.cli.failures import Code
from memwell.cli.shared import Cli, Yes, ask
from memwell.types import Reembedded, Report

__all__ = ["doctor", "reembed", "repair"]


def doctor(cli: Cli) -> None:
    """Check that words, vectors and relationships agree with the memories."""
    with cli.memory() as memory:
        report = memory.doctor()
    _print(cli, report)
    if not report.ok:
        if any(problem.repairable for problem in report.problems):
            cli.out.note("Run `memwell repair`.")
        raise typer.Exit(Code.PROBLEMS)


def repair(cli: Cli) -> None:
    """Rebuild what doctor finds wrong, remove expired memories, and embed those without vectors."""
    with cli.memory(embeds=True) as memory, cli.out.progress("Embedding") as progress:
        report = memory.repair(progress=progress)
    _print(cli, report)
    if not report.ok:
        cli.out.note("What remains cannot be repaired; restore it from an export (`memwell import FILE`).")
        raise typer.Exit(Code.PROBLEMS)


def reembed(
    cli: Cli,
    to: Annotated[
        str,
        typer.Option("--to", metavar="MODEL", help="The new embedder, as for --embedder: local, hashing, …"),
    ],
    batch: Annotated[int, typer.Option("--batch", min=1, help="Memories to embed and store at a time.")] = 64,
    drop_old: Annotated[
        bool, typer.Option("--drop-old", help="Remove the vectors of older models afterwards.")
    ] = False,
    skip_failed: Annotated[
        bool,
        typer.Option("--skip-failed", help="Skip memories that cannot be embedded; words still find them."),
    ] = False,
    yes: Yes = False,
) -> None:
    """Move to another embedding model: embed every memory of every tenant, then switch searches to the new vectors.

    Others can read and write with the old model until then. If it is interrupted, the same command continues it.
    """
    if to == "none":
        raise typer.BadParameter("--to names an embedder; for recall by words only pass --embedder none")
    if not yes:
        dropped = ", and remove all vectors of older models" if drop_old else ""
        ask(f"Embed every memory with {to} and switch searches to it{dropped}?")
    moved = replace(cli, settings=cli.settings.with_options(embedder=to))
    with moved.memory(embeds=True) as memory, cli.out.progress("Embedding") as progress:
        done = memory.reembed(batch=batch, drop_old=drop_old, skip_failed=skip_failed, progress=progress)
    _moved(cli, done, to)


def _moved(cli: Cli, done: Reembedded, to: str) -> None:
    if cli.out.as_json:
        cli.out.json(done.to_dict())
        return
    parts = [
        f"{done.embedded:,} memories embedded",
        f"{len(done.failed):,} skipped: {', '.join(done.failed[:5])}" if done.failed else "",
        f"{done.dropped:,} old vectors dropped" if done.dropped else "",
    ]
    cli.out.line(f"Searches now use {done.model}: {', '.join(part for part in parts if part)}.")
    if cli.settings.embedder != to:
        cli.out.note(f"From now on, open this store with --embedder {to} or MEMWELL_EMBEDDER={to}.")


def _print(cli: Cli, report: Report) -> None:
    if cli.out.as_json:
        cli.out.json(report.to_dict())
        return
    if report.problems:
        rows = [(p.kind, p.id, p.detail) for p in report.problems]
        cli.out.table(("problem", "id", "detail"), rows, wide="detail")
    state = "No problems" if report.ok else f"{len(report.problems):,} problems"
    repaired = f", {report.repaired:,} repaired" if report.repaired else ""
    cli.out.line(f"{state}: {report.checked:,} memories checked{repaired}.")
