"""The parts of the benchmark, in their order: each measures some rows."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.speed.lines import QUICK, Bench
from benchmarks.speed.measure import Row

__all__ = ["PARTS", "Part", "measured"]


@dataclass(frozen=True)
class Part:
    """A function that yields rows, as `module:function`; its module is imported when it is measured."""

    function: str
    corpora: bool = True
    """Whether it is measured on each corpus and takes a `Bench`; else it takes a folder and whether to be quick."""
    large: bool = False
    """Whether it is measured on demand only: with `--large`, or by its name."""

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
    "many-users": Part("rows:many_users", large=True),
    "recalls": Part("together:recalls"),
    "group-commit": Part("together:group_commit"),
    "cold": Part("processes:cold"),
    "resident": Part("processes:resident", large=True),
    "postgres": Part("postgres.rows:postgres"),
    "model": Part("model:with_model", corpora=False),
    "ports": Part("ports:ports", corpora=False),
    "encryption": Part("encryption:encryption", corpora=False),
    "management": Part("management:management", corpora=False),
    "compat": Part("compat:compat", corpora=False),
    "a-million": Part("rows:a_million", corpora=False, large=True),
}


def measured(only: Sequence[str] | None, benches: Sequence[Bench]) -> Iterator[Row]:
    """The rows of the named parts, or of all, each corpus in turn and each part in a folder of its own."""
    for name, part in PARTS.items():
        if name not in only if only else part.large and not benches[0].large:
            continue
        for bench in benches if part.corpora else benches[:1]:
            with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
                for row in part.rows(replace(bench, folder=Path(folder))):
                    yield replace(row, part=name)
