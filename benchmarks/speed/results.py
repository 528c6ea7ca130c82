"""The rows of a run with what they were measured on, as JSON and in the docs."""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from benchmarks.speed import report
from benchmarks.speed.measure import Row
from benchmarks.speed.parts import PARTS

__all__ = ["PUBLISHED", "Results", "tables"]

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "docs" / "benchmarks-speed.json"
PLOTS = {"speed": "benchmarks-speed.png", "postgres": "benchmarks-postgres.png"}


@dataclass
class Results:
    """Rows, and for each part the run that measured it."""

    about: dict[str, Any] = field(default_factory=dict)
    """Facts about this run."""
    rows: list[Row] = field(default_factory=list)
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Part → facts about its run, and the `seconds` that it took."""

    def __post_init__(self) -> None:
        self._last = time.perf_counter()

    @classmethod
    def of_this_machine(cls, arguments: argparse.Namespace) -> Results:
        """Nothing yet."""
        given = ["--quick"] * arguments.quick + ["--large"] * arguments.large + ["--more"] * arguments.more
        given += [f"--data {arguments.data.name}"] if arguments.data else []
        about = {
            "command": " ".join(["python -m benchmarks.speed", *given]),
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
            "machine": platform.machine(),
            "system": sys.platform,
            "processors": os.cpu_count(),
        }
        return cls(about)

    @classmethod
    def read(cls, path: Path) -> Results:
        """What `write` wrote."""
        found = json.loads(path.read_text("utf-8"))
        names = [each.name for each in fields(Row)]
        rows = [{name: row[name] for name in names} for row in found["rows"]]
        return cls({}, [Row(**(row | {"value": _number(row["value"])})) for row in rows], found["runs"])

    def add(self, row: Row) -> None:
        """One more row, just measured."""
        now = time.perf_counter()
        run = self.runs.setdefault(row.part, {**self.about, "seconds": 0.0})
        run["seconds"] = round(run["seconds"] + now - self._last, 1)
        self.rows.append(row)
        self._last = now

    def took(self) -> str:
        """How long the parts took, for people."""
        parts = ", ".join(f"{name} {run['seconds']:.0f}" for name, run in self.runs.items())
        return f"{sum(run['seconds'] for run in self.runs.values()):.0f} seconds: {parts}"

    def write(self, path: Path) -> None:
        """As JSON."""
        rows = [row.as_json() for row in self.rows]
        for row in rows:
            row["value"] = None if math.isnan(row["value"]) else row["value"]
        path.parent.mkdir(parents=True, exist_ok=True)
        found = {"runs": self.runs, "rows": rows}
        path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")

    def over(self, old: Results) -> Results:
        """These in place of the old ones of the same parts, in the order of the parts."""
        rows = [
            row
            for part in PARTS
            for row in (self.rows if part in self.runs else old.rows)
            if row.part == part
        ]
        return Results(self.about, rows, old.runs | self.runs)

    def publish(self) -> None:
        """Put the rows into docs/: their JSON, the plots, and the tables."""
        found = self.over(Results.read(PUBLISHED))
        found.write(PUBLISHED)
        for table, name in PLOTS.items():
            report.as_plot(_of_table(found.rows, table), PUBLISHED.with_name(name))
        subprocess.run([sys.executable, ROOT / "scripts" / "docs.py"], check=True)


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _of_table(rows: Sequence[Row], table: str) -> list[Row]:
    return [row for row in rows if row.part in PARTS and PARTS[row.part].table == table]


def tables(table: str) -> str:
    """The Markdown of one of the tables of docs/benchmarks.md, and what it was measured on."""
    published = Results.read(PUBLISHED)
    rows = _of_table(published.rows, table)
    runs = [published.runs[part] for part in dict.fromkeys(row.part for row in rows)]
    notes = [
        f"`{run['command']}`: Python {run['python']}, SQLite {run['sqlite']}, {run['processors']} processors."
        + run.get("note", "")
        for run in runs
    ]
    return "\n\n".join([report.as_markdown(rows), *dict.fromkeys(notes)])
