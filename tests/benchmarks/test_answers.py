"""What the quality benchmark computes from scores and first answers."""

from __future__ import annotations

from io import StringIO
from math import isnan

from benchmarks.quality.answers import answers
from benchmarks.quality.answers_report import HYBRID, SEMANTIC, losses, show
from benchmarks.quality.metrics import auc, chance_of, kept
from benchmarks.quality.sets import SETS
from rich.console import Console
from rich.progress import Progress

from memwell.registry import open_embedder


def test_auc_counts_pairs_and_halves_ties() -> None:
    assert auc([0.9, 0.5], [0.5, 0.1]) == (1 + 1 + 0.5 + 1) / 4
    assert isnan(auc([0.9], []))


def test_a_cut_keeps_what_reaches_it() -> None:
    assert kept([0.2, 0.5, 0.9], 0.5) == 2 / 3


def test_a_difference_is_noise_until_equals_would_rarely_show_it() -> None:
    assert chance_of(1, 0) == 0.5
    assert chance_of(7, 0) == 1 / 128
    wrong, right = ({"category": "paraphrase", "recall@1": v, "hit@5": 1.0} for v in (0.0, 1.0))
    rows = {row: [wrong] * 7 for row in (HYBRID, "recall, lexical", "cosine")} | {SEMANTIC: [right] * 7}
    (loss,) = losses(rows, "category")
    assert (loss.half, loss.measure, loss.hybrid, loss.other, loss.is_noise) == (
        SEMANTIC,
        "recall@1",
        0,
        7,
        False,
    )


def test_a_run_answers_every_question_with_every_system_and_prints_the_tables() -> None:
    conversations = SETS["identifiers"]()[:2]
    asked = sum(len(c.questions) for c in conversations)
    embedder = open_embedder("hashing")
    console = Console(file=StringIO(), width=200)
    with Progress(console=console, disable=True) as progress:
        rows = answers(conversations, embedder, progress)
    assert {len(entries) for entries in rows.values()} == {asked}
    assert sum(entry["hit@5"] for entry in rows["BM25"]) > asked / 2
    show(console, "identifiers", conversations, rows)
    assert "version quoted" in console.file.getvalue()  # type: ignore[attr-defined]
