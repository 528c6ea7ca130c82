"""Tables and the plot of a quality run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.quality.data import Conversation
from benchmarks.quality.metrics import MEASURES, mean

__all__ = ["plot", "show"]

Rows = Mapping[str, Sequence[Mapping[str, Any]]]
DEFAULT = "recall (the default)"


def show(console: Console, name: str, conversations: Sequence[Conversation], rows: Rows) -> None:
    """All tables of one file."""
    size = f"{len(conversations)} conversations, {sum(len(c.items) for c in conversations)} memories"
    asked = sum(len(c.questions) for c in conversations)
    table = _table(f"{name}: {size}, {asked} questions, percent", "row", MEASURES)
    for row, entries in rows.items():
        table.add_row(row, *_cells(entries, MEASURES), style="bold" if row == DEFAULT else None)
    console.print(table)
    console.print(_split(f"{name}: the default by category", rows[DEFAULT], "category"))
    console.print(_split(f"{name}: the default by conversation", rows[DEFAULT], "conversation"))
    sessions = _table(
        f"{name}: sessions, each by its best turn", "row", ("recall@5", "recall@10", "ndcg@10", "mrr")
    )
    for row in rows:
        if row.startswith("recall") or row in ("cosine", "BM25"):
            found = [entry["sessions"] for entry in rows[row]]
            sessions.add_row(row, *_cells(found, ("recall@5", "recall@10", "ndcg@10", "mrr")))
    console.print(sessions)


def plot(path: Path, results: Mapping[str, Rows]) -> None:
    """Recall@10 of every row as bars, a panel a file."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(results), figsize=(7 * len(results), 8), squeeze=False)
    for panel, (name, rows) in zip(panels[0], results.items(), strict=True):
        names = list(rows)[::-1]
        values = [mean([{"x": 100 * entry["recall@10"]} for entry in rows[row]])["x"] for row in names]
        colours = ["#c2410c" if row == DEFAULT else "#94a3b8" for row in names]
        bars = panel.barh(names, values, color=colours)
        panel.bar_label(bars, fmt="%.1f", padding=3, fontsize=8)
        panel.set_title(f"{name}: recall@10, %")
        panel.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, dpi=130)


def _split(title: str, entries: Sequence[Mapping[str, Any]], key: str) -> Table:
    table = _table(title, key, ("questions", *MEASURES))
    for group in sorted({entry[key] for entry in entries}):
        found = [entry for entry in entries if entry[key] == group]
        table.add_row(group, str(len(found)), *_cells(found, MEASURES))
    return table


def _table(title: str, first: str, columns: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column(first, no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right")
    return table


def _cells(entries: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> list[str]:
    found = mean([{name: entry[name] for name in columns} for entry in entries])
    return [f"{100 * found[name]:.1f}" for name in columns]
