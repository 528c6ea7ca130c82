"""`doctor`, `repair`."""

from __future__ import annotations

from dataclasses import asdict

import typer

from memwell.cli.failures import Code
from memwell.cli.shared import Cli
from memwell.types import Report

__all__ = ["doctor", "repair"]


def doctor(cli: Cli) -> None:
    """Prove that words, vectors and relationships agree with the memories they were made from."""
    with cli.memory() as memory:
        report = memory.doctor()
    _print(cli, report)
    if not report.ok:
        if any(problem.repairable for problem in report.problems):
            cli.out.note("Run `memwell repair`.")
        raise typer.Exit(Code.PROBLEMS)


def repair(cli: Cli) -> None:
    """Rebuild what doctor finds wrong, sweep what has expired, embed what has no vectors yet."""
    with cli.memory(embeds=True) as memory, cli.out.progress("Embedding") as progress:
        report = memory.repair(progress=progress)
    _print(cli, report)
    if not report.ok:
        cli.out.note(
            "What is left cannot be repaired here; bring it back from an export (`memwell import FILE`)."
        )
        raise typer.Exit(Code.PROBLEMS)


def _print(cli: Cli, report: Report) -> None:
    if cli.out.as_json:
        cli.out.json(asdict(report))
        return
    if report.problems:
        rows = [(p.kind, p.id, p.detail) for p in report.problems]
        cli.out.table(("problem", "id", "detail"), rows, wide="detail")
    state = "All well" if report.ok else f"{len(report.problems):,} problems"
    mended = f", {report.repaired:,} repaired" if report.repaired else ""
    cli.out.line(f"{state}: {report.checked:,} memories checked{mended}.")
