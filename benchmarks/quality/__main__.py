"""Measure the quality of recall on public conversations.

`--data FILE` takes LoCoMo's own form (a list of {sample_id, conversation: {session_1: […], session_1_date_time, …},
qa: […]}) or the neutral one (a list of {id, memories: [{id, text, created_at, session}], questions: [{text, category,
gold: [ids]}]}). One memory a turn, one user a conversation, every question one `recall` inside its user.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from rich.console import Console
from rich.progress import Progress

from benchmarks.quality import report
from benchmarks.quality.baselines import BASELINES, Baseline, Prepared, best, prepare
from benchmarks.quality.data import Conversation, Question, load
from benchmarks.quality.metrics import measure, rolled_up
from benchmarks.quality.systems import ADDED, DEPTH, MODES, REMOVED, System
from memwell import Keyring
from memwell.registry import open_embedder

Ranker = Callable[[Conversation, Question], list[str]]


def main() -> None:
    """Run the rows and print, write and plot them."""
    options = _options()
    console = Console(width=None if sys.stdout.isatty() else 150)
    results = {}
    for path in options.data:
        conversations = load(path)
        rows = _rows(conversations, options, console)
        results[path.name] = rows
        report.show(console, path.name, conversations, rows)
    if options.json:
        Path(options.json).write_text(json.dumps(results, indent=1), "utf-8")
    if options.plot:
        report.plot(Path(options.plot), results)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("benchmarks.quality", description=__doc__)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="files of either form")
    parser.add_argument("--embedder", default="local")
    parser.add_argument(
        "--store",
        help="URL of an empty store, such as postgresql://localhost/test?schema=quality; else a new file",
    )
    parser.add_argument("--brief", action="store_true", help="only the three modes of recall")
    parser.add_argument("--encrypted", action="store_true", help="in an encrypted store")
    parser.add_argument("--json", help="write all numbers here")
    parser.add_argument("--plot", help="write a bar chart here (PNG or SVG)")
    return parser.parse_args()


def _rows(
    conversations: Sequence[Conversation],
    options: argparse.Namespace,
    console: Console,
) -> dict[str, list[dict[str, Any]]]:
    """Name of the row → one entry a question."""
    rows: dict[str, list[dict[str, Any]]] = {}
    embedder, brief = options.embedder, options.brief
    with console.status(f"remembering {sum(len(c.items) for c in conversations)} memories"):
        keyring = Keyring(Keyring.generate()) if options.encrypted else None
        system = System(conversations, embedder, options.store, encryption=keyring)
    with system, Progress(console=console, transient=True) as progress:
        if not brief:
            coder = open_embedder(embedder)
            prepared = {c.id: prepare(c, coder) for c in conversations}
            for name, scores in BASELINES.items():
                rows[name] = _run(progress, name, conversations, _ranker_of(prepared, scores))
        variants = MODES if brief else [*MODES[:2], *ADDED[:-1], MODES[2], *REMOVED]
        for variant in variants:
            rows[variant.name] = _run(
                progress, variant.name, conversations, lambda c, q, v=variant: system.ranking(c, q, v)
            )
    return rows


def _ranker_of(prepared: dict[str, Prepared], scores: Baseline) -> Ranker:
    def ranking(conversation: Conversation, question: Question) -> list[str]:
        values = scores(prepared[conversation.id], question.text)
        return [id for id, _ in best(conversation, values, DEPTH)]

    return ranking


def _run(
    progress: Progress, name: str, conversations: Sequence[Conversation], ranker: Ranker
) -> list[dict[str, Any]]:
    found = []
    task = progress.add_task(name, total=sum(len(c.questions) for c in conversations))
    for conversation in conversations:
        part_of = {item.id: item.session or "" for item in conversation.items}
        for question in conversation.questions:
            ranking = ranker(conversation, question)
            parts = frozenset(part_of[id] for id in question.gold)
            found.append(
                {
                    "conversation": conversation.id,
                    "category": question.category,
                    **measure(ranking, question.gold),
                    "sessions": measure(rolled_up(ranking, part_of), parts),
                }
            )
            progress.advance(task)
    progress.remove_task(task)
    return found


if __name__ == "__main__":
    sys.exit(main())
