"""The parts of the benchmark, in their order: each measures some rows."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.speed.lines import QUICK, Bench
from benchmarks.speed.measure import Row

__all__ = ["PARTS", "Part", "chosen", "measured"]


@dataclass(frozen=True)
class Part:
    """A function that yields rows, as `module:function`; its module is imported when it is measured."""

    function: str
    corpora: bool = True
    """Whether it is measured on each corpus and takes a `Bench`; else it takes a folder and whether to be quick."""
    among: str = "core"
    """`core` is measured always, `large` with `--large`, `more` with `--more`, and each by its name."""
    table: str = "speed"
    """The table of docs/benchmarks.md that shows it."""

    def rows(self, bench: Bench) -> Iterator[Row]:
        """Measure."""
        module, _, name = self.function.partition(":")
        measure = getattr(importlib.import_module(f"benchmarks.speed.{module}"), name)
        if self.corpora:
            yield from measure(bench)
        else:
            yield from measure(bench.folder, bench.scale is QUICK)


PARTS: Mapping[str, Part] = {
    "imports": Part("processes:imports", corpora=False),
    "batches": Part("rows:batches"),
    "one-user": Part("rows:one_user"),
    "many-users": Part("rows:many_users", among="large"),
    "recalls": Part("together:recalls"),
    "group-commit": Part("together:group_commit"),
    "cold": Part("processes:cold"),
    "resident": Part("processes:resident", among="large"),
    "a-million": Part("rows:a_million", corpora=False, among=""),
    "postgres": Part("postgres.rows:postgres", table="postgres"),
    "model": Part("model:with_model", corpora=False, among="more"),
    "ports": Part("ports:ports", corpora=False, among="more", table="ports"),
    "encryption": Part("encryption:encryption", corpora=False, among="more", table=""),
    "management": Part("management:management", corpora=False, among="more", table="management"),
    "compat": Part("compat:compat", corpora=False, among="more", table=""),
}


def chosen(only: Sequence[str], kinds: Collection[str]) -> list[str]:
    """The parts that are named, else those of the kinds."""
    return [name for name, part in PARTS.items() if (name in only if only else part.among in kinds)]


def measured(names: Sequence[str], benches: Sequence[Bench]) -> Iterator[Row]:
    """The rows of the parts, each corpus in turn and each part in a folder of its own."""
    for name in names:
        part = PARTS[name]
        for bench in benches if part.corpora else benches[:1]:
            with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
                for row in part.rows(replace(bench, folder=Path(folder))):
                    yield replace(row, part=name)
