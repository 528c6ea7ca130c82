"""The results as a table, as JSON and as a plot."""

from __future__ import annotations

import json
import math
import os
import platform
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.speed.measure import Row

__all__ = ["as_json", "as_plot", "as_table"]

COLOURS = {"aim": "green", "must": "yellow", "missed": "red", "": "dim"}
SIGNS = {"aim": "✓✓", "must": "✓", "missed": "✗", "": ""}


def _bound(row: Row, bound: float | None) -> str:
    return "" if bound is None else f"{'≥' if row.higher else '≤'} {bound:g}"


def as_table(rows: Sequence[Row], console: Console) -> None:
    """Print one line a row: what, both sides, the value, its bounds and whether they are kept."""
    table = Table(title="memwell beside the floor", title_justify="left")
    for head in ("what", "memwell", "floor", "value", "must", "aim", ""):
        table.add_column(head, justify="left" if head == "what" else "right")
    for row in rows:
        value = "–" if math.isnan(row.value) else f"{row.value:.3g} {row.unit}"
        name = f"{row.name}\n[dim]{row.note}[/dim]" if row.note else row.name
        sign = f"[{COLOURS[row.mark]}]{SIGNS[row.mark]}[/]"
        table.add_row(name, row.ours, row.floor, value, _bound(row, row.must), _bound(row, row.aim), sign)
    console.print(table)
    console.print(
        "✓✓ reaches the aim (or the must where there is no aim), ✓ keeps the must, ✗ misses it", style="dim"
    )


def as_json(rows: Sequence[Row], path: Path, arguments: str) -> None:
    """Write the rows with what they were measured on."""
    about = {
        "command": f"python -m benchmarks.speed {arguments}".strip(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "machine": platform.machine(),
        "system": sys.platform,
        "processors": os.cpu_count(),
    }
    found: list[dict[str, Any]] = [row.as_json() for row in rows]
    for each in found:
        each["value"] = None if math.isnan(each["value"]) else each["value"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"about": about, "rows": found}, indent=2, ensure_ascii=False) + "\n", "utf-8")


def as_plot(rows: Sequence[Row], path: Path) -> None:
    """Draw the ratios that have a bound, as parts of the bound: left of 1 keeps it."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    shown = [row for row in rows if row.must and not math.isnan(row.value)][::-1]
    if not shown:
        return
    used = [(row.must or 0) / row.value if row.higher else row.value / (row.must or 1) for row in shown]
    colours = {"aim": "#2a9d55", "must": "#e0a800", "missed": "#c0392b"}
    figure, axes = pyplot.subplots(figsize=(9, 0.42 * len(shown) + 1.2))
    axes.barh([row.name for row in shown], used, color=[colours[row.mark] for row in shown])
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.set_xlabel("part of the bound used (below 1 keeps it, log scale)")
    axes.set_title("memwell beside its bounds")
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
