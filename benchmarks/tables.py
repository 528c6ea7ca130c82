"""Markdown tables from what the benchmarks wrote: `python -m benchmarks.tables quality.json speed.json`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.quality.answers_report import COMPARED, CUTS, HYBRID, by, kept_and_rejected, pair, summary
from benchmarks.quality.metrics import MEASURES, mean
from benchmarks.speed.report import as_markdown
from benchmarks.speed.results import Results

__all__ = ["main"]


def main() -> None:
    """Print the tables of each file."""
    parser = argparse.ArgumentParser("benchmarks.tables", description=__doc__)
    parser.add_argument("files", type=Path, nargs="+")
    for path in parser.parse_args().files:
        found = json.loads(path.read_text("utf-8"))
        if "answers" in found:
            tables = _answers(found["answers"])
        elif "rows" in found:
            tables = iter([as_markdown(Results.read(path).rows)])
        else:
            tables = _quality(found)
        print("\n\n".join(tables) + "\n")


def _quality(found: Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]]) -> Iterator[str]:
    for name, rows in found.items():
        yield f"### {name}"
        yield _table(["row", *MEASURES], [[row, *_cells(entries)] for row, entries in rows.items()])
        default = rows["recall (the default)"]
        for key in ("category", "conversation"):
            groups = sorted({entry[key] for entry in default})
            parts = {group: [entry for entry in default if entry[key] == group] for group in groups}
            lines = [[group, str(len(part)), *_cells(part)] for group, part in parts.items()]
            yield _table([f"the default by {key}", "questions", *MEASURES], lines)
        sessions = {row: [entry["sessions"] for entry in rows[row]] for row in rows if _is_plain(row)}
        yield _table(
            ["sessions, each by its best turn", *MEASURES],
            [[row, *_cells(entries)] for row, entries in sessions.items()],
        )


def _answers(found: Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]]) -> Iterator[str]:
    shown = COMPARED[:5]
    lines = [
        [name, row, *(f"{100 * value:.1f}" for value in list(values.values())[:3]), _auc(values["AUC"])]
        for name, rows in found.items()
        for row in rows
        if (values := summary(rows[row]))
    ]
    yield _table(["set", "row", "recall@1", "hit@5", "recall@5", "AUC"], lines)
    for name, rows in found.items():
        yield f"### {name}"
        for key in ("category", "conversation") if name != "identifiers" else ("category",):
            groups = {row: by(rows[row], key) for row in shown}
            asked = {
                group: sum("hit@5" in entry for entry in entries) for group, entries in groups[HYBRID].items()
            }
            lines = [
                [group, str(count), *(pair(groups[row][group]) for row in shown)]
                for group, count in asked.items()
                if count
            ]
            if len(lines) > 1:
                yield _table([f"recall@1 / hit@5 by {key}", "questions", *shown], lines)
        if any("hit@5" not in entry for entry in rows[HYBRID]):
            lines = [[f"{cut:g}", *(kept_and_rejected(rows[row], cut) for row in shown[:4])] for cut in CUTS]
            yield _table(["kept / rejected at a cut", *shown[:4]], lines)


def _auc(value: float) -> str:
    return "" if value != value else f"{value:.2f}"


def _is_plain(row: str) -> bool:
    return row.startswith("recall") or row in ("cosine", "BM25")


def _cells(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    found = mean([{name: entry[name] for name in MEASURES} for entry in entries])
    return [f"{100 * found[name]:.1f}" for name in MEASURES]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    main()
