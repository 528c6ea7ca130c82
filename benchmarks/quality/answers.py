"""Measure which answer comes first, and whether the score tells that there is none, on the project's own sets.

    python -m benchmarks.quality.answers --set everyday --set identifiers --json answers.json --plot answers.png

Hybrid recall is compared with its halves, the named strategies and the simple baselines. Embeddings are kept in
`benchmarks/results`, so that another run of the same set takes seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from rich.console import Console
from rich.progress import Progress

from benchmarks.quality import answers_report
from benchmarks.quality.baselines import BASELINES, best, prepare
from benchmarks.quality.data import Conversation, Question
from benchmarks.quality.metrics import measure
from benchmarks.quality.sets import NOW, SETS
from benchmarks.quality.systems import DEPTH, MODES, REMOVED, STRATEGY_ROWS, System, Variant
from memwell._bridge import drive
from memwell.ports import Embedder
from memwell.registry import open_embedder, open_keyvalue
from memwell.wrappers import CachedEmbedder

SHOWN = ("cosine", "BM25", "RRF of cosine and BM25", "weighted sum, lexical .5")
RESULTS = Path(__file__).parents[1] / "results"

Scored = list[tuple[str, float]]
Ask = Callable[[Conversation, Question], Scored]


def main() -> int:
    """Run the sets; 1 if `--strict` and hybrid is worse than a half of itself somewhere."""
    options = _options()
    console = Console(width=None if sys.stdout.isatty() else 150)
    results, worse = {}, 0
    with _embedder(options.embedder) as embedder:
        for name in options.set or SETS:
            conversations = SETS[name]()
            with Progress(console=console, transient=True) as progress:
                rows = answers(conversations, embedder, progress)
            results[name] = rows
            worse += answers_report.show(console, name, conversations, rows)
            if options.misses:
                answers_report.show_misses(console, conversations, rows, options.misses)
    if options.json:
        Path(options.json).write_text(json.dumps({"answers": results}, indent=1, ensure_ascii=False), "utf-8")
    if options.plot:
        answers_report.plot(Path(options.plot), results)
    return int(bool(worse and options.strict))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "benchmarks.quality.answers", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--set", action="append", choices=list(SETS), help="may be repeated; all by default")
    parser.add_argument("--embedder", default="local")
    parser.add_argument(
        "--misses", metavar="CATEGORY", help="list what hybrid got wrong there ('all': everywhere)"
    )
    parser.add_argument(
        "--strict", action="store_true", help="fail if hybrid is worse than one of its halves"
    )
    parser.add_argument("--json", help="write all numbers here")
    parser.add_argument("--plot", help="write a chart here (PNG or SVG)")
    return parser.parse_args()


@contextmanager
def _embedder(name: str) -> Iterator[Embedder]:
    RESULTS.mkdir(exist_ok=True)
    vectors = open_keyvalue(f"sqlite:///{RESULTS / 'embeddings.db'}")
    embedder = CachedEmbedder(open_embedder(name), vectors)
    try:
        yield embedder
    finally:
        drive(embedder.close())
        drive(vectors.close())


def answers(
    conversations: Sequence[Conversation], embedder: Embedder, progress: Progress
) -> dict[str, list[dict[str, Any]]]:
    """Name of the system → one entry a question, in the same order for every system."""
    rows = {}
    with System(conversations, embedder, clock=lambda: NOW) as system:
        for variant in (*MODES[::-1], *REMOVED):
            rows[variant.name] = _run(progress, variant.name, conversations, _asking(system, variant))
    for variant in STRATEGY_ROWS:  # each has a store of its own: being read must not count for another
        with System(conversations, embedder, clock=lambda: NOW) as system:
            rows[variant.name] = _run(progress, variant.name, conversations, _asking(system, variant))
    prepared = {conversation.id: prepare(conversation, embedder) for conversation in conversations}
    for name in SHOWN:
        scores = BASELINES[name]
        rows[name] = _run(
            progress,
            name,
            conversations,
            lambda c, q, scores=scores: best(c, scores(prepared[c.id], q.text), DEPTH),
        )
    return rows


def _asking(system: System, variant: Variant) -> Ask:
    return lambda conversation, question: system.scored(conversation, question, variant)


def _run(
    progress: Progress, name: str, conversations: Sequence[Conversation], ask: Ask
) -> list[dict[str, Any]]:
    task = progress.add_task(name, total=sum(len(c.questions) for c in conversations))
    found = []
    for conversation in conversations:
        for question in conversation.questions:
            found.append(_entry(conversation, question, ask(conversation, question)))
            progress.advance(task)
    progress.remove_task(task)
    return found


def _entry(conversation: Conversation, question: Question, hits: Scored) -> dict[str, Any]:
    """What one system did with one question; `score` is that of its best hit, 0 without a hit."""
    ranking = [id for id, _ in hits]
    entry: dict[str, Any] = {
        "set": "all questions",
        "conversation": conversation.id,
        "category": question.category,
        "score": hits[0][1] if hits else 0.0,
        "first": ranking[:5],
    }
    if question.gold:
        entry |= {
            "recall@1": float(bool(question.gold & set(ranking[:1]))),
            "hit@5": float(bool(question.gold & set(ranking[:5]))),
            "recall@5": measure(ranking, question.gold)["recall@5"],
        }
    return entry


if __name__ == "__main__":
    sys.exit(main())
