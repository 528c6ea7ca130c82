"""The results as a table, as JSON and as a plot."""

from __future__ import annotations

import json
import math
import os
import platform
import sqlite3
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.speed.measure import Row

__all__ = ["SIGNS", "as_json", "as_plot", "as_table", "beside", "bound", "line", "value"]

COLOURS = {"aim": "green", "must": "yellow", "missed": "red", "": "dim"}
SIGNS = {"aim": "✓✓", "must": "✓", "missed": "✗", "": ""}
HATCHES = {"notes": "", "chat": "//"}


def line(row: Row) -> str:
    """The row in short, as soon as it is measured."""
    return f"{SIGNS[row.mark] or '–':3}{row.part:13}{row.corpus:6}{row.name}: {value(row)}"


def value(row: Row) -> str:
    """What is compared with the bounds."""
    return "–" if math.isnan(row.value) else f"{row.value:.3g} {row.unit}".strip()


def bound(row: Row, number: float | None) -> str:
    """A bound with its direction."""
    return "" if number is None else f"{'≥' if row.higher else '≤'} {number:g}"


def beside(rows: Sequence[Row]) -> list[dict[str, Row]]:
    """Rows of the same part and name side by side: corpus → row, in the order of the first ones."""
    found: dict[tuple[str, str], dict[str, Row]] = {}
    for row in rows:
        found.setdefault((row.part, row.name), {})[row.corpus] = row
    return list(found.values())


def as_table(rows: Sequence[Row], console: Console) -> None:
    """Print the parts: what, and for each corpus both sides, the value and whether it keeps the bounds."""
    for part in dict.fromkeys(row.part for row in rows):
        of_part = [row for row in rows if row.part == part]
        corpora = list(dict.fromkeys(row.corpus for row in of_part))
        table = Table(title=part, title_justify="left")
        table.add_column("what", max_width=50)
        for corpus in corpora:
            for head in (f"{corpus} memwell".strip(), "floor", "value", ""):
                table.add_column(head, justify="right", no_wrap=True)
        for head in ("must", "aim"):
            table.add_column(head, justify="right", no_wrap=True)
        for rows_beside in beside(of_part):
            first = next(iter(rows_beside.values()))
            cells = [cell for corpus in corpora for cell in _cells(rows_beside.get(corpus))]
            table.add_row(_title(rows_beside), *cells, bound(first, first.must), bound(first, first.aim))
        console.print(table)
    console.print(
        "✓✓ reaches the aim (or the must where there is no aim), ✓ keeps the must, ✗ misses it", style="dim"
    )


def _cells(row: Row | None) -> tuple[str, str, str, str]:
    if row is None:
        return ("",) * 4
    return row.ours, row.floor, value(row), f"[{COLOURS[row.mark]}]{SIGNS[row.mark]}[/]"


def _title(rows: Mapping[str, Row]) -> str:
    notes = {f"{corpus}: {row.note}".removeprefix(": ") for corpus, row in rows.items() if row.note}
    same = {row.note for row in rows.values()}
    name = next(iter(rows.values())).name
    return "\n".join(
        [name, *(f"[dim]{note}[/dim]" for note in (same if len(same) == 1 else sorted(notes)) if note)]
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
    """Draw the values that have a bound, as parts of the bound: left of 1 keeps it. A bar for each corpus."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.patches import Patch

    shown = [row for row in rows if row.must and row.binding and not math.isnan(row.value)]
    groups = beside(shown)[::-1]
    if not groups:
        return
    colours = {"aim": "#2a9d55", "must": "#e0a800", "missed": "#c0392b"}
    figure, axes = pyplot.subplots(figsize=(10, 0.24 * len(shown) + 0.14 * len(groups) + 1.6))
    place, ticks = 0.0, []
    for group in groups:
        ticks.append(place + (len(group) - 1) / 2)
        for corpus, row in reversed(group.items()):
            bar = axes.barh(place, _used(row), height=0.9, color=colours[row.mark])
            bar.patches[0].set(hatch=HATCHES.get(corpus, ""), edgecolor="white", linewidth=0)
            place += 1
        place += 0.6
    axes.set_yticks(ticks, [next(iter(group.values())).name.replace("`", "") for group in groups])
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.set_xlabel("part of the bound used (below 1 keeps it, log scale)")
    legend = [Patch(facecolor=colour, label=name) for name, colour in colours.items()]
    legend += [
        Patch(facecolor="grey", hatch=hatch, edgecolor="white", label=name) for name, hatch in HATCHES.items()
    ]
    axes.legend(handles=legend, loc="lower left", bbox_to_anchor=(0, 1), ncols=5, frameon=False)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _used(row: Row) -> float:
    must = row.must or 1
    return must / row.value if row.higher else row.value / must
