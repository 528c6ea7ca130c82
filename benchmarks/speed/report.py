"""The results as a table, as Markdown and as a plot."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.speed.measure import Row

__all__ = ["as_markdown", "as_plot", "as_table", "beside", "line"]

COLOURS = {"aim": "green", "must": "yellow", "missed": "red", "": "dim"}
SIGNS = {"aim": "✓✓", "must": "✓", "missed": "✗", "": ""}
CORPORA = {"notes": "notes", "chat": "chat turns"}
TICKS = (0.01, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
HATCHES = {"notes": "", "chat": "//"}


def line(row: Row) -> str:
    """The row in short, as soon as it is measured."""
    return f"{SIGNS[row.mark] or '–':3}{row.part:13}{row.corpus:6}{row.name}: {value(row)}"


def value(row: Row) -> str:
    """What is compared with the bounds."""
    if math.isnan(row.value):
        return "–"
    number = f"{row.value:,.0f}" if row.value >= 1000 else f"{row.value:.3g}"
    return f"{number} {row.unit}".strip()


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
            cells = []
            for row in map(rows_beside.get, corpora):
                *numbers, mark = _cells(row)
                cells += [*numbers, f"[{COLOURS[row.mark if row else '']}]{mark}[/]"]
            name, *notes = _title(rows_beside).splitlines()
            title = "\n".join([name, *(f"[dim]{note}[/dim]" for note in notes)])
            table.add_row(title, *cells, bound(first, first.must), bound(first, first.aim))
        console.print(table)
    console.print(
        "✓✓ reaches the aim (or the must where there is no aim), ✓ keeps the must, ✗ misses it", style="dim"
    )


def _cells(row: Row | None) -> tuple[str, str, str, str]:
    if row is None:
        return ("",) * 4
    given = row.ours and row.unit in ("ms", "MB", "%", "")
    return row.ours, row.floor, "" if given else value(row), SIGNS[row.mark]


def _title(rows: Mapping[str, Row]) -> str:
    """The name, and the notes in lines of their own; with their corpus if they differ."""
    notes = {row.note for row in rows.values()}
    if len(notes) > 1:
        notes = {f"{corpus}: {row.note}" for corpus, row in rows.items() if row.note}
    name = next(iter(rows.values())).name
    return "\n".join([name, *sorted(note for note in notes if note)])


def as_markdown(rows: Sequence[Row]) -> str:
    """Tables for docs: one of the rows that are measured on corpora, one of the others."""
    on_corpora = [row for row in rows if row.corpus]
    corpora = sorted({row.corpus for row in on_corpora}, reverse=True)
    heads = [head for corpus in corpora for head in (CORPORA[corpus], "floor", "")]
    tables = [_markdown(beside(on_corpora), corpora, heads)] if on_corpora else []
    if len(on_corpora) < len(rows):
        others = beside([row for row in rows if not row.corpus])
        tables.append(_markdown(others, [""], ["memwell", "beside", ""]))
    return "\n\n".join(tables)


def _markdown(groups: Sequence[Mapping[str, Row]], corpora: Sequence[str], heads: Sequence[str]) -> str:
    lines = [["what", *heads, "must", "aim"], ["---"] + ["---:"] * (len(heads) + 2)]
    for rows in groups:
        first = next(iter(rows.values()))
        name, *notes = _title(rows).splitlines()
        title = name + (f" ({'; '.join(notes)})" if notes else "")
        cells = [
            cell
            for corpus in corpora
            for *both, last, mark in [_cells(rows.get(corpus))]
            for cell in (*both, f"{last} {mark}".strip())
        ]
        lines.append([title, *cells, bound(first, first.must), bound(first, first.aim)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


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
    used = [_used(row) for row in shown]
    axes.set_xlim(min(0.05, *used) * 0.9, max(2, *used) * 1.1)
    axes.set_xticks(TICKS, map("{:g}".format, TICKS))
    axes.minorticks_off()
    axes.set_xlabel("part of the bound used: left of the line keeps it")
    legend = [Patch(facecolor=colour, label=name) for name, colour in colours.items()]
    legend += [
        Patch(facecolor="grey", hatch=hatch, edgecolor="white", label=name) for name, hatch in HATCHES.items()
    ]
    figure.legend(handles=legend, loc="upper left", ncols=5, frameon=False)
    figure.tight_layout(rect=(0, 0, 1, 1 - 0.35 / figure.get_figheight()))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _used(row: Row) -> float:
    must = row.must or 1
    return must / row.value if row.higher else row.value / must
